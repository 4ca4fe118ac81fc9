import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from srgan_cli.config import PrepareConfig
from srgan_cli.data import publish
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine import prepare
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.imaging.resize import downscale, mod_crop
from tests.toolbox import files_below, synthetic_photograph


def contents(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }


def test_whatever_a_folder_holds_the_usable_rest_is_prepared(
    home, tmp_path, make_photographs, observer
):
    source = tmp_path / "mess"
    make_photographs(source / "a" / "b", count=2, size=(140, 130))
    grey = Image.open(source / "a/b/photo-00.png").convert("L")
    grey.save(source / "grey.TIF")
    grey.convert("RGBA").save(source / "alpha.webp", lossless=True)
    shutil.copy(source / "grey.TIF", source / "z copy.tif")
    (source / "text.jpg").write_text("no image")
    whole = (source / "a/b/photo-01.jpg").read_bytes()
    (source / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "dangling.png").symlink_to(source / "nowhere.png")
    Image.new("RGB", (300, 90)).save(source / "small.png")
    deep = synthetic_photograph(200, 200, seed=9)[..., 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(source / "deep.png")
    (source / ".hidden.png").write_text("hidden")
    (source / "notes.txt").write_text("left alone")
    (source / "loop").symlink_to(source, target_is_directory=True)

    manifest = prepare(PrepareConfig(source), observer).manifest

    used = [entry.source for entry in manifest.images]
    assert used == ["a/b/photo-00.png", "a/b/photo-01.jpg", "deep.png"]
    reasons = {dropped.source: dropped.reason for dropped in manifest.dropped}
    assert set(reasons) == {
        *("text.jpg", "cut.jpg", "dangling.png", "small.png", "z copy.tif"),
        *("alpha.webp", "grey.TIF"),
    }
    for name in ("alpha.webp", "grey.TIF", "z copy.tif"):
        assert reasons[name] == "looks like a/b/photo-00.png"
    assert "300x90" in reasons["small.png"]
    assert len(observer.warned) == 7
    assert all(any(name in line for line in observer.warned) for name in reasons)
    assert find_dataset(None)[0].parent == home / "datasets"


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.usefixtures("home")
def test_hr_has_scale_squared_times_the_pixels_of_lr(scale, tmp_path, make_photographs, observer):
    paths = make_photographs(tmp_path / "in", count=2, size=(143, 131))
    report = prepare(PrepareConfig(tmp_path / "in", scale=scale, min_side=100), observer)
    store = Store(report.folder)
    entries = store.entries("train") + store.entries("validation")
    assert len(entries) == 2
    for entry in entries:
        lr, hr = (side.numpy() for side in store.pair(entry))
        assert hr.size == scale**2 * lr.size
        assert (entry.height, entry.width) == hr.shape[:2]
        np.testing.assert_array_equal(lr, downscale(hr, scale))
        original = np.asarray(Image.open(paths[entry.index]))
        np.testing.assert_array_equal(hr, mod_crop(original, scale))


def test_photographs_are_turned_upright_before_they_are_reduced(
    home, tmp_path, make_photographs, observer
):
    first, second = make_photographs(tmp_path / "in", count=2, size=(200, 130))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(first).save(first, exif=exif)
    report = prepare(PrepareConfig(tmp_path / "in"), observer)
    sizes = {entry.source: (entry.width, entry.height) for entry in report.manifest.images}
    assert sizes == {first.name: (130, 200), second.name: (200, 130)}
    assert home in report.folder.parents


@pytest.mark.usefixtures("home")
def test_large_photographs_are_reduced_to_the_longest_side(tmp_path, make_photographs, observer):
    make_photographs(tmp_path / "in", count=2, size=(400, 300))
    config = PrepareConfig(tmp_path / "in", max_side=200)
    assert [(e.width, e.height) for e in prepare(config, observer).manifest.images] == [
        (200, 150)
    ] * 2
    config = replace(config, max_side=0, name="whole")
    assert [e.width for e in prepare(config, observer).manifest.images] == [400, 400]


def test_second_run_with_nothing_changed_does_nothing(prepared, photographs, observer):
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in prepared.iterdir()}
    report = prepare(PrepareConfig(photographs), observer)
    assert report.unchanged
    assert {path: (path.read_bytes(), path.stat().st_ino) for path in prepared.iterdir()} == before
    assert [name for name, _ in observer.bars] == ["checking"]


