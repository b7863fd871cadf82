"""Text whose paragraphs were broken into lines for old programs (RFC 3676), put together again."""

from __future__ import annotations

from typing import Final

__all__ = ["unflowed"]

#: Nobody writes more; and a line takes more memory than its characters.
_LONGEST: Final = 1024 * 1024


def unflowed(text: str, *, delsp: bool) -> str:
    """Text that is declared as `format=flowed`, with one line for each paragraph. What is quoted stays quoted.

    Args:
        text: As it came, with newlines. One of more than a million characters stays as it is.
        delsp: Whether the space at the end of a line is no part of the text (`delsp=yes`).
    """
    if len(text) > _LONGEST or (" \n" not in text and "\n " not in text and not text.startswith(" ")):
        return text
    paragraphs: list[str] = []
    pieces: list[str] = []  # of the paragraph that goes on, and how deep it is quoted
    depth = 0
    for line in text.split("\n"):
        said = line.lstrip(">")
        quoted = len(line) - len(said)
        said = said.removeprefix(" ")  # RFC 3676 §4.4: it protects the beginning of a line
        if pieces and (quoted != depth or said == "-- "):  # §4.5, §4.3: it cannot go on there
            paragraphs.append(_paragraph(depth, pieces))
            pieces = []
        depth = quoted
        goes_on = said.endswith(" ") and said != "-- "
        pieces.append(said[:-1] if goes_on and delsp else said)
        if not goes_on:
            paragraphs.append(_paragraph(depth, pieces))
            pieces = []
    return "\n".join([*paragraphs, _paragraph(depth, pieces)] if pieces else paragraphs)


def _paragraph(depth: int, pieces: list[str]) -> str:
    said = "".join(pieces)
    return f"{'>' * depth} {said}" if depth and said else ">" * depth + said
