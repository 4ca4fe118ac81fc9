"""Folders that srgan writes to, and files that appear under their names only when complete."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the user data directory; the environment variable ``SRGAN_HOME`` overrides it."""
    override = os.environ.get("SRGAN_HOME")
    return (
        Path(override) if override else Path(platformdirs.user_data_dir("srgan", appauthor=False))
    )


def datasets_dir() -> Path:
    """Return the folder that ``srgan prepare`` writes data sets into."""
    return home() / "datasets"


def runs_dir() -> Path:
    """Return the folder that ``srgan train`` writes runs into."""
    return home() / "runs"


def models_dir() -> Path:
    """Return the shelf: the folder that ``srgan models`` keeps weights in."""
    return home() / "models"


def downloads_dir() -> Path:
    """Return the folder for weights fetched from the network."""
    return home() / "downloads"


def teachers_dir() -> Path:
    """Return the folder for what teachers made of damaged patches, by what decides them."""
    return home() / "teachers"


@contextmanager
def written_beside(target: Path, *, mark: str = "", new: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``target`` that takes its name once it is complete.

    The file is flushed to the disk before it is renamed, so that a crash leaves
    either the old file or the new one. On any exception the temporary file is
    removed and ``target`` stays as it was.

    Args:
        target: The final path.
        mark: Begins the random part of the temporary name.
        new: Replace nothing: of several programs that write the name at once, one gets it.

    Raises:
        FileExistsError: The name is taken, and it is to be a new one.
    """
    # The suffix stays last: encoders choose the format by it.
    temporary = target.with_name(f".srgan-{mark}{secrets.token_hex(6)}{target.suffix}")
    temporary.touch()
    mode = temporary.stat().st_mode
    try:
        yield temporary
        temporary.chmod(mode)  # Some writers replace the file by one that only its owner reads.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        (take_new_name if new else Path.replace)(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def take_new_name(temporary: Path, target: Path) -> None:
    """Give a finished file its name, unless some other file has got it by then.

    Raises:
        FileExistsError: One has; ``temporary`` is still there.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # A file system without links: the name is taken by an empty file first.
        target.touch(exist_ok=False)
        temporary.replace(target)
    else:
        temporary.unlink()


def keep_date(source: Path, target: Path) -> None:
    """Give a file another's time of modification, where the file system allows that."""
    with suppress(OSError):
        status = source.stat()
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` by ``text`` in one step."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, data: bytes) -> None:
    """Replace ``target`` by ``data`` in one step."""
    with written_beside(target) as temporary:
        temporary.write_bytes(data)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
