# The public names, for type checkers; __init__.py loads them when they are first used.

from srgan_cli.engine.upscaling.images import LoadedModel as LoadedModel
from srgan_cli.engine.upscaling.images import load as load
from srgan_cli.engine.upscaling.images import upscale_image as upscale_image
from srgan_cli.errors import SrganError as SrganError

__version__: str
