"""The manual builds as a site, and its pages are short."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_WORDS = 1500
REFERENCES = {"cli.md", "configuration.md", "json.md", "messages.md", "python-reference.md"}
MANUAL = [path for path in sorted(DOCS.glob("*.md")) if path.name not in REFERENCES]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site and return its folder."""
    if importlib.util.find_spec("material") is None:
        pytest.skip("MkDocs Material is not installed: pip install 'srgan-cli[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class _Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.ids, self.loaded = [], set(), []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.found.append(values["href"])
        if tag in {"img", "script", "link"}:
            self.loaded.append(values.get("src") or values.get("href") or "")


def addresses(page):
    parser = _Addresses()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_every_link_of_the_site_leads_somewhere(site):
    pages = {path: addresses(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 20
    for page, parsed in pages.items():
        for link in parsed.found:
            target, _, anchor = link.partition("#")
            if re.match(r"\w+:", target):
                continue
            path = (page.parent / target).resolve() if target else page
            path = path / "index.html" if path.is_dir() else path
            assert path.is_file(), (page, link)
            if anchor and path.suffix == ".html":
                assert anchor in pages[path].ids, (page, link)


def test_pages_of_the_site_load_nothing_from_other_servers(site):
    for page in site.rglob("*.html"):
        parsed = addresses(page)
        for address in parsed.loaded:
            assert not re.match(r"(https?:)?//", address) or "rel=canonical" in address, address


def test_the_site_can_be_searched(site):
    assert "strength" in (site / "search" / "search_index.json").read_text(encoding="utf-8")


def test_links_that_leave_the_manual_lead_to_the_repository(site):
    text = (site / "model-card" / "index.html").read_text(encoding="utf-8")
    assert "/blob/main/srgan_cli/recipes/fidelity-x2.toml" in text


@pytest.mark.parametrize("page", MANUAL, ids=lambda path: path.name)
def test_no_page_of_the_manual_is_too_long_to_read(page):
    assert len(page.read_text(encoding="utf-8").split()) <= MOST_WORDS
