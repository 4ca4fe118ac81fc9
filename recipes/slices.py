"""Train in slices on a borrowed machine: pack a data set, train for minutes, carry the run on.

python recipes/slices.py pack out/restore.tar --data restore --mib 36
python recipes/slices.py run out/restore.tar OUT1 --minutes 9 -- --recipe restore-x4 --name big
python recipes/slices.py run out/restore.tar OUT2 --minutes 9 --state OUT1

A pack holds an even choice of the set's images, as many as fit, and which of them are for
validation; LR images and reductions are made of them again. A slice that is interrupted writes the
run's checkpoint, weights and metrics to OUT, in at most 4 parts of 15 MiB and slice.json, and the
next one goes on from them. An error is one line and a hint, with exit code 3.
"""

import argparse
import hashlib
import importlib.metadata
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20
CONTENTS, RECORD = "pack.json", "slice.json"
PART, PARTS = 15 * MIB, 4
VALIDATION_SHARE = 1 / 8
"""Of a pack's size, at most."""
GOLDEN = (5**0.5 - 1) / 2
SECONDS_TO_SAVE = 40
INTERRUPTED = 130
CHECKS = ("duplicates", "flat", "blurry", "upscaled", "blocky")


def fail(problem: object, hint: str) -> NoReturn:
    print(f"error: {problem}\nhint: {hint}", file=sys.stderr)
    raise SystemExit(3)


def compressed(pixels: Any) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", lossless=True, method=4, quality=50)
    return content.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def pack(target: Path, data: str, mib: float) -> None:
    """Write an archive of as many of a set's images as fit, and of what the set was made with."""
    import numpy as np

    from srgan_cli.data.manifest import find_dataset
    from srgan_cli.data.store import Store
    from srgan_cli.imaging.resize import downscale
    from srgan_cli.paths import written_beside

    store = Store(find_dataset(data)[0])
    settings, whole = store.manifest.settings, {}
    if settings["crop"]:
        fail(f"{data}: its images are parts of photographs", "prepare it without --crop")
    for entry in store.manifest.images:
        whole.setdefault(entry.source, entry)  # Its reductions come after it.
    images: list[dict[str, str]] = []
    used = 12 * 1024  # The ends of tar and JSON.
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as temporary, tarfile.open(temporary, "w") as archive:
        for split, share in (("validation", VALIDATION_SHARE), ("train", 1.0)):
            entries = [entry for entry in whole.values() if entry.split == split]
            limit = mib * MIB  # One of each split has to fit.
            # However many of them fit, they come from all over the set, at even distances.
            order = sorted(range(len(entries)), key=lambda i: i * GOLDEN % 1)
            for entry in (entries[i] for i in order):
                lr, hr = (pixels.numpy() for pixels in store.pair(entry))
                if not np.array_equal(downscale(hr, store.scale), lr):
                    fail(f"{data}: LR images were given", "only sets of HR images can be packed")
                content = compressed(hr)
                used += len(content) + 2048  # Of tar and JSON.
                if used > limit:
                    break
                limit = share * mib * MIB
                file, sha256 = f"{len(images):06}.webp", hashlib.sha256(content).hexdigest()
                images.append({"file": file, "sha256": sha256, "split": split})
                add(archive, f"images/{file}", content)
        if {image["split"] for image in images} != {"validation", "train"}:
            fail(f"--mib {mib:g}: no room for images of both splits", "pass a larger --mib")
        text = json.dumps({"name": store.folder.name, "settings": settings, "images": images})
        add(archive, CONTENTS, text.encode())
    validation = sum(image["split"] == "validation" for image in images)
    print(
        f"{target}: {len(images)} of {len(whole)} images, {validation} of them for validation, "
        f"{target.stat().st_size / MIB:.1f} MiB; the results of teachers are not packed"
    )


def require_packages() -> None:
    """Name what does not come with the machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = []
    for requirement in project["dependencies"]:
        name = re.split(r"[^\w-]", requirement)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        fail(f"missing packages: {', '.join(missing)}", "carry their wheels: docs/lab/recipes.md")
    from PIL import features

    if not features.check("webp"):
        fail("Pillow was built without WebP", "carry its wheel: docs/lab/recipes.md")


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive of plain files, none of which may lie outside the folder."""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if not member.isreg() or member.issparse():
                    fail(f"{path}: {member.name} is not a plain file", "write it again")
                archive.extract(member, folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        fail(f"{path}: not an archive of this script ({error})", "write it again")


def read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}", "name a file of slices.py pack, and a folder of slices.py run")
    return values if isinstance(values, dict) else {}


