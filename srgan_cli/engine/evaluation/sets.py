"""The sets of images that ``srgan eval`` scores: HR, LR, and results of other tools."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from srgan_cli.config import SCALES
from srgan_cli.data.manifest import Manifest, ManifestEntry, find_by_fingerprint, find_dataset
from srgan_cli.data.names import apart, by_stem, match_names, named
from srgan_cli.data.store import Store
from srgan_cli.engine.models.weights import Model
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import stated_label
from srgan_cli.imaging.files.io import list_images, read_image
from srgan_cli.imaging.levels import to_grey
from srgan_cli.imaging.resize import downscale, mod_crop
from srgan_cli.imaging.types import Uint8Image
from srgan_cli.observer import Observer

_MAX_PIXELS = 256_000_000


@dataclass(frozen=True, slots=True)
class EvaluationImage:
    """One image with all that is scored against it."""

    hr: Uint8Image
    """H, W (grey) or H, W, 3 (RGB); both sides divide by the scale."""
    lr: Uint8Image
    """Its counterpart, ``scale`` times smaller per side, grey where HR is."""
    given: Mapping[str, Uint8Image] = field(default_factory=dict)
    """Images of HR's shape that other tools made, by the name of their folder."""
    notes: tuple[tuple[str, str], ...] = ()
    """What is not scored of the files: which (HR, LR, a folder's name), and what."""


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images that are decoded one at a time."""

    name: str
    load: Mapping[str, Callable[[], EvaluationImage]]
    """For every image's name, what decodes it; raises InputError."""
    notes: tuple[str, ...] = ()
    """Which files of the folder are not scored, in words."""


def folder_set(folder: Path, scale: int) -> ImageSet:
    """Take a folder of HR images; LR is made by MATLAB's bicubic.

    Raises:
        InputError: The folder is missing or holds no image, LR images without HR, or nothing
            but results of srgan.
    """
    paths, notes = _originals(folder)

    def load(path: Path) -> EvaluationImage:
        reading = _Reading()
        hr = mod_crop(reading.read("HR", path), scale)
        return EvaluationImage(hr, _made_lr(hr, scale, path), notes=tuple(reading.notes))

    return ImageSet(
        folder.resolve().name,
        {path.relative_to(folder).as_posix(): partial(load, path) for path in paths},
        notes,
    )


def validation_set(models: Sequence[Model], scale: int, observer: Observer) -> ImageSet:
    """Take the validation images of the data set that a model was trained on.

    Of several models the first counts whose set is on this machine. Where there is none, as
    for the bundled models, the newest prepared set is taken, and said to be.

    Raises:
        InputError: No data set is there, or it has another scale.
    """
    found = ((model, _trained_on(model)) for model in models)
    model, folder = next(((m, f) for m, f in found if f is not None), (None, None))
    if model is None or folder is None:
        folder, reason = find_dataset(None)
    else:
        reason = f"the set that {model.source.name} was trained on"
    manifest = Manifest.read(folder)
    if scale not in manifest.scales:
        held = ", ".join(f"×{factor}" for factor in manifest.scales)
        raise InputError(
            f"data set {manifest.name} has {held}, but the model is ×{scale}",
            hint="pass folders of HR images, or choose another --model",
        )
    store = Store(folder, scale)
    entries = store.entries("validation")
    images = f"{len(entries)} validation image{'s' * (len(entries) != 1)}"
    observer.say(f"data set: {store.manifest.name} ({reason}), {images}")

    def load(entry: ManifestEntry) -> EvaluationImage:
        lr, hr = store.pair(entry)
        return EvaluationImage(hr.numpy(), lr.numpy())

    return ImageSet(
        f"{store.manifest.name} validation",
        {entry.source: partial(load, entry) for entry in entries},
    )


def _trained_on(model: Model) -> Path | None:
    """Return the data set of a model if it is here; of a blend, that of its last: the GAN."""
    trainings = list(model.trainings.values())
    fingerprint = trainings[-1].get("data_fingerprint", "") if trainings else ""
    return find_by_fingerprint(str(fingerprint))


