"""Average weights of one plain network: mean.py FILE=SHARE FILE=SHARE --to FILE.

Shares come to 1. With --tie the mean is also that over the eight symmetries of a square: the
weights become equivariant. Weights that were trained from the same ones lie so close together
that their mean is often better than each of them (Wortsman et al. 2022, "Model soups").
"""

import argparse
from pathlib import Path


def mean(parts: list[tuple[Path, float]], target: Path, *, tie: bool) -> None:
    """Write the mean of weights files, each with its share."""
    import torch

    from srgan_cli.engine.models.shelf import find_model
    from srgan_cli.engine.models.weights import load_model, save_weights
    from srgan_cli.engine.networks.equivariance import Equivariance

    models = [load_model(find_model(str(path), None)) for path, _ in parts]
    if abs(sum(share for _, share in parts) - 1) > 1e-6:
        raise SystemExit("the shares do not come to 1")
    first = models[0]
    if any(model.generator.config != first.generator.config for model in models):
        raise SystemExit("the files are not of the same network")
    with torch.no_grad():
        states = [model.generator.state_dict() for model in models]
        first.generator.load_state_dict(
            {
                name: sum(
                    share * state[name] for (_, share), state in zip(parts, states, strict=True)
                )
                for name in states[0]
            }
        )
        if tie:
            Equivariance(first.generator).tie()
    save_weights(target, first.generator, first.trained)


def part(text: str) -> tuple[Path, float]:
    """Read FILE or FILE=SHARE."""
    path, _, share = text.partition("=")
    return Path(path), float(share or 1)


def main() -> None:
    """Average what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="+", type=part, metavar="FILE=SHARE")
    parser.add_argument("--tie", action="store_true", help="over the symmetries of a square, too")
    parser.add_argument("--to", required=True, type=Path, metavar="FILE")
    given = parser.parse_args()
    mean(given.parts, given.to, tie=given.tie)


if __name__ == "__main__":
    main()
