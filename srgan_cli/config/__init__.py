"""One frozen dataclass per command, validated when it is made. No torch here."""

from srgan_cli.config.checks import SCALES, require_plain_name
from srgan_cli.config.common import Precision, RuntimeName
from srgan_cli.config.compare import CompareConfig
from srgan_cli.config.doctor import DoctorConfig
from srgan_cli.config.evaluate import EXTRA_METRICS, Channel, EvalConfig
from srgan_cli.config.file import (
    SAME_LENGTH,
    displaced,
    merged,
    read_options,
    to_toml,
)
from srgan_cli.config.generator import (
    PRESETS,
    SIZES,
    DenseConfig,
    GeneratorConfig,
    PlainConfig,
    SpanConfig,
    SrvggConfig,
    Upsampler,
    preset,
)
from srgan_cli.config.losses import LossWeights
from srgan_cli.config.models import ExportConfig, Target
from srgan_cli.config.option import made
from srgan_cli.config.prepare import Action, PrepareConfig
from srgan_cli.config.recipes import RECIPES, read_recipe
from srgan_cli.config.train import (
    Adversarial,
    Degrade,
    DiscriminatorName,
    Judge,
    OptimizerName,
    PixelLoss,
    Schedule,
    TrainConfig,
)
from srgan_cli.config.upscale import UpscaleConfig

__all__ = [
    "EXTRA_METRICS",
    "PRESETS",
    "RECIPES",
    "SAME_LENGTH",
    "SCALES",
    "SIZES",
    "Action",
    "Adversarial",
    "Channel",
    "CompareConfig",
    "Degrade",
    "DenseConfig",
    "DiscriminatorName",
    "DoctorConfig",
    "EvalConfig",
    "ExportConfig",
    "GeneratorConfig",
    "Judge",
    "LossWeights",
    "OptimizerName",
    "PixelLoss",
    "PlainConfig",
    "Precision",
    "PrepareConfig",
    "RuntimeName",
    "Schedule",
    "SpanConfig",
    "SrvggConfig",
    "Target",
    "TrainConfig",
    "Upsampler",
    "UpscaleConfig",
    "displaced",
    "made",
    "merged",
    "preset",
    "read_options",
    "read_recipe",
    "require_plain_name",
    "to_toml",
]
