"""Several processes share one batch; torchrun itself takes a moment, so it starts once."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from srgan_cli.config import DenseConfig
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.engine.upscaling.batch import share_of
from srgan_cli.engine.upscaling.ledger import Ledger
from tests.toolbox import call, finished, random_generator, synthetic_photograph, torchrun

# Wide enough for the fast convolutions.
SMALL = DenseConfig(2, 32, 32, 1, 1, 1, 1.0, "pixelshuffle")


def results(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith(".srgan-ledger")
    }


@pytest.mark.skipif(os.name == "nt", reason="torchrun of Windows builds differs")
@pytest.mark.usefixtures("home")
def test_torchrun_shares_a_batch_out_and_equals_a_single_process(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    for number in range(7):
        image = synthetic_photograph(20 + 9 * number, 30, number)
        Image.fromarray(image).save(source / f"{number}.png")
    (source / "bad.png").write_text("no image")
    model = tmp_path / "w.safetensors"
    save_weights(model, random_generator(SMALL), {})
    arguments = ("upscale", source, "--model", model, "-o")
    assert call(capsys, *arguments, tmp_path / "single").code == 7
    _, err = finished(torchrun(*arguments, tmp_path / "many"), code=1)
    # The process that speaks for all met an image that cannot be read, and waited for the rest.
    assert err.count("bad.png: ") == 1, err
    assert results(tmp_path / "many") == results(tmp_path / "single")
    ledgers = sorted((tmp_path / "many").glob(".srgan-ledger*"))
    assert len(ledgers) == 2
    lines = [line for ledger in ledgers for line in ledger.read_text().splitlines()]
    assert len(lines) == 7  # No image was done twice.
    assert min(len(ledger.read_text().splitlines()) for ledger in ledgers) >= 2
    # A rank that had died would have left gaps: what is missing is all that a rerun does.
    (tmp_path / "many" / "3.png").unlink()
    rerun = call(capsys, *arguments, tmp_path / "many", "--json")
    assert rerun.out.count('"frames"') == 1, rerun.err
    assert results(tmp_path / "many") == results(tmp_path / "single")


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 5])
def test_every_job_is_one_ranks_and_the_loads_are_even(num_ranks):
    sizes = [float(size) for size in np.random.default_rng(0).integers(1, 12, 40)]
    jobs = [
        SimpleNamespace(place=place, header=SimpleNamespace(megapixels=size))
        for place, size in enumerate(sizes)
    ]
    shares = [share_of(jobs, rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)]
    places = [[job.place for job in share] for share in shares]
    assert sorted(place for share in places for place in share) == list(range(40))
    assert all(share == sorted(share) for share in places)
    loads = [sum(sizes[place] for place in share) for share in places]
    assert max(loads) - min(loads) <= max(sizes)


SOME, OTHER = "a" * 64, "b" * 64


def test_ledgers_of_all_ranks_are_read(tmp_path):
    made = tmp_path / "a.png"
    made.write_text("result")
    with Ledger(tmp_path, rank=1) as ledger:
        ledger.record(made, input_sha256=SOME, settings=[SOME], made=made)
    for rank in (0, 2):
        with Ledger(tmp_path, rank=rank) as ledger:
            assert ledger.is_fresh(made, input_sha256=SOME, settings=[SOME])
            assert not ledger.is_fresh(made, input_sha256=SOME, settings=[OTHER])
    assert [path.name for path in tmp_path.glob(".srgan-*")] == [".srgan-ledger-1.jsonl"]
