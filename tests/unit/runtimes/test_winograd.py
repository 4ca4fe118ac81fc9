import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.engine.runtimes.winograd import Convolution, Frame, _transforms


def features(channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator)


def kernel(outputs, inputs):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
    return weight / (9 * inputs) ** 0.5, torch.randn(outputs, generator=generator)


def convolved(batches, weight, bias, activation=None):
    convolution = Convolution(weight, bias, [batch.shape[1] for batch in batches], activation)
    frames = [Frame.around(batch) for batch in batches]
    height, width = batches[0].shape[2:]
    # What was in the memory before must not show.
    rows = torch.full(Frame.shape(height, width, weight.shape[0]), torch.nan)
    result = Frame(rows, height, width)
    convolution.run(frames, result)
    return result


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.one_of(st.integers(1, 40), st.sampled_from([509, 510, 511, 700])),
    channels=st.lists(st.sampled_from([1, 3, 15, 16, 20]), min_size=1, max_size=3),
    outputs=st.sampled_from([1, 3, 16, 33]),
    biased=st.booleans(),
)
def test_convolution_gives_what_pytorch_gives(height, width, channels, outputs, biased):
    weight, bias = kernel(outputs, sum(channels))
    bias = bias if biased else None
    batches = [features(count, height, width, seed) for seed, count in enumerate(channels)]
    exact = F.conv2d(torch.cat(batches, 1).double(), weight.double(), padding=1)
    exact = exact + (0 if bias is None else bias.double()[:, None, None])
    made = convolved(batches, weight, bias).inner()
    assert made.shape == exact.shape
    assert float((made - exact).abs().max()) < 2e-5


def test_activation_is_applied_to_every_pixel_once():
    weight, bias = kernel(8, 8)
    batch = features(8, 14, 9)
    made = convolved([batch], weight, bias, lambda x: F.leaky_relu_(x, 0.2)).inner()
    expected = F.leaky_relu(F.conv2d(batch, weight, bias, padding=1), 0.2)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (6, 5), (7, 5), (13, 40)], ids=str)
def test_result_has_a_border_of_zeros_for_the_next_convolution(size):
    result = convolved([features(4, *size)], *kernel(4, 4))
    result.inner().zero_()
    assert not result.rows.any()
    assert (result.rows.shape[0] - 2) % 6 == 0


def test_frame_holds_what_it_was_made_from():
    batch = features(5, 8, 3)
    frame = Frame.around(batch)
    assert torch.equal(frame.inner(), batch)
    assert torch.equal(frame.rows[:10].permute(2, 0, 1)[None], F.pad(batch, (1, 1, 1, 1)))


def test_numbers_that_are_made_in_inference_mode_serve_outside_of_it():
    _transforms.cache_clear()
    weight, bias = kernel(4, 4)
    batch = features(4, 8, 8)
    with torch.inference_mode():
        convolved([batch], weight, bias)
    trained = weight.clone().requires_grad_()
    made = convolved([batch], trained, bias.clone().requires_grad_()).inner()
    torch.testing.assert_close(made, F.conv2d(batch, weight, bias, padding=1), atol=1e-5, rtol=0)
