"""Skipped images, the page of ``--report``, and exports."""

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from srgan_cli import processes
from srgan_cli.cli import run
from srgan_cli.config import PrepareConfig
from srgan_cli.data import shards
from srgan_cli.data.export import export_png
from srgan_cli.data.photographs import Photograph
from srgan_cli.data.plan import disk_use, lots_of, plan
from srgan_cli.data.prepare import prepare
from srgan_cli.data.selection import select
from srgan_cli.data.store import Store
from srgan_cli.errors import InputError
from srgan_cli.observer import SilentObserver
from tests.toolbox import Recorder, Upscale, save_bilinear

WATCH = SilentObserver()


@pytest.fixture
def tree(home, tmp_path, make_photographs):
    """Make four good photographs and one of each fault."""
    folder = tmp_path / "tree"
    assert not home.exists()
    good = make_photographs(folder, count=4, size=(400, 300), seed=2)
    image = Image.open(good[0])
    (folder / "sub").mkdir()
    shutil.copy(good[1], folder / "sub" / "twin.jpg")
    image.resize((320, 240), Image.Resampling.LANCZOS).save(folder / "sub" / "smaller.jpg")
    other = Image.open(make_photographs(tmp_path / "x", count=1, size=(400, 300), seed=9)[0])
    other.filter(ImageFilter.GaussianBlur(3)).save(folder / "soft.png")
    Image.new("RGB", (300, 300), "teal").save(folder / "flat.png")
    Image.new("RGB", (300, 20), "teal").save(folder / "low.png")
    (folder / "<b>broken<.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


def kinds(manifest):
    return {finding.source: finding.kind for finding in manifest.dropped}


def test_every_fault_is_named(tree):
    found = kinds(prepare(PrepareConfig(tree), WATCH).manifest)
    assert found.pop("soft.png") in {"blurry", "upscaled"}
    assert found == {
        "sub/twin.jpg": "duplicate",
        "sub/smaller.jpg": "near-duplicate",
        "flat.png": "flat",
        "low.png": "small",
        "<b>broken<.jpg": "unreadable",
    }


def test_a_fault_is_named_first_then_measured_and_the_option_that_keeps_it(tree):
    watch = Recorder()
    prepare(PrepareConfig(tree), watch)
    told = {line.split(":")[1].strip(): line for line in watch.warned}
    assert re.fullmatch(
        r"skipped: soft.png: (blurry|already upscaled) \(.* limit 2\.\d+\); "
        r"--(blurry|upscaled) keep uses it",
        told["soft.png"],
    )
    assert told["flat.png"].startswith("skipped: flat.png: flat (9 of 10 blocks")
    assert told["flat.png"].endswith("--flat keep uses it")
    assert told["sub/twin.jpg"] == (
        "skipped: sub/twin.jpg: duplicate (same file as photo-01.jpg); --duplicates keep uses it"
    )


def test_the_size_on_disk_is_told_before_anything_is_written(tree, home):
    watch = Recorder()
    watch.bar = lambda *_, **__: pytest.fail(f"{watch.said}")
    with pytest.raises(pytest.fail.Exception, match=r"disk: up to \d+ MB in .*tree-x2"):
        prepare(PrepareConfig(tree), watch)
    assert not list(home.rglob("shard-*"))


def test_of_a_large_set_it_is_told_what_would_make_it_smaller(tmp_path, home):
    assert not home.exists()
    (tmp_path / "in").mkdir()
    for i in range(3):  # 3 bytes a pixel and a quarter of that for LR.
        Image.new("1", (16_000, 16_000)).save(tmp_path / "in" / f"{i}.png")
    job = plan(PrepareConfig(tmp_path / "in", max_side=0))
    said = disk_use(job, lots_of(job, {}))
    assert said.startswith("disk: up to 2.9 GB in ")
    assert said.endswith("; --max-side 2048 would make that 47 MB")
    job = plan(PrepareConfig(tmp_path / "in"))
    assert disk_use(job, lots_of(job, {})).startswith("disk: up to 47 MB")


def test_several_folders_and_files_make_one_set(tree, tmp_path, make_photographs):
    more = make_photographs(tmp_path / "more", count=3, size=(400, 300), seed=7)
    report = prepare(
        PrepareConfig((tree / "photo-00.png", tree / "photo-02.png", tmp_path / "more")), WATCH
    )
    assert report.folder.name == "tree-and-1-x2"
    assert [entry.source for entry in report.manifest.images] == [
        *(f"more/{path.name}" for path in more),
        *("tree/photo-00.png", "tree/photo-02.png"),
    ]


def test_faults_can_be_flagged_or_ignored(tree):
    actions = {"duplicates": "flag", "flat": "keep", "blurry": "flag", "upscaled": "flag"}
    manifest = prepare(PrepareConfig(tree, **actions), WATCH).manifest
    assert set(kinds(manifest)) == {"low.png", "<b>broken<.jpg"}
    assert {finding.source for finding in manifest.flagged} >= {
        "sub/twin.jpg",
        "sub/smaller.jpg",
        "soft.png",
    }
    assert "flat.png" in {entry.source for entry in manifest.images}


def test_evaluation_images_are_kept_out_even_when_changed(tree, tmp_path):
    (tmp_path / "Set1").mkdir()
    picture = Image.open(tree / "photo-02.png").resize((300, 225), Image.Resampling.LANCZOS)
    picture.save(tmp_path / "Set1" / "a.jpg", quality=70)
    manifest = prepare(PrepareConfig(tree, exclude=(tmp_path / "Set1",)), WATCH).manifest
    reasons = {finding.source: finding.reason for finding in manifest.dropped}
    assert reasons["photo-02.png"] == "looks like Set1/a.jpg of an evaluation set"
    assert "photo-02.png" not in {entry.source for entry in manifest.images}


def test_the_page_shows_what_was_left_out_and_runs_nothing(tree, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run(["prepare", str(tree), "--check", "--json", "--report", str(page)]) == 0
    document = json.loads(capsys.readouterr().out)
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure>") == len(document["manifest"]["dropped"])
    for option in ("--duplicates keep", "--flat keep", "--min-side"):
        assert option in text
    assert "There is hardly any structure to learn from." in text
    assert '<h2 id="h-1">Unreadable: 1</h2>' in text
    assert "<b>broken" not in text
    assert "&lt;b&gt;broken&lt;.jpg" in text
    assert not re.search(r"<script|https?://", text)
    assert text.count("data:image/jpeg") >= 6


def test_exported_images_are_those_of_the_set_and_can_be_prepared_again(tree):
    report = prepare(PrepareConfig(tree, export="png"), WATCH)
    store = Store(report.folder)
    for entry in store.manifest.images:
        for side, pixels in zip(("lr", "hr"), store.pair(entry), strict=True):
            path = report.folder / "png" / entry.split / side / f"{entry.source}.png"
            assert np.array_equal(np.asarray(Image.open(path)), pixels.numpy())
    again = prepare(PrepareConfig(report.folder / "png" / "train", name="again"), WATCH)
    assert len(again.manifest.images) == len(store.entries("train"))


@pytest.mark.parametrize("change", ["size", "seed", "photographs"])
def test_an_export_holds_nothing_that_the_set_no_longer_has(
    home, tmp_path, make_photographs, change
):
    assert not home.exists()
    make_photographs(tmp_path / "in", count=12, size=(180, 160))
    options = {"name": "set", "validation": 4, "min_side": 64, "export": "png"}
    folder = prepare(PrepareConfig(tmp_path / "in", **options), WATCH).folder
    if change == "photographs":
        make_photographs(tmp_path / "in" / "more", count=12, size=(180, 160), seed=5)
    else:
        options |= {"max_side": 128} if change == "size" else {"seed": 1}
        options["overwrite"] = True
    prepare(PrepareConfig(tmp_path / "in", **options), WATCH)
    store = Store(folder)
    wanted = {
        Path(entry.split, side, f"{entry.source}.png"): pixels.numpy().tobytes()
        for entry in store.manifest.images
        for side, pixels in zip(("lr", "hr"), store.pair(entry), strict=True)
    }
    assert images_below(folder / "png") == wanted


def test_an_interrupted_export_goes_on(tree):
    report = prepare(PrepareConfig(tree, export="png"), WATCH)
    paths = sorted((report.folder / "png").rglob("*.png"))
    paths[0].unlink()
    before = {path: path.stat().st_ino for path in paths[1:]}
    prepare(PrepareConfig(tree, export="png"), WATCH)
    assert paths[0].exists()
    assert before == {path: path.stat().st_ino for path in paths[1:]}


def images_below(folder):
    return {
        path.relative_to(folder): np.asarray(Image.open(path)).tobytes()
        for path in folder.rglob("*.png")
    }


@pytest.mark.usefixtures("home")
def test_all_cores_export_what_one_does(tmp_path, make_photographs, monkeypatch):
    monkeypatch.setattr(shards, "_LOT_PHOTOGRAPHS", 2)
    make_photographs(tmp_path / "in", count=5, size=(140, 132))
    writers = {}
    for cores in (1, 3):
        monkeypatch.setattr(processes, "num_cores", lambda cores=cores: cores)
        config = PrepareConfig(tmp_path / "in", name=f"by-{cores}", scale=(2, 4), min_side=64)
        folder = prepare(config, WATCH).folder
        with seen_processes(monkeypatch) as seen:
            writers[cores] = images_below(export_png(folder, WATCH))
        assert len(seen) == (3 if cores == 3 else 0)
    assert writers[1] == writers[3]
    wanted = {}
    for scale in (2, 4):
        store = Store(folder, scale)
        for entry in store.manifest.images:
            for side, pixels in zip((f"lr-x{scale}", "hr"), store.pair(entry), strict=True):
                path = Path(entry.split, side, f"{entry.source}.png")
                wanted[path] = pixels.numpy().tobytes()
    assert writers[1] == wanted


@contextmanager
def seen_processes(monkeypatch):
    """Collect the worker processes that are started."""
    seen = []
    start = BaseProcess.start

    def watched(process):
        seen.append(process)
        start(process)

    with monkeypatch.context() as patch:
        patch.setattr(BaseProcess, "start", watched)
        yield seen


@pytest.mark.usefixtures("home")
def test_export_of_a_damaged_set_says_so(tmp_path, make_photographs, monkeypatch):
    monkeypatch.setattr(shards, "_LOT_PHOTOGRAPHS", 2)
    make_photographs(tmp_path / "in", count=4, size=(140, 132))
    report = prepare(PrepareConfig(tmp_path / "in"), WATCH)
    path = report.folder / report.manifest.shards[0]
    path.write_bytes(path.read_bytes()[:100])
    for cores in (1, 2):
        monkeypatch.setattr(processes, "num_cores", lambda cores=cores: cores)
        with pytest.raises(InputError, match="damaged shard") as caught:
            export_png(report.folder, WATCH)
        assert caught.value.hint == f"repair the data set: srgan prepare {tmp_path / 'in'}"


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif"])
def test_results_of_srgan_are_skipped_and_their_originals_are_used(
    home, tmp_path, make_photographs, extension
):
    assert not home.exists()
    folder = tmp_path / "photos"
    make_photographs(folder, count=2, size=(300, 200), seed=3)
    model = save_bilinear(tmp_path / "bilinear.safetensors")
    report = Upscale(model)(folder, output=folder, ext=extension, suffix="_x2")
    made = {item.output.name: "upscaled" for item in report.written}
    assert len(made) == 2
    config = PrepareConfig(folder, min_side=64)
    manifest = prepare(config, WATCH).manifest
    assert kinds(manifest) == made
    assert {f.reason for f in manifest.dropped} == {"by srgan, as its metadata say"}
    assert len(manifest.images) == 2
    kept = prepare(replace(config, upscaled="keep", name="kept"), WATCH).manifest
    assert "upscaled" not in kinds(kept).values()


def test_an_image_is_skipped_for_a_fault_that_skips_it(tmp_path):
    path = tmp_path / "a.jpg"
    found = (("blocky", "as seen"), ("upscaled", "by srgan"))
    record = shards.Record(Photograph(path.name, 1, 1), findings=found, dropped=True)
    config = PrepareConfig(tmp_path, upscaled="flag", blocky="drop")
    assert [f.kind for f in select([record], config, {}).dropped] == ["blocky"]
