"""Stopped anywhere, shared out or added to: the set comes out the same."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from srgan_cli import processes
from srgan_cli.config import PrepareConfig
from srgan_cli.data import prepare as prepare_module
from srgan_cli.data import shards
from srgan_cli.data.manifest import MANIFEST, find_dataset
from srgan_cli.data.prepare import prepare
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError, ResourceError, UsageError
from srgan_cli.observer import SilentObserver

COUNT = 11
WATCH = SilentObserver()


class KilledError(BaseException):
    """Stands for a process that ends at once."""


@pytest.fixture(autouse=True)
def _small_lots(monkeypatch):
    monkeypatch.setattr(shards, "_LOT_PHOTOGRAPHS", 2)
    monkeypatch.setattr(processes, "num_cores", lambda: 1)


@pytest.fixture
def photographs(home, tmp_path, make_photographs):
    assert not home.exists()
    make_photographs(tmp_path / "in", count=COUNT, size=(140, 132))
    return tmp_path / "in"


def config(folder, **options):
    return PrepareConfig(folder, name=options.pop("name", "set"), **options)


def contents(folder):
    """Return a hash of every file, the manifest and hidden ones included."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def stop_after(monkeypatch, number):
    """Let the process die when it has made so many shards."""
    made = iter(range(number))

    def make_then_die(*arguments):
        if next(made, None) is None:
            raise KilledError
        return shards.make_shard(*arguments)

    monkeypatch.setattr(prepare_module, "make_shard", make_then_die)


@pytest.mark.parametrize("number", range(6))
def test_killed_run_goes_on_and_ends_with_the_same_bytes(
    photographs, tmp_path, monkeypatch, number
):
    whole = contents(prepare(config(photographs), WATCH).folder)
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    with monkeypatch.context() as patch:
        stop_after(patch, number)
        with pytest.raises(KilledError):
            prepare(config(photographs), WATCH)
    with pytest.raises(InputError):
        find_dataset(None)  # A half-made set is none.
    report = prepare(config(photographs), WATCH)
    assert report.prepared == COUNT - 2 * number
    assert contents(report.folder) == whole


@pytest.mark.parametrize("seconds", [0.0, 0.15])
def test_process_killed_by_the_system_leaves_what_the_next_one_needs(
    photographs, tmp_path, monkeypatch, seconds
):
    whole = contents(prepare(config(photographs), WATCH).folder)
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    folder = tmp_path / "other" / "datasets" / "set"
    code = (
        "from srgan_cli.data import shards; shards._LOT_PHOTOGRAPHS = 2\n"
        "from srgan_cli.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prepare", str(photographs), "--name", "set"]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    for _ in range(3000):
        if process.poll() is not None or len(list(folder.glob("shard-*"))) >= 2:
            break
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    report = prepare(config(photographs), WATCH)
    assert contents(report.folder) == whole


def test_killed_run_leaves_no_process_behind(photographs, tmp_path, monkeypatch):
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    folder = tmp_path / "other" / "datasets" / "set"
    code = (
        "from srgan_cli.data import shards, workers; shards._LOT_PHOTOGRAPHS = 2\n"
        "workers.num_cores = lambda: 3\n"
        "from srgan_cli.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prepare", str(photographs), "--name", "set"]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_until(lambda: process.poll() is not None or list(folder.glob("shard-*")))
    process.kill()
    process.wait()
    wait_until(lambda: not is_alive(process.pid))
    assert not is_alive(process.pid)


def wait_until(condition):
    for _ in range(3000):
        if condition():
            break
        time.sleep(0.01)


