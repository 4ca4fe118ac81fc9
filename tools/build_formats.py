"""Write docs/formats.md from what the conformance suite's images show: run it from the root.

python -m tools.build_formats
"""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tests.conformance import blocks, samples
from tests.conformance.same_blocks import compared

if TYPE_CHECKING:
    from tests.toolbox import Upscale

TARGET = Path(__file__).parents[1] / "docs" / "formats.md"
TEXT = Path(__file__).with_name("formats.in.md")
BLOCKS = {
    "exif": ("EXIF", ".jpg"),
    "xmp": ("XMP", ".jpg"),
    "iptc": ("IPTC", ".jpg"),
    "colour": ("ICC profile", ".jpg"),
    "png colour": ("PNG's gAMA, cHRM, cICP", ".png"),
    "resolution": ("resolution", ".jpg"),
    "comment": ("comment", ".jpg"),
    "text": ("PNG's text", ".png"),
    "ground": ("georeference", ".tif"),
    "times": ("frame times", ".gif"),
    "plays": ("repetitions", ".gif"),
}
"""What a block is called, and the format that it comes from."""
ANIMATED = (".gif", ".png", ".webp", ".avif")


def table(folder: Path) -> str:
    """Upscale a sample of each format and tell what of it is in the result."""
    from tests.toolbox import Upscale, save_bilinear

    upscale = Upscale(save_bilinear(folder / "model.safetensors"))
    headings = ["format", "grey", "alpha", "16 bits", "frames or pages"]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for extension, modes in samples.EIGHT_BIT.items():
        place = folder / extension.lstrip(".")
        place.mkdir()
        cells = [
            _kept(_is_grey(upscale, place, extension)) if "L" in modes else "becomes RGB",
            _kept(_has_alpha(upscale, place, extension)),
            _kept(_is_deep(upscale, place, extension)),
            _kept(_num_frames(upscale, place, extension) == 3),
        ]
        lines.append(f"| {Image.registered_extensions()[extension]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def block_table(folder: Path) -> str:
    """Upscale files with every block to every format and tell which blocks the results have."""
    from tests.toolbox import Upscale, save_bilinear

    upscale = Upscale(save_bilinear(folder / "blocks.safetensors"))
    sources = {kind: blocks.full(folder / f"full{kind}") for _, kind in BLOCKS.values()}
    before = {kind: blocks.inventory(path) for kind, path in sources.items()}
    headings = ["to", *(name for name, _ in BLOCKS.values())]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for extension in samples.EIGHT_BIT:
        fates = {}
        for kind, path in sources.items():
            output = folder / f"blocks{extension}{kind}".replace(".", "-")
            (made,) = upscale(path, output=output, ext=extension).written
            converted = any("converted to sRGB" in note for note in made.notes)
            after = blocks.inventory(made.output)
            fates[kind] = compared(before[kind], after, extension, converted=converted)
            fates[kind] |= {"converted": converted}
        cells = [_fate(key, fates[kind]) for key, (_, kind) in BLOCKS.items()]
        lines.append(f"| {Image.registered_extensions()[extension]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _fate(key: str, fates: dict[str, bool]) -> str:
    key = key.removeprefix("png ")
    if key == "colour" and not fates[key]:
        return "converted" if fates["converted"] else "–"
    return _kept(fates[key])


def _kept(value: bool) -> str:
    return "kept" if value else "–"


def _result(upscale: "Upscale", path: Path, image: Image.Image) -> Path:
    return upscale.one(samples.save(path, image), path.parent / "out")


def _is_grey(upscale: "Upscale", place: Path, extension: str) -> bool:
    with Image.open(_result(upscale, place / f"grey{extension}", samples.image("L"))) as image:
        pixels = np.asarray(image.convert("RGB"))
        return image.mode in {"L", "P"} and bool((np.ptp(pixels, axis=2) == 0).all())


def _has_alpha(upscale: "Upscale", place: Path, extension: str) -> bool:
    picture = samples.image("RGB")
    picture.putalpha(
        Image.linear_gradient("L").resize(picture.size).point(lambda v: 255 * (v > 99))
    )
    source = samples.save(place / "alpha.png", picture)
    with Image.open(upscale.one(source, place / "out", ext=extension)) as image:
        return image.has_transparency_data


def _is_deep(upscale: "Upscale", place: Path, extension: str) -> bool:
    result = upscale.one(samples.save_deep(place / "deep.png", 3), place / "out", ext=extension)
    if extension == ".png":
        return imagecodecs.png_decode(result.read_bytes()).dtype == np.uint16
    return extension == ".tif" and tifffile.imread(result).dtype == np.uint16


def _num_frames(upscale: "Upscale", place: Path, extension: str) -> int:
    path = place / f"frames{extension}"
    if extension in ANIMATED:
        samples.save_animation(path, "RGB")
    elif extension == ".tif":
        frames = [samples.image("RGB", phase) for phase in (0.0, 1.0, 2.0)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    else:
        return 1
    with Image.open(upscale.one(path, place / "out")) as image:
        return int(getattr(image, "n_frames", 1))


def document() -> str:
    """Return the page: the text with the table in its place."""
    with tempfile.TemporaryDirectory() as folder:
        generated = table(Path(folder))
        carried = block_table(Path(folder))
    head = "<!-- Generated by tools/build_formats.py from tools/formats.in.md; do not edit. -->\n\n"
    text = TEXT.read_text(encoding="utf-8").replace("{table}", generated)
    return head + text.replace("{blocks}", carried)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    TARGET.write_text(document(), encoding="utf-8")
