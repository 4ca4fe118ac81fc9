import threading
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.config import DenseConfig
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.inference.orientations import ORIENTATIONS
from srgan_cli.engine.inference.tiling import Tiling
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.models.weights import Model, ModelSource
from srgan_cli.engine.runtimes.backends import TorchRuntime
from srgan_cli.errors import ResourceError
from srgan_cli.imaging.tensors import from_image, to_pixels
from srgan_cli.observer import SilentBar
from srgan_cli.processes import Node
from tests.toolbox import random_generator, synthetic_photograph

SMALL = DenseConfig(2, 8, 8, 2, 1, 3, 1.0, "pixelshuffle")
FOLDING = DenseConfig(2, 8, 8, 1, 1, 2, 0.2, "nearest")


def a_generator(config=SMALL):
    return random_generator(config).eval().requires_grad_(False)


def make_upscaler(generator, precision="fp32", **options):
    model = Model(ModelSource("random", None, ""), generator, {})
    return Upscaler(model, Amp.create(torch.device("cpu"), precision), **options)


def upscaled(upscaler, image):
    return upscaler.upscale(image, SilentBar()).astype(int)


@pytest.mark.parametrize("config", [SMALL, FOLDING], ids=["pixelshuffle", "folding"])
@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("can't allocate memory")]
)
def test_tile_that_does_not_fit_into_memory_is_halved_until_it_does(config, error, monkeypatch):
    generator = a_generator(config)
    image = synthetic_photograph(150, 90)
    whole = to_pixels(generator(from_image(image))).astype(int)
    run, sides = TorchRuntime.run, []

    def tight(self, lr, *, exact):
        sides.append(max(lr.shape[2:]))
        if lr.shape[2] * lr.shape[3] > 60**2:
            raise error
        return run(self, lr, exact=exact)

    monkeypatch.setattr(TorchRuntime, "run", tight)
    upscaler = make_upscaler(generator, tile=200)
    assert np.abs(upscaled(upscaler, image) - whole).max() <= 1
    assert sides[0] > 60
    # What has been learned holds for the next image.
    assert upscaler.tile <= max(sides)
    sides.clear()
    upscaled(upscaler, image)
    assert max(sides) <= 60


