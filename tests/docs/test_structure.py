"""The repository keeps the shape that ``docs/architecture.md`` describes."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "srgan_cli" / "engine"


def folders_of(package):
    return sorted(
        path for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"
    )


WINGS = folders_of(ENGINE)
MOST_LINES = 350
PYTHON = [
    path
    for folder in ("srgan_cli", "tests", "benchmarks", "tools", "recipes")
    for path in (ROOT / folder).rglob("*.py")
]
TESTS = [path for path in PYTHON if path.name.startswith("test_")]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_the_engine_consists_of_wings_alone():
    files = {path.name for path in ENGINE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "__init__.pyi"}
    for wing in WINGS:
        assert folders_of(wing) == []


@pytest.mark.parametrize(
    "wing", [*WINGS, *folders_of(ENGINE.parent / "imaging")], ids=lambda path: path.name
)
def test_each_wing_says_what_lives_in_it(wing):
    doc = ast.get_docstring(ast.parse((wing / "__init__.py").read_text(encoding="utf-8")))
    assert doc, wing.name
    assert len(doc.split()) >= 10


def test_no_python_file_is_too_long_to_read():
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in PYTHON}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_test_imports_another_test():
    for path in TESTS:
        found = re.findall(
            r"^\s*from (tests\S*\.(?:test_\w+|conftest)) ", path.read_text(), re.MULTILINE
        )
        assert not found, name_of(path)


def test_tests_patch_objects_and_not_paths_written_as_text():
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr"):
                first = node.args[0]
                assert not isinstance(first, ast.Constant), f"{name_of(path)}:{node.lineno}"
