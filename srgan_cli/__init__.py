"""srgan: train super-resolution networks on photographs, and upscale images with them.

Besides the command line, three names are for other programs: :func:`upscale_image`, :func:`load`
and :class:`SrganError`; see docs/python.md. Importing this package imports neither them nor torch;
``__init__.pyi`` declares them for type checkers.
"""

from importlib import import_module
from typing import Any

__version__ = "1.0.0"

_MODULES = {
    "LoadedModel": "srgan_cli.engine",
    "SrganError": "srgan_cli.errors",
    "load": "srgan_cli.engine",
    "upscale_image": "srgan_cli.engine",
}
__all__ = ["__version__", *_MODULES]  # noqa: PLE0604 - they are text


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
