"""Every script starts and says what it does; those of benchmarks/ run in tests/benchmarks."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import PlainConfig
from srgan_cli.engine.models.weights import ModelSource, load_model, save_weights
from srgan_cli.engine.networks.equivariance import Equivariance
from srgan_cli.observer import SilentObserver
from tests.toolbox import random_generator, scripts, tiny
from tests.toolbox.scripts import ROOT

FILES = sorted(
    path for folder in ("benchmarks", "tools", "recipes") for path in (ROOT / folder).glob("*.py")
)
SCRIPTS = [path for path in FILES if '__name__ == "__main__"' in path.read_text()]

ASK_ALL = """
import contextlib, io, json, runpy, sys
from pathlib import Path

answers = {}
for name in sys.argv[1:]:
    known, path, out = set(sys.modules), list(sys.path), io.StringIO()
    sys.argv, sys.path[0] = [name, "--help"], str(Path(name).parent)
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(name, run_name="__main__")
        code = "it went on without parsing the command line"
    except SystemExit as ended:
        code = ended.code
    sys.path[:] = path
    answers[name] = [code, out.getvalue(), "torch" in set(sys.modules) - known]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    """Return exit code, output and whether PyTorch was imported, for --help of each script."""
    command = [sys.executable, "-c", ASK_ALL, *map(str, SCRIPTS)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=scripts.environment(), cwd=ROOT
    )
    return json.loads(done.stdout)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_each_script_says_what_it_does_without_importing_pytorch(answers, script):
    code, text, heavy = answers[str(script)]
    assert code == 0, text
    assert text.startswith(f"usage: {script.name}")
    sentence = re.match(r'"""([^:.]+)', script.read_text())[1]
    assert " ".join(sentence.split()) in " ".join(text.split())
    assert not heavy


def test_every_other_file_is_a_part_of_a_script():
    settings = (ROOT / "pyproject.toml").read_text() + (ROOT / "mkdocs.yml").read_text()
    hooks = {path for path in FILES if f"tools/{path.name}" in settings}
    for path in set(FILES) - set(SCRIPTS) - hooks:
        uses = rf"^\s*(from|import) {path.stem}\b"
        others = [other for other in path.parent.glob("*.py") if other != path]
        assert any(re.search(uses, other.read_text(), re.MULTILINE) for other in others), path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_before_and_after_are_drawn(script, tmp_path):
    script("tools/build_before_after.py", "--to", tmp_path / "drawn.png")
    drawn, kept = (
        pixels(path) for path in (tmp_path / "drawn.png", ROOT / "docs/images/before-after.png")
    )
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).max() <= 1


def test_the_last_panel_of_a_run_is_drawn(script, tmp_path):
    (tmp_path / "log").write_text("╭─ first ─╮\r\n╰─╯\r\n╭─ last but one ─╮\r\n╰─╯\r\n╭─╮\r\n╰─╯")
    script("tools/build_training_screen.py", tmp_path / "log", tmp_path / "screen.svg")
    text = (tmp_path / "screen.svg").read_text()
    assert "last&#160;but&#160;one" in text


@pytest.mark.usefixtures("prepared")
def test_a_run_is_bundled_under_another_name_with_the_same_numbers(script, tmp_path):
    run = engine.train(tiny(name="r"), SilentObserver()).run
    script("recipes/bundle.py", run, "mine-x2", "--to", tmp_path)
    made, before = (
        load_model(engine.find_model(str(path), None))
        for path in (tmp_path / "mine-x2.safetensors", run)
    )
    assert made.trained["run"] == made.trained["config"]["name"] == "mine-x2"
    assert made.trained["steps"] == before.trained["steps"]
    numbers = before.generator.state_dict()
    assert all(
        torch.equal(value, numbers[key]) for key, value in made.generator.state_dict().items()
    )
    with pytest.raises(SystemExit, match="ends in -x2"):
        script("recipes/bundle.py", run, "mine-x4", "--to", tmp_path)


def test_weights_are_averaged_by_their_shares_and_tied(script, tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for seed, path in enumerate(paths):
        save_weights(path, random_generator(PlainConfig(2, 8, 1), seed=seed), {})
    shares = (f"{paths[0]}=0.75", f"{paths[1]}=0.25", "--to", tmp_path / "mean.safetensors")
    script("recipes/mean.py", *shares)
    one, other, mean = (
        load_model(ModelSource("m", path, "named")).generator
        for path in (*paths, tmp_path / "mean.safetensors")
    )
    wanted = 0.75 * one.conv_last.weight + 0.25 * other.conv_last.weight
    torch.testing.assert_close(mean.conv_last.weight, wanted)
    assert not Equivariance(mean).holds()
    script("recipes/mean.py", *shares, "--tie")
    mean = load_model(ModelSource("m", tmp_path / "mean.safetensors", "named")).generator
    assert Equivariance(mean).holds()
    with pytest.raises(SystemExit, match="do not come to 1"):
        script("recipes/mean.py", *paths, *shares[2:])


@pytest.mark.usefixtures("prepared")
def test_trace_prints_the_losses_of_a_run(script):
    run = engine.train(tiny(name="r"), SilentObserver()).run
    trace = json.loads(script("recipes/trace.py", run))
    assert trace["torch"] == torch.__version__
    assert trace["losses"]


def test_curves_of_a_run_are_drawn(script, tmp_path):
    pytest.importorskip("matplotlib", reason="pip install 'srgan-cli[figures]'")
    records = [{"phase": "adversarial", "step": step, "pixel": 1 / step} for step in range(1, 30)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)))
    script("tools/plot_losses.py", tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (720, 1080, 3)
