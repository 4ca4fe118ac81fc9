"""Read a network of ncnn (github.com/Tencent/ncnn): layers in ``x.param``, numbers in ``x.bin``.

The first is a text: a magic number, the number of layers and values, and a line for each layer
with its kind, name, inputs, outputs and options. The second holds the numbers of all layers in
their order. Nothing is taken from the memory before the sizes in the text fit the second file.
"""

from pathlib import Path

from srgan_cli.engine.models.layer_files import LayerFile, LayerList, UnknownLayerError
from srgan_cli.engine.models.ncnn_layers import LAYERS
from srgan_cli.engine.models.ncnn_values import Numbers, Options
from srgan_cli.engine.networks.layered import INPUT
from srgan_cli.errors import WeightsError

SUFFIX = ".param"
_MAGIC = "7767517"
_LONGEST = 16 << 20  # Bytes; a network of 1000 layers takes 120 kB.
_HINT = "pass the .param and .bin of one network, as ncnn's converters write them"


def read_ncnn(path: Path) -> LayerFile:
    """Read ``x.param`` and the ``x.bin`` beside it.

    Raises:
        WeightsError: A file is missing or damaged, or has a layer that is not known here.
    """
    lines = _lines(path)
    beside = numbers_of(path)
    if not beside.is_file():
        raise WeightsError(f"{beside}: no such file beside {path.name}", hint=_HINT)
    try:
        return _read(lines, Numbers(beside))
    except UnknownLayerError as error:
        raise WeightsError(
            f"{path}: cannot be used: {error}", hint="choose another model, or its .onnx or .pth"
        ) from error
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        problem = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: damaged: {problem}", hint=_HINT) from error


def numbers_of(path: Path) -> Path:
    """Return the file with the numbers of a ``.param`` file."""
    return path.with_suffix(".bin")


def _lines(path: Path) -> list[str]:
    """Return the lines that describe layers."""
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    text = content.decode("utf-8", errors="replace") if len(content) <= _LONGEST else ""
    magic, counts, *lines = [*text.splitlines(), "", ""]
    if magic.strip() != _MAGIC:
        raise WeightsError(f"{path}: not a .param file of ncnn", hint=_HINT)
    lines = [line for line in lines if line.strip()]
    if counts.split()[:1] != [str(len(lines))]:
        told = " ".join(counts.split()[:1])[:20]
        raise WeightsError(f"{path}: damaged: {len(lines)} layers instead of {told}", hint=_HINT)
    return lines


def _read(lines: list[str], numbers: Numbers) -> LayerFile:
    made = LayerList()
    names: dict[str, str] = {}
    unread: dict[str, None] = {}
    for line in lines:
        kind, name, *rest = line.split()
        num_inputs, num_outputs = int(rest[0]), int(rest[1])
        given = rest[2 : 2 + num_inputs + num_outputs]
        if min(num_inputs, num_outputs) < 0 or len(given) != num_inputs + num_outputs:
            raise ValueError(f"{name[:40]}: other inputs and outputs than it says")
        inputs, outputs = given[:num_inputs], given[num_inputs:]
        options = Options(rest[2 + num_inputs + num_outputs :])
        for each in inputs:
            if each not in names:
                raise ValueError(f"{name[:40]} reads {each[:40]}, which no layer before it makes")
            unread.pop(each, None)
        if any(each in names for each in outputs):
            raise ValueError(f"{name[:40]} makes what another layer makes")
        unread |= dict.fromkeys(outputs)
        if kind == "Input":
            value = _input(names, options)
        elif kind in LAYERS:
            value = LAYERS[kind](made, numbers, [names[each] for each in inputs], options)
        else:
            raise UnknownLayerError(f"layers of kind {kind[:40]} are not supported")
        names |= dict.fromkeys(outputs, value)
    if len(unread) != 1:
        raise UnknownLayerError(f"it has {len(unread)} results instead of one")
    numbers.finish()
    return made.finish(names[next(iter(unread))])


def _input(names: dict[str, str], options: Options) -> str:
    if names:
        raise UnknownLayerError("it has more than one input")
    # Width and height are those of an example: ncnn takes any.
    if options.whole(2, 3) not in {0, 3}:
        raise UnknownLayerError(f"it takes {options.whole(2)} channels instead of RGB")
    return INPUT
