"""What another device of the account has said or done: no message to us, and nothing that we have sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from convergekit.model import CustomReceived, Event

from ...identities import is_ours
from ..namespaces import NS, tag
from ..texts import identifier
from .arrival import Arrival
from .content import content_of

__all__ = ["sent"]

#: What is done to which message: the name in `data`, and where its id stands.
_DONE: Final = {
    "replaces": tag(NS.CORRECTION, "replace"),
    "retracts": tag(NS.RETRACTION, "retract"),
    "reacts": tag(NS.REACTIONS, "reactions"),
    "displayed": tag(NS.MARKERS, "displayed"),
}


def sent(arrival: Arrival) -> Sequence[Event]:
    """One `CustomReceived` "xmpp.sent", with what was said, or is done to which message; nothing of what we sent."""
    stanza = arrival.stanza
    if is_ours(stanza.origin_id or stanza.id):
        return ()
    data: dict[str, Any] = {}
    for name, where in _DONE.items():
        if (done := stanza.first(where)) is not None and (target := identifier(done.get("id"))) is not None:
            data[name] = target
    content = content_of(arrival)
    if content is not None:
        data |= {name: content.fields[name] for name in ("text", "subject", "reply_to") if name in content.fields}
        if attachments := content.fields.get("attachments"):
            data["urls"] = [attachment.url for attachment in attachments]
        if "encrypted" in content.details:
            data["encrypted"] = content.details["encrypted"]
    if not data:
        return ()
    if arrival.message_id is not None:
        data["message_id"] = arrival.message_id
    return (CustomReceived(**arrival.fields("sent"), name="xmpp.sent", data=data),)
