import os

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from srgan_cli.engine.networks.discriminators import Discriminator
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from tests.toolbox import assert_fails, files_below, synthetic_photograph


class Malicious:
    """Unpickled, it writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(synthetic_photograph(24, 20)).save(path)
    return path


@pytest.fixture
def anime(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "anime.pth"
    torch.save({"params": SRVGGNetCompact(8, 2, 4).state_dict()}, path)
    return path


def damaged(kind, folder):
    path = folder / ("x.safetensors" if kind in {"absurd header", "int8"} else "x.pth")
    state = SRVGGNetCompact(8, 2, 4).state_dict()
    match kind:
        case "malicious":
            torch.save({"params": state, "x": Malicious(folder / "it-ran")}, path)
        case "truncated":
            torch.save(state, path)
            path.write_bytes(path.read_bytes()[:-500])
        case "jpeg":
            Image.new("RGB", (32, 32)).save(path, "JPEG")
        case "discriminator":
            torch.save(Discriminator(4).state_dict(), path)
        case "missing key":
            del state["body.2.bias"]
            torch.save(state, path)
        case "absurd header":
            path.write_bytes(b"\xff" * 8 + b"{}")
        case "int8":
            save_file({key: value.to(torch.int8) for key, value in state.items()}, path)
    return path


KINDS = [
    "malicious",
    "truncated",
    "jpeg",
    "discriminator",
    "missing key",
    "absurd header",
    "int8",
    "absent",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["upscale", "add", "show", "eval"])
def test_unusable_weights_end_in_4_and_nothing_is_run_or_written(
    srgan, tmp_path, picture, kind, command
):
    path = damaged(kind, tmp_path)
    before = files_below(tmp_path)
    words = {
        "upscale": ["upscale", picture, "-o", tmp_path / "out", "--model", path],
        "add": ["models", "add", path],
        "show": ["models", "show", path],
        "eval": ["eval", tmp_path, "--model", path],
    }[command]
    assert_fails(srgan(*words), 4, path.name)
    assert files_below(tmp_path) == before


def test_weights_of_another_scale_end_in_4(srgan, tmp_path, picture, anime):
    assert_fails(srgan("eval", picture.parent, "--model", anime, "--scale", 2), 4, "trained for ×4")
    assert not (tmp_path / "home").exists()


def test_a_published_model_goes_onto_the_shelf_and_upscales(srgan, tmp_path, picture, anime):
    added = srgan("models", "add", anime, "--licence", "BSD-3-Clause", "--json").document
    assert (added["kind"], added["summary"]["scale"]) == ("shelf", 4)
    done = srgan("upscale", picture, "-o", tmp_path / "out", "--model", "ani")
    assert done.code == 0, done.err
    assert "model: anime" in done.err
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.size == (96, 80)
    listed = srgan("models", "list").out
    assert "anime" in listed
    assert "SRVGGNetCompact" in listed
    assert srgan("models", "remove", "anime").code == 0
    assert "anime" not in srgan("models", "list").out


def test_a_default_is_set_shown_and_cleared(srgan, anime):
    srgan("models", "add", anime)
    assert srgan("models", "default", "anime", "--json").document["defaults"] == {"4": "anime"}
    assert srgan("models", "show", "anime", "--json").document["default"] is True
    assert "anime *" in srgan("models", "list").out
    assert srgan("models", "default").out.count("your default") == 1
    cleared = srgan("models", "default", "--clear", 4, "--json").document
    assert cleared["defaults"] == {}
    assert cleared["used"]["4"] == "photo-x4"
    listed = srgan("models", "list").out
    assert [line.split()[1] for line in listed.splitlines() if " * " in line] == [
        "photo-x2",
        "photo-x4",
    ]


def test_show_tells_what_the_header_says(srgan):
    shown = srgan("models", "show", "fidelity-x2")
    for words in ("451,852", "112,752", "29×29", "MIT", "2600", "teacher name", "spanx2_ch48"):
        assert words in shown.out


def test_show_tells_how_the_models_of_a_blend_were_trained(srgan):
    srgan("models", "blend", "fidelity-x2", "photo-x2", "--alpha", "0.5", "--name", "between")
    shown = srgan("models", "show", "between", "--json").document
    assert {name: told["phase"] for name, told in shown["trainings"].items()} == {
        "fidelity-x2": "pretrain",
        "photo-x2": "adversarial",
    }
    assert "photo-x2: steps" in srgan("models", "show", "between").out


def test_models_alone_shows_its_commands(srgan):
    result = srgan("models")
    assert result.code == 0
    assert "remove" in result.out
