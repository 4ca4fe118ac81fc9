"""The numbers beside the axes of a run's report."""

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srgan_cli.report.training import training_page

_POWER = re.compile(r"<h3>pixel(?:, × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?</h3>")
_LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def _ticks(low, high):
    records = [
        {"step": step, "phase": "pretrain", "pixel": value, "learning_rate": 1.0}
        for step, value in ((10, low), (20, high))
    ]
    page = training_page("run", {}, records, [])
    (chart,) = (part for part in page.split("<figure>") if "<h3>pixel" in part)
    labels = re.findall(r'text-anchor="end">([^<]*)</text>', chart)[:3]
    power = int((_POWER.search(chart)[1] or "0").translate(_LOWERED))
    return labels, [float(label) * 10.0**power for label in labels]


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-1e12, 1e12, allow_subnormal=False),
    st.floats(1e-3, 1.0),
)
@example(low=-999950000001.0, growth=0.0625)  # Rounds to one digit more.
def test_labels_are_short_and_true(low, growth):
    high = low + growth * max(abs(low), 1e-9)
    labels, values = _ticks(low, high)
    assert all(len(label) <= 6 for label in labels), labels
    largest = max(abs(low), abs(high))
    for value, wanted in zip(values, (low, (low + high) / 2, high), strict=True):
        assert math.isclose(value, wanted, abs_tol=6e-3 * largest), labels


def test_a_term_that_never_changes_has_an_axis_too():
    labels, _ = _ticks(0.0, 0.0)
    assert labels == ["-0.50", "0.00", "0.50"]


@pytest.mark.parametrize(
    ("psnr", "told"), [(30.0, "below bicubic<b>1.02"), (33.0, "above bicubic<b>1.98")]
)
def test_a_series_with_one_point_shows_a_point_and_the_text_says_on_which_side_it_is(psnr, told):
    record = {
        "step": 10,
        "phase": "pretrain",
        "verdict": "healthy",
        "reason": "",
        "detail": 0.8,
        "validation_psnr": psnr,
        "validation_ssim": 0.9,
        "validation_perceptual": None,
        "bicubic_psnr": 31.02,
        "bicubic_ssim": 0.8,
        "bicubic_detail": 0.7,
    }
    page = training_page("run", {}, [record], [])
    assert told in page
    assert "dashed line" not in page  # There is one phase.
    assert page.count("<circle") == 6  # PSNR, SSIM and detail, each of the run and of bicubic.
    assert "<polyline" not in page
    page = training_page("run", {}, [record, {**record, "step": 20}], [])
    assert page.count("<polyline") == 6
    assert "<circle" not in page
