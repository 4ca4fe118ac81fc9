"""What the pages without a script share: one file, one look, nothing asked of a network."""

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment


def render(template: str, *styles: str, **values: Any) -> str:
    """Render a template of this package as a page that opens from disk.

    The content security policy allows its own style and images inside the file, and
    nothing else.

    Args:
        template: File name.
        styles: File names, in the order in which they apply.
        values: What the template asks for.
    """
    folder = resources.files(__package__)
    style = "".join(folder.joinpath(name).read_text("utf-8") for name in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = Environment(autoescape=True).from_string(folder.joinpath(template).read_text("utf-8"))
    return page.render(policy=policy, style=_Safe(style), **values)


class _Safe(str):
    """Text of the program's own that goes into the page as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self
