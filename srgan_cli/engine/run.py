"""A training run from its options to its weights: ``srgan train``."""

import json
import math
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from srgan_cli.config import TrainConfig, to_toml
from srgan_cli.data.dataset import BatchesAhead, PatchSampler, example_sheet
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.data.workers import num_cores
from srgan_cli.engine.amp import Amp, resolve_device
from srgan_cli.engine.checkpoint import CHECKPOINT_FILE, Checkpoint
from srgan_cli.engine.interrupts import interrupts_held_back
from srgan_cli.engine.models import Generator, num_parameters
from srgan_cli.engine.perceptual import load_perceptual
from srgan_cli.engine.schedule import Phase, plan_phases
from srgan_cli.engine.trainer import Terms, Trainer
from srgan_cli.engine.validation import Scores, Validator
from srgan_cli.engine.weights import (
    PRETRAIN_FILE,
    WEIGHTS_FILE,
    ModelSource,
    load_model,
    require_scale,
    save_weights,
)
from srgan_cli.errors import DivergedError, InputError, ResourceError, UsageError
from srgan_cli.observer import Bar, Observer
from srgan_cli.paths import runs_dir, write_text, written_beside

CONFIG_FILE = "config.toml"
METRICS_FILE = "metrics.jsonl"
EXAMPLES_FILE = "degradations.png"

