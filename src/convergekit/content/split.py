"""Where to cut text that is too long for one part.

Rules kept here:

- Nothing is lost but white space at a cut: parts are pieces of the text, in order, and what lies between two of them
  is white space, of which after a line break the indentation of the next line is kept.
- Every piece fits.
- A cut lies, by preference: between paragraphs, at a line break, at white space (these in the second half of what
  fits), at earlier white space where the word then fits into the next part, between words that are written without
  spaces and outside of a URL, before a URL, between grapheme clusters. Only a cluster larger than a whole part is
  cut between its code points. What counts as a URL, or is spared like one, a measure may say itself (`Fitting.atoms`).
- Time is linear in the text: each cut looks at what fits into one part, and a little beyond.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from . import measure
from .graphemes import boundary_before, joined

__all__ = ["Broken", "Piece", "TooNarrow", "pieces", "split"]

#: White space at which a line may end: not the no-break spaces U+00A0, U+2007, U+202F; but the zero-width space.
_SPACES: Final = (
    " \t\n\v\f\r\u0085\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u200b\u2028\u2029\u205f\u3000"
)
_SPACE: Final = re.compile(f"[{_SPACES}]+")
_LAST_SPACE: Final = re.compile(f".*[{_SPACES}]", re.DOTALL)
_LINE_BREAKS: Final = "\n\v\f\r\u0085\u2028\u2029"
#: Bounded in front, so that a long run of letters is not read once for each of them.
_URL: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]{1,31}://|www\.|mailto:|xmpp:)[^\s<>\"]+")
#: How far back from the end of a part to look for a boundary between words that have no space between them.
_NEAR: Final = 64
#: White space that carries a mark is no place to cut; a text made of it must not cost a search for each.
_TRIES: Final = 8

#: What a cut went through.
Broken = Literal["word", "url", "cluster"]


class Piece(NamedTuple):
    """A part of the text: from `start` up to `end`; `broken` is what the cut behind it went through, if anything."""

    start: int
    end: int
    broken: Broken | None = None


class TooNarrow(ValueError):
    """A part holds less than one code point takes."""


def split(text: str, limit: int, unit: measure.Unit = "codepoint") -> tuple[str, ...]:
    """Cut *text* into parts that measure at most *limit*; one that fits comes back as it is.

    Args:
        text: Plain text.
        limit: What one part may measure.
        unit: In what.

    Returns:
        At least one; none of several is blank.

    Raises:
        TooNarrow: One code point measures more than *limit*.
    """
    return tuple(text[piece.start : piece.end] for piece in pieces(text, measure.fitting(text, limit, unit)))


def pieces(text: str, fitting: measure.Fitting) -> Iterator[Piece]:
    """The same as ranges, for any measure: *fitting* says how much fits. Raises `TooNarrow`."""
    if fitting(0) >= len(text):
        yield Piece(0, len(text))
        return
    start, found, atoms = 0, False, fitting.atoms or _urls(text)
    while start < len(text):
        end = fitting(start)
        if end <= start:
            raise TooNarrow("a part holds less than one character takes")
        cut = _Window(text, start, end, fitting, atoms).cut()
        while (end := fitting.alone(start, cut.end)) < cut.end:
            cut = _Window(text, start, end, fitting, atoms).cut()
        if text[start : cut.end].strip(_SPACES):
            found = True
            yield Piece(start, cut.end, cut.broken)
        start = cut.resume
    if not found:
        yield Piece(0, 0)


class _Cut(NamedTuple):
    end: int
    resume: int
    broken: Broken | None = None


@dataclass(slots=True)
class _Window:
    """What fits into the next part, and where it is best ended."""

    text: str
    start: int
    end: int
    fitting: measure.Fitting
    atoms: Callable[[int, int], Iterable[measure.Atom]]

    def cut(self) -> _Cut:
        if self.end >= len(self.text):
            return _Cut(len(self.text), len(self.text))
        half = self.start + (self.end - self.start) // 2
        for separator in ("\n\n", "\n"):
            # One more, since a break just behind the end costs nothing: it is dropped.
            at = self.text.rfind(separator, half, self.end + len(separator))
            if at >= 0 and (cut := self._at_space(at)) is not None:
                return cut
        space = self._last_space()
        if space is not None and (space.end >= half or self._next_word_fits(space.resume)):
            return space
        return self._inside_run(space)

    def _last_space(self) -> _Cut | None:
        """The last white space at which the text may be cut."""
        high = min(self.end + 1, len(self.text))
        for _ in range(_TRIES):
            match = _LAST_SPACE.match(self.text, self.start, high)
            if match is None:
                break
            if (cut := self._at_space(match.end() - 1)) is not None:
                return cut
            high = match.end() - 1
        return None

    def _at_space(self, at: int) -> _Cut | None:
        """Cut at the run of white space around *at*, unless a cluster reaches into it."""
        text = self.text
        left = self.start + len(text[self.start : at].rstrip(_SPACES))
        run = _SPACE.match(text, left)
        if run is None:
            return None
        right = run.end()
        if right < len(text) and joined(text[right - 1], text[right]):
            right -= 1  # the last one carries a mark, and so it is something to see
        if right <= left or (left > self.start and joined(text[left - 1], text[left])):
            return None
        broken = max(text.rfind(character, left, right) for character in _LINE_BREAKS)
        resume = broken + 1 if broken >= 0 else right
        return _Cut(left, resume) if resume > self.start else None

    def _next_word_fits(self, resume: int) -> bool:
        """Whether the word that begins at *resume* fits into a part of its own."""
        end = self.fitting(resume)
        return end >= len(self.text) or _SPACE.search(self.text, max(resume, self.end), end + 1) is not None

    def _inside_run(self, space: _Cut | None) -> _Cut:
        """Cut what goes on without white space from *space*, or from the start, to beyond the end."""
        run = space.resume if space else self.start
        whole = boundary_before(self.text, self.start, self.end)
        if whole <= self.start:
            return _Cut(self.end, self.end, "cluster")
        atom = self._atom_around(whole, run)
        if atom is not None and atom[0] > self.start:
            return space if space and atom[0] <= run else _Cut(atom[0], atom[0])
        if atom is not None:
            return _Cut(whole, whole, atom[1])
        word = self._word_boundary(whole, run)
        return _Cut(whole, whole, "word") if word is None else _Cut(word, word)

    def _atom_around(self, position: int, run: int) -> tuple[int, Broken] | None:
        """Where the atom begins that goes on across *position*, and what it is; or None."""
        for start, end, kind in self.atoms(run, position):
            if start >= position:
                return None
            if end > position:
                return boundary_before(self.text, self.start, max(start, self.start)), kind
        return None

    def _word_boundary(self, whole: int, run: int) -> int | None:
        """The last boundary between two words (UAX #29) near the end of what fits, or None."""
        low = max(run, whole - _NEAR)
        near = self.text[low : whole + _NEAR]
        # Both ends of the excerpt look like boundaries, and are not known to be any.
        found = [match.start() for match in _words().finditer(near) if 0 < match.start() < len(near)]
        for position in reversed(found):
            at = low + position
            if at <= whole and boundary_before(self.text, self.start, at) == at:
                return at if self._atom_around(at, run) is None else None
        return None


def _urls(text: str) -> Callable[[int, int], Iterator[measure.Atom]]:
    """Those that have a scheme, or begin with "www."."""

    def atoms(start: int, position: int) -> Iterator[measure.Atom]:
        for match in _URL.finditer(text, start, min(len(text), position + _NEAR)):
            yield match.start(), match.end(), "url"

    return atoms


@cache
def _words() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]  # only for text without spaces

    return regex.compile(r"(?w)\b")
