"""Checks that the configurations share."""

from srgan_cli.errors import UsageError

SCALES = (2, 3, 4, 8)
_NOT_PLAIN = frozenset("/\\|&;<>$`\"'*?()[]{}!#~").union(map(chr, range(32)))
"""What is in no name: it would leave the folder, or mean something to a shell."""


def require_scale(scale: int) -> None:
    """Refuse a factor that is not one of :data:`SCALES`."""
    require(scale in SCALES, "scale", scale, "2, 3, 4 or 8")


def require_seed(seed: int) -> None:
    """Refuse a seed that random generators do not take."""
    require(0 <= seed < 2**31, "seed", seed, "from 0 to 2147483647")


def require(condition: bool, name: str, value: object, wanted: str) -> None:
    """Raise :func:`out_of_range` unless the condition holds."""
    if not condition:
        raise out_of_range(name, value, wanted)


def out_of_range(name: str, value: object, wanted: str) -> UsageError:
    """Return the error that names an option, its value and what it must be."""
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return UsageError(f"--{name.replace('_', '-')} is {shown}", hint=f"it must be {wanted}")


def require_plain_name(name: str) -> None:
    """Refuse a name that could point outside its folder, or that means something to a shell.

    Raises:
        UsageError: The name is empty, too long, starts with a dot or a dash, or holds a path
            separator, a control character or what commands would have to quote.
    """
    too_long = len(name.encode(errors="surrogateescape")) > 100
    if not name or name[0] in ".-" or too_long or not _NOT_PLAIN.isdisjoint(name):
        raise UsageError(
            f"--name {name!r} is not a plain name",
            hint="use at most 100 letters, digits, '-' and '_'",
        )
