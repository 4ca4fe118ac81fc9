import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srgan_cli.config import (
    PRESETS,
    SCALES,
    DenseConfig,
    PlainConfig,
    SpanConfig,
    SrvggConfig,
    preset,
)
from srgan_cli.engine.models.weights import ModelSource, load_model, save_weights
from srgan_cli.engine.networks.architectures import make_generator
from srgan_cli.engine.networks.base import Network, num_parameters
from srgan_cli.engine.networks.dense import DenseNetwork
from tests.toolbox import random_generator


def _small(name, scale, num_blocks=1):
    """Return a preset with its structure and few blocks, thin where that is not published."""
    if name in {"plain", "srvgg"}:
        return dataclasses.replace(preset(name, scale), num_convs=num_blocks)
    if name == "span":
        return dataclasses.replace(preset(name, scale), channels=8)
    channels = {"channels": 8, "growth": 4} if name == "esrgan" else {}
    return dataclasses.replace(preset(name, scale), num_blocks=num_blocks, **channels)


def _published_rrdbnet_shapes(num_blocks, channels=64, growth=32, in_channels=3):
    """List the parameters of ESRGAN's RRDBNet as its authors' files hold them."""
    convs = {"conv_first": (channels, in_channels)}
    for block in range(num_blocks):
        for rdb in (1, 2, 3):
            for conv in (1, 2, 3, 4, 5):
                outputs = channels if conv == 5 else growth
                convs[f"body.{block}.rdb{rdb}.conv{conv}"] = (
                    outputs,
                    channels + (conv - 1) * growth,
                )
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        convs[name] = (channels, channels)
    convs["conv_last"] = (3, channels)
    weights = {f"{name}.weight": (*shape, 3, 3) for name, shape in convs.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in convs.items()}


def _rrdbnet(parameters, x, num_blocks, fold):
    """Compute RRDBNet from its description alone (Wang et al. 2018, figures 3 and 4)."""

    def conv(name, x):
        return F.conv2d(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"], padding=1)

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    def dense(name, x):
        x1 = leaky(conv(f"{name}.conv1", x))
        x2 = leaky(conv(f"{name}.conv2", torch.cat((x, x1), 1)))
        x3 = leaky(conv(f"{name}.conv3", torch.cat((x, x1, x2), 1)))
        x4 = leaky(conv(f"{name}.conv4", torch.cat((x, x1, x2, x3), 1)))
        return x + 0.2 * conv(f"{name}.conv5", torch.cat((x, x1, x2, x3, x4), 1))

    def doubled(x):
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    b, c, h, w = x.shape
    folded = x.view(b, c, h // fold, fold, w // fold, fold).permute(0, 1, 3, 5, 2, 4)
    first = conv("conv_first", folded.reshape(b, c * fold**2, h // fold, w // fold))
    trunk = first
    for block in range(num_blocks):
        inner = trunk
        for rdb in (1, 2, 3):
            inner = dense(f"body.{block}.rdb{rdb}", inner)
        trunk = trunk + 0.2 * inner
    features = first + conv("conv_body", trunk)
    features = leaky(conv("conv_up1", doubled(features)))
    features = leaky(conv("conv_up2", doubled(features)))
    return conv("conv_last", leaky(conv("conv_hr", features)))


@pytest.mark.parametrize(("scale", "in_channels"), [(4, 3), (2, 12), (1, 48)])
def test_esrgan_has_the_parameters_of_the_published_rrdbnet(scale, in_channels):
    config = dataclasses.replace(PRESETS["esrgan"], scale=scale)
    with torch.device("meta"):
        generator = DenseNetwork(config)
    shapes = {key: tuple(value.shape) for key, value in generator.state_dict().items()}
    assert shapes == _published_rrdbnet_shapes(23, in_channels=in_channels)


@pytest.mark.parametrize(("scale", "fold"), [(4, 1), (2, 2), (1, 4)])
def test_esrgan_computes_what_the_published_rrdbnet_computes(scale, fold):
    config = dataclasses.replace(_small("esrgan", 2, num_blocks=2), scale=scale)
    generator = random_generator(config).double()
    lr = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    wanted = _rrdbnet(generator.state_dict(), lr, 2, fold)
    torch.testing.assert_close(generator(lr), wanted, rtol=1e-9, atol=1e-12)


def test_a_plain_generator_computes_dense_residual_blocks_and_a_bilinear_skip():
    config = dataclasses.replace(PRESETS["compact"], scale=3, channels=6, growth=5, num_blocks=1)
    generator = random_generator(config).double()
    p = generator.state_dict()
    lr = torch.rand(1, 3, 5, 7, dtype=torch.float64)

    def conv(name, x):
        return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)

    first = conv("conv_first", lr)
    x1 = F.leaky_relu(conv("body.0.conv1", first), 0.2)
    x2 = F.leaky_relu(conv("body.0.conv2", torch.cat((first, x1), 1)), 0.2)
    block = first + config.residual_scale * conv("body.0.conv3", torch.cat((first, x1, x2), 1))
    features = conv("conv_last", first + conv("conv_body", block))
    detail = features.view(1, 3, 3, 3, 5, 7).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 15, 21)
    skip = F.interpolate(lr, size=(15, 21), mode="bilinear", align_corners=False)
    torch.testing.assert_close(generator(lr), skip + detail, rtol=1e-9, atol=1e-12)


def test_a_plain_network_is_convolutions_with_one_long_skip_and_a_bilinear_one():
    generator = random_generator(PlainConfig(scale=2, channels=6, num_convs=2)).double()
    p = generator.state_dict()
    lr = torch.rand(1, 3, 5, 7, dtype=torch.float64)

    def conv(name, x):
        return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)

    first = conv("conv_first", lr)
    deep = F.leaky_relu(conv("body.1", F.leaky_relu(conv("body.0", first), 0.2)), 0.2)
    features = conv("conv_last", first + deep)
    detail = features.view(1, 3, 2, 2, 5, 7).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 10, 14)
    skip = F.interpolate(lr, size=(10, 14), mode="bilinear", align_corners=False)
    torch.testing.assert_close(generator(lr), skip + detail, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["plain", "compact", "standard"])
