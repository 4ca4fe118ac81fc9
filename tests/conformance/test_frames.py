"""Animations and pages: every frame, with its time; transparency without halo; sizes."""

import itertools

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srgan_cli.errors import UsageError
from tests.conformance import samples


def frames_of(path):
    """Return what a viewer shows: RGBA and milliseconds of each frame."""
    with Image.open(path) as image:
        shown = []
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            shown.append((image.convert("RGBA"), image.info.get("duration")))
        return shown, image.info.get("loop")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("extension", [".gif", ".png", ".webp", ".avif"])
def test_animations_keep_frames_timing_and_loops(tmp_path, upscale, extension, mode):
    source, durations = samples.save_animation(tmp_path / f"a{extension}", mode)
    before, loop = frames_of(source)
    after, loop_after = frames_of(upscale.one(source, tmp_path / "out"))
    assert [duration for _, duration in after] == durations
    assert loop_after == loop
    for (wanted, _), (made, _) in zip(before, after, strict=True):
        assert made.size == (2 * wanted.width, 2 * wanted.height)
        premultiplied = [
            np.asarray(f.convert("RGBa")).astype(int) for f in (made.reduce(2), wanted)
        ]
        # GIF has no partial transparency: its edges are hard, and its colours are dithered.
        assert np.abs(premultiplied[0] - premultiplied[1]).mean() < (
            12 if extension == ".gif" else 6
        )


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.permutations([".gif", ".png", ".webp"], 2))
)
def test_animations_go_from_format_to_format(tmp_path, upscale, source, target):
    path, durations = samples.save_animation(tmp_path / f"a{source}")
    made, _ = frames_of(upscale.one(path, tmp_path / "out", ext=target))
    assert [duration for _, duration in made] == durations


def test_a_cleared_frame_shows_nothing_of_the_one_before(tmp_path, upscale):
    source, _ = samples.save_animation(tmp_path / "a.gif")
    made, _ = frames_of(upscale.one(source, tmp_path / "out"))
    # The opaque square moves on; where it was first there is nothing in the third frame.
    assert made[0][0].getpixel((10, 16))[3] == 255
    assert made[2][0].getpixel((10, 16))[3] == 0


def test_an_opaque_frame_between_transparent_ones_is_cleared_too(tmp_path, upscale):
    frames = [Image.new("RGBA", (16, 16), colour) for colour in ("red", "lime", "blue")]
    for frame in (frames[0], frames[2]):
        frame.paste((0, 0, 0, 0), (8, 0, 16, 16))
    frames[0].save(
        tmp_path / "a.png", save_all=True, append_images=frames[1:], blend=0, duration=100
    )
    made, _ = frames_of(upscale.one(tmp_path / "a.png", tmp_path / "out", ext="gif"))
    assert [frame.getpixel((28, 16))[3] for frame, _ in made] == [0, 255, 0]


def test_the_still_image_of_an_animated_png_is_not_a_frame(tmp_path, upscale):
    frames = [samples.image("RGB", phase) for phase in (0.0, 1.0, 2.0)]
    frames[0].save(
        tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True, duration=90
    )
    made, _ = frames_of(upscale.one(tmp_path / "a.png", tmp_path / "out"))
    assert [duration for _, duration in made] == [90, 90]
    wanted = np.asarray(frames[1]).astype(int)
    assert np.abs(np.asarray(made[0][0].convert("RGB").reduce(2)) - wanted).mean() < 2


def test_animations_lose_all_but_the_first_frame_where_there_is_no_place(tmp_path, upscale):
    source, _ = samples.save_animation(tmp_path / "a.gif", "RGB")
    report = upscale(source, output=tmp_path / "out", ext="jpg")
    assert "only the first of 3 frames" in report.written[0].notes[0]


def test_every_page_of_a_tiff_is_kept_at_its_own_size_and_depth(tmp_path, upscale):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(samples.ramp(3), photometric="rgb")
        file.write(samples.ramp(1)[:10], photometric="minisblack")
        file.write(samples.ramp(3, deep=True)[:, :8], photometric="rgb")
    with tifffile.TiffFile(upscale.one(tmp_path / "a.tif", tmp_path / "out")) as file:
        shapes = [(page.shape, page.dtype) for page in file.pages]
    assert shapes == [((32, 48, 3), np.uint8), ((20, 48), np.uint8), ((32, 16, 3), np.uint16)]


