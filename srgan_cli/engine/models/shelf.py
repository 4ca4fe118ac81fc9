"""Turn a model's name into a weights file: bundled, on the shelf, of a run, or any other file."""

import difflib
import glob
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from filelock import Timeout

from srgan_cli.config.common import BUNDLED
from srgan_cli.engine.models.installable import published_as, published_models
from srgan_cli.engine.models.trained_runs import TrainedRun, run_weights, trained_runs
from srgan_cli.engine.models.weights import WEIGHTS_FILE, ModelSource
from srgan_cli.errors import ResourceError, WeightsError
from srgan_cli.paths import models_dir, write_text
from srgan_cli.processes import locked
from srgan_cli.records import read_json

_USUAL_SCALE = 2

_DEFAULTS_FILE = "defaults.json"
_WEIGHTS = {".safetensors", ".pth", ".param", ".onnx"}
_PATIENCE = 5
"""Seconds to wait for a process that writes the defaults, which takes it a moment."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that has a name."""

    name: str
    kind: Literal["bundled", "shelf", "run", "installed"]
    path: Path
    note: str = ""
    """What a user has to know of it: package and licence."""

    def source(self, reason: str) -> ModelSource:
        """Return it as what a command takes."""
        return ModelSource(self.name, self.path, "; ".join(filter(None, (reason, self.note))))


def known_models() -> tuple[KnownModel, ...]:
    """Return every model that has a name: bundled, on the shelf, then runs."""
    shelf = sorted(models_dir().glob("[!.]*.safetensors"))
    return (
        *(KnownModel(name, "bundled", _bundled_path(name)) for name in BUNDLED),
        *(KnownModel(path.stem, "shelf", path) for path in shelf),
        *(KnownModel(path.parent.name, "run", path) for path in run_weights()),
    )


def installed_models() -> tuple[KnownModel, ...]:
    """Return the published models whose package is installed."""
    found = []
    for model in published_models():
        if model.installed:
            package, path = model.installed
            note = f"from {package}, licence {model.licence}"
            found.append(KnownModel(model.name, "installed", path, note))
    return tuple(found)


def find_model(spec: str | None, scale: int | None) -> ModelSource:
    """Find the weights that a command is to use.

    A name is looked for first; then a file or a run's folder; then the model of that name
    for the scale (``fidelity`` is ``fidelity-x2`` at ×2); then a part of a name that only
    one model has, or else only one of the installed packages. No name hides another: where
    two models have the one that was given, the user has to say which.

    Args:
        spec: Name with or without ``-xN``, part of a name, file, or a run's folder. When None:
            the default that ``srgan models default`` set, else the newest run that was
            better than the bundled model at its end, else the first bundled model of the scale.
        scale: Factor per side that the model must have if none is named; any when None.

    Raises:
        WeightsError: Nothing fits, or more than one.
    """
    if spec is None:
        return _unnamed(scale)
    known = known_models()
    published = published_as(spec)
    name = published.name if published else spec
    installed = installed_models()
    if named := [
        *(entry for entry in known if entry.name == spec),
        *(entry for entry in installed if entry.name == name),
    ]:
        return _only(named, spec).source("--model")
    path = Path(spec)
    if path.is_dir() and (path / WEIGHTS_FILE).is_file():
        return ModelSource(path.name, path / WEIGHTS_FILE, "--model")
    if path.is_file():
        return ModelSource(path.name, path, "--model")
    family = f"{spec}-x{scale or _USUAL_SCALE}"
    if members := [entry for entry in (*known, *installed) if entry.name == family]:
        return _only(members, family).source(f"--model {spec}")
    parts = _with_part(spec, known) or _with_part(spec, installed)
    if len(parts) > 1 and scale is not None:
        names = ", ".join(entry.name for entry in parts)
        raise WeightsError(f"no model is called {family}", hint=f"choose one: {names}")
    if parts:
        return _only(parts, spec).source(f"the only model with {spec} in its name")
    if published:
        raise WeightsError(
            f"{spec} is not installed ({published.size / 1e6:.1f} MB, licence {published.licence})",
            hint=published.command,
        )
    raise _unknown(spec, scale, known)


