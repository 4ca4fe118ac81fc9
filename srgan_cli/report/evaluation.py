"""The page of ``srgan eval --report``."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def evaluation_page(document: Mapping[str, Any], exhibits: Sequence[Mapping[str, Any]]) -> str:
    """Render an evaluation as one HTML file that opens from disk and asks nothing of a network.

    Names of images and models reach the page as JSON only, and its script writes them
    as text, never as markup. The content security policy allows this script and this
    style by their hashes, images inside the file, and nothing else.

    Args:
        document: What ``srgan eval --json`` prints.
        exhibits: For each image its ``set``, ``name`` and ``crops``: ``kind``, ``x``, ``y``,
            ``width``, ``height``, ``quality`` and ``layers``, WebP files in base64 by
            contender, besides "LR" and "HR".

    Returns:
        The page.
    """
    style, script = _asset("css"), _asset("js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    names = ", ".join(scored["name"] for scored in document["sets"])
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(f"{names} ×{document['protocol']['scale']} - srgan eval"),
        "style": style,
        "script": script,
        "data": _json_in_html({"run": document, "exhibits": exhibits}),
    }
    # One pass, so that nothing inside a part is taken for a place of the template.
    return _PLACE.sub(lambda place: parts[place[1]], _asset("html"))


def _asset(extension: str) -> str:
    return (files("srgan_cli.report") / f"evaluation.{extension}").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _json_in_html(value: object) -> str:
    """Return JSON in which no character can end the script element that holds it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
