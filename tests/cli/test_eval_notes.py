"""What ``srgan eval`` says beside its figures: images equal to HR, and what it does not score."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from srgan_cli.cli import run
from srgan_cli.imaging.resize import downscale, upscale_bicubic
from tests.toolbox import call, synthetic_photograph

pytestmark = pytest.mark.usefixtures("home")

COUNT = 6


@pytest.fixture
def srgan(capsys):
    return lambda *arguments: call(capsys, "eval", *arguments)


@pytest.fixture
def folders(tmp_path):
    """HR images and bicubic results, the first of which is equal to HR."""
    for i in range(COUNT):
        hr = synthetic_photograph(64, 56, seed=i)
        sr = upscale_bicubic(downscale(hr, 2), 2) if i else hr
        for folder, pixels in (("hr", hr), ("sr", sr)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    return tmp_path


def options(folder):
    return ("--sr", folder / "sr", "--hr", folder / "hr", "--scale", 2)


def test_an_image_equal_to_hr_does_not_count_in_the_mean_and_is_said(srgan, folders):
    document = srgan(*options(folders), "--json").document
    (scored,) = document["sets"]
    others = [image["scores"]["sr"]["psnr"] for image in scored["images"][1:]]
    assert scored["images"][0]["scores"]["sr"]["psnr"] is None
    assert scored["means"]["sr"]["psnr"] == pytest.approx(np.mean(others))
    assert scored["equal_to_hr"] == {"sr": ["0.png"]}
    (note,) = scored["notes"]
    assert note.startswith("sr: 1 of 6 images (0.png) is equal to HR")
    shown = srgan(*options(folders)).out
    assert note in shown
    assert f"{np.mean(others):.2f}" in shown
    assert "inf" not in shown


@pytest.mark.parametrize("num_equal", [1, 2, 5, 6])
def test_the_bar_is_that_of_the_images_that_are_not_equal(srgan, folders, num_equal):
    for i in range(num_equal):
        (folders / "sr" / f"{i}.png").write_bytes((folders / "hr" / f"{i}.png").read_bytes())
    result = srgan(*options(folders), "--min-psnr", 80)
    assert result.code == (0 if num_equal == COUNT else 8)
    assert f"{num_equal} of 6 images" in result.out


def test_flat_images_are_equal_for_everybody_and_share_a_line(srgan, folders):
    for folder in ("hr", "sr"):
        Image.new("RGB", (56, 64), (9, 9, 9)).save(folders / folder / "0.png")
    result = srgan(*options(folders))
    assert "bicubic, lanczos, sr: 1 of 6 images (0.png) is equal to HR" in result.out
    assert "inf" not in result.out


@pytest.fixture
def earlier(srgan, folders):
    path = folders / "earlier.json"
    path.write_text(srgan(*options(folders), "--json").out)
    return path


def test_an_image_that_is_no_longer_equal_to_hr_fails(srgan, folders, earlier):
    path = folders / "sr/0.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[20, 20] ^= 64
    Image.fromarray(pixels).save(path)
    result = srgan(*options(folders), "--not-worse-than", earlier, "--json")
    assert result.code == 8
    (unmet,) = result.document["unmet"]
    assert re.search(r"0\.png of sr was equal to HR in earlier\.json .* PSNR \d\d\.\d\d dB", unmet)


def test_images_that_stay_or_become_equal_do_not_fail(srgan, folders, earlier):
    assert srgan(*options(folders), "--not-worse-than", earlier).code == 0
    (folders / "sr/1.png").write_bytes((folders / "hr/1.png").read_bytes())
    assert srgan(*options(folders), "--not-worse-than", earlier).code == 0


def test_a_figure_that_got_worse_beside_an_equal_image_fails(srgan, folders, earlier):
    for i in range(1, COUNT):
        image = Image.open(folders / "hr" / f"{i}.png")
        image.resize((14, 16)).resize(image.size).save(folders / "sr" / f"{i}.png")
    result = srgan(*options(folders), "--not-worse-than", earlier)
    assert result.code == 8
    assert "sr is worse than sr in earlier.json: PSNR" in result.err


@pytest.mark.parametrize("ext", ["png", "webp", "tif", "gif"])
@pytest.mark.parametrize("deep", [False, True])
def test_an_alpha_channel_that_is_ignored_is_said(srgan, folders, ext, deep):
    if deep and ext not in {"png", "tif"}:
        pytest.skip("8 bits only")
    for i in (1, 2):
        image = Image.open(folders / "sr" / f"{i}.png").convert("RGBA")
        image.paste((0, 0, 0, 0), (0, 0, 20, 20))
        (folders / "sr" / f"{i}.png").unlink()
        path = folders / "sr" / f"{i}.{ext}"
        if deep:
            _save_deep(path, np.asarray(image).astype(np.uint16) * 257)
        else:
            image.save(path)
    result = srgan(*options(folders), "--json")
    note = "sr: the alpha channel is ignored in 2 of 6 images (1.png, 2.png)"
    assert note in result.document["sets"][0]["notes"]
    assert note in srgan(*options(folders)).out


def _save_deep(path, pixels):
    import imagecodecs
    import tifffile

    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])


def test_alpha_channels_of_hr_are_said_and_opaque_ones_are_not(srgan, folders):
    for i, alpha in ((1, 254), (2, 255)):
        image = Image.open(folders / "hr" / f"{i}.png")
        image.putalpha(alpha)
        image.save(folders / "hr" / f"{i}.png")
    notes = srgan(folders / "hr", "--json").document["sets"][0]["notes"]
    assert notes == ["HR: the alpha channel is ignored in 1 of 6 images (1.png)"]


def test_further_frames_are_said(srgan, folders):
    frames = [Image.open(folders / "sr" / f"{i}.png") for i in (1, 2, 3)]
    frames[0].save(folders / "sr/1.png", save_all=True, append_images=frames[1:])
    (frames_note, _) = srgan(*options(folders), "--json").document["sets"][0]["notes"]
    assert "only the first of 3 frames" in frames_note
    assert "1 of 6 images (1.png)" in frames_note


def huang(folder, count=2, scale=2):
    """Make a folder as the authors of SelfExSR hand it out."""
    folder.mkdir()
    for i in range(count):
        hr = synthetic_photograph(64, 56, seed=i)
        lr = downscale(hr, scale)
        for kind, pixels in (
            ("HR", hr),
            ("LR", lr),
            ("bicubic", upscale_bicubic(lr, scale)),
            ("SRCNN", upscale_bicubic(lr, scale)),
            ("A+", upscale_bicubic(lr, scale)),
        ):
            name = f"img_{i + 1:03}_SRF_{scale}_{kind}.png"
            Image.fromarray(pixels).save(folder / name)
    return folder


def test_only_hr_images_of_huangs_folders_are_scored(srgan, tmp_path):
    folder = huang(tmp_path / "image_SRF_2")
    (scored,) = srgan(folder, "--json").document["sets"]
    wanted = ["img_001_SRF_2_HR.png", "img_002_SRF_2_HR.png"]
    assert [image["name"] for image in scored["images"]] == wanted
    assert scored["notes"][0].startswith("8 images are LR or upscaled by the name, so not scored")


def test_huangs_pairs_are_found_in_their_one_folder(srgan, tmp_path):
    folder = huang(tmp_path / "image_SRF_2")
    result = srgan("--hr", folder, "--lr", folder, "--json")
    (given,) = result.document["sets"]
    (made,) = srgan(folder, "--json").document["sets"]
    assert [image["scores"] for image in given["images"]] == [
        image["scores"] for image in made["images"]
    ]
    assert result.document["protocol"]["lr"] == "LR as given"


@pytest.mark.parametrize("kind", ["LR", "bicubic", "A+"])
def test_folders_of_huangs_lr_images_and_results_are_refused_as_hr(srgan, tmp_path, kind):
    folder = huang(tmp_path / "image_SRF_2")
    for path in folder.iterdir():
        if not path.stem.endswith(f"_{kind}"):
            path.unlink()
    for arguments in ((folder,), ("--hr", folder, "--lr", folder)):
        result = srgan(*arguments)
        assert result.code == 3
        assert f"the names are not those of HR images: img_001_SRF_2_{kind}" in result.err
        assert " hint: " in result.err


def test_one_folder_of_huangs_is_refused_as_that_of_results(srgan, tmp_path):
    folder = huang(tmp_path / "image_SRF_2")
    result = srgan("--hr", folder, "--sr", folder, "--scale", 2)
    assert result.code == 3
    assert "no HR image for img_001_SRF_2_" in result.err


def test_notes_are_in_the_report_and_its_document(folders):
    page = folders / "page.html"
    assert run(["eval", *map(str, options(folders)), "--report", str(page)]) == 0
    data = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page.read_text(), re.DOTALL)
    (scored,) = json.loads(data[1])["run"]["sets"]
    assert "is equal to HR" in scored["notes"][0]
