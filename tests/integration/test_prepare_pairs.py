"""Pairs of HR and LR images that other tools made."""

import shutil

import numpy as np
import pytest
from PIL import Image

from srgan_cli.config import PrepareConfig
from srgan_cli.data.prepare import prepare
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError, UsageError
from srgan_cli.imaging.resize import downscale, mod_crop
from srgan_cli.observer import SilentObserver
from tests.toolbox import Recorder

WATCH = SilentObserver()


@pytest.fixture
def pairs(home, tmp_path, make_photographs):
    assert not home.exists()
    folder = tmp_path / "pairs"
    (folder / "lr").mkdir(parents=True)
    for path in make_photographs(folder / "hr", count=3, size=(180, 160)):
        hr = mod_crop(np.asarray(Image.open(path)), 2)
        lr = np.minimum(downscale(hr, 2), 250)  # Not what the program would make.
        Image.fromarray(lr).save(folder / "lr" / f"{path.stem}x2.png")
    return folder


def test_pairs_of_other_tools_are_taken_as_they_are(pairs):
    store = Store(prepare(PrepareConfig(pairs), WATCH).folder)
    assert len(store.manifest.images) == 3
    for entry in store.manifest.images:
        name = entry.source.removeprefix("hr/").rsplit(".", 1)[0]
        lr = np.asarray(Image.open(pairs / "lr" / f"{name}x2.png"))
        assert np.array_equal(store.pair(entry)[0].numpy(), lr)


@pytest.mark.parametrize(
    ("hr", "lr", "suffix"),
    [
        *(("HR", "LR", suffix) for suffix in ("", "x2", "_bicLRx2", "_LR")),
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X2", "x2"),
        ("hr", "LR_x2", ""),
    ],
)
def test_pairs_are_recognised_by_the_names_of_their_folders(pairs, hr, lr, suffix):
    (pairs / "hr").rename(pairs / hr)
    (pairs / "lr").rename(pairs / "made")
    (pairs / lr).mkdir(parents=True)
    for path in (pairs / "made").iterdir():
        path.rename(pairs / lr / path.name.replace("x2.png", f"{suffix}.png"))
    watch = Recorder()
    store = Store(prepare(PrepareConfig(pairs), watch).folder)
    assert watch.said[0] == f"pairs: 3 in {pairs / hr} with {pairs / lr}"
    for entry in store.manifest.images:
        name = entry.source.removeprefix(f"{hr}/").rsplit(".", 1)[0]
        made = np.asarray(Image.open(pairs / lr / f"{name}{suffix}.png"))
        assert np.array_equal(store.pair(entry)[0].numpy(), made)


def test_an_hr_and_an_lr_folder_can_be_named_themselves(pairs):
    config = PrepareConfig((pairs / "hr", pairs / "lr"), name="both")
    both, one = (
        Store(prepare(config, WATCH).folder),
        Store(prepare(PrepareConfig(pairs), WATCH).folder),
    )
    for entry in both.manifest.images:
        (same,) = (e for e in one.manifest.images if e.source == entry.source)
        assert np.array_equal(both.pair(entry)[0].numpy(), one.pair(same)[0].numpy())


def test_hr_may_have_a_part_of_an_lr_pixel_too_many(pairs):
    path = pairs / "hr" / "photo-00.png"
    Image.fromarray(np.pad(np.asarray(Image.open(path)), ((0, 1), (0, 0), (0, 0)))).save(path)
    entries = Store(prepare(PrepareConfig(pairs), WATCH).folder).manifest.images
    assert [(entry.width, entry.height) for entry in entries] == [(180, 160)] * 3


@pytest.mark.parametrize(
    ("hr", "lr"), [("high", "low"), ("gt", "input"), ("deeper/HR", "deeper/LR")]
)
def test_what_looks_like_pairs_and_is_not_taken_as_such_is_said_first(pairs, hr, lr):
    for old, new in (("hr", hr), ("lr", lr)):
        (pairs / new).parent.mkdir(exist_ok=True)
        (pairs / old).rename(pairs / new)
    watch = Recorder()
    prepare(PrepareConfig(pairs, min_side=64, check=True), watch)
    assert watch.said[0].startswith(f"images: 6 files in {pairs}; ")
    assert "pairs" in watch.said[0]


def test_two_lr_folders_for_one_hr_folder_are_refused(pairs):
    shutil.copytree(pairs / "lr", pairs / "lr_unknown")
    with pytest.raises(InputError, match=r"lr and .*lr_unknown"):
        prepare(PrepareConfig(pairs), WATCH)


def test_pairs_of_another_scale_alone_are_refused_with_the_scale_to_pass(pairs):
    (pairs / "lr").rename(pairs / "lr_x4")
    with pytest.raises(InputError, match="×4, but none of ×2") as caught:
        prepare(PrepareConfig(pairs), WATCH)
    assert caught.value.hint == "pass --scale 4"


def test_pairs_are_not_reduced(pairs, home):
    with pytest.raises(UsageError, match="--reduce cannot be used"):
        prepare(PrepareConfig(pairs, reduce=(0.5,)), WATCH)
    assert not list(home.rglob("shard-*"))


@pytest.mark.parametrize("fault", ["missing", "extra", "size", "scale"])
def test_pairs_that_do_not_fit_are_refused_before_anything_is_made(pairs, home, fault):
    path = pairs / "lr" / "photo-01x2.png"
    if fault == "missing":
        path.unlink()
    elif fault == "extra":
        shutil.copy(path, pairs / "lr" / "stranger.png")
    elif fault == "size":
        Image.open(path).crop((0, 0, 80, 80)).save(path)
    with pytest.raises(InputError):
        prepare(PrepareConfig(pairs, scale=3 if fault == "scale" else 2), WATCH)
    assert not list(home.rglob("shard-*"))
