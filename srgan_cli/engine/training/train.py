"""Start or resume a run, train it and write its weights (``srgan train``)."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from filelock import Timeout

from srgan_cli.config import TrainConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks, joined_ranks, local_device
from srgan_cli.engine.models.trained_runs import Qualification
from srgan_cli.engine.models.weights import WEIGHTS_FILE
from srgan_cli.engine.runs.background import Background
from srgan_cli.engine.runs.folder import (
    CONFIG_FILE,
    find_run,
    has_checkpoint,
    is_finished,
    new_run_folder,
    read_config,
    require_new_run,
    restarted_run,
    with_data,
)
from srgan_cli.engine.runs.health import HealthVerdict
from srgan_cli.engine.runs.progress import RollBack
from srgan_cli.engine.training.assembly import RunParts, assemble
from srgan_cli.engine.training.plan import TrainPlan
from srgan_cli.engine.training.session import Session
from srgan_cli.engine.training.validation import ValidationScores
from srgan_cli.engine.training.warmstart import Given
from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.interrupts import interrupts_held_back
from srgan_cli.observer import Observer, SilentObserver, TrainObserver
from srgan_cli.processes import alone


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What ``srgan train`` made."""

    run: Path
    """Folder of the run."""
    weights: Path
    """The averaged generator."""
    scale: int
    """Factor per side."""
    steps: int
    """Steps trained, over all sessions of this run."""
    seconds: float
    """Time spent in training, over all sessions of this run."""
    scores: ValidationScores
    """Validation at the end."""
    verdict: HealthVerdict
    """How it was doing at the end."""
    skipped: int
    """Updates skipped because a gradient was not finite."""
    rollbacks: tuple[RollBack, ...]
    """Returns to an earlier state, at a lower learning rate."""
    qualification: Qualification
    """Whether the run is used from now on when no model is named, and why."""
    leads: bool = True
    """Whether this process was to report it; False in the others of ``torchrun``."""


def plan_training(
    config: TrainConfig,
    observer: Observer,
    *,
    given: Given = None,
    started: float | None = None,
) -> TrainPlan:
    """Say how long a new run takes and what it needs on disk; write nothing.

    A few steps of each phase are measured. A teacher is not asked, and its time not counted.

    Args:
        config: The options.
        observer: Is told what was found.
        given: As :func:`train` has it.
        started: As :func:`train` has it.

    Raises:
        As :func:`train`, and UsageError where a run is to go on.
    """
    if config.resume is not None:
        raise UsageError("only a new run can be planned", hint="leave out --resume")
    new_run_folder(config)
    device = local_device(config.device)
    with joined_ranks(device) as ranks, _out_of_memory_told(device):
        if not ranks.leads:
            observer = SilentObserver()
        amp = Amp.create(device, config.precision)
        parts = assemble(config, amp, ranks, observer, given=given, started=started, dry_run=True)
    assert parts.plan is not None
    return replace(parts.plan, leads=ranks.leads)


