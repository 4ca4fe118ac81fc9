from dataclasses import replace

import numpy as np
import pytest
import torch

from srgan_cli.data.manifest import MANIFEST
from srgan_cli.data.store import Store
from srgan_cli.engine.training.patches import PatchSampler, _turn
from srgan_cli.engine.training.resident import ResidentPatches
from srgan_cli.errors import InputError
from srgan_cli.imaging.resize import downscale
from tests.toolbox import SCALE, equal, sampler_of, shard_name, synthetic_photograph, write_set


@pytest.fixture
def photographs(tmp_path):
    images = [synthetic_photograph(96 + 8 * i, 80, seed=i) for i in range(5)]
    return write_set(tmp_path / "photographs", images)


@pytest.fixture
def plain(tmp_path):
    """Seven images, each of one level that tells which it is."""
    images = [np.full((40, 40, 3), 10 * i, np.uint8) for i in range(7)]
    return write_set(tmp_path / "plain", images)


def test_batches_have_the_shapes_and_types_of_training_pairs(photographs):
    batch = sampler_of(photographs).batch(3)
    assert batch.lr.shape == (4, 16, 16, 3)
    assert batch.hr.shape == (4, 32, 32, 3)
    assert batch.lr.dtype == batch.hr.dtype == torch.uint8


def test_a_batch_follows_from_seed_and_step_alone(photographs):
    first, second = sampler_of(photographs), sampler_of(photographs)
    steps = [0, 1, 7, 100]
    wanted = [first.batch(step) for step in steps]
    # Another sampler, another order of asking.
    for step, batch in reversed(list(zip(steps, wanted, strict=True))):
        assert equal(second.batch(step), batch)


def test_steps_and_seeds_differ(photographs):
    sampler = sampler_of(photographs)
    assert not equal(sampler.batch(0), sampler.batch(1))
    assert not equal(sampler.batch(0), sampler_of(photographs, seed=1).batch(0))


