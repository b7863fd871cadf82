"""How long a text is, in the unit of a medium, and how much of it fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

from . import gsm7

__all__ = ["Fitting", "Unit", "fitting", "length", "searched"]

Unit = Literal["codepoint", "utf16", "byte", "gsm7"]


class Fitting(Protocol):
    """Where the longest piece that fits ends: from `start` on, at most the whole text. All shorter ones fit as well."""

    def __call__(self, start: int) -> int:
        """The index behind its last code point; *start* itself where not even one code point fits."""
        ...


def length(text: str, unit: Unit) -> int:
    """The length of *text*.

    Args:
        text: Without lone surrogates, as everything in the model.
        unit: Code points, UTF-16 code units, UTF-8 bytes, or "gsm7" as `convergekit.content.gsm7.units` defines it.
    """
    return _LENGTH[unit](text)


def fitting(text: str, limit: int, unit: Unit) -> Fitting:
    """How much of *text* fits into *limit*, which is counted in *unit*. Each answer takes time in *limit* only."""
    if unit == "gsm7":
        return lambda start: gsm7.longest_prefix(text, start, limit)
    if unit == "codepoint" or (unit == "byte" and text.isascii()):
        return lambda start: min(len(text), start + limit)
    codec, size = ("utf-8", 1) if unit == "byte" else ("utf-16-le", 2)
    return lambda start: (
        start
        + len(
            text[start : start + limit].encode(codec)[: limit * size].decode(codec, "ignore")  # an incomplete one goes
        )
    )


def searched(total: int, guess: int, fits: Callable[[int, int], bool]) -> Fitting:
    """The same for a measure that only says yes or no: doubling, then halving.

    Args:
        total: Length of what is measured.
        guess: About how much fits.
        fits: Whether the piece from the first index to the second does.
    """

    def end(start: int) -> int:
        low, high = start, min(total, start + max(1, guess))
        while fits(start, high):
            if high == total:
                return total
            low, high = high, min(total, start + 2 * (high - start))
        while high - low > 1:  # it fits up to low, and not up to high
            middle = (low + high) // 2
            low, high = (middle, high) if fits(start, middle) else (low, middle)
        return low

    return end


_LENGTH: Final[dict[str, Callable[[str], int]]] = {
    "codepoint": len,
    "utf16": lambda text: len(text.encode("utf-16-le")) // 2,
    "byte": lambda text: len(text) if text.isascii() else len(text.encode()),
    "gsm7": gsm7.units,
}
