"""Make the weights of a run bundled ones: bundle.py RUN NAME [--teacher MODEL].

RUN is a run's folder or a weights file. The numbers are copied as they are; the header calls the
run by the bundled name, as the recipe of that name would. Then write its recipe and its trace
(recipes/trace.py), and draw the sheets anew (tools/build_sheets.py).
"""

import argparse
from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "srgan_cli" / "weights"


def bundle(run: Path, name: str, folder: Path, teacher: str | None = None) -> Path:
    """Write the weights file of a bundled model, and return its path."""
    from srgan_cli.engine.models.shelf import find_model
    from srgan_cli.engine.models.weights import load_model, save_weights
    from srgan_cli.engine.training.teacher import identity

    model = load_model(find_model(str(run), None))
    if not name.endswith(f"-x{model.scale}"):
        raise SystemExit(f"{run} is ×{model.scale}, so its name ends in -x{model.scale}")
    config = {**model.trained.get("config", {}), "name": name, "data": None, "init": None}
    trained = {**model.trained, "run": name, "config": config}
    if teacher is not None:
        trained["teacher"] = identity(teacher, load_model(find_model(teacher, model.scale)))
    target = folder / f"{name}.safetensors"
    save_weights(target, model.generator, trained)
    return target


def main() -> None:
    """Bundle what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("name", help="such as photo-x2")
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    parser.add_argument("--teacher", help="the model whose results it was trained on (taught.py)")
    given = parser.parse_args()
    print(bundle(given.run, given.name, given.to, given.teacher))


if __name__ == "__main__":
    main()
