"""What the HTML pages share: one file that opens from disk, nothing asked of a network."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any


def page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str] = (),
    data: object = None,
    **values: Any,
) -> str:
    """Render a template of this package.

    Data reach a script as JSON only, and it writes them as text, never as markup. The content
    security policy allows this script and this style by their hashes, images inside the file,
    and nothing else.

    Args:
        template: File name.
        title: Of the page.
        styles: File names, in the order in which they apply.
        scripts: File names, in the order in which they run; none for a page without a script.
        data: What the script reads, in the form of JSON.
        values: What the template asks for.
    """
    from jinja2 import Environment, FunctionLoader

    style, script = ("".join(map(_asset, names)) for names in (styles, scripts))
    allowed = f"style-src {_hash(style)}; " + (f"script-src {_hash(script)}; " if scripts else "")
    policy = f"default-src 'none'; img-src data:; {allowed}base-uri 'none'; form-action 'none'"
    environment = Environment(
        autoescape=True, keep_trailing_newline=True, loader=FunctionLoader(_asset)
    )
    return environment.get_template(template).render(
        policy=_Safe(html.escape(policy)),
        title=_Safe(html.escape(title)),
        style=_Safe(style),
        script=_Safe(script),
        data=_Safe(_json_in_html(data)),
        **values,
    )


class _Safe(str):
    """Text that goes into the page as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


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
