"""Divide an image into tiles that overlap, so that results have no seams."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis, in LR pixels."""

    start: int
    """First pixel given to the network."""
    stop: int
    """One past the last pixel given to the network."""
    keep_start: int
    """First pixel whose result is kept."""
    keep_stop: int
    """One past the last pixel whose result is kept."""

    @property
    def kept(self) -> int:
        """Number of pixels whose result is kept."""
        return self.keep_stop - self.keep_start

    def kept_of_tile(self, scale: int) -> slice:
        """Return the kept part, in pixels of the upscaled tile."""
        return slice(scale * (self.keep_start - self.start), scale * (self.keep_stop - self.start))

    def kept_of_result(self, scale: int) -> slice:
        """Return the kept part, in pixels of the upscaled image."""
        return slice(scale * self.keep_start, scale * self.keep_stop)


def tile_spans(length: int, *, tile: int, overlap: int, align: int = 1) -> list[Span]:
    """Cover one image axis with equal, overlapping spans.

    The last span is moved back to end on the border rather than cut short, so
    the network sees the same input size on every call. Two neighbours are cut
    in the middle of what they share, so each kept pixel lies at least
    ``overlap // 2`` pixels inside its tile, or at the image's own border.

    Args:
        length: Image height or width, in LR pixels.
        tile: Side of the square given to the generator, in LR pixels.
        overlap: Least number of LR pixels two neighbours share.
        align: Every tile starts at a multiple of it, as a generator that folds pixels into
            channels needs; the last one may then be up to ``align - 1`` shorter.

    Returns:
        Spans sorted by ``start``. Their kept parts partition ``[0, length)``.

    Raises:
        ValueError: ``length`` is not positive, ``overlap`` is outside ``[0, tile)``, or
            one of the two is no multiple of ``align``.
    """
    if length < 1:
        raise ValueError(f"length {length} is not positive")
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} is outside [0, {tile})")
    if tile % align or overlap % align:
        raise ValueError(f"tile {tile} and overlap {overlap} must divide by {align}")
    starts = list(range(0, max(length - tile, 0), tile - overlap))
    starts.append(-(-max(length - tile, 0) // align) * align)
    stops = [min(start + tile, length) for start in starts]
    cuts = [(stop + start + 1) // 2 for stop, start in zip(stops, starts[1:], strict=False)]
    return [Span(*edges) for edges in zip(starts, stops, [0, *cuts], [*cuts, length], strict=True)]