def test_unchanged_set_becomes_the_newest_again(prepared, photographs, observer):
    other = prepare(PrepareConfig(photographs, scale=4, min_side=64), observer)
    os.utime(prepared / "manifest.json", (1, 1))
    assert find_dataset(None)[0] == other.folder
    prepare(PrepareConfig(photographs), observer)
    assert find_dataset(None)[0] == prepared


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"max_side": 136}, {"min_side": 100}, {"validation": 3}]
)
def test_other_settings_need_overwrite(prepared, photographs, observer, change):
    before = contents(prepared)
    config = PrepareConfig(photographs, name="photos-x2", **change)
    with pytest.raises(UsageError, match="photos-x2"):
        prepare(config, observer)
    assert contents(prepared) == before
    assert not prepare(replace(config, overwrite=True), observer).unchanged
    assert Store(prepared).manifest.settings == Store(prepared).manifest.settings | change
    assert files_below(prepared.parent)[0] == "photos-x2"  # No hidden leftovers.


def test_a_set_of_another_version_is_read_but_not_added_to(prepared, photographs, observer):
    path = prepared / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"]["version"] -= 1
    manifest["listing"] = "another"
    path.write_text(json.dumps(manifest))
    assert len(Store(prepared).entries("train"))
    with pytest.raises(UsageError, match="another version of srgan"):
        prepare(PrepareConfig(photographs), observer)
    with pytest.raises(UsageError, match="other settings"):
        prepare(PrepareConfig(photographs, seed=1), observer)
    assert not prepare(PrepareConfig(photographs, overwrite=True), observer).unchanged
    assert Store(prepared).manifest.settings["version"] == manifest["settings"]["version"] + 1


def test_changed_photograph_needs_overwrite(prepared, photographs, tmp_path, observer):
    copy = tmp_path / "photos"
    shutil.copytree(photographs, copy)
    assert prepare(PrepareConfig(copy), observer).unchanged
    Image.open(copy / "photo-00.png").rotate(180).save(copy / "photo-00.png")
    with pytest.raises(UsageError):
        prepare(PrepareConfig(copy), observer)
    old = Store(prepared).manifest.fingerprint
    assert prepare(PrepareConfig(copy, overwrite=True), observer).manifest.fingerprint != old


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("overwrite", [False, True])
def test_crash_leaves_the_old_set_and_no_half_made_one(
    prepared, photographs, observer, monkeypatch, error, overwrite
):
    before = contents(prepared)

    def crash(*_, **__):
        raise error

    monkeypatch.setattr(publish, "write_text", crash)  # After the shards.
    config = PrepareConfig(photographs, seed=1, overwrite=True, name="photos-x2")
    if not overwrite:
        config = replace(config, name="new")
    with pytest.raises(ResourceError if error is OSError else error):
        prepare(config, observer)
    assert files_below(prepared.parent)[0].startswith("new" if not overwrite else "photos-x2")
    assert before.items() <= contents(prepared).items()
    Store(prepared)
    assert find_dataset(None)[0] == prepared


def test_hidden_draft_of_a_killed_run_is_never_taken(prepared):
    shutil.copytree(prepared, prepared.with_name(".later-0000"))
    assert find_dataset(None)[0] == prepared


def test_two_runs_give_the_same_bytes(prepared, photographs, observer):
    again = prepare(PrepareConfig(photographs, name="again"), observer)
    assert contents(again.folder) == contents(prepared)
    first = Store(prepared).manifest
    own = {"name": first.name, "listing": first.listing, "command": first.command}
    assert replace(again.manifest, **own) == first


def test_validation_images_are_a_tenth_at_most_and_follow_from_the_seed(
    prepared, photographs, observer
):
    def chosen(folder):
        return [entry.source for entry in Store(folder).entries("validation")]

    assert len(chosen(prepared)) == 1  # Of twelve.
    splits = set()
    for seed in range(6):
        report = prepare(PrepareConfig(photographs, name=f"s{seed}", seed=seed), observer)
        splits.add(tuple(chosen(report.folder)))
    assert len(splits) > 1


@pytest.mark.usefixtures("home")
def test_one_photograph_is_too_few(tmp_path, make_photographs, observer):
    make_photographs(tmp_path / "in", count=1)
    (tmp_path / "in" / "text.jpg").write_text("no image")
    with pytest.raises(InputError, match="only 1 of 2 images can be used; skipped: 1 u") as caught:
        prepare(PrepareConfig(tmp_path / "in"), observer)
    assert "at least 2" in caught.value.hint


def test_file_names_that_are_no_unicode_can_be_prepared(home, tmp_path, make_photographs, observer):
    paths = make_photographs(tmp_path / "in", count=2)
    name = os.fsdecode(b"caf\xe9.png")
    paths[0].rename(paths[0].with_name(name))
    prepare(PrepareConfig(tmp_path / "in"), observer)
    assert name in [entry.source for entry in Store(home / "datasets/in-x2").manifest.images]
    assert prepare(PrepareConfig(tmp_path / "in"), observer).unchanged


@pytest.mark.usefixtures("home")
def test_set_of_a_hidden_folder_is_found(tmp_path, make_photographs, observer):
    make_photographs(tmp_path / ".photos", count=2)
    report = prepare(PrepareConfig(tmp_path / ".photos"), observer)
    assert find_dataset(None)[0] == report.folder
