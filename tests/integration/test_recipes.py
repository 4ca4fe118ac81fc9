"""Recipes of the bundled weights, begun anew: their first losses are those that were noted."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from recipes.trace import STEPS, first_losses, machine
from srgan_cli.config import RECIPES as NAMES
from srgan_cli.data.manifest import Manifest
from srgan_cli.engine.models.weights import ModelSource, load_model

ROOT = Path(__file__).parents[2]
TRACES = ROOT / "recipes"
RECIPES = sorted((ROOT / "srgan_cli/recipes").glob("*.toml"))
STAGES = [*RECIPES, *sorted(TRACES.rglob("*.toml"))]
ELSEWHERE = 0.05
"""Relative tolerance on another kind of CPU, which may also choose bf16."""
DRAWINGS = "DRAWINGS"
SOON = 3
"""Losses that are alike there: rounding makes adversarial runs differ more and more."""


@pytest.fixture(scope="module")
def home(shared_data, tmp_path_factory):
    """Prepare the photographs as the recipes say."""
    home = tmp_path_factory.mktemp("home")
    sets = [shared_data / "bench" / name for name in ("Set5", "Set14", "B100")]
    excluded = [word for folder in sets for word in ("--exclude", str(folder))]
    drawings = home / "drawings"
    script = [sys.executable, "recipes/drawings.py", drawings, "--count", "300"]
    drawn = subprocess.run(script, cwd=ROOT, check=False).returncode == 0
    for options in {tuple(_prepared(recipe)) for recipe in RECIPES}:
        if drawn or DRAWINGS not in options:
            named = [str(drawings) if word == DRAWINGS else word for word in options]
            command = ["prepare", str(shared_data / "photos"), *excluded, *named]
            assert _run(home, command).wait() == 0
    return home


def _prepared(recipe):
    """Return the options of the ``srgan prepare`` that a recipe names, but for what it excludes."""
    (line,) = re.findall(r"^# srgan prepare PHOTOS (.*)$", recipe.read_text(), re.MULTILINE)
    return line.partition(" --exclude")[0].split()


def _run(home, command):
    environment = os.environ | {"SRGAN_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "srgan_cli", *command],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def _skip_unless_drawn_alike(data, model):
    """Drawings follow from the fonts and the clip art of this machine."""
    if not data.is_dir():
        pytest.skip("recipes/drawings.py needs fonts and clip art")
    weights = ROOT / "srgan_cli/weights" / f"{model}.safetensors"
    wanted = load_model(ModelSource(model, weights, "")).about["trained"]["data_fingerprint"]
    if Manifest.read(data).fingerprint != wanted:
        pytest.skip("other fonts or clip art than those that were trained on")


def test_every_bundled_generator_has_a_recipe_and_a_trace():
    weights = {path.stem for path in (ROOT / "srgan_cli/weights").glob("*-x[0-9].safetensors")}
    assert weights == {path.stem for path in RECIPES} == set(NAMES)
    assert weights == {path.stem for path in TRACES.glob("*.json")}


@pytest.mark.parametrize("recipe", STAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_recipe_starts_from_is_there_and_has_a_recipe(recipe):
    init = tomllib.loads(recipe.read_text()).get("init")
    if init is None:
        return
    start = ((recipe.parent if recipe in RECIPES else ROOT) / init).resolve()
    assert load_model(ModelSource(start.stem, start, "")).scale in (2, 4)
    assert start.with_suffix(".toml") in STAGES or start.parent.name == "weights"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_gives_the_losses_of_its_trace(home, recipe):
    name = recipe.stem
    trace = json.loads((TRACES / f"{name}.json").read_text())
    run = home / "runs" / name
    prepared = _prepared(recipe)
    data = prepared[prepared.index("--name") + 1]
    if DRAWINGS in prepared:
        _skip_unless_drawn_alike(home / "datasets" / data, name)
    training = _run(home, ["train", "--recipe", name, "--data", data, "--name", name])
    try:
        while not (run / "metrics.jsonl").is_file() or len(first_losses(run)) < STEPS / 10:
            assert training.poll() is None, "the run ended"
            time.sleep(1)
    finally:
        training.send_signal(signal.SIGTERM)
        training.wait()
    found, wanted = first_losses(run), trace["losses"]
    if {key: trace[key] for key in machine()} == machine():
        assert found == wanted
    else:
        assert found[:SOON] == pytest.approx(wanted[:SOON], rel=ELSEWHERE)
