"""What a field of a config declares, and the config that values of its options make."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from srgan_cli.config.option import Option, Table, declared, made
from srgan_cli.errors import UsageError


@dataclass(frozen=True)
class Weights:
    pixel: Annotated[float, Option("Pixel loss.")] = 0.5
    penalty: Annotated[float | None, Option("Penalty.")] = None


@dataclass(frozen=True)
class Sizes:
    scale: int
    channels: Annotated[int, Option("Channels.")]


@dataclass(frozen=True)
class Config:
    source: Annotated[Path, Option("Folder.", argument=True)]
    internal: int = 0
    weights: Annotated[Weights, Table(Weights, suffix="_weight")] = field(default_factory=Weights)
    sizes: Annotated[Mapping[str, Any], Table(Sizes)] = field(default_factory=dict)
    kind: Annotated[Literal["a", "b"] | None, Option("Kind.")] = None
    scale: Annotated[int | tuple[int, ...], Option("Scale.")] = 2
    points: Annotated[tuple[float, ...], Option("Points.", commas=True)] = (0.5,)
    layers: Annotated[tuple[str, ...], Option("Layers.", commas=True)] = ()


GIVEN = {option.name: None for option in declared(Config)} | {"source": Path("photos")}


def test_options_stand_in_the_order_of_the_fields_and_tables_in_their_place():
    assert [option.name for option in declared(Config)] == [
        *("source", "pixel_weight", "penalty_weight", "channels"),
        *("kind", "scale", "points", "layers"),
    ]


def test_a_size_may_be_left_to_its_preset_and_an_argument_may_not():
    options = {option.name: option for option in declared(Config)}
    assert (options["channels"].type, options["channels"].default) == (int | None, None)
    assert options["source"].default is MISSING
    assert options["pixel_weight"].default == 0.5


def test_choices_and_several_values_are_read_from_the_type():
    options = {option.name: option for option in declared(Config)}
    assert options["kind"].choices == ("a", "b")
    assert options["source"].choices == ()
    assert [options[name].item for name in ("scale", "points", "layers")] == [int, float, str]
    assert options["kind"].item is None


def test_without_values_the_config_has_its_defaults():
    assert made(Config, GIVEN) == Config(Path("photos"))


def test_values_reach_their_fields_and_tables():
    values = {"penalty_weight": 3.0, "channels": 8, "kind": "b", "scale": [2, 4]}
    assert made(Config, {**GIVEN, **values, "points": "0.1,0.2", "layers": "x,y"}) == Config(
        Path("photos"),
        weights=Weights(penalty=3.0),
        sizes={"channels": 8},
        kind="b",
        scale=(2, 4),
        points=(0.1, 0.2),
        layers=("x", "y"),
    )


@pytest.mark.parametrize("text", ["soon", "0.5,", ""])
def test_text_that_holds_no_numbers_is_refused(text):
    with pytest.raises(UsageError, match=f"--points {text!r} are not numbers"):
        made(Config, {**GIVEN, "points": text})
