import json
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.data.manifest import (
    FORMAT,
    MANIFEST,
    Finding,
    Manifest,
    ManifestEntry,
    find_dataset,
)
from srgan_cli.errors import InputError
from srgan_cli.paths import datasets_dir

ENTRY = ManifestEntry("a/ü.png", "00ff", 64, 48, "train", "shard-0.safetensors", 0)
BLURRY = Finding("b.png", "blurry", "soft")
ANY = Manifest("flowers", (2,), "f1", "l1", {"seed": 0}, (ENTRY,), (BLURRY,), (), (ENTRY.shard,))


def _make_set(name, seconds=0):
    folder = datasets_dir() / name
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(ANY.to_json())
    os.utime(folder / MANIFEST, (1_700_000_000 + seconds,) * 2)
    return folder


def _refusal(folder):
    with pytest.raises(InputError) as caught:
        Manifest.read(folder)
    assert str(folder) in caught.value.message
    assert "srgan prepare" in caught.value.hint
    return caught.value.message


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
numbers = st.integers(1, 2**62)
entries = st.builds(
    ManifestEntry,
    index=numbers,
    source=texts.filter(lambda name: not name.startswith("/") and ".." not in name.split("/")),
    sha256=texts,
    width=numbers,
    height=numbers,
    split=st.sampled_from(["train", "validation"]),
    shard=st.just("shard-a"),
)
findings = st.builds(Finding, source=texts, kind=st.just("flat"), reason=texts)
names = st.from_regex(r"\Ashard-[0-9a-f]{4}\Z")
manifests = st.builds(
    Manifest,
    name=texts,
    scales=st.lists(st.sampled_from([2, 3, 4, 8]), min_size=1).map(tuple),
    fingerprint=texts,
    listing=texts,
    settings=st.dictionaries(texts, numbers | st.booleans()),
    images=st.lists(entries).map(tuple),
    dropped=st.lists(findings).map(tuple),
    flagged=st.lists(findings).map(tuple),
    shards=st.lists(names).map(lambda some: ("shard-a", *some)),
    format=st.just(FORMAT),
)


@given(manifests)
@settings(max_examples=25, deadline=None)
def test_what_was_written_is_read_back(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("set")
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    assert Manifest.read(folder) == manifest


@given(manifests)
@settings(max_examples=5, deadline=None)
def test_a_manifest_from_before_1_0_which_calls_its_images_pictures_is_read(
    tmp_path_factory, manifest
):
    folder = tmp_path_factory.mktemp("set")
    values = json.loads(manifest.to_json())
    values["pictures"] = values.pop("images")
    (folder / MANIFEST).write_text(json.dumps(values))
    assert Manifest.read(folder) == manifest


def test_file_names_that_are_not_unicode_survive(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    manifest = replace(ANY, dropped=(Finding(name, "unreadable", "cut off"),))
    (tmp_path / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    assert Manifest.read(tmp_path).dropped[0].source == name


def test_a_folder_without_a_manifest_is_no_data_set(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder in (tmp_path, tmp_path / "missing", file):
        assert "holds no prepared data set" in _refusal(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        b"\xff\xfe",
        json.dumps({"format": FORMAT}),
        json.dumps(json.loads(ANY.to_json()) | {"images": [{"index": 0}]}),
        json.dumps(json.loads(ANY.to_json()) | {"images": None}),
        json.dumps(json.loads(ANY.to_json()) | {"colour": "red"}),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "not a data set manifest" in _refusal(tmp_path)


def test_a_manifest_of_another_format_is_refused_by_its_number(tmp_path):
    values = json.loads(ANY.to_json()) | {"format": FORMAT + 1}
    (tmp_path / MANIFEST).write_text(json.dumps(values))
    assert f"format {FORMAT + 1}" in _refusal(tmp_path)


@pytest.mark.parametrize("name", ["../shard", "/etc/passwd", "a/b"])
def test_shards_outside_the_folder_are_refused(tmp_path, name):
    (tmp_path / MANIFEST).write_text(replace(ANY, shards=(name,)).to_json())
    assert "outside its folder" in _refusal(tmp_path)


@pytest.mark.usefixtures("home")
def test_the_newest_data_set_is_taken():
    _make_set("b", 0)
    newest = _make_set("a", 20)
    _make_set("c", 10)
    _make_set(".draft", 30)
    (datasets_dir() / "z-empty").mkdir()
    (datasets_dir() / "file").touch()
    assert find_dataset(None) == (newest, "the newest prepared")


@pytest.mark.usefixtures("home")
def test_a_data_set_is_found_by_name_and_by_folder(tmp_path):
    named = _make_set("flowers")
    _make_set("newer", 10)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MANIFEST).write_text(ANY.to_json())
    assert find_dataset("flowers") == (named, "--data")
    assert find_dataset(str(elsewhere)) == (elsewhere, "--data")


@pytest.mark.usefixtures("home")
def test_without_a_data_set_the_user_is_told_what_to_run():
    with pytest.raises(InputError) as caught:
        find_dataset(None)
    assert "srgan prepare" in caught.value.hint


@pytest.mark.usefixtures("home")
def test_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(InputError) as caught:
        find_dataset("trees")
    assert caught.value.hint == "prepared data sets: none yet"
    _make_set("flowers")
    _make_set("birds")
    with pytest.raises(InputError) as caught:
        find_dataset("trees")
    assert "trees" in caught.value.message
    assert caught.value.hint == "prepared data sets: birds, flowers"