@torch.inference_mode()
def test_a_new_generator_is_the_bilinear_upscaling(name):
    lr = torch.rand(1, 3, 6, 7)
    wanted = F.interpolate(lr, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(make_generator(_small(name, 2))(lr), wanted)


def test_a_new_generator_learns_in_all_its_layers_from_the_second_step_on():
    torch.manual_seed(0)
    generator = DenseNetwork(_small("compact", 2))
    optimizer = torch.optim.SGD(generator.parameters(), 1e-2)
    lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    for _ in range(2):
        optimizer.zero_grad()
        F.l1_loss(generator(lr), hr).backward()
        optimizer.step()
    assert all(p.grad.abs().max() > 0 for p in generator.parameters())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_compact_has_at_most_200_thousand_parameters(scale):
    assert num_parameters(DenseNetwork(preset("compact", scale))) <= 200_000


@pytest.mark.parametrize("scale", SCALES)
def test_standard_has_about_one_and_a_half_million_parameters(scale):
    assert 1_400_000 <= num_parameters(DenseNetwork(preset("standard", scale))) <= 1_600_000


def test_esrgan_has_the_published_number_of_parameters():
    with torch.device("meta"):
        assert num_parameters(DenseNetwork(preset("esrgan", 4))) == 16_697_987


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 6)])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", PRESETS)
@torch.inference_mode()
def test_every_side_becomes_scale_times_as_long(name, scale, size):
    sr = random_generator(_small(name, scale))(torch.rand(2, 3, *size))
    assert sr.shape == (2, 3, size[0] * scale, size[1] * scale)
    assert torch.isfinite(sr).all()


@pytest.mark.parametrize("name", PRESETS)
@torch.inference_mode()
def test_images_of_a_batch_do_not_mix(name):
    generator = random_generator(_small(name, 2)).double()
    lr = torch.rand(3, 3, 6, 6, dtype=torch.float64)
    alone = torch.cat([generator(one[None]) for one in lr])
    torch.testing.assert_close(generator(lr), alone)


RADII = [
    PlainConfig(scale=2, channels=8, num_convs=3),
    *(_small("compact", scale) for scale in (2, 3)),
    dataclasses.replace(_small("standard", 2), channels=8, growth=4, num_blocks=2),
    *(dataclasses.replace(_small("esrgan", 4), scale=scale, num_convs=2) for scale in (1, 2, 4)),
    *(
        dataclasses.replace(_small("esrgan", scale), dense_blocks=1, num_convs=2)
        for scale in (3, 8)
    ),
]


def _reach(generator: Network, lr: torch.Tensor, row: int, column: int) -> int:
    """Return how far, in LR pixels, the output at one LR pixel's place looks."""
    scale = generator.config.scale
    lr.grad = None
    sr = generator(lr)
    block = sr[..., row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]
    block.square().sum().backward()
    rows, columns = lr.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    return int(torch.maximum((rows - row).abs(), (columns - column).abs()).max())


