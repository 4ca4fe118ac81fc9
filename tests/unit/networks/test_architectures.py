"""One class and one entry of a tuple is all that a new architecture takes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pytest
import torch
from torch import nn

from srgan_cli.config import PRESETS, ExportConfig
from srgan_cli.engine.models.library import add_model, list_models
from srgan_cli.engine.models.weights import ModelSource, load_model, save_weights
from srgan_cli.engine.networks import architectures
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.base import Network, Recognised
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.engine.publishing.exported import export_model
from srgan_cli.errors import WeightsError
from srgan_cli.observer import SilentObserver


@dataclass(frozen=True)
class ToyConfig:
    scale: int
    gain: float = 1.0


class Toy(Network):
    """One convolution and a pixel shuffle; ``gain`` cannot be told from the parameters."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.sizes = config
        self.toy = nn.Conv2d(3, 3 * config.scale**2, 3, padding=1)

    def forward(self, lr):
        return self.sizes.gain * nn.functional.pixel_shuffle(self.toy(lr), self.scale)

    scale = property(lambda self: self.sizes.scale)
    architecture = property(lambda _: "toy")
    receptive_radius = property(lambda _: 1)

    @classmethod
    def for_training(cls, config):
        return cls(config) if isinstance(config, ToyConfig) else None

    def to_header(self):
        return {"toy": asdict(self.sizes)}

    @classmethod
    def from_header(cls, header, num_tensors):
        assert num_tensors
        return cls(ToyConfig(**header["toy"])) if "toy" in header else None

    @classmethod
    def recognise(cls, shapes):
        if shapes.keys() != {"toy.weight", "toy.bias"}:
            return None
        return Recognised(cls(ToyConfig(int((shapes["toy.bias"][0] // 3) ** 0.5))), {})

    def as_basicsr(self):
        """Written as two convolutions with the identity between, less the repeated pixels."""
        wide = SRVGGNetCompact(3, 0, self.scale).requires_grad_(False)
        first, slopes, last = wide.body
        nn.init.dirac_(first.weight)
        nn.init.zeros_(first.bias)
        nn.init.ones_(slopes.weight)
        last.weight.copy_(self.sizes.gain * self.toy.weight)
        last.bias.copy_(self.sizes.gain * self.toy.bias)
        for channel in range(len(last.bias)):
            last.weight[channel, channel // self.scale**2, 1, 1] -= 1
        return wide


@pytest.fixture
def _known(monkeypatch):
    monkeypatch.setattr(architectures, "ARCHITECTURES", (*architectures.ARCHITECTURES, Toy))


@pytest.fixture
def toy(_known):
    torch.manual_seed(0)
    return make_generator(ToyConfig(2, gain=0.5)).eval().requires_grad_(False)


def load(path):
    return load_model(ModelSource(path.stem, path, "as named")).generator


LR = torch.rand(1, 3, 7, 9, generator=torch.Generator().manual_seed(0))


def test_a_new_architecture_is_made_and_loaded_from_what_it_saved(toy, tmp_path):
    save_weights(tmp_path / "a.safetensors", toy, {"steps": 1})
    found = load(tmp_path / "a.safetensors")
    assert isinstance(found, Toy)
    assert found.sizes == toy.sizes
    assert torch.equal(found(LR), toy(LR))


def test_a_new_architecture_is_recognised_by_its_parameters(toy, tmp_path):
    torch.save({"params": toy.state_dict()}, tmp_path / "a.pth")
    found = load(tmp_path / "a.pth")
    assert isinstance(found, Toy)
    assert torch.equal(found(LR), toy(LR) / toy.sizes.gain)


@pytest.mark.usefixtures("home")
def test_a_new_architecture_is_kept_on_the_shelf_with_what_rebuilds_it(toy, tmp_path):
    save_weights(tmp_path / "a.safetensors", toy, {"steps": 1})
    info = add_model(tmp_path / "a.safetensors", "mine", SilentObserver(), licence="CC0-1.0")
    assert (info.summary.architecture, info.licence) == ("toy", "CC0-1.0")
    assert "mine" in [each.name for each in list_models().models]
    model = load_model(ModelSource("mine", info.path, "as named"))
    assert torch.equal(model.generator(LR), toy(LR))
    assert model.about.keys() == {"licence", "origin"}


@pytest.mark.parametrize("to", ["pth", "torchscript", "ncnn"])
def test_a_new_architecture_is_exported(toy, tmp_path, to):
    if to == "ncnn":
        pytest.importorskip("ncnn")
    save_weights(tmp_path / "a.safetensors", toy, {})
    config = ExportConfig(str(tmp_path / "a.safetensors"), to, tmp_path / "out")
    report = export_model(config, SilentObserver())
    assert report.difference <= report.tolerance
    if to == "pth":
        torch.testing.assert_close(load(report.files[0])(LR), toy(LR), rtol=0, atol=1e-6)


def test_without_its_entry_the_architecture_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spandrel", None)
    torch.save(Toy(ToyConfig(2)).state_dict(), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="unknown network architecture"):
        load(tmp_path / "a.pth")
    with pytest.raises(TypeError, match="ToyConfig"):
        make_generator(ToyConfig(2))


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_each_preset_is_made_by_one_architecture(config):
    with torch.device("meta"):
        made = [each.for_training(config) for each in architectures.ARCHITECTURES]
    assert [network.config for network in made if network is not None] == [config]


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_no_architecture_claims_the_parameters_or_the_header_of_another(config):
    with torch.device("meta"):
        network = make_generator(config)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    for other in architectures.ARCHITECTURES:
        if isinstance(network, other):
            continue
        assert not _claims(other, shapes)
        with torch.device("meta"):
            assert other.from_header(network.to_header(), len(shapes)) is None


def _claims(architecture: type[Network], shapes: Mapping[str, torch.Size]) -> bool:
    try:
        with torch.device("meta"):
            return architecture.recognise(shapes) is not None
    except (KeyError, IndexError, ValueError, ArithmeticError, RuntimeError):
        return False
