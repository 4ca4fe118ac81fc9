"""The page of ``srgan compare`` in headless Chromium, used as a person would use it."""

import base64
import os
from pathlib import Path

import pytest
from PIL import Image

from srgan_cli.cli import run
from tests.toolbox import synthetic_photograph
from tests.toolbox.browser import CHROMIUM, DRIVER, headless, quietly_opened, resize

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)
NAME = "<b onclick=alert(1)>&.png"
SCREENSHOT = os.environ.get("SRGAN_COMPARE_PAGE")
"""A page to take the documentation's image of, when set."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Compare two models on two images, one with a name that is markup."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "in").mkdir()
    Image.fromarray(synthetic_photograph(320, 200)).save(folder / "in" / NAME)
    Image.fromarray(synthetic_photograph(60, 44, seed=1)).save(folder / "in" / "small.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(folder / "home"))
        patch.chdir(folder)
        models = ["--model", "photo-x2", "--model", "fidelity-x2"]
        assert run(["compare", "in", "--device", "cpu", "-o", "page.html", *models]) == 0
    return folder / "page.html"


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


def _texts(browser, css):
    return [element.text for element in browser.find_elements("css selector", css)]


def _press(browser, *keys):
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def _cut(browser):
    return int(_find(browser, "#handle").get_attribute("aria-valuenow"))


def _decoded(browser):
    return browser.execute_async_script(
        "const done = arguments[0];"
        "const images = [...document.querySelectorAll('.layer img, #strip img')];"
        "Promise.all(images.map(i => i.decode())).then(() => done(images.length), () => done(0));"
    )


def test_it_shows_input_bicubic_and_every_model(opened):
    names = ["input", "bicubic", "photo-x2", "fidelity-x2"]
    assert _texts(opened, "#right button") == names
    assert _texts(opened, "#strip .name") == names
    assert _decoded(opened) == 2 + 4
    assert [_find(opened, f"#tag-{side}").text for side in ("left", "right")] == names[1:3]
    assert _texts(opened, "#views button") == ["crop 1", "crop 2", "crop 3", "whole image"]


def test_each_model_is_followed_by_its_command_and_figures(opened):
    items = _texts(opened, "#versions li")
    assert len(items) == 3
    assert f"srgan upscale 'in/{NAME}' --model photo-x2 -s 2" in items[1]
    assert " s, drift " in items[1]
    assert "difference from fidelity-x2" in items[1]
    assert "difference" not in items[2]


def test_the_line_is_moved_by_mouse_and_keys(opened):
    width = _find(opened, "#stage").size["width"]
    drag = webdriver.ActionChains(opened).click_and_hold(_find(opened, "#handle"))
    drag.move_by_offset(round(width / 4), 0).release().perform()
    assert _cut(opened) == pytest.approx(75, abs=1)
    _press(opened, webdriver.Keys.ARROW_LEFT)
    assert _cut(opened) == pytest.approx(73, abs=1)


def test_a_touch_drags_the_line(opened):
    stage = _find(opened, "#stage")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    box = opened.execute_script("return arguments[0].getBoundingClientRect().toJSON()", stage)
    opened.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for kind, *places in (
        ("touchStart", 0.5),
        ("touchMove", 0.4),
        ("touchMove", 0.2),
        ("touchEnd",),
    ):
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + box["height"] / 2} for x in places
        ]
        opened.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert _cut(opened) == pytest.approx(20, abs=2)


def test_all_versions_zoom_in_step(opened):
    _press(opened, "+", "+")
    script = (
        "return [...document.querySelectorAll('.layer img, #strip img')]"
        ".map(i => getComputedStyle(i).transform.slice(7, -1).split(',').slice(0, 4).map(Number))"
    )
    assert opened.execute_script(script) == [[4, 0, 0, 4]] * 6
    assert _find(opened, "#zoom").text == "4×"
    _find(opened, "#reset").click()
    assert _find(opened, "#zoom").text == "1×"


def test_the_difference_from_fidelity_is_an_overlay(opened):
    plain = _find(opened, "#after").get_attribute("src")
    _press(opened, "d")
    assert _find(opened, "#difference").get_attribute("aria-pressed") == "true"
    assert _find(opened, "#after").get_attribute("src") != plain
    assert "brighter (orange) or darker (blue) than fidelity-x2" in _find(opened, "#legend").text
    _press(opened, "4")
    assert "no difference" in _find(opened, "#legend").text
    _press(opened, "3")
    _find(opened, "#difference").click()
    assert _find(opened, "#after").get_attribute("src") == plain
    assert _find(opened, "#legend").text == ""


def test_images_and_parts_are_chosen_by_button_and_key(opened):
    assert NAME in _find(opened, "#facts").text
    _press(opened, "c", "c", "c")
    assert "whole image, 640×400 at 0, 0" in _find(opened, "#facts").text
    _press(opened, "n")
    assert "small.png: 60×44 to 120×88" in _find(opened, "#facts").text
    assert _texts(opened, "#views button") == ["whole image"]
    _find(opened, "#previous").click()
    assert NAME in _find(opened, "#facts").text


def test_names_are_shown_as_text(opened):
    assert NAME in _find(opened, "#picture").text
    assert not opened.find_elements("css selector", "b[onclick], #facts b, option b")


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_nothing_is_cut_off_at_any_width(opened, width):
    resize(opened, width, 900)
    opened.refresh()
    _press(opened, "d")
    assert opened.execute_script("return document.documentElement.scrollWidth") == width
    for css in ("#stage", "#strip button", "#versions code", "#versions span", "#right button"):
        for element in opened.find_elements("css selector", css):
            box = element.rect
            assert box["x"] >= 0, css
            assert box["x"] + box["width"] <= width, css
            assert element.get_property("scrollWidth") <= box["width"] + 1, css


@pytest.mark.skipif(not SCREENSHOT, reason="SRGAN_COMPARE_PAGE names no page")
def test_screenshot_for_the_documentation(browser):
    """Not a check: takes the image that README shows, of the page SRGAN_COMPARE_PAGE names."""
    browser.get(Path(SCREENSHOT).resolve().as_uri())
    resize(browser, 1200, 900)
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    Path(SCREENSHOT).with_suffix(".png").write_bytes(base64.b64decode(shot))
