"""The runs that have weights, and whether each may become the default model.

At its end a run is compared with the bundled model that it would replace; what came out is in
``qualification.json`` in its folder. A run without that file is unfinished.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from srgan_cli.engine.models.tensor_files import read_header
from srgan_cli.engine.models.weights import WEIGHTS_FILE, ModelSource, load_model
from srgan_cli.errors import WeightsError
from srgan_cli.imaging.comparison import Difference
from srgan_cli.paths import runs_dir, write_text

QUALIFICATION_FILE = "qualification.json"


@dataclass(frozen=True, slots=True)
class Qualification:
    """How a finished run compares with the model that it would replace."""

    qualified: bool
    """Whether the run is used when no model is named."""
    reason: str
    """Why, with the numbers."""
    against: str
    """The bundled model of its scale; ``bicubic`` where there is none."""
    images: int
    """Validation images that both were scored on."""
    over_bicubic: float
    """Mean gain over bicubic, in dB."""
    psnr: Difference
    """In dB, against :attr:`against`."""
    perceptual: Difference | None = None
    """Perceptual distance against it, of runs with an adversarial phase; lower is better."""

    def write(self, run: Path) -> None:
        """Write it into a run's folder.

        Raises:
            OSError: The disk is full.
        """
        write_text(run / QUALIFICATION_FILE, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """Read what is in a run's folder; None where there is none, or something else."""
        try:
            values = json.loads((run / QUALIFICATION_FILE).read_text(encoding="utf-8"))
            for name in ("psnr", "perceptual"):
                values[name] = values[name] and Difference(**values[name])
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def forget_qualification(run: Path) -> None:
    """Remove what an earlier end of a run was compared with: it goes on from there."""
    (run / QUALIFICATION_FILE).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run that has weights, as far as its folder tells without loading them."""

    name: str
    path: Path
    """Its weights."""
    scale: int
    """Factor per side."""
    trained: Mapping[str, Any]
    """What the weights say of their training."""
    qualification: Qualification | None
    """None while it is unfinished."""

    @property
    def adversarial(self) -> bool:
        """Whether it has an adversarial phase, which costs PSNR."""
        return self.trained.get("phase") == "adversarial"

    @property
    def qualified(self) -> bool:
        """Whether it is used when no model is named."""
        return self.qualification is not None and self.qualification.qualified

    @property
    def reason(self) -> str:
        """Why it is used or not, with the numbers."""
        if self.qualification is not None:
            return self.qualification.reason
        step, planned = self.trained.get("steps"), self.trained.get("planned_steps")
        at_end = planned is not None and step == planned
        if planned is None or at_end:
            return f"not compared yet with the bundled model: srgan train --resume {self.name}"
        gain = _gain(self.trained)
        below = f", {-gain:.2f} dB below bicubic" if gain is not None and gain < 0 else ""
        return f"unfinished, at step {step:,} of {planned:,}{below}"

    def source(self, reason: str) -> ModelSource:
        """Return it as what a command uses."""
        return ModelSource(self.name, self.path, reason)


def _gain(trained: Mapping[str, Any]) -> float | None:
    try:
        return float(trained["validation_psnr"]) - float(trained["bicubic_psnr"])
    except (KeyError, TypeError, ValueError):
        return None


def trained_runs(scale: int | None = None) -> list[TrainedRun]:
    """Return the runs that have usable weights, the newest first.

    Args:
        scale: Factor per side that they must have; any when None.
    """
    paths = sorted(run_weights(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    runs = [run for path in paths if (run := _opened(path)) is not None]
    return [run for run in runs if scale in (None, run.scale)]


def run_weights() -> list[Path]:
    """Return the weights of every run, sorted by its name."""
    return sorted(runs_dir().glob(f"[!.]*/{WEIGHTS_FILE}"))


def _opened(path: Path) -> TrainedRun | None:
    try:
        header = read_header(path) or {}
        trained = _object(header.get("trained"))
        scale = _object(header.get("generator")).get("scale")
        scale = scale or _object(trained.get("config")).get("scale")
        if not isinstance(scale, int):
            scale = load_model(ModelSource(path.parent.name, path, "")).scale
    except WeightsError:
        return None
    folder = path.parent
    return TrainedRun(folder.name, path, scale, trained, Qualification.read(folder))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
