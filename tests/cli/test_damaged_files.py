"""Whatever becomes of a file that srgan keeps or is given: one error, one hint, a known code."""

import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from srgan_cli.engine.upscaling.ledger import LEDGER_FILE
from tests.toolbox import TINY, assert_fails

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


@pytest.fixture(autouse=True)
def _blocks_nothing():
    """End a test that waits for a pipe long before the tests' own limit."""

    def give_up(*_):
        raise TimeoutError("blocked")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _flipped(data: bytes) -> bytes:
    chance = random.Random(len(data))  # noqa: S311 - nothing secret
    flipped = bytearray(data)
    for _ in range(20):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _retyped(data: bytes, value: object) -> bytes:
    """Replace all values of a JSON document's outermost object, or of each line's."""
    try:
        documents = [json.loads(data)]
    except ValueError:
        documents = [json.loads(line) for line in data.splitlines()]
    return b"\n".join(json.dumps(dict.fromkeys(each, value)).encode() for each in documents) + b"\n"


MUTATIONS = {
    "emptied": lambda _: b"",
    "nuls": lambda data: b"\0" * len(data),
    "cut": lambda data: data[: len(data) // 2],
    "flipped": _flipped,
    "not UTF-8": lambda data: b"\xff\xfe" + data,
    "a list": lambda _: b"[]\n",
    "null": lambda _: b"null\n",
    "deep lists": lambda _: b"[" * 100_000,
    "deep objects": lambda _: b'{"a":' * 100_000,
    "closed deep lists": lambda _: b"[" * 100_000 + b"]" * 100_000,
    "a deep value": lambda _: b"a = " + b"[" * 100_000 + b"]" * 100_000,
    "a huge number": lambda _: b"9" * 10_000,
    "infinite": lambda data: data.replace(b": ", b": 1e999, ").replace(b"= ", b"= 1e999 #"),
}
JSON_MUTATIONS = {
    "all text": lambda data: _retyped(data, "a"),
    "all numbers": lambda data: _retyped(data, 10**30),
    "all null": lambda data: _retyped(data, None),
    "all lists of lists": lambda data: _retyped(data, [[1]]),
    "zero bytes in text": lambda data: _retyped(data, "a\0b"),
    "half a surrogate": lambda data: _retyped(data, "\ud800"),
}


def mutations(*, is_json: bool = True, but: tuple[str, ...] = ()) -> "pytest.MarkDecorator":
    known = MUTATIONS | (JSON_MUTATIONS if is_json else {})
    known = {name: mutate for name, mutate in known.items() if name not in but}
    return pytest.mark.parametrize("mutate", known.values(), ids=known.keys())


def damage(path: Path, mutate) -> None:
    path.write_bytes(mutate(path.read_bytes()))


@mutations()
def test_damaged_manifest_is_told(srgan, used_home, mutate):
    damage(used_home / "datasets/photos-x2/manifest.json", mutate)
    assert_fails(srgan("train", *TINY), 3, "manifest.json", "prepare")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"scales": []}, "scales"),
        ({"scales": [2, 7]}, "scales"),
        ({"shards": ["../../x.safetensors"]}, "shard"),
        ({"images": []}, "no train images"),
        ({"name": 5}, "name"),
        ({"settings": {"a": [[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]}}, "deep"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_manifest_that_no_set_has_is_told(srgan, used_home, change, word):
    path = used_home / "datasets/photos-x2/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert_fails(srgan("train", *TINY), 3, "manifest.json", word)


@pytest.mark.parametrize(
    "change",
    [
        {"source": "../../../outside"},
        {"source": "/outside"},
        {"shard": "shard-00000000000000000000.safetensors"},
        {"index": -1},
        {"width": 0},
        {"split": "test"},
    ],
)
def test_manifest_of_an_image_that_cannot_be_is_told(srgan, used_home, change):
    path = used_home / "datasets/photos-x2/manifest.json"
    document = json.loads(path.read_text())
    document["images"][0] |= change
    path.write_text(json.dumps(document))
    assert_fails(srgan("train", *TINY), 3, "manifest.json")


@mutations(but=("all text",))  # Which names a model, though none of that name is there.
@pytest.mark.parametrize("line", ["models default", "models list"])
def test_damaged_defaults_are_told(srgan, used_home, line, mutate):
    path = used_home / "models/defaults.json"
    path.parent.mkdir()
    path.write_text('{"2": "tiny"}')
    damage(path, mutate)
    assert_fails(srgan(*line.split()), 4, "defaults.json", "delete it")


@mutations(is_json=False)
def test_damaged_options_of_a_run_are_told(srgan, used_home, mutate):
    path = used_home / "runs/tiny/config.toml"
    damage(path, mutate)
    result = srgan("train", "--resume", "tiny")
    assert_fails(result, 3, "config.toml")


@mutations()
def test_damaged_metrics_cost_only_the_report(srgan, used_home, mutate):
    path = used_home / "runs/tiny/metrics.jsonl"
    damage(path, mutate)
    result = srgan("train", "--resume", "tiny")
    assert result.code == 0, result.err
    assert "Traceback" not in result.err
    for line in path.read_text().splitlines():
        assert json.loads(line)["step"] >= 0
    assert (used_home / "runs/tiny/report.html").is_file()


@mutations(is_json=False)
def test_damaged_config_file_is_told(srgan, tmp_path, mutate):
    path = tmp_path / "a.toml"
    path.write_text("batch = 4\n[weights]\npixel = 1\n")
    damage(path, mutate)
    result = srgan("train", "--config", path, "--name", "new")
    assert result.code in {2, 3}, result.err
    assert_fails(result, result.code)


@pytest.fixture(scope="session")
def scores(made, tmp_path_factory):
    """Write what an evaluation of the tiny run prints."""
    from srgan_cli.cli.render import jsonable
    from srgan_cli.config import EvalConfig
    from srgan_cli.engine import evaluate
    from srgan_cli.observer import SilentObserver

    path = tmp_path_factory.mktemp("scores") / "scores.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRGAN_HOME", str(made))
        report = jsonable(evaluate(EvalConfig(models=("tiny",)), SilentObserver()))
    del report["exhibits"]
    path.write_text(json.dumps(report))
    return path


@mutations()
@pytest.mark.usefixtures("used_home")
def test_damaged_scores_are_told(srgan, scores, tmp_path, mutate):
    path = tmp_path / "scores.json"
    shutil.copy(scores, path)
    damage(path, mutate)
    result = srgan("eval", "--model", "tiny", "--not-worse-than", path)
    assert_fails(result, 3, "scores.json")
    result = srgan("models", "card", "tiny", "-o", tmp_path / "card", "--scores", path)
    assert_fails(result, 3, "scores.json")


@pytest.mark.usefixtures("used_home")
def test_whole_scores_pass(srgan, scores, tmp_path):
    assert srgan("eval", "--model", "tiny", "--not-worse-than", scores).code == 0
    assert srgan("models", "card", "tiny", "-o", tmp_path, "--scores", scores).code == 0


@mutations(but=("emptied", "cut"))  # A kill before the first result leaves it so.
def test_damaged_ledger_never_means_to_upscale_twice(srgan, make_photographs, tmp_path, mutate):
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 32))
    command = ("upscale", image, "--in-place", "--model", "fidelity-x2")
    assert srgan(*command).code == 0
    once = image.read_bytes()
    ledger = tmp_path / "in" / LEDGER_FILE
    damage(ledger, mutate)
    assert_fails(srgan(*command), 3, LEDGER_FILE, "restore")
    assert image.read_bytes() == once


