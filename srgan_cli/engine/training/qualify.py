"""Compare a finished run with the bundled model that it would replace, image by image."""

from collections.abc import Collection, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from srgan_cli.engine.models.shelf import bundled_rival
from srgan_cli.engine.models.trained_runs import Qualification
from srgan_cli.engine.models.weights import load_model
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.engine.training.validation import ValidationScores, Validator
from srgan_cli.imaging.comparison import FEWEST_IMAGES, PSNR, Difference, Metric, compare

if TYPE_CHECKING:
    from srgan_cli.engine.training.assembly import RunParts

_PERCEPTUAL = Metric("perceptual", "perceptual distance", 3, False, "distance of VGG features")
_BICUBIC = "bicubic"


def qualify(parts: "RunParts") -> Qualification:
    """Score a run's averaged weights and the bundled model on its validation images.

    A run of the pixel loss alone has earned its place when its PSNR is better; one whose
    last phase has a perceptual loss when its perceptual distance or its PSNR is, and the
    other is not worse. None has that is below bicubic.
    """
    trainer, validator = parts.trainer, parts.validator
    perceptual = parts.phases[-1].perceptual
    device = trainer.amp.device
    ours = validator.score_each(trainer.ema, device, perceptual=perceptual)
    rival = bundled_rival(trainer.ema.scale, adversarial=perceptual)
    if rival is None:
        return judged(ours, None, _BICUBIC)
    network = trainer.amp.place(load_model(rival.source("")).generator)
    theirs = validator.score_each(network, device, perceptual=perceptual)
    return judged(ours, theirs, rival.name)


def scoring_seconds(trainer: Trainer, validator: Validator, *, perceptual: bool) -> float:
    """Estimate how long :func:`qualify` takes, from one image for each network.

    Args:
        trainer: Of the run.
        validator: Of the run.
        perceptual: Whether the last phase of the run has a perceptual loss.
    """
    device = trainer.amp.device
    networks = [trainer.ema]
    rival = bundled_rival(trainer.ema.scale, adversarial=perceptual)
    if rival is not None:
        networks.append(trainer.amp.place(load_model(rival.source("")).generator))
    return sum(validator.seconds(each, device, perceptual=perceptual) for each in networks)


def judged(
    ours: Sequence[ValidationScores], theirs: Sequence[ValidationScores] | None, against: str
) -> Qualification:
    """Judge a run by its scores.

    Args:
        ours: Of the run, image by image.
        theirs: Of the model that it would replace; None compares it with bicubic.
        against: What that model is called.
    """
    rival_psnr = [one.psnr for one in theirs] if theirs else [one.bicubic_psnr for one in ours]
    psnr = compare([one.psnr for one in ours], rival_psnr, PSNR)
    perceptual = _perceptual(ours, theirs) if theirs else None
    over_bicubic = fmean(one.psnr - one.bicubic_psnr for one in ours)
    verdicts = {one.verdict for one in (psnr, perceptual) if one is not None}
    better = "better" in verdicts and "worse" not in verdicts
    if over_bicubic < 0:
        reason = f"{-over_bicubic:.2f} dB below bicubic on {_count(ours)}"
    else:
        reason = f"{_word(verdicts)} {against}: {_numbers(psnr, perceptual)} on {_count(ours)}"
    if "too few images" in verdicts:
        reason += f", too few to tell (at least {FEWEST_IMAGES})"
    qualified = better and over_bicubic >= 0
    return Qualification(qualified, reason, against, len(ours), over_bicubic, psnr, perceptual)


def _perceptual(
    ours: Sequence[ValidationScores], theirs: Sequence[ValidationScores]
) -> Difference | None:
    first, second = (
        [one.perceptual for one in scores if one.perceptual is not None]
        for scores in (ours, theirs)
    )
    return compare(first, second, _PERCEPTUAL) if first else None


def _word(verdicts: Collection[str]) -> str:
    if "better" in verdicts and "worse" in verdicts:
        return "better in one measure, worse in the other, than"
    if "better" in verdicts:
        return "better than"
    return "worse than" if "worse" in verdicts else "not shown to be better than"


def _numbers(psnr: Difference, perceptual: Difference | None) -> str:
    parts = [] if perceptual is None else [f"perceptual distance {_interval(perceptual, 3, '')}"]
    label = "PSNR " if parts else ""
    return ", ".join([*parts, f"{label}{_interval(psnr, 2, ' dB')}"])


def _interval(difference: Difference, digits: int, unit: str) -> str:
    mean = f"{difference.mean:+.{digits}f}{unit}"
    if difference.low is None or difference.high is None:
        return mean
    return f"{mean} ({difference.low:+.{digits}f} to {difference.high:+.{digits}f})"


def _count(scores: Sequence[ValidationScores]) -> str:
    return f"{len(scores)} validation image{'s' * (len(scores) != 1)}"
