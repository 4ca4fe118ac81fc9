"""A hook of MkDocs: links to files outside of docs/ lead to the repository."""

import posixpath
import re
from typing import Any


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn relative links that leave docs/ into the repository's addresses.

    Args:
        markdown: Text of the page.
        page: Where it stands.
        config: Has the repository's address.
        _: What this hook does not need.

    Returns:
        The text with such links replaced.
    """
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        if target.startswith("docs/"):
            return link[0]
        return f"]({config.repo_url.rstrip('/')}/blob/main/{target}"

    return re.sub(r"\]\((?!\w+:|#)([^)#\s]+)", replaced, markdown)
