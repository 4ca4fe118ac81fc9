"""Write what a run keeps on disk at each validation, while training goes on."""

import copy
from pathlib import Path
from typing import Any

from srgan_cli.engine.models.weights import PRETRAIN_FILE, WEIGHTS_FILE, save_weights
from srgan_cli.engine.runs.background import Background
from srgan_cli.engine.runs.checkpoint import Checkpoint, CheckpointFolder
from srgan_cli.engine.runs.folder import BEST_FILE
from srgan_cli.engine.training.assembly import RunParts
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.sheets import write_sheet
from srgan_cli.engine.training.validation import ValidationScores
from srgan_cli.observer import Observer


class CheckpointWriter:
    """Writes the weights, checkpoints and image sheets of a run.

    What is written is copied first, on the caller's thread; encoding, writing and waiting
    for the disk are left to the background.

    Args:
        parts: The run.
        folder: Its folder.
        background: Writes.
        writes: Whether this process does; the others only read.
    """

    def __init__(
        self, parts: RunParts, folder: Path, background: Background, *, writes: bool
    ) -> None:
        self._parts, self._folder, self._background = parts, folder, background
        self._writes = writes
        self._checkpoints = CheckpointFolder(folder, parts.config.keep)
        self._saved: tuple[int, int] | None = None

    def keep(self, checkpoint: Checkpoint, scores: ValidationScores, phase: Phase) -> None:
        """Save a state that has passed a validation, and what people can use of it.

        Raises:
            OSError: The disk is full, now or at the time before.
        """
        if not self._writes:
            return
        progress = checkpoint.progress
        step, best = progress["step"], progress["best"]["step"]
        generator = copy.deepcopy(self._parts.trainer.ema).cpu()
        names = [WEIGHTS_FILE]
        names += [BEST_FILE] * (best == step)
        names += [PRETRAIN_FILE] * (phase.name == "pretrain" and step == phase.stop)
        description = self._description(checkpoint, scores, phase)
        shown = self._parts.validator.shown

        def write() -> None:
            for name in names:
                save_weights(self._folder / name, generator, description)
            write_sheet(self._folder, step, shown)
            # Last: whatever fails before it is done again by --resume.
            self._checkpoints.save(checkpoint, best=best)

        self._background.start(write)
        self._note(checkpoint)

    def save(self, checkpoint: Checkpoint) -> None:
        """Save a state, unless it is the one that was saved last.

        Raises:
            OSError: The disk is full, now or at the time before.
        """
        best = checkpoint.progress["best"]
        before = self._saved
        self._note(checkpoint)
        if self._writes and self._saved != before:
            self._background.start(
                lambda: self._checkpoints.save(checkpoint, best=best and best["step"])
            )

    def _note(self, checkpoint: Checkpoint) -> None:
        progress = checkpoint.progress
        self._saved = progress["step"], len(progress["rollbacks"])

    def last(self, observer: Observer, *, good: bool = False) -> Checkpoint:
        """Return the newest checkpoint that can be read, as :meth:`CheckpointFolder.last` does."""
        checkpoint = self._checkpoints.last(observer, good=good)
        self._note(checkpoint)
        return checkpoint

    def forget_after(self, step: int) -> None:
        """Remove the checkpoints after a step."""
        if self._writes:
            self._checkpoints.forget_after(step)

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: The disk is full.
        """
        self._background.wait()

    def _description(
        self, checkpoint: Checkpoint, scores: ValidationScores, phase: Phase
    ) -> dict[str, Any]:
        """Return what a weights file says of itself."""
        config, progress = self._parts.config, checkpoint.progress
        teacher, init = self._parts.teacher, config.init
        # Of a path only what tells which weights it led to: a file's name, or that of its run.
        of_run = {WEIGHTS_FILE, BEST_FILE, PRETRAIN_FILE}
        start = init and (init.parent.name if init.name in of_run else init.stem)
        return {
            "run": self._folder.name,
            "preset": config.preset,
            "phase": phase.name,
            "steps": progress["step"],
            "planned_steps": self._parts.steps,
            "seconds": round(progress["seconds"]),
            "precision": self._parts.trainer.amp.precision,
            "data": Path(config.data or "").name,
            "data_fingerprint": self._parts.fingerprint,
            "config": {**config.to_dict(), "data": None, "init": None, "teacher": None},
            "validation_psnr": round(scores.psnr, 4),
            "validation_ssim": round(scores.ssim, 4),
            "bicubic_psnr": round(scores.bicubic_psnr, 4),
            **({} if start is None else {"started_from": start}),
            **({} if teacher is None else {"teacher": teacher.about}),
        }
