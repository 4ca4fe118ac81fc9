"""Score models and compare them with bicubic and Lanczos upscaling (``srgan eval``)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from srgan_cli.config import EvalConfig
from srgan_cli.engine.evaluation.contenders import (
    BASELINES,
    Contender,
    Lineup,
    open_lineup,
    upscale_baselines,
)
from srgan_cli.engine.evaluation.exhibits import Crop, Exhibit, allowance, make_crops
from srgan_cli.engine.evaluation.extra_metrics import ExtraMetric, open_metrics, score_extra
from srgan_cli.engine.evaluation.gate import EarlierRun, unmet
from srgan_cli.engine.evaluation.notes import equal_to_hr, equality_notes, file_notes
from srgan_cli.engine.evaluation.protocol import ImageScores, Protocol, SetScores, means
from srgan_cli.engine.evaluation.sets import (
    EvaluationImage,
    ImageSet,
    folder_set,
    matched_set,
    paired_scale,
    validation_set,
)
from srgan_cli.engine.inference.threads import in_order
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.comparison import PSNR, SSIM, Difference, Metric, compare
from srgan_cli.imaging.metrics import SSIM_WINDOW
from srgan_cli.imaging.types import Levels
from srgan_cli.observer import Observer

FORMAT = 1

_WORKERS = 2  # Threads that read and score beside the network.
_SHOWN_BYTES = 150_000  # Of an image's crops when they are for the terminal only.


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contender against another on one set."""

    set: str
    contender: str
    against: str
    metric: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What ``srgan eval`` found; its JSON form is what ``--not-worse-than`` reads."""

    format: int
    protocol: Protocol
    protocol_text: str
    """How the scores were computed, in one line."""
    metrics: tuple[Metric, ...]
    contenders: tuple[Contender, ...]
    sets: tuple[SetScores, ...]
    comparisons: tuple[Comparison, ...]
    """Every model and folder against bicubic, and every later one against the first."""
    unmet: tuple[str, ...]
    """Figures below what ``--min-psnr`` and its like ask for, in words."""
    exhibits: tuple[Exhibit, ...]
    """Crops for the HTML report, when one is asked for; not part of the JSON."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One image on its way through the pipeline."""

    set: str
    name: str
    load: Callable[[], EvaluationImage]


@dataclass(frozen=True, slots=True)
class _Loaded:
    job: _Job
    image: EvaluationImage | None
    failure: InputError | None = None


@dataclass(frozen=True, slots=True)
class _Upscaled:
    loaded: _Loaded
    results: Mapping[str, Levels]
    """What the models made of the image, by name."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A scored image, or why there is none."""

    job: _Job
    scores: ImageScores | None
    crops: tuple[Crop, ...] = ()
    failure: InputError | None = None
    notes: tuple[tuple[str, str], ...] = ()


def evaluate(config: EvalConfig, observer: Observer) -> EvalReport:
    """Score models, folders of images and two baselines on sets of HR images.

    Raises:
        InputError: A folder is missing, names do not match, or no image of a set can
            be scored.
        UsageError: Options contradict each other.
        WeightsError: Weights cannot be used, or have another scale.
        ResourceError: Device or memory are lacking.
    """
    earlier = EarlierRun.read(config.not_worse_than) if config.not_worse_than else None
    extras = open_metrics(config.metrics, observer)
    lineup = open_lineup(config, observer)
    scale = _scale(config, lineup)
    protocol = Protocol(
        scale,
        config.channel,
        scale if config.border is None else config.border,
        "LR as given" if config.lr else "LR by MATLAB-exact bicubic, 8 bits",
    )
    if earlier:
        earlier.require_comparable(protocol, lineup.contenders)
    sets = _open_sets(config, lineup, scale, observer)
    score = partial(_score, lineup, protocol, extras, _crop_bytes(config, sets))
    outcomes = _score_all(sets, lineup, score, observer)
    scored = tuple(_set_scores(s, outcomes, lineup) for s in sets)
    metrics = (PSNR, SSIM, *(extra.metric for extra in extras))
    return EvalReport(
        FORMAT,
        protocol,
        protocol.text,
        metrics,
        lineup.contenders,
        scored,
        tuple(_comparisons(scored, lineup.contenders, metrics)),
        unmet(config, lineup.contenders, scored, earlier),
        tuple(Exhibit(o.job.set, o.job.name, o.crops) for o in outcomes if o.scores),
    )


def _crop_bytes(config: EvalConfig, sets: Sequence[ImageSet]) -> int:
    if config.report is None:
        return _SHOWN_BYTES if config.show else 0
    return allowance(config.report_mb, sum(len(s.load) for s in sets))


def _scale(config: EvalConfig, lineup: Lineup) -> int:
    if lineup.models:
        return lineup.models[0].scale
    if config.scale is None and config.lr and config.hr:
        return paired_scale(config.lr, config.hr)
    assert config.scale is not None, "EvalConfig asks for a scale where no model sets it"
    return config.scale


