import json
import os
from dataclasses import asdict, replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from srgan_cli.config import PRESETS, preset
from srgan_cli.engine.models import tensor_files
from srgan_cli.engine.models.shelf import BUNDLED, find_model
from srgan_cli.engine.models.weights import (
    WEIGHTS_FILE,
    ModelSource,
    load_model,
    require_scale,
    save_weights,
)
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.errors import WeightsError
from srgan_cli.paths import runs_dir
from tests.toolbox import random_generator

SMALL = replace(PRESETS["compact"], channels=8, growth=4, num_blocks=1)


@pytest.fixture
def generator():
    return random_generator(SMALL)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.safetensors"


def _load(path):
    return load_model(ModelSource(path.name, path, "as named"))


def _refusal(path):
    with pytest.raises(WeightsError) as caught:
        _load(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


def _make_run(name, seconds, generator=None):
    """Put weights into a run that was saved so many seconds after the first."""
    path = runs_dir() / name / WEIGHTS_FILE
    path.parent.mkdir(parents=True)
    save_weights(path, generator or DenseNetwork(SMALL), {})
    os.utime(path, (1_700_000_000 + seconds,) * 2)
    return path


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_loaded_generator_gives_equal_outputs(generator, path, memory_format):
    lr = torch.rand(1, 3, 7, 9)
    wanted = generator(lr)
    save_weights(path, generator.to(memory_format=memory_format), {"steps": 7})
    model = _load(path)
    assert model.generator.config == SMALL
    assert model.trained == {"steps": 7}
    assert model.scale == 2
    assert torch.equal(model.generator(lr), wanted)


@pytest.mark.parametrize(
    "config",
    [
        preset("compact", 3),
        replace(preset("esrgan", 4), num_blocks=1, channels=8, growth=4),
        replace(preset("standard", 8), num_blocks=1, residual_scale=0.5),
    ],
)
def test_the_header_alone_rebuilds_any_generator(path, config):
    save_weights(path, DenseNetwork(config), {})
    assert _load(path).generator.config == config


def test_a_loaded_generator_is_ready_for_inference(generator, path):
    save_weights(path, generator.half(), {})
    loaded = _load(path).generator
    assert not loaded.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())
    assert not any(p.is_meta for p in loaded.parameters())


