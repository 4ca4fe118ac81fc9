"""What --max-drift says of a result that it refuses."""

import pytest
from PIL import Image

from tests.conformance import samples
from tests.conformance.samples import picture


@pytest.mark.parametrize(
    ("extension", "place", "hint"),
    [
        ("tif", " on page 2,", "try another --model"),
        ("png", ",", "try another --model"),
        ("webp", ",", "try another --model"),
        ("jpg", ",", "try another --model or a higher --quality"),
    ],
)
def test_max_drift_names_the_worst_page_and_quality_only_where_it_counts(
    tmp_path, upscale, extension, place, hint
):
    smooth, rough = samples.image("RGB"), Image.open(picture(tmp_path / "rough.png"))
    more = {"save_all": True, "append_images": [rough, smooth]} if extension == "tif" else {}
    source = tmp_path / f"a.{extension}"
    (smooth if more else rough).save(source, **more)
    (failure,) = upscale(source, output=tmp_path / "out", max_drift=35).failed
    assert f" dB PSNR to its source{place} below --max-drift 35" in failure.reason
    assert failure.hint == hint


def test_results_that_stand_there_are_held_to_the_limit_too(tmp_path, upscale):
    source, out = picture(tmp_path / "rough.png"), tmp_path / "out"
    (made,) = upscale(source, output=out).written
    before = made.output.read_bytes()
    assert upscale(source, output=out, max_drift=10).unchanged == (made.output,)
    (failure,) = upscale(source, output=out, max_drift=90).failed
    assert "below --max-drift 90" in failure.reason
    assert made.output.read_bytes() == before
