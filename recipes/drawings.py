"""Render drawings, letters and screens to train on beside photographs.

apt-get install librsvg2-bin openclipart-svg tango-icon-theme
apt-get install fonts-dejavu-core fonts-liberation fonts-comic-neue
python recipes/drawings.py DRAWINGS --count 300

Every kind has its share: text, comic panels with screentone and balloons, hatching, flat-colour
clip art, icons, charts. All is drawn at twice the size and reduced, so that edges are antialiased
as those of a renderer are. Fonts and clip art are those of Debian packages under free licences;
DRAWINGS/ATTRIBUTION.md names each package that was used, with its licence. The same packages, count
and seed give the same images.
"""

import argparse
import functools
import io
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

Random = np.random.Generator

SIDE = 768
OVERSAMPLED = 2
FONTS = Path("/usr/share/fonts")
FONT_FILES = (  # of the packages below alone, whatever else is installed
    *(f"truetype/dejavu/DejaVu{name}.ttf" for name in ("Sans", "Sans-Bold", "SansMono")),
    *(f"truetype/dejavu/DejaVu{name}.ttf" for name in ("SansMono-Bold", "Serif", "Serif-Bold")),
    "truetype/liberation/Liberation*.ttf",
    "opentype/comic-neue/ComicNeue-*.otf",
)
CLIPART = Path("/usr/share/openclipart/svg")
ICONS = Path("/usr/share/icons/Tango/scalable")
PACKAGES = {
    "fonts-dejavu-core": "Bitstream Vera licence",
    "fonts-liberation": "SIL Open Font Licence 1.1",
    "fonts-comic-neue": "SIL Open Font Licence 1.1",
    "openclipart-svg": "public domain",
    "tango-icon-theme": "public domain",
}
WORDS = """light river seven paper engine quiet garden north window copper letter signal morning
bridge under harbour simple figure ninety market silver circle branch island reason answer yellow
Total 1,284.50 km/h No. 37 (see p. 12) 14:35 x² + 2y = 0 A–Z & Co.""".split()  # noqa: SIM905


@functools.cache
def fonts() -> list[Path]:
    found = {pattern: sorted(FONTS.glob(pattern)) for pattern in FONT_FILES}
    if missing := [pattern for pattern, files in found.items() if not files]:
        names = " ".join(name for name in PACKAGES if name.startswith("fonts-"))
        raise SystemExit(f"no {missing[0]} in {FONTS}: apt-get install {names}")
    return [file for files in found.values() for file in files]


def font(random: Random, low: float, high: float) -> ImageFont.FreeTypeFont:
    """Choose a font and a size, small ones more often."""
    size = int(low * (high / low) ** random.random())
    return ImageFont.truetype(str(random.choice(fonts())), size)


def colour(random: Random, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(low, high, 3))
    return red, green, blue


def paper(random: Random) -> tuple[Image.Image, tuple[int, int, int]]:
    """Make an empty page and the colour to draw on it: mostly dark on light."""
    light, dark = colour(random, 215), colour(random, 0, 60)
    if random.random() < 0.3:
        light, dark = (255, 255, 255), (0, 0, 0)
    if random.random() < 0.2:
        light, dark = dark, light
    side = OVERSAMPLED * SIDE
    return Image.new("RGB", (side, side), light), dark


def sentence(random: Random, count: int) -> str:
    return " ".join(random.choice(WORDS, count))


