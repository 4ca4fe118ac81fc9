"""Check a file before its pixels are decoded: that it is a file, and that it is not too large."""

import stat
from pathlib import Path

from srgan_cli.errors import InputError


def require_regular(path: Path) -> None:
    """Refuse what cannot be an image without opening it: a pipe would block for ever."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(
                f"{path}: a link to a file that does not exist", hint="fix or delete the link"
            ) from error
        raise InputError(f"{path}: no such file", hint="check the name and the folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}", hint="check the name and the folder") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: a folder, not an image", hint="pass --recursive to enter it")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(
            f"{path}: a pipe, socket or device, not a file", hint="name a regular file"
        )
    if status.st_size == 0:
        raise InputError(f"{path}: the file is empty", hint="restore it from a backup")


def require_size(path: Path, size: tuple[int, int], num_frames: int, max_pixels: int) -> None:
    """Refuse an image without pixels, or with more of them in all its frames than allowed."""
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{path}: {width}x{height} has no pixels", hint="the file is damaged")
    if width * height * num_frames > max_pixels:
        times = f" x {num_frames} frames" if num_frames > 1 else ""
        raise InputError(
            f"{path}: {width}x{height}{times} is more than {max_pixels:,} pixels",
            hint="pass a larger --max-pixels if you trust the file",
        )
