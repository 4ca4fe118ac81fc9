"""A wrong command line is answered in the program's own words, with what to type instead."""

import shlex
from typing import Literal, get_origin

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from srgan_cli import cli
from srgan_cli.cli import app
from srgan_cli.cli.habits import translated
from tests.toolbox import assert_fails

THEIRS = (
    "Invalid value",
    "Input should be",
    "Value error",
    "No such",
    "Got unexpected",
    "argument(",
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("upscal a.png", ("srgan has no command 'upscal'", "did you mean: srgan upscale a.png")),
        ("models sho x", ("models has no command 'sho'", "did you mean: srgan models show x")),
        ("zzz", ("no command 'zzz'", "prepare, train, upscale", "see: srgan --help")),
        ("a.png -o b.png", ("no command 'a.png'", "did you mean: srgan upscale a.png -o b.png")),
        ("-i a.png -o b", ("no option -i", "did you mean: srgan upscale -i a.png -o b")),
        ("upscale a --modle b", ("no option --modle", "did you mean --model?")),
        ("upscale a --zzz", ("srgan upscale has no option --zzz", "see: srgan upscale --help")),
        ("upscale a --scale", ("--scale needs a value: FACTOR", "see: srgan upscale --help")),
        ("upscale a -o", ("-o needs a value: FOLDER|FILE", "see: srgan upscale --help")),
        ("upscale a --tta=yes", ("--tta takes no value", "pass --tta alone")),
        ("upscale", ("upscale: IMAGE is missing", "for example: srgan upscale *.jpg -o out/")),
        ("models blend a", ("blend: B is missing", "example: srgan models blend soft sharp")),
        ("models card a", ("card: --output FOLDER is missing", "example: srgan models card fid")),
        ("models default a b", ("takes no further argument: b", "quotes around names")),
        ("upscale a --tile big", ("--tile 'big' is not a whole number", "see: srgan upscale")),
        ("upscale a -tbig", ("--tile 'big' is not a whole number",)),
        ("upscale a --quality=5.5", ("--quality '5.5' is not a whole number",)),
        ("upscale a --strength 50%", ("--strength '50%' is not a number", "--strength 0..1")),
        ("train photos/", ("train takes no further argument", "srgan prepare photos/ && srgan")),
        ("upscale a --precision pf16", ("not a choice", "did you mean fp16?", "fp16 or bf16")),
        ("train --optimizer sgd", ("--optimizer 'sgd' is not a choice", "choose adam or muon")),
        ("upscale a --strength 2", ("--strength is 2", "from 0 to 1")),
        ("eval s --metric x", ("--metric is 'x'", "niqe, vgg16, lpips or dists")),
        ("models export a --to x", ("--to 'x' is not a choice", "choose onnx, openvino")),
    ],
)
def test_a_wrong_word_is_named_and_the_right_one_said(srgan, line, words):
    result = srgan(*shlex.split(line))
    assert_fails(result, 2, *words)
    assert not any(word in result.err for word in THEIRS)


def _commands(command, path=()):
    inner = getattr(command, "commands", {})
    return [(*path, command)] if not inner else [
        found for name, each in inner.items() for found in _commands(each, (*path, name))
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["\x00🙂", "--"])
def test_any_value_of_any_option_is_answered_without_a_traceback(srgan, value):
    checked = 0
    for *path, command in _commands(get_command(app)):
        for parameter in command.params:
            kind = getattr(parameter, "type_descriptor", None)
            kind = kind and kind.annotation
            if kind in {int, float} or get_origin(kind) is Literal:
                checked += 1
                result = srgan(*path, f"{parameter.opts[0]}={value}")
                assert result.code == 2, (path, parameter.opts)
                assert not any(word in result.err for word in THEIRS), result.err
    assert checked > 40


def test_what_typer_says_elsewhere_is_passed_on(srgan, monkeypatch):
    program = get_command(app)

    def fail(**_):
        raise TyperException("x")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(cli, "get_command", lambda _: program)
    assert_fails(srgan("doctor"), 2, "error: x", "see: srgan doctor --help")


@pytest.mark.parametrize(
    ("line", "own"), [("help", "--help"), ("help models show", "models show --help")]
)
def test_help_may_be_asked_for_as_elsewhere(line, own):
    assert translated(line.split()) == own.split()


def test_capital_v_shows_the_version(srgan):
    assert srgan("-V") == srgan("--version")
