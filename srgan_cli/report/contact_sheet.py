"""The HTML page of ``srgan prepare --report``: skipped and flagged images, and why."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from PIL import Image

from srgan_cli.data.manifest import Finding
from srgan_cli.errors import InputError
from srgan_cli.imaging.io import read_image

_SIDE = 160
_MAX_PIXELS = 64_000_000  # What is larger is named without an image.
_MAX_IMAGES = 2000


def contact_sheet(title: str, folder: Path, findings: Sequence[Finding]) -> str:
    """Return the page as HTML, with all images inside.

    Args:
        title: Its heading.
        folder: The findings' sources are below it.
        findings: What to show, at most 2,000 of them; the rest is counted.
    """
    template = resources.files(__package__).joinpath("contact_sheet.html").read_text("utf-8")
    shown = [
        {
            "source": _printable(finding.source),
            "kind": finding.kind,
            "reason": _printable(finding.reason),
            "pictures": [
                _thumbnail(folder / name) for name in (finding.source, finding.twin) if name
            ],
        }
        for finding in findings[:_MAX_IMAGES]
    ]
    page = Environment(autoescape=True).from_string(template)
    counts = Counter(finding.kind for finding in findings)
    return page.render(title=title, counts=counts, shown=shown, more=len(findings) - len(shown))


def _thumbnail(path: Path) -> str:
    """Return an image as a data URL, or nothing where it cannot be read."""
    try:
        image = read_image(path, max_pixels=_MAX_PIXELS)
    except (InputError, OSError):
        return ""
    small = Image.fromarray(image.pixels).convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
