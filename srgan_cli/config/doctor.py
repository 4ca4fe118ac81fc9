"""Options of ``srgan doctor``."""

from dataclasses import dataclass
from typing import Annotated

from srgan_cli.config.option import Option


@dataclass(frozen=True)
class DoctorConfig:
    """Options of ``srgan doctor``."""

    measure: Annotated[
        bool,
        Option("Measure how fast each device and runtime upscales, in about half a minute."),
    ] = False
    models: Annotated[
        tuple[str, ...],
        Option(
            "Model to measure, as srgan upscale takes it; repeatable; implies --measure.",
            "NAME|FILE",
            unset="photo-x2",
            flags=("--model", "-n"),
        ),
    ] = ()
