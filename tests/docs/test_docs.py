"""Documents say what the program does."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from srgan_cli import __version__
from srgan_cli.cli import app, run
from srgan_cli.config import PRESETS, SCALES

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def fenced_commands(path):
    """Yield the srgan commands in a document's shell blocks."""
    for block in re.findall(r"```(?:bash|console)\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|\||>", line.removeprefix("$ ")):
                words = shlex.split(part.strip(), comments=True) if "srgan" in part else []
                while words and re.match(r"[A-Z_]+=", words[0]):
                    words.pop(0)  # A variable of the environment.
                if words[:1] == ["srgan"] and "[OPTIONS]" not in words:
                    yield words[1:]


def shell_blocks(text):
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)


def test_generated_references_are_what_the_program_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    pages = runpy.run_path(str(ROOT / "tools" / "build_reference.py"))["pages"]()
    assert "cli.md" in pages
    if sys.version_info[:2] != (3, 11):
        del pages["python-reference.md"]  # Types have other names in other versions of Python.
    for name, text in pages.items():
        message = f"{name} is out of date; run: python tools/build_reference.py"
        assert (ROOT / "docs" / name).read_text() == text, message


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_documented_command_parses(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for block in re.findall(r"```toml\n(.*?)```", document.read_text(), re.DOTALL):
        name = re.match(r"# (\S+\.toml)\n", block)[1]
        (tmp_path / name).write_text(block)  # What it says is checked by those who read it.
    group = get_command(app)
    for words in fenced_commands(document):
        name, *arguments = words
        command = group.commands[name]
        while hasattr(command, "commands") and arguments:
            name, *arguments = arguments
            command = command.commands[name]
        with command.make_context(name, arguments):
            pass


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_to_a_file(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", document.read_text()):
        assert (document.parent / target).exists(), target


def anchor_of(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_to_a_section_leads_to_a_heading(document):
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*\.md|)#([^)]+)\)", document.read_text()):
        page = document.parent / target if target else document
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        assert anchor in map(anchor_of, headings), f"{target}#{anchor}"


def test_readmes_first_command_upscales_the_examples(tmp_path, monkeypatch):
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(ROOT)
    first = shell_blocks((ROOT / "README.md").read_text())[0]
    install, _, command = first.strip().partition(" && ")
    assert install == "pip install '.[fast]'"
    words = shlex.split(command)
    pattern = words[words.index("upscale") + 1]
    images = sorted(str(path) for path in ROOT.glob(pattern))
    assert images
    assert run(["upscale", *images, "-o", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("[!.]*"))) == len(images)


def test_ci_runs_readmes_second_command():
    second = shell_blocks((ROOT / "README.md").read_text())[1]
    assert second.strip() in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_changelog_knows_this_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in headings or "Unreleased" in headings


def test_no_document_names_a_path_of_some_machine():
    for document in DOCUMENTS:
        assert not re.search(r"(/home/|/root/|/Users/)", document.read_text()), document


ABOUT_THE_CODE = ("architecture.md", "contributing.md", "decisions.md")


def paths_in(text):
    """Return what a page names in code spans that looks like a file or a folder."""
    return re.findall(r"`([\w./-]+?(?:\.(?:pyi?|md|toml)|/))`", text)


@pytest.mark.parametrize("page", ABOUT_THE_CODE)
def test_every_path_that_a_page_about_the_code_names_exists(page):
    named = paths_in((ROOT / "docs" / page).read_text())
    assert len(named) > 3
    assert [
        p for p in named if not ((ROOT / p).exists() or (ROOT / "srgan_cli" / p).exists())
    ] == []


def test_every_package_and_every_wing_is_explained():
    text = (ROOT / "docs/architecture.md").read_text()
    for parent in ("", "engine/"):
        for init in (ROOT / "srgan_cli" / parent).glob("*/__init__.py"):
            assert f"{parent}{init.parent.name}/" in text


def test_every_name_on_a_route_is_defined_in_its_file():
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (`.*?\.py`) \| (.*?) \| .* \|$", text, re.MULTILINE)
    assert len(rows) > 30
    for files, names in rows:
        source = "".join((ROOT / "srgan_cli" / path).read_text() for path in paths_in(files))
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"(?:def|class) {name}\b", source), (files, name)


def test_the_table_of_presets_says_what_they_are():
    module = runpy.run_path(str(ROOT / "tools" / "build_presets.py"))
    text = (ROOT / "docs" / "presets.md").read_text()
    for name in PRESETS:
        for scale in SCALES:
            assert " | ".join(module["sizes"](name, scale)) in text
