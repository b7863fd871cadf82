"""What webhooks and the stream of activity tell: one envelope, with what happened in it. Pure.

The X Activity API says by a word what happened; the older Account Activity API, over the same webhooks, by the name of
the list that it is in. What either tells becomes the same events as polling makes, with the same keys. What has no
event of its own becomes `CustomReceived` under X' own word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from convergekit.model import (
    AuthorisationRevoked,
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    MessageRetracted,
)

from .. import addresses
from ..snowflakes import read_id
from .directs import direct_events, encrypted, read_receipt, typing
from .includes import Includes, Reading
from .items import each
from .legacy import direct_of, post_of
from .posts import post_events
from .values import digest, first_of, line, mapping, moment, required_id

__all__ = ["account_activity", "activity"]

#: What reads the payload of an envelope, or an item of a list.
_Reader: TypeAlias = Callable[[Any, Reading], Sequence[Event]]


def activity(envelope: Any, reading: Reading) -> Sequence[Event]:
    """The events of one *envelope* of the X Activity API: what stands at "data".

    Raises:
        UnreadableError: There is no word in it for what happened, or what happened makes no sense.
    """
    data = mapping(envelope)
    kind = line(data.get("event_type"), 100)
    payload, about = data.get("payload"), read_id(mapping(data.get("filter")).get("user_id"))
    read = _READERS.get(kind or "")
    if kind is None or read is None or about not in (None, reading.own):
        return (_custom(kind or "activity", data),)
    includes = Includes.of(data.get("includes"), mapping(payload).get("users"))
    return read(payload, reading.beside(includes))


def account_activity(body: Mapping[str, Any], reading: Reading) -> Sequence[Event]:
    """The events of a *body* of the Account Activity API: lists, each of one kind of happenings."""
    if not body or read_id(body.get("for_user_id")) not in (None, reading.own):
        return each([body], lambda raw: (_custom("account_activity", raw),))
    reading = reading.beside(Includes.of(None, body.get("users")))
    events: list[Event] = []
    for name, content in body.items():
        if name in _BESIDE:
            continue
        if name in _LISTS:
            events += _each(content if isinstance(content, list) else [content], _LISTS[name], reading)
        else:
            events += _each([{name: content}], _other, reading)
    return events


def _other(raw: Any, reading: Reading) -> Sequence[Event]:
    (name,) = raw
    return (_custom(line(name, 100) or "account_activity", raw),)


def _custom(kind: str, data: Mapping[str, Any]) -> CustomReceived:
    said = line(data.get("event_uuid"), 100)
    return CustomReceived(key=f"activity:{kind}:{said or digest(data)}", name=f"x.{kind}", data=data)


def _status(raw: Any, reading: Reading) -> Sequence[Event]:
    post, beside = post_of(raw)
    return post_events(post, reading.beside(Includes.of(beside)) if beside else reading, original=raw)


def _quote(raw: Any, reading: Reading) -> Sequence[Event]:
    return post_events(raw, reading, quotes_us=True)


def _direct(raw: Any, reading: Reading) -> Sequence[Event]:
    item, beside = direct_of(raw)
    shown = reading.beside(Includes.of(beside, dict(reading.includes.users))) if beside else reading
    return direct_events(item, shown, original=raw)


def _deleted(raw: Any, reading: Reading) -> Sequence[Event]:
    """Of API 2 it is the post; of API 1.1, a status and when."""
    post = mapping(mapping(raw).get("status")) or mapping(raw)
    id = required_id(first_of(post, "id_str", "id"), "a deleted post")
    author = read_id(first_of(post, "author_id", "user_id_str", "user_id"))
    sender = reading.includes.person(author).address if author is not None else None
    retracted = MessageRetracted(
        key=f"delete:{id}",
        target=id,
        sender=sender,
        conversation=ConversationRef(address=sender or addresses.PUBLIC, kind=ConversationKind.PUBLIC),
        at=moment(mapping(raw).get("timestamp_ms")),
    )
    return (retracted,)


def _revoked(raw: Any, reading: Reading) -> Sequence[Event]:
    """Of API 2 it is the account; of API 1.1, a source and a target."""
    said = mapping(mapping(raw).get("revoke")) or mapping(raw)
    account = required_id(said.get("user_id") or mapping(said.get("source")).get("user_id"), "who revoked")
    at = moment(said.get("date_time"))
    revoked = AuthorisationRevoked(
        key=f"revoke:{account}:{digest(said)}",
        account=account,
        at=at,
        reason="the account's owner took back what the app was allowed to do",
    )
    return (revoked,)


def _nothing(raw: Any, reading: Reading) -> Sequence[Event]:
    """What we did ourselves is known where it was done."""
    return ()


def _in(name: str, read: _Reader) -> _Reader:
    """Reads the list *name* of a payload, item by item, or the payload itself where there is none."""

    def items(payload: Any, reading: Reading) -> Sequence[Event]:
        found = mapping(payload).get(name)
        return _each(found if isinstance(found, list) else [payload], read, reading)

    return items


def _each(items: Sequence[Any], read: _Reader, reading: Reading) -> Sequence[Event]:
    return each(items, lambda item: read(item, reading))


_READERS: Final[Mapping[str, _Reader]] = {
    "post.create": post_events,
    "post.mention.create": post_events,
    "post.reply.create": post_events,
    "post.quote.create": _quote,
    "post.repost.create": post_events,
    "post.delete": _deleted,
    "dm.received": _in("direct_message_events", _direct),
    "dm.sent": _nothing,
    "dm.read": _in("direct_message_mark_read_events", read_receipt),
    "dm.indicate_typing": _in("direct_message_indicate_typing_events", typing),
    "chat.received": encrypted,
    "chat.sent": _nothing,
    "oauth.revoke": _revoked,
}
#: Lists of the Account Activity API.
_LISTS: Final[Mapping[str, _Reader]] = {
    "tweet_create_events": _status,
    "tweet_delete_events": _deleted,
    "direct_message_events": _direct,
    "direct_message_mark_read_events": read_receipt,
    "direct_message_indicate_typing_events": typing,
    "user_event": _revoked,
}
#: What is said beside the lists.
_BESIDE: Final = frozenset({"for_user_id", "users", "apps", "user_has_blocked", "is_blocked_by"})
