"""The report of ``srgan eval`` in headless Chromium, used as a person would use it."""

import base64
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srgan_cli.cli import run
from srgan_cli.imaging.resize import downscale, upscale_bicubic
from tests.toolbox import synthetic_photograph
from tests.toolbox.browser import CHROMIUM, DRIVER, headless, quietly_opened, resize

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)

SCREENSHOTS = os.environ.get("SRGAN_SCREENSHOTS")
"""Folder into which the images for the documentation are written, when set."""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Write the report of two tools on six images, one with a name that is markup."""
    folder = tmp_path_factory.mktemp("report")
    random = np.random.default_rng(0)
    for name in ("hr", "sharp", "noisy"):
        (folder / name).mkdir()
    for i in range(6):
        name = f"{i}.png" if i else "<b onclick=alert(1)>&.png"
        hr = synthetic_photograph(420, 300, seed=i)
        sr = upscale_bicubic(downscale(hr, 2), 2).astype(float)
        Image.fromarray(hr).save(folder / "hr" / name)
        for tool, error in (("sharp", 0.5 * (sr - hr)), ("noisy", sr - hr)):
            noise = (i if tool == "noisy" else 0) * random.normal(0, 1, hr.shape)
            result = np.clip(hr + error + noise, 0, 255).astype(np.uint8)
            Image.fromarray(result).save(folder / tool / name)
    report = folder / "report.html"
    options = ("--sr", folder / "sharp", "--sr", folder / "noisy", "--hr", folder / "hr")
    code = run(
        ["eval", *map(str, options), "--scale", "2", "--report", str(report), "--report-mb", "1"]
    )
    assert code == 0
    return report


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with headless(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser, page):
    with quietly_opened(browser, page) as driver:
        yield driver


def _find(browser, css):
    return browser.find_element("css selector", css)


def _all(browser, css):
    return browser.find_elements("css selector", css)


def _transforms(browser):
    script = (
        "return [...document.querySelectorAll('.layer img, #strip img')]"
        ".map(i => getComputedStyle(i).transform)"
    )
    matrices = browser.execute_script(script)
    # The first four numbers are the zoom, the last two depend on the size of the frame.
    return [tuple(float(n) for n in m[7:-1].split(",")[:4]) for m in matrices]


def _cut(browser):
    return int(_find(browser, "#handle").get_attribute("aria-valuenow"))


def _decoded(browser):
    script = (
        "return [...document.querySelectorAll('.layer img, #strip img')]"
        ".every(i => i.complete && i.naturalWidth > 0)"
    )
    return browser.execute_async_script(
        f"const done = arguments[0]; setTimeout(() => done((() => {{{script}}})()), 300)"
    )


def _press(browser, *keys):
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def test_dragging_the_line_moves_it(opened):
    handle = _find(opened, "#handle")
    assert _cut(opened) == 50
    width = _find(opened, "#stage").size["width"]
    drag = webdriver.ActionChains(opened).click_and_hold(handle)
    drag.move_by_offset(round(width / 4), 0).release().perform()
    assert _cut(opened) == pytest.approx(75, abs=1)
    clip = _find(opened, "#cut").value_of_css_property("clip-path")
    assert clip.startswith("inset(0px 0px 0px 7")


def test_a_touch_drags_the_line_and_two_fingers_zoom(opened):
    stage = _find(opened, "#stage")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    box = opened.execute_script("return arguments[0].getBoundingClientRect().toJSON()", stage)

    def touch(kind, *points):
        places = [
            {"x": box["x"] + fx * box["width"], "y": box["y"] + 0.5 * box["height"], "id": i}
            for i, fx in enumerate(points)
        ]
        opened.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    opened.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for kind, *points in (
        ("touchStart", 0.5),
        ("touchMove", 0.4),
        ("touchMove", 0.2),
        ("touchEnd",),
    ):
        touch(kind, *points)
    assert _cut(opened) == pytest.approx(20, abs=2)
    for kind, *points in (
        ("touchStart", 0.4, 0.6), ("touchMove", 0.3, 0.7), ("touchMove", 0.2, 0.8), ("touchEnd",)
    ):  # fmt: skip
        touch(kind, *points)
    assert _transforms(opened)[0][0] == pytest.approx(3, abs=0.3)


def test_every_layer_zooms_in_step(opened):
    assert _decoded(opened)
    for _ in range(2):
        _find(opened, "#in").click()
    assert len(_transforms(opened)) == 2 + 5
    assert set(_transforms(opened)) == {(4, 0, 0, 4)}
    assert _find(opened, "#zoom").text == "4×"
    before = _find(opened, "#before").value_of_css_property("transform")
    stage = _find(opened, "#stage")
    pan = webdriver.ActionChains(opened).move_to_element_with_offset(stage, -100, 60)
    pan.click_and_hold().move_by_offset(-40, 30).release().perform()
    assert _find(opened, "#before").value_of_css_property("transform") != before
    _find(opened, "#reset").click()
    assert set(_transforms(opened)) == {(1, 0, 0, 1)}


def test_the_model_is_switched_by_button_tile_and_key(opened):
    names = [button.text for button in _all(opened, "#right button")]
    assert names == ["LR (nearest)", "bicubic", "sharp", "noisy", "HR"]
    assert _find(opened, "#tag-right").text == "sharp"
    sources = {_find(opened, "#after").get_attribute("src")}
    _all(opened, "#right button")[3].click()
    assert _find(opened, "#tag-right").text == "noisy"
    sources.add(_find(opened, "#after").get_attribute("src"))
    _all(opened, "#strip button")[4].click()
    assert _find(opened, "#tag-right").text == "HR"
    sources.add(_find(opened, "#after").get_attribute("src"))
    _press(opened, "1")
    assert _find(opened, "#tag-right").text == "LR (nearest)"
    sources.add(_find(opened, "#after").get_attribute("src"))
    assert len(sources) == 4
    assert _decoded(opened)


def test_rows_are_sorted_by_gain_and_the_other_way_round(opened):
    def gains():
        cells = _all(opened, "#images tbody tr td:nth-child(4)")
        return [float(cell.text.replace("−", "-")) for cell in cells]

    _find(opened, "#images thead th:nth-child(4) button").click()
    assert gains() == sorted(gains(), reverse=True)
    assert _find(opened, "#images th[aria-sort]").get_attribute("aria-sort") == "descending"
    _find(opened, "#images thead th:nth-child(4) button").click()
    assert gains() == sorted(gains())
    assert len(set(gains())) > 1


def test_a_row_a_dot_and_a_card_open_their_image(opened):
    for css in ("#images tbody tr:nth-child(4) button", "#plot circle", "#extremes button"):
        _press(opened, "n")
        target = _find(opened, css)
        opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", target)
        webdriver.ActionChains(opened).move_to_element(target).click().perform()
        row = _find(opened, "#images tr[aria-current] button").text
        assert f", {row}: " in _find(opened, "#facts").text


def test_the_keyboard_does_all_of_it(opened):
    keys = webdriver.Keys
    first = _find(opened, "#facts").text
    _press(opened, "n")
    assert _find(opened, "#facts").text != first
    _press(opened, "p", "c")
    assert "smallest gain" in _find(opened, "#facts").text
    _press(opened, "+", "+")
    assert _find(opened, "#zoom").text == "4×"
    _press(opened, "0")
    assert _find(opened, "#zoom").text == "1×"
    opened.execute_script("document.getElementById('handle').focus()")
    _press(opened, keys.ARROW_LEFT, keys.ARROW_LEFT)
    assert _cut(opened) == 46
    _press(opened, keys.END)
    assert _cut(opened) == 100


def test_names_are_shown_as_text(opened):
    assert "<b onclick=alert(1)>&.png" in _find(opened, "#images").text
    assert not _all(opened, "b")


def test_a_phone_shows_it_without_scrolling_sideways(opened):
    resize(opened, 360, 740)
    opened.refresh()
    assert opened.execute_script("return document.documentElement.scrollWidth") == 360
    assert _find(opened, "#stage").size["width"] > 320
    for button in _all(opened, ".bar button"):
        assert button.size["height"] >= 36


def test_light_and_dark_follow_the_system_and_the_button(opened):
    def ground():
        return _find(opened, "body").value_of_css_property("background-color")

    _prefer(opened, "light")
    light = ground()
    _prefer(opened, "dark")
    dark = ground()
    assert light != dark
    _find(opened, "#theme").click()
    assert ground() == light


@pytest.mark.skipif(not SCREENSHOTS, reason="SRGAN_SCREENSHOTS names no folder")
def test_screenshots_for_the_documentation(browser):
    """Not a check: takes the images that docs/ shows, of the report SRGAN_REPORT names."""
    browser.get(Path(os.environ["SRGAN_REPORT"]).resolve().as_uri())
    for name, width, height, scheme in (
        ("eval-report-light", 1200, 900, "light"),
        ("eval-report-dark", 1200, 900, "dark"),
        ("eval-report-phone", 390, 844, "light"),
    ):
        resize(browser, width, height)
        _prefer(browser, scheme)
        browser.execute_script("scrollTo(0, 0)")
        if name == "eval-report-dark":
            browser.execute_script("document.getElementById('viewer').scrollIntoView()")
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
        Path(SCREENSHOTS, f"{name}.png").write_bytes(base64.b64decode(shot))


def _prefer(browser, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
