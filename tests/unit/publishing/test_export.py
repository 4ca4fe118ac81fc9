"""Every form, opened in its own program and compared with PyTorch."""

import dataclasses

import pytest
import torch

from srgan_cli import engine
from srgan_cli.config import PRESETS, ExportConfig, PlainConfig, preset
from srgan_cli.engine.models.weights import ModelSource, load_model, save_weights
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.msrresnet import MSRResNet
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.engine.publishing import exported
from srgan_cli.engine.publishing.export import to_onnx, to_openvino, to_pth, to_torchscript
from srgan_cli.engine.publishing.exported import largest_difference, photograph
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.observer import SilentObserver
from tests.toolbox import files_below, random_generator

RRDB = dataclasses.replace(PRESETS["esrgan"], num_blocks=1, channels=8)
SIZES = [(1, 3, 33, 57), (2, 3, 5, 7), (1, 3, 1, 1)]


def network(kind):
    torch.manual_seed(0)
    made = {
        "compact": lambda: random_generator(
            dataclasses.replace(PRESETS["compact"], channels=8, num_blocks=1)
        ),
        "folding": lambda: random_generator(dataclasses.replace(RRDB, scale=2)),
        "srvgg": lambda: SRVGGNetCompact(8, 2, 4),
        "plain": lambda: random_generator(PlainConfig(scale=2, channels=8, num_convs=3)),
        "msrresnet": lambda: MSRResNet(8, 1, 3),
    }[kind]()
    return made.eval().requires_grad_(False)


def written(path, files):
    """Write the files of an export, each with its own suffix; return the path of the first."""
    for suffix, data in zip((path.suffix, ".bin"), files, strict=False):
        path.with_suffix(suffix).write_bytes(data)
    return path


KINDS = ["compact", "plain", "folding", "srvgg", "msrresnet"]
SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]


