import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srgan_cli.engine.networks import discriminators
from srgan_cli.engine.networks.discriminators import Discriminator, UNetDiscriminator


def _convolutions(discriminator):
    return [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]


def test_the_convolutions_are_those_of_srgan_figure_4():
    layers = [
        (conv.kernel_size[0], conv.out_channels, conv.stride[0])
        for conv in _convolutions(Discriminator())
    ]
    assert layers == [
        (3, 64, 1),
        (3, 64, 2),
        (3, 128, 1),
        (3, 128, 2),
        (3, 256, 1),
        (3, 256, 2),
        (3, 512, 1),
        (3, 512, 2),
    ]


def test_scores_are_those_of_the_layers_with_a_pooled_head():
    torch.manual_seed(0)
    discriminator = Discriminator(4).double()
    parameters = list(discriminator.parameters())
    image = torch.rand(2, 3, 21, 18, dtype=torch.float64)
    x = image
    for i in range(8):
        weight, bias = parameters[2 * i : 2 * i + 2]
        x = F.leaky_relu(F.conv2d(x, weight, bias, stride=1 + i % 2, padding=1), 0.2)
    weight, bias, last_weight, last_bias = parameters[16:]
    hidden = F.leaky_relu(x.flatten(2).mean(2) @ weight.T + bias, 0.2)
    torch.testing.assert_close(discriminator(image), (hidden @ last_weight.T + last_bias)[:, 0])


@pytest.mark.parametrize("precision", ["fp64", "bf16"])
@pytest.mark.parametrize("options", [(8, 16, 3, 1, 1), (16, 16, 3, 2, 1), (6, 8, 4, 2, 1)])
def test_gradients_of_a_convolution_and_of_its_gradient_are_pytorchs_in_fp64(options, precision):
    """In bf16 PyTorch's own gradient of the gradient is wrong on CPUs with AMX."""
    torch.manual_seed(0)
    plain, ours = nn.Conv2d(*options), discriminators._Conv2d(*options)
    ours.load_state_dict(plain.state_dict())
    images = torch.rand(4, options[0], 48, 40)

    def gradients(conv, dtype, lower):
        conv, x = conv.to(dtype), images.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            y = conv(x)
        first = torch.autograd.grad(y.square().sum(), (x, *conv.parameters()), retain_graph=True)
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return [*first, *torch.autograd.grad(slope.square().sum(), conv.parameters())]

    lower = precision == "bf16"
    found = gradients(ours, torch.float32 if lower else torch.float64, lower)
    for one, wanted in zip(found, gradients(plain, torch.float64, False), strict=True):
        assert (one - wanted).norm() < (0.02 if lower else 1e-12) * wanted.norm()


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (96, 96), (200, 16)])
@torch.inference_mode()
def test_it_takes_images_of_any_size_from_16_on(size):
    scores = Discriminator(8)(torch.rand(3, 3, *size))
    assert scores.shape == (3,)
    assert torch.isfinite(scores).all()


@torch.inference_mode()
def test_the_score_of_an_image_does_not_depend_on_the_others_of_its_batch():
    discriminator = Discriminator(8).double()
    discriminator.train()
    images = torch.rand(4, 3, 24, 24, dtype=torch.float64)
    together = discriminator(images)
    alone = torch.cat([discriminator(image[None]) for image in images])
    torch.testing.assert_close(together, alone)
    others = discriminator(torch.cat((images[:1], 9 * torch.rand_like(images[1:]))))
    torch.testing.assert_close(together[0], others[0])


@torch.inference_mode()
def test_a_fresh_discriminator_tells_images_apart():
    torch.manual_seed(0)
    scores = Discriminator()(
        torch.rand(4, 3, 32, 32) * torch.tensor([0.1, 0.4, 0.7, 1])[:, None, None, None]
    )
    assert scores.std() > 0.01


@pytest.mark.parametrize("width", [1, 16])
def test_the_width_scales_every_layer(width):
    channels = [conv.out_channels // width for conv in _convolutions(Discriminator(width))]
    assert channels == [1, 1, 2, 2, 4, 4, 8, 8]


def _settled(network, image):
    """Let the power iterations of the spectral norms converge."""
    with torch.no_grad():
        for _ in range(400):
            network(image)
    return network.eval()


def test_the_unet_is_that_of_real_esrgan_with_exact_spectral_norms():
    torch.manual_seed(0)
    network = UNetDiscriminator(4).double()
    image = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    _settled(network, image)
    state = network.state_dict()

    def conv(name, x, *, stride=1, normalised=True):
        if not normalised:
            return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
        weight = state[f"{name}.parametrizations.weight.original"]
        largest = np.linalg.svd(weight.flatten(1).numpy(), compute_uv=False)[0]
        return F.conv2d(x, weight / largest, stride=stride, padding=1)

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    def doubled(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    x0 = leaky(conv("first", image, normalised=False))
    x1 = leaky(conv("down.0", x0, stride=2))
    x2 = leaky(conv("down.1", x1, stride=2))
    x3 = leaky(conv("down.2", x2, stride=2))
    x4 = leaky(conv("up.0", doubled(x3))) + x2
    x5 = leaky(conv("up.1", doubled(x4))) + x1
    x6 = leaky(conv("up.2", doubled(x5))) + x0
    refined = leaky(conv("refine.2", leaky(conv("refine.0", x6))))
    wanted = conv("last", refined, normalised=False)
    torch.testing.assert_close(network(image), wanted, rtol=1e-5, atol=1e-7)


def test_the_unet_has_the_layers_of_the_published_one():
    # Kernel, in, out and stride of Real-ESRGAN's UNetDiscriminatorSN.
    layers = [
        (conv.kernel_size[0], conv.in_channels, conv.out_channels, conv.stride[0])
        for conv in _convolutions(UNetDiscriminator())
    ]
    assert layers == [
        (3, 3, 64, 1),
        *((4, 64, 128, 2), (4, 128, 256, 2), (4, 256, 512, 2)),
        *((3, 512, 256, 1), (3, 256, 128, 1), (3, 128, 64, 1)),
        *((3, 64, 64, 1), (3, 64, 64, 1)),
        (3, 64, 1, 1),
    ]


@pytest.mark.parametrize("size", [(8, 8), (17, 31), (64, 40)])
@torch.inference_mode()
def test_the_unet_scores_each_pixel_of_images_of_any_size(size):
    scores = UNetDiscriminator(4)(torch.rand(2, 3, *size))
    assert scores.shape == (2, 1, *size)


@torch.inference_mode()
def test_the_unet_scores_an_image_whatever_the_others_of_its_batch():
    network = UNetDiscriminator(4).double().eval()
    images = torch.rand(3, 3, 24, 24, dtype=torch.float64)
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), alone)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_spectral_norms_are_taken_in_fp32_under_autocast(precision):
    torch.manual_seed(0)
    network = UNetDiscriminator(4)
    _settled(network, torch.rand(1, 3, 16, 16))
    conv = network.down[0]
    wanted = conv.weight
    with torch.autocast("cpu", precision):
        torch.testing.assert_close(conv.weight, wanted, rtol=1e-6, atol=0)