@mutations()
def test_damaged_ledger_lets_nothing_be_overwritten(srgan, make_photographs, tmp_path, mutate):
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 32))
    command = ("upscale", image, "-o", tmp_path / "out", "--model", "fidelity-x2")
    assert srgan(*command).code == 0
    made = (tmp_path / "out" / image.name).read_bytes()
    damage(tmp_path / "out" / LEDGER_FILE, mutate)
    result = srgan(*command)
    assert result.code == 7
    assert "pass --overwrite to replace it" in result.err
    assert (tmp_path / "out" / image.name).read_bytes() == made


def _with_header(path: Path, key: str, mutate) -> None:
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    text = mutate(header[key].encode()).decode("utf-8", "replace")
    save_file(load_file(path), path, header | {key: text})


@mutations()
def test_damaged_header_of_weights_is_told(srgan, used_home, mutate):
    path = used_home / "runs/tiny/weights.safetensors"
    _with_header(path, "srgan", mutate)
    for command in ("show", "list"):
        result = srgan("models", command, *(["tiny"] if command == "show" else []))
        assert result.code in {0, 4}
        assert "Traceback" not in result.err


@mutations()
def test_damaged_header_of_a_checkpoint_is_told(srgan, used_home, mutate):
    paths = sorted((used_home / "runs/tiny/checkpoints").iterdir())
    for path in paths:
        _with_header(path, "srgan-checkpoint", mutate)
    assert_fails(srgan("train", "--resume", "tiny"), 4, paths[-1].name)


