"""Send damaged files through the commands and look for what must not be.

python benchmarks/fuzz.py --images 2000 --files 500 --seed 0

Images of every format and the files that srgan keeps (ledgers, manifests, options, metrics,
defaults, scores, weights, shards, checkpoints) are damaged by flipped bytes, wrong numbers, cuts
and edited fields. Each command runs in a fork of this process with a limit on time and memory.
Counted are files that came through, files that were refused in words, and problems: tracebacks,
crashes, hangs, too much memory, unfinished or half files, changed sources, undocumented exit codes.
The same seed makes the same files. Exit code 1 if there was a problem.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz_trials import Judged

VERBS = ("dry-run", "upscale", "upscale", "in place", "prepare", "eval")
VERBS += tuple(f"upscale --ext {ext}" for ext in ("png", "jpg", "tif", "webp"))
BATCH = 40  # Damaged images a command; one problem in them is looked for one by one.
SHOWN = 30
RARE = {"train": 0.01, "models list": 0.2, "models card": 0.2, "prepare": 0.5}
"""How often commands that take long are tried, beside 1 for the others."""
SIDE_FILES = (
    ("upscale images -o out --model MODEL --device cpu --runtime torch", "out/.srgan-ledger.jsonl"),
    (
        "upscale images -o out --model MODEL --device cpu --runtime torch --overwrite",
        "out/.srgan-ledger.jsonl",
    ),
    (
        "upscale place --in-place --model MODEL --device cpu --runtime torch",
        "place/.srgan-ledger.jsonl",
    ),
    ("eval --model MODEL --device cpu", "home/datasets/photos-x2/manifest.json"),
    ("prepare photos", "home/datasets/photos-x2/manifest.json"),
    ("prepare photos --check", "home/datasets/photos-x2/manifest.json"),
    ("train --name new TINY", "home/datasets/photos-x2/manifest.json"),
    ("eval --model MODEL --device cpu", "home/datasets/photos-x2/SHARD"),
    ("prepare photos", "home/datasets/photos-x2/SHARD"),
    ("models list", "home/runs/tiny/config.toml"),
    ("train --resume tiny", "home/runs/tiny/config.toml"),
    ("train --resume tiny", "home/runs/tiny/metrics.jsonl"),
    ("train --resume tiny", "home/runs/tiny/checkpoints/CHECKPOINT"),
    ("models show tiny", "home/runs/tiny/weights.safetensors"),
    ("models list", "home/runs/tiny/weights.safetensors"),
    (
        "models add home/runs/tiny/weights.safetensors --name x",
        "home/runs/tiny/weights.safetensors",
    ),
    (
        "upscale images -o new --model tiny --device cpu --runtime torch",
        "home/runs/tiny/weights.safetensors",
    ),
    ("models default", "home/models/defaults.json"),
    ("models list", "home/models/defaults.json"),
    ("upscale images -o new --device cpu --runtime torch", "home/models/defaults.json"),
    (
        "eval images --model MODEL --device cpu --not-worse-than scores.json",
        "scores.json",
    ),
    ("models card fidelity-x2 -o card --scores scores.json", "scores.json"),
    ("train --config a.toml --name new TINY", "a.toml"),
)
"""Commands and the file that is damaged for them; SHARD and CHECKPOINT are the first of theirs."""
TINY = (
    "--steps 3 --batch 2 --patch 16 --discriminator-width 4 --perceptual none --device cpu "
    "--precision fp32"
)


def main() -> int:
    """Run the trials and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200, help="damaged images (200)")
    parser.add_argument("--files", type=int, default=50, help="damaged side files (50)")
    parser.add_argument("--seed", type=int, default=0, help="decides what is damaged, and how (0)")
    parser.add_argument("--keep", type=Path, help="write the files with problems into this folder")
    arguments = parser.parse_args()
    started = time.monotonic()
    # In memory, since every result is flushed to the disk.
    shared = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        trials = Trials(Path(folder), random.Random(arguments.seed), arguments.keep)
        trials.fuzz_images(arguments.images)
        trials.fuzz_files(arguments.files)
    print(
        f"seed {arguments.seed}: {arguments.images} images, {arguments.files} side files, "
        f"{time.monotonic() - started:.0f} s"
    )
    for name, count in sorted(trials.counts.items()):
        print(f"{count:7d} {name}")
    print(f"{len(trials.problems):7d} problems")
    for problem in trials.problems[:SHOWN]:
        print(f"- {problem}")
    return 1 if trials.problems else 0


