"""The folder of a run: its name, its ``config.toml``, and how runs are found."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from srgan_cli.config import TrainConfig, to_toml
from srgan_cli.data.manifest import MANIFEST, find_by_fingerprint, find_dataset
from srgan_cli.engine.models.trained_runs import QUALIFICATION_FILE
from srgan_cli.engine.runs.checkpoint import CHECKPOINTS, Checkpoint
from srgan_cli.errors import InputError, UsageError, WeightsError
from srgan_cli.paths import runs_dir, write_text
from srgan_cli.processes import Node
from srgan_cli.records import read_toml
from srgan_cli.typed import RecordError

CONFIG_FILE = "config.toml"
BEST_FILE = "best.safetensors"
EXAMPLES_FILE = "degradations.png"
REPORT_FILE = "report.html"

_MAY_CHANGE = {"device", "keep", "tensorboard", "validate_every"}
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
    require_new_run(folder)
    return folder


def require_new_run(folder: Path) -> None:
    """Refuse the folder of a run that could be gone on with.

    Raises:
        UsageError: It is one.
    """
    # One that was stopped before its first checkpoint has nothing to lose.
    if has_checkpoint(folder) or any(folder.glob("*.safetensors")):
        way = f"resume it: srgan train --resume {folder.name}"
        if is_finished(folder):
            way = f"it is finished; to train it further: srgan train --init {folder.name}"
        raise UsageError(
            f"run {folder.name} exists already", hint=f"{way}; or choose another --name"
        )


def restarted_run(config: TrainConfig) -> str | None:
    """Return the run to go on with when torchrun or SLURM has started this command again."""
    if config.name is None or not Node.from_environment().restarts:
        return None
    return config.name if has_checkpoint(runs_dir() / config.name) else None


def find_run(spec: str) -> Path:
    """Find the run to go on with; ``latest`` is the unfinished one that was saved last.

    Raises:
        InputError: No such run has a checkpoint, or all are finished.
    """
    files = runs_dir().glob(f"[!.]*/{CHECKPOINTS}/step-*.safetensors")
    saved = sorted(files, key=lambda path: path.stat().st_mtime_ns)
    if spec == "latest" and saved:
        runs = [path.parents[1] for path in reversed(saved)]
        unfinished = [run for run in runs if not is_finished(run)]
        if unfinished:
            return unfinished[0]
        raise InputError(
            f"every run is finished; the newest is {runs[0].name}",
            hint=f"start a new run, or make {runs[0].name} longer: raise its epochs or steps in "
            f"{runs[0] / CONFIG_FILE}, then srgan train --resume {runs[0].name}",
        )
    for folder in (runs_dir() / spec, Path(spec)):
        if has_checkpoint(folder):
            return folder
    names = ", ".join(dict.fromkeys(path.parents[1].name for path in saved)) or "none yet"
    raise InputError(f"no run called {spec} has a checkpoint", hint=f"runs: {names}")


def has_checkpoint(folder: Path) -> bool:
    """Say whether there is something to go on from in a run's folder."""
    return any(folder.glob(f"{CHECKPOINTS}/step-*.safetensors"))


def is_finished(folder: Path) -> bool:
    """Say whether a run has made all its steps and been compared with the bundled model."""
    return (folder / QUALIFICATION_FILE).exists()


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
        return TrainConfig.from_dict(read_toml(path))
    except (OSError, RecordError) as error:
        raise InputError(
            f"{path}: not the config.toml of a run ({error})",
            hint="undo the last edit, or start a new run",
        ) from error


def with_data(folder: Path, config: TrainConfig, data: str | None) -> TrainConfig:
    """Return a run's options with the place where its data set is now.

    A data set that is no longer where it was is looked for by its fingerprint.

    Args:
        folder: The run's folder.
        config: Its options.
        data: Name or folder of the data set, where the user says it.

    Raises:
        InputError: It is not found, or there is no such data set.
    """
    if data is not None:
        place, _ = find_dataset(data)
    elif config.data is None or (Path(config.data) / MANIFEST).is_file():
        return config
    elif (found := find_by_fingerprint(_fingerprint(folder))) is not None:
        place = found
    else:
        raise InputError(
            f"the data set of run {folder.name} is no longer at {config.data}",
            hint=f"if it has moved: srgan train --resume {folder.name} --data PATH",
        )
    moved = replace(config, data=str(place.resolve()))
    if moved != config:
        write_config(folder, moved)
    return moved


def _fingerprint(folder: Path) -> str:
    """Return the fingerprint of the data set that a run's last readable checkpoint states."""
    for path in sorted(folder.glob(f"{CHECKPOINTS}/step-*.safetensors"), reverse=True):
        with suppress(WeightsError):
            return str(Checkpoint.read_progress(path)["fingerprint"])
    return ""


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
    for said_elsewhere in ("name", "resume", "data"):
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
