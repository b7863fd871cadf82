"""Stanzas as clients of today write them, and the events that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from convergekit.model import (
    Address,
    Attachment,
    ConversationRef,
    CustomReceived,
    Event,
    InvitationReceived,
    MessageEdited,
    MessageReceived,
    MessageRetracted,
    ReactionChanged,
    SubscriptionRequested,
)
from convergekit.testing.adapter import Sample

__all__ = ["SAMPLES"]

_ANN: Final = Address("xmpp:ann@example.net")
_LOUNGE: Final = Address("xmpp:lounge@conference.example.org")
_PHOTO: Final = "https://upload.example.net/2kT8/lamp.jpg"
_WHERE: Final[dict[str, Any]] = {"sender": _ANN, "conversation": ConversationRef(channel="channel", address=_ANN)}


def _sample(name: str, inside: str, *events: Event, type: str = "chat") -> Sample:
    id = f"sample-{name.replace(' ', '-')}"
    said = f"<message from='ann@example.net/Conversations.x7Qf' to='bot@example.org' type='{type}' id='{id}'>"
    return Sample(name, f"{said}{inside}</message>", events)


def _message(**fields: Any) -> MessageReceived:
    return MessageReceived(**_WHERE, **fields)


SAMPLES: Final[Sequence[Sample]] = (
    _sample(
        "a message",
        "<body>The *lamp* is broken.</body><origin-id xmlns='urn:xmpp:sid:0' id='sample-a-message'/>"
        "<thread>lamps</thread><markable xmlns='urn:xmpp:chat-markers:0'/><active xmlns='http://jabber.org/protocol/chatstates'/>",
        _message(
            message_id="sample-a-message",
            text="The *lamp* is broken.",
            markdown="The **lamp** is broken.",
            thread="lamps",
            automated=False,
        ),
    ),
    _sample(
        "a reply",
        "<body>&gt; Which one?\nThe red one.</body>"
        "<reply xmlns='urn:xmpp:reply:0' to='bot@example.org/desk' id='ck.which'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='13'/></fallback>",
        _message(text="> Which one?\nThe red one.", visible_text="The red one.", reply_to="ck.which"),
    ),
    _sample(
        "a file",
        f"<body>{_PHOTO}</body><x xmlns='jabber:x:oob'><url>{_PHOTO}</url></x>",
        _message(attachments=(Attachment(url=_PHOTO, name="lamp.jpg", media_type="image/jpeg"),)),
    ),
    _sample(
        "an encrypted message",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/><payload>AAAA</payload></encrypted>"
        "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"
        "<body>I sent you an OMEMO encrypted message but your client does not seem to support that.</body>",
        _message(text="I sent you an OMEMO encrypted message but your client does not seem to support that."),
    ),
    _sample(
        "a correction",
        "<body>The lamp is gone.</body><replace xmlns='urn:xmpp:message-correct:0' id='sample-a-message'/>",
        MessageEdited(**_WHERE, target="sample-a-message", text="The lamp is gone."),
    ),
    _sample(
        "a reaction",
        "<reactions xmlns='urn:xmpp:reactions:0' id='ck.which'><reaction>👍</reaction></reactions>",
        ReactionChanged(**_WHERE, target="ck.which", reactions=("👍",)),
    ),
    _sample(
        "a retraction",
        "<retract xmlns='urn:xmpp:message-retract:1' id='sample-a-message'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"
        "<body>This person attempted to retract a previous message.</body>",
        MessageRetracted(**_WHERE, target="sample-a-message"),
    ),
    _sample(
        "an invitation",
        f"<x xmlns='jabber:x:conference' jid='{_LOUNGE.value}' reason='Come in'/>",
        InvitationReceived(**_WHERE, room=_LOUNGE, text="Come in"),
        type="normal",
    ),
    _sample(
        "something new",
        "<attention xmlns='urn:xmpp:attention:0'/>",
        CustomReceived(**_WHERE, name="xmpp.message"),
        type="headline",
    ),
    Sample(
        "a request to see us",
        "<presence from='ann@example.net' to='bot@example.org' type='subscribe'><status>It is Ann</status></presence>",
        (SubscriptionRequested(sender=_ANN, text="It is Ann"),),
    ),
)
