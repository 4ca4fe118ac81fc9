"""The gradient penalty against closed forms and against float64, in every precision."""

import copy

import pytest
import torch
from torch import nn

from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.losses.adversarial import gradient_penalty
from srgan_cli.engine.networks.discriminators import Discriminator
from tests.trainer_steps import given_kinks, noted_kinks

CPU = torch.device("cpu")

# Relative errors: of the penalty and, in the norm, of its gradient.
LINEAR = {"fp32": (1e-5, 1e-5), "bf16": (5e-3, 1e-2), "fp16": (1e-3, 2e-3)}
NONLINEAR = {"fp32": (1e-4, 1e-5), "bf16": (2e-2, 2e-2), "fp16": (4e-3, 3e-3)}


class LinearCritic(nn.Module):
    """Scores an image by the sum of its pixels, each times a weight."""

    def __init__(self, side: int, norm: float) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * side * side, 1)
        weight = torch.randn_like(self.linear.weight)
        self.linear.weight = nn.Parameter(norm * weight / weight.norm())

    def forward(self, image):
        return self.linear(image.flatten(1)).squeeze(1)


class Recorder(nn.Module):
    """Remembers the images that it is given."""

    def forward(self, image):
        self.seen = image.detach().clone()
        return image.square().flatten(1).sum(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _penalty_and_gradients(discriminator, amp, hr, sr, mix):
    """Return the penalty and, by the way a trainer takes it, its gradients by parameter."""
    discriminator.zero_grad(set_to_none=True)
    penalty = gradient_penalty(discriminator, hr, sr, amp, mix=mix)
    scaler = amp.scaler()
    scaler.scale(penalty).backward()
    scale = scaler.get_scale()
    grads = [
        torch.zeros_like(p) if p.grad is None else p.grad / scale
        for p in discriminator.parameters()
    ]
    return penalty.detach(), grads


def _relative_error(values, wanted):
    flat, flat_wanted = (torch.cat([v.double().flatten() for v in vs]) for vs in (values, wanted))
    return ((flat - flat_wanted).norm() / flat_wanted.norm()).item()


@pytest.mark.parametrize("norm", [0.25, 3.0])
@pytest.mark.parametrize("precision", LINEAR)
def test_penalty_of_a_linear_discriminator_is_the_closed_form(precision, norm):
    amp = Amp.create(CPU, precision)
    assert amp.scaler().get_scale() == (65536 if precision == "fp16" else 1)
    discriminator = LinearCritic(16, norm)
    hr, sr = torch.rand(2, 4, 3, 16, 16)

    penalty, (by_weight, by_bias) = _penalty_and_gradients(
        discriminator, amp, hr, sr, torch.rand(4)
    )

    value, gradient = LINEAR[precision]
    weight = discriminator.linear.weight.detach()
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx((norm - 1) ** 2, rel=value)
    assert _relative_error([by_weight], [2 * (norm - 1) * weight / norm]) < gradient
    assert by_bias.abs().max() == 0


def test_a_discriminator_of_slope_one_has_no_penalty():
    penalty, (by_weight, _) = _penalty_and_gradients(
        LinearCritic(16, 1.0), Amp.create(CPU, "fp32"), *torch.rand(2, 2, 3, 16, 16), torch.rand(2)
    )
    assert penalty < 1e-10
    assert by_weight.norm() < 1e-5


def test_tiny_gradients_of_pooled_scores_are_not_flushed_by_fp16():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 1)

        def forward(self, image):
            return self.conv(image).mean(dim=(1, 2, 3))

    discriminator = Pooled()
    hr, sr = torch.rand(2, 1, 3, 900, 900)
    penalty = gradient_penalty(discriminator, hr, sr, Amp.create(CPU, "fp16"), mix=torch.rand(1))
    # Every entry is w / 810,000, below what fp16 can tell from zero with any accuracy.
    norm = 1 - penalty.item() ** 0.5
    assert norm == pytest.approx(discriminator.conv.weight.norm().item() / 900, rel=5e-3)


