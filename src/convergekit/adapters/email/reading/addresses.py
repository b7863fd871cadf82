"""The mailboxes of an address field (RFC 5322 §3.4), also in its obsolete syntax (§4.4), and as it is got wrong.

- Read in one pass. A quote or a parenthesis that is never closed is an ordinary character, and so is each behind it.
- The structure is read before encoded words are decoded: what stands in one is a name, and never an address.
- What is no mailbox of a valid address is left out, and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Final, NamedTuple

from convergekit.errors import InvalidInputError
from convergekit.model import Address

from . import charsets, headers, words

__all__ = ["MOST", "read"]

#: Of one field; what stands behind is left out.
MOST: Final = 1000
#: Tokens, white space among them: thirty for each.
_MOST_STEPS: Final = 30_000

#: What nearly all are: a name or none, and an address in angle brackets; or the bare address.
_PLAIN: Final = re.compile(
    r'\s*+(?:(?:"([^"\\]*+)"\s*+|([^"(),:;<>@\[\]\\]*+))<([^\s"(),:;<>@\[\]\\]++@[^\s"(),:;<>@\[\]\\]++)>'
    r'|([^\s"(),:;<>@\[\]\\]++@[^\s"(),:;<>@\[\]\\]++))\s*+'
)
#: White space, an encoded word (which may hold anything but white space), a literal, an atom, or one character.
_TOKEN: Final = re.compile(
    r'(\s++)|(=\?[^?\s]{1,80}\?[bBqQ]\?[^?\s]*+\?=)|(\[[^\[\]\s]{0,256}\]|[^\s"(),:;<>@\[\]]++)|(.)', re.DOTALL
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_IN_COMMENT: Final = re.compile(r"[^()\\]++|\\.|(.)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_SPECIALS: Final = frozenset("<>,;:@")
_DOT_ATOM: Final = re.compile(r'[^\s"(),:;<>@\[\]\\.]+(?:\.[^\s"(),:;<>@\[\]\\.]+)*')


def read(values: Iterable[bytes]) -> tuple[tuple[Address, ...], list[str]]:
    """The mailboxes in *values*, unfolded and not decoded, in order, and what is wrong with them."""
    found: list[Address] = []
    defects: list[str] = []
    for value in values:
        for name, spec in _mailboxes(charsets.guess(value), defects):
            if len(found) + len(defects) >= MOST:
                return tuple(found), [*defects, f"more than {MOST:,} addresses; the rest is left out"]
            try:
                found.append(Address.build("mailto", spec, display_name=_display_name(name)))
            except InvalidInputError as exc:
                defects.append(str(exc))
    return tuple(found), defects


def _mailboxes(text: str, defects: list[str]) -> Iterable[tuple[str, str]]:
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return _Reader(text, defects).mailboxes()
    return [(plain[1] or plain[2] or "", plain[3] or plain[4])]


def _display_name(name: str) -> str | None:
    return headers.printable(" ".join(words.decode(name).split())) or None


class _Word(NamedTuple):
    """What stands between two specials: as it stands there, as it is shown, and whether white space is before it."""

    raw: str
    shown: str
    is_apart: bool


class _Reader:
    """Goes through a field once, and keeps what it read of the mailbox that it is in."""

    def __init__(self, text: str, defects: list[str]) -> None:
        self._text = text
        self._defects = defects
        self._quotes = self._comments = True  # whether they mean anything from here on
        self._clear()

    def _clear(self) -> None:
        self._runs: list[list[_Word]] = []  # before angle brackets, or without any
        self._angle: list[_Word] | None = None  # inside
        self._behind: list[list[_Word]] = []
        self._is_inside = self._is_apart = self._has_at = False
        self._comment = ""

    def mailboxes(self) -> Iterator[tuple[str, str]]:
        """Name and address of each, as they stand there."""
        position = steps = 0
        while position < len(self._text):
            steps += 1
            if steps > _MOST_STEPS:
                self._defects.append("an address field is too long; its end is left out")
                return
            position, special = self._step(position)
            if special == "<" and self._angle is not None:  # a comma is missing, or a bracket
                self._defects.append("an address field has angle brackets that are not in order")
                if self._angle:
                    following, self._behind = self._behind, []
                    yield from self._mailbox()
                    self._clear()
                    self._runs = following
            if self._ends(special):
                yield from self._mailbox()
                self._clear()
        yield from self._mailbox()

    def _step(self, position: int) -> tuple[int, str]:
        """Take one token; returns where the next begins, and the character if it was a special one."""
        text = self._text
        if text[position] == '"' and self._quotes:
            if quoted := _QUOTED.match(text, position):
                self._take(quoted[0], _ESCAPE.sub(r"\1", quoted[1]))
                return quoted.end(), ""
            self._quotes = False
            self._defects.append("a quote in an address field is never closed")
        elif text[position] == "(" and self._comments:
            if end := self._behind_comment(position):
                self._comment, self._is_apart = text[position + 1 : end - 1], True
                return end, ""
            self._comments = False
            self._defects.append("a comment in an address field is never closed")
        token = _TOKEN.match(text, position)
        assert token is not None, "any character is a token"
        if token[1]:
            self._is_apart = True
        elif token[4] not in _SPECIALS:
            self._take(token[0], token[0])
        return token.end(), token[4] or ""

    def _behind_comment(self, position: int) -> int | None:
        depth = 0
        for match in _IN_COMMENT.finditer(self._text, position):
            depth += {"(": 1, ")": -1}.get(match[1], 0)
            if depth == 0:
                return match.end()
        return None

    def _ends(self, special: str) -> bool:
        """Do what a special character means, and tell whether the mailbox ends there."""
        if special == "@":
            self._take("@", "@")
        elif special == "<":
            self._angle, self._is_inside = [], True
        elif special == ">":
            self._is_inside = False
        elif special == ":":
            self._colon()
        is_route = self._is_inside and self._angle and self._angle[0].raw == "@"
        return special == ";" or (special == "," and not is_route)

    def _colon(self) -> None:
        """The end of a route (RFC 5322 §4.4) or of a group's name; of an address it is no part."""
        if self._is_inside:
            self._angle = []
        elif self._has_at:
            self._take(":", ":")
        else:
            self._clear()

    def _take(self, raw: str, shown: str) -> None:
        word = _Word(raw, shown, self._is_apart)
        self._is_apart, self._comment = False, ""
        self._has_at = self._has_at or raw == "@"
        if self._is_inside and self._angle is not None:
            self._angle.append(word)
        else:
            runs = self._runs if self._angle is None else self._behind
            if runs and not (word.is_apart and raw[0] not in "@." and runs[-1][-1].raw[-1] not in "@."):
                runs[-1].append(word)  # "ann @ example . org" is one address, and valid
            else:
                runs.append([word])

    def _mailbox(self) -> Iterator[tuple[str, str]]:
        if self._angle is not None:
            if self._is_inside:
                self._defects.append("an address field has angle brackets that are not in order")
            name = " ".join(_shown(run) for run in (*self._runs, *self._behind))
            yield name.strip('" ') or self._comment, _spec(self._angle)
            return
        names = list(takewhile(lambda run: not _has_at(run), self._runs))
        bare = self._runs[len(names) :]
        if not bare or not all(map(_has_at, bare)):  # "ann@exa mple.org" is nobody's address
            if self._runs:
                self._defects.append("an address field has somebody without an address in it")
            return
        if len(self._runs) > 1:
            self._defects.append("an address field has an address without angle brackets or comma in it")
        for run in bare:
            name = " ".join(map(_shown, names)) if len(bare) == 1 else ""
            yield name.strip('" ') or self._comment, _spec(run)


def _has_at(run: list[_Word]) -> bool:
    return any(word.raw == "@" for word in run)


def _shown(run: list[_Word]) -> str:
    return "".join(" " * word.is_apart + word.shown for word in run).strip()


def _spec(run: list[_Word]) -> str:
    """The address, with quotes only where it needs them (RFC 5321 §4.1.2)."""
    return "".join(word.shown if _DOT_ATOM.fullmatch(word.shown) else word.raw for word in run)
