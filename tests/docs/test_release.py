"""What a release needs is there and agrees: addresses, versions, forms, Dockerfile, script."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from srgan_cli import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def shown():
    """Return what PyPI shows: the readme of the metadata that Hatch makes."""
    core = pytest.importorskip("hatchling.metadata.core", reason="pip install hatchling")
    manager = pytest.importorskip("hatchling.plugin.manager").PluginManager()
    return core.ProjectMetadata(str(ROOT), manager).core.readme


def links(text):
    return re.findall(r"\]\(([^)#\s]*)", text)


def test_pypi_shows_no_relative_link(shown):
    assert shown.startswith("# srgan")
    found = links(shown)
    assert len(found) == len(links((ROOT / "README.md").read_text())) > 15
    assert [link for link in found if not re.match("https://", link)] == []


def test_links_of_pypis_page_lead_to_files_of_the_repository(shown):
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com")
    inside = [link for link in links(shown) if link.startswith((REPOSITORY, raw))]
    assert len(inside) > 15
    for link in inside:
        start = f"{raw}/main/" if link.startswith(raw) else f"{REPOSITORY}/blob/main/"
        assert (ROOT / link.removeprefix(start)).is_file(), link
    for image in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", shown):
        assert image.startswith(raw), image  # A page of GitHub is no image.


def test_everything_names_the_same_repository():
    for name in ("mkdocs.yml", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"):
        found = set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", (ROOT / name).read_text()))
        assert found == {REPOSITORY}, name
    assert all(url.startswith(REPOSITORY) for url in PROJECT["urls"].values())


def test_changelog_and_citation_know_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    sections = re.split(
        r"^## \[(.+?)\].*$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE
    )
    text = dict(zip(sections[1::2], sections[2::2], strict=True))[__version__]
    assert 50 < len(text.split()) < 300


def test_classifiers_name_each_python_from_the_oldest_that_runs():
    named = re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["classifiers"]))
    assert named == ["11", "12", "13", "14"]
    assert PROJECT["requires-python"] == f">=3.{named[0]}"


def test_a_bug_report_has_to_contain_what_doctor_says():
    forms = ROOT / ".github" / "ISSUE_TEMPLATE"
    bug = yaml.safe_load((forms / "bug.yml").read_text())
    doctor = next(part for part in bug["body"] if part["id"] == "doctor")
    assert "srgan doctor --json" in doctor["attributes"]["label"]
    assert doctor["validations"]["required"] is True
    for form in forms.glob("*.yml"):
        assert yaml.safe_load(form.read_text())


def instructions():
    """Yield the instructions of the Dockerfile, each as its word and the rest."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest


def test_the_dockerfile_parses():
    """Without a Docker daemon the image is not built: this only reads the file."""
    found = list(instructions())
    assert {word for word, _ in found} <= INSTRUCTIONS
    assert found[0][0] == "FROM"
    stages = {rest.split(" AS ")[1] for word, rest in found if word == "FROM" and " AS " in rest}
    for word, rest in found:
        if word == "COPY":
            *sources, _ = [part for part in rest.split() if not part.startswith("--")]
            stage = re.search(r"--from=(\w+)", rest)
            assert stage is None or stage[1] in stages
            assert stage or all((ROOT / source).exists() for source in sources)
        if word in {"ENTRYPOINT", "CMD"}:
            assert all(isinstance(part, str) for part in json.loads(rest))
    assert ("ENTRYPOINT", '["/opt/srgan/bin/srgan"]') in found
    assert found.index(("USER", "srgan")) < len(found) - 1


@pytest.mark.slow
def test_the_image_is_built_and_runs():
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode
    ):
        pytest.skip("there is no Docker daemon here: the Dockerfile was only parsed")
    subprocess.run(["docker", "build", "-t", "srgan-test", str(ROOT)], check=True)
    done = subprocess.run(
        ["docker", "run", "--rm", "srgan-test", "--version"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"srgan {__version__}\n"


def test_the_release_script_stops_before_uploading():
    path = ROOT / "tools" / "release"
    subprocess.run(["bash", "-n", path], check=True)
    assert path.stat().st_mode & 0o100
    lines = [line.strip() for line in path.read_text().splitlines()]
    for step in ("./check", "twine check --strict dist/*", "check-wheel-contents dist/*.whl"):
        assert step in lines
    assert any(line.startswith("NO_MKDOCS_2_WARNING=1 mkdocs build --strict") for line in lines)
    publishing = [line for line in lines if re.search("upload dist|push|git tag", line)]
    assert publishing
    assert all(line.startswith("echo ") for line in publishing)


def test_the_release_script_refuses_a_tree_with_changes(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    shutil.copy(ROOT / "tools" / "release", clone / "tools" / "release")
    (clone / "new.txt").write_text("not committed")
    done = subprocess.run([clone / "tools/release"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "commit or remove these first" in done.stderr
    assert not (clone / "dist").exists()
