"""What X sends, as events: pages of posts and direct messages, and what webhooks and the stream tell. Pure.

Rules kept here:

- The same thing has the same key however it came: `post:<id>`, `dm:<id>`.
- What makes no sense is told as `CustomReceived("x.unreadable")`, and what stands beside it is read.
- What we said ourselves is no event: it is known where it was sent.
- Both sets of names of 2026 are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from convergekit.model import Event

from ..snowflakes import read_id
from .directs import direct_events
from .envelopes import account_activity
from .envelopes import activity as envelope_events
from .includes import Includes, Reading
from .items import UNREADABLE, each
from .names import Dialect, direct_fields, fields
from .posts import post_events
from .values import document, mapping, sequence

__all__ = ["UNREADABLE", "Dialect", "activity", "direct_fields", "directs", "fields", "posts"]


def posts(page: Mapping[str, Any], *, own: str, now: datetime) -> Sequence[Event]:
    """The events of a page of posts, the oldest first.

    Args:
        page: X' answer: "data", "includes".
        own: The account's id.
        now: When it came.

    Raises:
        InvalidInputError: It cannot be written as JSON again.
    """
    answer = document(page)
    reading = Reading(own, now, Includes.of(answer.get("includes")))
    return each(_oldest_first(answer), lambda item: post_events(item, reading))


def directs(page: Mapping[str, Any], *, own: str, now: datetime) -> Sequence[Event]:
    """The events of a page of `/2/dm_events`, the oldest first; as `posts`."""
    answer = document(page)
    reading = Reading(own, now, Includes.of(answer.get("includes")))
    return each(_oldest_first(answer), lambda item: direct_events(item, reading))


def activity(body: bytes | Mapping[str, Any], *, own: str, now: datetime) -> Sequence[Event]:
    """The events of a webhook's body, or of a line of the stream, in the order in which X tells them.

    Among them may be ephemeral ones, which have no key (`TypingChanged`): those are for `context.notify`.

    Args:
        body: As it came.
        own: The account's id.
        now: When it came.

    Raises:
        InvalidInputError: It is no JSON object.
    """
    reading, told = Reading(own, now), document(body)
    if "data" not in told:
        return account_activity(told, reading)
    data = told["data"]
    return each(data if isinstance(data, list) else [data], lambda item: envelope_events(item, reading))


def _oldest_first(answer: Mapping[str, Any]) -> Sequence[Any]:
    """One item is told as itself, several as a list. What has no id cannot be older than anything."""
    data = answer.get("data")
    items = [data] if isinstance(data, dict) else sequence(data)
    return sorted(items, key=lambda item: int(read_id(mapping(item).get("id")) or 0))
