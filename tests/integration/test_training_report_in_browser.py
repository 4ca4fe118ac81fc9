"""The report of ``srgan train`` in headless Chromium."""

import base64
import math
import os
from pathlib import Path

import numpy as np
import pytest

from srgan_cli.engine.training.sheets import write_sheet
from srgan_cli.engine.training.validation import Shown
from srgan_cli.imaging.resize import downscale, upscale_bicubic
from srgan_cli.report.training import training_page
from tests.toolbox import synthetic_photograph
from tests.toolbox.browser import CHROMIUM, DRIVER, headless, quietly_opened, resize

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)

NAME = "<b onclick=alert(1)>&run"
SCREENSHOT = os.environ.get("SRGAN_TRAINING_REPORT")
"""A report to take the documentation's image of, when set."""


def records():
    """Return what a run of 2,000 steps might have logged, with one roll-back."""
    found = []
    for step in range(0, 2001, 10):
        phase = "pretrain" if step <= 1000 else "adversarial"
        terms = {"pixel": 0.05 * math.exp(-step / 400) + 0.01}
        if phase == "adversarial":
            distance = 23_456 * (1 - math.exp(-(step - 1000) / 200))
            terms |= {"wasserstein": -distance, "accuracy": 0.8}
        if step:
            own = {
                "learning_rate": 1.234e-5 * (1 - step / 4000),
                "skipped": 2,
                "rollbacks": int(step > 1200),
            }
            found.append({"step": step, "phase": phase, **terms, **own})
        if step % 250 == 0:
            score = {"validation_psnr": 30 + step / 500, "validation_ssim": 0.9 + step / 40_000}
            more = {"detail": 0.8, "validation_perceptual": None if step <= 1000 else 0.2}
            bicubic = {"bicubic_psnr": 31.0, "bicubic_ssim": 0.91, "bicubic_detail": 0.7}
            verdict = {"verdict": "healthy", "reason": "as it <i>should</i> be"}
            found.append({"step": step, "phase": phase} | score | more | bicubic | verdict)
    back = {"step": 1000, "rolled_back_from": 1200, "reason": "pixel was no longer finite"}
    return [*found, back]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    hr = synthetic_photograph(256, 192)
    lr = downscale(hr, 2)
    bicubic = upscale_bicubic(lr, 2)
    sheets = [write_sheet(folder, step, [Shown(lr, bicubic, hr, hr)]) for step in (500, 2000)]
    config = {"name": NAME, "batch": 16, "weights": {"pixel": 0.01}, "init": None}
    path = folder / "report.html"
    path.write_text(training_page(NAME, config, records(), sheets, steps=4000), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with headless(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser, page):
    with quietly_opened(browser, page) as driver:
        yield driver


def texts(browser, css):
    return [element.text for element in browser.find_elements("css selector", css)]


def prefer(browser, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def test_names_and_reasons_are_shown_as_text(opened):
    assert texts(opened, "h1") == [NAME]
    assert "as it <i>should</i> be" in texts(opened, "header p")[0]
    assert not opened.find_elements("css selector", "header b[onclick], i")


def test_every_term_and_score_has_its_curve(opened):
    titles = texts(opened, "figure h3")[:7]
    assert titles == [
        *("PSNR on Y, dB", "SSIM on Y", "detail, share of real images"),
        *("pixel, × 10⁻²", "wasserstein, × 10⁴", "accuracy", "learning rate, × 10⁻⁵"),
    ]
    script = (
        "return [...document.querySelectorAll('polyline')].map(line => {"
        "const box = line.getBBox(); return [box.x, box.y, box.x + box.width, box.y + box.height]})"
    )
    boxes = opened.execute_script(script)
    assert len(boxes) == 3 * 2 + 4
    assert all(x >= 58 and y >= 0 and right <= 400 and low <= 140 for x, y, right, low in boxes)
    assert len(opened.find_elements("css selector", "line.phase")) == 7


@pytest.mark.parametrize("width", [1200, 360])
def test_labels_of_the_axes_are_whole_and_large_enough_to_read(opened, width):
    resize(opened, width, 800)
    opened.refresh()
    script = (
        "return [...document.querySelectorAll('svg text')].map(text => {"
        "const box = text.getBBox(), shown = text.getBoundingClientRect();"
        "return [text.textContent, box.x, box.x + box.width, shown.height]})"
    )
    labels = opened.execute_script(script)
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert {"-2.33", "1.231", "34.00"} <= {text for text, *_ in labels}
    assert all(left >= 0 and right <= 400 and high >= 11 for _, left, right, high in labels)


def test_verdicts_roll_backs_and_images_are_there(opened):
    assert "Step 1,200: pixel was no longer finite; back to step 1,000." in texts(
        opened, "header p"
    )
    assert texts(opened, ".facts b")[0] == "2,000 of 4,000"
    rows = texts(opened, "#validations tbody tr")
    assert len(rows) == 9
    assert rows[0].startswith("2,000 adversarial 34.00 0.9500 80 % 0.2000 healthy")
    script = (
        "const done = arguments[0]; const images = [...document.querySelectorAll('.sheets img')];"
        "images.forEach(i => i.loading = 'eager'); setTimeout(() => "
        "done(images.map(i => i.complete && i.naturalWidth)), 300)"
    )
    assert opened.execute_async_script(script) == [652, 652]
    assert texts(opened, ".sheets h3") == ["step-00002000", "step-00000500"]


def test_light_and_dark_follow_the_system(opened):
    colours = []
    for scheme in ("light", "dark"):
        prefer(opened, scheme)
        body = opened.find_element("css selector", "body")
        colours.append(body.value_of_css_property("background-color"))
    assert len(set(colours)) == 2


def test_a_phone_shows_it_without_scrolling_sideways(opened):
    resize(opened, 360, 740)
    opened.refresh()
    width = opened.execute_script("return document.documentElement.scrollWidth")
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 360


@pytest.mark.skipif(not SCREENSHOT, reason="needs SRGAN_TRAINING_REPORT")
def test_an_image_for_the_documentation(browser):
    resize(browser, 1100, 1250)
    prefer(browser, "light")
    browser.get(Path(SCREENSHOT).as_uri())
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    Path(SCREENSHOT).with_suffix(".png").write_bytes(base64.b64decode(shot))
    assert np.frombuffer(base64.b64decode(shot)[:4], np.uint8)[1:].tobytes() == b"PNG"
