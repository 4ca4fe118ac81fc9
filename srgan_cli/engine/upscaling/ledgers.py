"""The ledgers of a batch: one for each folder that it writes to."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.upscaling.batch import UpscaleJob
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.errors import InputError
from srgan_cli.observer import Observer


@contextmanager
def open_ledgers(jobs: Sequence[UpscaleJob], ranks: Ranks) -> Iterator[Mapping[Path, Ledger]]:
    """Open the ledger of each folder that is written to, and clear what a kill left there.

    Yields:
        The ledgers by their folders.
    """
    with ExitStack() as stack:
        ledgers = {
            folder: stack.enter_context(Ledger(folder, rank=ranks.rank))
            for folder in {job.folder for job in jobs}
        }
        for folder, ledger in ledgers.items() if ranks.leads else ():
            ledger.remove_leftovers({job.output.parent for job in jobs if job.folder == folder})
        # Nobody makes a file that another would take for an image, or for a leftover.
        ranks.wait()
        try:
            yield ledgers
        except KeyboardInterrupt:
            # Threads that nobody waits for any more cannot do it.
            for folder, ledger in ledgers.items() if ranks.size == 1 else ():
                ledger.remove_leftovers({job.output.parent for job in jobs if job.folder == folder})
            raise


def require_whole(ledger: Ledger, config: UpscaleConfig, observer: Observer) -> None:
    """Tell of lines that cannot be read; in place they could mean to upscale an image twice."""
    if not ledger.num_damaged:
        return
    message = f"{ledger.path.parent}: {ledger.num_damaged} lines of the ledger are damaged"
    if config.in_place:
        raise InputError(
            f"{message}: cannot tell which images are upscaled already",
            hint=f"restore {ledger.path.name} from a copy, or delete it to upscale all again",
        )
    observer.warn(message, "results that they told of count as not from this command")