@pytest.fixture
def no_warnings_matter():
    """Other people's exporters warn of themselves."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("no_warnings_matter")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folding"] + [SLOW[2]])
def test_onnx_runtime_gives_what_pytorch_gives_at_any_size(tmp_path, kind):
    onnxruntime = pytest.importorskip("onnxruntime")
    if kind == "folding":
        pytest.importorskip("onnxscript")
    made = network(kind)
    path = written(tmp_path / "x.onnx", to_onnx(made))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in SIZES:
        lr = torch.rand(size)
        (found,) = session.run(["sr"], {"lr": lr.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), made(lr), rtol=0, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.usefixtures("no_warnings_matter")
@pytest.mark.parametrize("kind", [SLOW[0], "folding", *SLOW[2:]])
def test_openvino_gives_what_pytorch_gives_at_any_size(tmp_path, kind):
    openvino = pytest.importorskip("openvino")
    made = network(kind)
    path = written(tmp_path / "x.xml", to_openvino(made))
    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for size in SIZES:
        lr = torch.rand(size)
        found = torch.from_numpy(model({"lr": lr.numpy()})["sr"])
        torch.testing.assert_close(found, made(lr), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("no_warnings_matter")
@pytest.mark.parametrize("kind", KINDS)
def test_torchscript_gives_what_pytorch_gives_at_any_size(tmp_path, kind):
    made = network(kind)
    path = written(tmp_path / "x.pt", to_torchscript(made))
    program = torch.jit.load(path)
    for size in SIZES:
        lr = torch.rand(size)
        torch.testing.assert_close(program(lr), made(lr), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["compact", "plain", "folding", "srvgg"])
@torch.inference_mode()
def test_a_pth_loads_in_spandrel_and_gives_the_same(tmp_path, kind):
    spandrel = pytest.importorskip("spandrel")
    made = network(kind)
    path = written(tmp_path / "x.pth", to_pth(made))
    found = spandrel.ModelLoader().load_from_file(path)
    assert found.scale == made.scale
    for height, width in ((8, 12), (2, 2)):
        lr = torch.rand(1, 3, height, width)
        torch.testing.assert_close(found.model.eval()(lr), made(lr), rtol=0, atol=1e-6)
    ours = load_model(ModelSource("x", path, "")).generator
    torch.testing.assert_close(ours(photograph()), made(photograph()), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        *(dataclasses.replace(preset("compact", scale), channels=5) for scale in (2, 3, 4, 8)),
        dataclasses.replace(preset("standard", 2), channels=7, growth=3, num_blocks=2),
        dataclasses.replace(preset("compact", 2), channels=4, num_convs=1),
        *(dataclasses.replace(preset("plain", scale), channels=5, num_convs=3) for scale in (2, 4)),
    ],
)
@torch.inference_mode()
def test_presets_at_lr_size_are_exactly_a_wide_srvgg_up_to_the_last_pixel(config):
    generator = random_generator(config)
    wide = generator.as_basicsr()
    assert isinstance(wide, SRVGGNetCompact)
    for size in ((9, 7), (1, 1), (1, 4), (3, 1), (2, 2)):
        lr = torch.rand(2, 3, *size)
        torch.testing.assert_close(wide(lr), generator(lr), rtol=0, atol=3e-6)


def test_a_pth_that_basicsr_has_no_network_for_is_refused():
    generator = DenseNetwork(dataclasses.replace(RRDB, growth=8))
    with pytest.raises(UsageError, match="BasicSR has no class") as caught:
        to_pth(generator)
    assert "onnx" in caught.value.hint


@pytest.fixture
def small(tmp_path, home):  # noqa: ARG001 - an empty home
    path = tmp_path / "small.safetensors"
    save_weights(path, network("compact"), {})
    return path


def export(path, to, folder, **options):
    return engine.export_model(ExportConfig(str(path), to, folder, **options), SilentObserver())


@pytest.mark.parametrize("kind", KINDS)
def test_ncnn_gives_what_pytorch_gives(home, tmp_path, kind):  # noqa: ARG001 - an empty home
    pytest.importorskip("ncnn")
    path = tmp_path / "x.pth"
    made = network(kind)
    if kind in {"compact", "folding"}:
        save_weights(path, made, {})
    else:
        torch.save(made.state_dict(), path)
    report = export(path, "ncnn", tmp_path / "out")
    assert files_below(tmp_path / "out") == ["x.ncnn.bin", "x.ncnn.param"]
    assert report.compared_in.startswith("ncnn")
    assert report.difference <= 1e-5
    with pytest.raises(UsageError, match="fp32"):
        export(path, "ncnn", tmp_path / "half", fp16=True)


@pytest.mark.parametrize(
    ("to", "suffixes"), [("torchscript", [".pt"]), ("pth", [".pth"]), ("onnx", [".onnx"])]
)
@pytest.mark.parametrize("fp16", [False, True])
@pytest.mark.usefixtures("no_warnings_matter")
def test_an_export_is_compared_at_once(small, tmp_path, to, suffixes, fp16):
    if to == "onnx":
        pytest.importorskip("onnxruntime")
    report = export(small, to, tmp_path / "out", fp16=fp16)
    assert [path.name for path in report.files] == [f"small{suffix}" for suffix in suffixes]
    assert files_below(tmp_path / "out") == [path.name for path in report.files]
    assert 0 <= report.difference <= report.tolerance
    assert (report.difference > 1e-6) == fp16


@pytest.mark.usefixtures("no_warnings_matter")
def test_an_export_that_gives_other_images_is_refused_and_not_kept(small, tmp_path, monkeypatch):
    def wrong(made, *, fp16):
        made = load_model(ModelSource("", small, "")).generator
        made.conv_last.bias.data[0] += 1e-3
        return to_pth(made, fp16=fp16)

    forms = exported._FORMS
    monkeypatch.setitem(forms, "pth", dataclasses.replace(forms["pth"], make=wrong))
    with pytest.raises(WeightsError, match="differs from PyTorch"):
        export(small, "pth", tmp_path / "out")
    assert files_below(tmp_path / "out") == []


def test_a_difference_that_is_no_number_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(WeightsError):
        export(small, "pth", tmp_path / "out")


def test_nothing_is_overwritten_unasked(small, tmp_path):
    target = tmp_path / "small.pth"
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        export(small, "pth", tmp_path)
    assert target.read_bytes() == b"mine"
    export(small, "pth", tmp_path, overwrite=True)
    assert target.read_bytes() != b"mine"


@pytest.mark.parametrize(("to", "module"), [("onnx", "onnx"), ("openvino", "openvino")])
def test_a_missing_library_is_named_with_its_extra(small, tmp_path, monkeypatch, to, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(UsageError, match=module) as caught:
        export(small, to, tmp_path / "out")
    assert f"srgan-cli[{to}]" in caught.value.hint
    assert files_below(tmp_path / "out") == []


def test_only_networks_that_depend_on_the_size_need_pytorchs_exporter(monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    for kind in KINDS:
        if kind == "folding":  # It continues an image whose sides it cannot fold.
            with pytest.raises(UsageError, match="onnxscript"):
                to_onnx(network(kind))
        else:
            to_onnx(network(kind))


def test_the_comparison_sees_a_single_wrong_pixel():
    made = network("compact")

    def run(lr):
        sr = made(lr).clone()
        sr[0, 1, -1, -1] += 0.25
        return sr

    assert largest_difference(made, run) == pytest.approx(0.25, abs=1e-5)


def test_the_images_compared_have_two_sizes_that_folding_divides():
    sizes = []

    def run(lr):
        sizes.append(lr.shape[-2:])
        return made(lr)

    for made in (network("compact"), network("folding")):
        sizes.clear()
        largest_difference(made, run)
        assert len(set(sizes)) == 2
        assert all(side % made.align == 0 for size in sizes for side in size)
