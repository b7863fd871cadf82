"""A value with parameters, as Content-Type and Content-Disposition have (RFC 2045 §5.1, RFC 2231)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final
from urllib.parse import unquote_to_bytes

from . import charsets, words

__all__ = ["parse"]

# A quote that is never closed reaches to the end, so that nothing is read twice.
_PARAMETER: Final = re.compile(r';\s*+([^\s=;"]{1,100})\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)(?:"|\Z)|([^;]*+))', re.DOTALL)
#: RFC 2231 §3 and §4: "name*1*" is the second piece of the value of "name", and is encoded.
_SECTION: Final = re.compile(r"([^*]+)(?:\*([0-9]{1,3}))?(\*)?")
_MOST: Final = 100


def parse(value: str) -> tuple[str, dict[str, str]]:
    """What stands before the parameters, in lower case, and the parameters, decoded, by their names in lower case.

    Of two ways to say one thing, RFC 2231's goes before the plain one, and then what comes first.
    """
    main, _, rest = value.partition(";")
    if not rest:
        return _before_comment(main).lower(), {}
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in islice(_PARAMETER.finditer(value, len(main)), _MOST):
        named = _SECTION.fullmatch(match[1].lower())
        text = _unquoted(match[2]) if match[2] is not None else match[3].strip()
        if match[2] is None and "name" not in match[1].lower():  # "report (1).pdf" is no comment
            text = _before_comment(text)
        if named is None or not (named[2] or named[3]):
            plain.setdefault(match[1].lower(), text)
        else:
            sections.setdefault(named[1], {}).setdefault(int(named[2] or 0), (text, bool(named[3])))
    found = {name: text if name == "boundary" else words.decode(text) for name, text in plain.items()}
    return _before_comment(main).lower(), found | {name: _joined(pieces) for name, pieces in sections.items()}


def _before_comment(text: str) -> str:
    return text.partition("(")[0].strip()


def _unquoted(text: str) -> str:
    """A backslash quotes quotes and itself; before all else it is what a Windows program wrote into a path."""
    return re.sub(r'\\(["\\])', r"\1", text) if "\\" in text else text


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    charset, data = "", bytearray()
    for position, (number, (text, encoded)) in enumerate(sorted(pieces.items())):
        if number != position:
            break  # one is missing, and what stands behind it may mean anything
        if encoded and not position and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    return charsets.decode(bytes(data), charset)[0]
