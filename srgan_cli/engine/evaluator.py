"""Score a generator beside bicubic enlargement: ``srgan eval``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from srgan_cli.config import EvalConfig
from srgan_cli.data.manifest import Entry, find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.upscaler import Upscaler, open_upscaler
from srgan_cli.engine.weights import ModelSource
from srgan_cli.errors import InputError
from srgan_cli.imaging.io import list_pictures, read_picture
from srgan_cli.imaging.metrics import SSIM_WINDOW, crop_border, luma, psnr, ssim
from srgan_cli.imaging.resize import downscale, mod_crop, upscale_bicubic
from srgan_cli.observer import Bar, Observer, SilentBar

Image = npt.NDArray[np.uint8]

_MAX_PIXELS = 256_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """PSNR in dB and SSIM, of one picture or as the mean of several."""

    psnr: float
    ssim: float


@dataclass(frozen=True, slots=True)
class PictureScore:
    """Both scores of one picture."""

    name: str
    bicubic: Score
    model: Score


@dataclass(frozen=True, slots=True)
class SetScore:
    """Scores of one set of pictures."""

    name: str
    pictures: tuple[PictureScore, ...]
    failed: tuple[str, ...]
    """Pictures that could not be scored, each with the reason."""

    @property
    def bicubic(self) -> Score:
        """Mean over the pictures."""
        return _mean(picture.bicubic for picture in self.pictures)

    @property
    def model(self) -> Score:
        """Mean over the pictures."""
        return _mean(picture.model for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What ``srgan eval`` found."""

    model: ModelSource
    scale: int
    protocol: str
    """How the scores were computed, in one line."""
    sets: tuple[SetScore, ...]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A set of pictures that are decoded one at a time."""

    title: str
    load: Mapping[str, Callable[[], tuple[Image, Image]]]
    """For every name, what returns its LR and HR pixels."""


def evaluate(config: EvalConfig, observer: Observer) -> EvalReport:
    """Score a model on sets of HR pictures, whose LR is made by MATLAB's bicubic.

    Raises:
        InputError: A folder is missing or holds no picture that can be scored.
        WeightsError: The weights cannot be used, or have another scale.
        ResourceError: Device or memory are lacking.
    """
    upscaler = open_upscaler(config, observer)
    scale = upscaler.model.scale
    border = scale if config.border is None else config.border
    if config.sets:
        sets = [_folder_pairs(folder, scale) for folder in config.sets]
    else:
        sets = [_validation_pairs(scale, observer)]
    with observer.bar("scoring", total=sum(len(s.load) for s in sets), unit="pictures") as bar:
        scored = tuple(_score_set(pairs, upscaler, border, observer, bar) for pairs in sets)
    protocol = (
        f"Y channel (BT.601, 16-235, rounded; grey as it is), border {border} px, ×{scale}, "
        "LR by MATLAB-exact bicubic, SSIM 11×11 Gaussian σ 1.5"
    )
    return EvalReport(upscaler.model.source, scale, protocol, scored)


def _folder_pairs(folder: Path, scale: int) -> _Pairs:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", hint="name folders of HR pictures")
    pictures = list_pictures(folder)
    if not pictures:
        raise InputError(f"{folder}: no pictures in this folder", hint="name another folder")

    def load(path: Path) -> tuple[Image, Image]:
        hr = mod_crop(read_picture(path, max_pixels=_MAX_PIXELS).pixels, scale)
        if not hr.size:
            raise InputError(f"{path}: smaller than ×{scale}", hint="leave it out")
        return downscale(hr, scale), hr

    return _Pairs(
        folder.resolve().name,
        {path.relative_to(folder).as_posix(): partial(load, path) for path in pictures},
    )


def _validation_pairs(scale: int, observer: Observer) -> _Pairs:
    folder, reason = find_dataset(None)
    store = Store(folder)
    if store.manifest.scale != scale:
        raise InputError(
            f"data set {store.manifest.name} is ×{store.manifest.scale}, the model ×{scale}",
            hint="name folders of HR pictures, or choose another --model",
        )
    entries = store.entries("validation")
    observer.say(f"data set: {store.manifest.name} ({reason}), {len(entries)} validation pictures")

    def load(entry: Entry) -> tuple[Image, Image]:
        lr, hr = store.pair(entry)
        return lr.numpy(), hr.numpy()

    return _Pairs(
        f"{store.manifest.name} validation",
        {entry.source: partial(load, entry) for entry in entries},
    )


def _score_set(
    pairs: _Pairs, upscaler: Upscaler, border: int, observer: Observer, bar: Bar
) -> SetScore:
    scores: list[PictureScore] = []
    failed: list[str] = []
    for name, load in pairs.load.items():
        try:
            scores.append(_score_picture(name, *load(), upscaler, border))
        except InputError as error:
            failed.append(error.message)
            observer.warn(error.message)
        bar.advance()
    if not scores:
        raise InputError(
            f"{pairs.title}: no picture could be scored", hint=f"the first problem: {failed[0]}"
        )
    return SetScore(pairs.title, tuple(scores), tuple(failed))


def _score_picture(
    name: str, lr: Image, hr: Image, upscaler: Upscaler, border: int
) -> PictureScore:
    if min(hr.shape[:2]) - 2 * border < SSIM_WINDOW:
        raise InputError(
            f"{name}: {hr.shape[1]}x{hr.shape[0]} is too small to be scored",
            hint=f"pictures need at least {SSIM_WINDOW} pixels inside the border",
        )
    wanted = crop_border(luma(hr), border)
    bicubic = upscale_bicubic(lr, upscaler.model.scale)
    model = upscaler.enlarge(lr, SilentBar())
    return PictureScore(name, *(_score(image, wanted, border) for image in (bicubic, model)))


def _score(image: Image, wanted: Image, border: int) -> Score:
    y = crop_border(luma(image), border)
    return Score(psnr(y, wanted), ssim(y, wanted))


def _mean(scores: Iterable[Score]) -> Score:
    scores = list(scores)
    return Score(fmean(score.psnr for score in scores), fmean(score.ssim for score in scores))
