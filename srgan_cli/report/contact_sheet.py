"""The HTML page of ``srgan prepare --report``: skipped and flagged images, and why."""

import base64
import io
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from PIL import Image

from srgan_cli.data.kinds import KINDS
from srgan_cli.data.manifest import Finding
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.io import read_image
from srgan_cli.report.page import page

_SIDE = 160
_MAX_PIXELS = 64_000_000  # What is larger is named without an image.
_MAX_IMAGES = 2000


def contact_sheet(title: str, locate: Callable[[str], Path], findings: Sequence[Finding]) -> str:
    """Return the page as HTML, with all images inside.

    Args:
        title: Its heading.
        locate: Returns the file of a finding's source.
        findings: What to show, kind by kind, at most 2,000 of them; the rest is counted.
    """
    shown = islice(findings, _MAX_IMAGES)
    items = {id(finding): _item(finding, locate) for finding in shown}
    groups = []
    for kind, text in KINDS.items():
        members = [finding for finding in findings if finding.kind == kind]
        if members:
            own = [items[id(one)] for one in members if id(one) in items]
            groups.append({"text": text, "count": len(members), "shown": own})
    return page(
        "contact_sheet.html",
        title=f"{title} - srgan prepare",
        styles=["page.css", "contact_sheet.css"],
        heading=title,
        groups=groups,
    )


def _item(finding: Finding, locate: Callable[[str], Path]) -> dict[str, object]:
    names = [name for name in (finding.source, finding.twin) if name]
    return {
        "source": _printable(finding.source),
        "reason": _printable(finding.reason),
        "images": [_thumbnail(locate(name)) for name in names],
    }


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
