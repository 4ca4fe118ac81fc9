"""The live panel at 80 columns, and the plain lines."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from srgan_cli.cli import training_screen
from srgan_cli.cli.training_screen import TrainingScreen, panel, sparkline
from srgan_cli.observer import TrainingStatus

STATUS = TrainingStatus(
    run=Path("runs/[bold]long"),
    phase="adversarial",
    step=64_120,
    steps=98_250,
    epoch=86,
    epochs=131,
    losses={
        "wasserstein": -0.8412,
        "gradient_penalty": 0.03127,
        "discriminator": -0.5285,
        "accuracy": 0.8125,
        "pixel": 0.01234,
        "adversarial": 0.2143,
        "perceptual": 0.3021,
        "generator": 0.3061,
    },
    learning_rate=5.312e-5,
    psnr=tuple(30 + 0.1 * i for i in range(40)),
    ssim=tuple(0.9 + 0.001 * i for i in range(40)),
    bicubic_psnr=33.12,
    verdict="healthy",
    reason="PSNR 33.90 dB, best 33.90, pixel 0.01234, detail 93%, accuracy 81%",
    skipped=3,
    rollbacks=1,
    rate=412.6,
    waiting=0.0031,
    seconds_left=98_765,
    memory=9 * 2**30,
)


def drawn(status, width=80):
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(panel(status))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_panel_shows_everything_within_the_terminal(width):
    text = drawn(STATUS, width)
    assert all(len(row) == width for row in text.splitlines())
    flat = " ".join(text.replace("\u00a0", " ").replace("│", " ").split())
    for part in (
        *("adversarial, epoch 86 of 131", "step 64,120 of 98,250", "33.90 dB (+0.78 to bicubic)"),
        *("0.9390", "412.6 images/s", "data wait 0.3%", "memory 9.0 GiB", "skipped 3"),
        *(
            "roll-backs 1",
            "learning rate 5.3e-05",
            "1 day, 3:26:05 left",
            "gradient penalty 0.03127",
        ),
        *("healthy: PSNR 33.90 dB", "[bold]long"),
    ):
        assert part in flat


def test_long_names_do_not_break_the_panel():
    text = drawn(replace(STATUS, run=Path("x" * 300)))
    assert all(len(row) == 80 for row in text.splitlines())


def test_sparkline_goes_from_the_lowest_to_the_highest():
    assert sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([5, 5]) == "▁▁"
    assert len(sparkline(range(1000))) == 24


def test_elsewhere_than_in_a_terminal_a_line_comes_with_each_validation(capsys):
    screen = TrainingScreen()
    with screen.watch() as show:
        for step, validations in ((1, 1), (2, 1), (10, 2), (11, 2), (20, 3)):
            show(replace(STATUS, step=step, psnr=(30.0,) * validations))
    rows = capsys.readouterr().err.splitlines()
    assert [row.split("/")[0] for row in rows] == ["step 10", "step 20"]
    assert "pixel 0.01234" in rows[0]
    assert screen.last.step == 20


def test_what_is_said_while_the_panel_is_drawn_comes_after_it(monkeypatch):
    screen = TrainingScreen()
    screen._console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)

    def interrupted(status):
        screen.say("stopping after this step")
        return panel(status)

    monkeypatch.setattr(training_screen, "panel", interrupted)
    with screen.watch() as show:
        show(STATUS)
    text = screen._console.file.getvalue()
    assert text.count("stopping after this step") == 2  # Once a drawing.
    assert text.index("╭") < text.index("stopping after this step")


def test_epochs_of_less_than_a_step_are_not_counted():
    assert "epoch" not in drawn(replace(STATUS, step=4, steps=4, epoch=6, epochs=6))


def test_a_finished_run_has_no_time_left():
    assert " left" in drawn(STATUS)
    finished = replace(STATUS, step=STATUS.steps, seconds_left=12)
    assert " left" not in drawn(finished)
    assert " left" not in training_screen.line(finished)
