"""The engine module: models, losses, AMP trainer, upscaler, evaluator.

One importable name for all four commands; each verb takes a config and an
observer and returns a frozen report. What enlarging needs is imported at once,
everything else when it is asked for: start-up is a large part of a small picture's time.
"""

import importlib
from typing import TYPE_CHECKING, Any

from srgan_cli.engine.estimate import Estimate, EstimateReport, estimate
from srgan_cli.engine.upscale import Upscaled, UpscaleReport, upscale

if TYPE_CHECKING:
    from srgan_cli.data.prepare import PrepareReport, prepare
    from srgan_cli.engine.batch import Failed
    from srgan_cli.engine.blend import blend_models
    from srgan_cli.engine.card import CardReport, write_card
    from srgan_cli.engine.comparison import Difference
    from srgan_cli.engine.contenders import Contender
    from srgan_cli.engine.discriminators import Discriminator, UNetDiscriminator
    from srgan_cli.engine.evaluator import Comparison, EvalReport, evaluate
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

_MODULES = {
    "srgan_cli.data.prepare": ("PrepareReport", "prepare"),
    "srgan_cli.engine.batch": ("Failed",),
    "srgan_cli.engine.blend": ("blend_models",),
    "srgan_cli.engine.card": ("CardReport", "write_card"),
    "srgan_cli.engine.comparison": ("Difference",),
    "srgan_cli.engine.contenders": ("Contender",),
    "srgan_cli.engine.discriminators": ("Discriminator", "UNetDiscriminator"),
    "srgan_cli.engine.evaluator": ("Comparison", "EvalReport", "evaluate"),
    "srgan_cli.engine.exported": ("ExportReport", "export_model"),
    "srgan_cli.engine.health": ("Verdict",),
    "srgan_cli.engine.journal": ("METRICS_FILE",),
    "srgan_cli.engine.library": (
        "ModelInfo",
        "ModelList",
        "add_model",
        "choose_default",
        "list_models",
        "remove_model",
        "show_model",
    ),
    "srgan_cli.engine.models": ("Generator",),
    "srgan_cli.engine.protocol": ("Metric", "Protocol"),
    "srgan_cli.engine.recovery": ("RollBack",),
    "srgan_cli.engine.run": ("TrainReport", "train"),
    "srgan_cli.engine.runfolder": ("CONFIG_FILE", "REPORT_FILE"),
    "srgan_cli.engine.scores": ("PictureScores", "SetScores"),
    "srgan_cli.engine.sheets": ("SHEETS",),
    "srgan_cli.engine.shelf": ("defaults", "find_model", "set_default"),
    "srgan_cli.engine.upscaler": ("Upscaler",),
    "srgan_cli.engine.validation": ("Scores",),
    "srgan_cli.engine.weights": ("Model", "ModelSource", "load_model"),
}
"""Where the names come from that are imported on demand; as listed for type checkers above."""


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
