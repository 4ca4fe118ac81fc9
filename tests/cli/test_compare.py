"""``srgan compare`` and ``srgan upscale --report`` write a page and say what is on it."""

import base64
import io
import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from srgan_cli.engine.upscaling.views import make_views
from tests.toolbox import assert_fails, files_below, save_bilinear, synthetic_photograph


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with three small images."""
    monkeypatch.chdir(tmp_path)
    photo = synthetic_photograph(48, 32)
    Image.fromarray(photo).save("a.png")
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save("b.png")
    alpha = np.full((32, 48), 255, np.uint8)
    alpha[:, :24] = 0
    Image.fromarray(np.dstack([photo, alpha])).save("c.png")
    return tmp_path


def _data(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text())[1])["run"]


def _decoded(layer):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(layer))).convert("RGB")).astype(int)


def test_all_bundled_models_of_the_scale_are_compared_by_default(srgan, folder):
    result = srgan("compare", "a.png", "b.png", "c.png", "--json")
    assert result.code == 0
    document = result.document
    assert document["versions"] == ["bicubic", "photo-x2", "fidelity-x2", "restore-x2"]
    assert [image["name"] for image in document["images"]] == ["a.png", "b.png", "c.png"]
    for image in document["images"]:
        assert (image["result_width"], image["result_height"]) == (96, 64)
        figures = {version["name"]: version for version in image["versions"]}
        assert figures["fidelity-x2"]["invented"] == 0
        assert figures["photo-x2"]["invented"] > 0
        assert figures["photo-x2"]["drift"] > 30
        assert figures["bicubic"]["seconds"] is None
    assert {*files_below(folder)} == {"a.png", "b.png", "c.png", "compare.html"}


def test_named_models_are_compared_with_fidelity_although_it_is_not_shown(srgan, folder):
    own = save_bilinear(folder / "mine.safetensors")
    result = srgan("compare", "a.png", "-n", own, "-n", "photo", "-s", "300%", "-o", "p.html")
    assert result.code == 0, result.err
    found = _data(folder / "p.html")
    assert found["versions"] == ["bicubic", "mine.safetensors", "photo-x4"]
    assert found["reference"] == "fidelity-x4"
    (image,) = found["images"]
    assert image["result_width"] == 144
    assert {*image["views"][0]["layers"]} == {"input", *found["versions"]}
    assert {*image["views"][0]["differences"]} == {*found["versions"]}


def test_the_command_under_a_version_makes_it(srgan, folder):
    assert srgan("compare", "a.png").code == 0
    (image,) = _data(folder / "compare.html")["images"]
    photo = image["versions"][1]
    command = shlex.split(photo["command"])
    assert command[:2] == ["srgan", "upscale"]
    assert srgan(*command[1:]).code == 0
    with Image.open("a_x2.png") as made:
        shown = _decoded(image["views"][-1]["layers"]["photo-x2"])
        assert np.abs(np.asarray(made).astype(int) - shown).mean() < 4  # WebP with loss.


def test_an_existing_page_is_not_replaced_unless_asked(srgan, folder):
    (folder / "compare.html").write_text("mine")
    assert_fails(srgan("compare", "a.png"), 2, "exists already", "--overwrite")
    assert (folder / "compare.html").read_text() == "mine"
    assert srgan("compare", "a.png", "--overwrite").code == 0


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("compare", 2, ["IMAGE"]),
        ("compare missing.png", 3, ["missing.png"]),
        ("compare a.png -n nothing", 4, ["nothing"]),
        ("compare a.png -n photo -n photo", 2, ["twice"]),
        ("compare a.png -n photo -n photo-x2", 2, ["have the same name"]),
        ("upscale a.png --in-place --report p.html", 2, ["--in-place"]),
        ("upscale - -o - --report p.html", 2, ["--report"]),
        ("compare a.png -s 1", 2, ["--scale is 1"]),
        ("compare a.png -s big", 2, ["'big' is not a factor", "250%"]),
        ("compare a.png --crops -1", 2, ["--crops is -1"]),
        ("compare a.png -o no/where.html", 2, ["no such folder"]),
    ],
)
def test_wrong_usage_is_told_in_two_lines(srgan, line, code, words):
    assert_fails(srgan(*line.split()), code, *words)


def test_an_unreadable_image_costs_only_itself_and_is_named_on_the_page(srgan, folder):
    (folder / "bad.png").write_bytes(b"no image")
    assert srgan("compare", "a.png", "bad.png").code == 7
    found = _data(folder / "compare.html")
    assert [image["name"] for image in found["images"]] == ["a.png"]
    assert "bad.png" in found["failed"][0]["reason"]
    assert srgan("compare", "*.tif", "a.png", "-o", "other.html").code == 7
    assert "*.tif" in _data(folder / "other.html")["failed"][0]["reason"]
    assert srgan("compare", "bad.png", "-o", "none.html").code == 3
    assert not (folder / "none.html").exists()


def test_the_number_of_images_and_the_size_of_the_page_are_limited(srgan, folder):
    Image.fromarray(synthetic_photograph(500, 400)).save("d.png")
    options = ("--images", "2", "--page-mb", "1")
    assert srgan("compare", "d.png", "a.png", "b.png", *options).code == 0
    assert _data(folder / "compare.html")["num_omitted"] == 1
    assert (folder / "compare.html").stat().st_size < 1_000_000


def test_a_batch_shows_its_results_beside_their_sources(srgan, folder):
    options = ("-o", "out", "--report", "page.html", "--report-images", "2", "--ext", "jpg")
    assert srgan("upscale", "a.png", "b.png", "c.png", *options).code == 0
    found = _data(folder / "page.html")
    assert found["versions"] == ["bicubic", "photo-x2 or restore-x2"]
    assert found["reference"] == "fidelity-x2"
    assert [image["name"] for image in found["images"]] == ["a.png", "b.png"]
    assert found["num_omitted"] == 1
    version = found["images"][0]["versions"][1]
    assert version["command"] == "srgan upscale a.png -s 2"
    assert version["seconds"] > 0
    with Image.open("out/a.jpg") as made:
        shown = _decoded(found["images"][0]["views"][-1]["layers"]["photo-x2 or restore-x2"])
        assert np.abs(np.asarray(made).astype(int) - shown).mean() < 4


def test_a_rerun_with_nothing_to_do_shows_the_results_that_are_there(srgan, folder):
    line = ("upscale", "a.png", "b.png", "missing.png", "-o", "out", "--report", "page.html")
    assert srgan(*line).code == 7
    first = _data(folder / "page.html")
    (folder / "page.html").unlink()
    assert srgan(*line).code == 7
    again = _data(folder / "page.html")
    assert [image["name"] for image in again["images"]] == ["a.png", "b.png"]
    for before, after in zip(first["images"], again["images"], strict=True):
        assert after["views"] == before["views"]
        assert after["versions"][1]["seconds"] is None  # Not measured this time.
        assert after["versions"][1]["drift"] == before["versions"][1]["drift"]


def test_results_beside_their_sources_are_shown_too(srgan, folder):
    for _ in range(2):
        assert srgan("upscale", ".", "--report", "page.html", "--overwrite").code == 0
        names = [image["name"] for image in _data(folder / "page.html")["images"]]
        assert names == ["a.png", "b.png", "c.png"]


def test_without_any_result_there_is_no_page(srgan, folder):
    (folder / "bad.png").write_text("no image")
    result = srgan("upscale", "bad.png", "-o", "out", "--report", "page.html")
    assert result.code == 7
    assert "no --report: there is no result to show" in result.err
    assert not (folder / "page.html").exists()


@pytest.mark.parametrize(("name", "kind"), [("many.gif", "frames"), ("many.tif", "pages")])
def test_of_several_frames_the_first_is_compared_and_said_to_be(srgan, folder, name, kind):
    frames = [Image.fromarray(synthetic_photograph(40, 30, seed=n)) for n in range(3)]
    frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    compared = srgan("compare", name)
    assert compared.code == 0
    assert f"{name}: the first of 3 {kind} is compared\n" in compared.err
    shown = srgan("upscale", name, "-o", "out", "--report", "page.html")
    assert shown.code == 0
    assert f"{name}: the first of 3 {kind} is compared\n" in shown.err


def test_crops_lie_where_versions_differ_most_and_fit_the_allowance():
    base = np.full((400, 600, 3), 100, np.uint8)
    changed = base.copy()
    changed[300:340, 500:540] = 200
    changed[10:30, 20:40] = 130
    versions = {"input": base, "bicubic": base, "model": changed}
    views = make_views(versions, base, num_crops=2, most_bytes=20_000)
    assert [view.kind for view in views[:2]] == ["crop 1", "crop 2"]
    first, second, whole = views
    for view, (x, y) in ((first, (520, 320)), (second, (30, 20))):
        assert view.x <= x < view.x + view.width
        assert view.y <= y < view.y + view.height
    assert (whole.x, whole.y, whole.width, whole.height) == (0, 0, 600, 400)
    assert {*first.differences} == {"model"}  # bicubic is the reference itself here.
    total = sum(len(layer) for view in views for layer in (*view.layers.values(),))
    assert total <= 20_000
    assert make_views(versions, base, num_crops=2, most_bytes=100) == ()


def test_a_difference_is_orange_where_brighter_and_blue_where_darker():
    base = np.full((40, 40, 3), 100, np.uint8)
    changed = base.copy()
    changed[:20, :20], changed[20:, 20:] = 150, 50
    (view,) = make_views({"input": base, "m": changed}, base, num_crops=0, most_bytes=1e6)
    overlay = _decoded(base64.b64encode(view.differences["m"]))
    red, _, blue = overlay[5, 5]
    assert red > blue + 100
    red, _, blue = overlay[35, 35]
    assert blue > red + 100
    assert np.ptp(overlay[5, 35]) < 12  # Grey where nothing differs.
