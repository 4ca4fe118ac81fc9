"""Draw the last panel that a run drew: python docs/build_training_screen.py LOG IMAGE.svg.

LOG is what a terminal of 80 columns got:
script -qec "stty cols 80; srgan train …" LOG
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main(log: Path, image: Path) -> None:
    frames = re.findall(r"╭.*?╯", log.read_text(encoding="utf-8").replace("\r", ""), re.DOTALL)
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    # Colours begin before the corner of the frame: the last one but the end of the run's.
    console.print(Text.from_ansi(frames[-2 if len(frames) > 1 else -1]))
    console.save_svg(str(image), title="srgan train")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
