"""Turn a folder of photographs into a data set of LR/HR pairs."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import save_file

from srgan_cli.config import PrepareConfig
from srgan_cli.data.manifest import Dropped, Entry, Manifest, shard_name
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.imaging.io import list_pictures, read_picture
from srgan_cli.imaging.resize import downscale, mod_crop
from srgan_cli.observer import Observer
from srgan_cli.paths import datasets_dir, write_text, written_beside

_PICTURES_PER_SHARD = 32
_MAX_PIXELS = 256_000_000


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What ``srgan prepare`` did."""

    folder: Path
    """The data set."""
    manifest: Manifest
    """Its contents and what was dropped."""
    unchanged: bool
    """The set existed already, from the same photographs and settings."""


@dataclass(frozen=True, slots=True)
class _Pair:
    source: str
    sha256: str
    hr: npt.NDArray[np.uint8]
    lr: npt.NDArray[np.uint8]


def prepare(config: PrepareConfig, observer: Observer) -> PrepareReport:
    """Make LR/HR pairs of every readable photograph below ``config.source``.

    LR is MATLAB's antialiased bicubic reduction of HR. The set is built in a
    hidden folder and renamed when complete. Running again with unchanged
    photographs and settings does nothing.

    Raises:
        InputError: The folder is missing, or no photograph in it can be used.
        UsageError: Another set has the same name.
        ResourceError: The disk is full.
    """
    if not config.source.is_dir():
        raise InputError(
            f"{config.source}: no such folder", hint="name a folder that holds photographs"
        )
    photographs = list_pictures(config.source)
    if not photographs:
        raise InputError(
            f"{config.source}: no pictures in this folder or below it",
            hint="name a folder that holds JPEG, PNG, WebP, TIFF … files",
        )
    settings = _settings(config)
    listing = _listing(config.source, photographs, settings)
    # A leading dot would hide the set from the commands that look for the newest one.
    name = config.name or f"{config.source.resolve().name.lstrip('.') or 'photos'}-x{config.scale}"
    target = datasets_dir() / name
    observer.say(f"photographs: {len(photographs)} files below {config.source}")
    if target.exists():
        manifest = _existing(target, config)
        if manifest is not None and manifest.listing == listing:
            os.utime(target / "manifest.json")  # It becomes the newest again.
            return PrepareReport(target, manifest, unchanged=True)
        if not config.overwrite:
            raise UsageError(
                f"a data set called {name} exists, from other photographs or settings",
                hint="pass --overwrite to replace it, or another --name",
            )
    draft = target.with_name(f".{name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        manifest = _build(config, photographs, draft, name, settings, listing, observer)
        _publish(draft, target)
    except OSError as error:
        raise ResourceError(
            f"{draft.parent}: {error.strerror or error}",
            hint="check its permissions and free space, or set SRGAN_HOME to another folder",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return PrepareReport(target, manifest, unchanged=False)


def _existing(target: Path, config: PrepareConfig) -> Manifest | None:
    """Read the set that is in the way; a damaged one counts as different, not as fatal."""
    try:
        return Manifest.read(target)
    except InputError:
        if config.overwrite:
            return None
        raise


def _publish(draft: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _build(
    config: PrepareConfig,
    photographs: list[Path],
    draft: Path,
    name: str,
    settings: dict[str, Any],
    listing: str,
    observer: Observer,
) -> Manifest:
    pictures: list[Entry] = []
    dropped: list[Dropped] = []
    pairs = _pairs(config, photographs, dropped, observer)
    for shard in count():
        tensors = {}
        for pair in islice(pairs, _PICTURES_PER_SHARD):
            height, width = pair.hr.shape[:2]
            entry = Entry(len(pictures), pair.source, pair.sha256, width, height, "train", shard)
            pictures.append(entry)
            tensors[f"hr/{entry.index}"] = pair.hr
            tensors[f"lr/{entry.index}"] = pair.lr
        if not tensors:
            break
        with written_beside(draft / shard_name(shard)) as path:
            save_file(tensors, path)
    if len(pictures) < 2:
        raise InputError(
            f"{config.source}: {len(pictures)} of {len(photographs)} photographs can be used",
            hint=f"at least 2 are needed; the first problem: {dropped[0].reason}"
            if dropped
            else "at least 2 are needed",
        )
    manifest = Manifest(
        name=name,
        scale=config.scale,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=_fingerprint(pictures, settings),
        listing=listing,
        settings=settings,
        pictures=_split(pictures, config),
        dropped=tuple(dropped),
    )
    write_text(draft / "manifest.json", manifest.to_json())
    return manifest


def _pairs(
    config: PrepareConfig, photographs: list[Path], dropped: list[Dropped], observer: Observer
) -> Iterator[_Pair]:
    """Decode and reduce photographs on all cores, in the order of their paths.

    Threads suffice, since Pillow and NumPy let go of the interpreter while they
    compute, and unlike processes they start at once and end cleanly on Ctrl-C.
    """
    workers = min(_num_cores(), len(photographs))
    seen: dict[str, str] = {}
    with (
        ThreadPoolExecutor(workers) as pool,
        observer.bar("preparing", total=len(photographs), unit="photos") as bar,
    ):
        work = partial(_make_pair, config)
        # Submitted a window at a time, so that memory does not grow with the folder.
        for start in range(0, len(photographs), 8 * workers):
            for result in pool.map(work, photographs[start : start + 8 * workers]):
                outcome = _unless_repeated(result, seen)
                if isinstance(outcome, Dropped):
                    dropped.append(outcome)
                    observer.warn(f"left out: {outcome.source}: {outcome.reason}")
                else:
                    yield outcome
                bar.advance()


def _unless_repeated(result: _Pair | Dropped, seen: dict[str, str]) -> _Pair | Dropped:
    """Drop a photograph whose file has been seen, by its hash, under another name."""
    if isinstance(result, Dropped):
        return result
    first = seen.setdefault(result.sha256, result.source)
    return result if first == result.source else Dropped(result.source, f"same file as {first}")


def _num_cores() -> int:
    """Count the cores that this process may use; macOS and Windows only know all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _make_pair(config: PrepareConfig, path: Path) -> _Pair | Dropped:
    source = path.relative_to(config.source).as_posix()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pixels = read_picture(path, max_pixels=_MAX_PIXELS).pixels
    except InputError as error:
        return Dropped(source, error.message.removeprefix(f"{path}: "))
    except OSError as error:
        return Dropped(source, error.strerror or str(error))
    image = Image.fromarray(pixels).convert("RGB")
    if config.max_side and max(image.size) > config.max_side:
        image.thumbnail((config.max_side, config.max_side), Image.Resampling.LANCZOS)
    hr = mod_crop(np.asarray(image), config.scale)
    if min(hr.shape[:2]) < config.shortest:
        return Dropped(source, f"{image.width}x{image.height} is smaller than --min-side")
    lr = downscale(hr, config.scale)
    # safetensors writes an array's memory as it lies, whatever its strides say.
    return _Pair(source, digest, np.ascontiguousarray(hr), np.ascontiguousarray(lr))


def _split(pictures: list[Entry], config: PrepareConfig) -> tuple[Entry, ...]:
    """Set validation pictures aside: at most a tenth, at least one."""
    size = max(1, min(config.validation, len(pictures) // 10))
    order = np.random.default_rng(config.seed).permutation(len(pictures))
    chosen = set(order[:size].tolist())
    return tuple(
        Entry(
            entry.index,
            entry.source,
            entry.sha256,
            entry.width,
            entry.height,
            "validation" if entry.index in chosen else "train",
            entry.shard,
        )
        for entry in pictures
    )


def _settings(config: PrepareConfig) -> dict[str, Any]:
    return {
        "scale": config.scale,
        "max_side": config.max_side,
        "min_side": config.shortest,
        "validation": config.validation,
        "seed": config.seed,
    }


def _listing(source: Path, photographs: list[Path], settings: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in photographs:
        try:
            stat = path.stat()
        except OSError:
            continue  # A dangling link: reported when it is read.
        relative = path.relative_to(source).as_posix()
        digest.update(
            f"{relative}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()


def _fingerprint(pictures: list[Entry], settings: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for entry in pictures:
        digest.update(f"{entry.source}\0{entry.sha256}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
