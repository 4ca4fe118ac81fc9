"""Load networks from files of other programs: pairs of ncnn, and ONNX."""

from pathlib import Path

import torch

from srgan_cli.engine.models import ncnn_files, onnx_files
from srgan_cli.engine.models.adoption import adopt
from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.foreign import ForeignNetwork
from srgan_cli.errors import ResourceError, WeightsError

_HINT = "choose another model, or the .safetensors or .pth file of this one"
_OFF = 0.3
"""How far from grey the result for a grey image may be before another range is tried."""


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files that a model consists of; the last one holds its numbers."""
    path = _with_layers(path)
    is_pair = path.suffix == ncnn_files.SUFFIX
    return (path, ncnn_files.numbers_of(path)) if is_pair else (path,)


def is_foreign(path: Path) -> bool:
    """Say whether a file is one of ncnn or ONNX, by its name."""
    return _with_layers(path).suffix in {ncnn_files.SUFFIX, onnx_files.SUFFIX}


def load_foreign(path: Path) -> Network | None:
    """Build the network of ncnn's or ONNX's files, in fp32 on the CPU.

    It is the class that srgan has for it, if any, else a list of layers that PyTorch runs, else an
    ONNX file that ONNX Runtime runs. Nothing in the file is executed.

    Args:
        path: ``x.param`` with ``x.bin`` beside it, either of the two, or ``x.onnx``.

    Returns:
        The network; None if the file is of another kind.

    Raises:
        WeightsError: The file is damaged, or holds no network that upscales RGB images.
    """
    if path.suffix == ".xml":
        raise WeightsError(
            f"{path}: a file of OpenVINO, which srgan does not read",
            hint="export the model to onnx instead",
        )
    if not is_foreign(path):
        return None
    path = _with_layers(path)
    try:
        if path.suffix == ncnn_files.SUFFIX:
            network = adopt(ncnn_files.read_ncnn(path))
        else:
            network = onnx_files.load_onnx(path)
        if isinstance(network, ForeignNetwork):
            _require_range(network)
    except (ValueError, RuntimeError, ResourceError) as error:
        problem = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path}: cannot be used: {problem}", hint=_HINT) from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}", hint=_HINT) from error
    except MemoryError as error:
        raise WeightsError(
            f"{path}: needs more memory than this machine has", hint=_HINT
        ) from error
    return network


def _with_layers(path: Path) -> Path:
    """Return the file with the layers for the one with their numbers."""
    layers = path.with_suffix(ncnn_files.SUFFIX)
    return layers if path.suffix == ".bin" and layers.is_file() else path


@torch.inference_mode()
def _require_range(network: ForeignNetwork) -> None:
    """Refuse a network that takes 0 to 255: grey in [0, 1] is black to it."""

    def grey(most: float) -> float:
        return float(network(torch.full((1, 3, 32, 32), most / 2)).mean()) / most

    if abs(grey(1) - 0.5) > _OFF and abs(grey(255) - 0.5) < _OFF:
        raise ValueError("it takes colours from 0 to 255 instead of 0 to 1")
