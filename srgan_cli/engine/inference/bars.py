"""Bars that pass on what is counted on them."""

from srgan_cli.observer import Bar


class Counted:
    """A bar that knows what was counted on it."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self.done = 0.0

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done."""
        self.done += amount
        self._bar.advance(amount, **figures)


class Both:
    """Advances two bars at once."""

    def __init__(self, first: Bar, second: Bar) -> None:
        self._bars = (first, second)

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Count ``amount`` more units as done on both."""
        for bar in self._bars:
            bar.advance(amount, **figures)


class Share:
    """A bar that counts work that is done several times over as one."""

    def __init__(self, bar: Bar, factor: float) -> None:
        self._bar, self._factor = bar, factor

    def advance(self, amount: float = 1, **figures: str) -> None:
        """Pass a share of ``amount`` on."""
        self._bar.advance(amount * self._factor, **figures)
