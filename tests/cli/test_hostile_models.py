"""Strange and hostile model files: one error, one hint, exit code 4, and no memory for them."""

import os
import struct
import sys
import zipfile

import pytest

from tests.toolbox import assert_fails, convolution_numbers, onnx_file, write_param

INPUT = "Input in 0 1 data"
CONVOLUTION = "Convolution a 1 1 data x 0=12 1=3 4=1 5=0 6=324"
SHUFFLE = "PixelShuffle b 1 1 x out 0=2"
NUMBERS = convolution_numbers(12, 3, 3, 3)
_MOST_MEMORY = 600 << 20


def ncnn(*lines, numbers=b""):
    return lambda folder: write_param(folder / "x.param", *lines, numbers=numbers)


def raw(name, content):
    def write(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def sparse(folder):
    """Write layers of 2^40 numbers, and a file that says it has them."""
    layer = f"Convolution a 1 1 data x 0={1 << 20} 1=3 4=1 5=0 6={9 << 40}"
    path = write_param(folder / "x.param", INPUT, layer)
    with path.with_suffix(".bin").open("wb") as file:
        file.truncate(1 << 40)
    return path


def onnx_of(build):
    """Write what ``build`` makes with ONNX's helper functions."""

    def write(folder):
        helper = pytest.importorskip("onnx.helper")
        pytest.importorskip("onnxruntime")
        (folder / "secret").write_bytes(b"\0" * 4)
        model = folder / "models"
        model.mkdir()
        (model / "x.onnx").write_bytes(build(helper))
        return model / "x.onnx"

    return write


def one(kind, **attributes):
    return lambda h: onnx_file([h.make_node(kind, ["lr"], ["sr"], **attributes)])


def external(location, **entries):
    def build(helper):
        from onnx import TensorProto

        tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=str(value))
        return onnx_file([helper.make_node("Mul", ["lr", "w"], ["sr"])], [tensor])

    return build


def loop(helper):
    from onnx import TensorProto

    outputs = [helper.make_tensor_value_info("y", 1, None)]
    body = helper.make_graph([helper.make_node("Identity", ["lr"], ["y"])], "body", [], outputs)
    condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    node = helper.make_node("If", ["c"], ["sr"], then_branch=body, else_branch=body)
    return onnx_file([node], [condition])


def functions(helper):
    made = helper.make_function(
        *("org.example", "Twice", ["x"], ["y"]),
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [helper.make_opsetid("", 17)],
    )
    return onnx_file([helper.make_node("Identity", ["lr"], ["sr"])], functions=[made])


def enormous(helper):
    """Make 2^40 numbers while it runs."""
    size = helper.make_tensor("n", 7, [1], [1 << 40])
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["lr", "sum"], ["sr"]),
    ]
    return onnx_file(nodes, [size])


def short(helper):
    tensor = helper.make_tensor("w", 1, [1], [1.0])
    tensor.dims[:] = [1 << 40]
    return onnx_file([helper.make_node("Mul", ["lr", "w"], ["sr"])], [tensor])


def bomb(folder):
    path = folder / "x.onnx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\0" * (64 << 20))
    return path


