"""Fine-tune the bundled model on comic pages, and compare both on other volumes.

apt-get install fonts-dejavu-core fonts-liberation fonts-comic-neue
python benchmarks/domain.py FOLDER

Draws 60 pages of six volumes to train on and 40 of four others to compare on (--pages writes only
these), then runs ``srgan prepare``, ``srgan train --init fidelity`` and ``srgan eval``, all with
their defaults, in FOLDER/home, and prints the commands. Every volume has its own paper, ink,
lettering, line width and screentones; no page, panel or shape is in two of them. Fonts are those
of Debian packages under free licences.
"""

import argparse
import os
import shlex
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))
import drawings

Random = np.random.Generator
Points = list[tuple[float, float]]

WIDTH, HEIGHT = 640, 896
OVERSAMPLED = 2
TRAINED, HELD_OUT = 6, 4
"""Volumes."""


@dataclass(frozen=True)
class Volume:
    """What the pages of a volume have in common; lengths in oversampled pixels."""

    coloured: bool
    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    letters: ImageFont.FreeTypeFont
    line: int
    pitches: tuple[float, float]
    angle: float


def volume(random: Random) -> Volume:
    tint = drawings.colour(random, 228)
    return Volume(
        coloured=bool(random.random() < 0.3),
        paper=(255, 255, 255) if random.random() < 0.5 else tint,
        ink=drawings.colour(random, 0, 40),
        letters=drawings.font(random, 24, 34),
        line=int(random.integers(3, 8)),
        pitches=(random.uniform(9, 13), random.uniform(13, 20)),
        angle=random.uniform(0, np.pi / 2),
    )


def tone(random: Random, of: Volume, width: int, height: int) -> Image.Image:
    """Make a mask of screentone: dots or lines on a grid, evenly dark or fading away."""
    pitch, angle = of.pitches[random.integers(2)], of.angle
    y, x = np.mgrid[:height, :width]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    wave = np.cos(2 * np.pi * u / pitch)
    if random.random() < 0.8:
        wave = (wave + np.cos(2 * np.pi * v / pitch)) / 2
    level = random.uniform(-0.4, 0.6)
    if random.random() < 0.4:
        level = np.linspace(level, level + random.uniform(0.3, 1.2), height)[:, None]
    return Image.fromarray(((wave > level) * 255).astype(np.uint8))


def outline(random: Random, width: int, height: int) -> Points:
    """Return the points of a smooth closed shape somewhere in a panel."""
    side = max(width, height)
    return [(x * width / side, y * height / side) for x, y in drawings.curve(random, side)]


def fill(random: Random, of: Volume, panel: Image.Image, points: Points) -> None:
    """Fill a shape with ink, paper, a colour, screentone or hatching, and outline it."""
    draw, kind = ImageDraw.Draw(panel), random.random()
    if kind < 0.45:
        shape = Image.new("L", panel.size)
        ImageDraw.Draw(shape).polygon(points, 255)
        panel.paste(of.ink, mask=Image.composite(tone(random, of, *panel.size), shape, shape))
    elif kind < 0.6:
        strokes = Image.new("L", panel.size)
        shape = strokes.copy()
        ImageDraw.Draw(shape).polygon(points, 255)
        lines, step = ImageDraw.Draw(strokes), int(random.integers(8, 16))
        for x in range(-panel.height, panel.width, step):
            lines.line((x, 0, x + panel.height, panel.height), 255, 2)
        panel.paste(of.ink, mask=Image.composite(strokes, shape, shape))
    elif kind < 0.75:
        draw.polygon(points, of.ink)
    else:
        draw.polygon(points, drawings.colour(random, 80) if of.coloured else of.paper)
    draw.line([*points, points[0]], of.ink, of.line, joint="curve")


def speed_lines(random: Random, of: Volume, panel: Image.Image) -> None:
    """Draw lines that run together in one point."""
    centre = random.uniform(0.3, 0.7, 2) * panel.size
    draw, radius = ImageDraw.Draw(panel), float(sum(panel.size))
    for angle in random.uniform(0, 2 * np.pi, int(random.integers(60, 160))):
        direction = np.array((np.cos(angle), np.sin(angle)))
        inner = centre + direction * random.uniform(0.15, 0.5) * min(panel.size)
        draw.line((*inner, *(centre + direction * radius)), of.ink, int(random.integers(1, 5)))


