"""The snippets of docs/python.md and the notebook in examples/ do what they say."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def examples(tmp_path, home, monkeypatch):  # noqa: ARG001 - an empty home
    """Work in a copy of the folder, since results lie beside their sources."""
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder)
    monkeypatch.chdir(folder)
    return folder


def test_every_python_snippet_of_the_page_runs(examples, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    assert len(blocks) >= 6
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    for figure in ("coffee.png (600, 400)", "cat_x2.png", "transpose(1, 2, 0)", "100%"):
        assert figure in printed
    assert (examples / "cat_x2.png").is_file()


@pytest.mark.usefixtures("examples")
def test_every_cell_of_the_notebook_runs():
    notebook = json.loads((ROOT / "examples/upscale.ipynb").read_text())
    assert notebook["nbformat"] == 4
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # They would be megabytes in the repository.
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102
    assert names["photo"].size == names["fidelity"].size == (450, 300)
    assert names["result"].dtype == "float32"


def test_importing_the_package_imports_neither_torch_nor_numpy():
    script = "import sys, srgan_cli; print({'torch', 'numpy', 'PIL', 'rich'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_the_stub_declares_the_names_that_the_package_loads():
    import srgan_cli

    stub = (ROOT / "srgan_cli/__init__.pyi").read_text()
    for name in srgan_cli._MODULES:
        assert f"import {name} as {name}" in stub
        assert getattr(srgan_cli, name).__name__ == name
    assert {*srgan_cli._MODULES} <= {*dir(srgan_cli)}
    with pytest.raises(AttributeError):
        _ = srgan_cli.nothing
