"""Text as it is searched: which words a message has, what a query asks for, and where it is met.

Every store uses the same functions, so what one finds the others find.

- Case, accents and width do not count: "CAFÉ" is found by "cafe". Vowel points of Hebrew and Arabic neither.
- Where a script writes no spaces (Chinese, Japanese, Thai ...), and in Korean, which glues endings to its words, each
  character is a word of its own, and several of them are looked for as a phrase.
- Anything but letters, digits and their marks parts words. There are no operators but the quotes around a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from convergekit.errors import InvalidInputError
from convergekit.model import Content

from . import html

__all__ = ["MAX_TERMS", "Phrase", "body_text", "highlights", "is_met", "phrases", "searchable", "words"]

#: A query may have so many words.
MAX_TERMS: Final = 100
#: Of a message so many characters are searched: some eighty pages.
_SEARCHED: Final = 200_000
#: A longer run of letters is cut into words of this length; most databases have a limit.
_LONGEST: Final = 64

_ASCII: Final = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_ASCII_WORD: Final = re.compile(rf"[a-z0-9]{{1,{_LONGEST}}}")
_SINGLE: Final = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u30fc"
    r"\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
)
# Latin, Greek, Cyrillic and what stands between words: there the standard library's expressions do, at a third.
_OTHER: Final = re.compile("[\u0590-\u1fff\u2c00-\U0010ffff]")
_PLAIN_WORD: Final = re.compile(rf"[^\W_]{{1,{_LONGEST}}}")
# Diacritics, the points of Hebrew and Arabic, and what is there without being seen (soft hyphens, joiners).
_UNCOUNTED: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0\u0591-\u05c7\u0640\u064b-\u065f\u0670\u00ad\u200b-\u200d\u2060\ufeff]+"
)
_QUOTED: Final = re.compile('"([^"]*)"?|([^"\\s]+)')

#: Words that follow each other.
Phrase = tuple[str, ...]


def words(text: str) -> list[str]:
    """The words of *text* as they are compared, in order."""
    return _line(text).split()


def _line(text: str) -> str:
    """The same with spaces between."""
    if text.isascii():  # as below, in a tenth of the time
        plain = text.translate(_ASCII)
        if not _has_long_word(plain):
            return plain.strip()
    folded = _folded(text)
    return " ".join(_expression(folded).findall(folded))


def _has_long_word(line: str) -> bool:
    start, last = 0, len(line) - _LONGEST
    while start < last:
        space = line.rfind(" ", start, start + _LONGEST + 1)
        if space < 0:
            return True
        start = space + 1
    return False


def phrases(query: str) -> list[Phrase]:
    """What *query* asks for: each phrase has to be met. Any text is a query; one without a word asks for nothing.

    Raises:
        InvalidInputError: There are more than `MAX_TERMS` words in it.
    """
    quoted = query.replace("“", '"').replace("”", '"').replace("„", '"')
    found = (tuple(words(phrase or word)) for phrase, word in _QUOTED.findall(quoted))
    asked = list(dict.fromkeys(phrase for phrase in found if phrase))
    if sum(map(len, asked)) > MAX_TERMS:
        raise InvalidInputError(
            f"at most {MAX_TERMS} words are searched for at once, and each Chinese, Japanese or Korean character is one"
        )
    return asked


def searchable(content: Content) -> str:
    """The words by which *content* is found, with spaces between: of its subject, its text, the names of its files."""
    text = body_text(content)
    if content.subject or content.attachments:
        parts = [content.subject, text, *(each.name for each in content.attachments)]
        text = "\n".join(part for part in parts if part)
    return _line(text[:_SEARCHED])


def body_text(content: Content) -> str:
    """What *content* says, as a reader without formatting would have it."""
    if content.text is not None or content.markdown is not None:
        return content.text if content.text is not None else content.markdown or ""
    return html.to_text(content.html[:_SEARCHED]) if content.html else ""


def is_met(asked: Sequence[Phrase], said: Sequence[str]) -> bool:
    """Whether every phrase of *asked* is among the words that were *said*."""
    line = f" {' '.join(said)} "
    return all(f" {' '.join(phrase)} " in line for phrase in asked)


def highlights(asked: Sequence[Phrase], text: str) -> tuple[tuple[int, int], ...]:
    """Where *text* meets the phrases of *asked*: (start, end) of each stretch, in order, none over another."""
    if not asked:
        return ()
    said = list(_placed(text))
    starts: dict[str, list[Phrase]] = {}
    for phrase in asked:
        starts.setdefault(phrase[0], []).append(phrase)
    spans: list[tuple[int, int]] = []
    for number, word in enumerate(said):
        for phrase in starts.get(word.text, ()):
            following = said[number : number + len(phrase)]
            if len(following) == len(phrase) and all(a.text == b for a, b in zip(following, phrase, strict=True)):
                _join(spans, word.start, following[-1].end)
    return tuple(spans)


class _Placed(NamedTuple):
    text: str
    start: int
    end: int


def _placed(text: str) -> Iterator[_Placed]:
    """The words of *text* and where they stand in it."""
    if text.isascii():
        yield from (_Placed(found[0], *found.span()) for found in _ASCII_WORD.finditer(text.lower()))
        return
    folded, starts, ends = [], list[int](), list[int]()
    for cluster in _scripts()[1].finditer(text):
        piece = _folded(cluster[0])
        folded.append(piece)
        starts += [cluster.start()] * len(piece)
        ends += [cluster.end()] * len(piece)
    line = "".join(folded)
    for found in _expression(line).finditer(line):
        yield _Placed(found[0], starts[found.start()], ends[found.end() - 1])


def _expression(folded: str) -> Any:
    if folded.isascii():
        return _ASCII_WORD
    return _scripts()[0] if _OTHER.search(folded) else _PLAIN_WORD


@lru_cache(maxsize=1)
def _scripts() -> tuple[Any, Any]:
    """A word in any script, and what folds by itself: a syllable in pieces, a character with its marks."""
    import regex  # type: ignore[import-untyped, unused-ignore]  # here, since most text needs none of it

    word = rf"(?V1)[{_SINGLE}]\p{{M}}*|[[\p{{L}}\p{{N}}\p{{M}}]--[{_SINGLE}]]{{1,{_LONGEST}}}"
    cluster = r"[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|[\uff66-\uff9d][\uff9e\uff9f]?|.\p{M}*"
    return regex.compile(word), regex.compile(cluster, regex.DOTALL)


def _join(spans: list[tuple[int, int]], start: int, end: int) -> None:
    if spans and start <= spans[-1][1]:
        spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
    else:
        spans.append((start, end))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    bare = _UNCOUNTED.sub("", unicodedata.normalize("NFKD", text).casefold())
    # Casefolding may give characters with marks again; and syllables have to be one character.
    return unicodedata.normalize("NFC", bare)
