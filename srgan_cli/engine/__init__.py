"""The engine module: models, losses, AMP trainer, upscaler, evaluator.

One importable name for all four commands; each verb takes a config and an
observer and returns a frozen report. Importing it costs nothing: a name's module
is imported when the name is first used, as ``__init__.pyi`` declares it.
"""

import ast
import gc
import importlib
from pathlib import Path
from typing import Any


def _declared() -> dict[str, str]:
    """Return the module of each public name, read from the stub."""
    stub = ast.parse(Path(__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


_MODULES = _declared()
__all__ = sorted(_MODULES)  # noqa: PLE0605 - the names stand in the stub alone


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collects = gc.isenabled()
    gc.disable()  # Looking for garbage, of which there is none, is a tenth of importing PyTorch.
    try:
        value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    finally:
        if collects:
            gc.enable()
    return value


def __dir__() -> list[str]:
    return list(__all__)
