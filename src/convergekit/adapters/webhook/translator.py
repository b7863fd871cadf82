"""Our values to and from the JSON document of a webhook.

    {"type": "message.created",                 dotted; what it is about
     "timestamp": "2026-01-01T12:00:00Z",       when it happened
     "data": {"text": "...", ...}}

Fields of `data` in a message, all of them optional and left out when empty: `text`, `markdown`, `html`, `subject`,
`sender` (a URI), `cc` (URIs), `reply_to`, `thread`, `importance`, `language`, `headers`, `automated`, `id` (of the
message, where it is another than `webhook-id`), `part` (`{"index", "count"}`, where there are several), and
`attachments`: objects with `name`, `media_type`, `size`, `description`, `content_id`, and either `data` (base64) or
`url`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from convergekit.abc import Outgoing
from convergekit.errors import InvalidInputError, UnsupportedContentError
from convergekit.model import (
    Address,
    Attachment,
    ConversationRef,
    CustomReceived,
    Event,
    Importance,
    MessageReceived,
    Receipt,
    Status,
)

__all__ = [
    "attributes_of",
    "event_of",
    "to_attachment",
    "to_body",
    "to_document",
    "to_event",
    "to_receipt",
    "to_thin_document",
    "webhook_id",
]

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_\-:/]{1,200}")
_TYPE: Final = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*")
#: What a document may say about a message. Never more: `path`, say, would read a file of ours.
_CONTENT: Final = (
    "text",
    "markdown",
    "html",
    "subject",
    "cc",
    "reply_to",
    "thread",
    "importance",
    "language",
    "headers",
)
_ATTACHMENT: Final = ("data", "url", "media_type", "name", "description", "content_id")


class _Native(BaseModel):
    """`Message(native={"webhook": ...})`: another type, or further fields of `data`, which win over ours.

    `attributes` are those of a CloudEvent that say nothing yet, such as `subject`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: str | None = Field(default=None, pattern=rf"^{_TYPE.pattern}$")
    data: dict[str, Any] = {}
    attributes: dict[str, str | int | bool] = {}


_NOTHING: Final = _Native()
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def webhook_id(key: str) -> str:
    """The id that stands for *key*: the key itself where it can be signed as it is, else a digest of it."""
    return key if _PLAIN_ID.fullmatch(key) else "key_" + hashlib.sha256(key.encode()).hexdigest()


def to_document(
    out: Outgoing, attachments: Sequence[Mapping[str, Any]], *, type: str, sender: str | None, at: datetime
) -> dict[str, Any]:
    """The document for *out*; *attachments* as `to_attachment` made them."""
    native = _native(out)
    message = out.message
    data: dict[str, Any] = {
        "text": out.part.text,
        "html": out.part.html,
        "markdown": message.markdown if out.index == 0 else None,
        "subject": out.part.subject,
        "sender": sender,
        "cc": [address.uri for address in message.cc],
        "reply_to": message.reply_to,
        "thread": message.thread or out.conversation.thread,
        "importance": None if message.importance is Importance.NORMAL else message.importance.value,
        "language": message.language,
        "headers": message.headers,
        "part": {"index": out.index, "count": out.count} if out.count > 1 else None,
        "attachments": attachments,
    }
    data = {name: value for name, value in data.items() if value}
    return {"type": native.type or type, "timestamp": _written(at), "data": data | native.data}


def to_thin_document(out: Outgoing, *, type: str, at: datetime) -> dict[str, Any]:
    """The document that says of *out* only which one it is, and what `native` adds."""
    native = _native(out)
    data: dict[str, Any] = {"id": out.delivery, "key": out.key}
    return {"type": native.type or type, "timestamp": _written(at), "data": data | native.data}


def attributes_of(out: Outgoing) -> Mapping[str, str | int | bool]:
    """What `native` says of the CloudEvent that *out* becomes, beside its type and its data."""
    return _native(out).attributes if out.native is not None else {}


