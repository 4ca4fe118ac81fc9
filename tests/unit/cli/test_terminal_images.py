import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from srgan_cli.cli.terminal_images import escape_sequence, side_by_side, supported
from srgan_cli.imaging.crops import encode_webp
from tests.toolbox import synthetic_photograph


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({}, None),
    ],
)
def test_the_protocol_follows_from_the_environment(environment, protocol):
    assert supported(environment) == protocol


@pytest.fixture
def image():
    return Image.fromarray(synthetic_photograph(70, 50))


def _decoded(data):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_kittys_chunks_add_up_to_the_image(image):
    sequence = escape_sequence(image, "kitty")
    chunks = re.findall(r"\x1b_G(?:a=T,f=100,)?m=([01]);([^\x1b]{1,4096})\x1b\\", sequence)
    assert len(chunks) > 1
    assert [m for m, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
    assert np.array_equal(_decoded("".join(data for _, data in chunks)), np.asarray(image))
    assert sequence.count("a=T") == 1


def test_iterm2s_file_is_the_image(image):
    sequence = escape_sequence(image, "iterm2")
    assert sequence.startswith("\x1b]1337;File=inline=1;width=70px")
    data = sequence.partition(":")[2].removesuffix("\x07")
    assert np.array_equal(_decoded(data), np.asarray(image))


def test_sixels_paint_every_pixel_once_in_about_its_colour(image):
    sequence = escape_sequence(image, "sixel")
    body = re.fullmatch(r'\x1bPq"1;1;70;50(.*)\x1b\\', sequence)[1]
    palette = {
        int(i): np.array([int(r), int(g), int(b)]) * 2.55
        for i, r, g, b in re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)", body)
    }
    bands = re.sub(r"#\d+;2;\d+;\d+;\d+", "", body).removesuffix("-").split("-")
    painted, times = np.zeros((54, 70, 3)), np.zeros((54, 70), int)
    for top, band in zip(range(0, 50, 6), bands, strict=True):
        for line in band.split("$"):
            colour, sixels = re.fullmatch(r"#(\d+)([?-~]{70})", line).groups()
            for x, sixel in enumerate(sixels):
                for y in range(6):
                    if ord(sixel) - 63 >> y & 1:
                        painted[top + y, x] = palette[int(colour)]
                        times[top + y, x] += 1
    assert (times[:50] == 1).all()
    assert (times[50:] == 0).all()
    assert np.abs(painted[:50] - np.asarray(image)).mean() < 8


def test_layers_lie_side_by_side_and_lr_is_repeated():
    hr = synthetic_photograph(24, 20)
    layers = {"LR": hr[::2, ::2], "HR": hr}
    crop = {k: base64.b64encode(encode_webp(v, None)).decode() for k, v in layers.items()}
    sheet = np.asarray(side_by_side(crop, ["LR", "HR"], 24, 20))
    assert sheet.shape == (20, 52, 3)
    assert np.array_equal(sheet[:, 28:], hr)
    assert np.array_equal(sheet[:, :24], hr[::2, ::2].repeat(2, 0).repeat(2, 1))
