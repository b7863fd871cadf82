"""What was said, in files: JSON Lines, which are read back here, and mbox, which mail programs read.

A line of JSON is one object, `{"v": 1, "id", "direction", "at", "channel", "conversation", "address", "message"}`:
`at` is RFC 3339, `conversation` and `address` are as in `convergekit.model` or null, and `message` is the JSON form of
the `Message` that we sent or of the event that came in. A reader passes over fields that it does not know.

An mbox (RFC 4155) has one message for each, with what was said as its body, files as its attachments, and the ledger's
own view in `X-Convergekit-...`. An address of a medium that is not mail stands as it is, in quotes:
`"sms:+4915112345678" <nobody@sms.invalid>`. Lines that begin with "From " are quoted with ">" (and quoted ones once
more, so that it can be undone).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from hashlib import sha256
from typing import Final

from convergekit.abc import Found
from convergekit.content.words import body_text
from convergekit.errors import InvalidInputError
from convergekit.model import (
    Address,
    Attachment,
    ConversationRef,
    Message,
    MessageEdited,
    MessageReceived,
)
from convergekit.model.wire import event_from_json, event_to_json, from_json, to_json

__all__ = ["from_line", "to_line", "to_mbox"]

_VERSION: Final = 1
_FROM: Final = re.compile(rb"^(?=>*From )", re.MULTILINE)
_MAILBOX: Final = re.compile(r"([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+)@([A-Za-z0-9.-]+)")
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
# RFC 5322 §3.6.4 without its obsolete forms, at which the standard library stumbles.
_MESSAGE_ID: Final = re.compile(rf"{_ATOM}(\.{_ATOM}){{0,9}}@{_ATOM}(\.{_ATOM}){{0,9}}")
_HOST: Final = re.compile(r"[^a-z0-9-]")
_POLICY: Final = SMTP.clone(linesep="\n")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_line(found: Found) -> str:
    """One line of JSON, without the line's end."""
    content = found.content
    document = to_json(content) if isinstance(content, Message) else event_to_json(content)
    fields = {
        "v": _VERSION,
        "id": found.id,
        "direction": found.direction,
        "at": found.at.isoformat(),
        "channel": found.channel,
        "conversation": None if found.conversation is None else json.loads(to_json(found.conversation)),
        "address": None if found.address is None else json.loads(to_json(found.address)),
        "message": json.loads(document),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Found:
    """Read what `to_line` wrote; raises `InvalidInputError`."""
    try:
        fields = json.loads(line)
        if fields["v"] != _VERSION:
            raise InvalidInputError(f"a line of version {fields['v']!r:.20}; this library reads {_VERSION}")
        said, direction = json.dumps(fields["message"]), fields["direction"]
        content = from_json(Message, said) if direction == "out" else event_from_json(said)
        at, where, address = datetime.fromisoformat(fields["at"]), fields["conversation"], fields["address"]
        names = str(fields["id"]), str(fields["channel"])
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidInputError("not a line of an export") from exc
    if direction not in ("in", "out") or not isinstance(content, Message | MessageReceived | MessageEdited):
        raise InvalidInputError("not a line of an export: it says nothing")
    return Found(
        id=names[0],
        direction=direction,
        at=at,
        channel=names[1],
        conversation=None if where is None else from_json(ConversationRef, json.dumps(where)),
        address=None if address is None else from_json(Address, json.dumps(address)),
        content=content,
        text=body_text(content),
    )


def to_mbox(found: Found, files: Mapping[int, bytes] | None = None) -> bytes:
    """One message of an mbox, with the empty line behind it.

    Args:
        found: What was said.
        files: Content of attachments that are kept beside the ledger, by their place in `content.attachments`. One
            that is not there is named in `X-Convergekit-Left-Out`.
    """
    mail = EmailMessage(policy=_POLICY)
    us, them = Mailbox("convergekit", "channel", "convergekit.invalid"), _mailbox(found.address)
    sender = them if found.direction == "in" else us
    mail["From"], mail["To"] = sender, us if sender is them else them
    _describe(mail, found)
    mail.set_content(found.text)
    if found.content.html:
        mail.add_alternative(found.content.html, subtype="html")
    left_out = [each for each in map(partial(_attach, mail, files or {}), enumerate(found.content.attachments)) if each]
    if left_out:
        mail["X-Convergekit-Left-Out"] = ", ".join(left_out)
    at = found.at.astimezone(UTC)
    # RFC 4155: the time as asctime has it, whatever the language of this machine.
    moment = f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S} {at.year}"
    return f"From {sender.addr_spec} {moment}\n".encode() + _FROM.sub(b">", mail.as_bytes()).rstrip(b"\n") + b"\n\n"


def _describe(mail: EmailMessage, found: Found) -> None:
    content = found.content
    mail["Date"] = found.at.astimezone(UTC)
    if content.subject:
        mail["Subject"] = content.subject
    if content.cc:
        mail["Cc"] = [_mailbox(each) for each in content.cc]
    own = None if isinstance(content, Message) else getattr(content, "message_id", None)
    mail["Message-ID"] = _message_id(own or f"{found.direction}/{found.channel}/{found.id}")
    for name, refers in (("In-Reply-To", content.reply_to), ("References", content.thread)):
        if refers:
            mail[name] = _message_id(refers)
    mail["X-Convergekit-Id"] = found.id
    mail["X-Convergekit-Direction"] = found.direction
    mail["X-Convergekit-Channel"] = found.channel
    if found.address is not None:
        mail["X-Convergekit-Address"] = found.address.uri
    if found.conversation is not None:
        mail["X-Convergekit-Conversation"] = found.conversation.key


def _mailbox(address: Address | None) -> Mailbox:
    """A mail address as it is; another one as a name, on a host that is none (RFC 2606 §2)."""
    if address is None:
        return Mailbox("unknown", "nobody", "convergekit.invalid")
    if address.scheme == "mailto" and (plain := _MAILBOX.fullmatch(address.value)):
        return Mailbox(address.display_name or "", *plain.groups())
    return Mailbox(address.display_name or address.uri, "nobody", f"{_HOST.sub('-', address.scheme)}.invalid")


def _message_id(id: str) -> str:
    """*id* if mail has such ids, else one that is always the same for it."""
    bare = id.removeprefix("<").removesuffix(">")
    return f"<{bare if _MESSAGE_ID.fullmatch(bare) else sha256(id.encode()).hexdigest()[:32] + '@convergekit.invalid'}>"


def _attach(mail: EmailMessage, files: Mapping[int, bytes], numbered: tuple[int, Attachment]) -> str | None:
    """Add it; returns its name where there is nothing to add."""
    place, attachment = numbered
    content = attachment.data if attachment.data is not None else files.get(place)
    if content is None:
        return attachment.url or attachment.name or f"attachment {place + 1}"
    kind, _, subtype = attachment.media_type.lower().partition("/")
    if kind in ("multipart", "message"):  # which a mail would take for a part of itself
        kind, subtype = "application", "octet-stream"
    mail.add_attachment(content, maintype=kind, subtype=subtype, filename=attachment.name)
    return None
