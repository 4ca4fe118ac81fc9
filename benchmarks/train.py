"""Measure samples per second of training, beside others: python benchmarks/train.py PHASE.

The same architecture, batch, crops and losses in every row, in turns, on all cores, each in
a process of its own. Patches are made while training, from this project's data set or, for
the others, from PNG files by two workers. PHASE is ``pixel`` (L1), ``vanilla`` (L1, VGG16 and
SRGAN's adversarial loss) or ``wgan-gp`` (a critic with a gradient penalty, which the two
repositories do not have). ``overhead`` shows what averaging, logging and checkpoints cost, and
what a step waits for data.
"""

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=["pixel", "vanilla", "wgan-gp", "overhead"])
    parser.add_argument("--data", help="prepared ×2 set; the newest when not given")
    parser.add_argument("--basicsr", type=Path, help="checkout whose training steps take part")
    parser.add_argument("--lornatang", type=Path, help="checkout of SRGAN-PyTorch, likewise")
    parser.add_argument("--compile", action="store_true", help="torch.compile srgan's generator")
    parser.add_argument("--precision", nargs="+", help="of srgan; auto and fp32")
    parser.add_argument(
        "--processor",
        action="store_true",
        help="count seconds of processor time, for a machine that has other work too; "
        "workers that decode PNG files are then not counted",
    )
    parser.add_argument("--threads", type=int, help="all cores when not given")
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=64, help="of the discriminator")
    parser.add_argument("--steps", type=int, default=10, help="in each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    options = parser.parse_args()

    from train_race import measure  # It imports PyTorch, which --help does without.

    measure(options)


if __name__ == "__main__":
    main()