def _with_part(spec: str, entries: tuple[KnownModel, ...]) -> list[KnownModel]:
    return [entry for entry in entries if spec and spec.lower() in entry.name.lower()]


def _only(entries: list[KnownModel], spec: str) -> KnownModel:
    """Return the one entry of a list."""
    if len(entries) == 1:
        return entries[0]
    if len({entry.name for entry in entries}) == 1:
        kinds = " and a ".join(entry.kind for entry in entries)
        files_ = " or ".join(str(entry.path) for entry in entries)
        raise WeightsError(f"{spec} is the name of a {kinds}", hint=f"pass the file: {files_}")
    names = ", ".join(entry.name for entry in entries)
    raise WeightsError(f"several models have {spec} in their names", hint=f"choose one: {names}")


def _unknown(spec: str, scale: int | None, known: tuple[KnownModel, ...]) -> WeightsError:
    names = [entry.name for entry in known]
    end = f"-x{scale or _USUAL_SCALE}"
    families = [name.removesuffix(end) for name in names if name.endswith(end)]
    close = difflib.get_close_matches(spec, [*names, *families], n=1)
    hint = f"did you mean {close[0]}?" if close else f"known models: {', '.join(names)}"
    beside = Path(spec).parent.glob(f"{glob.escape(Path(spec).name)}.*")
    if files := [path for path in sorted(beside) if path.suffix in _WEIGHTS]:
        hint = f"did you mean the file {files[-1]}?"
    like = [each for each in published_models() if spec.lower() in each.name.lower()]
    if like and not close and not files:
        hint = f"published models: {', '.join(each.name for each in like)}"
        if not all(each.installed for each in like):
            hint += "; see: srgan models list --installable"
    if Path(spec).is_dir():
        return WeightsError(f"{spec} is a folder, but not of a run", hint=hint)
    return WeightsError(f"no model or file is called {spec}", hint=hint)


def find_model_for_factor(spec: str | None, factor: float | None) -> ModelSource:
    """Find the weights for results of any size.

    As :func:`find_model`, but a factor that no model has which may be used unnamed chooses
    the one whose result is reduced least: the smallest that reaches it, else the largest,
    which is then applied more than once.
    """
    scales = _scales(with_runs=spec is None)
    best = next((scale for scale in scales if factor and scale >= factor), scales[-1])
    return find_model(spec, best if factor else None)


def _scales(*, with_runs: bool) -> list[int]:
    """Return the factors of which there is a model that may be used unnamed."""
    known = {int(name.rpartition("x")[2]) for name in BUNDLED} | {*defaults()}
    if with_runs:
        known |= {run.scale for run in trained_runs() if run.qualified}
    return sorted(known)


def models_in_use() -> Mapping[int, tuple[str, str]]:
    """Return what is used where no model is named, by scale: its name, and why."""
    used = {}
    for scale in _scales(with_runs=True):
        try:
            source = find_model(None, scale)
            used[scale] = (source.name, source.reason)
        except WeightsError as error:  # The one that was chosen is gone.
            used[scale] = (defaults().get(scale, ""), error.message)
    return used


