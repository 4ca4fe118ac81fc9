"""The validations of a run: scored, judged, logged, and read again when the run goes on."""

from srgan_cli.engine.runs.health import HealthVerdict, judge
from srgan_cli.engine.runs.journal import METRICS_FILE, Journal
from srgan_cli.engine.runs.progress import Progress
from srgan_cli.engine.training.assembly import RunParts
from srgan_cli.engine.training.schedule import Phase, phase_of
from srgan_cli.engine.training.validation import ValidationScores
from srgan_cli.observer import Observer


class Validations:
    """The validations of a run so far.

    Args:
        parts: What the run is made of.
        journal: Where they are logged.
        observer: Is warned of records that are lost.
    """

    scores: ValidationScores
    """Of the last one."""
    verdict: HealthVerdict
    """How the run was doing then."""

    def __init__(self, parts: RunParts, journal: Journal, observer: Observer) -> None:
        self._parts, self._journal, self._observer = parts, journal, observer

    def score(self, phase: Phase) -> None:
        """Score the averaged weights as they are now."""
        trainer = self._parts.trainer
        self.scores = self._parts.validator.score(
            trainer.ema, trainer.amp.device, perceptual=phase.perceptual
        )

    def log(self, step: int, phase: Phase) -> None:
        """Judge the last scores, and log them.

        Raises:
            OSError: The disk is full.
        """
        record = {"step": step, "phase": phase.name, **self.scores.to_record()}
        self.verdict = judge([*self._journal.records, record])
        self._journal.log({**record, "verdict": self.verdict.word, "reason": self.verdict.reason})

    def take_up(self, progress: Progress) -> None:
        """Read what was logged until a run's step; score again what the log does not hold."""
        if damaged := self._journal.read(progress.step, progress.rollbacks):
            self._observer.warn(f"{METRICS_FILE}: {damaged} damaged lines dropped")
        scored = [record for record in self._journal.records if "validation_psnr" in record]
        try:
            last = scored[-1]
            self.scores = ValidationScores.from_record(last)
            self.verdict = HealthVerdict(last["verdict"], last["reason"])
        except (IndexError, KeyError):
            self._observer.warn(f"{METRICS_FILE}: the last validation is missing; validating again")
            phase = phase_of(progress.step, self._parts.phases)
            self.score(phase)
            self.log(progress.step, phase)

    def series(self, metric: str) -> tuple[float, ...]:
        """Return a score of all validations that the log holds, in their order."""
        found = (record.get(f"validation_{metric}") for record in self._journal.records)
        return tuple(value for value in found if value is not None)
