"""Raw files of every maker, whatever their names: refused by every command, never replaced."""

from functools import partial

import pytest
from PIL import Image

from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.decode import probe
from srgan_cli.imaging.files.io import read_image
from tests.conformance.raws import PREVIEW, RAW, directory, tiff
from tests.toolbox import assert_fails, call, synthetic_photograph

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(params=RAW)
def raw(request, tmp_path):
    path = tmp_path / "images" / request.param
    path.parent.mkdir()
    path.write_bytes(RAW[request.param]())
    return path


@pytest.mark.parametrize("suffix", ["", ".tif", ".jpg", ".png"])
def test_raw_files_are_refused_under_any_name(tmp_path, upscale, raw, suffix):
    path = raw.rename(raw.with_suffix(suffix or raw.suffix))
    before = path.read_bytes()
    for options in ({"output": tmp_path / "out"}, {"in_place": True}):
        (failure,) = upscale(path, **options).failed
        assert "a raw file" in failure.reason
        assert "export it" in failure.hint
    readers = (read_image, probe, partial(decode, max_side=0))
    for reader in readers:
        with pytest.raises(InputError, match="a raw file"):
            reader(path, max_pixels=10**6)
    assert header_size(path) == (0, 0)
    assert path.read_bytes() == before


def test_a_raw_file_costs_itself_alone_in_a_batch_in_place(upscale, raw):
    whole = raw.with_name("a.png")
    Image.fromarray(synthetic_photograph(32, 24)).save(whole)
    before = raw.read_bytes()
    report = upscale(raw, whole, in_place=True)
    assert [item.source for item in report.written] == [whole]
    assert len(report.failed) == 1
    assert raw.read_bytes() == before
    with Image.open(whole) as image:
        assert image.size == (64, 48)


def test_prepare_skips_raw_files_by_their_names(capsys, tmp_path):
    raws = set()
    for number, (name, made) in enumerate(RAW.items()):
        raws.add(f"{name}.{('tif', 'jpg')[number % 2]}")
        (tmp_path / f"{name}.{('tif', 'jpg')[number % 2]}").write_bytes(made())
    for number in range(3):
        pixels = synthetic_photograph(64, 56, seed=number)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    prepared = call(capsys, "prepare", tmp_path, "--min-side", 32, "--json")
    assert prepared.code == 0
    manifest = prepared.document["manifest"]
    assert [entry["source"] for entry in manifest["images"]] == ["0.png", "1.png", "2.png"]
    dropped = {entry["source"]: entry["reason"] for entry in manifest["dropped"]}
    assert set(dropped) == raws
    assert all("a raw file" in reason for reason in dropped.values())


@pytest.mark.parametrize("role", ["hr", "lr", "sr"])
def test_eval_refuses_a_raw_file(capsys, tmp_path, role):
    for folder, side in (("hr", 32), ("lr", 16), ("sr", 32)):
        (tmp_path / folder).mkdir()
        Image.fromarray(synthetic_photograph(side, side)).save(tmp_path / folder / "a.tif")
    (tmp_path / role / "a.tif").write_bytes(RAW["nikon.nef"]())
    folders = ("--hr", tmp_path / "hr", f"--{'sr' if role == 'sr' else 'lr'}")
    result = call(capsys, "eval", *folders, tmp_path / folders[-1][2:], "--scale", 2)
    assert_fails(result, 3, "a raw file")


def test_a_preview_beside_the_whole_image_is_no_raw_file(upscale, tmp_path):
    """As other programs write reduced copies: above, beside or below the image itself."""
    whole = directory()
    for number, chain in enumerate(
        ([PREVIEW, whole], [whole, PREVIEW], [(whole, [PREVIEW])], [(whole, [PREVIEW, PREVIEW])])
    ):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(tiff(chain))
        (item,) = upscale(path, output=tmp_path / "out").written
        assert (item.width, item.height) == (16, 16)
        assert any("reduced cop" in note for note in item.notes)
