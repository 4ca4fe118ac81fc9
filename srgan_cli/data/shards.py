"""Make shards, the unit of work of ``srgan prepare``. No torch here.

A shard holds the LR/HR images of up to 32 source images and, in its header, what was found out
about each of them. Its bytes and its name depend on these images and the settings only, and it
gets its name once it is complete. So a restart only has to look which shards exist, and any
process on any machine can make any of them.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from srgan_cli.data.doctor import examine
from srgan_cli.data.manifest import Checksum
from srgan_cli.data.photographs import Photograph, decode, reduced_size
from srgan_cli.data.similar import HASH_SIDE, Look
from srgan_cli.data.sources import Sources
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.admission import require_regular
from srgan_cli.imaging.resize import downscale
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.paths import file_sha256, written_beside
from srgan_cli.records import parse_json
from srgan_cli.typed import RecordError, build

Box = tuple[int, int, int, int]
"""Top, left, bottom and right edge, in HR pixels."""

_VERSION = 3
"""Raise this whenever the same image and recipe give other pixels."""
_LOT_PHOTOGRAPHS = 32
_LOOK_BYTES = (HASH_SIDE**2 // 8, HASH_SIDE**2)
_LOT_BYTES = 48 * 2**20


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the pixels of a shard."""

    scales: tuple[int, ...]
    """Factors per side for which LR images are made."""
    max_side: int
    """Longest side of an HR image; 0 keeps all."""
    min_side: int
    """Shortest side of an HR image."""
    crop: int
    """Side of the sub-images that photographs are cut into; 0 keeps them whole."""
    dropped: tuple[str, ...]
    """Faults (``doctor.py``) for which an image is skipped."""
    reductions: tuple[float, ...] = ()
    """Shares of its sides at which a photograph is there once more, where it is large enough."""
    version: int = _VERSION

    @property
    def step(self) -> int:
        """Sides of HR images are multiples of this, so that every LR image is exact."""
        return int(np.lcm.reduce(self.scales))

    def bytes_of(self, width: int, height: int) -> int:
        """Return how much a photograph of that size takes up in a shard, at most."""
        width, height = reduced_size(width, height, self.max_side)
        pixels = width * height * (1 + sum(share**2 for share in self.reductions))
        return round(3 * pixels * (1 + sum(1 / scale**2 for scale in self.scales)))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        values = {**asdict(self), "scales": list(self.scales), "dropped": list(self.dropped)}
        # Without reductions a set is what it was before there were any.
        del values["reductions"]
        return values | ({"reductions": list(self.reductions)} if self.reductions else {})


@dataclass(frozen=True, slots=True)
class Record:
    """What a shard's header says about one photograph of its lot."""

    photograph: Photograph
    """The file, as it was listed."""
    sha256: str = ""
    """Hash of the file; empty when it could not be read."""
    findings: tuple[tuple[str, str], ...] = ()
    """Kind and reason of everything that is wrong with it."""
    dropped: bool = False
    """Whether that keeps it out of the set; the shard then has no pixels of it."""
    look: Look = field(default_factory=Look)
    """For comparing it with others; empty when it was not examined."""
    taken: str = ""
    """When it was taken, as EXIF says."""
    pictures: tuple[tuple[int, int, int], ...] = ()
    """Index in the shard, width and height of each of its HR images."""

    @property
    def pixels(self) -> int:
        """Pixels of all its HR images."""
        return sum(width * height for _, width, height in self.pictures)


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands at the beginning of a shard."""

    recipe: dict[str, Any]
    photographs: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Lot:
    """Photographs that go into one shard."""

    photographs: tuple[Photograph, ...]
    num_bytes: int
    """How large the shard will be, at most."""

    def shard(self, recipe: Recipe) -> str:
        """Return the file name of the lot's shard, which tells all that its bytes depend on."""
        text = json.dumps([recipe.to_dict(), [asdict(photo) for photo in self.photographs]])
        return f"shard-{hashlib.sha256(text.encode()).hexdigest()[:20]}.safetensors"


def plan_lots(photographs: Iterable[Photograph], sizes: Iterable[int]) -> list[Lot]:
    """Deal photographs out to lots in their order.

    Args:
        photographs: What is to be prepared.
        sizes: Bytes that each will take up; lots are kept small enough for a
            worker to hold one in memory.
    """
    lots: list[Lot] = []
    members: list[Photograph] = []
    total = 0
    for photograph, size in zip(photographs, sizes, strict=True):
        if members and (len(members) == _LOT_PHOTOGRAPHS or total + size > _LOT_BYTES):
            lots.append(Lot(tuple(members), total))
            members, total = [], 0
        members.append(photograph)
        total += size
    return [*lots, Lot(tuple(members), total)] if members else lots


@dataclass(slots=True)
class _Draft:
    """A shard in the making."""

    keep_pixels: bool
    tensors: dict[str, Uint8Image] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    num_images: int = 0


@dataclass(frozen=True, slots=True)
class MadeShard:
    """What came of a lot."""

    records: list[Record]
    """What was found out about each photograph."""
    checksum: Checksum | None
    """Of the shard; None where the photographs were examined only."""