class Trials:
    """Damages files, tries them, and counts.

    Args:
        folder: Empty.
        chance: What decides.
        keep: Gets the files with problems.
    """

    def __init__(self, folder: Path, chance: random.Random, keep: Path | None) -> None:
        import torch

        from srgan_cli import engine

        for name in engine.__all__:  # Loads all modules, once for all forks.
            getattr(engine, name)
        for module in list(sys.modules.values()):  # All work is done in the fork itself.
            if hasattr(module, "num_cores"):
                module.num_cores = lambda: 1
        self._folder, self._chance, self._keep = folder, chance, keep
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        torch.set_num_threads(1)
        os.environ["COLUMNS"] = "80"
        self._model = save_model(folder / "model.safetensors")
        self._work = folder / "work"
        self._work.mkdir()

    def fuzz_images(self, count: int) -> None:
        """Try damaged images in batches, with two whole ones beside them."""
        from fuzz_seeds import image_seeds, mutated, photograph

        seeds = image_seeds()
        others = list(seeds.values())
        good = {
            path.name: path.read_bytes()
            for path in (photograph(self._folder / f"good-{i}.png", i) for i in (1, 2))
        }
        for first in range(0, count, BATCH):
            verb = self._chance.choice(VERBS)
            files = {}
            for number in range(first, min(first + BATCH, count)):
                name = self._chance.choice(list(seeds))
                files[f"{number:05}-{name}"] = mutated(seeds[name], self._chance, others)
            judged = self._images(verb, good | files)
            if judged.problem:
                judged = self._one_by_one(verb, good, files, judged.problem)
            for outcome, number in judged.counts.items():
                self.counts[f"images, {verb.split(' --')[0]}: {outcome}"] += number

    def _images(self, verb: str, files: dict[str, bytes]) -> "Judged":
        from fuzz_trials import image_trial

        return image_trial(verb, files, self._work, self._model)

    def _one_by_one(
        self, verb: str, good: dict[str, bytes], files: dict[str, bytes], problem: str
    ) -> "Judged":
        from fuzz_trials import Judged

        found, blamed = Judged(), False
        for name, data in files.items():
            judged = self._images(verb, good | {name: data})
            if judged.problem:
                blamed = True
                self._report(f"{verb}: {name}: {judged.problem}", name, data)
            for outcome, number in judged.counts.items():
                found.counts[outcome] = found.counts.get(outcome, 0) + number
        if not blamed:
            self._report(f"{verb}: a batch of {len(files)}: {problem}", "", b"")
            for name, data in files.items() if self._keep else ():
                self._write(f"batch-{len(self.problems)}-{name}", data)
        return found

    def _report(self, text: str, name: str, data: bytes) -> None:
        self.problems.append(text)
        print(text, file=sys.stderr)
        if name:
            self._write(f"{len(self.problems)}-{name.replace('/', '-')}", data)

    def _write(self, name: str, data: bytes) -> None:
        if self._keep:
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / name).write_bytes(data)

    def fuzz_files(self, count: int) -> None:
        """Try damaged side files, one at a time."""
        if not count:
            return
        from fuzz_seeds import mutated_record
        from fuzz_side import SideFile, side_trials

        whole = self._home()
        trials = [
            (line.replace("TINY", TINY), name, " ".join(line.split()[: 1 + line.startswith("m")]))
            for line, name in self._side_files(whole)
        ]
        seeds = {name: (whole / name).read_bytes() for _, name, _ in trials}
        for first in range(0, count, BATCH):
            files = []
            for number in range(first, min(first + BATCH, count)):
                some = trials if number % BATCH else [one for one in trials if one[2] == "train"]
                line, name, _ = self._chance.choices(some, [RARE.get(one[2], 1) for one in some])[0]
                data = mutated_record(seeds[name], self._chance, list(seeds.values()))
                files.append(SideFile(line, name, data))
            # Trainings run alone: they may go on.
            files.sort(key=lambda one: one.trains)
            for one, judged in zip(
                files, side_trials(files, whole, self._work, self._model), strict=True
            ):
                for outcome, times in judged.counts.items():
                    self.counts[f"side files, {_kind(one.name)}: {outcome}"] += times
                if judged.problem:
                    text = f"srgan {one.line}: {one.name}: {judged.problem}"
                    self._report(text, one.name, one.data)

    def _side_files(self, whole: Path) -> Iterator[tuple[str, str]]:
        shard = next((whole / "home/datasets/photos-x2").glob("*.safetensors")).name
        checkpoint = max((whole / "home/runs/tiny/checkpoints").iterdir()).name
        for line, name in SIDE_FILES:
            yield line, name.replace("SHARD", shard).replace("CHECKPOINT", checkpoint)

    def _home(self) -> Path:
        """Make a home with a data set, a run, a default, scores, and ledgers of two batches."""
        from fuzz_seeds import photograph
        from fuzz_trials import command

        whole = self._folder / "whole"
        for name, side, count in (("photos", 136, 3), ("images", 40, 2), ("place", 40, 2)):
            (whole / name).mkdir(parents=True)
            for seed in range(count):
                photograph(whole / name / f"{seed}.png", seed, side, side)
        os.environ["SRGAN_HOME"] = str(whole / "home")
        for line in (
            "prepare photos",
            f"train --name tiny {TINY}",
            f"upscale images -o out --model {self._model} --device cpu",
            f"upscale place --in-place --model {self._model} --device cpu",
            f"eval images --model {self._model} --device cpu --json",
        ):
            ended = command(line.split(), whole, seconds=120)
            if ended.code != 0:
                raise SystemExit(f"srgan {line}: {ended.problem} {ended.err}")
        shutil.copy(whole / "out.txt", whole / "scores.json")
        (whole / "home/models").mkdir(exist_ok=True)
        (whole / "home/models/defaults.json").write_text('{"2": "fidelity-x2"}')
        (whole / "a.toml").write_text("batch = 2\npatch = 16\n\n[weights]\npixel = 1\n")
        return whole


def _kind(name: str) -> str:
    """Return what a side file is, without the parts of its name that are its own."""
    return re.sub(r"(shard|step)-\w+", r"\1-…", Path(name).name)


def save_model(path: Path) -> Path:
    """Write weights that are a bilinear upscaling by 2: fast, and every result is known."""
    from dataclasses import replace

    import torch

    from srgan_cli import engine
    from srgan_cli.config import preset
    from srgan_cli.engine.models.weights import save_weights

    smallest = {"channels": 1, "growth": 1, "num_blocks": 1, "num_convs": 1}
    generator = engine.DenseNetwork(replace(preset("compact", 2), **smallest))
    for parameter in generator.parameters():
        torch.nn.init.zeros_(parameter)
    save_weights(path, generator, {})
    return path


if __name__ == "__main__":
    sys.exit(main())