def train(
    config: TrainConfig,
    observer: TrainObserver,
    *,
    given: Given = None,
    started: float | None = None,
) -> TrainReport:
    """Train a generator, first on the pixel loss, then against a discriminator.

    A run is a folder below the user data directory::

        config.toml             the resolved options
        metrics.jsonl           every loss term by name, mean of 10 steps; validations
        checkpoints/            the last ones and the best: all that ``--resume`` needs
        sheets/                 LR, bicubic, SR and HR crops of each validation
        pretrain.safetensors    generator at the end of pretraining
        best.safetensors        generator of the best validation of its phase
        weights.safetensors     generator as of the last validation
        qualification.json      at the end: how it compares with the bundled model

    Under ``torchrun`` every process calls this with the same options; the first one writes.

    Args:
        config: The options.
        observer: Is told what goes on.
        given: Names of the options that hold whatever the weights of ``--init`` suggest; None
            for those that are not at their default.
        started: When the command started, by :func:`time.perf_counter`, from which ``minutes``
            and ``hours`` count; now when None.

    Raises:
        InputError: No data set, or one that does not suit the options; options that were
            edited since.
        UsageError: A run of that name exists.
        WeightsError: Weights to start from, or a checkpoint, that cannot be used.
        ResourceError: Device, memory, disk, network or another process are lacking; or another
            one trains this run.
        DivergedError: Losses stopped being finite, and lower learning rates did not help.
    """
    spec = config.resume or restarted_run(config)
    folder = None if spec is None else find_run(spec)
    if folder is not None:
        config = with_data(folder, read_config(folder), config.data)
    started = time.perf_counter() if started is None else started
    device = local_device(config.device)
    with joined_ranks(device) as ranks:
        if not ranks.leads:
            observer = SilentObserver()
        amp = Amp.create(device, config.precision)
        target = folder or ranks.agreed(new_run_folder(config))
        existed = target.exists()
        try:
            with Background() as background, _out_of_memory_told(device):
                is_new = folder is None
                parts = assemble(
                    config, amp, ranks, observer, is_new=is_new, given=given, started=started
                )
                return _train(parts, target, background, observer)
        except Timeout as error:
            raise ResourceError(
                f"another process is training {target.name}",
                hint="wait until it has finished, stop it, or start another run",
            ) from error
        except (OSError, RuntimeError) as error:
            threadless = "can't start new thread" in str(error)
            is_empty = not (existed or has_checkpoint(target))
            if ranks.leads and is_empty and (threadless or isinstance(error, OSError)):
                shutil.rmtree(target, ignore_errors=True)  # There is nothing to go on from.
            if isinstance(error, OSError):
                raise _unwritten(target, error) from error
            raise


def _unwritten(run: Path, error: OSError) -> ResourceError:
    hint = "free some disk space, or set SRGAN_HOME to another folder, then start the run again"
    if has_checkpoint(run):
        again = f"srgan train --resume {run.name}"
        hint = f"the last checkpoint is complete; free some disk space, then: {again}"
    return ResourceError(f"run {run.name}: {error.strerror or error}", hint=hint)


@contextmanager
def _out_of_memory_told(device: torch.device) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"{device}: out of memory",
            hint="pass a smaller --batch, --patch or --discriminator-width",
        ) from error


def _train(
    parts: RunParts, target: Path, background: Background, observer: TrainObserver
) -> TrainReport:
    ranks = parts.trainer.ranks
    session = Session(parts, target, ranks, background, observer)
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target) if ranks.leads else nullcontext():
        if parts.plan is not None:
            require_new_run(target)  # Another process may have made and finished it by now.
            observer.say(str(parts.plan))
            if parts.plan.advice:
                observer.warn(parts.plan.warning, hint=parts.plan.advice)
            session.start()  # Makes the folder.
        else:
            session.resume()
            if session.done and is_finished(target):
                observer.warn(
                    f"run {target.name} is finished: all its {parts.steps:,} steps are made",
                    hint=f"to train it further: srgan train --init {target.name}; or raise its "
                    f"epochs or steps in {target / CONFIG_FILE} and resume it again",
                )
        try:
            _make_all_steps(session, ranks, observer)
        except KeyboardInterrupt:
            session.save()
            background.wait()
            step, resume = session.progress.step, f"srgan train --resume {target.name}"
            observer.say(f"stopped at step {step:,}; to resume: {resume}")
            raise
        finally:
            session.close()
        background.wait()
        qualification = session.qualify()
    return TrainReport(
        target,
        target / WEIGHTS_FILE,
        parts.trainer.ema.scale,
        session.progress.step,
        session.progress.seconds,
        session.validations.scores,
        session.validations.verdict,
        session.skipped,
        session.progress.rollbacks,
        qualification,
        ranks.leads,
    )


def _make_all_steps(session: Session, ranks: Ranks, observer: TrainObserver) -> None:

    def stopping() -> None:
        observer.say("stopping after this step")

    with observer.watch() as show, interrupts_held_back(stopping) as pressed:
        while not session.done:
            session.advance()
            show(session.status())
            if session.may_stop and ranks.any(pressed()):
                raise KeyboardInterrupt
