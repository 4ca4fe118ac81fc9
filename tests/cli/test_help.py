import importlib.metadata
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer

from srgan_cli import __version__, engine
from srgan_cli.cli import app, main
from srgan_cli.cli.exit_codes import ExitCode

COMMANDS = typer.main.get_command(app).commands
NO_TORCH = """
import sys
from srgan_cli.cli import run
for line in sys.argv[1:]:
    try:
        run(line.split())
    except SystemExit:
        pass
    heavy = {"torch", "torchvision", "numpy", "PIL"} & set(sys.modules)
    assert not heavy, (line, heavy)
"""

ONLY_WHAT_IT_NEEDS = """
import sys
from srgan_cli import engine
import srgan_cli.cli.upscale_view
engine.upscale, engine.estimate
others = {"scipy", "torchvision", "jinja2", "triton", "torch._dynamo"}
others |= {"srgan_cli.data.prepare", "srgan_cli.engine.training.trainer"}
others |= {"srgan_cli.engine.evaluation.evaluate"}
others -= NEEDED_BY_TORCH
assert not others & set(sys.modules), others & set(sys.modules)
"""


def example_lines(command):
    lines = [line.strip() for line in command.help.partition("[bold]Examples[/]")[2].splitlines()]
    return [
        part.strip() for line in lines for part in line.split("&&") if part.strip()[:5] == "srgan"
    ]


@pytest.mark.usefixtures("home")
def test_help_and_wrong_usage_never_import_torch():
    lines = [
        "",
        "--help",
        "--version",
        "nope",
        "train --epochs 0",
        "upscale",
        "prepare --scale 5 .",
    ]
    lines += [f"{name} --help" for name in COMMANDS]
    lines += ["train --help-all", "train --recipe none"]
    subprocess.run([sys.executable, "-c", NO_TORCH, *lines], check=True, capture_output=True)


def test_upscaling_does_not_wait_for_imports_that_only_other_commands_need():
    script = "import sys, torch; NEEDED_BY_TORCH = set(sys.modules)\n" + ONLY_WHAT_IT_NEEDS
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from srgan_cli import engine", {"torch", "numpy", "PIL", "multiprocessing"}),
        ("from srgan_cli import engine; engine.load_ahead", {"torch", "numpy", "PIL"}),
        ("from srgan_cli import engine; engine.prepare", {"torch"}),
        ("import srgan_cli.engine.upscaling.batch, srgan_cli.engine.inference.sizes", {"torch"}),
    ],
)
def test_what_does_without_torch_does_not_import_it(statement, absent):
    script = f"import sys\n{statement}\nassert not {absent} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_workers_of_prepare_start_to_load_before_prepare_does(srgan, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(engine, "load_ahead", lambda: steps.append("workers"))
    monkeypatch.setattr(
        engine, "prepare", lambda *_: steps.append("prepare") or SimpleNamespace(leads=False)
    )
    assert srgan("prepare", tmp_path).code == 0
    assert steps == ["workers", "prepare"]


def test_every_name_of_the_engine_is_there_and_nothing_else():
    for name in engine.__all__:
        assert getattr(engine, name) is not None
    assert set(dir(engine)) == set(engine.__all__) == set(engine._MODULES)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = engine.nonsense


def test_python_dash_m_runs_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"srgan {__version__}\n"
    assert done.stderr == ""


def test_console_script_is_the_program():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="srgan")
    assert script.load() is main


def test_bare_command_prints_the_help(srgan):
    bare, helped = srgan(), srgan("--help")
    assert (bare.code, bare.err) == (0, "")
    assert bare.out.split() == helped.out.split()
    assert "Usage: srgan" in bare.out


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_columns(srgan, name):
    result = srgan(*name.split(), "-h")
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 80
    assert "Examples" in result.out
    assert "…" not in result.out, "a name is cut short"


def test_the_commands_exist():
    names = ["prepare", "train", "upscale", "compare", "eval", "doctor", "models"]
    assert list(COMMANDS) == names


@pytest.mark.parametrize("name", COMMANDS["models"].commands)
def test_every_parameter_of_models_is_explained_and_its_help_fits(srgan, name):
    command = COMMANDS["models"].commands[name]
    assert all(getattr(parameter, "help", None) for parameter in command.params)
    result = srgan("models", name, "-h")
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 80
    for line in example_lines(command):
        _, called, *arguments = shlex.split(line)
        group = COMMANDS[called]
        if called == "models":
            called, *arguments = arguments
            group = COMMANDS["models"].commands[called]
        group.make_context(called, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_explained(name):
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_parsed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = example_lines(COMMANDS[name])
    assert examples
    for line in examples:
        _, called, *arguments = shlex.split(line.partition(" > ")[0])
        COMMANDS[called].make_context(called, arguments)
    assert any(line.startswith(f"srgan {name}") for line in examples)


@pytest.mark.parametrize("name", [*COMMANDS, *COMMANDS["models"].commands])
def test_no_line_of_a_description_is_broken_by_a_terminal_of_eighty_columns(name):
    command = COMMANDS.get(name) or COMMANDS["models"].commands[name]
    assert max(map(len, re.sub(r"\[/?\w*\]", "", command.help).splitlines())) <= 78


def test_exit_codes_are_the_documented_ones():
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "BUG": 1,
        "USAGE": 2,
        "INPUT": 3,
        "WEIGHTS": 4,
        "RESOURCE": 5,
        "DIVERGED": 6,
        "PARTIAL": 7,
        "BELOW": 8,
        "DIFFERENT": 9,
        "INTERRUPTED": 130,
        "READER_LEFT": 141,
    }
    assert all(code.meaning for code in ExitCode)
