"""Emoji that are more than one code point: flags, keycaps, skin tones, families. Each weighs as much as one.

Rules kept here:

- Only what Unicode recommends for interchange counts as one, fully qualified; what merely looks like it weighs as its
  code points do. So no text weighs less here than it does on X.
- Emoji of one code point are not looked for: they weigh what they would weigh anyway.

Source:
    The file `emoji.txt` beside this one; UTS #51 §2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from ._patterns import pattern

__all__ = ["sequences"]

_TONES: Final = "[\U0001f3fb-\U0001f3ff]"
#: And with none of these does one begin; a class of few ranges, since each character of a text is held against it.
_FIRST: Final = pattern("[#*0-9\xa9\xae\u203c-\u2bff\u3030-\u303d\u3297-\u3299\U0001f000-\U0001faff]")
#: Without one of these there is none of them. A keycap goes without U+FE0F, too.
_SIGNS: Final = pattern("[\u200d\u20e3\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e007f]")


def sequences(text: str) -> list[tuple[int, int]]:
    """Where they begin and end, in order; as ranges of code points."""
    found: list[tuple[int, int]] = []
    if text.isascii() or _SIGNS.search(text) is None:
        return found
    end = 0
    for first in _FIRST.finditer(text):
        if first.start() < end or (behind := _behind(first.group())) is None:
            continue
        if match := behind.match(text, first.end()):
            end = match.end()
            found.append((first.start(), end))
    return found


@cache
def _behind(first: str) -> re.Pattern[str] | None:
    """What makes a sequence of one that begins so."""
    rests = _rests().get(first)
    return re.compile("|".join(rests)) if rests else None


@cache
def _rests() -> dict[str, list[str]]:
    """For each first character the patterns of what follows, each kind behind those that may be longer."""
    found: dict[str, list[str]] = {}
    for first, rest in _pairs(_data()):
        found.setdefault(first, []).append(rest)
    return found


def _pairs(data: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The first character of each, and a pattern for what follows."""
    selected, toned = frozenset(data["text by default"]), frozenset(data["tones"])
    for shape in sorted((*data["joined"], *data["joined with tones"]), key=len, reverse=True):
        may_be_toned = toned if shape in data["joined with tones"] else frozenset[str]()
        first, *others = shape.split("+")
        rest = (each + _variant(each, selected, may_be_toned) for each in others)
        yield first, "\u200d".join((_variant(first, selected, may_be_toned), *rest))
    for name in data["subdivisions"]:
        yield "\U0001f3f4", "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f"
    yield from ((each, _TONES) for each in data["tones"])
    yield from ((each, "\ufe0f") for each in (*data["text by default"], *data["emoji by default"]))
    yield from ((each, "\ufe0f?\u20e3") for each in "0123456789#*")
    yield from ((_letter(name[0]), _letter(name[1])) for name in data["flags"])


def _variant(character: str, selected: frozenset[str], toned: frozenset[str]) -> str:
    """What must, or may, follow on *character* inside of a sequence."""
    plain = "\ufe0f" if character in selected else ""
    return f"(?:{_TONES}|{plain})" if character in toned else plain


def _letter(name: str) -> str:
    """Regions are written in letters of their own."""
    return chr(0x1F1E6 + ord(name) - ord("A"))


def _data() -> dict[str, list[str]]:
    from importlib.resources import files  # slow to import

    found: dict[str, list[str]] = {}
    for section in files(__name__.rpartition(".")[0]).joinpath("emoji.txt").read_text("utf-8").split("\n[")[1:]:
        name, _, items = section.partition("]")
        found[name] = items.split()
    return found
