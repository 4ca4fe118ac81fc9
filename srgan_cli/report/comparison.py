"""The page of ``srgan compare`` and of ``srgan upscale --report``."""

from collections.abc import Mapping
from typing import Any

from srgan_cli.report.page import page


def comparison_page(document: Mapping[str, Any]) -> str:
    """Render a comparison as one HTML file.

    Args:
        document: A ``CompareReport`` as JSON, the WebP files of its views in base64.

    Returns:
        The page.
    """
    return page(
        "compare.html",
        styles=["evaluation.css", "compare.css"],
        scripts=["stage.js", "compare.js"],
        title=f"{document['title']} - srgan compare",
        data={"run": document},
    )
