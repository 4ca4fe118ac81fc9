"""The engine module: models, losses, AMP trainer, upscaler, evaluator.

One importable name for all four commands; each verb takes a config and an
observer and returns a frozen report.
"""

from srgan_cli.data.prepare import PrepareReport, prepare
from srgan_cli.engine.batch import Failed
from srgan_cli.engine.blend import blend_models
from srgan_cli.engine.card import CardReport, write_card
from srgan_cli.engine.comparison import Difference
from srgan_cli.engine.contenders import Contender
from srgan_cli.engine.discriminators import Discriminator, UNetDiscriminator
from srgan_cli.engine.estimate import Estimate, EstimateReport, estimate
from srgan_cli.engine.evaluator import (
    Comparison,
    EvalReport,
    evaluate,
)
from srgan_cli.engine.exported import ExportReport, export_model
from srgan_cli.engine.health import Verdict
from srgan_cli.engine.journal import METRICS_FILE
from srgan_cli.engine.library import (
    ModelInfo,
    ModelList,
    add_model,
    choose_default,
    list_models,
    remove_model,
    show_model,
)
from srgan_cli.engine.models import Generator
from srgan_cli.engine.protocol import Metric, Protocol
from srgan_cli.engine.recovery import RollBack
from srgan_cli.engine.run import TrainReport, train
from srgan_cli.engine.runfolder import CONFIG_FILE, REPORT_FILE
from srgan_cli.engine.scores import PictureScores, SetScores
from srgan_cli.engine.sheets import SHEETS
from srgan_cli.engine.shelf import defaults, find_model, set_default
from srgan_cli.engine.upscale import Upscaled, UpscaleReport, upscale
from srgan_cli.engine.upscaler import Upscaler
from srgan_cli.engine.validation import Scores
from srgan_cli.engine.weights import Model, ModelSource, load_model

__all__ = [
    "CONFIG_FILE",
    "METRICS_FILE",
    "REPORT_FILE",
    "SHEETS",
    "CardReport",
    "Comparison",
    "Contender",
    "Difference",
    "Discriminator",
    "Estimate",
    "EstimateReport",
    "EvalReport",
    "ExportReport",
    "Failed",
    "Generator",
    "Metric",
    "Model",
    "ModelInfo",
    "ModelList",
    "ModelSource",
    "PictureScores",
    "PrepareReport",
    "Protocol",
    "RollBack",
    "Scores",
    "SetScores",
    "TrainReport",
    "UNetDiscriminator",
    "UpscaleReport",
    "Upscaled",
    "Upscaler",
    "Verdict",
    "add_model",
    "blend_models",
    "choose_default",
    "defaults",
    "estimate",
    "evaluate",
    "export_model",
    "find_model",
    "list_models",
    "load_model",
    "prepare",
    "remove_model",
    "set_default",
    "show_model",
    "train",
    "upscale",
    "write_card",
]
