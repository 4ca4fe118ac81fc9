import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from srgan_cli.engine.models.tensor_files import read_tensors
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.errors import WeightsError


class Malicious:
    """Unpickled, it writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


def refusal(path):
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_runs_nothing_and_is_named(tmp_path, zipped):
    path, trace = tmp_path / "x.pth", tmp_path / "it-ran"
    state = SRVGGNetCompact(4, 1, 2).state_dict()
    torch.save(
        {"params": state, "more": Malicious(trace)}, path, _use_new_zipfile_serialization=zipped
    )
    assert "system" in refusal(path)
    assert not trace.exists()
    with path.open("rb") as file:  # The attempt is a real one.
        torch.load(file, weights_only=False)
    assert trace.exists()


def test_a_plain_malicious_pickle_runs_nothing(tmp_path):
    path, trace = tmp_path / "x.pt", tmp_path / "it-ran"
    path.write_bytes(pickle.dumps(Malicious(trace)))
    refusal(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 - the attempt is a real one
    assert trace.exists()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    torch.jit.trace(torch.nn.Conv2d(3, 3, 3), torch.rand(1, 3, 8, 8)).save(str(path))
    assert "TorchScript" in refusal(path)


def test_an_archive_that_grows_is_refused_before_it_does(tmp_path):
    stored, packed = tmp_path / "stored.pth", tmp_path / "packed.pth"
    torch.save({"a": torch.zeros(1_000_000)}, stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    assert packed.stat().st_size < 100_000
    assert "compressed" in refusal(packed)


def test_a_small_storage_cannot_claim_to_be_a_large_array(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1).expand(10**12)}, path)
    assert "a is not a plain array" in refusal(path)


def with_header(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


ABSURD = {
    "a length beyond the file": struct.pack("<Q", 2**62) + b"{}",
    "a header of a terabyte": struct.pack("<Q", 10**12) + b"{" * 100,
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "an empty file": b"",
    "a single byte": b"\x01",
}


@pytest.mark.parametrize("content", ABSURD.values(), ids=ABSURD)
def test_absurd_safetensors_are_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]},
        "a text",
    ],
)
def test_absurd_entries_are_refused(tmp_path, entry):
    refusal(with_header(tmp_path / "x.safetensors", {"a": entry}, b"\0" * 4))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_a_renamed_jpeg_is_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.new("RGB", (64, 64)).save(path, "JPEG")
    refusal(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"x{suffix}"
    state = SRVGGNetCompact(8, 2, 2).state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    refusal(path)


@pytest.mark.parametrize(
    "saved", [{}, [], 5, {"a": 1}, {1: torch.zeros(1)}, {"params": {"a": "b"}}]
)
def test_a_pickle_without_parameters_is_refused(tmp_path, saved):
    path = tmp_path / "x.pth"
    torch.save(saved, path)
    assert "no network parameters" in refusal(path)


def test_sparse_tensors_are_refused(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(3, 3).to_sparse()}, path)
    refusal(path)


def test_what_a_file_is_follows_from_its_bytes_not_its_name(tmp_path):
    path = tmp_path / "x.safetensors"
    torch.save({"a": torch.arange(3.0)}, path)
    assert read_tensors(path).tensors["a"].tolist() == [0, 1, 2]
    save_file({"a": torch.arange(3.0)}, tmp_path / "y.pth")
    assert read_tensors(tmp_path / "y.pth").tensors["a"].tolist() == [0, 1, 2]


def test_a_header_whose_length_begins_like_a_pickle_is_still_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    seen = set()
    for padding in range(0, 512, 8):
        save_file({"a": torch.arange(3.0)}, path, {"srgan": json.dumps({"x": "y" * padding})})
        seen.add(path.read_bytes()[0])
        assert read_tensors(path).tensors["a"].tolist() == [0, 1, 2]
    assert 0x80 in seen


def test_random_bytes_are_refused(tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "x.pth"
    for start in (b"", b"PK\3\4", b"\x80\x02", b"\x80\x05"):
        for _ in range(20):
            path.write_bytes(start + random.bytes(200))
            refusal(path)
