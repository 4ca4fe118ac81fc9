import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from srgan_cli.cli import run
from srgan_cli.imaging.resize import downscale, upscale_bicubic
from tests.toolbox import synthetic_photograph

pytestmark = pytest.mark.usefixtures("home")


def _save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path):
    """HR, LR and two other tools' results of five images: bicubic, and that with noise."""
    random = np.random.default_rng(0)
    for i in range(5):
        hr = synthetic_photograph(64, 56, seed=i)
        lr = downscale(hr, 2)
        sr = upscale_bicubic(lr, 2)
        noisy = np.clip(sr + random.normal(0, 8, sr.shape), 0, 255).astype(np.uint8)
        for folder, pixels in (("hr", hr), ("lr", lr), ("tool", sr), ("noisy", noisy)):
            _save(tmp_path / folder / f"{i}.png", pixels)
    return tmp_path


@pytest.fixture
def evaluate(capsys):
    """Run ``srgan eval`` and return its exit code, stdout and stderr."""

    def call(*arguments):
        code = run(["eval", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def _document(out):
    return json.loads(out, parse_constant=pytest.fail)


def test_a_folder_of_results_is_scored_beside_the_baselines(evaluate, folders):
    code, out, _ = evaluate(
        "--sr", folders / "tool", "--hr", folders / "hr", "--scale", 2, "--json"
    )
    means = _document(out)["sets"][0]["means"]
    assert code == 0
    assert list(means) == ["bicubic", "lanczos", "tool"]
    assert means["tool"]["psnr"] == pytest.approx(means["bicubic"]["psnr"], abs=0.05)
    assert means["lanczos"]["psnr"] > means["bicubic"]["psnr"]


def test_lr_as_given_and_lr_made_here_give_the_same_scores(evaluate, folders):
    sr = ("--sr", folders / "tool", "--hr", folders / "hr", "--json")
    made = _document(evaluate(*sr, "--scale", 2)[1])
    given = _document(evaluate(*sr, "--lr", folders / "lr")[1])
    assert made["sets"] == given["sets"]
    assert made["protocol"]["lr"] != given["protocol"]["lr"]


def test_a_model_is_scored_on_pairs(evaluate, folders):
    code, out, _ = evaluate("--lr", folders / "lr", "--hr", folders / "hr", "--json")
    assert code == 0
    assert [c["kind"] for c in _document(out)["contenders"]] == ["baseline", "baseline", "model"]


def test_several_results_are_compared_with_the_first(evaluate, folders):
    code, out, _ = evaluate(
        *("--sr", folders / "tool", "--sr", folders / "noisy"),
        *("--hr", folders / "hr", "--scale", 2, "--json"),
    )
    (comparison,) = (
        c for c in _document(out)["comparisons"] if c["against"] == "tool" and c["metric"] == "psnr"
    )
    assert code == 0
    assert (comparison["contender"], comparison["difference"]["verdict"]) == ("noisy", "worse")
    assert comparison["difference"]["high"] < 0


def test_the_table_states_protocol_interval_and_verdict(evaluate, folders, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    _, out, _ = evaluate("--sr", folders / "noisy", "--hr", folders / "hr", "--scale", 2)
    assert re.search(r"noisy .* -\d\.\d\d dB \(-\d\.\d\d to -\d\.\d\d\) .* worse", out)
    assert "protocol: Y channel" in out
    assert "border 2 px, ×2" in out


def test_perfect_results_are_said_to_be_equal_and_are_null_in_json(evaluate, folders):
    options = ("--sr", folders / "hr", "--hr", folders / "hr", "--scale", 2)
    assert "equal to HR" in evaluate(*options)[1]
    document = _document(evaluate(*options, "--json")[1])
    assert document["sets"][0]["means"]["hr"] == {"psnr": None, "ssim": 1.0}


def test_one_unreadable_image_is_left_out_of_every_row(evaluate, folders):
    (folders / "tool" / "3.png").write_bytes(b"not an image")
    code, out, err = evaluate(
        "--sr", folders / "tool", "--hr", folders / "hr", "--scale", 2, "--json"
    )
    (scored,) = _document(out)["sets"]
    assert code == 7
    assert [image["name"] for image in scored["images"]] == [f"{i}.png" for i in (0, 1, 2, 4)]
    assert "3.png: not a readable image: unknown format, or damaged" in err


def test_no_readable_image_at_all_is_unusable_input(evaluate, folders):
    for path in (folders / "tool").iterdir():
        path.write_bytes(b"")
    code, out, err = evaluate("--sr", folders / "tool", "--hr", folders / "hr", "--scale", 2)
    assert (code, out) == (3, "")
    assert "no image could be scored" in err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--sr tool", 2, "--sr needs --hr"),
        ("--lr lr", 2, "--lr needs --hr"),
        ("--hr hr", 2, "--hr needs --lr or --sr"),
        ("--sr tool --hr hr", 2, "--sr needs --scale"),
        ("hr --sr tool --hr hr --scale 2", 2, "folders of HR images and --hr"),
        ("--sr none --hr hr --scale 2", 3, "none: no such folder"),
        ("--sr empty --hr hr --scale 2", 3, "empty: no images in this folder"),
        ("empty", 3, "empty: no images in this folder"),
        ("--sr tool --hr few --scale 2", 3, "no HR image for 1.png, 2.png, 3.png and 1 more"),
        ("--sr few --hr hr --scale 2", 3, "few has no image for 1, 2, 3 and 1 more"),
        ("--sr lr --hr hr --scale 2", 3, "32x28, but its HR is 64x56"),
        ("--sr tool --sr tool --hr hr --scale 2", 2, "two models or folders have the name"),
        ("--lr tool --hr hr", 3, "64x56 at ×2 does not match the 64x56 of its HR"),
        ("--lr tool --sr tool --hr hr", 3, "64x56, but its HR is 64x56"),
        ("tiny --scale 2", 3, "tiny: no image could be scored"),
    ],
)
def test_bad_input_takes_two_lines(evaluate, folders, monkeypatch, options, code, message):
    monkeypatch.chdir(folders)
    (folders / "empty").mkdir()
    _save(folders / "few" / "0.png", synthetic_photograph(64, 56))
    _save(folders / "tiny" / "0.png", synthetic_photograph(12, 12))
    result, out, err = evaluate(*options.split())
    assert (result, out) == (code, "")
    assert message in err
    assert "error: " in err
    assert " hint: " in err


@pytest.mark.parametrize("term", ["xterm-kitty", "foot"])
def test_crops_are_drawn_in_terminals_that_can_show_them(evaluate, folders, monkeypatch, term):
    for name in ("TMUX", "TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", term)
    options = (*_results(folders, "noisy"), "--show", 3)
    _, out, err = evaluate(*options)
    assert "\x1b" not in out
    assert "kitty, iTerm2 and sixel ones can" in err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = evaluate(*options)
    assert out.count("LR | bicubic | noisy | HR") == 3
    assert out.count({"foot": "\x1bPq", "xterm-kitty": "\x1b_Ga=T"}[term]) == 3


def _results(folders, *names):
    return (
        *(part for name in names for part in ("--sr", folders / name)),
        *("--hr", folders / "hr", "--scale", 2),
    )


@pytest.fixture
def earlier(evaluate, folders):
    """The JSON of a run with the better tool."""
    path = folders / "earlier.json"
    path.write_text(evaluate(*_results(folders, "tool"), "--json")[1])
    return path


@pytest.mark.parametrize(
    ("bar", "code"),
    [
        (("--min-psnr", 10), 0),
        (("--min-psnr", 60), 8),
        (("--min-ssim", 0.1), 0),
        (("--min-ssim", 0.9999), 8),
    ],
)
def test_a_score_below_the_bar_ends_with_code_8(evaluate, folders, bar, code):
    result, out, err = evaluate(*_results(folders, "tool"), *bar, "--json")
    assert result == code
    assert len(_document(out)["unmet"]) == (code == 8)
    assert (f"below {bar[0]} {bar[1]}" in err) == (code == 8)


def test_baselines_are_not_held_to_the_bar(evaluate, folders):
    code, _, err = evaluate(*_results(folders, "tool"), "--min-psnr", 60)
    assert code == 8
    assert "tool has" in err
    assert "bicubic has" not in err


def test_the_same_results_are_not_worse_than_earlier(evaluate, folders, earlier):
    assert evaluate(*_results(folders, "tool"), "--not-worse-than", earlier)[0] == 0


def test_worse_results_name_the_figure_and_end_with_code_8(evaluate, folders, earlier):
    code, out, err = evaluate(*_results(folders, "noisy"), "--not-worse-than", earlier)
    assert code == 8
    assert "hr ×2" in out
    assert re.search(r"hr: noisy is worse than tool in earlier.json: PSNR \(dB\) -\d\.\d\d", err)


def test_better_results_pass(evaluate, folders, earlier):
    assert evaluate(*_results(folders, "hr"), "--not-worse-than", earlier)[0] == 0


def lower(earlier, decibels):
    """Make the earlier run better by so much, in PSNR and a little in SSIM."""
    run = json.loads(earlier.read_text())
    for image in run["sets"][0]["images"]:
        image["scores"]["tool"]["psnr"] += decibels
        image["scores"]["tool"]["ssim"] += 0.01
    earlier.write_text(json.dumps(run))


@pytest.mark.parametrize(
    ("tolerance", "code"), [((), 8), (("--tolerance", 0.2), 8), (("--tolerance", 0.4), 0)]
)
def test_a_small_loss_may_be_allowed(evaluate, folders, earlier, tolerance, code):
    lower(earlier, 0.3)
    results = evaluate(*_results(folders, "tool"), "--not-worse-than", earlier, *tolerance)
    assert results[0] == code


def test_a_tolerance_of_nothing_is_refused(evaluate, folders):
    code, _, err = evaluate(*_results(folders, "tool"), "--tolerance", 0.1)
    assert code == 2
    assert "--not-worse-than" in err


def test_a_set_whose_folder_was_renamed_is_compared(evaluate, folders, earlier):
    run = json.loads(earlier.read_text())
    run["sets"][0]["name"] = "other"
    earlier.write_text(json.dumps(run))
    assert evaluate(*_results(folders, "tool"), "--not-worse-than", earlier)[0] == 0
    code = evaluate(*_results(folders, "noisy"), "--not-worse-than", earlier)[0]
    assert code == 8


def test_an_earlier_run_that_the_shell_emptied_is_explained(evaluate, folders, earlier):
    earlier.write_text("")
    code, _, err = evaluate(*_results(folders, "tool"), "--not-worse-than", earlier)
    assert code == 3
    assert "is empty" in err
    assert "another file" in err


def test_json_takes_no_file(evaluate, folders):
    code, _, err = evaluate(folders / "hr", "--json", "scores.json")
    assert code == 3
    assert "> scores.json" in err


def test_a_family_without_the_scale_is_said(evaluate, folders):
    code, _, err = evaluate(folders / "hr", "--model", "photo", "--scale", 3)
    assert code == 4
    assert "no model is called photo-x3" in err
    assert "photo-x2" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["protocol"].update(border=4), "scored with border 4, but now with 2"),
        (lambda run: run["sets"][0]["images"].pop(), "with the same images"),
        (lambda run: run.pop("sets"), "not a result of srgan eval --json"),
        (
            lambda run: run["sets"][0]["images"][0].pop("scores"),
            "not a result of srgan eval --json",
        ),
        (lambda run: run.update(contenders=[]), "only of the baselines"),
    ],
)
def test_an_earlier_run_that_cannot_be_compared_is_refused(
    evaluate, folders, earlier, change, message
):
    run_then = json.loads(earlier.read_text())
    change(run_then)
    earlier.write_text(json.dumps(run_then))
    code, _, err = evaluate(*_results(folders, "tool"), "--not-worse-than", earlier)
    assert code == 3
    assert message in err
    assert evaluate(*_results(folders, "tool"), "--not-worse-than", folders / "none")[0] == 3
