"""Every script of benchmarks/ runs on something small; none measures anything here."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from srgan_cli import engine
from srgan_cli.config import PrepareConfig
from srgan_cli.observer import SilentObserver
from tests.toolbox.scripts import ROOT, started

pytestmark = pytest.mark.thorough


@pytest.fixture
def large_photographs(home, tmp_path, make_photographs):
    """Make a folder of three photographs as large as some scripts need, and prepare it."""
    make_photographs(tmp_path / "large", count=3, size=(1000, 520))
    engine.prepare(PrepareConfig(tmp_path / "large"), SilentObserver())
    assert (home / "datasets" / "large-x2").is_dir()
    return tmp_path / "large"


def test_each_script_has_a_run_here():
    runs = Path(__file__).read_text()
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        if '__name__ == "__main__"' in path.read_text():
            assert f'"benchmarks/{path.name}"' in runs


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
    with Image.open(square) as image:
        assert (image.size, image.mode) == ((408, 408), "RGB")


def test_png_compares_ways_to_write_results(script, tmp_path, make_photographs):
    images = make_photographs(tmp_path / "out", count=2, size=(64, 48))
    out = script("benchmarks/png.py", *images)
    assert "2 images" in out
    assert re.search(r"^\| level 6 \| \d+ \| 1.00 \| 1.00 \|$", out, re.MULTILINE)
    assert re.search(r"^\| runs only \(srgan\) \| \d+ \| \d", out, re.MULTILINE)


def test_step_memory_estimates_and_measures(script):
    found = json.loads(script("benchmarks/step_memory.py", "plain", 16, 1))
    assert found["estimated_mib"] > 0


@pytest.mark.usefixtures("prepared")
def test_train_shows_the_parts_of_a_step(script):
    options = ("--batch", 2, "--width", 4, "--steps", 1, "--precision", "fp32")
    out = script("benchmarks/train.py", "overhead", *options)
    for phase in ("pixel", "wgan-gp"):
        assert f"{phase} step, batch 2, fp32" in out


def test_domain_draws_pages_that_are_all_different(script, tmp_path):
    script("benchmarks/domain.py", tmp_path, "--count", 1, "--pages")
    drawn = [path.read_bytes() for path in tmp_path.glob("*/volume*.png")]
    assert len(drawn) == len(set(drawn)) == 10


@pytest.mark.slow
def test_domain_trains_on_some_pages_and_compares_on_the_others(tmp_path):
    options = "--steps 1 --batch 1 --patch 16"
    out = started("benchmarks/domain.py", tmp_path, "--count", 1, "--options", options)
    assert re.search(r"^\$ srgan train --init fidelity --name comics --steps 1", out, re.MULTILINE)
    assert re.search(r"│ comics +│ +\d+\.\d+ │", out)


@pytest.mark.usefixtures("prepared")
@pytest.mark.slow
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


def test_prepare_is_measured_beside_a_plain_loop(tmp_path, make_photographs):
    make_photographs(tmp_path, count=3, size=(140, 132))
    out = started("benchmarks/prepare.py", tmp_path, "--copies", 1, "--part", 1, "--rounds", 1)
    assert re.search(r"^Pillow loop, PNG +\d+ MP", out, re.MULTILINE)


def test_looks_says_which_bars_are_met(script, tmp_path, make_photographs):
    make_photographs(tmp_path / "set", count=2, size=(96, 96))
    out = script("benchmarks/looks.py", tmp_path / "set", "--between", 0.5)
    assert "| strength 0.5 |" in out
    assert re.search(r"^- (met|\*\*not met\*\*): set: NIQE", out, re.MULTILINE)


def test_python_api_is_measured_beside_the_command():
    out = started("benchmarks/python_api.py", "--images", 1)
    assert re.search(r"^load\(\).upscale_image +1 images: +[\d.]+ s", out, re.MULTILINE)
    assert re.search(r"^srgan upscale +1 images: +[\d.]+ s", out, re.MULTILINE)


def test_restore_measures_each_model_between_bicubic_and_a_teacher(
    script, tmp_path, make_photographs
):
    make_photographs(tmp_path / "set", count=1, size=(96, 96))
    options = ("--scale", 2, "--model", "photo-x2", "--strength", "mild")
    out = script("benchmarks/restore.py", tmp_path / "set", *options, "--teacher", "fidelity-x2")
    assert re.search(r"^\| bicubic \| [\d.]+ \| [\d.]+ \| 0.00 \|$", out, re.MULTILINE)
    assert re.search(r"^\| fidelity-x2 \| .* \| 1.00 \|$", out, re.MULTILINE)
    assert "| photo-x2 |" in out


def test_restore_measures_the_choice_beside_the_better_model(script, tmp_path, make_photographs):
    make_photographs(tmp_path / "set", count=1, size=(96, 96))
    options = ("--model", "photo-x4", "--model", "restore-x4", "--model", "auto")
    out = script("benchmarks/restore.py", tmp_path / "set", *options, "--strength", "clean")
    rows = dict(re.findall(r"^\| ([a-z0-9 -]+) \| (.*) \|$", out, re.MULTILINE))
    assert rows["auto"] in {rows["photo-x4"], rows["restore-x4"]}
    assert "the better one" in rows


def test_damage_counts_what_is_taken_as_damaged(script, tmp_path, make_photographs):
    make_photographs(tmp_path / "set", count=1, size=(512, 512))
    out = script("benchmarks/damage.py", tmp_path / "set")
    assert "| clean | 1 | 0.0% | 0.0% | 0.0% |" in out
    assert "| JPEG 30 | 1 | 100.0% | 100.0% | 0.0% |" in out


def test_restore_draws_sheets(script, tmp_path, make_photographs):
    make_photographs(tmp_path / "set", count=1, size=(120, 100))
    options = ("--scale", 2, "--model", "photo-x2", "--look", tmp_path / "sheets")
    script("benchmarks/restore.py", tmp_path / "set", *options)
    with Image.open(tmp_path / "sheets" / "photo-00.png") as sheet:
        assert sheet.size == (384, 192)


def test_record_keeps_machine_versions_command_and_what_was_printed(tmp_path, make_photographs):
    (photograph,) = make_photographs(tmp_path / "in", count=1, size=(32, 24))
    names = ("benchmarks/png.py", photograph)
    out = started("benchmarks/record.py", "png", "--to", tmp_path, "--", *names)
    (path,) = tmp_path.glob("png-????-??-??.md")
    text = path.read_text()
    assert text.startswith(f"# png, {path.stem[-10:]}\n")
    assert f"$ python benchmarks/png.py {photograph}" in text
    assert "torch" in text
    assert "cores" in text
    assert out.strip().splitlines()[-1] in text
    started("benchmarks/record.py", "png", "--to", tmp_path, "--", *names)
    again = path.read_text()
    assert again.startswith(text)
    assert again.count("$ python") == 2


def test_record_keeps_nothing_of_a_script_that_fails(tmp_path):
    with pytest.raises(AssertionError):
        started("benchmarks/record.py", "x", "--to", tmp_path, "--", "benchmarks/sizes.py")
    assert not list(tmp_path.iterdir())


def test_quality_is_drawn_against_seconds(script, tmp_path, make_photographs):
    pytest.importorskip("matplotlib", reason="pip install 'srgan-cli[figures]'")
    make_photographs(tmp_path / "set", count=1, size=(96, 96))
    image = tmp_path / "quality.png"
    models = ("--scale", 2, "--teacher", "fidelity-x2", "--model", "photo-x2")
    small = ("--photograph", 0.003, "--rounds", 1, "-o", image)
    out = script("benchmarks/quality.py", tmp_path / "set", *models, *small)
    assert [line.split()[0] for line in out.splitlines()] == ["fidelity-x2", "photo-x2", "bicubic"]
    measured = json.loads(image.with_suffix(".json").read_text())
    assert measured["models"]["bicubic"]["r"] == 0
    assert measured["models"]["fidelity-x2"]["r"] == 1
    assert all(point["seconds"] > 0 for point in measured["models"].values())
    again = tmp_path / "again.png"
    script("benchmarks/quality.py", "--drawn", image.with_suffix(".json"), "-o", again)
    assert again.read_bytes() == image.read_bytes()


def test_devices_are_compared_with_the_cpu(script):
    # The CPU in the place of a GPU, so that it runs anywhere; the real one has tests of its own.
    small = ("--device", "cpu", "--largest", 4)
    out = script("benchmarks/vulkan.py", "fidelity-x2", *small)
    assert "fidelity-x2" in out
