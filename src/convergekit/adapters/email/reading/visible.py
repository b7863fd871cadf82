"""What was written anew in a mail: its text without what it quotes and without a signature.

Rules kept here:

- In doubt it is visible. A phrase alone takes nothing away: an introduction needs a date and whom it quotes, a block of
  headers needs three of them, a signature's mark needs something short below it.
- An answer between quotes needs the quotes: they stay, and only what is quoted below the last answer goes.
- What is forwarded is what somebody wants to show; it stays, and all that is below it.
- There is no empty reply: where nothing would be left, all of it is visible.
- The time is linear in the text. Each line is looked at a bounded number of times, with a bounded number of
  neighbours; a line longer than any introduction is not looked into, and a text longer than any letter not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from . import _phrases as phrases

__all__ = ["visible"]

_HIDDEN: Final = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
_WHEN: Final = re.compile(r"\d{1,2}[:.hH時时]\d{2}|\d{4}|\d{1,2}[./-]\d{1,2}[./-]|\d{1,2}(?:時|点|點|시)")
_DIGIT: Final = re.compile(r"\d")
_WHO: Final = re.compile(r"[^\s<>@\"']@[^\s<>@]")
_DASHES: Final = ("--", "——", "__", "==", "**")
_LABEL: Final = re.compile(r"[\s*_]*([^\s*_:：][^*_:：]{0,24}?)[\s*_]*[:：]")
_RULE: Final = re.compile(r"[-_=─━]{3,}")
_URL: Final = re.compile(r"[<(\[]?https?://[^\s>)\]]{1,500}[>)\]]?")

_WRAPPED: Final = 5  # lines that an introduction may take up
_LONGEST: Final = 400  # characters of one
_SHORT: Final = 60  # characters of one without a date: "Ann Example wrote:"
_BLOCK: Final = 9  # lines in which a block of headers names all that it needs
_CANDIDATES: Final = 2000  # lines that are looked at closely; what has more of them before a quote is no letter
_LARGEST: Final = 1_000_000  # characters of a text
_EXACT: Final = 40  # lines of a signature below "-- ", with which RFC 3676 §4.3 marks it
_BROKEN: Final = 10  # ... and below what is left of that
_MARKS: Final = frozenset({"--", "–", "—", "- -"})
_ROUNDS: Final = 3  # a signature may stand above a quote, and another below it


def visible(text: str) -> str | None:
    """What of *text* was written anew; None where that is all of it.

    Args:
        text: Of a mail, its lines parted by newlines.
    """
    if len(text) > _LARGEST:
        return None
    # What only directs how text is written is not looked at, and stays where it is.
    lines = (text if text.isascii() else _HIDDEN.sub("", text).replace("\u00a0", " ")).split("\n")
    end = _end_of_top(lines)
    if end is None:
        return None
    is_quoting = ">" in text or "＞" in text
    for _ in range(_ROUNDS):
        before = end
        end = _above_signature(lines, _above_device(lines, end))
        end = _above_quotes(lines, end) if is_quoting else end
        if end == before:
            break
    start = _below_quote(lines, end) if is_quoting else 0
    is_all = start == 0 and end > _last(lines, len(lines))
    if is_all or _last(lines, end) < start:
        return None
    return "\n".join(text.split("\n")[start:end]).strip("\n").rstrip()


# From above: where all that follows is quoted.


def _end_of_top(lines: Sequence[str]) -> int | None:
    """Index of the line from which on everything is an earlier mail, though its lines are not marked.

    Without such a line, how many there are; None where something is forwarded first.
    """
    budget = _CANDIDATES
    for index, line in enumerate(lines):
        if not (":" in line or "--" in line or "：" in line or "——" in line) or len(line) > _LONGEST or _is_quote(line):
            continue
        if (budget := budget - 1) < 0:
            break
        plain = line.strip()
        is_dashed = plain.startswith(_DASHES) and plain.rstrip(":").endswith(_DASHES)
        ends = plain.endswith((":", "："))
        title = plain.strip("-—_=*:： ").casefold() if is_dashed or ends else ""
        if title in phrases.FORWARDED:
            return None
        if is_dashed and title in phrases.ORIGINAL:
            return index
        if _label(plain) in phrases.FROM and _is_block(lines, index):
            return _above_rule(lines, index)
        first = _introduction(lines, index, marked=False) if ends else None
        if first is not None and not any(map(_is_quote, _next(lines, index))):
            return first
    return len(lines)


def _is_block(lines: Sequence[str], index: int) -> bool:
    """Whether a block of headers begins here: whom it is from, when, and about what."""
    labels = {_label(line.strip()) for line in lines[index + 1 : index + _BLOCK] if len(line) <= _LONGEST}
    return not labels.isdisjoint(phrases.DATE) and not labels.isdisjoint(phrases.SUBJECT)


def _label(plain: str) -> str:
    found = _LABEL.match(plain)
    return found[1].rstrip().casefold() if found else ""


def _above_rule(lines: Sequence[str], index: int) -> int:
    """*index*, or that of the line of underscores which Outlook draws above its block of headers."""
    above = _last(lines, index)
    return above if above >= 0 and _RULE.fullmatch(lines[above].strip()) else index


# From below: quotes that are marked, and signatures.


def _above_quotes(lines: Sequence[str], end: int) -> int:
    """The end of what stands above the quote that *lines* end with, and above what introduces it."""
    first = None
    for index in range(end - 1, -1, -1):
        if _is_quote(lines[index]):
            first = index
        elif lines[index] and not lines[index].isspace():
            break
    if first is None:
        return end
    last = _last(lines, first)
    introduced = _introduction(lines, last, marked=True) if last >= 0 else None
    return _last(lines, first if introduced is None else introduced) + 1


def _below_quote(lines: Sequence[str], end: int) -> int:
    """The start of what stands below the one quote that *lines* begin with, where it is introduced; else 0."""
    first = next((index for index in range(end) if _is_quote(lines[index])), None)
    if first is None:
        return 0
    last = _last(lines, first)
    start = _introduction(lines, last, marked=True) if last >= 0 else None
    if start is None or _last(lines, start) >= 0:
        return 0
    below = first
    while below < end and (_is_quote(lines[below]) or not lines[below].strip()):
        below += 1
    return 0 if any(_is_quote(lines[index]) for index in range(below, end)) else below


def _above_signature(lines: Sequence[str], end: int) -> int:
    """The end of what stands above a signature's mark: the highest with no more below it than a signature has."""
    lowest = max(end - 2 * _EXACT, 0)
    marks = [index for index in range(lowest, end) if len(lines[index]) < 5 and lines[index].strip() in _MARKS]
    exact, broken = None, []
    for index in reversed(marks):
        below = [line for line in lines[index + 1 : end] if line.strip()]
        if len(below) > _EXACT or any(map(_is_quote, below)):
            break
        if lines[index].strip() == "--" and lines[index][-1].isspace():
            exact = index
        elif len(below) <= _BROKEN and all(len(line) <= 100 for line in below):
            broken.append(index)
    if exact is None and len(broken) != 1:  # several are rules between paragraphs
        return end
    return _last(lines, broken[0] if exact is None else exact) + 1


