"""Write files in a background thread while training continues."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from srgan_cli.managed import Managed


class Background(Managed):
    """Runs one job at a time, in the order they come; what one raises, the next call raises."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._last: Future[None] | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Start a job once the one before is done: copies for more than one would cost memory.

        Raises:
            OSError: The job before could not write.
        """
        self.wait()
        self._last = self._pool.submit(job)

    def wait(self) -> None:
        """Wait for the job that runs.

        Raises:
            OSError: It could not write.
        """
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def _close(self, *, failed: bool) -> None:
        """Let the last job end; its failure counts unless there is one already."""
        try:
            if not failed:
                self.wait()
        finally:
            self._pool.shutdown()