def matched_set(
    hr_folder: Path, lr_folder: Path | None, sr_folders: Mapping[str, Path], scale: int
) -> ImageSet:
    """Take HR images with the LR or SR images of the same names.

    Raises:
        InputError: A folder is missing or empty, or an image has no partner.
    """
    found, notes = _hr_files(hr_folder)
    hr_paths = _by_name(hr_folder, found)
    lr_paths = match_files(hr_paths, lr_folder, _lr_files(lr_folder)) if lr_folder else None
    sr_paths = {name: match_files(hr_paths, folder) for name, folder in sr_folders.items()}

    def load(name: str) -> EvaluationImage:
        reading = _Reading()
        whole = reading.read("HR", hr_paths[name])
        if lr_paths is None:
            hr = mod_crop(whole, scale)
            lr = _made_lr(hr, scale, hr_paths[name])
        else:
            lr = _as_coloured(reading.read("LR", lr_paths[name]), whole)
            hr = _cut_to(whole, lr, scale, lr_paths[name])
        given = {
            key: _fitted(reading.read(key, paths[name]), paths[name], hr, whole)
            for key, paths in sr_paths.items()
        }
        return EvaluationImage(hr, lr, given, tuple(reading.notes))

    return ImageSet(
        hr_folder.resolve().name,
        {path.relative_to(hr_folder).as_posix(): partial(load, n) for n, path in hr_paths.items()},
        notes,
    )