def _float64_penalty(discriminator, hr, sr, mix):
    """Compute the penalty with nothing but float64 autograd, one image at a time."""
    norms = []
    for real, fake, share in zip(hr.double(), sr.double(), mix.double(), strict=True):
        between = (share * real + (1 - share) * fake)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        norms.append(gradient.square().sum().sqrt())
    return (torch.stack(norms) - 1).square().mean()


@pytest.mark.parametrize("precision", NONLINEAR)
def test_penalty_of_the_discriminator_equals_float64_on_the_same_side_of_its_kinks(precision):
    discriminator = Discriminator(8)
    hr, sr = torch.rand(2, 4, 3, 32, 32)
    mix = torch.rand(4)
    with noted_kinks() as sides:
        penalty, grads = _penalty_and_gradients(
            discriminator, Amp.create(CPU, precision), hr, sr, mix
        )

    reference = copy.deepcopy(discriminator).double()
    # Rounding moves a few activations over their kink, which is no error; see the trainer's test.
    with given_kinks(side[i : i + 1] for i in range(len(hr)) for side in sides):
        wanted = _float64_penalty(reference, hr, sr, mix)
    wanted_grads = torch.autograd.grad(wanted, reference.parameters(), materialize_grads=True)

    value, gradient = NONLINEAR[precision]
    assert penalty.item() == pytest.approx(wanted.item(), rel=value)
    assert _relative_error(grads, wanted_grads) < gradient


def test_its_double_backward_leaves_out_the_forward_pass():
    # Biases can be reached in no other way. PyTorch's own leaky ReLU would send zeros there.
    discriminator = Discriminator(8)
    penalty = gradient_penalty(
        discriminator, *torch.rand(2, 2, 3, 16, 16), Amp.create(CPU, "fp32"), mix=torch.rand(2)
    )
    penalty.backward()
    reached = {name for name, p in discriminator.named_parameters() if p.grad is not None}
    assert reached == {n for n, _ in discriminator.named_parameters() if n.endswith("weight")}


def test_its_gradient_equals_finite_differences():
    class Smooth(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3 * 4 * 4, 5, dtype=torch.float64))

        def forward(self, image):
            return torch.tanh(image.double().flatten(1) @ self.weight / 4).sum(1)

    discriminator, amp = Smooth(), Amp.create(CPU, "fp32")
    hr, sr = torch.rand(2, 3, 3, 4, 4, dtype=torch.float64)
    mix = torch.rand(3, dtype=torch.float64)
    _, (grad,) = _penalty_and_gradients(discriminator, amp, hr, sr, mix)
    for place in [(0, 0), (17, 3), (47, 4)]:
        sides = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                discriminator.weight[place] += step
            # Mixed images are fp32; a step this long stands above their rounding.
            sides.append(gradient_penalty(discriminator, hr, sr, amp, mix=mix).item())
            with torch.no_grad():
                discriminator.weight[place] -= step
        slope = (sides[0] - sides[1]) / 2e-2
        assert grad[place].item() == pytest.approx(slope, rel=5e-3, abs=2e-4)


def test_the_mixed_image_runs_from_generated_to_real():
    discriminator, amp = Recorder(), Amp.create(CPU, "fp32")
    hr, sr = torch.rand(2, 3, 3, 4, 4)
    gradient_penalty(discriminator, hr, sr, amp, mix=torch.tensor([0.0, 1.0, 0.25]))
    assert torch.equal(discriminator.seen[0], sr[0])
    assert torch.equal(discriminator.seen[1], hr[1])
    torch.testing.assert_close(discriminator.seen[2], 0.25 * hr[2] + 0.75 * sr[2])


def test_each_image_is_mixed_and_measured_by_itself():
    # The gradient of the sum of squares is twice the image, so each norm is known.
    amp = Amp.create(CPU, "fp32")
    hr = torch.rand(3, 3, 4, 4)
    penalty = gradient_penalty(Recorder(), hr, hr, amp, mix=torch.rand(3))
    norms = 2 * hr.flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx((norms - 1).square().mean().item(), rel=1e-5)
