import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import vgg16, vgg19

from srgan_cli.config import preset
from srgan_cli.engine.losses.content import perceptual_loss
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.engine.networks import vgg as perceptual
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.vgg import VGG19_LAST_CONV, VggFeatures, load_perceptual
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.imaging.tensors import from_image
from srgan_cli.observer import SilentObserver
from srgan_cli.paths import downloads_dir
from tests.toolbox import synthetic_photograph

# Of the original network, in the order R, G, B and for pixels in [0, 1].
ORIGINAL_MEAN = (0.485020, 0.457957, 0.407604)


def _load(spec):
    return load_perceptual(str(spec), SilentObserver())


def _layers(architecture, last):
    """Return torchvision's own first layers without the cost of initialising them all."""
    with torch.device("meta"):
        return architecture(weights=None).features[: last + 1].to_empty(device="cpu")


def _tensors(architecture=vgg16, last=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"features.{key}": 0.1 * torch.randn(value.shape, generator=generator)
        for key, value in _layers(architecture, last).state_dict().items()
    }


def _refusal(spec):
    with pytest.raises(WeightsError) as caught:
        _load(spec)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_none_leaves_the_term_out():
    assert _load("none") is None


def test_the_bundled_layers_are_those_of_the_original_vgg16(shared_data):
    original = load_file(shared_data / "perceptual" / "vgg16_conv_fp16.safetensors")
    bundled = _load("vgg16").state_dict()
    assert {key.split(".")[1] for key in bundled} == {"0", "2", "5", "7", "10", "12", "14"}
    for key, value in bundled.items():
        assert torch.equal(value, original[key].float()), key


def test_bundled_features_are_relu3_3_of_torchvisions_vgg16():
    network = _load("vgg16")
    reference = _layers(vgg16, 15)  # relu3_3 is the last of features[:16].
    reference.load_state_dict(network.features.state_dict())
    image = from_image(synthetic_photograph(40, 24))
    wanted = reference(image - torch.tensor(ORIGINAL_MEAN).view(1, 3, 1, 1))
    (features,) = network(image)
    assert features.shape == (1, 256, 6, 10)
    torch.testing.assert_close(features, wanted)
    assert features.min() == 0


LAYERS = ("relu1_1", "conv2_2", "relu2_2", "conv3_1", "relu3_3")


def test_chosen_layers_are_those_of_the_literature_deepest_last():
    # conv2_2 is the second convolution of the second block: torchvision's features.7.
    network = load_perceptual("vgg16", SilentObserver(), LAYERS)
    reference = _layers(vgg16, 15)
    reference.load_state_dict(network.features.state_dict())
    image = from_image(synthetic_photograph(40, 24))
    centred = image - torch.tensor(ORIGINAL_MEAN).view(1, 3, 1, 1)
    for layer in reference:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    wanted = [reference[: depth + 1](centred) for depth in (1, 7, 8, 10, 15)]
    found = network(image)
    assert [layer.shape for layer in found] == [layer.shape for layer in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_layers_below_the_deepest_chosen_one_are_not_computed():
    network = load_perceptual("vgg16", SilentObserver(), ("relu2_2",))
    assert len(network.features) == 9


@pytest.mark.parametrize("layer", ["relu4_1", "conv1_3", "pool5", "2_1"])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(layer):
    with pytest.raises(UsageError) as caught:
        load_perceptual("vgg16", SilentObserver(), (layer,))
    assert layer in caught.value.message
    assert "relu3_3" in caught.value.hint


def test_bundled_features_have_the_magnitude_that_was_published_for_them():
    # "Mean about 119 at relu1_2 … relu3_3 on a photograph": not 0.5, as with other scalings.
    assert 30 < _load("vgg16")(from_image(synthetic_photograph(64, 64)))[0].mean() < 400


def test_features_are_frozen_but_pass_gradients_to_the_image():
    network = _load("vgg16")
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    sr = torch.rand(1, 3, 16, 16, requires_grad=True)
    perceptual_loss(network, sr, torch.rand(1, 3, 16, 16)).backward()
    assert sr.grad.abs().sum() > 0


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_bundled_features_fit_into_half_precision(precision):
    network = _load("vgg16")
    images = [from_image(synthetic_photograph(32, 32, seed)) for seed in range(3)]
    extremes = [torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)]
    for image in [*images, *extremes]:
        with torch.autocast("cpu", precision):
            (features,) = network(image)
        (wanted,) = network(image)
        assert torch.isfinite(features).all()
        error = (features.float() - wanted).norm() / wanted.norm()
        assert error < 0.02


