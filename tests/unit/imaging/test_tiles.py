import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srgan_cli.imaging.tiles import tile_spans


@st.composite
def coverings(draw, aligns=(1, 2, 4)):
    length = draw(st.integers(1, 500))
    align = draw(st.sampled_from(aligns))
    units = draw(st.integers(1, 120 // align))
    tile, overlap = align * units, align * draw(st.integers(0, units - 1))
    return length, tile, overlap, tile_spans(length, tile=tile, overlap=overlap, align=align)


@given(coverings())
def test_kept_parts_partition_the_axis(covering):
    length, _, _, spans = covering
    kept = [pixel for span in spans for pixel in range(span.keep_start, span.keep_stop)]
    assert kept == list(range(length))
    assert all(span.kept > 0 for span in spans)


@given(coverings(aligns=(1,)))
def test_all_tiles_have_one_size_and_lie_inside_the_image(covering):
    length, tile, _, spans = covering
    assert {span.stop - span.start for span in spans} == {min(tile, length)}
    assert spans[0].start == 0
    assert spans[-1].stop == length
    starts = [span.start for span in spans]
    assert starts == sorted(set(starts))


@given(coverings(aligns=(4,)))
def test_aligned_tiles_start_at_multiples_and_only_the_last_is_shorter(covering):
    length, tile, _, spans = covering
    assert all(span.start % 4 == 0 for span in spans)
    *others, last = (span.stop - span.start for span in spans)
    assert set(others) <= {tile}
    assert min(tile, length) - 4 < last <= tile
    assert spans[-1].stop == length


@given(coverings())
def test_kept_pixels_lie_half_the_overlap_inside_their_tile_or_at_the_border(covering):
    length, _, overlap, spans = covering
    for span in spans:
        assert span.start == 0 or span.keep_start - span.start >= overlap // 2
        assert span.stop == length or span.stop - span.keep_stop >= overlap // 2


@given(coverings())
def test_no_more_tiles_are_used_than_needed(covering):
    length, tile, overlap, spans = covering
    assume(length > tile)
    assert len(spans) == -(-(length - overlap) // (tile - overlap))


@given(coverings(), st.integers(1, 4))
def test_an_upscaled_axis_is_put_together_from_upscaled_tiles(covering, scale):
    length, _, _, spans = covering
    axis = np.arange(length)
    result = np.full(length * scale, -1)
    for span in spans:
        upscaled = axis[span.start : span.stop].repeat(scale)
        result[span.kept_of_result(scale)] = upscaled[span.kept_of_tile(scale)]
    assert np.array_equal(result, axis.repeat(scale))


@pytest.mark.parametrize(
    ("length", "tile", "overlap", "message"),
    [
        (0, 8, 2, "length 0 is not positive"),
        (-3, 8, 2, "length -3 is not positive"),
        (10, 8, 8, r"overlap 8 is outside \[0, 8\)"),
        (10, 8, -1, r"overlap -1 is outside \[0, 8\)"),
    ],
)
def test_impossible_coverings_are_refused(length, tile, overlap, message):
    with pytest.raises(ValueError, match=message):
        tile_spans(length, tile=tile, overlap=overlap)


@pytest.mark.parametrize(("tile", "overlap"), [(9, 2), (8, 3)])
def test_sizes_that_are_no_multiple_of_the_alignment_are_refused(tile, overlap):
    with pytest.raises(ValueError, match="must divide by 2"):
        tile_spans(40, tile=tile, overlap=overlap, align=2)