def to_attachment(attachment: Attachment, content: bytes | None) -> dict[str, Any]:
    """What stands for *attachment*: its *content*, or where there is none, its URL."""
    fields: dict[str, Any] = {
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size if content is None else len(content),
        "description": attachment.description,
        "content_id": attachment.content_id,
        "url": attachment.url if content is None else None,
        "data": None if content is None else base64.b64encode(content).decode("ascii"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def to_body(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent; raises `UnsupportedContentError` where `native` is not JSON."""
    try:
        return _JSON.encode(document).encode()
    except (ValueError, TypeError, RecursionError):
        raise UnsupportedContentError("native data for a webhook must be JSON") from None


def to_receipt(out: Outgoing, id: str) -> Receipt:
    """What a 2xx is evidence of."""
    return Receipt(Status.DELIVERED, ids=(id,), part=out.index)


def to_event(body: bytes, *, key: str, type: str, channel: str, home: str | None) -> Event:
    """The event that a verified document stands for.

    Args:
        body: As it came.
        key: The `webhook-id`.
        type: Which `type` is a message.
        channel: Name of the channel, which stands in for a sender whom nobody named.
        home: Where replies go, whatever the document says; or None.

    Raises:
        InvalidInputError: It is no such document.
    """
    document = _document(body)
    name = document.get("type")
    if name != type and not (isinstance(name, str) and _TYPE.fullmatch(name)):
        raise InvalidInputError("the document has no type")
    return event_of(document, document, key=key, id=key, type=type, channel=channel, home=home)


def event_of(
    said: Mapping[str, Any], native: Any, *, key: str, id: str, type: str, channel: str, home: str | None
) -> Event:
    """The event that a `type`, a `timestamp` and `data` stand for, wherever they were written.

    Args:
        said: These three.
        native: As it came.
        key: Of the event.
        id: Of the message, where the data give it no other.
        type: Which `type` is a message.
        channel: Name of the channel, which stands in for a sender whom nobody named.
        home: Where replies go, whatever is said; or None.

    Raises:
        InvalidInputError: They do not fit.
    """
    try:
        return _event(said, native, key=key, id=id, type=type, channel=channel, home=home)
    except ValidationError as exc:
        places = [each["loc"] for each in exc.errors(include_input=False)]  # the first name of each is one of ours
        names = {"sender" if exc.title == Address.__name__ else str(place[0]) for place in places if place}
        raise InvalidInputError(f"fields of the document do not fit: {', '.join(sorted(names))}") from exc


def _event(
    document: Mapping[str, Any], native: Any, *, key: str, id: str, type: str, channel: str, home: str | None
) -> Event:
    name, data = document.get("type"), document.get("data")
    said, thread = (data.get("sender"), data.get("thread")) if isinstance(data, dict) else (None, None)
    if not isinstance(said, str | None) or not isinstance(thread, str | None):
        raise InvalidInputError("sender and thread are strings")
    sender, conversation = _whence(said or None, thread or None, channel, home)
    fields: dict[str, Any] = {
        "key": key,
        "channel": channel,  # else admission would copy the event, and its conversation, to fill it in
        "sender": sender,
        "conversation": conversation,
        "at": document.get("timestamp"),
        "native": native,
    }
    if name != type:
        return CustomReceived.model_validate({**fields, "name": name, "data": data})
    if not isinstance(data, dict):
        raise InvalidInputError("the document has no data")
    return MessageReceived.model_validate({**fields, **_content(data, id)})


def _content(data: Mapping[str, Any], id: str) -> dict[str, Any]:
    fields = {name: value for name, value in data.items() if name in _CONTENT and value is not None}
    fields["message_id"] = data.get("id") or id
    fields["automated"] = data.get("automated", False)
    fields.setdefault("headers", {})  # checking an empty one takes pydantic less time than copying its default
    if attachments := data.get("attachments"):
        fields["attachments"] = [_attachment(item) for item in _list(attachments)]
    return fields


@lru_cache(maxsize=1024)
def _whence(said: str | None, thread: str | None, channel: str, home: str | None) -> tuple[Address, ConversationRef]:
    """Who it is from, and where an answer goes: to *home* and nowhere else, lest a document could send us anywhere.

    Several people may stand behind that URL. Each has a conversation of their own, which the answer names as its
    `thread`: the one that the document names, or else the sender.
    """
    sender = Address(said or home or f"webhook:{channel}")
    if home is None or home == sender.uri:
        return sender, ConversationRef(channel=channel, address=sender, thread=thread)
    return sender, ConversationRef(channel=channel, address=Address(home), thread=thread or sender.uri)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInputError("attachments are a list")
    return value


def _attachment(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise InvalidInputError("an attachment is not an object")
    return {name: item[name] for name in _ATTACHMENT if item.get(name) is not None}


def _native(out: Outgoing) -> _Native:
    if out.native is None:
        return _NOTHING
    try:
        return _Native.model_validate(out.native)
    except ValidationError as exc:
        where = ", ".join(".".join(map(str, error["loc"])) or "native" for error in exc.errors())
        raise UnsupportedContentError(
            f"native for a webhook takes type, data and attributes; not so: {where}"
        ) from None


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body, allow_inf_nan=False)  # strict about surrogates and about nesting, too
    except ValueError:
        raise InvalidInputError("the document is not JSON") from None  # the cause might show it
    if not isinstance(document, dict) or not _is_finite(document):
        raise InvalidInputError("the document is not a JSON object, or holds a number that is none")
    return document


def _is_finite(value: Any) -> bool:
    """Whether no number in *value* is infinite: 1e999 is read as such, and JSON has no way to write it again."""
    kind = type(value)
    if kind is dict:
        return all(map(_is_finite, value.values()))
    if kind is list:
        return all(map(_is_finite, value))
    return kind is not float or math.isfinite(value)
