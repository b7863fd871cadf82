"""Single values of what X sends: whatever comes, it is read as what it should be or as nothing. Pure.

X is believed, and still what is in its answers was typed by strangers, and its shapes change. So nothing here raises
but `document`, and nothing takes more time than its input is long.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from convergekit.errors import InvalidInputError

from ..snowflakes import moment_of, read_id

__all__ = [
    "DEEPEST",
    "UnreadableError",
    "digest",
    "document",
    "first_of",
    "ids",
    "is_deeper",
    "line",
    "mapping",
    "moment",
    "moment_of_id",
    "next_token",
    "required_id",
    "sequence",
    "web",
    "words",
]

#: What is `native` may be nested 180 levels deep, and stands inside of something here.
DEEPEST: Final = 60
_DEEPEST_OF_ALL: Final = 300
_LINE: Final = 500
_URL: Final = 4096
_LONE: Final = re.compile("[\ud800-\udfff]")
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Beside control characters, what makes a name read otherwise than it stands.
_UNSHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]+")
_WEB: Final = re.compile(r"https?://[^\s\x00-\x20\x7f-\xa0<>\"\\]+", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[!-~]{1,2048}")
_MILLISECONDS: Final = re.compile(r"[0-9]{12,14}")
#: No clock is further ahead of ours.
_AHEAD: Final = timedelta(days=1)
_EMPTY: Final[Mapping[str, Any]] = {}


class UnreadableError(ValueError):
    """One item makes no sense; the others still may."""


def document(source: bytes | Mapping[str, Any]) -> dict[str, Any]:
    """*source* as a JSON object that can be written again: no halves of characters, no numbers that JSON has not.

    Raises:
        InvalidInputError: It is no JSON object.
    """
    try:
        value = _read(source) if isinstance(source, bytes) else source
        if not isinstance(source, bytes) or _HALF.search(source):
            text = json.dumps(value, ensure_ascii=False)
            if _LONE.search(text) or "NaN" in text or "Infinity" in text:
                value = _read(_LONE.sub("\ufffd", text))
        if is_deeper(value, _DEEPEST_OF_ALL):
            raise ValueError("nested too deep")
    except (ValueError, TypeError, RecursionError):
        raise InvalidInputError("the body is not JSON") from None  # the cause might show it
    if not isinstance(value, dict):
        raise InvalidInputError("the body is not a JSON object")
    return value


def _read(text: str | bytes) -> Any:
    return json.loads(text, parse_constant=str, parse_float=_finite, parse_int=_whole)


def _finite(number: str) -> float | str:
    return value if math.isfinite(value := float(number)) else number


def _whole(number: str) -> int | str:
    return int(number) if len(number) < 40 else number


def is_deeper(value: Any, most: int = DEEPEST) -> bool:
    """Whether *value* is nested more than *most* levels deep; unless told otherwise, than `native` may be."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def mapping(value: Any) -> Mapping[str, Any]:
    """*value* where it is an object, else an empty one."""
    return value if isinstance(value, dict) else _EMPTY


def sequence(value: Any) -> Sequence[Any]:
    """*value* where it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def first_of(item: Mapping[str, Any], *names: str) -> Any:
    """The first of the values called *names* that is there, and not null."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def next_token(page: Any) -> str | None:
    """What the page behind *page*, an answer of X', is asked for by; None where it is the last one.

    Raises:
        InvalidInputError: It is not the last one, and there is no asking for the next.
    """
    token = mapping(mapping(page).get("meta")).get("next_token")
    if token is None or token == "":
        return None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidInputError("the next page has no name that could be asked for")
    return token


def required_id(value: Any, what: str) -> str:
    """*value* as an id; raises `UnreadableError` that names *what* it is of."""
    if (id := read_id(value)) is None:
        raise UnreadableError(f"{what} has no id")
    return id


def ids(values: Any) -> tuple[str, ...]:
    """The ids among *values*, each once."""
    return tuple(dict.fromkeys(id for each in sequence(values) if (id := read_id(each)) is not None))


def line(value: Any, limit: int = _LINE) -> str | None:
    """*value* as one line of at most *limit* characters that reads as it stands; None where nothing is left."""
    if not isinstance(value, str):
        return None
    return _UNSHOWN.sub(" ", value[: limit * 2]).strip()[:limit] or None


def words(value: Any) -> str | None:
    """*value* as text; lines stay, and other control characters go."""
    return _CONTROL.sub("", value) if isinstance(value, str) else None


def web(value: Any) -> str | None:
    """*value* where it is a web address, else None."""
    if not isinstance(value, str) or len(value) > _URL or not _WEB.fullmatch(value):
        return None
    try:
        return value if urlsplit(value).hostname else None
    except ValueError:
        return None


def moment(value: Any) -> datetime | None:
    """When *value* is: ISO 8601, with or without fractions of seconds, or milliseconds since 1970; else None."""
    try:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or len(text) > 40:
            return None
        if _MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment_of_id(id: str, said: Any, now: datetime) -> datetime | None:
    """When what is called *id* was made: by the id, which is the same whoever tells of it, else as it is *said*.

    Returns:
        None where neither tells, or where it is more than a day after *now*.
    """
    found = next((each for each in (moment_of(id), moment(said)) if each is not None), None)
    return found if found is not None and found <= now + _AHEAD else None


def digest(value: Any) -> str:
    """The same for the same *value*, which is JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
