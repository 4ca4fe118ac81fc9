"""Cases that are folders or weights: what whole commands make of them."""

import json
import shutil
import struct
from functools import partial

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from srgan_cli.config import PrepareConfig
from srgan_cli.data.photographs import decode, header_size
from srgan_cli.data.prepare import prepare
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError
from srgan_cli.imaging.files.io import read_image
from srgan_cli.observer import SilentObserver
from tests.toolbox import assert_fails, call, synthetic_photograph

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def srgan(capsys):
    return partial(call, capsys)


def scored(srgan, case, *options):
    folders = ("--sr", case("mean-inf/sr"), "--hr", case("mean-inf/hr"), "--scale", 2)
    return srgan("eval", *folders, *options)


def test_an_image_equal_to_hr_leaves_the_mean_finite_and_the_bar_in_force(srgan, case):
    result = scored(srgan, case, "--min-psnr", 60, "--json")
    assert result.code == 8
    (one,) = result.document["sets"]
    figures = [image["scores"]["sr"]["psnr"] for image in one["images"]]
    assert figures[0] is None
    assert one["means"]["sr"]["psnr"] == pytest.approx(30.60, abs=0.005)
    assert one["means"]["sr"]["psnr"] == pytest.approx(np.mean(figures[1:]))
    assert one["equal_to_hr"] == {"sr": ["0.png"]}
    assert scored(srgan, case, "--min-psnr", 30).code == 0
    assert "1 of 6 images (0.png) is equal to HR" in scored(srgan, case).out


def test_an_image_that_was_equal_to_hr_is_missed(srgan, case, tmp_path):
    earlier = tmp_path / "earlier.json"
    earlier.write_text(scored(srgan, case, "--json").out)
    assert scored(srgan, case, "--not-worse-than", earlier).code == 0
    shutil.copytree(case("mean-inf/sr"), tmp_path / "sr")
    image = Image.open(tmp_path / "sr/0.png").convert("RGB")
    image.putpixel((20, 20), (255, 0, 0))
    image.save(tmp_path / "sr/0.png")
    options = ("--sr", tmp_path / "sr", "--hr", case("mean-inf/hr"), "--scale", 2)
    result = srgan("eval", *options, "--not-worse-than", earlier, "--json")
    assert result.code == 8
    assert "0.png of sr was equal to HR" in json.loads(result.out)["unmet"][0]


@pytest.fixture
def photograph(tmp_path):
    Image.fromarray(synthetic_photograph(64, 56)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize(
    "line",
    ["upscale a.png -o out --model NAN", "upscale a.png --in-place --model NAN"],
)
def test_weights_that_are_nan_end_with_the_code_of_weights(
    srgan, case, photograph, monkeypatch, line
):
    monkeypatch.chdir(photograph.parent)
    before = photograph.read_bytes()
    weights = str(case("faults/nan.safetensors"))
    result = srgan(*(weights if word == "NAN" else word for word in line.split()))
    assert_fails(result, 4, "nan")
    assert photograph.read_bytes() == before
    assert not (photograph.parent / "out").exists()


@pytest.mark.parametrize("name", ["capitals", "suffix"])
def test_folders_of_pairs_are_used_as_they_are(case, name):
    folder = case(f"pairs-folders/{name}")
    options = {"min_side": 32, "validation": 1, "duplicates": "keep"}
    store = Store(prepare(PrepareConfig(folder, **options), SilentObserver()).folder)
    assert len(store.manifest.images) == 2
    lr_folder = next(path for path in folder.iterdir() if path.name.lower() == "lr")
    for entry in store.manifest.images:
        stem = entry.source.split("/")[-1].split(".")[0]
        (given,) = lr_folder.glob(f"{stem}*")
        assert np.array_equal(store.pair(entry)[0].numpy(), np.asarray(Image.open(given)))


@pytest.mark.parametrize("name", ["capitals", "suffix"])
def test_folders_of_pairs_are_scored_with_the_lr_images_given(srgan, case, name):
    folder = case(f"pairs-folders/{name}")
    sides = {path.name.lower(): path for path in folder.iterdir()}
    result = srgan("eval", "--hr", sides["hr"], "--lr", sides["lr"], "--json")
    assert result.code == 0
    psnr = result.document["sets"][0]["means"]["bicubic"]["psnr"]
    # The LR images of capitals are mirrored, so that one sees whether they are used.
    assert (psnr < 20) == (name == "capitals")


@pytest.mark.parametrize("order", ["<", ">"])
def test_offsets_that_no_file_can_have_are_refused(tmp_path, upscale, order):
    """As fuzzing found: a BigTIFF's offset of 2**63 and more is more than Python can index."""
    mark = {"<": b"II", ">": b"MM"}[order]
    head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 2**63 + 16)
    path = tmp_path / "a.tif"
    path.write_bytes(head + bytes(64))
    (failure,) = upscale(path, output=tmp_path / "out").failed
    assert "damaged" in failure.reason
    assert header_size(path) == (0, 0)
    for reader in (partial(read_image, max_pixels=10**6), partial(decode, max_side=0)):
        with pytest.raises(InputError):
            reader(path)


@pytest.fixture(params=["nan", "inf", "half nan"])
def poisoned(request, tmp_path, bilinear):
    """Weights with a number that is none, under a header without a checksum."""
    weights = {name: tensor.clone() for name, tensor in load_file(bilinear).items()}
    next(iter(weights.values())).view(-1)[0] = float(request.param.split()[-1])
    if request.param.startswith("half"):
        weights = {name: tensor.half() for name, tensor in weights.items()}
    with safe_open(bilinear, "pt") as file:
        header = {key: value for key, value in file.metadata().items() if key != "crc32"}
    path = tmp_path / "poisoned.safetensors"
    save_file(weights, path, header)
    return path


@pytest.mark.parametrize(
    "line",
    [
        "upscale a.png -o out --device cpu --model",
        "upscale a.png --in-place --device cpu --model",
        "upscale a.png -o out --dry-run --device cpu --model",
        "eval . --scale 2 --device cpu --model",
        "compare a.png -o out.html --device cpu --model",
        "models add --name x",
        "models export -o out --to pth",
    ],
)
def test_every_command_refuses_weights_with_numbers_that_are_none(
    srgan, photograph, monkeypatch, poisoned, line
):
    monkeypatch.chdir(photograph.parent)
    before = photograph.read_bytes()
    assert_fails(srgan(*line.split(), poisoned), 4, "poisoned")
    assert photograph.read_bytes() == before
    assert not (photograph.parent / "out").exists()
