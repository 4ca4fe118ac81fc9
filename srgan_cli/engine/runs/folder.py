"""The folder of a run: its name, its ``config.toml``, and how runs are found."""

import json
import tomllib
from datetime import datetime
from pathlib import Path

from srgan_cli.config import TrainConfig, to_toml
from srgan_cli.engine.runs.checkpoint import CHECKPOINTS
from srgan_cli.errors import InputError, UsageError
from srgan_cli.paths import runs_dir, write_text
from srgan_cli.processes import Node

CONFIG_FILE = "config.toml"
BEST_FILE = "best.safetensors"
EXAMPLES_FILE = "degradations.png"
REPORT_FILE = "report.html"

_MAY_CHANGE = {"data", "device", "keep", "tensorboard", "validate_every"}
"""Options that do not change the result of a run, only where and how it is computed."""

_PLAN = {
    *("epochs", "steps", "pretrain", "pretrain_epochs", "pretrain_steps"),
    *("schedule", "milestones", "gamma", "cooldown", "warmup"),
    *("learning_rate", "adversarial_learning_rate"),
}
"""Options of the steps to come, which may change as long as the finished steps fit them."""


def new_run_folder(config: TrainConfig) -> Path:
    """Return the folder that a new run is to make.

    Raises:
        UsageError: A run of that name exists; or it has none, and torchrun could not
            find it again.
    """
    if config.name is None and Node.from_environment().restarts_allowed:
        raise UsageError(
            "torchrun --max-restarts needs a --name to know which run to resume",
            hint="pass --name, the same for every process",
        )
    name = config.name or f"{config.preset}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    folder = runs_dir() / name
    if folder.exists():
        raise UsageError(
            f"run {name} exists already",
            hint=f"resume it: srgan train --resume {name}; or choose another --name",
        )
    return folder


def restarted_run(config: TrainConfig) -> str | None:
    """Return the run to go on with when torchrun or SLURM has started this command again."""
    if config.name is None or not Node.from_environment().restarts:
        return None
    return config.name if _has_checkpoint(runs_dir() / config.name) else None


def find_run(spec: str) -> Path:
    """Find the run to go on with; ``latest`` is the one that was saved last.

    Raises:
        InputError: No such run has a checkpoint.
    """
    files = runs_dir().glob(f"[!.]*/{CHECKPOINTS}/step-*.safetensors")
    saved = sorted(files, key=lambda path: path.stat().st_mtime_ns)
    if spec == "latest" and saved:
        return saved[-1].parents[1]
    for folder in (runs_dir() / spec, Path(spec)):
        if _has_checkpoint(folder):
            return folder
    names = ", ".join(dict.fromkeys(path.parents[1].name for path in saved)) or "none yet"
    raise InputError(f"no run called {spec} has a checkpoint", hint=f"runs: {names}")


def _has_checkpoint(folder: Path) -> bool:
    return any(folder.glob(f"{CHECKPOINTS}/step-*.safetensors"))


def write_config(folder: Path, config: TrainConfig) -> None:
    """Save the resolved options."""
    write_text(folder / CONFIG_FILE, to_toml(config))


def read_config(folder: Path) -> TrainConfig:
    """Read a run's options.

    Raises:
        InputError: The file is missing or holds something else.
    """
    path = folder / CONFIG_FILE
    try:
        return TrainConfig.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the config.toml of a run ({error})", hint="start a new run"
        ) from error


def accepted_edits(
    folder: Path, config: TrainConfig, before: TrainConfig, *, may_replan: bool
) -> list[str]:
    """Compare a run's options with those that its checkpoint was made with.

    Args:
        folder: The run's folder.
        config: The options as they are now.
        before: The options in the checkpoint.
        may_replan: Whether all steps that were made are the same under both.

    Returns:
        What has changed without changing what the run learns, in words.

    Raises:
        InputError: An option that shapes the result has changed: the rest of the run would
            not continue what came before.
    """
    was, now = (json.loads(json.dumps(options.to_dict())) for options in (before, config))
    for said_elsewhere in ("name", "resume"):
        del now[said_elsewhere]
    changed = [name for name in now if now[name] != was[name]]
    words = [f"{name} (was {was[name]}, is {now[name]})" for name in changed]
    allowed = _MAY_CHANGE | (_PLAN if may_replan else set())
    refused = [word for name, word in zip(changed, words, strict=True) if name not in allowed]
    if refused:
        raise InputError(
            f"{folder / CONFIG_FILE}: a resumed run cannot change {', '.join(refused)}",
            hint=f"undo that, or start a new run with --init {folder / 'weights.safetensors'}",
        )
    return words
