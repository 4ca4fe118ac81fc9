"""Write the HTML pages of several commands."""

from pathlib import Path

from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.observer import Observer
from srgan_cli.paths import write_text


def require_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse, before an hour of work, a page that could not be written.

    Raises:
        UsageError: Something stands there already, or there is no such folder.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already", hint="pass --overwrite to replace it")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: no such folder", hint="create it first")


def write_page(path: Path, page: str, observer: Observer) -> None:
    """Write a page in one step, and say where it is.

    Raises:
        ResourceError: The disk is full, or the folder cannot be written.
    """
    try:
        write_text(path, page)
    except OSError as error:
        raise ResourceError(
            f"{path}: {error.strerror or error}",
            hint="free some disk space, or choose another file",
        ) from error
    observer.say(f"report: {path} ({len(page.encode()) / 1e6:.1f} MB)")
