"""How long frames are shown, how often, and that no format's limits stop a batch."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from srgan_cli.engine.upscaling import upscale as module
from srgan_cli.imaging.files.animation import merged, options, timed
from tests.conformance import samples

ANIMATED = [".gif", ".webp", ".png"]


def frames_of(path):
    with Image.open(path) as image:
        times = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            times.append(image.info.get("duration"))
    return times


def apng(path, delays):
    """Write an animated PNG with delays as fractions of a second."""
    frames = [samples.image("RGB", phase) for phase in range(len(delays))]
    buffer = BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], duration=100)
    data, place, parts = buffer.getvalue(), 8, [buffer.getvalue()[:8]]
    waiting = list(delays)
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        if kind == b"fcTL":
            content = content[:20] + struct.pack(">HH", *waiting.pop(0)) + content[24:]
        parts.append(samples.png_chunk(kind, content))
        place += 12 + length
    path.write_bytes(b"".join(parts))
    return path


def long_frames(path, equal):
    """Write two frames of 400 s, as the format can say them."""
    if path.suffix == ".png":
        apng(path, [(400, 1), (400, 1)])
        return path
    frames = [samples.image("RGB", 0.0 if equal else phase) for phase in (0.0, 1.0)]
    if path.suffix == ".gif":
        data = []
        for frame in frames:
            buffer = BytesIO()
            frame.quantize(16).save(buffer, "GIF", duration=400_000)
            data.append(buffer.getvalue())
        start = data[1].index(b"\x21\xf9")
        end = 13 + (3 << ((data[0][10] & 7) + 1))
        # Both have a palette of 16 colours: the second frame takes that of the first.
        path.write_bytes(data[0][:end] + data[0][end:-1] + data[1][start:])
    else:
        more = {"lossless": True, "kmin": 1, "kmax": 1}
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=400_000, **more)
    return path


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("target", [*ANIMATED, ".avif"])
@pytest.mark.parametrize("source", ANIMATED)
def test_frames_of_400_s_cost_no_batch(tmp_path, upscale, source, target, equal):
    path = long_frames(tmp_path / f"a{source}", equal)
    Image.fromarray(samples.ramp(3)).save(tmp_path / "b.png")
    report = upscale(path, tmp_path / "b.png", output=tmp_path / "out", ext=target)
    assert not report.failed
    times = frames_of(report.written[0].output)
    said = any("most" in note for note in report.written[0].notes)
    # Two equal frames are a still image, where the format tells no time of one.
    assert len(times) == (1 if equal and source != ".png" else 2)
    assert len(times) == 1 or sum(times) == 800_000 or said


def test_a_gif_of_many_equal_frames_is_one_frame(tmp_path, upscale, monkeypatch):
    buffer = BytesIO()
    Image.new("P", (4, 4), 1).save(buffer, "GIF")
    data = buffer.getvalue()
    start = data.index(b",", 13)
    frame = b"\x21\xf9\x04\x00\xff\xff\x00\x00" + data[start:-1]
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + data[6:start] + 1000 * frame + b";")
    calls = []
    original = module.upscale_frame
    monkeypatch.setattr(
        module, "upscale_frame", lambda *arguments: calls.append(1) or original(*arguments)
    )
    for target in ANIMATED:
        report = upscale(tmp_path / "a.gif", output=tmp_path / target, ext=target)
        assert not report.failed
        assert len(frames_of(report.written[0].output)) == 1
    assert len(calls) == len(ANIMATED)


@pytest.mark.parametrize("delay", [(1, 30), (1, 60), (1001, 24000), (3, 1)])
def test_times_of_animated_png_are_fractions_and_stay_so(tmp_path, upscale, delay):
    path = apng(tmp_path / "a.png", [delay, delay])
    made = upscale.one(path, tmp_path / "out").read_bytes()
    places = [i for i in range(len(made)) if made[i : i + 4] == b"fcTL"]
    for place in places:
        over, under = struct.unpack_from(">HH", made, place + 4 + 20)
        assert over * delay[1] == pytest.approx(under * delay[0], rel=1e-6)


def test_times_are_rounded_without_drifting():
    notes = []
    assert timed("GIF", [1000 / 30] * 6, notes) == [30, 40, 30, 30, 40, 30]
    assert len(notes) == 1
    assert timed("WEBP", [1000 / 30] * 3, notes) == [33, 34, 33]
    assert len(notes) == 1
    assert timed("GIF", [100, 250, 40], notes) == [100, 250, 40]
    assert len(notes) == 1


def test_only_neighbours_that_are_equal_are_put_together():
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    images, times = merged([red, red.copy(), blue, red], [10, 20, 30, 40])
    assert times == [30, 30, 40]
    assert len(images) == 3


@pytest.mark.parametrize(
    ("name", "plays", "loop"),
    [
        ("GIF", 1, None), ("GIF", 0, 0), ("GIF", 4, 3), ("GIF", None, 0), ("GIF", 10**6, 65535),
        ("PNG", 1, 1), ("PNG", 0, 0), ("WEBP", 4, 4), ("WEBP", 10**6, 65535),
    ],
)  # fmt: skip
def test_each_format_counts_repetitions_in_its_own_way(name, plays, loop):
    assert options(name, [10, 10], plays, []).get("loop") == loop


def test_what_no_frame_covers_and_what_is_cleared_is_transparent(tmp_path, upscale):
    # Two frames in two corners of a screen; the first is cleared, as GIF89a's disposal 2 says.
    buffer = BytesIO()
    Image.new("P", (4, 4), 1).save(buffer, "GIF")
    data = buffer.getvalue()
    start = data.index(b",", 13)
    screen = struct.pack("<HH", 8, 8)
    body = data[start + 9 : -1]
    control = b"\x21\xf9\x04\x08\x0a\x00\x00\x00"
    places = [b"," + struct.pack("<4H", x, x, 4, 4) + body for x in (0, 4)]
    content = b"GIF89a" + screen + data[10:start] + control + places[0] + control + places[1]
    (tmp_path / "a.gif").write_bytes(content + b";")
    with Image.open(upscale.one(tmp_path / "a.gif", tmp_path / "out", ext="png")) as image:
        shown = []
        for number in range(image.n_frames):
            image.seek(number)
            shown.append(np.asarray(image.convert("RGBA"))[..., 3])
    assert [frame[2, 2] for frame in shown] == [255, 0]
    assert [frame[13, 13] for frame in shown] == [0, 255]
