"""How long a text is, in the unit of a medium, and how much of it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from . import gsm7

__all__ = ["Atom", "Fitting", "Unit", "fitting", "length", "searched"]

Unit = Literal["codepoint", "utf16", "byte", "gsm7", "weighted"]

#: What a cut goes around where it can: from where to where, and what it is.
Atom = tuple[int, int, Literal["word", "url"]]


def _as_it_is(start: int, end: int) -> int:
    return end


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where the longest piece that fits ends: from a start on, at most the whole text. All shorter ones fit as well.

    Args:
        end: From the start of a piece to the index behind its last code point; the start itself where not even one
            code point fits.
        atoms: Those that may lie across a position (the second argument), in order; of them only what lies behind the
            first counts. None for URLs as they are written anywhere.
        alone: Where a piece that was chosen is to end instead, if it measures more alone than in its place. All others
            end where they do.
    """

    end: Callable[[int], int]
    atoms: Callable[[int, int], Iterable[Atom]] | None = None
    alone: Callable[[int, int], int] = _as_it_is

    def __call__(self, start: int) -> int:
        """The index behind the last code point of the longest piece that begins at *start* and fits."""
        return self.end(start)


def length(text: str, unit: Unit) -> int:
    """The length of *text*.

    Args:
        text: Without lone surrogates, as everything in the model.
        unit: Code points, UTF-16 code units, UTF-8 bytes, "gsm7" as `convergekit.content.gsm7.units` defines it, or
            "weighted" as `convergekit.content.twitter_text.weighted_length` does.
    """
    return _LENGTH[unit](text)


def fitting(text: str, limit: int, unit: Unit) -> Fitting:
    """How much of *text* fits into *limit*, which is counted in *unit*. Each answer takes time in *limit* only."""
    if unit == "weighted":
        from ._weighted import fitting as weighted

        return weighted(text, limit)
    if unit == "gsm7":
        return Fitting(lambda start: gsm7.longest_prefix(text, start, limit))
    if unit == "codepoint" or (unit == "byte" and text.isascii()):
        return Fitting(lambda start: min(len(text), start + limit))
    codec, size = ("utf-8", 1) if unit == "byte" else ("utf-16-le", 2)
    return Fitting(
        lambda start: (
            start
            + len(
                text[start : start + limit]
                .encode(codec)[: limit * size]
                .decode(codec, "ignore")  # an incomplete one goes
            )
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

    return Fitting(end)


def _weighted(text: str) -> int:
    from . import twitter_text  # here, since one medium counts so

    return twitter_text.weighted_length(text)


_LENGTH: Final[dict[str, Callable[[str], int]]] = {
    "codepoint": len,
    "utf16": lambda text: len(text.encode("utf-16-le")) // 2,
    "byte": lambda text: len(text) if text.isascii() else len(text.encode()),
    "gsm7": gsm7.units,
    "weighted": _weighted,
}
