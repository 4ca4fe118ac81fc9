"""prepare → train → upscale → eval, where each step takes what the one before made."""

import pytest
from PIL import Image

from srgan_cli.engine.models.shelf import BUNDLED
from tests.toolbox import TINY, call, files_below


@pytest.fixture
def srgan(capsys, home, monkeypatch):  # noqa: ARG001 - an empty home
    """Return a function that runs a command that must succeed."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        result = call(capsys, *arguments)
        assert result.code == 0, result.err
        return result

    return run


def first_line(result):
    return result.err.splitlines()[0]


def test_a_set_with_enough_validation_images_is_not_called_too_small(
    srgan, tmp_path, make_photographs
):
    make_photographs(tmp_path / "many", count=50, size=(64, 64))
    prepared = srgan("prepare", tmp_path / "many", "--min-side", 64)
    assert prepared.code == 0, prepared.err
    assert "too few" not in prepared.out


def test_every_command_takes_what_the_one_before_made_and_says_so(
    srgan, home, tmp_path, photographs
):
    picture = photographs / "photo-00.png"

    before = srgan("upscale", picture, "-o", tmp_path / "before")
    assert first_line(before).startswith(f"model: {BUNDLED[0]} (bundled; no training run yet), ×2")

    prepared = srgan("prepare", photographs)
    assert first_line(prepared) == f"images: 12 files in {photographs}"
    assert "too few validation images" in prepared.out
    assert "next: srgan train" in prepared.out
    manifest, shard = files_below(home / "datasets/photos-x2")
    assert manifest == "manifest.json"
    assert shard.startswith("shard-")

    trained = srgan("train", *TINY, "--validate-every", 100)
    assert first_line(trained) == "data set: photos-x2 (the newest prepared), ×2, 12 images"
    (run,) = (home / "runs").iterdir()
    assert files_below(run) == [
        *("best.safetensors", "checkpoints"),
        *(f"checkpoints/step-0000000{step}.safetensors" for step in (0, 3, 6)),
        *("config.toml", "metrics.jsonl", "pretrain.safetensors", "qualification.json"),
        "report.html",
        *("sheets", "sheets/step-00000003.png", "sheets/step-00000006.png"),
        "weights.safetensors",
    ]
    # Six steps earn nothing, and what to do next says so.
    assert f"next: srgan eval --model {run.name}, or train it further" in trained.out
    assert f"srgan train --init {run.name}" in trained.out

    # Six steps earn nothing: the bundled model stays until the run is chosen.
    after = srgan("upscale", picture, "-o", tmp_path / "stays")
    assert first_line(after).startswith(
        f"model: {BUNDLED[0]} (bundled; your run {run.name} is not used: "
    )
    assert f"--model {run.name}, or srgan models default {run.name}" in first_line(after)
    assert f"srgan upscale keeps using {BUNDLED[0]}" in trained.out
    srgan("models", "default", run.name)
    after = srgan("upscale", picture, "-o", tmp_path / "after")
    assert first_line(after).startswith(f"model: {run.name} (your default), ×2")
    images = [Image.open(tmp_path / folder / picture.name) for folder in ("before", "after")]
    assert [image.size for image in images] == [(272, 256)] * 2
    assert images[0].tobytes() != images[1].tobytes()

    scored = srgan("eval")
    assert first_line(scored).startswith("model: photo-x2 (bundled), ×2")
    assert f"model: {run.name} (the newest run), ×2" in scored.err
    assert f"{run.name} against photo-x2: too few images" in scored.out
    assert (
        f"data set: photos-x2 (the set that {run.name} was trained on), 1 validation image\n"
        in scored.err
    )
    assert "protocol: Y channel" in scored.out

    bundled = srgan("eval", "--model", "fidelity-x2")
    assert first_line(bundled).startswith("model: fidelity-x2 (--model), ×2")


def test_newer_things_are_taken_before_older_ones(srgan, home, photographs):
    srgan("prepare", photographs)
    srgan("prepare", photographs, "--scale", 4, "--min-side", 64)
    assert "data set: photos-x4 (the newest prepared), ×4" in first_line(
        srgan("train", *TINY, "--name", "four")
    )
    assert "model: four (the newest run), ×4" in srgan("eval").err
    named = srgan("train", *TINY, "--name", "two", "--data", "photos-x2")
    assert first_line(named) == "data set: photos-x2 (--data), ×2, 12 images"
    picture = photographs / "photo-00.png"
    out = home / "out"
    assert "model: two (the newest run), ×2" in srgan("eval").err
    named = srgan("upscale", picture, "-o", out, "--model", "four", "--overwrite")
    assert first_line(named).startswith("model: four (--model), ×4")
    with Image.open(out / picture.name) as image:
        assert image.size == (544, 512)
    by_file = home / "runs" / "four" / "weights.safetensors"
    named = srgan("upscale", picture, "-o", out, "--model", by_file, "--overwrite")
    assert first_line(named).startswith("model: weights.safetensors (--model), ×4")


def test_a_blend_is_measured_on_the_set_that_its_models_were_trained_on(srgan, photographs):
    srgan("prepare", photographs)
    srgan("train", *TINY, "--name", "one")
    srgan("prepare", photographs, "--name", "newer", "--seed", 1)
    srgan("models", "blend", "one", "one", "--name", "half")
    said = srgan("eval", "--model", "half").err
    assert "photos-x2 (the set that half was trained on)" in said
