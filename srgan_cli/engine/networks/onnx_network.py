"""Networks in ONNX files that have operators which only ONNX Runtime computes here."""

import os
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from srgan_cli.allocator import lacks_memory
from srgan_cli.engine.networks.foreign import ForeignNetwork
from srgan_cli.errors import ResourceError

if TYPE_CHECKING:
    import onnx

_HEADER_KEY = "onnx"
_MOST_BYTES = (1 << 31) - 1  # What the format allows.
_FLOAT = 1
_STANDARD = {"", "ai.onnx"}
_LEAST_MEMORY = 2 << 30


class OnnxNetwork(ForeignNetwork):
    """Runs an ONNX file in ONNX Runtime, in fp32 on the CPU, whatever the device.

    Args:
        file: The file, as bytes; on the meta device, until ``load_state_dict`` brings them.

    Raises:
        ValueError: It is no network that upscales RGB images of any size, or not installed.
    """

    file: Tensor
    _base = 64

    def __init__(self, file: Tensor) -> None:
        super().__init__()
        self.register_buffer("file", file)
        self._sessions: dict[int, Any] = {}
        self.elsewhere: Any = None
        """A session on another device, which is taken if there is one."""
        self.register_load_state_dict_post_hook(_open)  # type: ignore[no-untyped-call]
        if not file.is_meta:
            self.open()

    def open(self) -> None:
        """Check the file, and find out what the network does."""
        model = parse(self.file.numpy().tobytes())
        self._input = require_image_to_image(model)
        self.measure()

    @property
    def architecture(self) -> str:
        """All that is known of it."""
        return "ONNX file"

    def result_shape(self, height: int, width: int) -> tuple[int, int, int] | None:
        """Run it on grey; see :class:`ForeignNetwork`."""
        try:
            result = self.compute(torch.full((1, 3, height, width), 0.5))
        except (MemoryError, ValueError, ResourceError):
            return None
        return tuple(result.shape[1:]) if result.ndim == 4 else None  # type: ignore[return-value]

    def compute(self, lr: Tensor) -> Tensor:
        """Run it on each image of a batch.

        Raises:
            MemoryError: Memory does not suffice for such an image.
            ResourceError: It fails for another reason.
        """
        session = self.elsewhere or self._session(torch.get_num_threads())
        images = lr.detach().float().cpu().numpy()
        try:
            results = [session.run(None, {self._input: each[None]})[0] for each in images]
        except Exception as error:  # Its errors have no class of their own that is documented.
            problem = " ".join(str(error).split())[-160:]
            problem = f"ONNX Runtime could not run a tile: {problem}"
            if lacks_memory(error):
                raise MemoryError(problem) from error
            raise ResourceError(
                problem, hint="pass another --tile or choose another model"
            ) from error
        return torch.cat([torch.from_numpy(each) for each in results]).to(lr)

    def with_session(self, session: Any) -> Self:
        """Return the network as another session of ONNX Runtime runs it, which has its file."""
        other = copy(self)
        other.elsewhere = session
        return other

    def _session(self, num_threads: int) -> Any:
        if num_threads not in self._sessions:
            self._sessions[num_threads] = _opened(self.file.numpy().tobytes(), num_threads)
        return self._sessions[num_threads]

    def _apply(self, fn: Any, recurse: bool = True) -> Self:  # noqa: ARG002
        """Stay on the CPU: the file is not what the network computes with."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Share the file, which nothing changes."""
        return copy(self)

    def to_header(self) -> Mapping[str, Any]:
        """Return the file's size."""
        return {_HEADER_KEY: len(self.file)}

    @classmethod
    def from_header(cls, header: Mapping[str, Any], num_tensors: int) -> Self | None:
        """Make room for the file, on the meta device."""
        del num_tensors
        size = header.get(_HEADER_KEY)
        if size is None:
            return None
        if not isinstance(size, int) or not 0 < size <= _MOST_BYTES:
            raise ValueError("an ONNX file of impossible size")
        return cls(torch.empty(size, dtype=torch.uint8, device="meta"))


def _open(network: OnnxNetwork, _: object) -> None:
    network.open()


def parse(content: bytes) -> "onnx.ModelProto":
    """Read an ONNX file, and refuse what would run more than its own operations.

    Raises:
        ValueError: It is damaged, or has operations of others, programs, or files beside it.
    """
    try:
        import onnx
    except ImportError as error:
        raise ValueError("it needs onnx: pip install 'srgan-cli[onnx]'") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:
        raise ValueError("damaged, or not an ONNX file") from error
    if not model.graph.node or not model.opset_import:
        raise ValueError("damaged, or not an ONNX file")
    if model.functions:
        raise ValueError("it defines operators of its own, which are not supported")
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            operator = f"{node.domain}.{node.op_type}"[:60]
            raise ValueError(f"its operator {operator} is not one of ONNX")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ValueError(
                f"its operator {node.op_type[:40]} (a loop or a branch) is not supported"
            )
    return model


def tensors_of(model: "onnx.ModelProto") -> "Iterator[onnx.TensorProto]":
    """Yield all tensors that a file holds: numbers, and those of attributes."""
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def require_image_to_image(model: "onnx.ModelProto") -> str:
    """Refuse a network that does not map RGB images of any size to an image.

    Returns:
        The name of its input.

    Raises:
        ValueError: The message says why.
    """
    if any(tensor.data_location == tensor.EXTERNAL for tensor in tensors_of(model)):
        raise ValueError("its numbers are in another file")
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        counts = f"{len(inputs)} inputs and {len(model.graph.output)} outputs"
        raise ValueError(f"it has {counts} instead of one of each")
    kind = inputs[0].type.tensor_type
    if kind.elem_type != _FLOAT:
        raise ValueError("its input is not of fp32, in the range [0, 1]")
    sides = [side.dim_value if side.HasField("dim_value") else 0 for side in kind.shape.dim]
    if kind.HasField("shape") and len(sides) != 4:
        raise ValueError(f"its input has {len(sides)} dimensions instead of N, 3, H, W")
    if sides and sides[1] not in {0, 3}:
        raise ValueError(f"it takes {sides[1]} channels instead of RGB")
    if any(sides[2:]):
        fixed = "x".join(str(side or "any") for side in sides[:1:-1])
        raise ValueError(f"it takes images of {fixed} pixels only")
    return str(inputs[0].name)


def _opened(content: bytes, num_threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError("it needs onnxruntime: pip install 'srgan-cli[onnx]'") from error
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 4  # What it prints is in its exceptions, too.
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        problem = " ".join(str(error).split())[:160]
        raise ValueError(f"ONNX Runtime cannot load it: {problem}") from error


@cache
def _limit_memory() -> None:
    """Let no operation take more than half of the machine's memory, whatever sizes it computes."""
    import onnxruntime

    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        machine = 8 << 30
    arena = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    limit = max(_LEAST_MEMORY, machine // 2)
    onnxruntime.create_and_register_allocator(arena, onnxruntime.OrtArenaCfg(limit, -1, -1, -1))
