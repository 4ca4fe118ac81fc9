"""The training loop: steps, records, validations, checkpoints and roll-backs."""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image

from srgan_cli.config import TrainConfig
from srgan_cli.engine.devices.memory import peak_memory
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.models.trained_runs import Qualification, forget_qualification
from srgan_cli.engine.models.weights import ModelSource
from srgan_cli.engine.runs.background import Background
from srgan_cli.engine.runs.checkpoint import Checkpoint
from srgan_cli.engine.runs.folder import EXAMPLES_FILE, accepted_edits, write_config
from srgan_cli.engine.runs.journal import METRICS_FILE, Journal
from srgan_cli.engine.runs.progress import RATE_FACTORS, Best, Progress, every_step_skipped
from srgan_cli.engine.training.assembly import RunParts
from srgan_cli.engine.training.checkpoint_writer import CheckpointWriter
from srgan_cli.engine.training.forecast import Costs, interval
from srgan_cli.engine.training.metrics_buffer import MetricsBuffer
from srgan_cli.engine.training.pace import Pace
from srgan_cli.engine.training.patches import example_sheet
from srgan_cli.engine.training.qualify import qualify
from srgan_cli.engine.training.schedule import Phase, phase_of, plan_phases, same_until
from srgan_cli.engine.training.validations import Validations
from srgan_cli.engine.training.warmstart import start_from
from srgan_cli.errors import DivergedError, InputError
from srgan_cli.observer import Observer, TrainingStatus
from srgan_cli.paths import written_beside
from srgan_cli.typed import RecordError

_STEPS_PER_RECORD = 10


