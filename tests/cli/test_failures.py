"""Everything a stranger types wrongly ends with one error, one hint and the documented code."""

import errno
import os
import re

import pytest
from PIL import Image

from srgan_cli import errors
from srgan_cli.cli import exit_codes
from srgan_cli.data import prepare
from srgan_cli.engine.inference.upscaler import Upscaler
from tests.toolbox import TINY, assert_fails, files_below

LONG = "x" * 300


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nope", ["nope"]),
        ("--nope", ["--nope"]),
        ("train --nope", ["--nope"]),
        ("prepare", ["FOLDER"]),
        ("upscale", ["IMAGE"]),
        ("upscale a.png -o out --in-place", ["--output"]),
        ("train extra", ["extra"]),
        ("train --resume", ["--resume"]),
        ("train --epochs x", ["--epochs"]),
        ("train --epochs 0", ["--epochs is 0", "at least 1"]),
        ("train --steps 0", ["--steps is 0"]),
        ("train --batch -1", ["--batch is -1"]),
        ("train --patch 8", ["--patch is 8"]),
        ("train --pretrain 1.5", ["--pretrain is 1.5", "from 0 to 1"]),
        ("train --pretrain nan", ["--pretrain is nan"]),
        ("train --ema 1", ["--ema is 1"]),
        ("train --learning-rate 0", ["--learning-rate is 0"]),
        ("train --pixel-weight -1", ["--pixel-weight is -1", "0 or more"]),
        ("train --perceptual-weight inf", ["--perceptual-weight is inf"]),
        ("train --seed -1", ["--seed is -1"]),
        ("train --seed 99999999999", ["--seed"]),
        ("train --precision fp8", ["fp8", "bf16"]),
        ("train --preset huge", ["huge", "compact, standard, esrgan"]),
        ("train --name a/b", ["--name", "a/b"]),
        ("train --name ..", ["--name", ".."]),
        (f"train --name {LONG}", ["--name"]),
        ("train --steps 5 --epochs 5", ["--steps", "--epochs"]),
        ("train --resume tiny --batch 4", ["--resume", "--batch"]),
        ("train --resume tiny --seed 4 --ema 0.5", ["--ema, --seed"]),
        ("prepare . --scale 5", ["--scale is 5", "2, 3, 4 or 8"]),
        ("prepare . --scale two", ["--scale"]),
        ("prepare . --min-side 2", ["--min-side is 2"]),
        ("prepare . --max-side 10", ["--max-side is 10"]),
        ("prepare . --max-side 100 --min-side 200", ["--max-side", "--min-side"]),
        ("prepare . --validation 0", ["--validation is 0"]),
        ("prepare . --seed -1", ["--seed is -1"]),
        ("prepare . --name .hidden", ["--name", ".hidden"]),
        ("upscale a.png -o out --scale 33", ["--scale is 33"]),
        ("upscale a.png -o out --tile 4", ["--tile is 4"]),
        ("upscale a.png -o out --tile big", ["--tile"]),
        ("upscale a.png -o out --suffix a/b", ["--suffix"]),
        ("upscale a.png -o out --max-pixels 0", ["--max-pixels is 0"]),
        ("eval --border -1", ["--border is -1"]),
        ("eval --scale 0", ["--scale is 0"]),
    ],
)
def test_wrong_usage_is_told_in_two_lines(srgan, line, words):
    assert_fails(srgan(*line.split()), 2, *words)


@pytest.mark.parametrize("value", ["meta", "quux", ""])
def test_unknown_device_is_wrong_usage(srgan, make_photographs, tmp_path, value):
    (image,) = make_photographs(tmp_path, count=1)
    assert_fails(srgan("upscale", image, "-o", tmp_path / "out", "--device", value), 2, "cuda:1")


@pytest.mark.parametrize("line", ["prepare nowhere", "upscale nowhere -o out", "eval nowhere"])
def test_missing_folder_is_unusable_input(srgan, line):
    assert_fails(srgan(*line.split()), 3, "nowhere: no such")


@pytest.mark.parametrize("command", ["prepare", "upscale", "eval"])
def test_folder_without_images_is_unusable_input(srgan, tmp_path, command):
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    options = ["-o", tmp_path / "out"] if command == "upscale" else []
    assert_fails(srgan(command, folder, *options), 3, "empty: no images")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ["train", "eval"])
def test_missing_data_set_names_the_command_that_makes_one(srgan, line):
    assert_fails(srgan(line), 3, "no data set", "srgan prepare FOLDER")


@pytest.mark.usefixtures("used_home")
def test_unknown_data_set_lists_the_known_ones(srgan):
    assert_fails(srgan("train", "--data", "nope"), 3, "nope", "photos-x2")


@pytest.mark.usefixtures("used_home")
def test_unknown_run_lists_the_known_ones(srgan):
    assert_fails(srgan("train", "--resume", "nope"), 3, "nope", "tiny")


@pytest.mark.parametrize("command", ["upscale a.png -o out", "eval"])
def test_unknown_model_gets_a_suggestion(srgan, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 20)).save("a.png")
    result = srgan(*command.split(), "--model", "fidelty-x2")
    assert_fails(result, 4, "fidelty-x2", "did you mean fidelity-x2?")


