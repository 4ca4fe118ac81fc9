"""A hook of Hatch: in what PyPI shows of README.md, links lead to the repository."""

import posixpath
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def with_absolute_links(text: str, repository: str) -> str:
    """Turn relative links of Markdown into addresses, those of images into raw files.

    Args:
        text: Markdown whose links start at the repository's root.
        repository: Address of the repository on GitHub.

    Returns:
        The text without a relative link.
    """
    raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/")

    def replaced(link: re.Match[str]) -> str:
        mark, label, target = link.groups()
        place = f"{raw}/main" if mark else f"{repository}/blob/main"
        return f"{mark}[{label}]({place}/{posixpath.normpath(target)}"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)", replaced, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the field ``readme``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill the field in."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, metadata["urls"]["Repository"]),
        }
