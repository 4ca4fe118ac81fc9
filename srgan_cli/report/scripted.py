"""What the pages with a script share: one file that opens from disk, without a network."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def scripted_page(
    template: str, *, styles: Sequence[str], scripts: Sequence[str], title: str, data: object
) -> str:
    """Put a page together from files of this package.

    Data reach the page as JSON only, and its script writes them as text, never as markup. The
    content security policy allows this script and this style by their hashes, images inside
    the file, and nothing else.

    Args:
        template: File name of the HTML, with the places policy, title, style, script and data.
        styles: File names, in the order in which they apply.
        scripts: File names, in the order in which they run.
        title: Of the page.
        data: What the script reads, in the form of JSON.
    """
    style, script = ("".join(map(_asset, names)) for names in (styles, scripts))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(title),
        "style": style,
        "script": script,
        "data": _json_in_html(data),
    }
    # One pass, so that nothing inside a part is taken for a place of the template.
    return _PLACE.sub(lambda place: parts[place[1]], _asset(template))


def _asset(name: str) -> str:
    return (files("srgan_cli.report") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _json_in_html(value: object) -> str:
    """Return JSON in which no character can end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
