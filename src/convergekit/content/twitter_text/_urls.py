"""What X takes for a URL: with "https://" in front, and without where the top-level domain is known.

Rules kept here:

- The reading is that of twitter-text 3.1: from left to right, each URL as long as it can be, and what was read once is
  not read again, also where it turned out to be none.
- Time is linear in the text. The reference looks for a domain from each character on; here a dot that a top-level
  domain follows is looked for, and then what stands around it, once. Patterns that repeat give nothing back.

Words: a *host* is a run of characters of which domains are made, dots, hyphens and underscores among them; a *label* is
what stands between its dots.

Source:
    Repository twitter/twitter-text, the cases in conformance/, and what its JavaScript answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ._characters import DIRECTIONAL, INVALID, LATIN, SPACES
from ._patterns import pattern
from ._top_level import top_level

__all__ = ["Span", "spans"]

Span = tuple[int, int]

#: Of a URL, with the protocol that X puts before those without; of one label as it is asked for in the DNS.
_LONGEST, _LONGEST_LABEL, _LONGEST_SLUG = 4096, 63, 40
_PROTOCOLS: Final = ("http://", "https://")

_NO_HOST: Final = rf"!#%&'()*+,/:;<=>?@\[\\\]\^{{|}}~${SPACES}{INVALID}{DIRECTIONAL}"
#: A host with dots in it; a word without is taken as well, so that none of its ends is tried in turn.
_HOST: Final = pattern(rf"[^{_NO_HOST}.]*+(?:\.[^{_NO_HOST}.]*+)++|[^{_NO_HOST}.]++")
_NOT_BEFORE: Final = f"0-9A-Za-z@＠$#＃{INVALID}"
_BEGIN: Final = pattern(f"(?<![{_NOT_BEFORE}])[^{_NO_HOST}._-]")
_PROTOCOL: Final = pattern(f"(?<![{_NOT_BEFORE}])[Hh][Tt][Tt][Pp][Ss]?://")
_DOT: Final = pattern(r"\.(?=[0-9A-Za-z\x80-\U0010ffff])")
#: What a domain without a protocol is made of.
_LABELS: Final = pattern(rf"(?:[-0-9A-Za-z{LATIN}]++\.)++")
_DOTS_OF_A_LABEL: Final = pattern("[\u3002\uff0e\uff61]")

#: What a path may end with, and what may only stand inside of it, since it rather ends the sentence.
_END, _INSIDE = rf"0-9A-Za-z\u0400-\u04ff{LATIN}+\-=_#/", r"!*';:,.$%\[\]\u2013~@|&"
#: Parentheses that are balanced, and at most two deep.
_BALANCED: Final = rf"\((?:[{_END}{_INSIDE}]++|[{_END}{_INSIDE}]*+\([{_END}{_INSIDE}]++\)[{_END}{_INSIDE}]*+)\)"
_PATH: Final = pattern(rf"/(?:(?:[{_INSIDE}]++|{_BALANCED})*+[{_END}]++)*+(?:{_BALANCED})*+")
_QUERY: Final = pattern(r"\?(?:[!?*'@();:+$%\[\].,~|]*+[0-9A-Za-z\-_&=#/]++)++")
_PORT: Final = pattern(":[0-9]++")
_SHORTENED: Final = pattern(r"[Hh][Tt][Tt][Pp][Ss]?://[Tt]\.[Cc][Oo]/([0-9A-Za-z]++)")


def spans(text: str) -> list[Span]:
    """Where the URLs begin and end, in order; as ranges of code points."""
    found: list[Span] = []
    read = done = 0  # up to where a URL was read, and up to where there is nothing more to look for
    for dot in _DOT.finditer(text) if "." in text else ():
        at = dot.start()
        if at < done or top_level(text, at + 1) is None:
            continue
        low = max(done, text.rfind(" ", done, at) + 1)
        host = next(match for match in _HOST.finditer(text, low) if match.end() > at)
        read = _Host(text, host.start(), host.group().split("."), read).read_into(found)
        done = max(read, host.end())
    return found


class _Domain(NamedTuple):
    """Where it begins (with its protocol, if there is one) and ends, and in which label."""

    start: int
    end: int
    label: int
    protocol: int | None


class _Host:
    """A host that begins at *start*; what lies before *read* was read already, and nothing stands in front of it."""

    def __init__(self, text: str, start: int, labels: list[str], read: int) -> None:
        self._text, self._start, self._labels, self._read = text, start, labels, read
        self._at = [start]
        for label in labels:
            self._at.append(self._at[-1] + len(label) + 1)
        self._ends = [None, *(top_level(text, at) for at in self._at[1:-1])]
        self._last, self._stop = self._lasts(), self._stops()

    def read_into(self, found: list[Span]) -> int:
        """Put all URLs there; where the reading ended."""
        number = 0
        while number < len(self._labels) - 1:
            domain = self._domain(number)
            if domain is None:
                number += 1
                continue
            number = domain.label
            path, self._read = _tail(self._text, domain.end)
            found += _checked(self._text, domain, path, self._read)
        return self._read

    def _lasts(self) -> list[int]:
        """For each label the last one up to it that is a top-level domain behind a whole name."""
        found = [0]
        for number in range(1, len(self._labels)):
            is_one = self._ends[number] is not None and _is_name(self._labels[number - 1])
            found.append(number if is_one else found[-1])
        return found

    def _stops(self) -> list[int]:
        """For each label the next one behind which no domain that began before goes on."""
        found = [len(self._labels) - 1]
        for number in range(len(self._labels) - 1, 0, -1):
            found.append(found[-1] if _is_subdomain(self._labels[number]) else number)
        return found[::-1]

    def _domain(self, number: int) -> _Domain | None:
        """The longest domain that begins in the label of that *number*."""
        text, end = self._text, self._at[number + 1] - 1
        start = max(self._at[number], self._read + 1 if self._read else 0)
        if start >= end or text[end - 1] in "-_":
            return None
        last = self._last[self._stop[number]]
        if last <= number + 1:  # the label itself is the name, and that has no underscore
            last = number + 1
            start = max(start, text.rfind("_", start, end) + 1)
        found = self._ends[last]
        if found is None:
            return None
        protocol = self._protocol() if start == self._start else None
        begin = start if protocol is not None else _begin(text, start, end)
        return None if begin is None else _Domain(begin, found, last, protocol)

    def _protocol(self) -> int | None:
        text, start = self._text, self._start
        if not text.startswith("//", start - 2) or text[start] in "-_":
            return None
        for name in _PROTOCOLS:
            at = start - len(name)
            if at >= self._read and _PROTOCOL.fullmatch(text, at, start) and (at > self._read or not at):
                return at
        return None


def _begin(text: str, start: int, end: int) -> int | None:
    """Where in this label a domain can begin."""
    found = _BEGIN.search(text, start, end)
    if found is None:
        return None
    # The very first character is rather taken for what stands in front, where that may be.
    return 1 if found.start() == 0 and _BEGIN.match(text, 1, end) else found.start()


def _is_subdomain(label: str) -> bool:
    return bool(label) and label[0] not in "-_" and label[-1] not in "-_"


def _is_name(label: str) -> bool:
    return _is_subdomain(label) and "_" not in label


def _tail(text: str, end: int) -> tuple[bool, int]:
    """Whether there is a path behind a domain, and where all of it ends."""
    if text[end : end + 1] not in {":", "/", "?"}:
        return False, end
    if port := _PORT.match(text, end):
        end = port.end()
    path = _PATH.match(text, end)
    end = path.end() if path else end
    query = _QUERY.match(text, end)
    return path is not None, query.end() if query else end


def _checked(text: str, domain: _Domain, path: bool, end: int) -> list[Span]:
    """What of it is a URL: none where it is too long, and only what is Latin where there is no protocol."""
    start = domain.start if domain.protocol is None else domain.protocol
    length = end - start + (len(_PROTOCOLS[-1]) if domain.protocol is None else 0)
    name = text[domain.start : domain.end]
    if length > _LONGEST or not _is_resolvable(name):
        return []
    if domain.protocol is not None:
        return _with_protocol(text, start, end)
    if start and text[start - 1] in "-_./":
        return []
    found = [(start + left, start + right) for left, right in _latin(name)]
    if found and path:
        found[-1] = (found[-1][0], end)
    return found


def _with_protocol(text: str, start: int, end: int) -> list[Span]:
    """Behind what t.co made shorter nothing but a query belongs to it."""
    if shortened := _SHORTENED.match(text, start, end):
        if len(shortened[1]) > _LONGEST_SLUG:
            return []
        if not text.startswith("?", shortened.end()):
            end = shortened.end()
    return [(start, end)]


def _latin(domain: str) -> Iterator[Span]:
    """The parts of *domain* that are domains themselves, and of which all but the end is Latin."""
    at = 0
    while labels := _LABELS.search(domain, at):
        at, dot = labels.end(), labels.end()
        while dot > labels.start():
            end = top_level(domain, dot)
            if end is not None:
                yield labels.start(), end
                at = end
                break
            dot = domain.rfind(".", labels.start(), dot - 1) + 1


def _is_resolvable(domain: str) -> bool:
    if domain.startswith("xn--") and next(_latin(domain), None) is None:
        return False  # what is encoded already has nothing in it that would have to be
    return all(_length(label) <= _LONGEST_LABEL for label in domain.split("."))


def _length(label: str) -> int:
    """As it goes into the DNS."""
    if label.isascii() or len(label) > _LONGEST_LABEL:  # the encoded form is never the shorter one
        return len(label)
    parts = _DOTS_OF_A_LABEL.split(label)
    return sum(len(part) if part.isascii() else len("xn--" + part.encode("punycode").decode()) for part in parts) + (
        len(parts) - 1
    )