_STEPS_PER_RECORD = 10


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What ``srgan train`` made."""

    run: Path
    """Folder of the run."""
    weights: Path
    """The averaged generator."""
    steps: int
    """Steps trained, over all sessions of this run."""
    seconds: float
    """Time spent in training, over all sessions of this run."""
    scores: Scores
    """Validation at the end."""


def train(config: TrainConfig, observer: Observer) -> TrainReport:
    """Train a generator, first on the pixel loss, then against a discriminator.

    A run is a folder below the user data directory::

        config.toml             the resolved options
        metrics.jsonl           every loss term by name, mean of 10 steps; validations
        checkpoint.safetensors  all that ``--resume`` needs
        pretrain.safetensors    generator at the end of pretraining
        weights.safetensors     generator as of the last validation

    Raises:
        InputError: No data set, or one that does not suit the options.
        UsageError: A run of that name exists.
        WeightsError: Weights to start from, or a checkpoint, that cannot be used.
        ResourceError: Device, memory, disk or network are lacking.
        DivergedError: A loss stopped being finite.
    """
    if config.resume is not None:
        folder = _find_run(config.resume)
        run = _Run(_read_config(folder), folder, observer)
        run.resume(Checkpoint(folder / CHECKPOINT_FILE))
    else:
        run = _Run(config, _run_folder(config), observer)
        run.start()
    try:
        return run.finish()
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"{run.trainer.amp.device}: out of memory",
            hint="pass a smaller --batch, --patch or --discriminator-width",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"{run.folder}: {error.strerror or error}",
            hint=f"free some disk space, then: srgan train --resume {run.folder.name}",
        ) from error


def _run_folder(config: TrainConfig) -> Path:
    name = config.name or f"{config.preset}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    folder = runs_dir() / name
    if folder.exists():
        raise UsageError(
            f"a run called {name} exists",
            hint=f"go on with it: srgan train --resume {name}; or pass another --name",
        )
    return folder


def _find_run(spec: str) -> Path:
    """Find the run to go on with; ``latest`` is the one that was saved last."""
    checkpoints = sorted(
        runs_dir().glob(f"[!.]*/{CHECKPOINT_FILE}"), key=lambda path: path.stat().st_mtime_ns
    )
    if spec == "latest" and checkpoints:
        return checkpoints[-1].parent
    for folder in (runs_dir() / spec, Path(spec)):
        if (folder / CHECKPOINT_FILE).is_file():
            return folder
    names = ", ".join(path.parent.name for path in checkpoints) or "none yet"
    raise InputError(f"no run called {spec} has a checkpoint", hint=f"runs: {names}")


def _read_config(folder: Path) -> TrainConfig:
    path = folder / CONFIG_FILE
    try:
        return TrainConfig.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the options of a run ({error})", hint="start a new run"
        ) from error


class _Run:
    """One run: its folder, data, networks, and where it stands."""

    def __init__(self, config: TrainConfig, folder: Path, observer: Observer) -> None:
        data, reason = find_dataset(config.data)
        store = Store(data, config.scale)
        manifest = store.manifest
        self.config = config.resolved(data, store.scale)
        self.folder, self.observer = folder, observer
        observer.say(
            f"data set: {manifest.name} ({reason}), ×{store.scale}, "
            f"{len(manifest.pictures)} pictures"
        )
        self.fingerprint = manifest.fingerprint
        self.sampler = PatchSampler(
            store,
            "train",
            patch=config.patch,
            batch=config.batch,
            seed=config.seed,
            degrade=config.degrade,
            detail=config.detail,
        )
        # Cutting patches takes one thread a fraction of a step; damaging them takes longer.
        num_ahead = 1 if config.degrade == "none" else num_cores()
        amp = Amp.create(resolve_device(config.device), config.precision)
        pinned = amp.device.type == "cuda"
        self.batches = BatchesAhead(self.sampler, num_ahead, pinned=pinned)
        self.validator = Validator(store)
        self.phases = plan_phases(config, self.sampler.steps)
        self.steps = self.phases[-1].stop
        adversarial = self.phases[-1].name == "adversarial"
        features = None
        if adversarial:
            features = load_perceptual(config.perceptual, observer, config.perceptual_layers)
        generator_config = config.generator_config(store.scale)
        self.trainer = Trainer(config, generator_config, amp, features)
        self.step, self.seconds = 0, 0.0
        observer.say(
            f"run: {folder.name}, {config.preset} generator "
            f"({num_parameters(self.trainer.generator):,} parameters), "
            f"{amp.precision} on {amp.device}, {self.steps:,} steps of {config.batch}: "
            + ", ".join(f"{phase.name} {phase.steps:,}" for phase in self.phases)
        )

    def start(self) -> None:
        """Begin at step 0, from the weights that ``--init`` names if it does."""
        if self.config.init is not None:
            source = ModelSource(self.config.init.name, self.config.init, "as named")
            self._start_from(source)
        self.scores = self._score()
        self.folder.mkdir(parents=True)
        write_text(self.folder / CONFIG_FILE, to_toml(self.config))

        if self.config.degrade != "none":
            sheet = Image.fromarray(example_sheet(self.sampler.batch(0)))
            with written_beside(self.folder / EXAMPLES_FILE) as path:
                sheet.save(path)
            self.observer.say(f"what it learns to undo: {self.folder / EXAMPLES_FILE}")

    def _start_from(self, source: ModelSource) -> None:
        model = load_model(source)
        wanted = self.trainer.generator.config
        require_scale(model, wanted.scale)
        if not isinstance(model.generator, Generator) or model.generator.config != wanted:
            raise UsageError(
                f"{source.name} is not a {self.config.preset} generator",
                hint="pass the --preset that the weights were trained with",
            )
        for generator in (self.trainer.generator, self.trainer.ema):
            generator.load_state_dict(model.generator.state_dict())

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint, and drop what was logged after it."""
        progress = checkpoint.progress
        if progress["fingerprint"] != self.fingerprint:
            raise InputError(
                f"the data set of run {self.folder.name} has changed since",
                hint="prepare it again from the same photographs and settings, or start a new run",
            )
        self.step, self.seconds = progress["step"], progress["seconds"]
        self.trainer.restore(checkpoint)
        self.scores = self._score()
        self._forget_after(self.step)
        self.observer.say(f"resuming at step {self.step:,} of {self.steps:,}")

    def _forget_after(self, step: int) -> None:
        """Drop what a killed run logged after its checkpoint, and a line cut short."""
        log = self.folder / METRICS_FILE
        if not log.exists():
            return  # Stopped before the first record.
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        write_text(log, "".join(line for line in whole if json.loads(line)["step"] <= step))

    def finish(self) -> TrainReport:
        """Train to the end; on an interrupt, save first and pass it on."""
        with interrupts_held_back() as check_interrupt:
            try:
                for phase in self.phases:
                    if self.step < phase.stop:
                        self._train_phase(phase, check_interrupt)
            except KeyboardInterrupt:
                self._save()
                resume = f"srgan train --resume {self.folder.name}"
                self.observer.say(f"stopped at step {self.step:,}; go on with: {resume}")
                raise
        return TrainReport(
            self.folder, self.folder / WEIGHTS_FILE, self.step, self.seconds, self.scores
        )

    def _train_phase(self, phase: Phase, check_interrupt: Callable[[], None]) -> None:
        if self.step == phase.start:
            self.trainer.begin(phase)
        with self._phase_bar(phase) as bar:
            pending: list[Terms] = []
            while self.step < phase.stop:
                started = time.perf_counter()
                pending.append(self.trainer.step(phase, self.step, self.batches.batch(self.step)))
                self.step += 1
                validates = self.step % self.config.validate_every == 0 or self.step == phase.stop
                # Before every validation too: what has diverged must not be saved.
                if self.step % _STEPS_PER_RECORD == 0 or validates:
                    self._record(phase, pending)
                    pending = []
                self.seconds += time.perf_counter() - started
                if validates:
                    self._validate(phase)
                bar.advance(1, PSNR=f"{self.scores.psnr:.2f} dB")
                check_interrupt()

    @contextmanager
    def _phase_bar(self, phase: Phase) -> Iterator[Bar]:
        with self.observer.bar(phase.name, total=phase.steps, unit="steps") as bar:
            bar.advance(self.step - phase.start)
            yield bar

    def _record(self, phase: Phase, pending: list[Terms]) -> None:
        """Log the means of the last steps; the one place where the host waits for the device."""
        means = {name: fmean(float(terms[name]) for terms in pending) for name in pending[0]}
        finite = {name: value if math.isfinite(value) else None for name, value in means.items()}
        self._log({"step": self.step, "phase": phase.name, **finite})
        broken = [name for name, value in finite.items() if value is None]
        if broken:
            raise self._diverged(f"the {', '.join(broken)} loss is")

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"step {self.step:,}: {what} no longer finite",
            hint="start again with a lower learning rate, or with --precision fp32",
        )

    def _score(self) -> Scores:
        return self.validator.score(self.trainer.ema, self.trainer.amp.device)

    def _validate(self, phase: Phase) -> None:
        # The last update can break weights whose loss was finite until then.
        if not all(bool(weight.isfinite().all()) for weight in self.trainer.ema.parameters()):
            raise self._diverged("the generator's weights are")
        self.scores = self._score()
        self._log(
            {
                "step": self.step,
                "phase": phase.name,
                "validation_psnr": self.scores.psnr,
                "bicubic_psnr": self.scores.bicubic_psnr,
            }
        )
        save_weights(self.folder / WEIGHTS_FILE, self.trainer.ema, self._description(phase))
        if phase.name == "pretrain" and self.step == phase.stop:
            save_weights(self.folder / PRETRAIN_FILE, self.trainer.ema, self._description(phase))
        self._save()  # Last: whatever fails before it is done again by --resume.

    def _save(self) -> None:
        progress = {
            "step": self.step,
            "seconds": self.seconds,
            "fingerprint": self.fingerprint,
        }
        self.trainer.save(self.folder / CHECKPOINT_FILE, progress)

    def _log(self, record: dict[str, Any]) -> None:
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _description(self, phase: Phase) -> dict[str, Any]:
        return {
            "run": self.folder.name,
            "preset": self.config.preset,
            "phase": phase.name,
            "steps": self.step,
            "seconds": round(self.seconds),
            "precision": self.trainer.amp.precision,
            "data": Path(self.config.data or "").name,
            "data_fingerprint": self.fingerprint,
            "config": {**self.config.to_dict(), "data": None, "init": None},
            "validation_psnr": round(self.scores.psnr, 4),
            "bicubic_psnr": round(self.scores.bicubic_psnr, 4),
        }
