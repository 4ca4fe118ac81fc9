"""Every script of the repository starts, says what it does, and does it on something small."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import PrepareConfig
from srgan_cli.observer import SilentObserver
from tests.toolbox import tiny

ROOT = Path(__file__).parents[2]
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
        command, capture_output=True, text=True, check=True, env=environment(), cwd=ROOT
    )
    return json.loads(done.stdout)


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


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


@pytest.fixture
def script(monkeypatch, capsys):
    """Return a function that runs a script in this process and returns what it prints."""

    def run(name, *arguments):
        path = ROOT / name
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        monkeypatch.syspath_prepend(path.parent)
        capsys.readouterr()
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(1)


def started(name, *arguments):
    """Run a script in a process of its own and return what it prints."""
    command = [sys.executable, str(ROOT / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture
def large_photographs(home, tmp_path, make_photographs):
    """Make a folder of three photographs as large as some scripts need, and prepare it."""
    make_photographs(tmp_path / "large", count=3, size=(1000, 520))
    engine.prepare(PrepareConfig(tmp_path / "large"), SilentObserver())
    assert (home / "datasets" / "large-x2").is_dir()
    return tmp_path / "large"


@pytest.mark.usefixtures("prepared")
def test_loader_compares_crops_per_second(script):
    out = script("benchmarks/loader.py", "--images", 3, "--seconds", 0.05)
    assert re.search(r"srgan shards +\d+ crops/s per core", out)
    assert re.search(r"Pillow, PNG files +[\d.]+ crops/s per core, \d+ times fewer", out)


def test_presets_prints_a_row_for_each_scale(script):
    pytest.importorskip("onnxruntime")
    out = script("benchmarks/presets.py", "--presets", "plain", "--side", 16, "--rounds", 1)
    assert len(re.findall(r"^\| `plain` \| ×[24] \|( [\d.]+ \|){3}$", out, re.MULTILINE)) == 2


def test_races_scores_each_variant(script, prepared, tmp_path, make_photographs):
    for name in ("Set5", "Set14"):
        make_photographs(tmp_path / name, count=1, size=(48, 40))
    variants = [
        f"{kind}:kind={kind},channels=4,blocks=1,patch=16,batch=2" for kind in ("plain", "gate")
    ]
    out = script("benchmarks/races.py", prepared, tmp_path, *variants, "--minutes", 0.001)
    for kind in ("plain", "gate"):
        assert re.search(rf"^{kind} +\d+ parameters +\d+ steps  validation \d", out, re.MULTILINE)


def test_sizes_and_squares_read_photographs(script, large_photographs, home, tmp_path):
    out = script("benchmarks/sizes.py", large_photographs)
    assert "3 photographs" in out
    assert len(re.findall(r"^--size +\d+: +-?\d", out, re.MULTILINE)) == 7
    script("benchmarks/squares.py", home / "datasets/large-x2", large_photographs, tmp_path / "cut")
    (square,) = (tmp_path / "cut").iterdir()
    assert pixels(square).shape == (408, 408, 3)


def test_step_memory_estimates_and_measures(script):
    found = json.loads(script("benchmarks/step_memory.py", "plain", 16, 1))
    assert found["estimated_mib"] > 0


@pytest.mark.usefixtures("prepared")
def test_train_shows_the_parts_of_a_step(script):
    options = ("--batch", 2, "--width", 4, "--steps", 1, "--precision", "fp32")
    out = script("benchmarks/train.py", "overhead", *options)
    for phase in ("pixel", "wgan-gp"):
        assert f"{phase} step, batch 2, fp32" in out


@pytest.mark.slow
def test_domain_draws_pages_trains_on_some_and_compares_on_the_others(tmp_path):
    options = "--steps 1 --batch 1 --patch 16"
    out = started("benchmarks/domain.py", tmp_path, "--count", 1, "--options", options)
    drawn = [path.read_bytes() for path in tmp_path.glob("*/volume*.png")]
    assert len(drawn) == len(set(drawn)) == 10
    assert re.search(r"^\$ srgan train --init fidelity --name comics --steps 1", out, re.MULTILINE)
    assert re.search(r"│ comics +│ +\d+\.\d+ │", out)


@pytest.mark.slow
@pytest.mark.usefixtures("prepared")
def test_train_compares_with_a_plain_loop():
    options = ("--batch", 2, "--width", 4, "--steps", 1, "--rounds", 1, "--precision", "fp32")
    for phase in ("pixel", "vanilla", "wgan-gp"):
        out = started("benchmarks/train.py", phase, *options)
        assert re.search(r"^\| plain PyTorch \| [\d.]+ \|", out, re.MULTILINE)


@pytest.mark.parametrize("part", ["compact", "bundled", "rrdb"])
def test_upscale_times_one_way_alone(script, part):
    out = script("benchmarks/upscale.py", part, "--only", "srgan --runtime torch", "--side", 16)
    assert float(out.splitlines()[-1]) > 0


@pytest.mark.slow
def test_upscale_times_whole_commands(tmp_path, make_photographs):
    make_photographs(tmp_path, count=1)
    files = ("--photos", tmp_path, "--count", 1, "--largest", 2, "--rounds", 1)
    out = started("benchmarks/upscale.py", "files", "cold", *files)
    assert "| plain script | png |" in out
    assert "| the whole command |" in out


@pytest.mark.slow
def test_memory_tells_the_peak():
    out = started("benchmarks/memory.py", 80)
    assert len(re.findall(r"bits: \d+ MB peak", out)) == 4


def test_corpus_counts_outcomes(tmp_path, make_photographs):
    make_photographs(tmp_path, count=2, size=(20, 10))
    (tmp_path / "note.txt").write_text("no image")
    out = started("benchmarks/corpus.py", tmp_path)
    assert re.search(r"^ +2 right$", out, re.MULTILINE)
    assert re.search(r"^ +1 refused$", out, re.MULTILINE)


def test_fuzz_finds_no_problem_in_a_few_damaged_files():
    out = started("benchmarks/fuzz.py", "--images", 40, "--files", 0, "--seed", 1)
    counted = re.findall(r"^ *(\d+) images, .*: (?:made|refused)$", out, re.MULTILINE)
    assert sum(map(int, counted)) == 42  # Two of them are whole.
    assert re.search(r"^ *0 problems$", out, re.MULTILINE)


@pytest.mark.slow
def test_fuzz_tries_damaged_side_files():
    out = started("benchmarks/fuzz.py", "--images", 0, "--files", 20, "--seed", 1)
    counted = re.findall(r"^ *(\d+) side files, .*: exit code \d+$", out, re.MULTILINE)
    assert sum(map(int, counted)) == 20
    assert re.search(r"^ *0 problems$", out, re.MULTILINE)


def test_photo_tree_and_its_report_agree(tmp_path, make_photographs):
    make_photographs(tmp_path / "in", count=8, size=(700, 640))
    started("benchmarks/photo_tree.py", tmp_path / "in", tmp_path / "tree", "--count", 60)
    out = started("benchmarks/tree_report.py", tmp_path / "tree")
    assert re.search(r"^good +\d+ of \d+$", out, re.MULTILINE)


@pytest.mark.slow
def test_prepare_is_measured_beside_a_plain_loop(tmp_path, make_photographs):
    make_photographs(tmp_path, count=3, size=(140, 132))
    out = started("benchmarks/prepare.py", tmp_path, "--copies", 1, "--part", 1, "--rounds", 1)
    assert re.search(r"^Pillow loop, PNG +\d+ MP", out, re.MULTILINE)


@pytest.mark.slow
def test_looks_says_which_bars_are_met(script, tmp_path, make_photographs):
    make_photographs(tmp_path / "set", count=2, size=(96, 96))
    out = script("benchmarks/looks.py", tmp_path / "set", "--between", 0.5)
    assert "| strength 0.5 |" in out
    assert re.search(r"^- (met|\*\*not met\*\*): set: NIQE", out, re.MULTILINE)


def test_before_and_after_are_drawn(script, tmp_path):
    script("tools/build_pictures.py", "--to", tmp_path / "drawn.png")
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
