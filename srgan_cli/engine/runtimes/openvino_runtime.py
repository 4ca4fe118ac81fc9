"""OpenVINO as a runtime."""

import threading
from typing import Any

import torch
from torch import Tensor

from srgan_cli.engine.runtimes.backends import LibraryRuntime
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.processes import num_cores


class OpenVinoRuntime(LibraryRuntime[Any]):
    """OpenVINO, in fp32 on the CPU.

    Args:
        model: An ONNX file.

    Raises:
        UnsupportedError: It does not take the file.
    """

    name = "openvino"
    library = "OpenVINO"

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._of_thread = threading.local()  # A request holds the memory of one run.
        super().__init__()

    def _load(self, num_threads: int) -> Any:
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
            return core.compile_model(core.read_model(self._model), "CPU", settings)
        except RuntimeError as error:
            raise UnsupportedError(f"OpenVINO cannot load the network: {error}") from error

    def _upscale(self, loaded: Any, lr: Tensor) -> Tensor:
        known = getattr(self._of_thread, "known", None)
        if known is None or known[0] is not loaded:
            known = self._of_thread.known = loaded, loaded.create_infer_request()
        request = known[1]
        request.infer({0: lr.contiguous().numpy()})
        return torch.from_numpy(request.get_output_tensor(0).data.copy())