def srgan(home: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start srgan in a group of its own: a Ctrl-C goes to it once, from here."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"SRGAN_HOME": str(home), "PYTHONPATH": path}
    command = [sys.executable, "-m", "srgan_cli", *words]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, process_group=0)


def prepare(archive: Path, home: Path) -> Path:
    """Make a pack a data set again; return its folder."""
    from srgan_cli.data.manifest import MANIFEST, Manifest
    from srgan_cli.paths import write_text

    unpack(archive, home / "pack")
    contents = read_json(home / "pack" / CONTENTS)
    try:
        settings, images = contents["settings"], contents["images"]
        splits = {(image["file"], image["sha256"]): image["split"] for image in images}
        words = ["prepare", str(home / "pack" / "images"), "--name", contents["name"]]
        for key in ("max_side", "min_side", "seed"):
            words += [f"--{key.replace('_', '-')}", str(settings[key])]
        words += [word for scale in settings["scales"] for word in ("--scale", str(scale))]
        shares = settings.get("reductions", ())
        words += [word for share in shares for word in ("--reduce", str(share))]
        words += [word for check in CHECKS for word in (f"--{check}", "keep")]  # Checked before.
    except (KeyError, TypeError) as error:
        fail(f"{archive}: not a pack ({error!r})", "write it again with slices.py pack")
    if code := finish(srgan(home, *words)):
        fail(f"srgan prepare ended with code {code}", "its own message is above")
    folder = home / "datasets" / contents["name"]
    manifest = Manifest.read(folder)
    if {(entry.source, entry.sha256) for entry in manifest.images} != splits.keys():
        fail(f"{archive}: damaged images", "write it again with slices.py pack")
    images = tuple(replace(e, split=splits[e.source, e.sha256]) for e in manifest.images)
    write_text(folder / MANIFEST, replace(manifest, images=images).to_json())
    return folder


def finish(process: subprocess.Popen[bytes], seconds: float | None = None) -> int:
    """Wait for srgan; interrupt it when the time is over, or when this script is interrupted."""
    try:
        try:
            return process.wait(None if seconds is None else max(0, seconds))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.send_signal(signal.SIGINT)
            return process.wait(SECONDS_TO_SAVE)
    except subprocess.TimeoutExpired:
        return INTERRUPTED  # Its last checkpoint is complete.
    finally:
        process.kill()
        process.wait()


def restore(state: Path, home: Path) -> dict[str, Any]:
    """Put a run back from the parts of a slice; return what the slice said of it."""
    record, joined = read_json(state / RECORD), home / "run.tar"
    try:
        digest, parts = hashlib.sha256(), [Path(name).name for name in record["parts"]]
        with joined.open("wb") as file:
            for name in parts:
                content = (state / name).read_bytes()
                file.write(content)
                digest.update(content)
        known = {"sha256": record["sha256"], "options": [*map(str, record["options"])]}
        known["finished"] = bool(record["finished"])
    except (OSError, KeyError, TypeError) as error:
        fail(f"{state}: not a whole slice ({error!r})", "name the OUT of an earlier slice")
    if digest.hexdigest() != known["sha256"]:
        fail(f"{state}: damaged, its checksum does not match", "name the OUT of another slice")
    unpack(joined, home / "runs")
    return known


def find_run(home: Path) -> Path:
    found = [*home.glob("runs/[!.]*/config.toml")]
    if len(found) != 1:
        fail("the time was over before the first step", "pass more --minutes")
    return found[0].parent


