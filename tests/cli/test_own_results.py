"""Results of earlier commands are known as such wherever they lie, and replacing one is said."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.toolbox import assert_fails, files_below, synthetic_photograph

pytestmark = pytest.mark.usefixtures("home")

FAST = ("--model", "fidelity-x2")


@pytest.fixture
def folder(srgan, tmp_path, monkeypatch):
    """Work beside ``f``, which holds ``a.png`` and its result ``a_x2.png``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").mkdir()
    Image.fromarray(synthetic_photograph(48, 40)).save("f/a.png")
    assert srgan("upscale", "f/a.png", *FAST).code == 0
    return tmp_path / "f"


@pytest.mark.parametrize("source", ["f", "f/*.png"])
def test_results_in_a_folder_are_not_upscaled_again_into_another(srgan, folder, tmp_path, source):
    (folder / ".srgan-ledger.jsonl").unlink()  # Their label is enough.
    shutil.copy(folder / "a.png", folder / "b_x2.png")  # A name of ours, but nobody's result.
    result = srgan("upscale", source, "-o", "out", *FAST)
    assert files_below(tmp_path / "out") == ["a.png", "b_x2.png"]
    assert "1 result of earlier commands is not upscaled again" in result.err
    assert "name each, and a folder" in result.err


def test_a_result_that_is_named_is_upscaled_again(srgan, folder, tmp_path):
    names = [folder / "a.png", folder / "a_x2.png"]
    assert srgan("upscale", *names, "-o", "out", *FAST).code == 0
    assert files_below(tmp_path / "out") == ["a.png", "a_x2.png"]


@pytest.mark.usefixtures("folder")
def test_a_folder_of_results_of_other_names_can_be_upscaled_once_more(srgan, tmp_path):
    assert srgan("upscale", "f", "-o", "x2", *FAST).code == 0
    assert srgan("upscale", "x2", "-o", "x4", *FAST).code == 0
    assert files_below(tmp_path / "x4") == ["a.png"]


@pytest.mark.usefixtures("folder")
def test_a_result_that_other_options_replace_is_said(srgan):
    assert "replaced" not in srgan("upscale", "f/a.png", "-o", "b.png", *FAST).out
    replacing = srgan("upscale", "f/a.png", "-o", "b.png", *FAST, "--scale", "3")
    assert replacing.out.startswith("×3: 1 written (1 replaced an earlier result), 0 failed")
    assert srgan("upscale", "f/a.png", "-o", "b.png", *FAST, "--json").document["written"][0][
        "replaced"
    ]


def test_a_result_that_was_changed_since_stays_and_the_message_says_why(srgan, folder):
    Image.new("RGB", (9, 9)).save(folder / "a_x2.png")
    result = srgan("upscale", folder / "a.png", *FAST, "-q")
    assert result.code == 7
    assert "or it was changed since" in result.err
    with Image.open(folder / "a_x2.png") as image:
        assert image.size == (9, 9)


@pytest.mark.parametrize("ext", ["png", "jpg", "tif", "webp"])
def test_eval_does_not_score_results_as_originals(srgan, folder, ext):
    (folder / "a_x2.png").unlink()
    assert srgan("upscale", "f/a.png", *FAST, "--suffix", "-big", "--ext", ext).code == 0
    result = srgan("eval", "f", *FAST, "--json")
    (scored,) = result.document["sets"]
    assert [image["name"] for image in scored["images"]] == ["a.png"]
    note = f"1 image is srgan's own by the metadata, so not scored: a-big.{ext}"
    assert scored["notes"] == [note]


def test_eval_of_a_folder_of_results_alone_is_unusable_input(srgan, folder):
    (folder / "a.png").unlink()
    assert_fails(srgan("eval", folder, *FAST), 3, "results of srgan", "--sr", "--hr FOLDER")


def test_a_dry_run_knows_what_is_done_and_what_would_be_replaced(srgan, folder):
    shutil.copy(folder / "a.png", folder / "b.png")
    done = srgan("upscale", "f/a.png", *FAST, "--dry-run")
    assert done.out == "nothing to do: 1 result is up to date\n"
    other = srgan("upscale", "f/a.png", "f/b.png", *FAST, "--scale", "2", "--dry-run", "--json")
    assert [(Path(one["source"]).name, one["replaces"]) for one in other.document["images"]] == [
        ("a.png", True),
        ("b.png", False),
    ]
    assert (
        "1 would replace earlier results"
        in srgan("upscale", "f/a.png", *FAST, "--scale", "2", "--dry-run").out
    )


def test_a_dry_run_names_what_is_in_the_way(srgan, folder):
    Image.new("RGB", (9, 9)).save(folder / "a_x2.png")
    result = srgan("upscale", "f/a.png", *FAST, "--dry-run")
    assert result.code == 7
    assert "srgan did not make it" in result.err
