"""OpenVINO as a runtime."""

import threading
from typing import Any

import torch
from torch import Tensor

from srgan_cli.allocator import lacks_memory
from srgan_cli.engine.runtimes.backends import ByThreads
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.errors import ResourceError
from srgan_cli.processes import num_cores


class OpenVinoRuntime:
    """OpenVINO, in fp32 on the CPU.

    Args:
        model: An ONNX file.

    Raises:
        UnsupportedError: It does not take the file.
    """

    name = "openvino"
    threaded = True

    def __init__(self, model: bytes) -> None:
        self._compiled = ByThreads(lambda num_threads: _compiled(model, num_threads))
        self._compiled.get()
        self._of_thread = threading.local()  # A request holds the memory of one run.

    def run(self, lr: Tensor, *, exact: bool) -> Tensor:  # noqa: ARG002 - it always is
        """Upscale a tile; see :class:`~srgan_cli.engine.runtimes.backends.Runtime`.

        Raises:
            MemoryError: Memory does not suffice for it.
            ResourceError: OpenVINO fails for another reason.
        """
        try:
            request = self._request()
            request.infer({0: lr.contiguous().numpy()})
            return torch.from_numpy(request.get_output_tensor(0).data.copy())
        except RuntimeError as error:
            if lacks_memory(error):
                raise MemoryError(f"OpenVINO could not run a tile: {error}") from error
            raise ResourceError(
                f"OpenVINO could not run a tile: {error}", hint="pass --runtime torch"
            ) from error

    def _request(self) -> Any:
        compiled = self._compiled.get()
        known = getattr(self._of_thread, "known", None)
        if known is None or known[0] is not compiled:
            known = self._of_thread.known = compiled, compiled.create_infer_request()
        return known[1]


def _compiled(model: bytes, num_threads: int) -> Any:
    import openvino

    # Each stream runs one tile at a time.
    streams = max(1, num_cores() // num_threads)
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # By default it is bf16 where the CPU has it.
        "INFERENCE_NUM_THREADS": streams * num_threads,
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": False,
    }
    try:
        core = openvino.Core()
        return core.compile_model(core.read_model(model), "CPU", settings)
    except RuntimeError as error:
        raise UnsupportedError(f"OpenVINO cannot load the network: {error}") from error
