"""``srgan doctor``."""

from typing import Any

from srgan_cli import engine
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, options_of
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.config import DoctorConfig, made


@options_of(DoctorConfig)
def doctor(json: JsonOption = False, **options: Any) -> ExitCode:
    """Show versions, devices, runtimes, formats and folders, and what is missing.

    Nothing is sent anywhere. Paste the output into a bug report; your home
    folder is shown as ~. --measure also updates what srgan upscale remembers of
    the speed of the models that it measures.

    [bold]Examples[/]

      srgan doctor
      srgan doctor --measure
      srgan doctor --measure --model photo-x4
      srgan doctor --json > report.json
    """
    found = engine.diagnose(made(DoctorConfig, options), RichObserver())
    (show_json if json else _show)(found)
    return ExitCode.OK


def _show(found: "engine.DoctorReport") -> None:
    machine = found.machine
    memory = f"{_size(machine.memory)}, {_size(machine.free_memory)} free"
    instructions = f" ({machine.instructions})" if machine.instructions else ""
    rows = [
        ["system", machine.system],
        [
            "processor",
            f"{machine.processor}{instructions}, {machine.cores} core{'s' * (machine.cores != 1)}",
        ],
        ["memory", memory],
        ["Python", machine.python],
        *([name, value] for name, value in found.variables.items()),
        *(["default model", model] for model in found.models),
    ]
    show_table(f"srgan {found.version}", {"": "left", " ": "left"}, rows)
    _show_devices(found)
    show_table(
        "packages",
        {"package": "left", "version": "left", "for": "left"},
        [[one.name, one.version or "-", one.purpose] for one in found.packages],
    )
    show_table(
        "folders",
        {"folder": "left", "files": "right", "size": "right", "path": "left"},
        [[one.name, f"{one.files:,}", _size(one.size), one.path] for one in found.folders],
    )
    for disk in found.disks:
        say(f"free: {_size(disk.free)} at {disk.path}")
    say(f"reads: {', '.join(found.reads)}")
    say(f"writes: {', '.join(found.writes)}")
    for lacking in found.missing:
        say(f"missing: {lacking.what}: {lacking.command}")
    for problem in found.problems:
        say(f"problem: {problem}")


def _show_devices(found: "engine.DoctorReport") -> None:
    show_table(
        "devices",
        {"--device": "left", "": "left", "memory": "right", "free": "right", "precisions": "left"},
        [
            [
                one.name,
                one.description,
                _size(one.memory),
                _size(one.free_memory),
                ", ".join(one.precisions),
            ]
            for one in found.devices
        ],
    )
    if not found.speeds:
        say("speed: not measured; srgan doctor --measure takes about half a minute")
        return
    for model in dict.fromkeys(one.model for one in found.speeds):
        show_table(
            f"speed of {model}, in megapixels of results per second",
            {
                "--device": "left",
                "--runtime": "left",
                "--precision": "left",
                "MP/s": "right",
                "": "left",
            },
            [
                [
                    one.device,
                    one.runtime,
                    one.precision,
                    "-" if one.megapixels is None else _speed(one.megapixels),
                    one.note,
                ]
                for one in found.speeds
                if one.model == model
            ],
        )


def _speed(megapixels: float) -> str:
    return f"{megapixels:.2f}" if megapixels >= 0.1 else f"{megapixels:.2g}"


def _size(size: int | None) -> str:
    if size is None:
        return "unknown"
    for unit, digits in (("GB", 1), ("MB", 1), ("kB", 0)):
        factor = {"GB": 1e9, "MB": 1e6, "kB": 1e3}[unit]
        if size >= factor:
            return f"{size / factor:,.{digits}f} {unit}"
    return f"{size} B"