def text(random: Random) -> Image.Image:
    """Paragraphs in several fonts and sizes."""
    page, ink = paper(random)
    draw, y = ImageDraw.Draw(page), 30
    while y < page.height:
        chosen = font(random, 16, 130)
        width = int(page.width / (0.55 * chosen.size))
        lines = textwrap.fill(sentence(random, int(random.integers(4, 60))), max(8, width))
        draw.multiline_text((30, y), lines, ink, chosen, spacing=chosen.size // 4)
        y += int(draw.multiline_textbbox((0, 0), lines, chosen)[3]) + chosen.size
    return page


def curve(random: Random, side: int) -> list[tuple[float, float]]:
    """Return the points of a smooth closed shape."""
    angles = np.linspace(0, 2 * np.pi, 120)
    radius = sum(
        random.normal(0, 0.3 / k) * np.cos(k * angles + random.uniform(0, 7)) for k in range(1, 6)
    )
    radius = side * random.uniform(0.05, 0.3) * (1 + 0.5 * radius)
    centre = random.uniform(0, side, 2)
    points = centre + np.stack((np.cos(angles), np.sin(angles)), 1) * radius[:, None]
    return [(float(x), float(y)) for x, y in points]


def screentone(random: Random, side: int) -> Image.Image:
    """Make a mask of dots or lines, as printers and comics shade with."""
    pitch, angle = random.uniform(6, 22), random.uniform(0, np.pi)
    y, x = np.mgrid[:side, :side]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    wave = np.cos(2 * np.pi * u / pitch)
    if random.random() < 0.7:
        wave = (wave + np.cos(2 * np.pi * v / pitch)) / 2
    return Image.fromarray(((wave > random.uniform(-0.3, 0.7)) * 255).astype(np.uint8))


def comic(random: Random) -> Image.Image:
    """Outlined shapes, flat or in screentone, with balloons of letters."""
    page, ink = paper(random)
    draw = ImageDraw.Draw(page)
    for _ in range(int(random.integers(6, 16))):
        points = curve(random, page.width)
        if random.random() < 0.5:
            mask = Image.new("L", page.size)
            ImageDraw.Draw(mask).polygon(points, 255)
            page.paste(ink, mask=Image.composite(screentone(random, page.width), mask, mask))
        else:
            draw.polygon(points, colour(random))
        draw.line([*points, points[0]], ink, int(random.integers(2, 14)), joint="curve")
    for _ in range(3):
        x, y = (int(v) for v in random.integers(0, page.width - 500, 2))
        draw.ellipse((x, y, x + 520, y + 240), (255, 255, 255), (0, 0, 0), 6)
        letters = textwrap.fill(sentence(random, 7).upper(), 18)
        draw.multiline_text(
            (x + 260, y + 120),
            letters,
            (0, 0, 0),
            font(random, 26, 44),
            anchor="mm",
            align="center",
        )
    return page


def hatching(random: Random) -> Image.Image:
    """Line art: strokes that follow a direction field, crossed where it is dark."""
    page, ink = paper(random)
    draw = ImageDraw.Draw(page)
    a, b, c = random.uniform(-4, 4, 3)
    for _ in range(int(random.integers(500, 3000))):
        x, y = random.uniform(0, page.width, 2)
        shade = np.sin(a * x / page.width) * np.cos(b * y / page.width)
        angle = c * shade + (np.pi / 3 if random.random() < max(0, shade) else 0)
        points = []
        for _ in range(int(random.integers(4, 14))):
            points.append((x, y))
            x, y = x + 12 * np.cos(angle), y + 12 * np.sin(angle)
            angle += random.normal(0, 0.06)
        draw.line(points, ink, int(random.integers(1, 6)), joint="curve")
    return page


def chart(random: Random) -> Image.Image:
    """Axes, a grid, lines, bars and labels."""
    page, ink = paper(random)
    draw, side = ImageDraw.Draw(page), page.width
    label = font(random, 20, 40)
    for k in range(11):
        place = 120 + k * (side - 240) / 10
        draw.line((120, place, side - 120, place), colour(random, 120, 200), 1 + k % 2)
        draw.text((20, place), f"{100 - 10 * k}", ink, label, anchor="lm")
        draw.text((place, side - 90), f"{2000 + k}", ink, label, anchor="mm")
    for _ in range(int(random.integers(1, 6))):
        ys = side / 2 + np.cumsum(random.normal(0, 40, 60))
        xs = np.linspace(120, side - 120, 60)
        draw.line(list(zip(xs, ys, strict=True)), colour(random), int(random.integers(2, 9)))
    for x in range(160, side - 160, int(random.integers(60, 160))):
        draw.rectangle(
            (x, random.integers(side // 2, side - 120), x + 40, side - 120), colour(random)
        )
    draw.line((120, 120, 120, side - 120, side - 120, side - 120), ink, 4)
    draw.text((side // 2, 60), sentence(random, 4), ink, font(random, 40, 70), anchor="mm")
    return page


@functools.cache
def drawings(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.svg"))


def rendered(random: Random, folder: Path, side: int) -> Image.Image | None:
    """Render one SVG of a package; None where it or the renderer is missing or fails."""
    if not drawings(folder) or shutil.which("rsvg-convert") is None:
        return None
    path = random.choice(drawings(folder))
    command = ["rsvg-convert", "--keep-aspect-ratio", "-w", f"{side}", "-h", f"{side}", str(path)]
    made = subprocess.run(command, capture_output=True, check=False)
    if made.returncode or not made.stdout:
        return None
    return Image.open(io.BytesIO(made.stdout)).convert("RGBA")


def clipart(random: Random) -> Image.Image:
    """One or several drawings on a plain background."""
    page, _ = paper(random)
    for _ in range(int(random.integers(1, 6))):
        side = int(page.width * random.uniform(0.4, 1))
        drawing = rendered(random, CLIPART, side)
        if drawing is not None:
            place = tuple(int(v) for v in random.integers(0, page.width - side + 1, 2))
            page.paste(drawing, place, drawing)
    return page


def icons(random: Random) -> Image.Image:
    """A screen of icons with captions."""
    page, ink = paper(random)
    draw, cell = ImageDraw.Draw(page), int(random.integers(110, 260))
    label = font(random, 16, 26)
    for y in range(20, page.height - cell, cell + 40):
        for x in range(20, page.width - cell, cell + 30):
            icon = rendered(random, ICONS, cell)
            if icon is not None:
                page.paste(icon, (x, y), icon)
            draw.text((x + cell // 2, y + cell + 16), sentence(random, 1), ink, label, anchor="mm")
    return page


KINDS: dict[str, Callable[[Random], Image.Image]] = {
    "text": text,
    "comic": comic,
    "hatching": hatching,
    "chart": chart,
    "clipart": clipart,
    "icons": icons,
}


def draw_all(folder: Path, count: int, seed: int) -> None:
    """Write the images and the attribution."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        page = KINDS[kind](np.random.default_rng((seed, number)))
        image = ImageOps.contain(page, (SIDE, SIDE), Image.Resampling.LANCZOS)
        image.save(folder / f"{kind}-{number:04}.png")
    lines = [f"- {package}: {licence}" for package, licence in PACKAGES.items()]
    head = "Rendered by recipes/drawings.py from fonts and drawings of these Debian packages:\n\n"
    (folder / "ATTRIBUTION.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write the images")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw_all(given.folder, given.count, given.seed)


if __name__ == "__main__":
    main()
