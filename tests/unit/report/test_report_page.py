import base64
import hashlib
import html
import json
import re

import pytest

from srgan_cli.report import evaluation_page

NASTY = "</script><img src=x onerror=alert(1)>&{{style}}\u2028.png"


def _document(name=NASTY):
    return {
        "protocol": {"scale": 2},
        "sets": [{"name": name, "images": [{"name": name}]}],
        "contenders": [{"name": name}],
    }


@pytest.fixture
def page():
    return evaluation_page(_document(), [])


def test_names_cannot_become_markup(page):
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert html.escape(NASTY) in page  # In the title.


def test_the_data_survive_the_escaping(page):
    pattern = r'<script type="application/json" id="data">(.*?)</script>'
    (data,) = re.findall(pattern, page, re.DOTALL)
    assert json.loads(data) == {"run": _document(), "exhibits": []}


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    for directive, pattern in (
        ("script-src", r"<script>(.*?)</script>"),
        ("style-src", r"<style>(.*?)</style>"),
    ):
        (text,) = re.findall(pattern, page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in html.unescape(policy)
    assert "default-src &#x27;none&#x27;; img-src data:" in policy


def test_the_page_names_no_other_address(page):
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"']*", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        evaluation_page(_document() | {"x": float("nan")}, [])