class Session:
    """A run while it is trained: its networks, and where it stands.

    Args:
        parts: What it is made of.
        folder: Its folder.
        ranks: The processes that train it.
        background: Writes its files.
        observer: Is told what goes on.
    """

    def __init__(
        self,
        parts: RunParts,
        folder: Path,
        ranks: Ranks,
        background: Background,
        observer: Observer,
    ) -> None:
        self.parts, self.folder, self.observer = parts, folder, observer
        self.config, self.trainer, self._ranks = parts.config, parts.trainer, ranks
        self.progress = Progress(costs=parts.costs.to_dict())
        self._checkpoint_writer = CheckpointWriter(parts, folder, background, writes=ranks.leads)
        self._journal = Journal(folder, writes=ranks.leads, tensorboard=self.config.tensorboard)
        self.validations = Validations(parts, self._journal, observer)
        self._pace = Pace(parts.costs)
        self._metrics = MetricsBuffer(ranks)
        self._losses: Mapping[str, float] = {}
        self._skipped_shown = 0
        observer.say(f"run: {folder.name}, {parts}")

    @property
    def done(self) -> bool:
        """Whether the run is at its end."""
        return self.progress.step >= self.parts.steps

    @property
    def may_stop(self) -> bool:
        """Whether all processes can be asked now; alone, after every step."""
        return self._ranks.size == 1 or not len(self._metrics)

    @property
    def skipped(self) -> int:
        """Updates skipped because a gradient was not finite; the host waits for the device."""
        return self.progress.skipped_before + sum(self.trainer.skipped.values())

    def start(self) -> None:
        """Begin at step 0, from the weights that ``--init`` names if it does."""
        if self.config.init is not None:
            source = ModelSource(self.config.init.name, self.config.init, "--init")
            start_from(source, self.trainer, self.observer)
        self.validations.score(self.parts.phases[0])
        if self._ranks.leads:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / METRICS_FILE).unlink(missing_ok=True)  # Of one that got no checkpoint.
            write_config(self.folder, self.config)
            if self.config.degrade != "none":
                self._show_examples()
        self._ranks.wait()  # From here on there is a folder to log to.
        self.validations.log(0, self.parts.phases[0])
        self.save()

    def _show_examples(self) -> None:
        sheet = Image.fromarray(example_sheet(self.parts.sampler.batch(0)))
        with written_beside(self.folder / EXAMPLES_FILE) as path:
            sheet.save(path)
        self.observer.say(f"examples of degraded patches: {self.folder / EXAMPLES_FILE}")

    def resume(self) -> None:
        """Go back to the last checkpoint, and drop what was logged after it.

        Raises:
            InputError: The data set or the options have changed.
            WeightsError: No checkpoint can be read.
        """
        checkpoint = self._checkpoint_writer.last(self.observer)
        if checkpoint.progress["fingerprint"] != self.parts.fingerprint:
            raise InputError(
                f"the data set of run {self.folder.name} has changed since its last checkpoint",
                hint="prepare it again from the same images and settings, or start a new run",
            )
        teacher = self.parts.teacher and self.parts.teacher.about
        if checkpoint.progress.get("teacher") != teacher:
            raise InputError(
                f"the teacher of run {self.folder.name} has changed since its last checkpoint",
                hint="put the same weights back, or start a new run",
            )
        self.progress = Progress.from_dict(checkpoint.progress)
        with suppress(RecordError):  # Runs of earlier versions were not measured.
            self._pace = Pace(Costs.from_dict(self.progress.costs))
        try:
            before = TrainConfig.from_dict(checkpoint.progress["config"])
        except RecordError as error:
            raise InputError(
                f"the options in the checkpoint of run {self.folder.name}: {error}",
                hint="resume it with the version of srgan that began it, or start a new run",
            ) from error
        planned = plan_phases(before, self.parts.sampler.steps)
        may_replan = same_until(self.progress.step, planned, self.parts.phases)
        for edit in accepted_edits(self.folder, self.config, before, may_replan=may_replan):
            self.observer.say(
                f"{self.folder.name}/config.toml was changed, and the run uses it: {edit}"
            )
        self._return_to(checkpoint)
        if not self.done and self._ranks.leads:
            forget_qualification(self.folder)
        self.observer.say(f"resuming at step {self.progress.step:,} of {self.parts.steps:,}")

    def advance(self) -> None:
        """Make one step, with the record and the validation that are due after it.

        Raises:
            DivergedError: Something is not finite, and lower learning rates did not help.
        """
        started = time.perf_counter()
        phase = self._phase
        waited = self._make_step(phase)
        self.progress = replace(
            self.progress,
            step=self.progress.step + 1,
            seconds=self.progress.seconds + time.perf_counter() - started,
            good=False,
        )
        self._pace.add(phase.name, time.perf_counter() - started, waited)
        trouble = self._take_stock(phase)
        if trouble is not None:
            self._roll_back(trouble)

    @property
    def _every(self) -> int:
        return interval(self.config.validate_every, self.parts.phases[-1].stop)

    @property
    def _seconds_left(self) -> float:
        return self._pace.costs.seconds_left(self.parts.phases, self.progress.step, self._every)

    @property
    def _phase(self) -> Phase:
        return next(phase for phase in self.parts.phases if self.progress.step < phase.stop)

    def _make_step(self, phase: Phase) -> float:
        """Train on the next batch; return the time spent waiting for it."""
        step, started = self.progress.step, time.perf_counter()
        batch = self.parts.batches.batch(step)
        waited = time.perf_counter() - started
        if step == phase.start:
            self.trainer.begin(phase)
        slowed = replace(phase, peak=phase.peak * self.progress.rate_factor)
        self._metrics.add(self.trainer.step(slowed, step, batch))
        return waited

    def _take_stock(self, phase: Phase) -> str | None:
        """Record and validate what is due; return what is wrong, if something is."""
        step = self.progress.step
        validates = step % self._every == 0 or step == phase.stop
        trouble = None
        # Before every validation too: what has diverged must not be saved.
        if step % _STEPS_PER_RECORD == 0 or validates:
            trouble = self._record(phase)
        if validates and trouble is None:
            started = time.perf_counter()
            trouble = self._validate(phase)
            self._pace.validated(phase.name, time.perf_counter() - started)
        return trouble

    def _record(self, phase: Phase) -> str | None:
        """Log the means of the last steps."""
        means = self._metrics.means()
        skipped = self.trainer.skipped["generator"]
        fruitless = every_step_skipped(skipped - self.progress.skipped_recorded, len(self._metrics))
        self._metrics.clear()
        self._skipped_shown = self.skipped
        self.progress = replace(self.progress, skipped_recorded=skipped)
        self._losses = {name: value for name, value in means.items() if value is not None}
        self._journal.log(
            {
                "step": self.progress.step,
                "phase": phase.name,
                **means,
                "learning_rate": self._learning_rate(phase),
                "skipped": self._skipped_shown,
                "rollbacks": len(self.progress.rollbacks),
            }
        )
        if self.parts.deadline is not None:
            self.parts.deadline.check(self._seconds_left, self.observer)
        if not fruitless:
            return None
        broken = [name for name, value in means.items() if value is None] or ["gradient"]
        return f"the {', '.join(broken)} was no longer finite"

    def _learning_rate(self, phase: Phase) -> float:
        return self.progress.rate_factor * phase.learning_rate(self.progress.step - 1)

    def _validate(self, phase: Phase) -> str | None:
        # The last update can break weights whose loss was finite until then.
        if not all(bool(weight.isfinite().all()) for weight in self.trainer.ema.parameters()):
            return "the generator's weights were no longer finite"
        before = self.validations.verdict.word
        self.validations.score(phase)
        self.validations.log(self.progress.step, phase)
        verdict = self.validations.verdict
        if verdict.bad:
            return verdict.reason
        if verdict.word not in ("healthy", before):
            self.observer.warn(f"step {self.progress.step:,}: {verdict.word}: {verdict.reason}")
        self.progress = replace(self.progress, good=True, best=self._best(phase))
        self._checkpoint_writer.keep(self._state(), self.validations.scores, phase)
        return None

    def _best(self, phase: Phase) -> Best:
        """Return the best validation of this phase: PSNR, or the perceptual distance if known."""
        scores = self.validations.scores
        distance = scores.perceptual
        score = scores.psnr if distance is None else -distance
        now, best = Best(phase.name, self.progress.step, score), self.progress.best
        return now if best is None or best.phase != now.phase or best.score < score else best

    def _roll_back(self, trouble: str) -> None:
        """Go back to the last state that passed a validation, with a lower learning rate."""
        self._checkpoint_writer.wait()
        self._ranks.wait()  # Nobody reads before the first process has written.
        checkpoint = self._checkpoint_writer.last(self.observer, good=True)
        good = Progress.from_dict(checkpoint.progress)
        skipped = sum(self.trainer.skipped.values())
        self._metrics.clear()
        self.trainer.restore(checkpoint)
        skipped -= sum(self.trainer.skipped.values())
        progress = self.progress.rolled_back(good, trouble, skipped)
        if progress is None:
            raise DivergedError(
                f"step {self.progress.step:,}: {trouble}; "
                f"{len(self.progress.rollbacks)} roll-backs, the last one to "
                f"{RATE_FACTORS[-1]:.1%} of the learning rate, did not help",
                hint=f"{self.folder / 'weights.safetensors'} has the state of step {good.step:,}; "
                "start again with a lower learning rate, --precision fp32 or a longer --warmup",
            )
        self.observer.warn(
            f"step {self.progress.step:,}: {trouble}; back to step {good.step:,}, "
            f"learning rate × {progress.rate_factor:g}"
        )
        self.progress = progress
        self.save()
        self._checkpoint_writer.wait()
        self._checkpoint_writer.forget_after(progress.step)
        self._return_to(checkpoint)

    def _return_to(self, checkpoint: Checkpoint) -> None:
        """Take up networks, log and scores as they were."""
        self.trainer.restore(checkpoint)
        self._metrics.restore(self.progress.pending, self.trainer.amp.device)
        self.validations.take_up(self.progress)

    def qualify(self) -> Qualification:
        """Compare the finished run with the model that it would replace; all processes take part.

        Raises:
            OSError: The disk is full.
        """
        found = qualify(self.parts)
        if self._ranks.leads:
            found.write(self.folder)
        return found

    def close(self) -> None:
        """Flush what is only flushed at the end."""
        self._journal.close()

    def save(self) -> None:
        """Write a checkpoint, unless there is one of just this state."""
        self._checkpoint_writer.save(self._state())

    def _state(self) -> Checkpoint:
        progress = replace(self.progress, pending=self._metrics.numbers())
        return self.trainer.snapshot(
            {
                **progress.to_dict(),
                "fingerprint": self.parts.fingerprint,
                "teacher": self.parts.teacher and self.parts.teacher.about,
                "config": self.config.to_dict(),
            }
        )

    def status(self) -> TrainingStatus:
        """Return where the run stands, for people."""
        step = self.progress.step
        phase = phase_of(step, self.parts.phases)
        scores, verdict = self.validations.scores, self.validations.verdict
        passes = self.config.batch / len(self.parts.sampler)
        return TrainingStatus(
            run=self.folder,
            phase=phase.name,
            step=step,
            steps=self.parts.steps,
            epoch=math.ceil(step * passes),
            epochs=math.ceil(self.parts.steps * passes),
            losses=self._losses,
            learning_rate=self._learning_rate(phase),
            psnr=self.validations.series("psnr"),
            ssim=self.validations.series("ssim"),
            bicubic_psnr=scores.bicubic_psnr,
            verdict=verdict.word,
            reason=verdict.reason,
            skipped=self._skipped_shown,
            rollbacks=len(self.progress.rollbacks),
            rate=self.config.batch / (self._pace.seconds_per_step(phase.name) or math.inf),
            waiting=self._pace.waiting(phase.name),
            seconds_left=self._seconds_left,
            memory=peak_memory(self.trainer.amp.device),
        )