@pytest.mark.usefixtures("used_home")
def test_wrong_scale_for_the_weights_names_both(srgan, make_photographs, tmp_path):
    make_photographs(tmp_path / "in", count=1)
    result = srgan("eval", tmp_path / "in", "--model", "tiny", "--scale", 4)
    assert_fails(result, 4, "tiny: trained for ×2, but --scale is 4", "pass --scale 2")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["cut", "text", "other", "missing", "folder"])
def test_damaged_weights_are_refused(srgan, made, make_photographs, tmp_path, damage):
    whole = (made / "runs/tiny/weights.safetensors").read_bytes()
    path = tmp_path / "w.safetensors"
    match damage:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "text":
            path.write_text("not weights")
        case "other":
            (shard,) = (made / "datasets/photos-x2").glob("shard-*")
            path.write_bytes(shard.read_bytes())
        case "folder":
            path.mkdir()
    (image,) = make_photographs(tmp_path / "in", count=1)
    result = srgan("upscale", image, "-o", tmp_path / "out", "--model", path)
    assert_fails(result, 4, "w.safetensors")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--init", "--perceptual"])
@pytest.mark.parametrize("kind", ["missing", "folder", "text"])
def test_unusable_weights_for_training_are_refused_before_a_run_is_made(
    srgan, used_home, tmp_path, option, kind
):
    path = tmp_path / "w"
    if kind == "folder":
        path.mkdir()
    if kind == "text":
        path.write_text("not weights")
    result = srgan("train", *TINY, option, path, "--name", "new")
    assert_fails(result, 4, str(path))
    assert not (used_home / "runs/new").exists()


def test_weights_that_are_not_tied_do_not_begin_a_tied_run(srgan, used_home):
    sizes = ("--preset", "plain", "--channels", 8, "--num-convs", 2)
    plain = (*TINY, *sizes, "--steps", 2, "--pretrain", 1)
    assert srgan("train", *plain, "--name", "free").code == 0
    assert srgan("train", *plain, "--equivariant", "--name", "tied").code == 0
    weights = [used_home / "runs" / name / "weights.safetensors" for name in ("free", "tied")]
    result = srgan("train", *plain, "--equivariant", "--init", weights[0], "--name", "new")
    assert_fails(result, 2, "was trained without --equivariant", "remove --equivariant")
    assert not (used_home / "runs/new").exists()
    assert srgan("train", *plain, "--equivariant", "--init", weights[1], "--name", "new").code == 0


def test_existing_run_is_never_written_over(srgan, used_home):
    before = (used_home / "runs/tiny/weights.safetensors").read_bytes()
    assert_fails(srgan("train", *TINY, "--name", "tiny"), 2, "tiny", "--init tiny")
    assert (used_home / "runs/tiny/weights.safetensors").read_bytes() == before


def test_existing_data_set_is_never_written_over(srgan, used_home, make_photographs, tmp_path):
    make_photographs(tmp_path / "photos", count=3, seed=5)
    before = (used_home / "datasets/photos-x2/manifest.json").read_bytes()
    assert_fails(srgan("prepare", tmp_path / "photos"), 2, "photos-x2", "--overwrite")
    assert (used_home / "datasets/photos-x2/manifest.json").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', ""])
def test_damaged_data_set_is_told(srgan, used_home, text):
    (used_home / "datasets/photos-x2/manifest.json").write_text(text)
    assert_fails(srgan("train", *TINY), 3, "manifest.json", "srgan prepare")


def test_damaged_shard_is_told(srgan, used_home):
    (shard,) = (used_home / "datasets/photos-x2").glob("shard-*.safetensors")
    shard.write_bytes(shard.read_bytes()[:1000])
    assert_fails(srgan("train", *TINY), 3, shard.name, "prepare")


@pytest.mark.parametrize("pattern", ["checkpoints/step-*", "config.toml"])
@pytest.mark.parametrize("damage", ["text", "cut"])
def test_damaged_run_cannot_be_resumed(srgan, used_home, pattern, damage):
    paths = sorted((used_home / "runs/tiny").glob(pattern))
    for path in paths:
        path.write_bytes(b"{}" if damage == "text" else path.read_bytes()[:100])
    code = 3 if pattern == "config.toml" else 4
    assert_fails(srgan("train", "--resume", "tiny"), code, paths[-1].name)


@pytest.mark.usefixtures("used_home")
def test_patch_larger_than_the_images_is_told(srgan):
    result = srgan("train", *TINY, "--patch", "1000")
    assert_fails(result, 3, "smaller than --patch 1000", "--patch 64 or less")


def test_model_of_another_scale_than_the_data_set_is_told(srgan, make_photographs, tmp_path):
    make_photographs(tmp_path / "p", count=2, size=(136, 128))
    assert srgan("prepare", tmp_path / "p", "-s", 4, "--min-side", 64).code == 0
    assert_fails(srgan("eval"), 3, "p-x4 has ×4, but the model is ×2")


