"""Each recipe of docs/how-do-i.md runs as it stands, on tiny images."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from srgan_cli import engine
from srgan_cli.cli import run
from tests.toolbox import TINY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-do-i.md"
README = ROOT / "README.md"
RECIPES = re.findall(r"^## (.+?)\n.*?```bash\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
EXAMPLES = re.findall(r"```bash\n(.*?)```", README.read_text(), re.DOTALL)[2:]
"""README's blocks but for the first two, which install and which tests/docs/test_docs.py tries."""
SHELL = re.compile(r"[|>&;]|^(?!srgan )")
"""A line that a shell has to run; others are run in this process, which is faster."""


@pytest.fixture
def folder(home, tmp_path, monkeypatch, make_photographs):  # noqa: ARG001 - an empty home
    """Work in a folder with the images and models that the page speaks of."""
    place = tmp_path / "work"
    for number, name in enumerate(("photos", "phone", "scans", "pages-of-comic")):
        make_photographs(place / name, count=2, size=(24, 20), seed=number)
    for path in (place / "scans").iterdir():
        Image.open(path).convert("RGB").save(path.with_suffix(".tif"))
    for name in ("photo.jpg", "portrait.jpg", "drawing.png"):
        Image.open(place / "photos" / "photo-00.png").convert("RGB").save(place / name)
    make_photographs(place / "held-out", count=5, size=(64, 56), seed=9)
    with zipfile.ZipFile(place / "comic.cbz", "w") as comic:
        for path in sorted((place / "pages-of-comic").iterdir()):
            comic.write(path, f"1/{path.name}")
    fidelity = Path(engine.find_model("fidelity-x2", None).path)
    shutil.copy(fidelity, place / "mine.safetensors")
    monkeypatch.chdir(place)
    return place


def _published(names):
    """Write the weights of other projects that a recipe names."""
    if "4x-UltraSharp.pth" in names:
        assert run(["models", "export", "fidelity-x2", "--to", "pth", "-o", "pth"]) == 0
        shutil.move(next(Path("pth").glob("*.pth")), "4x-UltraSharp.pth")
    if "upscayl-standard-4x.param" in names:
        pytest.importorskip("ncnn", reason="pip install 'srgan-cli[fast]'")
        assert run(["models", "export", "fidelity-x2", "--to", "ncnn", "-o", "ncnn"]) == 0
        for path in Path("ncnn").iterdir():
            shutil.move(path, f"upscayl-standard-4x{path.suffix}")


def _shell(lines, folder):
    """Run lines in bash, where srgan is the program under test."""
    programs = folder / "bin"
    programs.mkdir()
    for name, module in (("srgan", "srgan_cli"), ("torchrun", "torch.distributed.run")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=os.environ
        | {"PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _here(line, folder):
    """Run a line in this process; a training takes a few steps only."""
    words = shlex.split(line)[1:]
    found = [sorted(map(str, folder.glob(word))) if "*" in word else [word] for word in words]
    quick = TINY if words[0] == "train" else ()
    assert run([*(word for several in found for word in several), *quick]) == 0, line


def _needs(lines):
    words = {word for line in lines.splitlines() for word in shlex.split(line, comments=True)}
    for program in words & {"ffmpeg", "unzip", "zip"}:
        if shutil.which(program) is None:
            pytest.skip(f"this machine has no {program}, so this recipe is not tried")
    return words


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("title", "lines"),
    [
        # How torchrun shares a batch out is tested in test_upscale_ranks.py.
        pytest.param(title, lines, marks=[pytest.mark.slow] * ("torchrun" in lines), id=title)
        for title, lines in RECIPES
    ],
)
def test_each_recipe_runs(title, lines, folder):
    lines = re.sub(r"\b\d{4}\b", lambda side: str(int(side[0]) // 50), lines)
    names = _needs(lines)
    _published(names)
    if "holiday.mp4" in names:
        clip = "ffmpeg -f lavfi -i testsrc=size=32x24:rate=25:duration=0.2 holiday.mp4"
        subprocess.run(clip.split(), check=True, capture_output=True)
    if any(SHELL.search(line) for line in lines.splitlines()):
        _shell(lines, folder)
    else:
        for line in lines.splitlines():
            words = shlex.split(line)[1:]
            found = [
                sorted(map(str, folder.glob(word))) if "*" in word else [word] for word in words
            ]
            assert run([word for several in found for word in several]) == 0, line
    for made in re.findall(r"(?:-o |> )(\w[\w.-]*)", lines):
        assert (folder / made).exists(), (title, made)
        assert (folder / made).is_file() or any((folder / made).iterdir())


@pytest.mark.thorough
@pytest.mark.parametrize("lines", EXAMPLES, ids=[lines.split("\n")[0] for lines in EXAMPLES])
def test_each_example_of_readme_runs(lines, folder, make_photographs):
    make_photographs(folder / "comics", count=12, size=(136, 128), seed=5)
    _published(_needs(lines))
    for line in lines.splitlines():
        _here(line, folder)


def test_readme_has_examples_and_the_page_has_no_command_that_no_test_runs():
    assert len(EXAMPLES) >= 4
    for text in (README.read_text(), PAGE.read_text()):
        assert set(re.findall(r"```(\w+)\n", text)) <= {"bash", "text"}


def test_the_page_has_recipes_of_a_few_lines():
    assert len(RECIPES) == len(re.findall("^## ", PAGE.read_text(), re.MULTILINE)) > 15
    for title, lines in RECIPES:
        assert 1 <= len(lines.splitlines()) <= 5, title