def kept_files(run: Path, *, finished: bool) -> list[Path]:
    """Return a run's files that fit: all but sheets, and the checkpoints that a run goes on from.

    A run goes on from the newest checkpoint, and falls back to the newest that was validated.
    """
    from srgan_cli.engine.runs.checkpoint import CHECKPOINTS, Checkpoint

    files = sorted(path for path in run.glob("[!.]*") if path.is_file())
    saved = sorted((run / CHECKPOINTS).glob("step-*.safetensors"), reverse=True)
    if finished or not saved:
        return files
    good = [path for path in saved[1:] if Checkpoint.read_progress(path)["good"]]
    for checkpoints in ([saved[0], *good[:1]], saved[:1]):
        chosen = [*files, *checkpoints]
        if sum(path.stat().st_size + 1024 for path in chosen) + 10240 <= PARTS * PART:
            return chosen
    size = saved[0].stat().st_size / MIB
    print(f"warning: a checkpoint of {size:.0f} MiB does not fit; the run cannot go on elsewhere")
    return files


def write_slice(run: Path, out: Path, options: Sequence[str], *, finished: bool) -> None:
    """Write a run's files in parts; the record comes last, and without it there is no slice."""
    from srgan_cli.paths import write_bytes, write_text

    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for path in kept_files(run, finished=finished):
                archive.add(path, path.relative_to(run.parent).as_posix())
        file.seek(0)
        sha256, parts = hashlib.file_digest(file, "sha256").hexdigest(), []
        file.seek(0)
        out.mkdir(parents=True, exist_ok=True)
        while content := file.read(PART):
            parts.append(f"run.tar.{len(parts)}")
            write_bytes(out / parts[-1], content)
    record = {"options": [*options], "finished": finished, "parts": parts, "sha256": sha256}
    write_text(out / RECORD, json.dumps(record, indent=1) + "\n")


def run(given: argparse.Namespace, options: list[str], started: float) -> None:
    """Train for some minutes, from the start or from an earlier slice."""
    require_packages()
    if given.minutes <= 0:
        fail(f"--minutes {given.minutes:g}: too short", "pass a positive number")
    if reserved := {word.partition("=")[0] for word in options} & {"--data", "--resume"}:
        fail(f"{reserved.pop()} is set by this script", "remove it; --state resumes a run")
    if (given.out / RECORD).exists():
        fail(f"{given.out} holds a slice already", "name an empty folder")
    with tempfile.TemporaryDirectory(prefix="srgan-slices-") as name:
        home, words = Path(name), ["train", *options]
        if given.state is not None:
            record = restore(given.state, home)
            if options not in ([], record["options"]):
                said = " ".join(record["options"])
                fail(f"the run was started with other options: {said}", "pass the same, or none")
            options, words = record["options"], ["train", "--resume", find_run(home).name]
            if record["finished"]:
                write_slice(find_run(home), given.out, options, finished=True)
                print(f"{find_run(home).name} was finished already; its weights: {given.out}")
                return
        folder = prepare(given.pack, home)
        seconds = 60 * given.minutes - (time.monotonic() - started)
        code = finish(srgan(home, *words, "--data", str(folder)), seconds)
        if code not in (0, INTERRUPTED):
            fail(f"srgan train ended with code {code}", "its own message is above")
        trained = find_run(home)
        write_slice(trained, given.out, options, finished=code == 0)
        if code == 0:
            print(f"{trained.name} is finished; its weights: {given.out}")
        else:
            again = f"slices.py run {given.pack} NEXT_OUT --state {given.out}"
            print(f"{trained.name} goes on with: {again}")


def main() -> None:
    started, words = time.monotonic(), sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="write a data set to one file")
    packing.add_argument("pack", type=Path, help="the file")
    packing.add_argument("--data", required=True, help="name or folder of the data set")
    packing.add_argument("--mib", type=float, default=36, help="size of the file, at most")
    running = commands.add_parser("run", help="train; the options of srgan train come after --")
    running.add_argument("pack", type=Path, help="the file that pack wrote")
    running.add_argument("out", type=Path, help="where to write the run")
    running.add_argument("--minutes", type=float, default=9, help="when to stop, from the start")
    running.add_argument("--state", type=Path, help="the OUT of the slice before")
    given = parser.parse_args(words[:cut])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.path.insert(0, str(ROOT))  # srgan need not be installed on the machine.
    from srgan_cli.errors import SrganError

    try:
        if given.command == "pack":
            pack(given.pack, given.data, given.mib)
        else:
            run(given, words[cut + 1 :], started)
    except SrganError as error:
        fail(error.message, error.hint)
    except OSError as error:
        fail(error, "check the path, its permissions and free space")
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
