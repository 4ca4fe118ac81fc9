"""The ways to run a network on an image that benchmarks/upscale.py compares.

All but PyTorch's and srgan's own are optional: pip install onnx onnxruntime openvino ncnn.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[], object]


def networks(name: str) -> tuple[Any, str]:
    """Return the model and, for the title, what it is."""
    import torch

    from srgan_cli import engine
    from srgan_cli.config import preset
    from srgan_cli.engine.networks.architectures import make_generator

    torch.manual_seed(0)
    if name in {"bundled", "photo"}:
        return engine.load_model(engine.find_model("fidelity-x2", 2)), "fidelity-x2"
    if name == "compact":
        config: Any = preset(name, 2)
        title = f"preset {name}, ×2, random weights"
    else:
        config = replace(preset("esrgan", 4), num_blocks=2)
        title = "2 of 23 RRDBs, ×4, random weights"
    network = make_generator(config).eval().requires_grad_(False)
    return engine.Model(engine.ModelSource(name, Path(), ""), network, {}), title


def contenders(name: str, size: tuple[int, int], folder: Path) -> dict[str, Callable[[], Run]]:
    """Return the ways to upscale an image of 8 bits, on 2 threads: each is made when called.

    All but those of srgan take it whole; all turn it into floats and the result into 8 bits.
    """
    import torch
    from PIL import Image
    from torch import Tensor

    from srgan_cli.engine.devices.accelerators import VULKAN, offered_providers, vulkan_devices
    from srgan_cli.engine.runtimes.backends import NcnnRuntime
    from srgan_cli.engine.runtimes.ncnn_form import to_ncnn
    from srgan_cli.engine.runtimes.operations import note_operations
    from srgan_cli.imaging.tensors import from_image, to_pixels

    network = networks(name)[0].generator
    # Smooth, as photographs are: noise alone is what half precision is the worst at.
    few = np.random.default_rng(0).integers(0, 256, (size[0] // 4, size[1] // 4, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(few).resize(size[::-1], Image.Resampling.BICUBIC))
    path = folder / f"{name}.onnx"

    def upscaling(run: Callable[[Tensor], Tensor]) -> Run:
        return lambda: to_pixels(run(from_image(pixels)))

    def last(run: Callable[[Tensor], Tensor]) -> Run:
        return upscaling(lambda lr: run(lr.contiguous(memory_format=torch.channels_last)))

    def compiled() -> Run:
        model = copy.deepcopy(network).to(memory_format=torch.channels_last)
        return last(torch.compile(model, options={"freezing": True}))

    def onnx() -> Path:
        small = torch.rand(1, 3, 64, 64)
        axes = {"lr": {2: "height", 3: "width"}}
        names = {"input_names": ["lr"], "output_names": ["sr"], "dynamic_axes": axes}
        torch.onnx.export(network, (small,), path, dynamo=False, **names)
        return path

    def onnxruntime() -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(onnx(), options, providers=["CPUExecutionProvider"])
        return upscaling(
            lambda lr: torch.from_numpy(session.run(None, {"lr": lr.contiguous().numpy()})[0])
        )

    def openvino() -> Run:
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32"}
        vino = openvino.Core().compile_model(str(onnx()), "CPU", settings)
        return upscaling(lambda lr: torch.from_numpy(vino(lr.contiguous().numpy())[0]))

    def ncnn() -> Run:
        runtime = NcnnRuntime(to_ncnn(note_operations(network)))
        return upscaling(lambda lr: runtime.run(lr, exact=True))

    def srgan(runtime: Any, precision: Any = "fp32", device: str = "cpu") -> Run:
        from srgan_cli.engine.inference.loading import Execution
        from srgan_cli.observer import SilentBar, SilentObserver

        model = networks(name)[0]
        upscaler = Execution(device, precision, runtime).prepared(model, SilentObserver())
        if upscaler.problem:
            raise SystemExit(upscaler.problem)
        return partial(upscaler.upscale, pixels, SilentBar())

    accelerators = [VULKAN] * bool(vulkan_devices()) + [*offered_providers()]
    on_accelerators = {
        f"srgan --device {device}": partial(srgan, "auto", "fp32", device)
        for device in accelerators
    }
    return {
        "eager NCHW": lambda: upscaling(lambda lr: network(lr.contiguous())),
        "eager channels_last": lambda: last(
            copy.deepcopy(network).to(memory_format=torch.channels_last)
        ),
        "torch.compile + freezing": compiled,
        "ONNX Runtime": onnxruntime,
        "OpenVINO": openvino,
        "ncnn": ncnn,
        "srgan --runtime torch": lambda: srgan("torch"),
        "srgan --runtime auto": lambda: srgan("auto"),
        "srgan --precision auto": lambda: srgan("auto", "auto"),
        **on_accelerators,
    }
