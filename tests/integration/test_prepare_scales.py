"""What a set holds of each photograph: LR images of several scales, reductions, crops."""

import numpy as np
import pytest
from PIL import Image

from srgan_cli.config import PrepareConfig
from srgan_cli.data.prepare import prepare
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError
from srgan_cli.imaging.resize import downscale
from srgan_cli.observer import SilentObserver

WATCH = SilentObserver()


@pytest.fixture
def photographs(home, tmp_path, make_photographs):
    assert not home.exists()
    make_photographs(tmp_path / "in", count=11, size=(140, 132))
    return tmp_path / "in"


def config(folder, **options):
    return PrepareConfig(folder, name=options.pop("name", "set"), **options)


def test_several_scales_share_one_hr_image(photographs):
    folder = prepare(config(photographs, scale=(2, 3), min_side=100), WATCH).folder
    for scale in (2, 3):
        store = Store(folder, scale)
        for entry in store.manifest.images:
            lr, hr = store.pair(entry)
            assert hr.shape[0] % 6 == hr.shape[1] % 6 == 0
            assert hr.numel() == scale**2 * lr.numel()
    with pytest.raises(InputError, match="×4"):
        Store(folder, 4)


def test_reductions_are_images_of_their_own_in_the_split_of_their_photograph(photographs):
    whole = Store(prepare(config(photographs), WATCH).folder)
    both = prepare(config(photographs, name="both", reduce=(0.75,), min_side=64), WATCH)
    store = Store(both.folder)
    splits = {entry.source: entry.split for entry in whole.manifest.images}
    assert len(store.manifest.images) == 2 * len(splits)
    for entry in store.manifest.images:
        assert entry.split == splits[entry.source]
    first, second = (e for e in store.manifest.images if e.source == "photo-00.png")
    assert (second.width, second.height) == (
        first.width * 3 // 4 // 2 * 2,
        first.height * 3 // 4 // 2 * 2,
    )
    lr, hr = store.pair(second)
    with Image.open(photographs / "photo-00.png") as image:
        size = (round(0.75 * image.width), round(0.75 * image.height))
        reduced = np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    assert (hr.numpy() == reduced[: second.height, : second.width]).all()
    assert (lr.numpy() == downscale(hr.numpy(), 2)).all()
    assert both.manifest.fingerprint != whole.manifest.fingerprint


def test_photographs_too_small_to_be_reduced_stay_as_they_are(photographs):
    report = prepare(config(photographs, reduce=(0.1,), min_side=64), WATCH)
    sources = [entry.source for entry in report.manifest.images]
    assert len(sources) == len(set(sources)) > 1


def test_crops_are_squares_of_their_photographs(photographs):
    whole = Store(prepare(config(photographs), WATCH).folder)
    cut = Store(prepare(config(photographs, name="cut", crop=64), WATCH).folder)
    assert len(cut.manifest.images) == 4 * len(whole.manifest.images)
    entry = next(e for e in cut.manifest.images if e.source == "photo-00.png")
    first = next(e for e in whole.manifest.images if e.source == "photo-00.png")
    assert (entry.width, entry.height) == (64, 64)
    assert (cut.pair(entry)[1] == whole.pair(first)[1][2:66, 6:70]).all()
