import numpy as np
import pytest
from PIL import Image

from srgan_cli.engine.evaluation.sets import folder_set, match_files, matched_set, paired_scale
from srgan_cli.errors import InputError
from srgan_cli.imaging.resize import downscale, mod_crop
from tests.toolbox import synthetic_photograph


def _write(folder, *names, size=(32, 24), grey=False):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = synthetic_photograph(*size, seed=i)
        Image.fromarray(pixels[..., 0] if grey else pixels).save(path)
    return folder


def _only(image_set):
    (load,) = image_set.load.values()
    return load()


def _match(hr, other):
    return match_files({path.stem: path for path in sorted(hr.iterdir())}, other)


def test_lr_of_a_folder_is_the_bicubic_of_hr_cut_to_a_multiple(tmp_path):
    image = _only(folder_set(_write(tmp_path / "a", "x.png", size=(33, 27)), 4))
    whole = np.asarray(Image.open(tmp_path / "a" / "x.png"))
    assert np.array_equal(image.hr, mod_crop(whole, 4))
    assert np.array_equal(image.lr, downscale(image.hr, 4))


def test_partners_may_have_another_extension(tmp_path):
    hr, sr = _write(tmp_path / "hr", "a.png"), _write(tmp_path / "sr", "a.jpg")
    assert _match(hr, sr) == {"a": sr / "a.jpg"}


@pytest.mark.parametrize("suffix", ["x2", "_out", "_x4_SRResNet", "-sr"])
def test_partners_may_share_one_suffix(tmp_path, suffix):
    hr = _write(tmp_path / "hr", "a.png", "ab.png", "abc.png")
    sr = _write(tmp_path / "sr", *(f"{name}{suffix}.png" for name in ("a", "ab", "abc")))
    assert _match(hr, sr) == {n: sr / f"{n}{suffix}.png" for n in ("a", "ab", "abc")}


def test_a_name_that_continues_another_is_not_taken_for_a_suffix(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", "ab.png")
    sr = _write(tmp_path / "sr", "a.png", "ab.png")
    assert _match(hr, sr) == {"a": sr / "a.png", "ab": sr / "ab.png"}


def test_one_missing_partner_is_named_alone(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", "b.png", "c.png")
    sr = _write(tmp_path / "sr", "a_x2.png", "c_x2.png")
    with pytest.raises(InputError, match=r"(?m)sr has no image for b$"):
        _match(hr, sr)


def test_leftovers_on_both_sides_are_named(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", "b.png")
    sr = _write(tmp_path / "sr", "a.png", "d.png")
    with pytest.raises(InputError, match=r"no image for b; no HR image for d\.png"):
        _match(hr, sr)


def test_two_files_of_one_name_are_refused(tmp_path):
    hr, sr = _write(tmp_path / "hr", "a.png"), _write(tmp_path / "sr", "a.png", "a.jpg")
    with pytest.raises(InputError, match="have the same name"):
        _match(hr, sr)


def test_subfolders_are_matched_by_their_path(tmp_path):
    hr = _write(tmp_path / "hr", "one/a.png", "two/a.png")
    sr = _write(tmp_path / "sr", "one/a.png", "two/a.png")
    assert list(matched_set(hr, None, {"sr": sr}, 2).load) == ["one/a.png", "two/a.png"]


def test_the_scale_is_that_of_the_first_pair(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", size=(50, 42))
    assert paired_scale(_write(tmp_path / "x3", "a.png", size=(16, 14)), hr) == 3
    with pytest.raises(InputError, match="16x42, but its HR is 50x42"):
        paired_scale(_write(tmp_path / "odd", "a.png", size=(16, 42)), hr)


def test_hr_less_than_one_lr_pixel_too_large_is_cut(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", size=(33, 27))
    image = _only(matched_set(hr, _write(tmp_path / "lr", "a.png", size=(16, 13)), {}, 2))
    assert image.hr.shape == (26, 32, 3)


@pytest.mark.parametrize("size", [(17, 13), (15, 13), (16, 12)])
def test_lr_of_another_size_is_refused(tmp_path, size):
    hr = _write(tmp_path / "hr", "a.png", size=(33, 27))
    pairs = matched_set(hr, _write(tmp_path / "lr", "a.png", size=size), {}, 2)
    with pytest.raises(InputError, match="does not match the 33x27 of its HR"):
        _only(pairs)


@pytest.mark.parametrize("size", [(33, 27), (32, 26)])
def test_sr_may_have_hrs_size_or_that_of_the_cut(tmp_path, size):
    hr = _write(tmp_path / "hr", "a.png", size=(33, 27))
    image = _only(matched_set(hr, None, {"t": _write(tmp_path / "t", "a.png", size=size)}, 2))
    assert image.given["t"].shape == image.hr.shape == (26, 32, 3)


def test_sr_of_another_size_is_refused(tmp_path):
    hr = _write(tmp_path / "hr", "a.png", size=(33, 27))
    pairs = matched_set(hr, None, {"t": _write(tmp_path / "t", "a.png", size=(30, 26))}, 2)
    with pytest.raises(InputError, match="30x26, but its HR is 33x27"):
        _only(pairs)


def test_rgb_results_of_grey_images_become_grey_and_the_reverse(tmp_path):
    grey = _write(tmp_path / "grey", "a.png", grey=True)
    colour = _write(tmp_path / "colour", "a.png")
    assert _only(matched_set(grey, None, {"t": colour}, 2)).given["t"].ndim == 2
    given = _only(matched_set(colour, None, {"t": grey}, 2)).given["t"]
    assert np.array_equal(given[..., 0], np.asarray(Image.open(grey / "a.png")))


def test_equal_channels_become_exactly_that_grey(tmp_path):
    grey = _write(tmp_path / "grey", "a.png", grey=True)
    (tmp_path / "rgb").mkdir()
    Image.open(grey / "a.png").convert("RGB").save(tmp_path / "rgb" / "a.png")
    image = _only(matched_set(grey, None, {"t": tmp_path / "rgb"}, 2))
    assert np.array_equal(image.given["t"], image.hr)
