"""A run that was trained in slices on a borrowed machine ends as one that was never stopped."""

import importlib.metadata
import io
import json
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from recipes import slices
from srgan_cli import cli, engine
from srgan_cli.config import PrepareConfig
from srgan_cli.data.store import Store
from srgan_cli.observer import SilentObserver
from tests.toolbox import bits
from tests.toolbox.scripts import ROOT, environment

OPTIONS = (
    *("--name", "r", "--preset", "plain", "--channels", "8", "--num-convs", "2"),
    *("--device", "cpu", "--precision", "fp32", "--batch", "2", "--patch", "16"),
    *("--steps", "60", "--pretrain", "1", "--validate-every", "20", "--warmup", "2"),
    *("--perceptual", "none", "--discriminator-width", "4"),
)
SLEEPER = """
import signal, sys, time
if sys.argv[1:]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.fixture
def called(monkeypatch, capfd):
    """Return a function that runs the script in this process and gives code, stdout and stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["slices.py", *map(str, words)])
        capfd.readouterr()
        try:
            slices.main()
            code = 0
        except SystemExit as end:
            code = end.code
        return (code, *capfd.readouterr())

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # The bits depend on it.
    before = signal.getsignal(signal.SIGTERM)
    yield call
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def refused(called):
    """Return a function that runs the script and gives the line that says what is wrong."""

    def refuse(*words):
        code, _, err = called(*words)
        assert code == 3, err
        problem, hint = err.splitlines()[-2:]
        assert problem.startswith("error: ")
        assert hint.startswith("hint: ")
        return problem

    return refuse


def stopped_after(step, *words):
    """Interrupt a slice as the end of its minutes does, once a step has its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:  # A short name: sockets are made below it.
        _stopped_after(step, Path(folder), *words)


def _stopped_after(step, folder, *words):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "recipes/slices.py"), *map(str, words)],
        env=environment() | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not [*folder.glob(f"*/runs/r/checkpoints/step-{step:08}.safetensors")]:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert "r goes on with" in out
    assert not [*folder.glob("srgan-slices-*")]


def joined(out, folder):
    """Put a slice's parts together as the manual says; return the run."""
    record = json.loads((out / "slice.json").read_text())
    content = b"".join((out / name).read_bytes() for name in record["parts"])
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "r"


@pytest.fixture
def packed(prepared, called, tmp_path):
    """Pack a small data set, all of it."""
    code, out, _ = called("pack", tmp_path / "set.tar", "--data", prepared)
    assert code == 0
    assert "12 of 12 images, 1 of them for validation" in out
    return tmp_path / "set.tar"


@pytest.mark.slow
def test_two_slices_end_with_the_bits_of_an_uninterrupted_run(
    packed, called, tmp_path, monkeypatch
):
    first, second, third, home = (tmp_path / name for name in ("first", "second", "third", "h"))
    data = slices.prepare(packed, home)
    monkeypatch.setenv("SRGAN_HOME", str(home))
    assert cli.run(["train", *OPTIONS, "--data", str(data)]) == 0
    whole = home / "runs/r"
    stopped_after(20, "run", packed, first, "--", *OPTIONS)
    kept = joined(first, tmp_path / "runs-first") / "checkpoints"
    assert len([*kept.iterdir()]) <= 2
    code, out, err = called("run", packed, second, "--state", first)
    assert (code, "r is finished" in out) == (0, True)
    assert int(re.search(r"resuming at step (\d+) of 60", err)[1]) >= 20
    run = joined(second, tmp_path / "runs-second")
    assert not (run / "checkpoints").exists()
    for file in ("weights.safetensors", "best.safetensors"):
        assert bits(run, file) == bits(whole, file)
    losses = [
        [json.loads(line).get("pixel") for line in (one / "metrics.jsonl").read_text().splitlines()]
        for one in (run, whole)
    ]
    assert losses[0] == losses[1]
    code, out, _ = called("run", packed, third, "--state", second)
    assert (code, "finished already" in out) == (0, True)
    assert bits(joined(third, tmp_path / "runs-third")) == bits(whole)


