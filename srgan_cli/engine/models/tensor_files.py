"""Read weights files (safetensors, PyTorch pickles) without running any code in them."""

import json
import os
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.paths import written_beside

HEADER_KEY = "srgan"
"""Key of the safetensors header under which srgan describes the weights, as JSON."""

DIGEST_KEY = "crc32"
"""Key of the safetensors header for the :func:`tensors_digest` of files that srgan wrote."""

HINT = "choose a model of `srgan models list`, or a .safetensors or .pth file"

_NESTED = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.", "netG.", "generator.")


@dataclass(frozen=True, slots=True)
class TensorFile:
    """What a weights file holds."""

    path: Path
    tensors: Mapping[str, Tensor]
    """Parameters by the names they have in the file, without wrappers such as ``module.``."""
    header: Mapping[str, Any] | None
    """What srgan wrote into the header; None in files that others made."""


def read_tensors(path: Path) -> TensorFile:
    """Read a safetensors file, or a pickle that holds nothing but tensors.

    Which of the two it is is seen from its first bytes. Pickles are opened with
    ``weights_only=True``: what would run code is refused before it runs.

    Args:
        path: ``.safetensors``, ``.pth`` or ``.pt``. Parameters may lie below
            ``params_ema``, ``params``, ``state_dict`` …, with ``module.`` before each name.

    Raises:
        WeightsError: No such file, or it is damaged, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file", hint=HINT)
    with path.open("rb") as file:
        start = file.read(9)
    # Safetensors begin with a length of 8 bytes, any of which can look like a pickle's first.
    if start[8:] != b"{" and (start[:4] == b"PK\3\4" or start[:1] == b"\x80"):
        return TensorFile(path, _unwrapped(_read_pickle(path), path), None)
    return _read_safetensors(path)


def read_header(path: Path) -> Mapping[str, Any] | None:
    """Read what srgan wrote into the header of a safetensors file, without its tensors.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    with _refusing(path), safe_open(path, framework="pt") as file:
        return _header(file.metadata(), path)


def _read_safetensors(path: Path) -> TensorFile:
    with _refusing(path), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        header = _header(metadata, path)
        # Copies: the file may be replaced while they are in use.
        tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    digest = metadata.get(DIGEST_KEY)  # Those of older versions have none.
    if header is not None and digest not in (None, tensors_digest(tensors, metadata[HEADER_KEY])):
        raise WeightsError(
            f"{path}: damaged: its checksum does not match",
            hint="restore it from a copy, or train, add or blend the model again",
        )
    return TensorFile(path, _without_prefix(tensors), header)


class _refusing:  # noqa: N801 - used as a statement
    """Turn what safetensors says of a damaged file into an error with a hint."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError | SafetensorError | ValueError | RuntimeError):
            if self._path.suffix == ".safetensors":
                problem = str(error).splitlines()[0] if str(error) else type(error).__name__
                message = f"damaged, or not a weights file: {problem}"
            else:  # What safetensors says of other files helps nobody.
                message = "not a weights file"
            raise WeightsError(f"{self._path}: {message}", hint=HINT) from error


def _header(metadata: Mapping[str, str] | None, path: Path) -> Mapping[str, Any] | None:
    text = (metadata or {}).get(HEADER_KEY)
    if text is None:
        return None
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: not an srgan weights file: damaged header", hint=HINT)
    return header


def _read_pickle(path: Path) -> object:
    _require_plain_archive(path)
    try:
        # A file that is open: given a name, PyTorch goes by its ending.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # Old formats are nothing that a user can change.
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # Unpickling fails in many ways; none of them runs code.
        raise WeightsError(f"{path}: {_refusal(error)}", hint=_pickle_hint(error)) from error


def _require_plain_archive(path: Path) -> None:
    """Refuse an archive that holds a program, or that grows when it is read."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: damaged: {error}", hint=HINT) from error
    if any("/code/" in entry.filename for entry in entries):
        raise WeightsError(f"{path}: a TorchScript program, not a weights file", hint=HINT)
    # PyTorch stores numbers as they are.
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise WeightsError(f"{path}: a compressed archive, not a weights file", hint=HINT)


def _refusal(error: Exception) -> str:
    """Say in a line why a pickle was refused."""
    if match := re.search(r"GLOBAL (\S+)|Unsupported (?:global|class) (\S+)", str(error)):
        return f"refused without running it: the pickle asks for {match[1] or match[2]}"
    if isinstance(error, pickle.UnpicklingError) and "Weights only load failed" in str(error):
        return "refused without running it: the pickle holds more than tensors"
    return "damaged, or not a weights file"


def _pickle_hint(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return "pickles can contain programs; ask the author for .safetensors weights"
    return HINT


def _unwrapped(loaded: object, path: Path) -> dict[str, Tensor]:
    """Find the parameters in what a training program saved."""
    for key in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not _is_tensors(loaded):
        raise WeightsError(f"{path}: no network parameters in it", hint=HINT)
    for key, tensor in loaded.items():
        if tensor.layout != torch.strided or tensor.untyped_storage().nbytes() < tensor.nbytes:
            raise WeightsError(f"{path}: {key} is not a plain array of numbers", hint=HINT)
    return _without_prefix(loaded)


def _is_tensors(loaded: object) -> TypeGuard[dict[str, Tensor]]:
    return (
        isinstance(loaded, dict)
        and bool(loaded)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in loaded.items())
    )


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if tensors and all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def tensors_digest(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """Return a checksum of a text and all tensors; safetensors itself has none."""
    crc = zlib.crc32(text.encode())
    for key in sorted(tensors):
        flat = tensors[key].contiguous().reshape(-1).view(torch.uint8)
        crc = zlib.crc32(flat.numpy().data, zlib.crc32(key.encode(), crc))
    return f"{crc:08x}"


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, new: bool = False
) -> None:
    """Write a safetensors file in one step; an older one stays until the new one is complete.

    Raises:
        FileExistsError: There is one of that name, and it is to be a new one.
        OSError: The disk is full or the folder cannot be written.
    """
    with written_beside(path, new=new) as temporary:
        try:
            save_file(dict(tensors), temporary, {"format": "pt", **metadata})
        except SafetensorError as error:  # A full disk, in words of its own.
            if found := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error
            raise OSError(f"{path.name} could not be written: {error}") from error