@pytest.mark.parametrize("architecture", [vgg16, vgg19])
@pytest.mark.parametrize("last", [0, 12, 16])
def test_a_local_file_may_end_at_any_convolution(tmp_path, architecture, last):
    if architecture is vgg16 and last == 16:
        last = 14
    tensors = _tensors(architecture, last)
    save_file(tensors, tmp_path / "layers.safetensors")
    network = _load(tmp_path / "layers.safetensors")
    image = torch.rand(1, 3, 16, 16)
    reference = _layers(architecture, last + 1)
    reference.load_state_dict({k.removeprefix("features."): v for k, v in tensors.items()})
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    torch.testing.assert_close(network(image)[0], reference((image - mean) / std))


def test_a_local_file_may_state_its_own_normalisation(tmp_path):
    header = {"mean": "[0.5, 0.25, 0]", "std": "[2, 1, 1]"}
    save_file(_tensors(last=0), tmp_path / "layers.safetensors", header)
    network = _load(tmp_path / "layers.safetensors")
    assert network.mean.flatten().tolist() == [0.5, 0.25, 0]
    assert network.std.flatten().tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    "header",
    [{"mean": "half"}, {"mean": "[1, 2]"}, {"std": "3"}, {"mean": '["a", "b", "c"]'}],
)
def test_a_normalisation_that_cannot_be_read_is_refused(tmp_path, header):
    path = tmp_path / "layers.safetensors"
    save_file(_tensors(last=0), path, header)
    assert str(path) in _refusal(path)


def test_layers_that_are_not_a_vgg_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    complete = _tensors(last=2)
    missing_bias = {key: value for key, value in complete.items() if key != "features.2.bias"}
    gap = {key: value for key, value in complete.items() if "features.0" not in key}
    renamed = {key.removeprefix("features."): value for key, value in complete.items()}
    wrong_shape = complete | {"features.2.bias": torch.zeros(63)}
    for tensors in (missing_bias, gap, renamed, wrong_shape, {"a": torch.zeros(1)}):
        save_file(tensors, path)
        assert "not the first layers" in _refusal(path)


def test_files_that_are_no_safetensors_are_refused(tmp_path):
    text, generator = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    text.write_text("not weights")
    save_weights(generator, DenseNetwork(preset("compact", 2)), {})
    for path in (text, tmp_path / "missing", tmp_path):
        assert str(path) in _refusal(path)
    _refusal(generator)


def test_vgg19_ends_at_the_sixteenth_convolution_of_torchvisions():
    convolutions = [i for i, layer in enumerate(_layers(vgg19, 36)) if isinstance(layer, nn.Conv2d)]
    assert convolutions[15] == VGG19_LAST_CONV
    assert len(convolutions) == 16


def _put_vgg19(content):
    path = downloads_dir() / perceptual.VGG19_URL.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    return path


@pytest.mark.usefixtures("home")
def test_a_downloaded_vgg19_is_cut_to_the_layers_in_use(monkeypatch):
    monkeypatch.setattr(perceptual, "VGG19_LAST_CONV", 2)
    tensors = _tensors(vgg19, 7)
    _put_vgg19(tensors | {"classifier.0.weight": torch.zeros(4)})
    network = _load("vgg19")
    assert network.state_dict().keys() == {
        f"features.{i}.{p}" for i in (0, 2) for p in ("weight", "bias")
    }
    assert torch.equal(network.state_dict()["features.2.weight"], tensors["features.2.weight"])


class Trap:
    def __reduce__(self):
        return print, ("a pickle was executed",)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("content", [Trap(), [1, 2], {"features.0.weight": math.pi}])
def test_a_vgg19_file_that_holds_something_else_is_refused_and_not_executed(content, capsys):
    path = _put_vgg19(content)
    message = _refusal("vgg19")
    assert str(path) in message or "not the first layers" in message
    assert capsys.readouterr().out == ""


def test_the_network_takes_half_precision_weights():
    halves = {key: value.half() for key, value in _tensors(last=0).items()}
    assert VggFeatures(halves)(torch.rand(1, 3, 8, 8))[0].dtype == torch.float32