@pytest.mark.parametrize("config", RADII)
def test_the_receptive_radius_is_exact(config: DenseConfig):
    generator = random_generator(config).double()
    radius = generator.receptive_radius
    side = 4 * -(-(2 * radius + 9) // 4)
    lr = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    # Four neighbours: where pixels are folded, each place within a fold sees differently far.
    reaches = [_reach(generator, lr, side // 2 + i, side // 2 + i) for i in range(4)]
    assert max(reaches) == radius


@torch.no_grad()
def test_a_pixel_outside_the_radius_changes_nothing_and_one_at_it_does():
    generator = random_generator(_small("compact", 2)).double()
    radius = generator.receptive_radius
    lr = torch.rand(1, 3, 1, 2 * radius + 8, dtype=torch.float64)
    moved = [lr.clone(), lr.clone()]
    moved[0][..., radius], moved[1][..., radius + 1] = 9, 9
    before, at, outside = (generator(x)[..., :2] for x in (lr, *moved))
    assert not torch.equal(before, at)
    assert torch.equal(before, outside)


def test_generators_have_no_batch_statistics():
    for name in PRESETS:
        modules = list(make_generator(_small(name, 2)).modules())
        assert not any(isinstance(module, nn.modules.batchnorm._NormBase) for module in modules)


def test_a_new_srvgg_repeats_pixels():
    srvgg = make_generator(SrvggConfig(scale=3, channels=8, num_convs=4))
    lr = torch.rand(1, 3, 7, 5)
    assert torch.equal(srvgg(lr), lr.repeat_interleave(3, 2).repeat_interleave(3, 3))


def test_first_features_pass_through_a_new_srvgg_of_any_length():
    torch.manual_seed(0)
    srvgg = make_generator(SrvggConfig(scale=2, channels=32, num_convs=18))
    lr = torch.rand(1, 3, 32, 32)
    first, last = srvgg.body[:2](lr), srvgg.body[:-1](lr)
    assert 0.2 < last.std() / first.std() < 5


def test_fixed_slopes_are_those_of_the_weights_that_are_written(tmp_path):
    torch.manual_seed(0)
    srvgg = make_generator(SrvggConfig(scale=2, channels=8, num_convs=2))
    torch.nn.init.normal_(srvgg.body[-1].weight)
    save_weights(tmp_path / "srvgg.safetensors", srvgg, {})
    model = load_model(ModelSource("srvgg", tmp_path / "srvgg.safetensors", "named"))
    assert model.generator.config == srvgg.config
    lr = torch.rand(1, 3, 9, 9)
    torch.testing.assert_close(model.generator(lr), srvgg(lr))


def test_fixed_slopes_are_not_trained():
    srvgg = make_generator(SrvggConfig(scale=2, channels=8, num_convs=2))
    slopes = [layer.weight for layer in srvgg.body if isinstance(layer, torch.nn.PReLU)]
    assert len(slopes) == 3
    assert not any(slope.requires_grad for slope in slopes)


@pytest.mark.parametrize("scale", SCALES)
def test_a_plain_network_is_known_by_its_parameters(tmp_path, scale):
    network = random_generator(PlainConfig(scale=scale, channels=8, num_convs=2))
    save_weights(tmp_path / "network.safetensors", network, {})
    model = load_model(ModelSource("network", tmp_path / "network.safetensors", "named"))
    assert model.generator.config == network.config
    lr = torch.rand(1, 3, 9, 9)
    assert torch.equal(model.generator(lr), network(lr))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["plain", "srvgg"])
def test_plain_networks_have_at_most_200_000_parameters(name, scale):
    assert num_parameters(make_generator(preset(name, scale))) <= 200_000


def test_a_new_span_is_black_and_learns_all_but_the_colours_that_it_subtracts():
    span = make_generator(SpanConfig(scale=3, channels=8))
    lr = torch.rand(1, 3, 5, 4)
    assert torch.equal(span(lr), torch.zeros(1, 3, 15, 12))
    fixed = [name for name, value in span.named_parameters() if not value.requires_grad]
    assert fixed == ["norm.weight", "norm.bias"]
    torch.testing.assert_close(
        span.norm(lr), lr - torch.tensor([0.4488, 0.4371, 0.404])[:, None, None]
    )


def test_a_span_is_read_as_it_was_written(tmp_path):
    span = random_generator(SpanConfig(scale=4, channels=8))
    save_weights(tmp_path / "span.safetensors", span, {})
    model = load_model(ModelSource("span", tmp_path / "span.safetensors", "named"))
    assert model.generator.config == span.config == SpanConfig(scale=4, channels=8)
    lr = torch.rand(1, 3, 9, 11)
    torch.testing.assert_close(model.generator(lr), span(lr))
