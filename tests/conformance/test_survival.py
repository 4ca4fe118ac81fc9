"""What a batch survives: kills at any instant, a full disk, Ctrl-C; and pipes."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srgan_cli.cli import run
from srgan_cli.engine.upscaling.ledger import LEDGER_FILE
from tests.conformance import samples

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")


def make_batch(folder: Path, count: int, side: int = 40) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "srgan_cli", "upscale", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def results(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith(".srgan-ledger")
    }


def start_at_work(source, target, options):
    """Start a batch and return when it has come to its first image."""
    process = subprocess.Popen(
        command(source, "-o", target, *options),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (target / LEDGER_FILE).exists():
        time.sleep(0.001)
    return process


@pytest.mark.slow
@posix
def test_a_batch_killed_at_any_instant_and_run_again_equals_an_uninterrupted_one(
    tmp_path, bilinear
):
    source = make_batch(tmp_path / "in", 30, side=320)
    options = ("--model", bilinear, "--device", "cpu")
    whole = tmp_path / "whole"
    process = start_at_work(source, whole, options)
    started = time.perf_counter()
    assert process.wait() == 0
    seconds = time.perf_counter() - started
    wanted = results(whole)
    assert len(wanted) == 30
    instants = random.Random(0)  # noqa: S311 - nothing secret
    interrupted = 0
    for number in range(20):
        target = tmp_path / f"killed-{number}"
        process = start_at_work(source, target, options)
        time.sleep(instants.uniform(0, 0.6 * seconds))
        process.kill()
        process.wait()
        for name, data in results(target).items():
            assert name.startswith(".srgan-") or data == wanted[name]
        interrupted += len(results(target)) < 30
        subprocess.run(
            command(source, "-o", target, *options),
            check=True,
            env=environment(),
            capture_output=True,
        )
        assert results(target) == wanted
    assert interrupted >= 10  # Or the instants have missed the batch.


@posix
def test_a_killed_batch_is_finished_by_a_rerun(tmp_path, upscale, monkeypatch):
    # As SIGKILL leaves things at the worst instant: the line is written, the name is not given.
    source = make_batch(tmp_path / "in", 3)
    upscale(source, output=tmp_path / "whole")

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(Path, "replace", die)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(Killed):
        upscale(source, output=tmp_path / "out")
    assert all(name.startswith(".srgan-") for name in results(tmp_path / "out"))
    monkeypatch.undo()
    upscale(source, output=tmp_path / "out")
    assert results(tmp_path / "out") == results(tmp_path / "whole")


@posix
def test_an_in_place_batch_killed_before_the_name_is_given_does_not_upscale_twice(
    tmp_path, upscale, monkeypatch
):
    source = make_batch(tmp_path / "in", 1)
    replace = Path.replace

    def die_after(path, target):
        replace(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die_after)
    with pytest.raises(KeyboardInterrupt):
        upscale(source, in_place=True)
    monkeypatch.undo()
    assert upscale(source, in_place=True).unchanged
    with Image.open(source / "00.png") as image:
        assert image.size == (80, 80)


@posix
@pytest.mark.parametrize(
    "ext",
    [
        pytest.param(ext, marks=() if ext == "png" else pytest.mark.slow)
        for ext in (extension.lstrip(".") for extension in samples.EIGHT_BIT)
    ],
)
def test_a_full_disk_stops_the_batch_and_leaves_no_partial_file(tmp_path, bilinear, ext):
    source = make_batch(tmp_path / "in", 2, side=120)
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "from srgan_cli.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["upscale", source, "-o", tmp_path / "out", "--model", bilinear, "--ext", ext]
    done = subprocess.run(
        [sys.executable, "-c", limited, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@posix
def test_ctrl_c_drops_the_current_file_cleanly(tmp_path, bilinear):
    source = make_batch(tmp_path / "in", 40, side=300)
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(source, "-o", out, "--model", bilinear),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (out / "01.png").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    made = results(out)
    assert 2 <= len(made) < 40
    for name in made:
        with Image.open(out / name) as image:
            image.load()
            assert image.size == (600, 600)


def test_images_go_through_pipes(tmp_path, bilinear):
    data = samples.save(tmp_path / "a.webp", samples.image("RGBA")).read_bytes()
    done = subprocess.run(
        command("-", "-o", "-", "--model", bilinear),
        input=data,
        env=environment(),
        capture_output=True,
        check=True,
    )
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("WEBP", (48, 32))


def test_a_bad_image_in_a_pipe_is_told(bilinear):
    done = subprocess.run(
        command("-", "-o", "-", "--model", bilinear),
        input=b"no image",
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == b""
    assert b"unknown format" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.fixture
def srgan(capsys, monkeypatch, bilinear, tmp_path):
    monkeypatch.setenv("SRGAN_HOME", str(tmp_path / "home"))

    def call(*arguments):
        code = run(["upscale", *map(str, arguments), "--model", str(bilinear), "--device", "cpu"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_json_lists_written_and_failed(tmp_path, srgan):
    source = make_batch(tmp_path / "in", 2)
    (source / "bad.png").write_text("no image")
    code, out, err = srgan(source, "-o", tmp_path / "out", "--json", "--check")
    document = json.loads(out)
    assert code == 7
    assert [Path(item["output"]).name for item in document["written"]] == ["00.png", "01.png"]
    assert all(item["drift"] > 10 for item in document["written"])
    assert [Path(item["source"]).name for item in document["failed"]] == ["bad.png"]
    assert document["failed"][0]["reason"]
    assert err.count("bad.png") == 1


def test_a_dry_run_tells_sizes_and_costs_and_writes_nothing(tmp_path, srgan):
    source = make_batch(tmp_path / "in", 2)
    code, out, _ = srgan(source, "-o", tmp_path / "out", "--dry-run", "--json", "-s", "3")
    assert code == 0
    assert not (tmp_path / "out").exists()
    first = json.loads(out)["images"][0]
    assert (first["width"], first["height"], first["format"]) == (120, 120, "PNG")
    assert first["tiles"] == 2
    assert first["memory"] > 4 * 160 * 160
    assert first["seconds"] > 0
    code, out, _ = srgan(source, "-o", tmp_path / "out", "--dry-run", "-s", "3")
    assert code == 0
    assert "120×120" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.png", "-o", "out", "--in-place"),
        ("a.png", "--in-place", "--ext", "png"),
        ("a.png", "-o", "out", "--ext", "xyz"),
        ("a.png", "-o", "out", "--quality", "0"),
        ("a.png", "-o", "out", "--background", "nope"),
        ("a.png", "-o", "out", "--max-drift", "-3"),
        ("a.png", "b.png", "-o", "-"),
        ("-", "-o", "-", "--json"),
        ("-", "--in-place"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(tmp_path, srgan, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("a.png")
    Image.new("RGB", (4, 4)).save("b.png")
    code, out, err = srgan(*arguments)
    assert code == 2, err
    assert out == ""
    assert "error: " in err
    assert " hint: " in err


def test_a_bomb_is_refused_before_anything_is_decoded(tmp_path, upscale, monkeypatch):
    Image.init()  # One of its plugins loads an image.
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    report = upscale(samples.bomb(tmp_path / "a.png"), output=tmp_path / "out")
    assert "60000x50000" in report.failed[0].reason


def test_a_bomb_of_many_frames_is_refused(tmp_path, upscale):
    frames = [Image.new("L", (100, 100), n) for n in range(30)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    report = upscale(tmp_path / "a.gif", output=tmp_path / "out", max_pixels=200_000)
    assert "30 frames" in report.failed[0].reason
