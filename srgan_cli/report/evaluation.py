"""The page of ``srgan eval --report``."""

from collections.abc import Mapping, Sequence
from typing import Any

from srgan_cli.report.page import page


def evaluation_page(document: Mapping[str, Any], exhibits: Sequence[Mapping[str, Any]]) -> str:
    """Render an evaluation as one HTML file.

    Args:
        document: What ``srgan eval --json`` prints.
        exhibits: For each image its ``set``, ``name`` and ``crops``: ``kind``, ``x``, ``y``,
            ``width``, ``height``, ``quality`` and ``layers``, WebP files in base64 by
            contender, besides "LR" and "HR".

    Returns:
        The page.
    """
    names = ", ".join(scored["name"] for scored in document["sets"])
    return page(
        "evaluation.html",
        styles=["evaluation.css"],
        scripts=["stage.js", "evaluation.js"],
        title=f"{names} ×{document['protocol']['scale']} - srgan eval",
        data={"run": document, "exhibits": exhibits},
    )
