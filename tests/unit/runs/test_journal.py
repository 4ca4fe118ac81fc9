"""What a run says of itself, and what it forgets when it goes back."""

import json
import sys

import pytest

from srgan_cli.engine.runs.journal import EVENTS, METRICS_FILE, Journal
from srgan_cli.engine.runs.progress import RollBack
from srgan_cli.errors import UsageError


def record(step, **values):
    return {"step": step, "phase": "pretrain", "pixel": 0.5, **values}


def lines(run):
    return [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]


def test_going_back_drops_later_records_and_a_line_cut_short(tmp_path):
    journal = Journal(tmp_path)
    for step in (10, 20, 30):
        journal.log(record(step))
    with (tmp_path / METRICS_FILE).open("a") as file:
        file.write('{"step": 40, "pha')
    again = Journal(tmp_path)
    again.read(20)
    assert [entry["step"] for entry in again.records] == [10, 20]
    assert lines(tmp_path) == again.records


def test_each_roll_back_has_one_line_however_often_the_log_is_read(tmp_path):
    journal = Journal(tmp_path)
    for step in (10, 20, 30):
        journal.log(record(step))
    rollbacks = (RollBack(30, 20, "one"), RollBack(28, 10, "two"))
    for _ in range(2):
        journal.read(20, rollbacks)
        marks = [
            (entry["step"], entry["rolled_back_from"], entry["reason"])
            for entry in lines(tmp_path)
            if "rolled_back_from" in entry
        ]
        assert marks == [(10, 28, "two"), (20, 30, "one")]


def test_processes_that_do_not_lead_remember_and_write_nothing(tmp_path):
    journal = Journal(tmp_path, writes=False)
    journal.log(record(10))
    assert [entry["step"] for entry in journal.records] == [10]
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    Journal(tmp_path)
    with pytest.raises(UsageError) as caught:
        Journal(tmp_path, tensorboard=True)
    assert "srgan-cli[tensorboard]" in caught.value.hint


def test_event_files_hold_every_number(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, tensorboard=True)
    journal.log(record(10, wasserstein=None))
    journal.log(record(20, validation_psnr=31.5, verdict="healthy"))
    journal.close()
    events = EventAccumulator(str(tmp_path / EVENTS))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        *("pretrain/pixel", "validation/pixel", "validation/validation_psnr")
    }
    (scalar,) = events.Scalars("validation/validation_psnr")
    assert (scalar.step, scalar.value) == (20, 31.5)
