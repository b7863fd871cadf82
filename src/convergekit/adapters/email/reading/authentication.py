"""Authentication-Results (RFC 8601): what a server of ours found out about who sent a mail.

Anybody can write such a field, so only those count that the configured server put there, and what tells them from
others is where they stand:

- Of the fields with its name the topmost is its own: each server writes above what it got.
- Some servers write one field for each method, directly below each other or with `Received-SPF` between. So those
  below count too, as far as the next `Received`: beyond it stands what came from elsewhere.
- What a method's topmost field says is all that counts of it: one further down cannot say otherwise.
- A field that the sender forged may still stand directly below, where the server does not remove those with its own
  name (RFC 8601 §5 requires it). Nothing in a mail tells it from a genuine one: only a server that removes them is
  one to configure.

The fields are read as octets, with no encoded words decoded (RFC 2047): what is quoted of an address could otherwise
become a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..details import AuthenticationResult
from .headers import Headers

__all__ = ["authentication"]

_FIELD: Final = "authentication-results"
_LONGEST: Final = 16_384  # octets of one field
_MOST: Final = 50  # results, and properties of one
_LINE: Final = 1000
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)("?)')
_OPEN: Final = re.compile(r'["(]')
_PAREN: Final = re.compile(r"[()\\]")
_HELD: Final = re.compile("\ue000([0-9]{1,5})\ue001")
_KEYWORD: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PROPERTY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\.[a-z0-9._-]{1,190}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001]+")


def authentication(headers: Headers, authserv_id: str | None) -> tuple[AuthenticationResult, ...]:
    """What the server *authserv_id* found; empty without one, and where it found nothing.

    Args:
        headers: Of a mail.
        authserv_id: Its name as it writes it (RFC 8601 §2.5), in any case.
    """
    if authserv_id is None or _FIELD not in headers:
        return ()
    found: list[AuthenticationResult] = []
    for results in _fields(headers, authserv_id):
        known = {each.method for each in found}
        found += [each for each in results if each.method not in known]
    return tuple(found[:_MOST])


def _fields(headers: Headers, authserv_id: str) -> Iterator[list[AuthenticationResult]]:
    values = iter(headers.all_raw(_FIELD))
    is_below = False
    for name in headers.names():
        if name == _FIELD:
            server, results = _read(next(values))
            if server == authserv_id.strip().rstrip(".").lower():
                is_below = True
                yield results
        elif name == "received" and is_below:
            return


def _read(value: bytes) -> tuple[str, list[AuthenticationResult]]:
    """Which server speaks, and what it says; "" for whoever names none, or speaks another version."""
    if len(value) > _LONGEST:
        return "", []
    plain, held = _plain(value.decode("utf-8", "replace"))
    first, *segments = plain.split(";")
    server, *version = (_restored(word, held) for word in first.split() or [""])
    if version not in ([], ["1"]):
        return "", []
    results = (_result(segment, held) for segment in segments[:_MOST])
    return server.rstrip(".").lower(), [each for each in results if each is not None]


def _plain(value: str) -> tuple[str, list[str]]:
    """*value* without its comments, and with marks where its quoted strings stood; and those strings."""
    pieces: list[str] = []
    held: list[str] = []
    value = _CONTROL.sub(" ", value)
    position = 0
    while found := _OPEN.search(value, position):
        pieces.append(value[position : found.start()])
        if found[0] == "(":
            position = _behind_comment(value, found.end())
            pieces.append(" ")
        elif quoted := _QUOTED.match(value, found.start()):
            pieces.append(f"\ue000{len(held)}\ue001")
            held.append(re.sub(r"\\(.)", r"\1", quoted[1]))
            position = quoted.end()
    return "".join((*pieces, value[position:])), held


def _behind_comment(value: str, position: int) -> int:
    """Where a comment ends that began before *position*; they nest (RFC 5322 §3.2.2)."""
    depth = 1
    while depth and (found := _PAREN.search(value, position)):
        position = found.end() + (found[0] == "\\")
        depth += {"(": 1, ")": -1, "\\": 0}[found[0]]
    return len(value) if depth else position


def _restored(word: str, held: list[str]) -> str:
    return _HELD.sub(lambda mark: held[int(mark[1])], word)[:_LINE]


def _result(segment: str, held: list[str]) -> AuthenticationResult | None:
    """`dkim/1=pass reason="..." header.d=example.org`; None for what is no result."""
    words = " ".join(segment.split()).replace(" =", "=").replace("= ", "=").split(" ")
    parted = (word.partition("=") for word in words)
    pairs = [(name.lower(), _restored(value, held)) for name, sign, value in parted if sign]
    if not pairs:
        return None  # "none", or nothing that can be read
    (method, result), *rest = pairs
    method, result = method.partition("/")[0], result.lower()
    if not _KEYWORD.fullmatch(method) or not _KEYWORD.fullmatch(result):
        return None
    said = dict(reversed(rest[:_MOST]))  # of what is said twice, the first
    properties = {name: said[name] for name, _ in rest[:_MOST] if _PROPERTY.fullmatch(name)}
    return AuthenticationResult(method=method, result=result, reason=said.get("reason"), properties=properties)