def make_shard(sources: Sources, recipe: Recipe, folder: Path | None, lot: Lot) -> MadeShard:
    """Prepare the photographs of one lot and write their shard.

    Args:
        sources: Where the photographs lie.
        recipe: What to make of them.
        folder: The data set's folder; None to examine only.
        lot: Which photographs.

    Raises:
        OSError: The shard cannot be written.
    """
    draft = _Draft(keep_pixels=folder is not None)
    for photograph in lot.photographs:
        draft.records.append(_prepared(sources, photograph, recipe, draft))
    checksum = None
    if folder is not None:
        header = {"recipe": recipe.to_dict(), "photographs": [asdict(r) for r in draft.records]}
        with written_beside(folder / lot.shard(recipe)) as path:
            # One key only: safetensors does not keep several in an order.
            save_file(draft.tensors, path, metadata={"srgan": json.dumps(header)})
            checksum = Checksum.of(path)
    return MadeShard(draft.records, checksum)


def read_shard(path: Path) -> tuple[dict[str, Any], list[Record]]:
    """Read a shard's recipe and records from its header.

    Raises:
        InputError: The shard is missing or damaged.
    """
    try:
        require_regular(path)
        with safe_open(path, framework="np") as shard:
            header = build(_Header, parse_json((shard.metadata() or {}).get("srgan", "")))
        for record in header.photographs:
            for text, num_bytes in zip(astuple(record.look), _LOOK_BYTES, strict=True):
                if len(bytes.fromhex(text)) not in (0, num_bytes):
                    raise RecordError("a look that is none")
        return header.recipe, list(header.photographs)
    except (InputError, OSError, SafetensorError, ValueError) as error:
        raise InputError(
            f"{path}: damaged shard ({error})",
            hint="run the same srgan prepare again",
        ) from error


def _prepared(sources: Sources, photograph: Photograph, recipe: Recipe, draft: _Draft) -> Record:
    """Prepare one photograph; its pixels go into the draft unless it is dropped."""
    path = sources.path(photograph.source)
    record = Record(photograph)
    try:
        require_regular(path)
        record = replace(record, sha256=file_sha256(path))
        photo = decode(path, max_side=0 if photograph.lr else recipe.max_side)
        lr = decode(sources.path(photograph.lr), max_side=0).pixels if photograph.lr else None
    except InputError as error:
        reason = error.message.removeprefix(f"{path}: ")
        return replace(record, findings=(("unreadable", reason),), dropped=True)
    except OSError as error:
        reason = error.strerror or str(error)
        return replace(record, findings=(("unreadable", reason),), dropped=True)
    hr = _divisible(photo.pixels, recipe.step)
    height, width = photo.pixels.shape[:2]
    if min(hr.shape[:2]) < recipe.min_side:
        reason = f"{width}x{height} is smaller than --min-side {recipe.min_side}"
        return replace(record, findings=(("small", reason),), dropped=True)
    health = examine(photo.pixels)
    findings = health.findings
    if photo.labelled:  # Surer than what the spectrum says, and last: the reason if skipped.
        others = (finding for finding in findings if finding[0] != "upscaled")
        findings = (*others, ("upscaled", "by srgan, as its metadata say"))
    record = replace(record, findings=findings, look=health.look, taken=photo.taken)
    if any(kind in recipe.dropped for kind, _ in findings):
        return replace(record, dropped=True)
    pictures = [*_keep(hr, lr, recipe, draft)]
    for share in recipe.reductions:
        reduced = _divisible(_reduced(photo.pixels, share), recipe.step)
        if min(reduced.shape[:2]) >= recipe.min_side:
            pictures += _keep(reduced, None, recipe, draft)
    return replace(record, pictures=tuple(pictures))


def _keep(
    hr: Uint8Image, lr: Uint8Image | None, recipe: Recipe, draft: _Draft
) -> Iterable[tuple[int, int, int]]:
    """Put a photograph's images into the draft; yield the index and size of each."""
    for box in _boxes(hr, recipe):
        index = draft.num_images
        draft.num_images += 1
        part = _cut(hr, box, 1)
        yield index, part.shape[1], part.shape[0]
        if not draft.keep_pixels:
            continue
        # safetensors writes an array's memory as it lies, whatever its strides say.
        draft.tensors[f"hr/{index}"] = np.ascontiguousarray(part)
        for scale in recipe.scales:
            small = downscale(part, scale) if lr is None else _cut(lr, box, scale)
            draft.tensors[f"lr-x{scale}/{index}"] = np.ascontiguousarray(small)


def _boxes(hr: Uint8Image, recipe: Recipe) -> list[Box]:
    """Return the whole image, or a grid of squares around its middle."""
    height, width = hr.shape[:2]
    side = recipe.crop
    if not side:
        return [(0, 0, height, width)]
    # LR pixels are cut along with HR ones, so the grid starts at a multiple of the scales.
    top, left = (length % side // 2 // recipe.step * recipe.step for length in (height, width))
    return [
        (y, x, y + side, x + side)
        for y in range(top, height - side + 1, side)
        for x in range(left, width - side + 1, side)
    ]


def _cut(image: Uint8Image, box: Box, scale: int) -> Uint8Image:
    top, left, bottom, right = (edge // scale for edge in box)
    return image[top:bottom, left:right]


def _reduced(image: Uint8Image, share: float) -> Uint8Image:
    height, width = (round(share * side) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def _divisible(image: Uint8Image, step: int) -> Uint8Image:
    height, width = (side // step * step for side in image.shape[:2])
    return image[:height, :width]