def _above_device(lines: Sequence[str], end: int) -> int:
    """The end of what stands above lines like "Sent from my phone"."""
    for _ in range(_ROUNDS):
        last = _last(lines, end)
        if last < 0 or not _is_device(lines[last]):
            break
        end = last
    return end


def _is_device(line: str) -> bool:
    if len(line) > 2 * _LONGEST:
        return False
    said = _URL.sub("", line.strip()).strip(" .*_-[]()<>«»\"'").casefold()
    starts, ends = phrases.SENT_FROM
    return len(said) <= 90 and (said.startswith(starts) or said.endswith(ends)) and bool(phrases.PRODUCT.search(said))


# What introduces a quote


def _introduction(lines: Sequence[str], last: int, *, marked: bool) -> int | None:
    """Index of the first line of what introduces a quote and ends with line *last*; None where nothing does.

    Args:
        lines: All of them.
        last: Index of the line above the quote.
        marked: Whether the quote's lines are marked. Where they are not, only the introduction tells that it is one.
    """
    if len(lines[last]) > _LONGEST or not lines[last].strip().endswith((":", "：")):
        return None
    said, found = "", None
    for first in range(last, max(last - _WRAPPED, -1), -1):
        line = lines[first]
        if len(line) + len(said) > _LONGEST or not line.strip() or _is_quote(line):
            break
        said = f"{line.strip()} {said}"
        if found is None:
            found = first if _introduces(said.casefold(), marked=marked) else None
        elif _is_open(line) and not _is_open(lines[found]) and (line.rstrip().endswith(",") or _DIGIT.search(line)):
            found = first  # it was wrapped within the date
    return found


def _introduces(said: str, *, marked: bool) -> bool:
    wrote = any(verb in said for verb in phrases.VERBS)
    if not _WHEN.search(said):
        return marked and wrote and len(said) <= _SHORT
    named = _WHO.search(said) is not None
    return (wrote or named) if marked else (wrote and named)


def _is_open(line: str) -> bool:
    return line.strip().partition(" ")[0].casefold() in phrases.OPENERS


# Lines


def _is_quote(line: str) -> bool:
    start = line[:1]
    if start.isspace():
        start = line.lstrip()[:1]
    # ">From " is what a mailbox file makes of a line that begins with "From " (RFC 4155).
    return start in {">", "＞"} and not line.startswith(">From ")


def _last(lines: Sequence[str], end: int) -> int:
    """Index of the last line before *end* that is not empty; -1 where there is none."""
    index = end - 1
    while index >= 0 and not lines[index].strip():
        index -= 1
    return index


def _next(lines: Sequence[str], index: int) -> Sequence[str]:
    """The line below *index* that is not empty, where one is near."""
    return next(([line] for line in lines[index + 1 : index + 1 + _WRAPPED] if line.strip()), [])