def _open_sets(
    config: EvalConfig, lineup: Lineup, scale: int, observer: Observer
) -> list[ImageSet]:
    if config.hr:
        return [matched_set(config.hr, config.lr, lineup.folders, scale)]
    if config.sets:
        sets = [folder_set(folder, scale) for folder in config.sets]
        names = [s.name for s in sets]
        if len(set(names)) < len(names):
            raise UsageError("two of the folders have the same name", hint="rename one folder")
        return sets
    return [validation_set(lineup.models, scale, observer)]


def _score_all(
    sets: Sequence[ImageSet],
    lineup: Lineup,
    score: Callable[[_Upscaled], _Outcome],
    observer: Observer,
) -> list[_Outcome]:
    """Read, upscale and score images at the same time; the network runs in this thread alone."""
    jobs = [_Job(s.name, name, load) for s in sets for name, load in s.load.items()]
    outcomes = []
    with (
        observer.bar("scoring", total=len(jobs), unit="images") as bar,
        ThreadPoolExecutor(_WORKERS) as pool,
        closing(in_order(lambda job: pool.submit(_load, job), jobs, ahead=_WORKERS)) as loaded,
    ):
        upscaled = (_upscale(lineup, each) for each in loaded)
        for outcome in in_order(lambda image: pool.submit(score, image), upscaled, ahead=_WORKERS):
            outcomes.append(outcome)
            if outcome.failure:
                observer.warn(outcome.failure.message, outcome.failure.hint)
            bar.advance()
    return outcomes


def _load(job: _Job) -> _Loaded:
    try:
        return _Loaded(job, job.load())
    except InputError as error:
        return _Loaded(job, None, error)


def _upscale(lineup: Lineup, loaded: _Loaded) -> _Upscaled:
    return _Upscaled(loaded, lineup.run_models(loaded.image) if loaded.image else {})


def _score(
    lineup: Lineup,
    protocol: Protocol,
    extras: Sequence[ExtraMetric],
    crop_bytes: int,
    upscaled: _Upscaled,
) -> _Outcome:
    """Score one image, or say why it cannot be scored."""
    image, job = upscaled.loaded.image, upscaled.loaded.job
    if image is None:
        return _Outcome(job, None, failure=upscaled.loaded.failure)
    height, width = image.hr.shape[:2]
    if min(height, width) - 2 * protocol.border < SSIM_WINDOW:
        failure = InputError(
            f"{job.name}: {width}x{height} is too small to be scored",
            hint=f"SSIM needs {SSIM_WINDOW}x{SSIM_WINDOW} pixels inside the border of "
            f"{protocol.border} pixels",
        )
        return _Outcome(job, None, failure=failure)
    results = {**upscale_baselines(image), **upscaled.results, **image.given}
    scores = {
        c.name: protocol.score(results[c.name], image.hr)
        | score_extra(extras, results[c.name], image.hr, protocol.border)
        for c in lineup.contenders
    }
    crops: tuple[Crop, ...] = ()
    if crop_bytes:
        crops = make_crops(image, results, lineup.contenders, protocol.scale, crop_bytes)
    return _Outcome(job, ImageScores(job.name, width, height, scores), crops, notes=image.notes)


def _set_scores(image_set: ImageSet, outcomes: Sequence[_Outcome], lineup: Lineup) -> SetScores:
    name = image_set.name
    mine = [outcome for outcome in outcomes if outcome.job.set == name]
    images = tuple(outcome.scores for outcome in mine if outcome.scores)
    failed = tuple(outcome.failure.message for outcome in mine if outcome.failure)
    if not images:
        raise InputError(
            f"{name}: no image could be scored", hint=f"the first problem: {failed[0]}"
        )
    set_means = {c.name: means([p.scores[c.name] for p in images]) for c in lineup.contenders}
    equal = equal_to_hr([c.name for c in lineup.contenders], images)
    notes = (
        *image_set.notes,
        *file_notes({outcome.job.name: outcome.notes for outcome in mine if outcome.scores}),
        *equality_notes(equal, len(images)),
    )
    return SetScores(name, set_means, equal, images, failed, notes)


def _comparisons(
    sets: Sequence[SetScores], contenders: Sequence[Contender], metrics: Sequence[Metric]
) -> Iterator[Comparison]:
    tested = [c.name for c in contenders if c.kind != "baseline"]
    pairs = [(name, BASELINES[0]) for name in tested] + [(name, tested[0]) for name in tested[1:]]
    for scored in sets:
        for name, against in pairs:
            for metric in metrics:
                first, second = (
                    [image.scores[who][metric.name] for image in scored.images]
                    for who in (name, against)
                )
                difference = compare(first, second, metric)
                yield Comparison(scored.name, name, against, metric.name, difference)
