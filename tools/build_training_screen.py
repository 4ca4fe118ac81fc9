"""Draw the last panel that a run drew: python tools/build_training_screen.py LOG IMAGE.svg.

LOG is what a terminal of 80 columns got:
script -qec "stty cols 80; srgan train …" LOG
"""

import argparse
import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, help="what the terminal got")
    parser.add_argument("image", type=Path, help="SVG file to write")
    given = parser.parse_args()
    text = given.log.read_text(encoding="utf-8").replace("\r", "")
    frames = re.findall(r"╭.*?╯", text, re.DOTALL)
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    # Colours begin before the corner of the frame: the last one but the end of the run's.
    console.print(Text.from_ansi(frames[-2 if len(frames) > 1 else -1]))
    console.save_svg(str(given.image), title="srgan train")


if __name__ == "__main__":
    main()
