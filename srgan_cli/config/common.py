"""Options that several commands have."""

from typing import Annotated, Literal

from srgan_cli.config.option import Option

BUNDLED = ("photo-x2", "photo-x4", "fidelity-x2", "fidelity-x4", "restore-x2", "restore-x4")
"""Names of the models that come with the program; of one scale, the first is the default."""

SPEED = "Device and speed"
"""Panel of the options that say what the network runs on."""

Precision = Literal["auto", "fp32", "fp16", "bf16"]
RuntimeName = Literal["auto", "torch", "ncnn", "onnxruntime", "openvino"]

PrecisionField = Annotated[
    Precision,
    Option(
        "Numeric precision: fp32, fp16, bf16, or auto (the fastest that the device supports).",
        "NAME",
        SPEED,
        common=True,
    ),
]
DeviceField = Annotated[
    str, Option("Device: auto, cpu, cuda:1, mps, xpu.", "NAME", SPEED, common=True)
]
UpscalingDeviceField = Annotated[
    str,
    Option(
        "Device: auto, cpu, cuda, cuda:1, mps, xpu, vulkan; srgan doctor lists all.", "NAME", SPEED
    ),
]
RuntimeField = Annotated[
    RuntimeName,
    Option("Software that runs the network; auto picks the fastest installed.", panel=SPEED),
]
TileField = Annotated[
    int | None,
    Option(
        "Side of the square that the network upscales at once, in LR pixels.",
        "PIXELS",
        SPEED,
        unset="as large as fits into memory",
        flags=("--tile", "-t"),
    ),
]
