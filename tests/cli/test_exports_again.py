"""What ``srgan models export`` writes is taken by ``--model``, and gives the original's image."""

import numpy as np
import pytest
from PIL import Image

from tests.toolbox import call, synthetic_photograph

FORMS = {
    "onnx": ("onnxscript", "fidelity-x2.onnx"),
    "ncnn": ("ncnn", "fidelity-x2.ncnn.param"),
    "pth": ("spandrel", "fidelity-x2.pth"),
}


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(synthetic_photograph(96, 64, seed=0)).save(path)
    return path


def levels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tile", [None, 24])
def test_an_export_as_a_model_gives_the_bytes_of_the_original(
    tmp_path, home, image, form, tile, capsys
):
    package, name = FORMS[form]
    pytest.importorskip(package)
    assert not home.exists()
    options = (
        "--device",
        "cpu",
        "--precision",
        "fp32",
        *(() if tile is None else ("--tile", tile)),
    )
    made = call(capsys, "models", "export", "fidelity-x2", "--to", form, "-o", tmp_path / "made")
    assert made.code == 0, made.err
    results = []
    for model in ("fidelity-x2", tmp_path / "made" / name):
        output = tmp_path / f"{len(results)}.png"
        done = call(capsys, "upscale", image, "-o", output, "--model", model, *options)
        assert done.code == 0, done.err
        results.append(levels(output))
    difference = np.abs(results[1] - results[0])
    assert difference.max() <= 1  # A value that lies between two levels may be rounded to either.
    assert (difference > 0).mean() < 1e-3


def test_an_export_to_openvino_is_refused_with_what_to_do(tmp_path, image, capsys):
    xml = tmp_path / "fidelity-x2.xml"
    xml.write_text("<?xml version='1.0'?><net name='x'/>")
    done = call(capsys, "upscale", image, "-o", tmp_path / "out.png", "--model", xml)
    assert done.code == 4
    assert "onnx" in done.err
