"""docs/troubleshooting.md quotes messages as the program says them."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = ("srgan: command not found", "No matching distribution found for torch")


def texts():
    """Yield every text of the source code, with an ellipsis for what is put in."""
    for path in (ROOT / "srgan_cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                )


def test_each_message_of_the_page_is_one_of_the_program():
    said = "\n".join(texts())
    rows = re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE)
    quoted = [span for row in rows for span in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) > 40
    for message in quoted:
        if message not in OF_OTHERS:
            for part in message.split("…"):
                assert part.strip(" :") in said, message