QUANTISED = struct.pack("<I", 0x000D4B38) + NUMBERS[4:]
FILES = {
    "layers of absurd sizes": (sparse, "impossible size"),
    "a negative size": (
        ncnn(INPUT, CONVOLUTION.replace("324", "-324"), SHUFFLE, numbers=NUMBERS),
        "impossible",
    ),
    "too few numbers": (ncnn(INPUT, CONVOLUTION, SHUFFLE, numbers=NUMBERS[:-4]), "bytes"),
    "too many numbers": (ncnn(INPUT, CONVOLUTION, SHUFFLE, numbers=NUMBERS + b"\0" * 4), "bytes"),
    "no numbers": (ncnn(INPUT, CONVOLUTION, SHUFFLE, numbers=b""), "bytes"),
    "quantised numbers": (ncnn(INPUT, CONVOLUTION, SHUFFLE, numbers=QUANTISED), "quantised"),
    "a layer of its own": (ncnn(INPUT, "Evil a 1 1 data out"), "Evil"),
    "a value from nowhere": (ncnn(INPUT, "ReLU a 1 1 other out"), "reads other"),
    "a value made twice": (ncnn(INPUT, "ReLU a 1 1 data data"), "another layer"),
    "two results": (ncnn(INPUT, "ReLU a 1 1 data x", "ReLU b 1 1 data y"), "results"),
    "an enormous enlargement": (
        ncnn(INPUT, "Interp a 1 1 data x 0=1 1=60 2=60", "Interp b 1 1 x y 0=1 1=60 2=60"),
        "too many numbers",
    ),
    "an option that is no number": (ncnn(INPUT, "Interp a 1 1 data x 0=1 1=x"), "damaged"),
    "a fold of nothing": (ncnn(INPUT, "PixelShuffle a 1 1 data x 0=0"), "cannot be used"),
    "grey": (ncnn("Input in 0 1 data 0=8 1=8 2=1", "ReLU a 1 1 data x"), "1 channels"),
    "four channels": (ncnn(INPUT, "Concat a 2 1 data data x"), "6 channels"),
    "colours to 255": (
        ncnn(INPUT, "BinaryOp a 1 1 data x 0=1 1=1 2=60", "ReLU b 1 1 x y 0=0.01"),
        "0 to 255",
    ),
    "no text": (raw("x.param", os.urandom(4096)), "not a .param file"),
    "no pair": (raw("x.param", b"7767517\n0 0\n"), "no such file"),
    "an operator of its own": (
        onnx_of(one("Evil", domain="org.example")),
        "org.example.Evil",
    ),
    "functions": (onnx_of(functions), "operators of its own"),
    "a branch": (onnx_of(loop), "loop or a branch"),
    "numbers outside its folder": (onnx_of(external("../secret")), "outside its folder"),
    "numbers at the root": (onnx_of(external("/etc/passwd")), "outside its folder"),
    "numbers that are not there": (onnx_of(external("other", length=1 << 40)), "missing"),
    "too many numbers outside": (onnx_of(external("x.onnx", length=1 << 40)), "shorter"),
    "a tensor of 2^40": (onnx_of(short), "damaged"),
    "2^40 numbers while it runs": (onnx_of(enormous), "cannot be used"),
    "a fixed size": (
        onnx_of(lambda h: onnx_file([h.make_node("Relu", ["lr"], ["sr"])], sides=(64, 48))),
        "48x64 pixels only",
    ),
    "one channel": (
        onnx_of(lambda h: onnx_file([h.make_node("Relu", ["lr"], ["sr"])], channels=1)),
        "1 channels",
    ),
    "colours in bytes": (
        onnx_of(lambda h: onnx_file([h.make_node("Cast", ["lr"], ["sr"], to=1)], kind=2)),
        "fp32",
    ),
    "another operator that fails": (onnx_of(one("Loop")), "cannot be used"),
    "no ONNX": (raw("x.onnx", os.urandom(4096)), "not an ONNX file"),
    "an empty file": (raw("x.onnx", b""), "not an ONNX file"),
    "a bomb": (bomb, "cannot be used"),
}


def peak():
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@pytest.mark.parametrize(("write", "words"), FILES.values(), ids=FILES)
def test_a_model_file_that_cannot_be_used_ends_in_one_line(srgan, tmp_path, write, words):
    path = write(tmp_path)
    before = peak()
    assert_fails(srgan("models", "show", path), 4, words, path.name.removesuffix(".bin"))
    assert peak() - before < _MOST_MEMORY


def test_a_file_with_damaged_bytes_is_refused_or_runs(srgan, tmp_path):
    path = write_param(tmp_path / "x.param", INPUT, CONVOLUTION, SHUFFLE, numbers=NUMBERS)
    text = path.read_bytes()
    for place in range(0, len(text), 11):
        for byte in b"9- ":
            path.write_bytes(text[:place] + bytes([byte]) + text[place + 1 :])
            result = srgan("models", "show", path)
            assert result.code == 0 or not assert_fails(result, 4)
