"""Each fault is found on a good picture that was given it, and not before."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from srgan_cli.data.doctor import examine, perceptual_hash
from srgan_cli.data.similar import NEAR, packed, similar_pairs
from tests.conftest import synthetic_photograph

GOOD = Image.fromarray(synthetic_photograph(512, 384, seed=1))


def kinds(image):
    return [kind for kind, _ in examine(np.asarray(image)).findings]


def recompressed(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def distance(a, b):
    first, second = (
        packed([perceptual_hash(np.asarray(a))]),
        packed([perceptual_hash(np.asarray(b))]),
    )
    return next(d for d in range(257) if len(similar_pairs(first, second, d)))


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_good_pictures_have_no_faults(seed):
    assert kinds(synthetic_photograph(512, 384, seed=seed)) == []


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_blur_is_found(sigma):
    assert kinds(GOOD.filter(ImageFilter.GaussianBlur(sigma))) in (["blurry"], ["upscaled"])


@pytest.mark.parametrize("kernel", ["BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("factor", [2, 3])
def test_enlargements_are_found(kernel, factor):
    small = GOOD.resize((512 // factor, 384 // factor), Image.Resampling.LANCZOS)
    large = small.resize((512, 384), Image.Resampling[kernel])
    assert kinds(large)[0] in {"upscaled", "blurry"}


def test_blocks_are_found_wherever_the_grid_lies():
    blocky = recompressed(GOOD, 8)
    assert kinds(blocky) == ["blocky"]
    assert kinds(blocky.crop((3, 5, 512, 384))) == ["blocky"]


@pytest.mark.parametrize("size", [(512, 384), (40, 30), (1000, 17)])
def test_a_wall_is_flat_at_any_size(size):
    assert kinds(Image.new("RGB", size, (90, 80, 70)))[0] == "flat"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: recompressed(image, 60),
        lambda image: image.resize((410, 307), Image.Resampling.LANCZOS),
        lambda image: image.point(lambda v: min(255, int(v * 1.1))),
        lambda image: image.crop((4, 4, 508, 380)),
    ],
    ids=["recompressed", "reduced", "brighter", "trimmed"],
)
def test_what_people_make_of_a_picture_is_a_near_duplicate(change):
    assert distance(GOOD, change(GOOD)) <= NEAR


def test_different_pictures_are_far_apart():
    others = [synthetic_photograph(512, 384, seed=seed) for seed in range(2, 8)]
    assert min(distance(GOOD, other) for other in others) > 2 * NEAR


def test_pairs_are_all_within_the_distance_and_none_is_missed():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, (300, 4), dtype=np.uint64)
    hashes[10:20] = hashes[280:290] ^ np.uint64(0b1011)
    bits = np.unpackbits(hashes.view(np.uint8), axis=1).astype(int)
    wanted = np.argwhere(np.abs(bits[:, None] - bits[None]).sum(axis=2) <= 12)
    assert np.array_equal(similar_pairs(hashes, hashes, 12), wanted)
    assert len(wanted) == 300 + 20
