"""The exit codes of ``srgan``."""

from enum import IntEnum
from typing import Self

from srgan_cli.errors import (
    DivergedError,
    InputError,
    ResourceError,
    SrganError,
    UsageError,
    WeightsError,
)


class ExitCode(IntEnum):
    """Exit codes, each with the meaning that the documentation prints."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Attach the meaning to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "all done"
    BUG = 1, "a bug of srgan; please report the traceback"
    USAGE = 2, "wrong usage: an option is unknown, contradicts another or is out of range"
    INPUT = 3, "unusable input: a folder, image or data set is missing or cannot be read"
    WEIGHTS = 4, "unusable weights: missing, damaged, or of another scale"
    RESOURCE = 5, "a device, memory, disk or network is lacking"
    DIVERGED = 6, "training diverged: a loss is no longer finite"
    PARTIAL = 7, "some images failed; the others were written or, by srgan eval, scored"
    BELOW = 8, "a score misses --min-psnr, --min-ssim or --not-worse-than"
    DIFFERENT = 9, "--verify: the result is not what its model makes of the source"
    INTERRUPTED = (
        130,
        "interrupted; finished images are kept, a training run is saved where it stands",
    )
    READER_LEFT = (
        141,
        "the program reading the output ended early, as `head` does; files are kept",
    )


def exit_code(error: SrganError) -> ExitCode:
    """Return the code that a failure ends with."""
    codes = {
        UsageError: ExitCode.USAGE,
        InputError: ExitCode.INPUT,
        WeightsError: ExitCode.WEIGHTS,
        ResourceError: ExitCode.RESOURCE,
        DivergedError: ExitCode.DIVERGED,
    }
    return codes[type(error)]
