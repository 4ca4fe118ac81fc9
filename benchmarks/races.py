"""Run short fair races between recipes at ×2: ``races.py DATASET SETS VARIANT [VARIANT …]``.

Every variant gets the same seed, unless it says another, the same patches and the same seconds of
processor time on one thread (``--minutes``), so other work on the machine changes how long a race
takes, not who wins it. What is chosen is chosen by the validation split of DATASET; Set5 and
Set14, read from SETS, are only shown. A variant is ``name:key=value,…`` with the keys of
``Variant`` in races_networks.py.
"""

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="name or folder of a prepared set")
    parser.add_argument("sets", type=Path, help="folder that holds Set5 and Set14")
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--minutes", type=float, default=4, help="of processor time for each")
    options = parser.parse_args()

    from races_training import race  # It imports PyTorch, which --help does without.

    race(options.dataset, options.sets, options.variants, options.minutes)


if __name__ == "__main__":
    main()
