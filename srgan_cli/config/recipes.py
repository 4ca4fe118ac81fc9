"""Recipes: the options that the bundled models were trained with, by name."""

import difflib
from pathlib import Path

from srgan_cli.config.file import read_options
from srgan_cli.errors import UsageError

_FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""Names of the files of options that the bundled models were trained with."""


def read_recipe(name: str) -> dict[str, str]:
    """Read the options that a bundled model was trained with, as :func:`read_options` does.

    The weights that it starts from are named relative to the recipe.

    Raises:
        UsageError: There is no recipe of that name.
    """
    if name not in RECIPES:
        if Path(name).is_file():
            raise UsageError(
                f"{name} is a file, and --recipe takes a name",
                hint=f"read options from a file: --config {name}",
            )
        nearest = difflib.get_close_matches(name, RECIPES, n=2, cutoff=0)
        raise UsageError(f"no recipe is called {name!r}", hint=f"nearest: {' and '.join(nearest)}")
    options = read_options(_FOLDER / f"{name}.toml")
    if "init" in options:
        options["init"] = str((_FOLDER / options["init"]).resolve())
    return options