def defaults() -> Mapping[int, str]:
    """Return the models that ``srgan models default`` chose, by scale, the latest last."""
    path = models_dir() / _DEFAULTS_FILE
    try:
        chosen = read_json(path, dict[str, str])
        return {int(scale): name for scale, name in chosen.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        hint = "delete it, then choose your defaults again: srgan models default NAME"
        raise WeightsError(f"{path}: damaged: {error}", hint=hint) from error


def set_default(scale: int, name: str | None) -> None:
    """Choose the model for a scale, or none.

    Raises:
        WeightsError: What was chosen before cannot be read.
        ResourceError: Another process does not let go of the file.
        OSError: The disk is full or the folder cannot be written.
    """
    path = models_dir() / _DEFAULTS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(path.with_name(f".{path.name}.lock"), wait=_PATIENCE):
            chosen = {other: value for other, value in defaults().items() if other != scale}
            if name is not None:
                chosen[scale] = name
            write_text(path, json.dumps(chosen, indent=1) + "\n")
    except Timeout as error:
        raise ResourceError(
            f"{path}: another process is writing it", hint="try again when it has finished"
        ) from error


def _unnamed(scale: int | None) -> ModelSource:
    """Choose the weights when nothing is named."""
    chosen = defaults()
    latest = list(chosen.values())[-1:]
    name = chosen.get(scale) if scale else next(iter(latest), None)
    if name is not None:
        named = [entry for entry in known_models() if entry.name == name]
        if not named:
            raise WeightsError(
                f"the default model {name} does not exist any more",
                hint="choose another: srgan models default NAME",
            )
        return _only(named, name).source("your default")
    runs = trained_runs(scale)
    used = next((run for run in runs if run.qualified), None)
    newest = None if not runs or runs[0].qualified else runs[0]
    if used is not None:
        return used.source("; ".join([_used(used), *([_unused(newest)] if newest else [])]))
    wanted = scale or _USUAL_SCALE
    bundled = bundled_models(wanted)
    if bundled:
        note = _unused(newest) if newest else "no training run yet"
        return bundled[0].source(f"bundled; {note}")
    if newest:
        return newest.source(f"the newest run; there is no bundled model for ×{wanted}")
    raise WeightsError(
        f"there is no bundled model for ×{wanted}",
        hint=f"bundled models: {', '.join(BUNDLED)}; to train another: srgan train",
    )


def _used(run: TrainedRun) -> str:
    """Say why a run is used, and how to go back."""
    bundled = bundled_models(run.scale)
    back = f"; back to the bundled model: --model {bundled[0].name}" if bundled else ""
    return f"your run: {run.reason}{back}"


def _unused(run: TrainedRun) -> str:
    """Say why a run is not used, and how to use it."""
    return (
        f"your run {run.name} is not used: {run.reason}; "
        f"to use it: --model {run.name}, or srgan models default {run.name}"
    )


def bundled_models(scale: int) -> list[KnownModel]:
    """Return the bundled models of a scale, the default first."""
    names = [name for name in BUNDLED if name.endswith(f"-x{scale}")]
    return [KnownModel(name, "bundled", _bundled_path(name)) for name in names]


def find_restoring(source: ModelSource) -> ModelSource | None:
    """Return the bundled model that damaged images get instead of the one taken unnamed.

    Args:
        source: What :func:`find_model_for_factor` returned without a name.

    Returns:
        None if the user chose the model, by ``srgan models default`` or by training it, or if
        there is no model for damaged images of its scale.
    """
    if source.name not in BUNDLED or source.name in defaults().values():
        return None
    first, *others = bundled_models(int(source.name.rpartition("x")[2]))
    restoring = [model for model in others if model.name.startswith("restore-")]
    if source.path != first.path or not restoring:
        return None
    return restoring[0].source("for damaged images")


def bundled_rival(scale: int, *, adversarial: bool) -> KnownModel | None:
    """Return the bundled model that a run is measured against: the one trained as it was.

    Args:
        scale: Factor per side.
        adversarial: Whether the run has an adversarial phase.
    """
    bundled = bundled_models(scale)
    kind = "photo-" if adversarial else "fidelity-"
    alike = [model for model in bundled if model.name.startswith(kind)]
    return next(iter(alike or bundled), None)


def _bundled_path(name: str) -> Path:
    with as_file(files("srgan_cli") / "weights" / f"{name}.safetensors") as path:
        return path
