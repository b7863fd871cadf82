"""Direct messages, and who joins and leaves their groups. Pure.

One shape for all: an event of `/2/dm_events`. What webhooks tell is brought into it first (`legacy`); of the
conversation they name no more than the two who talk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from convergekit.model import (
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    MembershipChanged,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
    TypingChanged,
)

from .. import addresses
from ..details import X
from ..snowflakes import read_id
from .includes import Person, Reading
from .names import renamed
from .posts import attachments, media_keys
from .values import UnreadableError, digest, ids, line, mapping, moment, moment_of_id, required_id, sequence
from .words import shown

__all__ = ["direct_events", "encrypted", "read_receipt", "typing"]

_MEMBERSHIPS: Final[Mapping[str, Literal["joined", "left"]]] = {
    "ParticipantsJoin": "joined",
    "ParticipantsLeave": "left",
}


def direct_events(raw: Any, reading: Reading, *, original: Any = None) -> Sequence[Event]:
    """The events that *raw*, an event of direct messages, is: none for a message of our own.

    Args:
        raw: As API 2 has it.
        reading: For whom.
        original: As it came, where that is another shape.

    Raises:
        UnreadableError: It has no id, or nobody said it.
    """
    item = renamed(mapping(raw))
    id = required_id(item.get("id"), "an event of direct messages")
    kind = item.get("event_type")
    if isinstance(kind, str) and kind in _MEMBERSHIPS:
        return _memberships(raw, item, id, reading)
    if kind == "MessageCreate":
        return _message(raw if original is None else original, item, id, reading)
    return (CustomReceived(key=f"dm:{id}", name=f"x.dm.{line(kind, 100) or 'unknown'}", data=raw),)


def _message(original: Any, item: Mapping[str, Any], id: str, reading: Reading) -> Sequence[Event]:
    sender = reading.includes.person(required_id(item.get("sender_id"), "the sender of a direct message"))
    if sender.id == reading.own:
        return ()
    files, not_shown = attachments(item, reading.includes)
    said = shown(item, has_media=bool(files))
    shared = ids([mapping(each).get("id") for each in sequence(item.get("referenced_posts"))[:20]])
    details = X(
        handle=sender.handle,
        name=sender.name,
        verified=sender.verified,
        shared=shared,
        urls=said.urls,
        not_shown=not_shown,
    )
    picked = reading.includes.picked(users=[sender.id], posts=shared, media=media_keys(item), polls=())
    message = MessageReceived(
        key=f"dm:{id}",
        message_id=id,
        conversation=_conversation(item, sender, reading),
        sender=sender.address,
        at=moment_of_id(id, item.get("created_at"), reading.now),
        automated=sender.automated,
        details=details.to_details(),
        native={"data": original, **({"includes": picked} if picked else {})},
        text=said.text,
        attachments=files,
    )
    return (message,)


def _conversation(item: Mapping[str, Any], sender: Person, reading: Reading) -> ConversationRef:
    """A group is called by a number, two people by both of theirs; a webhook names whom it went to instead."""
    called, went_to = item.get("dm_conversation_id"), read_id(item.get("recipient_id"))
    if (group := read_id(called)) is not None:
        return ConversationRef(address=addresses.group(group), kind=ConversationKind.GROUP)
    is_ours = called is None or (isinstance(called, str) and addresses.peer_in(called, reading.own) == sender.id)
    if not is_ours or went_to not in (None, reading.own):
        raise UnreadableError("a direct message is of a conversation of others")
    return ConversationRef(address=sender.address)


def _memberships(raw: Any, item: Mapping[str, Any], id: str, reading: Reading) -> Sequence[Event]:
    group = addresses.group(required_id(item.get("dm_conversation_id"), "a group"))
    by = read_id(item.get("sender_id"))
    return tuple(
        MembershipChanged(
            key=f"dm:{id}:{member}",
            conversation=ConversationRef(address=group, kind=ConversationKind.GROUP),
            sender=reading.includes.person(by).address if by is not None else None,
            at=moment_of_id(id, item.get("created_at"), reading.now),
            member=reading.includes.person(member).address,
            membership=_MEMBERSHIPS[item["event_type"]],
            native={"data": raw},
        )
        for member in ids(item.get("participant_ids"))
    )


def encrypted(raw: Any, reading: Reading) -> Sequence[Event]:
    """The message that the encrypted chat *raw* is: that it came, and from whom, and nothing of what it says."""
    item = mapping(raw)
    sender = reading.includes.person(required_id(item.get("sender_id"), "the sender of an encrypted message"))
    if sender.id == reading.own:
        return ()
    id = line(item.get("id"), 100) or digest(raw)
    message = MessageReceived(
        key=f"chat:{id}",
        message_id=id,
        conversation=_chat(line(item.get("conversation_id"), 100) or "", sender),
        sender=sender.address,
        at=moment(item.get("created_at_msec")),
        automated=sender.automated,
        details=X(handle=sender.handle, name=sender.name, verified=sender.verified, encrypted="xchat").to_details(),
        native={"data": raw},
    )
    return (message,)


def _chat(called: str, sender: Person) -> ConversationRef:
    """Two are called "1:2"; what is called otherwise is a group, and is not answered to one person."""
    if not called or ":" in called or "-" in called:
        return ConversationRef(address=sender.address)
    group = read_id(called.lstrip("g"))
    if group is None:
        raise UnreadableError("an encrypted message is of a group without a number")
    return ConversationRef(address=addresses.group(group), kind=ConversationKind.GROUP)


def read_receipt(raw: Any, reading: Reading) -> Sequence[Event]:
    """That somebody has read what we wrote, up to a message; nothing for what we read ourselves."""
    item = mapping(raw)
    reader = required_id(item.get("sender_id"), "who has read")
    last = required_id(item.get("last_read_event_id"), "the last message that was read")
    if reader == reading.own:
        return ()
    address = addresses.user(reader)
    at = moment(item.get("created_timestamp"))
    receipt = Receipt(Status.READ, ids=(last,), address=address, occurred_at=at)
    read = ReceiptReceived(
        key=f"read:{reader}:{last}",
        conversation=ConversationRef(address=address),
        sender=address,
        at=at,
        receipt=receipt,
    )
    return (read,)


def typing(raw: Any, reading: Reading) -> Sequence[Event]:
    """That somebody writes to us: ephemeral, and so without a key."""
    sender = required_id(mapping(raw).get("sender_id"), "who is typing")
    if sender == reading.own:
        return ()
    at = moment(mapping(raw).get("created_timestamp"))
    return (TypingChanged(sender=reading.includes.person(sender).address, at=at, typing=True),)