def paired_scale(lr_folder: Path, hr_folder: Path) -> int:
    """Return the factor per side between the first LR image and its HR.

    Raises:
        InputError: A folder is missing or empty, names differ, or the sizes of the first
            pair do not give one of the known factors.
    """
    hr_paths = _by_name(hr_folder, _hr_files(hr_folder)[0])
    lr_paths = match_files(hr_paths, lr_folder, _lr_files(lr_folder))
    name = next(iter(hr_paths))
    hr, lr = (_Reading().read("", paths[name]) for paths in (hr_paths, lr_paths))
    scale = int(hr.shape[0] // lr.shape[0])
    if scale not in SCALES or hr.shape[1] // lr.shape[1] != scale:
        raise InputError(
            f"{lr_paths[name]}: {_size(lr)}, but its HR is {_size(hr)}",
            hint="HR must be 2, 3, 4 or 8 times as large as LR per side",
        )
    return scale


def match_files(
    hr_paths: Mapping[str, Path], folder: Path, paths: Sequence[Path] | None = None
) -> dict[str, Path]:
    """Find every HR image's partner in another folder.

    They go together by :func:`srgan_cli.data.names.match_names`.

    Args:
        hr_paths: HR files by their path below their folder, without the extension.
        folder: Holds one image for each and nothing else.
        paths: Those of its images that count; None: all.

    Raises:
        InputError: The folder is missing or empty, or an image has no partner.
    """
    others = _by_name(folder, _listed(folder) if paths is None else paths)
    matched = {name: others[other] for name, other in match_names(hr_paths, others).items()}
    missing = [name for name in hr_paths if name not in matched]
    surplus = sorted(set(others.values()) - set(matched.values()))
    if missing or surplus:
        problems = []
        if missing:
            problems.append(f"{folder} has no image for {named(missing)}")
        if surplus:
            problems.append(f"no HR image for {named(str(p.relative_to(folder)) for p in surplus)}")
        raise InputError(
            "; ".join(problems),
            hint="names must be equal, except for the extension and one suffix common to all",
        )
    return matched


def require_folder(folder: Path) -> None:
    """Refuse a path that is no folder.

    Raises:
        InputError: It is a file, or nothing is there.
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file", hint="name the folder that it is in")
    if not folder.is_dir():
        if folder.suffix == ".json":
            hint = f"--json prints; to write it to a file: srgan eval … --json > {folder}"
            raise InputError(f"{folder}: no such folder", hint=hint)
        raise InputError(f"{folder}: no such folder", hint="name a folder of images")


def _listed(folder: Path) -> list[Path]:
    require_folder(folder)
    images = list_images(folder)
    if not images:
        raise InputError(f"{folder}: no images in this folder", hint="pass another folder")
    return images


def _by_name(folder: Path, paths: Sequence[Path]) -> dict[str, Path]:
    sources = [path.relative_to(folder).as_posix() for path in paths]
    return {stem: folder / source for stem, source in by_stem(sources, folder).items()}


def _hr_files(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """List a folder's HR images, and say what else is in it by its name.

    Raises:
        InputError: Images are LR or results by their names, and have no HR beside them.
    """
    paths = _listed(folder)
    kinds = apart(_stem(path, folder) for path in paths)
    if kinds.orphans:
        raise InputError(
            f"{folder}: the names are not those of HR images: {named(kinds.orphans)}",
            hint="name the folder of HR images with --hr, and this one with --lr or --sr",
        )
    made = [*kinds.lr, *kinds.results]
    if not made:
        return paths, ()
    note = f"{_images(len(made))} LR or upscaled by the name, so not scored: {named(made)}"
    return [path for path in paths if _stem(path, folder) in set(kinds.hr)], (note,)


def _originals(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """List a folder's HR images without srgan's own results, whose finest detail is not real.

    Raises:
        InputError: As :func:`_hr_files`, or there is nothing but results.
    """
    paths, notes = _hr_files(folder)
    made = [path for path in paths if stated_label(path)]
    if not made:
        return paths, notes
    if len(made) == len(paths):
        raise InputError(
            f"{folder}: all images in it are results of srgan, by their metadata",
            hint="pass a folder of originals; to score results: "
            f"srgan eval --sr {folder} --hr FOLDER --scale 2",
        )
    names = named(path.relative_to(folder).as_posix() for path in made)
    note = f"{_images(len(made))} srgan's own by the metadata, so not scored: {names}"
    return [path for path in paths if path not in set(made)], (*notes, note)


def _lr_files(folder: Path) -> list[Path]:
    """List the LR images of a folder; all its images where none is LR beside its HR."""
    paths = _listed(folder)
    lr = set(apart(_stem(path, folder) for path in paths).lr)
    return [path for path in paths if _stem(path, folder) in lr] if lr else paths


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _images(count: int) -> str:
    return f"{count} image is" if count == 1 else f"{count} images are"


class _Reading:
    """Reads the files of one image, and keeps what is to be said of them."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def read(self, role: str, path: Path) -> Uint8Image:
        """Decode a file; ``role`` says whose it is.

        Raises:
            InputError: It cannot be read.
        """
        image = read_image(path, max_pixels=_MAX_PIXELS)
        self.notes += [(role, note) for note in image.notes]
        if image.alpha is not None and image.alpha.min() < 255:
            self.notes.append((role, "the alpha channel is ignored"))
        return image.pixels


def _made_lr(hr: Uint8Image, scale: int, path: Path) -> Uint8Image:
    if not hr.size:
        raise InputError(f"{path}: smaller than one LR pixel", hint="remove it from the folder")
    return downscale(hr, scale)


def _cut_to(hr: Uint8Image, lr: Uint8Image, scale: int, path: Path) -> Uint8Image:
    """Cut an HR image that is less than one LR pixel too large; refuse any other."""
    height, width = lr.shape[0] * scale, lr.shape[1] * scale
    if not (0 <= hr.shape[0] - height < scale and 0 <= hr.shape[1] - width < scale):
        raise InputError(
            f"{path}: {_size(lr)} at ×{scale} does not match the {_size(hr)} of its HR image",
            hint="pair each LR image with the HR image that it was made from, or pass --scale",
        )
    return hr[:height, :width]


def _fitted(image: Uint8Image, path: Path, hr: Uint8Image, whole: Uint8Image) -> Uint8Image:
    """Return another tool's image, of HR's size before or after it was cut, as large as HR."""
    image = _as_coloured(image, hr)
    if image.shape not in (hr.shape, whole.shape):
        raise InputError(
            f"{path}: {_size(image)}, but its HR is {_size(whole)}",
            hint="use images of the size of HR, or of HR cropped to a multiple of the scale",
        )
    return image[: hr.shape[0], : hr.shape[1]]


def _as_coloured(image: Uint8Image, hr: Uint8Image) -> Uint8Image:
    """Give an image HR's channels: RGB to grey by BT.601 luma, grey to three equal channels."""
    if image.ndim == hr.ndim:
        return image
    return to_grey(image) if hr.ndim == 2 else np.repeat(image[..., None], 3, axis=2)


def _size(image: Uint8Image) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
