"""What came in a call, as the fields that are in it: forms, JSON, multipart and queries. Pure.

Rules kept here:

- What a body looks like counts for more than what its Content-Type says: "{" or "[" begins JSON, everything else is a
  form. Gateways send the one and call it the other.
- A query beside a form adds what the form lacks; beside JSON it is what encloses the body ("^status").
- Text is cleaned and never a reason to refuse: lone surrogates become U+FFFD.
- Whatever comes, the time is linear in the size of the body, and nothing but `InvalidInputError` is raised.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from convergekit.errors import InvalidInputError

from ..signatures import Incoming
from .charsets import charset_of, decoded
from .fields import Item

__all__ = ["read_body", "read_json", "read_query"]

_MOST_FIELDS: Final = 2000
_DEEPEST: Final = 100  # what is `native` may be nested 180 levels deep
_HEAD: Final = 4096  # bytes of the head of a part that are looked at
_LONE: Final = re.compile("[\ud800-\udfff]")
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;,"]{1,200}))""", re.IGNORECASE)
_FIELD_NAME: Final = re.compile(
    rb"""(?:\A|\n)content-disposition:[^\r\n]*?[;\s]name\s*=\s*(?:"([^"\r\n]*)"|([^\s;"]+))""", re.I
)
_FILE_NAME: Final = re.compile(rb"(?:\A|\n)content-disposition:[^\r\n]*?[;\s]filename\*?\s*=", re.IGNORECASE)


def read_body(request: Incoming) -> Item:
    """The fields of *request*: of its query, and of its body unless it is a GET.

    Raises:
        InvalidInputError: There is nothing, or nothing that can be read.
    """
    query = _pairs(request.query.encode("latin-1", "replace")) if request.query else []
    body = b"" if request.method in ("GET", "HEAD") else request.body.strip()
    if not body and not query:
        raise InvalidInputError("there is nothing in the call: neither a body nor a query")
    if not body:
        return Item.of_form(query)
    if body[:1] in (b"{", b"[") or body[:3] == b"\xef\xbb\xbf" or b"\0" in body[:4]:
        # What it says of its charset counts only for what is in none that JSON knows.
        item = read_json(body, None if body.isascii() else charset_of(request.headers.get("content-type", "")))
        item.outer = Item.of_form(query) if query else None
        return item
    content_type = request.headers.get("content-type", "")
    charset = charset_of(content_type)
    if "json" in content_type.lower() and b"=" not in body:
        raise InvalidInputError("the body says that it is JSON, and is neither an object nor a list")
    if content_type.lower().lstrip().startswith("multipart/"):
        pairs = _parts(body, content_type)
    elif body[:1] == b"<":
        raise InvalidInputError("the body is XML or HTML; forms and JSON are read here")
    else:
        pairs = _pairs(body)
    taken = {name.lower() for name, _ in pairs}
    return Item.of_form(pairs + [each for each in query if each[0].lower() not in taken], charset)


def read_query(query: str) -> Item:
    """The fields of *query*, undecoded and without its "?".

    Raises:
        InvalidInputError: It has more than 2000 of them.
    """
    return Item.of_form(_pairs(query.encode("latin-1", "replace")))


def read_json(body: bytes | str, charset: str | None = None) -> Item:
    """The value that *body* is in JSON; in UTF-8, UTF-16 or UTF-32, or in *charset* where it is none of them.

    Numbers that JSON could not write again (NaN, 1e999) stay as text.

    Raises:
        InvalidInputError: It is no JSON, or is nested more than 100 levels deep.
    """
    try:
        text = body if isinstance(body, str) else _json_text(body, charset)
        value = _read(text)
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is not JSON") from None  # the cause might show it
    # Most bodies have fewer brackets than would be too deep, and no escape that could be half of a pair.
    if text.count("[") + text.count("{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise InvalidInputError(f"the body is nested more than {_DEEPEST} levels deep")
    return Item(_cleaned(value) if "\\u" in text and ("\\ud" in text or "\\uD" in text) else value)


def _json_text(body: bytes, charset: str | None) -> str:
    try:
        is_plain = body[:1] in (b"{", b"[") and b"\0" not in body[:4]
        return str(body, "utf-8" if is_plain else json.detect_encoding(body))
    except UnicodeDecodeError:
        return decoded(body, charset)


def _pairs(body: bytes) -> list[tuple[str, bytes]]:
    """WHATWG URL §5.1, in bytes: which charset they are in is another question."""
    if not body:
        return []
    if body.count(b"&") >= _MOST_FIELDS:
        raise InvalidInputError(f"the form has more than {_MOST_FIELDS} fields")
    pairs = []
    for piece in body.split(b"&"):
        name, _, content = piece.replace(b"+", b" ").partition(b"=")
        if name:
            pairs.append((_name(unquote_to_bytes(name)), unquote_to_bytes(content) if b"%" in content else content))
    return pairs


def _parts(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """RFC 7578, without files."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise InvalidInputError("the body is multipart, and its Content-Type names no boundary")
    delimiter = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    if body.count(delimiter) > _MOST_FIELDS:
        raise InvalidInputError(f"the form has more than {_MOST_FIELDS} fields")
    pairs = []
    for part in body.split(delimiter)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head[:_HEAD])
        if name is not None and not _FILE_NAME.search(head[:_HEAD]):
            pairs.append((_name(name[1] or name[2] or b""), content.removesuffix(b"\r\n")))
    if not pairs:
        raise InvalidInputError("the body is multipart, and has no field in it")
    return pairs


def _name(name: bytes) -> str:
    return decoded(name, None)


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _finite(number: str) -> float | str:
    return value if math.isfinite(value := float(number)) else number


def _whole(number: str) -> int | str:
    return int(number) if len(number) < 1000 else number


_JSON: Final = json.JSONDecoder(object_pairs_hook=_first, parse_float=_finite, parse_constant=str)
#: Python reads no number of thousands of digits.
_JSON_OF_LONG_NUMBERS: Final = json.JSONDecoder(
    object_pairs_hook=_first, parse_float=_finite, parse_constant=str, parse_int=_whole
)


def _read(text: str) -> Any:
    try:
        return _JSON.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _JSON_OF_LONG_NUMBERS.decode(text)


def _depth(value: Any) -> int:
    """How deep *value* is nested, by steps rather than calls."""
    depth, level = 0, [value]
    while level:
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


def _cleaned(value: Any) -> Any:
    """*value*, in which every text has UTF-8."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_LONE.sub("\ufffd", key): _cleaned(each) for key, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value