def test_missing_device_is_a_lacking_resource(srgan, make_photographs, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    (image,) = make_photographs(tmp_path, count=1)
    assert_fails(
        srgan("upscale", image, "-o", tmp_path / "o", "--device", "cuda"), 5, "--device cpu"
    )


@pytest.mark.parametrize(
    "line",
    [
        f"upscale {LONG} -o out",
        f"upscale a.png -o out --model {LONG}",
        f"upscale a.png -o {LONG}",
        f"train --data {LONG}",
        f"train --resume {LONG}",
        f"prepare {LONG}",
        f"eval {LONG}",
    ],
)
def test_names_that_no_disk_takes_are_no_bug(srgan, monkeypatch, tmp_path, line):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (20, 20)).save("a.png")
    result = srgan(*line.split())
    if result.code == 3 and "--resume" in line:  # Looking for it does not fail since Python 3.13.
        assert_fails(result, 3, "no run called")
    else:
        assert_fails(result, 5, "File name too long")


@pytest.mark.parametrize("line", ["prepare p", "train --data made"])
def test_home_that_cannot_be_written_is_a_lacking_resource(
    srgan, monkeypatch, made, make_photographs, tmp_path, line
):
    monkeypatch.chdir(tmp_path)
    make_photographs(tmp_path / "p", count=2)
    (tmp_path / "made").symlink_to(made / "datasets/photos-x2")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "file"))
    options = TINY if line.startswith("train") else ()
    assert_fails(srgan(*line.split(), *options), 5, "Not a directory")


def test_full_disk_is_a_lacking_resource_and_leaves_nothing(
    srgan, monkeypatch, make_photographs, tmp_path
):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (image,) = make_photographs(tmp_path / "in", count=1)
    monkeypatch.setattr(os, "fsync", full)
    assert_fails(srgan("upscale", image, "-o", tmp_path / "out"), 5, "No space left on device")
    assert files_below(tmp_path / "out") == []


def test_lack_of_memory_is_no_bug(srgan, monkeypatch, make_photographs, tmp_path):
    def greedy(*_):
        raise MemoryError("Unable to allocate 3 TiB")

    (image,) = make_photographs(tmp_path, count=1)
    monkeypatch.setattr(Upscaler, "bands", greedy)
    result = srgan("upscale", image, "-o", tmp_path / "out")
    assert result.code == 7
    assert "not enough memory" in result.err


def test_lack_of_memory_in_torch_is_no_bug(srgan, monkeypatch, tmp_path):
    def greedy(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 3 TiB")

    monkeypatch.setattr(prepare, "plan", greedy)
    assert_fails(srgan("prepare", tmp_path), 5, "out of memory", "smaller")


def test_any_other_runtime_error_is_ours_to_see(srgan, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(prepare, "plan", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        srgan("prepare", tmp_path)


def test_failed_images_give_code_7_and_the_rest_is_written(srgan, make_photographs, tmp_path):
    good, bad = make_photographs(tmp_path / "in", count=2, size=(40, 30))
    bad.write_bytes(b"no JPEG")
    result = srgan("upscale", tmp_path / "in", "-o", tmp_path / "out", "--json")
    assert result.code == 7
    assert [item["source"] for item in result.document["written"]] == [str(good)]
    assert [item["source"] for item in result.document["failed"]] == [str(bad)]
    (failed,) = result.document["failed"]
    assert f"warning: {failed['reason']}\n   hint: {failed['hint']}\n" in result.err
    assert (tmp_path / "out" / good.name).is_file()


def test_images_that_cannot_be_scored_give_code_7(srgan, make_photographs, tmp_path):
    _, bad = make_photographs(tmp_path / "in", count=2, size=(40, 30))
    bad.write_bytes(b"no JPEG")
    result = srgan("eval", tmp_path / "in", "--json")
    assert result.code == 7
    (scored,) = result.document["sets"]
    assert len(scored["images"]) == len(scored["failed"]) == 1
    assert re.search(rf"warning: {re.escape(scored['failed'][0])}\n   hint: \S.*\n", result.err)
    assert srgan("eval", tmp_path / "in").code == 7


def test_every_expected_failure_has_an_exit_code():
    kinds = errors.SrganError.__subclasses__()
    assert len(kinds) == 5
    codes = [exit_codes.exit_code(kind("a", hint="b")) for kind in kinds]
    assert sorted(codes) == [2, 3, 4, 5, 6]


def test_file_name_cannot_control_the_terminal(srgan, make_photographs, tmp_path):
    make_photographs(tmp_path / "in", count=1, size=(40, 30))
    (tmp_path / "in" / "\x1b[31mred\n.png").write_bytes(b"no PNG")
    result = srgan("upscale", tmp_path / "in", "-o", tmp_path / "out")
    assert result.code == 7
    assert "\x1b" not in result.err + result.out
    assert len([line for line in result.err.splitlines() if "red" in line]) == 1


def test_every_failure_carries_a_message_and_a_hint():
    error = errors.InputError("what", hint="how")
    assert (error.message, error.hint, str(error)) == ("what", "how", "what")