def is_alive(group):
    """Say whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_killed_runs_left_half_written_is_deleted(photographs, home):
    folder = home / "datasets" / "set"
    folder.mkdir(parents=True)
    # Ours, that of safetensors, and a shard of photographs that have gone since.
    for name in (".srgan-12ab.safetensors", ".tmpXyZ123", "shard-12ab.safetensors"):
        (folder / name).write_bytes(b"half")
    report = prepare(config(photographs), WATCH)
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *report.manifest.shards}


def test_rerun_with_nothing_changed_touches_no_shard(photographs):
    folder = prepare(config(photographs), WATCH).folder
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("shard*")}
    report = prepare(config(photographs), WATCH)
    assert report.unchanged
    assert report.prepared == 0
    assert before == {
        path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("shard*")
    }


def test_new_photographs_are_added_and_the_others_left_as_they_are(
    photographs, tmp_path, make_photographs
):
    folder = prepare(config(photographs), WATCH).folder
    before = {path.name: path.stat().st_ino for path in folder.glob("shard-*")}
    make_photographs(tmp_path / "in" / "a new folder", count=3, size=(150, 132), seed=7)
    report = prepare(config(photographs), WATCH)
    assert report.prepared == 3
    after = {path.name: path.stat().st_ino for path in folder.glob("shard-*")}
    assert before.items() <= after.items()
    sources = [entry.source for entry in Store(folder).manifest.images]
    assert len(sources) == COUNT + 3
    assert sources == sorted(sources)


def held(folder):
    """Return everything that training can see of a set, wherever its shards keep it."""
    store = Store(folder)
    return [
        (
            *(entry.source, entry.sha256, entry.split),
            *(side.numpy().tobytes() for side in store.pair(entry)),
        )
        for entry in store.manifest.images
    ]


def test_grown_set_holds_what_a_fresh_one_does(
    photographs, tmp_path, make_photographs, monkeypatch
):
    (tmp_path / "later").mkdir()
    paths = sorted(photographs.iterdir())
    for number in (0, 4, 9):
        paths[number].rename(tmp_path / "later" / paths[number].name)
    shutil.copy(paths[5], photographs / f"twin of {paths[5].name}")
    folder = prepare(config(photographs), WATCH).folder
    for path in (tmp_path / "later").iterdir():
        path.rename(photographs / path.name)
    make_photographs(photographs / "b", count=2, size=(150, 132), seed=7)
    shutil.copy(paths[4], photographs / f"another {paths[4].name}")
    grown = prepare(config(photographs), WATCH)
    assert grown.prepared == 6
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    fresh = prepare(config(photographs), WATCH)
    assert held(folder) == held(fresh.folder)
    for field in ("fingerprint", "listing", "settings", "dropped", "flagged"):
        assert getattr(grown.manifest, field) == getattr(fresh.manifest, field)


def test_killed_addition_leaves_the_old_set_and_ends_with_the_same_bytes(
    photographs, tmp_path, make_photographs, monkeypatch
):
    folder = prepare(config(photographs), WATCH).folder
    old = Store(folder).manifest
    make_photographs(tmp_path / "in" / "new", count=5, size=(150, 132), seed=7)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KilledError):
            prepare(config(photographs), WATCH)
    assert Store(folder).manifest == old
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "home", killed)
    assert prepare(config(photographs), WATCH).prepared == 3
    # The same addition, with the first attempt's shard taken away.
    monkeypatch.setenv("SRGAN_HOME", str(killed))
    for path in set((killed / "datasets/set").glob("shard-*")):
        if path.name not in old.shards:
            path.unlink()
    assert prepare(config(photographs), WATCH).prepared == 5
    assert contents(killed / "datasets/set") == contents(folder)


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_lost_photographs_are_not_forgotten_unasked(photographs, change):
    folder = prepare(config(photographs), WATCH).folder
    before = contents(folder)
    victim = photographs / "photo-03.jpg"
    if change == "removed":
        victim.unlink()
    else:
        os.utime(victim, (1, 1))
    with pytest.raises(UsageError, match="1 images"):
        prepare(config(photographs), WATCH)
    assert contents(folder) == before
    manifest = prepare(config(photographs, overwrite=True), WATCH).manifest
    assert len(manifest.images) == COUNT - (change == "removed")
    # What the old set alone used is gone, and nothing hidden is left.
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *manifest.shards}


def test_replaced_set_is_the_one_that_would_be_made_afresh(photographs, tmp_path, monkeypatch):
    prepare(config(photographs), WATCH)
    with pytest.raises(UsageError, match="other settings"):
        prepare(config(photographs, scale=4, min_side=64), WATCH)
    replaced = prepare(config(photographs, scale=4, min_side=64, overwrite=True), WATCH)
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    fresh = prepare(config(photographs, scale=4, min_side=64), WATCH)
    assert contents(replaced.folder) == contents(fresh.folder)


@pytest.mark.parametrize("nodes", [2, 3])
def test_torchrun_shares_the_work_and_gives_the_same_bytes(
    photographs, tmp_path, monkeypatch, nodes
):
    whole = contents(prepare(config(photographs), WATCH).folder)
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "other"))
    code = (
        "from srgan_cli.data import shards; shards._LOT_PHOTOGRAPHS = 2\n"
        "from srgan_cli.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prepare", str(photographs), "--name", "set", "--json"]
    processes = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": str(nodes)},
        )
        for rank in range(nodes)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * nodes, outputs
    assert [bool(out) for out, _ in outputs] == [True] + [False] * (nodes - 1)
    assert contents(tmp_path / "other/datasets/set") == whole


def test_full_disk_is_noticed_before_the_work_starts(photographs, monkeypatch):
    usage = shutil.disk_usage(photographs)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000))
    with pytest.raises(ResourceError, match="10 kB is free"):
        prepare(config(photographs), WATCH)


def test_two_processes_do_not_prepare_the_same_set(photographs, home):
    (home / "datasets").mkdir(parents=True)
    with FileLock(home / "datasets" / ".set.lock"):
        with pytest.raises(ResourceError, match="another"):
            prepare(config(photographs), WATCH)
        assert (home / "datasets" / ".set.lock").exists()


def test_an_interrupt_in_the_moment_of_locking_leaves_no_lock(photographs, home, monkeypatch):
    acquire = FileLock.acquire

    def interrupted(lock, **options):
        proxy = acquire(lock, **options)
        signal.raise_signal(signal.SIGINT)
        return proxy

    monkeypatch.setattr(FileLock, "acquire", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(config(photographs), WATCH)
    assert [path.name for path in (home / "datasets").iterdir()] == ["set"]


def test_check_writes_nothing(photographs, home):
    report = prepare(config(photographs, check=True), WATCH)
    assert report.prepared == COUNT
    assert len(report.manifest.images) == COUNT
    assert not home.exists()