@pytest.mark.parametrize("batch", [1, 3, 4, 10])
def test_every_photograph_comes_once_per_epoch(plain, batch):
    sampler = sampler_of(plain, batch=batch)
    assert len(sampler) == 7
    steps = sampler.steps(4)
    assert steps == -(-4 * 7 // batch)
    levels = torch.cat([sampler.batch(step).lr[:, 0, 0, 0] for step in range(steps)]).tolist()
    epochs = [levels[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(epoch) == [10 * i for i in range(7)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1  # Each in an order of its own.


def test_lr_patches_are_the_reduction_of_their_hr_patches(photographs):
    sampler = sampler_of(photographs, batch=16)
    for step in range(4):
        batch = sampler.batch(step)
        for lr, hr in zip(batch.lr.numpy(), batch.hr.numpy(), strict=True):
            inner = (slice(3, -3), slice(3, -3))
            distance = np.abs(downscale(hr, SCALE)[inner].astype(int) - lr[inner])
            # Rounding between passes depends on which comes first, so on the turn.
            assert distance.max() <= 2
            assert np.mean(distance == 0) > 0.5


def test_all_eight_turns_occur_and_both_images_turn_alike(tmp_path):
    hr = synthetic_photograph(32, 32)
    sampler = sampler_of(write_set(tmp_path / "one", [hr]), batch=100)
    lr = downscale(hr, SCALE)

    def turns(image):
        flipped = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
        return [*flipped, *(one.swapaxes(0, 1) for one in flipped)]

    def which(image, patch):
        return [np.array_equal(turned, patch) for turned in turns(image)].index(True)

    batch = sampler.batch(0)
    seen = [
        (which(lr, one), which(hr, other))
        for one, other in zip(batch.lr.numpy(), batch.hr.numpy(), strict=True)
    ]
    assert all(of_lr == of_hr for of_lr, of_hr in seen)
    assert {turn for turn, _ in seen} == set(range(8))


def test_the_eight_turns_are_the_symmetries_of_the_square():
    image = torch.arange(27, dtype=torch.uint8).view(3, 3, 3)
    turned = set()
    for turn in range(8):
        result = np.empty((3, 3, 3), np.uint8)
        _turn(image, turn, result)
        turned.add(tuple(result.ravel().tolist()))
    rotations = [torch.rot90(one, k) for one in (image, image.flip(0)) for k in range(4)]
    assert turned == {tuple(one.flatten().tolist()) for one in rotations}


def test_patches_come_from_everywhere_including_the_edges(tmp_path):
    rows = np.arange(40, dtype=np.uint8)
    hr = np.zeros((40, 40, 3), np.uint8)
    hr[..., 0], hr[..., 1] = rows[:, None], rows
    sampler = sampler_of(write_set(tmp_path / "one", [hr]), batch=500)
    patches = sampler.batch(0).hr
    starts = patches[..., :2].amin(dim=(1, 2))
    assert {(int(a), int(b)) for a, b in starts} == {
        (a, b) for a in range(0, 9, 2) for b in range(0, 9, 2)
    }


def test_images_of_the_other_split_are_left_out(tmp_path):
    images = [np.full((40, 40, 3), 10 * i, np.uint8) for i in range(4)]
    store = write_set(tmp_path / "s", images, lambda i: "validation" if i == 2 else "train")
    levels = sampler_of(store, batch=30).batch(0).lr[:, 0, 0, 0]
    assert set(levels.tolist()) == {0, 10, 30}
    assert [entry.index for entry in store.entries("validation")] == [2]


def test_an_image_smaller_than_a_patch_is_refused_by_name(plain):
    sampler_of(plain, patch=20)
    with pytest.raises(InputError) as caught:
        sampler_of(plain, patch=21)
    assert "0.png: its LR image of 20x20 pixels" in caught.value.message
    assert "--patch 20" in caught.value.hint


def test_a_store_gives_the_pixels_that_were_written(photographs):
    for entry in photographs.entries("train"):
        lr, hr = photographs.pair(entry)
        wanted = synthetic_photograph(entry.width, entry.height, seed=entry.index)
        assert np.array_equal(hr.numpy(), wanted)
        assert np.array_equal(lr.numpy(), downscale(wanted, SCALE))


@pytest.mark.parametrize("damage", ["missing", "truncated", "text"])
def test_a_damaged_shard_is_refused_by_name(photographs, damage):
    path = photographs.folder / shard_name(1)
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:1000] if damage == "truncated" else b"not a shard")
    with pytest.raises(InputError) as caught:
        Store(photographs.folder)
    assert str(path) in caught.value.message
    assert "prepare" in caught.value.hint


def test_a_set_whose_images_are_not_in_its_shards_is_refused(photographs):
    manifest = photographs.manifest
    strangers = tuple(replace(entry, index=entry.index + 50) for entry in manifest.images)
    text = replace(manifest, images=strangers).to_json()
    (photographs.folder / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="shard"):
        Store(photographs.folder)


@pytest.mark.parametrize("degrade", ["none", "mild"])
def test_shares_of_a_batch_make_up_the_batch(photographs, degrade):
    whole = sampler_of(photographs, degrade=degrade).batch(3)
    halves = [
        sampler_of(photographs, degrade=degrade, share=share).batch(3)
        for share in (slice(0, 2), slice(2, 4))
    ]
    assert torch.equal(torch.cat([half.lr for half in halves]), whole.lr)
    assert torch.equal(torch.cat([half.hr for half in halves]), whole.hr)


@pytest.fixture
def half_flat(tmp_path):
    """One image: grey on the left, stripes on the right."""
    picture = np.full((64, 256, 3), 100, np.uint8)
    picture[:, 128:] += 40 * (np.arange(128) // 4 % 2).astype(np.uint8)[:, None]
    return write_set(tmp_path / "half", [picture])


def _share_of_stripes(sampler, num_batches=50):
    patches = torch.cat([sampler.batch(step).hr for step in range(num_batches)])
    return float((patches.float().std(dim=(1, 2, 3)) > 5).float().mean())


def test_places_with_more_detail_are_more_likely(half_flat):
    shares = [_share_of_stripes(sampler_of(half_flat, batch=8, detail=k)) for k in (1, 2, 8)]
    # About half of all places touch the stripes: a choice of two misses them at a quarter.
    assert 0.4 < shares[0] < 0.6
    assert 0.65 < shares[1] < 0.82
    assert shares[2] > 0.95


def test_flat_images_are_still_drawn_from_all_over(plain):
    sampler = sampler_of(plain, detail=4)
    assert {int(p[0, 0, 0]) for s in range(2) for p in sampler.batch(s).hr} > {0, 10}


def test_a_choice_by_detail_follows_from_seed_and_step_and_can_be_shared(photographs):
    whole = sampler_of(photographs, detail=3).batch(5)
    assert equal(sampler_of(photographs, detail=3).batch(5), whole)
    assert not equal(sampler_of(photographs, detail=3, seed=1).batch(5), whole)
    halves = [
        sampler_of(photographs, detail=3, share=half).batch(5) for half in (slice(2), slice(2, 4))
    ]
    assert torch.equal(torch.cat([half.lr for half in halves]), whole.lr)


def test_no_choice_leaves_the_data_as_it_was(photographs):
    assert equal(sampler_of(photographs, detail=1).batch(2), sampler_of(photographs).batch(2))


def test_patches_cut_on_the_device_are_those_of_the_sampler(photographs):
    sampler = PatchSampler(photographs, "train", patch=16, batch=32, seed=3)
    resident = ResidentPatches(sampler, torch.device("cpu"))
    turns = {place.turn for step in range(4) for place in sampler.places(step)}
    assert turns == set(range(8))
    for step in (3, 0, 1, 2):
        wanted, found = sampler.batch(step), resident.batch(step)
        assert torch.equal(found.lr, wanted.lr)
        assert torch.equal(found.hr, wanted.hr)


def test_the_memory_of_resident_photographs_is_that_of_their_pixels(photographs):
    sampler = PatchSampler(photographs, "train", patch=16, batch=1, seed=0)
    wanted = sum(side.numel() for pair in sampler.pairs for side in pair)
    assert ResidentPatches.num_bytes(sampler) == wanted


def test_a_share_of_the_patches_stays_clean(photographs):
    options = {"patch": 16, "batch": 200, "seed": 4}
    clean = PatchSampler(photographs, "train", **options).batch(0)
    sampler = PatchSampler(photographs, "train", **options, degrade="mild", degrade_share=0.3)
    mixed = sampler.batch(0)
    assert torch.equal(mixed.hr, clean.hr)
    untouched = [torch.equal(a, b) for a, b in zip(mixed.lr, clean.lr, strict=True)]
    assert 0.6 < sum(untouched) / len(untouched) < 0.8
    assert mixed.judged is None


def test_only_clean_patches_are_judged_if_so_asked(photographs):
    options = {"patch": 16, "batch": 20, "seed": 4, "degrade": "mild", "degrade_share": 0.3}
    plain = PatchSampler(photographs, "train", patch=16, batch=20, seed=4).batch(0)
    whole = PatchSampler(photographs, "train", **options, judge="clean").batch(0)
    assert torch.equal(whole.lr, PatchSampler(photographs, "train", **options).batch(0).lr)
    untouched = [torch.equal(a, b) for a, b in zip(whole.lr, plain.lr, strict=True)]
    assert (whole.judged > 0).tolist() == untouched
    assert whole.judged.mean() == pytest.approx(1)
    assert len(set(whole.judged)) == 2
    for share in (slice(0, 10), slice(10, 20)):
        own = PatchSampler(photographs, "train", **options, judge="clean", share=share).batch(0)
        assert (own.judged == whole.judged[share]).all()
        assert torch.equal(own.lr, whole.lr[share])
