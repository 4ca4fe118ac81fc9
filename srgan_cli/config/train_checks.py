"""Ranges of the options of ``srgan train``, and which of them go together."""

import math
from typing import TYPE_CHECKING

from srgan_cli.config.checks import require, require_plain_name, require_seed
from srgan_cli.errors import UsageError

if TYPE_CHECKING:
    from srgan_cli.config.train import TrainConfig


def check_ranges(config: "TrainConfig") -> None:
    """Refuse values that are out of range, or contradict one another.

    Raises:
        UsageError: There is such a value.
    """
    for name in ("detail", "accumulate", "discriminator_width", "discriminator_steps", "keep"):
        require(getattr(config, name) >= 1, name, getattr(config, name), "at least 1")
    require(config.batch >= 0, "batch", config.batch, "0 or more")
    require(config.patch >= 16, "patch", config.patch, "at least 16")
    require(0 <= config.ema < 1, "ema", config.ema, "from 0 to below 1")
    require(0 < config.degrade_share <= 1, "degrade_share", config.degrade_share, "in (0, 1]")
    changed = config.degrade != "none" or config.teacher is not None
    never = config.judge == "clean" and changed and config.degrade_share == 1
    require(not never, "degrade_share", 1, "below 1 with --judge clean")
    for name in ("degraded", "degraded_perceptual"):
        weight = getattr(config.weights, name)
        judged = weight == 0 or config.judge == "clean"
        require(judged, f"{name}_weight", weight, "0 without --judge clean")
    require(config.teacher_patches >= 1, "teacher_patches", config.teacher_patches, "at least 1")
    share = config.original_share
    require(0 <= share <= 1, "original_share", share, "from 0 to 1")
    limit = config.discriminator_limit
    require(0.5 <= limit <= 1, "discriminator_limit", limit, "from 0.5 to 1")
    require_seed(config.seed)
    if config.name is not None:
        require_plain_name(config.name)
    _check_lengths(config)
    _check_rates(config)


def _check_lengths(config: "TrainConfig") -> None:
    for name in ("epochs", "steps", "validate_every"):
        value = getattr(config, name)
        require(value is None or value >= 1, name, value, "at least 1")
    given = [name for name in ("steps", "minutes", "hours") if getattr(config, name) is not None]
    if len(given) > 1:
        both = " and ".join(f"--{name}" for name in given)
        raise UsageError(f"{both} set the same length", hint="remove one of them")
    for name in ("minutes", "hours"):
        value = getattr(config, name)
        require(value is None or 0 < value <= 10**5, name, value, "above 0, at most 100000")
    require(0 <= config.pretrain <= 1, "pretrain", config.pretrain, "from 0 to 1")
    for name in ("pretrain_epochs", "pretrain_steps"):
        value = getattr(config, name)
        require(value is None or value >= 0, name, value, "0 or more")


def _check_rates(config: "TrainConfig") -> None:
    for name in ("learning_rate", "adversarial_learning_rate", "discriminator_learning_rate"):
        value = getattr(config, name)
        require(value is None or 0 < value < 1, name, value, "between 0 and 1")
    rising = all(0 < share < 1 for share in config.milestones)
    rising = rising and sorted(config.milestones) == list(config.milestones)
    require(rising, "milestones", config.milestones, "rising shares between 0 and 1")
    require(0 < config.gamma <= 1, "gamma", config.gamma, "above 0, at most 1")
    require(0 < config.cooldown <= 1, "cooldown", config.cooldown, "above 0, at most 1")
    require(config.warmup >= 0, "warmup", config.warmup, "0 or more")
    require(0 <= config.clip < math.inf, "clip", config.clip, "0 or more")