def test_the_bundled_model_loads():
    model = load_model(find_model("fidelity-x2", 2))
    assert model.scale == 2
    assert model.trained["data_fingerprint"]
    grey = torch.full((1, 3, 64, 64), 0.5)
    # Away from the border, where padding shows, it keeps a plain surface.
    assert (model.generator(grey)[..., 48:80, 48:80] - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("kind", ["truncated", "jpeg", "empty", "missing", "folder", "foreign"])
def test_files_that_are_not_weights_are_refused(generator, path, kind):
    match kind:
        case "truncated":
            save_weights(path, generator, {})
            path.write_bytes(path.read_bytes()[:-100])
        case "jpeg":
            Image.new("RGB", (32, 32)).save(path, "JPEG")
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "foreign":
            save_file({"weight": torch.zeros(3)}, path)
    _refusal(path)


def _resave(path, *, tensors=None, header=None):
    values = header if isinstance(header, str) else json.dumps(header)
    save_file(tensors, path, {"srgan": values})


def _header(**changes):
    return {"generator": asdict(SMALL) | changes, "trained": {}}


@pytest.mark.parametrize(
    "header",
    [
        "no JSON",
        "[" * 100_000,
        [],
        {"generator": None},
        {"generator": {"scale": 2}},
        _header(norm="batch"),
        _header(scale=5),
        _header(channels=0),
        _header(residual_scale="0.2"),
    ],
)
def test_headers_that_do_not_describe_a_generator_are_refused(generator, path, header):
    _resave(path, tensors=generator.state_dict(), header=header)
    assert "not an srgan weights file" in _refusal(path)


def test_a_header_cannot_ask_for_more_layers_than_the_file_has(generator, path):
    header = _header(num_blocks=1024, dense_blocks=1024, num_convs=1024)
    _resave(path, tensors=generator.state_dict(), header=header)
    assert "do not match" in _refusal(path)


def test_weights_that_do_not_fit_their_header_are_refused(generator, path):
    save_weights(path, generator, {})
    complete = load_file(path)
    missing = {key: value for key, value in complete.items() if key != "conv_body.bias"}
    extra = complete | {"more": torch.zeros(1)}
    reshaped = complete | {"conv_body.bias": torch.zeros(9)}
    halved = complete | {"conv_body.bias": torch.zeros(8, dtype=torch.int32)}
    for tensors, problem in (
        (missing, "conv_body.bias is missing for this dense residual"),
        (extra, "unexpected parameter more"),
        (reshaped, "conv_body.bias has shape 9, but this dense residual needs 8"),
        (halved, "conv_body.bias of this dense residual has type int32"),
    ):
        _resave(path, tensors=tensors, header=_header())
        assert problem in _refusal(path)


def _flip(path, place):
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("place", [-1, -1000, "steps"])
def test_a_flipped_bit_is_found(generator, path, place):
    save_weights(path, generator, {"steps": 7})
    assert _load(path).trained == {"steps": 7}
    if place == "steps":
        place = path.read_bytes().index(b": 7}") + 2  # 7 becomes 3.
    _flip(path, place)
    assert "checksum" in _refusal(path)


def test_weights_from_before_there_were_checksums_load(generator, path):
    header = json.dumps({"trained": {"steps": 7}, **generator.to_header()})
    _resave(path, tensors=generator.state_dict(), header=header)
    assert _load(path).trained == {"steps": 7}


def test_a_checksum_that_is_not_ours_is_nobodys_business(path):
    save_file(SRVGGNetCompact(8, 2, 4).state_dict(), path, {"crc32": "of something else"})
    assert _load(path).scale == 4


def test_a_failed_save_keeps_the_old_weights(generator, path, monkeypatch):
    save_weights(path, generator, {})
    old = path.read_bytes()

    def fail(_, target, __):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", fail)
    with pytest.raises(OSError, match="No space"):
        save_weights(path, generator, {})
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.usefixtures("home")
def test_before_any_training_the_bundled_weights_are_taken():
    for scale in (None, 2):
        source = find_model(None, scale)
        assert source.name == BUNDLED[0]
        assert source.name.endswith("-x2")
        assert "bundled" in source.reason
        assert source.path.is_file()


@pytest.mark.usefixtures("home")
def test_without_a_bundled_model_of_that_scale_the_user_is_told_so():
    with pytest.raises(WeightsError) as caught:
        find_model(None, 8)
    assert "×8" in caught.value.message
    assert "srgan train" in caught.value.hint


@pytest.mark.usefixtures("home")
def test_a_model_is_found_by_run_name_bundled_name_folder_or_file(tmp_path):
    run = _make_run("mine", 0)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = elsewhere / WEIGHTS_FILE
    file.write_bytes(run.read_bytes())
    assert find_model("mine", None).path == run
    assert find_model(BUNDLED[0], None).name == BUNDLED[0]
    assert find_model(str(elsewhere), None).path == file
    assert find_model(str(file), None) == ModelSource(WEIGHTS_FILE, file, "--model")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("typo", "meant"),
    [("fidelty-x2", "fidelity-x2"), ("fidelty", "fidelity"), ("flwers", "flowers")],
)
def test_a_typo_suggests_the_nearest_name(typo, meant):
    _make_run("flowers", 0)
    with pytest.raises(WeightsError) as caught:
        find_model(typo, None)
    assert typo in caught.value.message
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.usefixtures("home")
def test_a_name_like_no_other_lists_what_there_is():
    _make_run("flowers", 0)
    with pytest.raises(WeightsError) as caught:
        find_model("0000", None)
    assert "flowers" in caught.value.hint
    assert "fidelity-x2" in caught.value.hint


def test_weights_of_another_scale_are_refused_by_name(generator, path):
    save_weights(path, generator, {})
    model = _load(path)
    require_scale(model, None)
    require_scale(model, 2)
    with pytest.raises(WeightsError) as caught:
        require_scale(model, 4)
    assert caught.value.message == "a.safetensors: trained for ×2, but --scale is 4"
    assert "--scale 2" in caught.value.hint
