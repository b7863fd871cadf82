"""What came in a call of whatever system: JSON, a form, or plain text. Pure.

Rules kept here:

- What a body looks like counts for more than what its Content-Type says: "{" or "[" begins JSON.
- A form that is one field `payload` with JSON in it is that JSON: so GitHub, and Slack's buttons, say things.
- Plain text is one value. An empty body is an empty document: headers and query may say all there is to say.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json

from convergekit.abc import Request
from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, charset_of, decoded, read_body, read_json

__all__ = ["DEEPEST", "document"]

#: Levels of one in another; what is `native` may have somewhat more.
DEEPEST: Final = 80
_PAYLOAD: Final = "payload"


def document(request: Request) -> Item:
    """What *request* has in its body.

    Raises:
        InvalidInputError: It is neither JSON, nor a form, nor text, or is nested more than 80 levels deep.
    """
    body = request.body.strip()
    if not body:
        return Item({})
    if body[:1] in (b"{", b"["):
        return _json(body, request)
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("text/plain"):
        return Item(decoded(body, charset_of(content_type)))
    form = read_body(replace(request, query="") if request.query else request)
    value = form.value
    if isinstance(value, dict) and value.keys() == {_PAYLOAD} and isinstance(value[_PAYLOAD], str):
        inner = value[_PAYLOAD].strip()
        if inner[:1] in ("{", "["):
            return _checked(read_json(inner))
    return _checked(form)


def _json(body: bytes, request: Request) -> Item:
    try:
        item = Item(from_json(body, allow_inf_nan=False))
        _check(item.value, 0)
    except ValueError:
        # Half a surrogate pair, a number that is none, another charset: slower, and nothing that was signed is refused.
        item = _checked(read_json(body, charset_of(request.headers.get("content-type", ""))))
    return item


def _checked(item: Item) -> Item:
    try:
        _check(item.value, 0)
    except ValueError:
        raise InvalidInputError(f"the body is nested more than {DEEPEST} levels deep") from None
    return item


def _check(value: Any, level: int) -> None:
    """Raise `ValueError` where *value* could not be written as JSON again, or not be kept."""
    if level > DEEPEST:
        raise ValueError("nested too deep")
    for inner in value.values() if type(value) is dict else value if type(value) is list else (value,):
        kind = type(inner)
        if kind is str:  # as nearly always
            continue
        if kind is dict or kind is list:
            _check(inner, level + 1)
        elif kind is float and not math.isfinite(inner):  # 1e999 is read as such
            raise ValueError("a number is too great")
