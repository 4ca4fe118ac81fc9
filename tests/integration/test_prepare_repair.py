"""Shards that are missing or damaged: who notices, and that the same command repairs them."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from srgan_cli import processes
from srgan_cli.config import PrepareConfig
from srgan_cli.data import prepare as prepare_module
from srgan_cli.data import shards
from srgan_cli.data.manifest import MANIFEST, Manifest
from srgan_cli.data.prepare import prepare
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError, UsageError
from srgan_cli.observer import SilentObserver
from tests.toolbox import TINY, assert_fails, call, finished, start

WATCH = SilentObserver()
COUNT = 8


@pytest.fixture(autouse=True)
def _small_lots(monkeypatch):
    monkeypatch.setattr(shards, "_LOT_PHOTOGRAPHS", 2)
    monkeypatch.setattr(processes, "num_cores", lambda: 1)


@pytest.fixture
def photographs(home, tmp_path, make_photographs):  # noqa: ARG001 - an empty home
    make_photographs(tmp_path / "in", count=COUNT, size=(140, 132))
    return tmp_path / "in"


@pytest.fixture
def folder(photographs):
    """Prepare the set ``set`` of four shards."""
    return prepare(config(photographs), WATCH).folder


def config(photographs, **options):
    return PrepareConfig(photographs, name="set", **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _flipped(place):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[place] ^= 16
        path.write_bytes(bytes(data))

    return damage


def _folder(path):
    path.unlink()
    path.mkdir()


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _rewritten(path):
    """Write other numbers, of the same size."""
    path.write_bytes(path.read_bytes()[::-1])


SEEN = {  # When the set is opened.
    "missing": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "cut in its header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a pipe": _pipe,
}
UNSEEN = {
    "a bit of a pixel": _flipped(-100),
    "the last bit": _flipped(-1),
    "a bit of its header": _flipped(200),
    "other bytes": _rewritten,
}


def kinds(damages):
    return pytest.mark.parametrize("damage", damages.values(), ids=damages.keys())


@kinds(SEEN)
def test_training_names_the_command_that_repairs(folder, photographs, capsys, damage):
    whole = contents(folder)
    victim = folder / Manifest.read(folder).shards[1]
    damage(victim)
    result = call(capsys, "train", *TINY)
    assert_fails(result, 3, f"{victim}: damaged shard", "repair the data set: srgan prepare ")
    hint = result.err.splitlines()[-1]
    words = shlex.split(hint.partition("data set: ")[2])
    assert words == ["srgan", "prepare", str(photographs), "--name", "set"]
    repaired = call(capsys, *words[1:])
    assert repaired.code == 0, repaired.err
    assert f"{victim}: missing or damaged; its images are prepared again" in repaired.err
    assert contents(folder) == whole
    Store(folder)


@kinds(SEEN | UNSEEN)
def test_the_same_command_repairs(folder, photographs, damage):
    whole = contents(folder)
    damage(folder / Manifest.read(folder).shards[2])
    report = prepare(config(photographs), WATCH)
    assert not report.unchanged
    assert report.prepared == 2
    assert contents(folder) == whole
    assert prepare(config(photographs), WATCH).unchanged


@pytest.mark.parametrize("overwrite", [False, True])
def test_all_shards_can_be_made_again(folder, photographs, overwrite):
    whole = contents(folder)
    for name in Manifest.read(folder).shards:
        _flipped(-1)(folder / name)
    assert prepare(config(photographs, overwrite=overwrite), WATCH).prepared == COUNT
    assert contents(folder) == whole


def test_overwriting_uses_whole_shards_and_makes_damaged_ones(folder, photographs):
    whole = contents(folder)
    _flipped(-1)(folder / Manifest.read(folder).shards[0])
    assert prepare(config(photographs, overwrite=True), WATCH).prepared == 2
    assert contents(folder) == whole


def test_a_folder_in_place_of_a_shard_is_told(folder, photographs, capsys):
    victim = folder / Manifest.read(folder).shards[0]
    _folder(victim)
    assert_fails(call(capsys, "train", *TINY), 3, f"{victim}: damaged shard", "srgan prepare")
    result = call(capsys, "prepare", photographs, "--name", "set")
    assert result.code == 5
    assert "Is a directory" in result.err


def test_repairing_while_photographs_are_added_gives_what_a_fresh_set_has(
    folder, photographs, make_photographs, tmp_path, monkeypatch
):
    _flipped(-1)(folder / Manifest.read(folder).shards[1])
    make_photographs(photographs / "new", count=3, size=(150, 132), seed=7)
    repaired = prepare(config(photographs), WATCH)
    assert repaired.prepared == 2 + 3
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *repaired.manifest.shards}
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    fresh = prepare(config(photographs), WATCH).manifest
    for field in ("fingerprint", "listing", "settings", "dropped", "flagged"):
        assert getattr(repaired.manifest, field) == getattr(fresh, field)
    assert Store(folder).manifest == repaired.manifest


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_images_that_cannot_be_made_again_are_not_forgotten_unasked(folder, photographs, change):
    manifest = Manifest.read(folder)
    victim = manifest.shards[1]
    _flipped(-1)(folder / victim)
    lost = next(entry.source for entry in manifest.images if entry.shard == victim)
    if change == "removed":
        (photographs / lost).unlink()
    else:
        another = next(path for path in sorted(photographs.iterdir()) if path.name != lost)
        shutil.copy(another, photographs / lost)
    before = contents(folder)
    with pytest.raises(UsageError, match=lost) as caught:
        prepare(config(photographs), WATCH)
    assert "--overwrite" in caught.value.hint
    assert contents(folder) == before


def test_killed_repair_leaves_a_set_that_the_next_one_repairs(folder, photographs, monkeypatch):
    whole = contents(folder)
    for name in Manifest.read(folder).shards[:2]:
        _flipped(-1)(folder / name)
    made = []

    def make_shard(*arguments):
        if made:
            raise KeyboardInterrupt
        made.append(None)
        return shards.make_shard(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "make_shard", make_shard)
        with pytest.raises(KeyboardInterrupt):
            prepare(config(photographs), WATCH)
    assert prepare(config(photographs), WATCH).prepared == 2
    assert contents(folder) == whole


def test_damage_before_the_set_is_published_costs_its_shard(photographs):
    whole = contents(prepare(config(photographs), WATCH).folder)
    folder = prepare(config(photographs), WATCH).folder
    (folder / MANIFEST).unlink()  # As a kill before the end leaves it.
    victim = min(folder.iterdir())
    SEEN["cut"](victim)
    assert prepare(config(photographs), WATCH).prepared == 2
    assert contents(folder) == whole


def _without_checksums(folder):
    """Make a set what it was before there were checksums."""
    document = json.loads((folder / MANIFEST).read_text())
    del document["checksums"], document["command"]
    (folder / MANIFEST).write_text(json.dumps(document, indent=1))


def test_a_set_from_before_goes_on_working(folder, photographs, make_photographs):
    new = Manifest.read(folder)
    _without_checksums(folder)
    assert prepare(config(photographs), WATCH).unchanged
    assert Store(folder).manifest.fingerprint == new.fingerprint
    make_photographs(photographs / "new", count=2, size=(150, 132), seed=7)
    grown = prepare(config(photographs), WATCH)
    assert grown.prepared == 2
    assert set(grown.manifest.checksums) == set(grown.manifest.shards)
    assert grown.manifest.checksums.items() >= new.checksums.items()


@kinds(SEEN)
def test_a_set_from_before_is_repaired_too(folder, photographs, damage):
    manifest = Manifest.read(folder)
    whole = contents(folder)
    _without_checksums(folder)
    damage(folder / manifest.shards[1])
    with pytest.raises(InputError, match="damaged shard") as caught:
        Store(folder)
    assert "srgan prepare FOLDER --name set" in caught.value.hint
    assert prepare(config(photographs), WATCH).prepared == 2
    assert contents(folder) == whole


def test_processes_that_share_the_work_repair(folder, photographs):
    whole = contents(folder)
    _flipped(-1)(folder / Manifest.read(folder).shards[1])
    SEEN["missing"](folder / Manifest.read(folder).shards[2])
    code = (
        "from srgan_cli.data import shards; shards._LOT_PHOTOGRAPHS = 2\n"
        "from srgan_cli.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prepare", str(photographs), "--name", "set"]
    started = [
        subprocess.Popen(command, env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"})
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    assert contents(folder) == whole


def test_the_command_in_the_manifest_makes_the_set_again(
    photographs, make_photographs, tmp_path, monkeypatch
):
    photographs.rename(tmp_path / "my 'odd' photos")
    monkeypatch.chdir(tmp_path)
    options = ["--scale", "2", "--scale", "4", "--validation", "3", "--blurry", "keep"]
    options += ["--reduce", "0.9", "--exclude", "out", "--min-side", "96", "--overwrite"]
    make_photographs(tmp_path / "out", count=1, seed=3)
    make_photographs(tmp_path / "more", count=1, size=(140, 132), seed=4)[0].rename("other.png")
    made = ["prepare", "my 'odd' photos", "other.png", *options, "--name", "set"]
    finished(start(*made, "--export", "png"))
    folder = tmp_path / "home/datasets/set"
    manifest = Manifest.read(folder)
    monkeypatch.chdir("/")
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "again"))
    words = shlex.split(manifest.command)
    assert not {"--overwrite", "--export"} & set(words)
    finished(start(*words[1:]))
    assert Manifest.read(tmp_path / "again/datasets/set") == manifest