def balloon(random: Random, of: Volume, panel: Image.Image) -> None:
    """Draw a speech balloon with a few words."""
    draw, width = ImageDraw.Draw(panel), int(min(panel.width * 0.8, 420))
    words = drawings.sentence(random, int(random.integers(3, 9))).upper()
    letters = textwrap.fill(words, max(6, int(width / (0.75 * of.letters.size))))
    left, top, right, bottom = draw.multiline_textbbox((0, 0), letters, of.letters)
    x = random.uniform(0, max(1, panel.width - (right - left) - 60))
    y = random.uniform(0, max(1, panel.height - (bottom - top) - 60))
    box = (x, y, x + right - left + 60, y + bottom - top + 60)
    draw.ellipse(box, (255, 255, 255), of.ink, of.line)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw.multiline_text(middle, letters, of.ink, of.letters, anchor="mm", align="center")


def draw_panel(random: Random, of: Volume, width: int, height: int) -> Image.Image:
    panel = Image.new("RGB", (width, height), of.paper)
    kind = random.random()
    if kind < 0.25:
        panel.paste(of.ink, mask=tone(random, of, width, height))
    elif kind < 0.4:
        speed_lines(random, of, panel)
    for _ in range(int(random.integers(3, 9))):
        fill(random, of, panel, outline(random, width, height))
    for _ in range(int(random.integers(1, 3))):
        balloon(random, of, panel)
    ImageDraw.Draw(panel).rectangle((0, 0, width - 1, height - 1), None, of.ink, of.line)
    return panel


def draw_page(random: Random, of: Volume) -> Image.Image:
    """Draw rows of panels, at twice the size, and reduce them."""
    width, height, gap = OVERSAMPLED * WIDTH, OVERSAMPLED * HEIGHT, 24
    page = Image.new("RGB", (width, height), of.paper)
    rows = int(random.integers(2, 5))
    for row in range(rows):
        columns = int(random.integers(1, 4))
        wide, high = (width - gap) // columns - gap, (height - gap) // rows - gap
        for column in range(columns):
            panel = draw_panel(random, of, wide, high)
            page.paste(panel, (gap + column * (wide + gap), gap + row * (high + gap)))
    page = page.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return page if of.coloured else page.convert("L")


def draw_volumes(folder: Path, numbers: range, given: argparse.Namespace) -> None:
    """Write the pages of volumes; each follows from the seed, its volume and its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        of = volume(np.random.default_rng((given.seed, number)))
        for page in range(given.count):
            random = np.random.default_rng((given.seed, number, page + 1))
            draw_page(random, of).save(folder / f"volume{number}-{page:02}.png")


def run(home: Path, *command: object) -> None:
    """Print a command and what it says, and how long it took."""
    words = ["srgan", *map(str, command)]
    print(f"$ {' '.join(words)}", flush=True)
    environment = os.environ | {"SRGAN_HOME": str(home)}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", *words[1:]],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    print(f"{done.stdout}{time.monotonic() - start:.0f} seconds", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where everything is written")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other volumes")
    parser.add_argument("--count", type=int, default=10, help="pages of each of the ten volumes")
    parser.add_argument("--pages", action="store_true", help="only draw the pages")
    parser.add_argument("--name", default="comics", help="of the run")
    parser.add_argument("--options", default="--minutes 5", help="of srgan train, in one word")
    given = parser.parse_args()
    train, held_out, home = (given.folder / name for name in ("train", "held-out", "home"))
    if not held_out.exists():
        draw_volumes(train, range(TRAINED), given)
        draw_volumes(held_out, range(TRAINED, TRAINED + HELD_OUT), given)
    if given.pages:
        return
    here = partial(run, home)
    if not (home / "datasets").exists():
        here("prepare", train)
    options = shlex.split(given.options)
    here("train", "--init", "fidelity", "--name", given.name, *options)
    here("eval", held_out, "--scale", 2, "--model", "fidelity-x2", "--model", given.name)


if __name__ == "__main__":
    main()