@pytest.mark.parametrize("deaf", [False, True])
def test_training_is_interrupted_in_time_and_killed_if_it_does_not_stop(monkeypatch, deaf):
    monkeypatch.setattr(slices, "SECONDS_TO_SAVE", 0.3 if deaf else 300)
    command = [sys.executable, "-c", SLEEPER, *(["deaf"] if deaf else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert slices.finish(process, 0.1) == (slices.INTERRUPTED if deaf else 7)
    assert process.poll() is not None
    process.stdout.close()


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Write a slice of a run that has only a few bytes."""
    run = tmp_path / "made" / "r"
    run.mkdir(parents=True)
    (run / "config.toml").write_text("steps = 9\n")
    (run / "weights.safetensors").write_bytes(bytes(range(256)) * 200)
    monkeypatch.setattr(slices, "PART", 20_000)
    slices.write_slice(run, tmp_path / "out", ["--name", "r"], finished=False)
    return tmp_path / "out"


def test_a_slice_comes_in_parts_of_a_size_and_damaged_ones_are_refused(stopped, refused, tmp_path):
    parts = sorted(stopped.glob("run.tar.*"))
    assert len(parts) > 2
    assert all(part.stat().st_size <= slices.PART for part in parts)
    assert {path.name for path in stopped.iterdir()} == {"slice.json", *(p.name for p in parts)}
    assert "holds a slice already" in refused("run", "set.tar", stopped)
    resumed = ("run", "set.tar", tmp_path / "next", "--state", stopped)
    assert "started with other options: --name r" in refused(*resumed, "--", "--name", "q")
    content = bytearray(parts[1].read_bytes())
    content[1000] ^= 1
    parts[1].write_bytes(content)
    assert "checksum" in refused(*resumed)
    parts[1].unlink()
    assert "not a whole slice" in refused(*resumed)
    (stopped / "slice.json").unlink()
    assert "slice.json" in refused(*resumed)
    assert not (tmp_path / "next").exists()


def test_an_even_part_of_a_set_is_packed_and_made_again(
    prepared, packed, called, refused, tmp_path
):
    mib = 0.6 * packed.stat().st_size / 2**20
    some, home = tmp_path / "some.tar", tmp_path / "borrowed"
    assert "no room" in refused("pack", some, "--data", prepared, "--mib", 0.02)
    assert called("pack", some, "--data", prepared, "--mib", mib)[0] == 0
    assert some.stat().st_size <= mib * 2**20
    before, after = Store(prepared), Store(slices.prepare(some, home))
    assert 6 <= len(after.manifest.images) < 12
    numbers = []
    for split in ("train", "validation"):
        known = [[side.numpy() for side in before.pair(e)] for e in before.entries(split)]
        for entry in after.entries(split):
            pair = after.pair(entry)
            (number,) = (i for i, one in enumerate(known) if all(map(np.array_equal, one, pair)))
            numbers += [number] if split == "train" else []
    assert max(numbers) - min(numbers) >= 8
    assert np.diff(sorted(numbers)).max() <= 3


def test_sets_that_would_not_be_made_again_alike_are_refused(
    prepared, photographs, refused, tmp_path
):
    engine.prepare(PrepareConfig(photographs, name="parts", crop=64, min_side=64), SilentObserver())
    assert "parts of photographs" in refused(
        "pack", tmp_path / "set.tar", "--data", prepared.with_name("parts")
    )
    shard = next(prepared.glob("shard-*"))
    with safe_open(shard, framework="np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        header = file.metadata()
    tensors = {key: 255 - v if key.startswith("lr") else v for key, v in tensors.items()}
    save_file(tensors, shard, metadata=header)
    pack = ("pack", tmp_path / "set.tar", "--data", prepared)
    assert "LR images were given" in refused(*pack)
    assert not (tmp_path / "set.tar").exists()


def test_missing_packages_are_named(monkeypatch, capfd):
    def version(name):
        if name in {"typer", "platformdirs"}:
            raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(SystemExit):
        slices.require_packages()
    assert "missing packages: typer, platformdirs\n" in capfd.readouterr().err


def test_a_pack_with_a_changed_image_is_refused(packed, refused, tmp_path):
    content = bytearray(packed.read_bytes())
    place = content.index(b"WEBPVP8L") + 2000
    content[place] ^= 255
    (tmp_path / "damaged.tar").write_bytes(content)
    words = ("run", tmp_path / "damaged.tar", tmp_path / "out", "--", *OPTIONS)
    assert "damaged images" in refused(*words)


@pytest.mark.parametrize("option", ["--data", "--resume=r"])
def test_options_that_the_script_sets_are_refused(refused, tmp_path, option):
    words = ("run", "set.tar", tmp_path / "out", "--", option, "x")
    assert "is set by this script" in refused(*words)


@pytest.mark.parametrize("place", ["../escaped", "{}/escaped"])
def test_an_archive_that_leaves_its_folder_writes_nothing_there(tmp_path, place):
    path, name = tmp_path / "pack.tar", place.format(tmp_path)
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with suppress(SystemExit):  # Or a file below it.
        slices.unpack(path, tmp_path / "deep")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_of_something_else_than_files_is_refused(tmp_path, kind):
    path, member = tmp_path / "pack.tar", tarfile.TarInfo("images")
    member.type, member.linkname = kind, "pack.json"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pack.json"))
        archive.addfile(member)
    with pytest.raises(SystemExit):
        slices.unpack(path, tmp_path / "deep")
    assert not (tmp_path / "deep/images").exists()
