"""Recipes of the bundled weights, begun anew: their first losses are those that were noted."""

import functools
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
DRAWINGS, TAUGHT = "DRAWINGS", "TAUGHT"
COMMANDS = re.compile(r"^# (?:pip install \S+ && )?((?:python|srgan prepare) .*)$", re.MULTILINE)
SOON = 3
"""Losses that are alike there: rounding makes adversarial runs differ more and more."""


@pytest.fixture(scope="module")
def home(shared_data, tmp_path_factory):
    """Return a home, and a function that prepares in it what a recipe names, once."""
    home = tmp_path_factory.mktemp("home")
    return home, functools.cache(lambda recipe: _prepare(home, shared_data, recipe))


def _prepare(home, shared_data, recipe):
    """Run the commands of a recipe's head, but for the last; return the data set, if it is one."""
    sets = [shared_data / "bench" / name for name in ("Set5", "Set14", "B100")]
    folders = {"PHOTOS": shared_data / "photos", DRAWINGS: home / "drawings"}
    folders[TAUGHT] = home / recipe.stem
    *scripts, prepare = [line.split() for line in COMMANDS.findall(recipe.read_text())]
    data = home / "datasets" / prepare[prepare.index("--name") + 1]
    if data.is_dir():
        return data
    for words in scripts:
        command = [str(folders.get(word, word)) for word in words[1:]]
        environment = os.environ | {"SRGAN_HOME": str(home)}
        run = [sys.executable, *command]
        if subprocess.run(run, cwd=ROOT, env=environment, check=False).returncode:
            pytest.skip(f"{words[1]} cannot run on this machine")
    named = prepare[1 : prepare.index("--exclude")]
    excluded = [word for folder in sets for word in ("--exclude", str(folder))]
    command = [str(folders.get(word, word)) for word in named]
    assert _run(home, [*command, *excluded]).wait() == 0
    return data


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
    shipped = start.is_relative_to(ROOT / "srgan_cli")
    assert start.with_suffix(".toml") in STAGES or (
        shipped and start.stem in {stage.stem for stage in STAGES}
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_gives_the_losses_of_its_trace(home, recipe):
    folder, prepared = home
    name = recipe.stem
    trace = json.loads((TRACES / f"{name}.json").read_text())
    run = folder / "runs" / name
    data = prepared(recipe)
    if DRAWINGS in recipe.read_text():
        _skip_unless_drawn_alike(data, name)
    training = _run(folder, ["train", "--recipe", name, "--data", data.name, "--name", name])
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
