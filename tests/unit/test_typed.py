from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.errors import UsageError
from srgan_cli.typed import RecordError, build


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5

    def __post_init__(self):
        if self.count < 0:
            raise UsageError("a count below 0", hint="")


@dataclass(frozen=True)
class Outer:
    name: str
    parts: tuple[Inner, ...]
    kind: Literal["a", "b"] = "a"
    place: Path | None = None
    size: tuple[int, int] = (1, 1)
    more: Mapping[str, Any] = field(default_factory=dict)


def test_values_take_the_types_of_the_fields():
    built = build(
        Outer,
        {"name": "n", "parts": [{"count": 1, "share": 2}], "place": "x", "size": [3, 4]},
    )
    assert built == Outer("n", (Inner(1, 2.0),), "a", Path("x"), (3, 4))
    assert type(built.parts[0].share) is float


GOOD = {"name": "n", "parts": [{"count": 1}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 1}, "name: 1 is not text"),
        ({"name": "a\0"}, "name: text with a zero byte"),
        ({"name": "\ud800"}, "name: text that is not Unicode"),
        ({"parts": [{"count": 1}, {"count": "x"}]}, "parts: 1: count: x is not a whole number"),
        ({"parts": [{"count": True}]}, "count: True is not a whole number"),
        ({"parts": [{"count": 2**63}]}, "too large"),
        ({"parts": [{"count": -1}]}, "parts: 0: a count below 0"),
        ({"parts": [{}]}, "count is missing"),
        ({"parts": {}}, "a dict is not a list"),
        ({"parts": [{"count": 1, "share": float("inf")}]}, "not finite"),
        ({"kind": "c"}, "kind: c is not one of a, b"),
        ({"size": [1]}, "size: a list is not a list of 2"),
        ({"place": 4}, "place"),
        ({"more": {"a": [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}}, "nested too deeply"),
        ({"more": {"a": object()}}, "more: a: a object"),
        ({"surplus": 1}, "surplus is unknown"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(change, words):
    with pytest.raises(RecordError) as caught:
        build(Outer, GOOD | change)
    assert words in str(caught.value)


def test_unknown_keys_are_ignored_where_that_is_asked_for():
    values = GOOD | {"surplus": 1, "parts": [{"count": 1, "surplus": 2}]}
    assert build(Outer, values, strict=False) == Outer("n", (Inner(1),))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_nothing_that_json_holds_gives_another_error(value):
    with suppress(RecordError):
        assert isinstance(build(Outer, value), Outer)