def test_memory_that_does_not_suffice_for_the_smallest_tile_is_named(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(TorchRuntime, "run", full)
    with pytest.raises(ResourceError, match="out of memory for a tile"):
        upscaled(make_upscaler(a_generator()), synthetic_photograph(150, 90))


def test_other_failures_of_the_network_are_not_taken_for_lack_of_memory(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(TorchRuntime, "run", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        upscaled(make_upscaler(a_generator()), synthetic_photograph(20, 20))


def test_half_precision_tile_that_overflows_is_redone_in_fp32():
    generator = a_generator()
    with torch.no_grad():  # Features beyond the 65,504 of fp16 that the next layer undoes.
        generator.conv_body.weight *= 1e6
        generator.conv_body.bias *= 1e6
        generator.conv_first.weight *= 1e6
        generator.conv_last.weight *= 1e-7
    image = synthetic_photograph(40, 30)
    with torch.autocast("cpu", torch.float16):
        assert not torch.isfinite(generator(from_image(image))).all()
    np.testing.assert_array_equal(
        upscaled(make_upscaler(generator, "fp16"), image), upscaled(make_upscaler(generator), image)
    )


def test_tta_is_the_mean_over_all_eight_orientations():
    generator = a_generator()
    image = synthetic_photograph(30, 22)
    results = []
    for quarters, mirrored in product(range(4), (False, True)):
        turned = np.rot90(image, quarters)
        turned = turned[:, ::-1] if mirrored else turned
        sr = generator(from_image(np.ascontiguousarray(turned)))[0].permute(1, 2, 0).numpy()
        results.append(np.rot90(sr[:, ::-1] if mirrored else sr, -quarters))
    expected = np.round(np.clip(np.mean(results, axis=0), 0, 1) * 255)
    assert np.abs(upscaled(make_upscaler(generator, tta=True), image) - expected).max() <= 1
    assert np.abs(upscaled(make_upscaler(generator), image) - expected).max() > 1


@pytest.mark.parametrize("config", [SMALL, FOLDING], ids=["pixelshuffle", "folding"])
def test_tta_of_a_turned_image_is_the_turned_result_and_tiles_leave_no_seams(config):
    generator = a_generator(config)
    image = synthetic_photograph(64, 48)
    whole = upscaled(make_upscaler(generator, tile=64, tta=True), image)
    tiled = upscaled(make_upscaler(generator, tile=16, tta=True), image)
    turned = upscaled(
        make_upscaler(generator, tile=64, tta=True), np.ascontiguousarray(image.transpose(1, 0, 2))
    )
    assert np.abs(tiled - whole).max() <= 1
    assert np.abs(turned.transpose(1, 0, 2) - whole).max() <= 1


def test_tta_folds_an_image_at_the_same_pixels_in_all_orientations():
    generator = a_generator(FOLDING)
    image = synthetic_photograph(31, 21)

    def mean_of(lr):
        turned = [orientation.applied(lr) for orientation in ORIENTATIONS]
        results = [
            orientation.undone(generator(batch))
            for orientation, batch in zip(ORIENTATIONS, turned, strict=True)
        ]
        return to_pixels(torch.stack(results).mean(0)[..., :42, :62]).astype(int)

    lr = from_image(image)
    expected = mean_of(torch.nn.functional.pad(lr, (0, 1, 0, 1), mode="replicate"))
    assert np.abs(mean_of(lr) - expected).max() > 1
    assert np.abs(upscaled(make_upscaler(generator, tta=True), image) - expected).max() <= 1


@settings(max_examples=200)
@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    overlap=st.integers(0, 32).map(lambda n: 4 * n),
    inner=st.integers(4, 128).map(lambda n: 4 * n),
    align=st.sampled_from([1, 2, 4]),
    num_parallel=st.integers(1, 16),
    threaded=st.booleans(),
)
def test_grid_covers_the_image_once_with_tiles_of_about_one_size(
    width, height, overlap, inner, align, num_parallel, threaded
):
    tiling = Tiling(overlap, align, inner + overlap, num_parallel, num_parallel, threaded)
    for spans, side in zip(tiling.grid(width, height, tiling.tile), (height, width), strict=True):
        assert sum(span.kept for span in spans) == side
        lengths = [span.stop - span.start for span in spans]
        assert max(lengths) <= tiling.tile
        assert max(lengths) - min(lengths) < max(align, 2)
    rows, columns = tiling.grid(width, height, tiling.tile)
    if min(width, height) >= max(128, 16 * overlap) * num_parallel:
        assert len(rows) * len(columns) >= num_parallel
    if num_parallel == 1:
        ideal = [-(-max(side - overlap, 1) // inner) for side in (height, width)]
        assert [len(rows), len(columns)] <= ideal


@pytest.mark.parametrize(
    ("overlap", "large"), [(0, 128), (8, 128), (12, 192), (20, 320), (24, 384)]
)
def test_image_is_not_cut_for_the_cores_where_the_overlap_costs_more(overlap, large):
    tiling = Tiling(overlap, 1, 512 + overlap, 2, 2)
    small = large - 1
    assert [len(spans) for spans in tiling.grid(small, small, tiling.tile)] == [1, 1]
    assert [len(spans) for spans in tiling.grid(large, small, tiling.tile)] == [1, 2]


@pytest.mark.parametrize(
    ("num_tiles", "longest", "cores"), [(1, 256, 16), (3, 256, 5), (100, 2000, 4), (1, 127, 4)]
)
def test_pytorch_gives_few_tiles_more_cores_unless_they_are_small(num_tiles, longest, cores):
    tiling = Tiling(128, 1, 512, num_parallel=4, num_cores=16)
    assert tiling.cores_for_each(longest, num_tiles) == cores
    assert replace(tiling, threaded=True).cores_for_each(longest, num_tiles) is None


def test_stopped_upscaler_begins_no_tile_and_frees_its_cores():
    upscaler = make_upscaler(a_generator(), tile=50)
    image = synthetic_photograph(200, 200)
    bands = upscaler.bands(image, SilentBar())
    next(bands)
    upscaler.stopped.set()
    with pytest.raises(CancelledError):
        list(bands)
    upscaler.stopped.clear()
    assert upscaled(upscaler, image).shape == (400, 400, 3)


def test_tile_of_a_small_image_runs_on_all_cores_and_those_of_a_large_one_on_their_part(
    monkeypatch,
):
    monkeypatch.setattr(Node, "num_threads", 4)
    monkeypatch.setattr(TorchRuntime, "threaded", True)
    run, threads = TorchRuntime.run, []

    def noting(self, lr, *, exact):
        threads.append(torch.get_num_threads())
        return run(self, lr, exact=exact)

    upscaler = make_upscaler(a_generator(), tile=100)
    monkeypatch.setattr(TorchRuntime, "run", noting)
    upscaled(upscaler, synthetic_photograph(60, 50))
    assert threads == [4]
    threads.clear()
    list(upscaler.bands(synthetic_photograph(400, 400), SilentBar()))
    assert threads.count(1) >= 12
    threads.clear()
    bands = upscaler.bands(synthetic_photograph(400, 400), SilentBar())
    next(bands)
    bands.close()  # Tiles that nobody wants any more take no cores, once those begun are done.
    everybody = threading.Barrier(4)
    list(upscaler._pool.map(lambda _: everybody.wait(), range(4)))
    threads.clear()
    upscaled(upscaler, synthetic_photograph(60, 50))
    assert threads == [4]
