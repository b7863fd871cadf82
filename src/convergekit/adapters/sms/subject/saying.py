"""What a profile reads, written: a reply, a message or a report that its paths and conditions fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from convergekit.testing.adapter import Call, Cannot

from ..profile import Condition, Inbound, Profile, StatusRule

__all__ = ["as_call", "holding", "put", "reply_to", "uses_json"]

_GROUP: Final = re.compile(r"\((?:\?:|\?P<\w+>)?([^()|]*)[^()]*\)")


def put(target: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* where *path* leads in *target*; in the first entry of what `*` or `#` take all of."""
    steps = [step.replace("#", "0") for step in path.removeprefix("^").split(".")]
    place: Any = target
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key: Any = 0 if step == "*" else int(step) if isinstance(place, list) else step
        fresh: Any = value if following is None else [] if following == "*" or following.isdigit() else {}
        if isinstance(place, list):
            place += [None] * (key + 1 - len(place))
        known = place[key] if isinstance(place, list) else place.get(key)
        if following is None or not isinstance(known, dict | list):
            place[key] = fresh
        place = place[key]


def holding(conditions: Iterable[Condition]) -> list[tuple[str, Any]]:
    """Paths and values of which *conditions* hold; what is only to be there is left to whoever says more."""
    found = []
    for each in conditions:
        if each.equals is not None:
            found.append((each.path, each.equals[0]))
        elif each.matches is not None:
            found.append((each.path, _like(each.matches)))
        elif each.present:
            found.append((each.path, "1"))
    return found


def _like(pattern: str) -> str:
    """A text that *pattern*, made of letters and alternatives, finds; raises `Cannot` for one of another kind."""
    text = pattern.removeprefix("(?i)").strip("^$")
    while text != (shorter := _GROUP.sub(r"\1", text)):
        text = shorter
    if not re.search(pattern, text):
        raise Cannot(f"nobody knows what {pattern!r} is to find")
    return text


def uses_json(profile: Profile) -> bool:
    """Whether its calls are JSON: where a path leads into something, it can be nothing else."""
    callbacks = profile.callbacks
    rules: Sequence[Inbound | StatusRule] = (*callbacks.inbound, *callbacks.status)
    paths = [
        path for rule in rules for path in (*rule.id, *_of(rule, "sender"), *_of(rule, "word"), *_of(rule, "text"))
    ]
    return bool(callbacks.each) or any("." in path or "^" in path for path in paths)


def _of(rule: Any, name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(rule, name, ())
    return found


def as_call(
    profile: Profile, rule: Inbound | StatusRule, said: Mapping[str, Any], *, path: str, query: str = ""
) -> Call:
    """The call that *rule* reads.

    Args:
        profile: The gateway.
        rule: One of its rules.
        said: Values by path.
        path: Of the call, behind the channel's prefix.
        query: Of the call, where the gateway repeats our own.
    """
    item: dict[str, Any] = {}
    entry: dict[str, Any] = {} if rule.each else item
    for where, value in [*holding(rule.when), *said.items()]:
        put(item if where.startswith("^") or (where, value) in holding(rule.when) else entry, where, value)
    if rule.each:
        put(item, rule.each, [entry])
    root: dict[str, Any] = item
    if profile.callbacks.each:
        root = {}
        put(root, profile.callbacks.each[0], [item])
    return _written(profile, root, path, query)


def _written(profile: Profile, root: Mapping[str, Any], path: str, query: str) -> Call:
    if "POST" not in profile.callbacks.methods:
        return Call(b"", {}, path, "&".join(filter(None, (query, urlencode(root)))), "GET")
    if uses_json(profile):
        body = json.dumps(root, ensure_ascii=False).encode()
        return Call(body, {"content-type": "application/json"}, path, query)
    return Call(urlencode(root).encode(), {"content-type": "application/x-www-form-urlencoded"}, path, query)


def reply_to(profile: Profile, id: str) -> tuple[bytes, str]:
    """What the gateway answers when it has taken a message and calls it *id*: the body, and its type."""
    reply = profile.reply
    if reply.format == "text":
        raise Cannot(f"nobody knows how {profile.title} says that it has taken a message")
    document: dict[str, Any] = {}
    for where, value in holding(reply.ok):
        put(document, where, value)
    if reply.ids:
        put(document, reply.ids[0], id)
    return json.dumps(document).encode(), "application/json"
