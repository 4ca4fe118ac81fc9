"""Each fault is found on a good image that was given it, and not before."""

import io

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.fft import rfft2

from srgan_cli.data.doctor import _lack_of_detail, band_powers, examine, sample_blocks
from srgan_cli.data.similar import Look, near_duplicates, phash, similar_pairs
from tests.toolbox import synthetic_photograph

GOOD = Image.fromarray(synthetic_photograph(512, 384, seed=1))


def kinds(image):
    return [kind for kind, _ in examine(np.asarray(image)).findings]


def recompressed(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def alike(a, b):
    first, second = (Look.of(np.asarray(image)) for image in (a, b))
    return len(near_duplicates([first], [second])) == 1


@pytest.mark.parametrize("size", [(512, 384), (40, 30)])
def test_powers_are_those_of_a_fourier_transform(size):
    blocks = sample_blocks(synthetic_photograph(*size, seed=4))
    hann = np.hanning(64)
    centred = blocks - blocks.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    power = np.abs(rfft2(centred * hann * hann[:, None])) ** 2
    frequencies = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64))
    rings = [
        (0.03 * i <= frequencies + 1e-9) & (frequencies < 0.03 * (i + 1) - 1e-9) for i in range(16)
    ]
    means = np.stack([power[:, ring].mean(axis=1) for ring in rings], axis=1)
    busiest = np.argsort(means[:, 2:6].sum(axis=1))[-max(1, len(means) // 4) :]
    expected = np.log10(means[busiest].mean(axis=0) + 1e-3)
    assert np.abs(band_powers(blocks) - expected).max() < 1e-4


def test_hashes_are_those_of_imagehash():
    images = [synthetic_photograph(200, 150, seed=seed) for seed in range(20)]
    images += [np.full((64, 64, 3), 90, np.uint8), np.tile(np.arange(128, dtype=np.uint8), (90, 1))]
    for grey in (Image.fromarray(image).convert("L") for image in images):
        assert phash(grey) == str(imagehash.phash(grey, hash_size=16))


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_good_images_have_no_faults(seed):
    assert kinds(synthetic_photograph(512, 384, seed=seed)) == []


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_blur_is_found(sigma):
    assert kinds(GOOD.filter(ImageFilter.GaussianBlur(sigma))) in (["blurry"], ["upscaled"])


@pytest.mark.parametrize("kernel", ["BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("factor", [2, 3])
def test_upscaled_images_are_found(kernel, factor):
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
def test_what_people_make_of_an_image_is_a_near_duplicate(change):
    assert alike(GOOD, change(GOOD))


def test_different_images_are_no_near_duplicates():
    others = [synthetic_photograph(512, 384, seed=seed) for seed in range(2, 8)]
    assert not any(alike(GOOD, other) for other in others)


def test_close_hashes_of_images_that_look_different_are_no_near_duplicates():
    look = Look.of(np.asarray(GOOD))
    mirrored = Look.of(np.asarray(GOOD)[:, ::-1])
    assert len(near_duplicates([look], [Look(look.hash, mirrored.thumbnail)])) == 0


def test_bits_in_the_balance_do_not_hide_a_near_duplicate():
    look = Look.of(np.asarray(GOOD))
    for bits, found in ((70, True), (100, False)):
        turned = int(look.hash, 16) ^ ((1 << bits) - 1)
        other = Look(f"{turned:064x}", look.thumbnail)
        assert (len(near_duplicates([look], [other])) == 1) is found


def test_a_wall_is_like_the_same_wall_and_like_nothing_else():
    wall = Look.of(np.full((384, 512, 3), 90, np.uint8))
    other = Look(wall.hash, Look.of(np.asarray(GOOD)).thumbnail)
    assert len(near_duplicates([wall], [wall])) == 1
    assert len(near_duplicates([wall], [other])) == 0


def test_pairs_are_all_within_the_distance_and_none_is_missed():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, (300, 4), dtype=np.uint64)
    hashes[10:20] = hashes[280:290] ^ np.uint64(0b1011)
    bits = np.unpackbits(hashes.view(np.uint8), axis=1).astype(int)
    wanted = np.argwhere(np.abs(bits[:, None] - bits[None]).sum(axis=2) <= 12)
    assert np.array_equal(similar_pairs(hashes, hashes, 12), wanted)
    assert len(wanted) == 300 + 20


@pytest.mark.parametrize(
    ("powers", "reasons"),
    [
        (-0.32 * np.arange(16), ["2.72 decades less power above 0.24"]),  # An even fall.
        (-2.4 * (np.arange(16) > 7), ["falls by 2.40 decades"]),  # An early end.
        (
            -3.0 * (np.arange(16) > 7),
            ["3.00 decades less power above 0.24", "falls by 3.00 decades"],
        ),
        (-0.25 * np.arange(16), []),
    ],
    ids=["detail", "fall", "both", "neither"],
)
def test_a_lack_of_detail_is_explained_by_the_rules_that_fired(powers, reasons):
    found = [part for _, reason in _lack_of_detail(powers) for part in reason.split("; ")]
    assert len(found) == len(reasons)
    assert all(reason in part for reason, part in zip(reasons, found, strict=True))