def test_pages_do_not_become_an_animation(tmp_path, upscale):
    frames = [samples.image("RGB", phase) for phase in (0.0, 1.0)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    report = upscale(tmp_path / "a.tif", output=tmp_path / "out", ext="png")
    assert "only the first of 2 pages" in report.written[0].notes[0]
    with Image.open(report.written[0].output) as image:
        assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("deep", [False, True])
def test_colour_under_transparent_pixels_does_not_bleed_in(tmp_path, upscale, hidden, deep):
    rgba = np.zeros((24, 24, 4), np.uint8)
    rgba[..., :3] = hidden
    rgba[6:18, 6:18] = (180, 60, 30, 255)
    if deep:
        import imagecodecs

        wide = rgba.astype(np.uint16) * 257
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(wide))
        result = upscale.one(tmp_path / "a.png", tmp_path / "out")
        made = imagecodecs.png_decode(result.read_bytes()) // 257
    else:
        Image.fromarray(rgba).save(tmp_path / "a.png")
        made = np.asarray(Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out")))
    visible = made[made[..., 3] > 0]
    assert np.abs(visible[:, :3].astype(int) - (180, 60, 30)).max() <= 1
    assert made[24, 24, 3] == 255
    assert made[2, 2, 3] == 0


def test_bled_colour_survives_a_resize(tmp_path, upscale):
    rgba = np.zeros((24, 24, 4), np.uint8)
    rgba[6:18, 6:18] = (180, 60, 30, 255)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    made = np.asarray(Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out", scale=1.5)))
    visible = made[made[..., 3] > 2]
    assert np.abs(visible[:, :3].astype(int) - (180, 60, 30)).max() <= 3


@pytest.mark.parametrize("level", [255, 128, 0])
def test_constant_alpha_stays_constant(tmp_path, upscale, level):
    picture = samples.image("RGB")
    picture.putalpha(level)
    picture.save(tmp_path / "a.png")
    with Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out")) as image:
        assert image.getchannel("A").getextrema() == (level, level)


SIZES = [
    ({"scale": 3}, (72, 48)),
    ({"scale": 2.5}, (60, 40)),
    ({"scale": 4}, (96, 64)),
    ({"scale": 1.1}, (26, 18)),
    ({"width": 100}, (100, 67)),
    ({"height": 40}, (60, 40)),
    ({"width": 100, "height": 40}, (60, 40)),
    ({"max_side": 200}, (200, 133)),
    ({"max_side": 12}, (12, 8)),
]


@pytest.mark.parametrize(("options", "size"), SIZES)
@pytest.mark.parametrize("deep", [False, True])
def test_any_size_can_be_asked_for(tmp_path, upscale, options, size, deep):
    if deep:
        source = samples.save_deep(tmp_path / "a.tif", 4)
        made = tifffile.imread(upscale.one(source, tmp_path / "out", **options))
        assert made.shape == (size[1], size[0], 4)
        unit = made[..., 0] / 65535
    else:
        samples.image("RGBA").save(tmp_path / "a.png")
        with Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out", **options)) as image:
            assert image.size == size
            unit = np.asarray(image)[..., 0] / 255
    wanted = Image.fromarray(samples.ramp(1)).resize(size, Image.Resampling.BICUBIC)
    assert np.abs(unit - np.asarray(wanted) / 255).mean() < 0.04


@pytest.mark.parametrize(
    "options", [{"scale": 2, "width": 10}, {"scale": 1}, {"scale": 0.5}, {"width": 0}]
)
def test_sizes_that_contradict_are_refused(tmp_path, upscale, options):
    with pytest.raises(UsageError):
        upscale(tmp_path / "a.png", output=tmp_path / "out", **options)


@given(width=st.integers(1, 40), height=st.integers(1, 40), scale=st.sampled_from([2, 2.5, 3]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_images_of_any_shape_work(tmp_path_factory, upscale, width, height, scale):
    folder = tmp_path_factory.mktemp("shape")
    Image.new("RGB", (width, height), (10, 200, 30)).save(folder / "a.png")
    with Image.open(upscale.one(folder / "a.png", folder / "out", scale=scale)) as image:
        assert image.size == (max(1, round(width * scale)), max(1, round(height * scale)))
        extrema = image.getextrema()
    assert all(
        low >= v - 1 and high <= v + 1
        for (low, high), v in zip(extrema, (10, 200, 30), strict=True)
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_shapes_work(tmp_path, upscale, size):
    Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    with Image.open(upscale.one(tmp_path / "a.png", tmp_path / "out")) as image:
        assert image.size == (2 * size[0], 2 * size[1])
