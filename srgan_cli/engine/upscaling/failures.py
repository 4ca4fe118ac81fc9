"""Tell failures of one image, after which the batch goes on, from those that end the batch."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srgan_cli.engine.upscaling.batch import UpscaleJob
from srgan_cli.errors import InputError, ResourceError

# Failures of the file system as a whole, on which going on with other files is no use.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENODEV}


@contextmanager
def named_failures(job: UpscaleJob) -> Iterator[None]:
    """Tell failures of one file from those that end the batch."""
    try:
        yield
    except MemoryError as error:
        raise InputError(
            f"{job.source}: not enough memory for a result of {job.size[0]}x{job.size[1]} pixels",
            hint="choose a smaller size, or use a machine with more memory",
        ) from error
    except OSError as error:
        if error.errno in _FATAL:
            raise ResourceError(
                f"{job.output}: {error.strerror or error}",
                hint="free some disk space, or choose another --output folder, then run it again",
            ) from error
        raise InputError(
            f"{job.source}: {error.strerror or error}"
            + (f": {error.filename}" if error.filename else ""),
            hint="check its permissions, or choose another --output folder",
        ) from error


def is_full(folder: Path) -> bool:
    """Say whether a disk has no room left."""
    try:
        status = os.statvfs(folder)
    except (OSError, AttributeError):
        return False
    return status.f_bavail * status.f_frsize < 2**16