@pytest.mark.parametrize(
    "line",
    [
        "upscale {image} -o out --model tiny",
        "eval {folder} --model tiny",
        "models show tiny",
        "models export tiny --to pth -o out",
        "models card tiny -o out",
        "models add {weights} --name new",
        "models blend tiny fidelity-x2",
        "models default tiny",
        "train --init tiny --name new",
    ],
)
def test_weights_with_a_flipped_bit_are_used_nowhere(
    srgan, used_home, make_photographs, tmp_path, monkeypatch, line
):
    monkeypatch.chdir(tmp_path)
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 32))
    weights = used_home / "runs/tiny/weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-500] ^= 1
    weights.write_bytes(bytes(data))
    line = line.format(image=image, folder=image.parent, weights=weights)
    assert_fails(srgan(*line.split()), 4, "weights.safetensors: damaged: its checksum")
    assert not (tmp_path / "out").exists()
    listed = srgan("models", "list")
    assert listed.code == 0
    assert "tiny: cannot be used" in listed.out


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@posix
@pytest.mark.parametrize("replace", [_pipe, _folder, _endless])
@pytest.mark.parametrize(
    ("name", "line", "code"),
    [
        ("home/datasets/photos-x2/manifest.json", "train --data photos-x2", 3),
        ("home/runs/tiny/config.toml", "train --resume tiny", 3),
        ("home/models/defaults.json", "models list", 4),
        ("home/runs/tiny/weights.safetensors", "models show tiny", 4),
        ("a.toml", "train --config a.toml", 3),
        ("scores.json", "eval --not-worse-than scores.json", 3),
        ("scores.json", "models card fidelity-x2 -o card --scores scores.json", 3),
        ("in/a.png", "upscale in -o out --model fidelity-x2", 7),
        ("in/a.png", "eval in --model fidelity-x2", 3),
        ("in/a.png", "prepare in", 3),
        (f"out/{LEDGER_FILE}", "upscale b.png -o out --model fidelity-x2", 3),
    ],
)
def test_what_is_no_file_does_not_block(
    srgan, used_home, make_photographs, tmp_path, monkeypatch, name, line, code, replace
):
    monkeypatch.chdir(tmp_path)
    assert used_home == tmp_path / "home"
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    replace(path)
    for photograph in make_photographs(tmp_path, count=1, size=(40, 32)):
        photograph.rename("b.png")
    result = srgan(*line.split())
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    assert " hint: " in result.err


@posix
def test_ledger_that_is_a_link_is_not_followed(srgan, make_photographs, tmp_path):
    (image,) = make_photographs(tmp_path / "in", count=1, size=(40, 32))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LEDGER_FILE).symlink_to(tmp_path / "victim")
    result = srgan("upscale", image, "-o", tmp_path / "out", "--model", "fidelity-x2")
    assert_fails(result, 3, LEDGER_FILE, "link", "delete it")
    assert not (tmp_path / "victim").exists()
