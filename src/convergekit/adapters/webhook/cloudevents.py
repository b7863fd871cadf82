"""CloudEvents 1.0 over HTTP: in headers and body (binary), in one JSON object (structured), or in a list (batched).

    binary                                   structured
    ce-specversion: 1.0                      {"specversion": "1.0",
    ce-id: 7                                  "id": "7",
    ce-source: https://shop.example           "source": "https://shop.example",
    ce-type: order.shipped                    "type": "order.shipped",
    content-type: application/json            "datacontenttype": "application/json",
    {"number": 7}                             "data": {"number": 7}}

Pure; also what is answered to a sender that asks whether it may call ("HTTP 1.1 Web Hooks for Event Delivery").
Numbers of sections are those of the HTTP protocol binding 1.0.2, and of the JSON event format where it says so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

from convergekit.abc import Request, Response
from convergekit.errors import InvalidInputError, UnsupportedContentError, UnsupportedMediaTypeError
from convergekit.http.bodies import charset_of, read_json
from convergekit.model import Event

from .translator import event_of, to_body

__all__ = [
    "BATCHED",
    "SET_BY_US",
    "STRUCTURED",
    "CloudEvent",
    "handshake",
    "is_binary",
    "key_of",
    "read",
    "to_binary",
    "to_events",
    "to_json",
    "to_request",
]

#: The media type of one event in JSON.
STRUCTURED: Final = "application/cloudevents+json"
#: And of several.
BATCHED: Final = "application/cloudevents-batch+json"
#: Names that nobody else can give: of what we say of an event ourselves, and of its data in JSON.
SET_BY_US: Final = frozenset({"specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64"})

_VERSION: Final = "1.0"
_REQUIRED: Final = frozenset({"specversion", "id", "source", "type"})
_JSON: Final = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json")
#: §3.1.3.2: of ASCII all that is printed but for the blank, the quotation mark and the percent sign.
_PLAIN: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
_NAME: Final = re.compile(r"[a-z0-9]{1,64}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ORIGIN: Final = re.compile(r"[a-z0-9._-]{1,253}", re.IGNORECASE)
_LONGEST_KEY: Final = 500


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event.

    Args:
        id: Different for every event of one source.
        source: Where it happened: a URI, or a path.
        type: What happened.
        attributes: All others that are set, such as `time` and `subject`; those of somebody's own, too.
        data: A JSON value, text or bytes; None where there is none.

    Raises:
        InvalidInputError: One of the first three is missing, or is no text on one line.
    """

    id: str
    source: str
    type: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    data: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("source", self.source), ("type", self.type)):
            if not _is_line(value):
                raise InvalidInputError(f"{name} of a CloudEvent is missing, or no text on one line")


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether what the event is stands in *headers* (§3), which most schemes do not sign."""
    return not _media_type(headers).startswith("application/cloudevents")


def read(headers: Mapping[str, str], body: bytes) -> tuple[CloudEvent, ...]:
    """The events of a call, in order; a batch may hold none.

    Args:
        headers: Looked up in lower case.
        body: As it came.

    Raises:
        UnsupportedMediaTypeError: It is in no form that is read here.
        InvalidInputError: It is, and is none.
    """
    media_type = _media_type(headers)
    if media_type == STRUCTURED:
        return (_from_json(_json(headers, body)),)
    if media_type == BATCHED:
        batch = _json(headers, body)
        if not isinstance(batch, list):
            raise InvalidInputError("a batch of CloudEvents is a list")
        return tuple(map(_from_json, batch))
    if is_binary(headers) and "ce-specversion" in headers:
        return (_from_binary(headers, body),)
    raise UnsupportedMediaTypeError(f"a CloudEvent is {STRUCTURED}, {BATCHED}, or has ce- headers")


def to_json(event: CloudEvent) -> dict[str, Any]:
    """*event* as an object of the JSON event format."""
    data: dict[str, Any] = {}
    if isinstance(event.data, bytes):
        data = {"data_base64": base64.b64encode(event.data).decode("ascii")}
    elif event.data is not None:
        data = {"data": event.data}
    return {**_attributes(event), **data}


def to_binary(event: CloudEvent) -> dict[str, str]:
    """*event* as headers, its data left out: they are the body."""
    attributes = _attributes(event)
    content_type = attributes.pop("datacontenttype", None)
    headers = {f"ce-{name}": quote(_written(value), safe=_PLAIN) for name, value in attributes.items()}
    return headers if content_type is None else {**headers, "content-type": content_type}


def to_request(
    document: Mapping[str, Any], attributes: Mapping[str, Any], *, id: str, source: str, structured: bool
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the call that tells what *document* says.

    Args:
        document: `type`, `timestamp` and `data`.
        attributes: What the host adds: `subject`, `dataschema`, or extensions.
        id: Of the event.
        source: Of the event.
        structured: Whether all of it goes into the body, which every scheme signs.

    Raises:
        UnsupportedContentError: An attribute is none, or says what another one says.
    """
    for name, value in attributes.items():
        if name in SET_BY_US or not _NAME.fullmatch(name) or _CONTROL.search(str(value)):
            raise UnsupportedContentError(
                f"{name[:80]!a} is no attribute that a CloudEvent can be given: a name has a-z and 0-9, and the value "
                "is text on one line, a whole number or a truth value"
            )
    said = {"time": document["timestamp"], "datacontenttype": "application/json", **attributes}
    event = CloudEvent(id, source, document["type"], said, document["data"])
    if structured:
        return {"content-type": STRUCTURED}, to_body(to_json(event))
    return to_binary(event), to_body(event.data)


def to_events(
    request: Request, *, id: str | None, type: str, channel: str, home: str | None, body_only: bool = False
) -> tuple[Event, ...]:
    """The events that a verified *request* holds; of each all attributes and data are in `native`, as in JSON.

    Args:
        request: As it came.
        id: What the signature scheme knows the call by.
        type: Which `type` is a message.
        channel: Name of the channel.
        home: Where replies go, whatever the event says; or None.
        body_only: Whether the scheme signs the body, and neither the headers nor an id.

    Raises:
        UnsupportedMediaTypeError: It is in no form that is read here.
        InvalidInputError: It is, and is none.
    """
    # What identifies an event has to be signed: who has seen a call might else send it again under another ce-id.
    signed = id if is_binary(request.headers) else None
    if signed is None and body_only and is_binary(request.headers):
        raise InvalidInputError("nobody has signed which event it is: with this scheme it has to stand in the body")
    events = []
    for event in read(request.headers, request.body):
        said = {"type": event.type, "timestamp": event.attributes.get("time"), "data": event.data}
        key = signed or key_of(event)
        events.append(event_of(said, to_json(event), key=key, id=event.id, type=type, channel=channel, home=home))
    return tuple(events)


def key_of(event: CloudEvent) -> str:
    """What tells *event* from every other: source and id together."""
    key = f"{event.source} {event.id}"
    if " " not in event.source and len(key) <= _LONGEST_KEY:
        return key
    return "sha256:" + hashlib.sha256(f"{event.source}\n{event.id}".encode()).hexdigest()


def handshake(request: Request, allowed: Iterable[str]) -> Response | None:
    """What is answered to a sender that asks whether it may call; None where it does not ask, or may not.

    Its callback is never called: the answer says all that there is to say.

    Args:
        request: Not verified; a handshake proves nothing about who asks.
        allowed: Names of systems as DNS has them, `*.example.org` for all below one, "*" for everybody.

    Source:
        HTTP 1.1 Web Hooks for Event Delivery 1.0.2, §4.
    """
    origin = request.headers.get("webhook-request-origin", "").strip()
    if request.method != "OPTIONS" or not _ORIGIN.fullmatch(origin):
        return None
    granted = next((each for each in allowed if _fits(each.lower(), origin.lower())), None)
    if granted is None:
        return None
    said = {"webhook-allowed-origin": "*" if granted == "*" else origin, "webhook-allowed-rate": "*"}
    return Response(200, headers={"allow": "POST", **said})


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and _CONTROL.search(value) is None


def _fits(allowed: str, origin: str) -> bool:
    return allowed in {"*", origin} or (allowed[:2] == "*." and origin.endswith(allowed[1:]))


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _attributes(event: CloudEvent) -> dict[str, Any]:
    required = {"specversion": _VERSION, "id": event.id, "source": event.source, "type": event.type}
    return {**required, **event.attributes}


def _written(value: Any) -> str:
    """CloudEvents 1.0.2, "Type system": how a value is written where there are only strings."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(headers: Mapping[str, str], body: bytes) -> Any:
    return read_json(body, None if body.isascii() else charset_of(headers.get("content-type", ""))).value


def _from_json(value: Any) -> CloudEvent:
    if not isinstance(value, dict):
        raise InvalidInputError("a CloudEvent is an object")
    attributes = {name: each for name, each in value.items() if each is not None}  # JSON format §2.1: null is unset
    data = attributes.pop("data", None)
    encoded = attributes.pop("data_base64", None)
    if encoded is not None:
        if data is not None or not isinstance(encoded, str):
            raise InvalidInputError("a CloudEvent has data or data_base64, which is a text")
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise InvalidInputError("data_base64 is not base64") from None
    return _event(attributes, data)


def _from_binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    attributes = {name[3:]: _decoded(headers[name]) for name in headers if name.startswith("ce-")}
    if attributes.keys() & {"datacontenttype", "data", "data_base64"}:  # §3.1.1, §3.1.2
        raise InvalidInputError("a ce- header says what content-type and the body say, and might say otherwise")
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"]
    data = _data(headers, body)
    if _is_structured(data):
        raise InvalidInputError("the data of a CloudEvent in headers is one by itself, which nobody signed as such")
    return _event(attributes, data)


def _is_structured(data: Any) -> bool:
    """Whether *data* is what stands for events in the other modes.

    Which mode it is says content-type, which most schemes do not sign: whoever has seen such a call could else send it
    again in headers of his own, and it would be known by another key.
    """
    events = data if isinstance(data, list) else [data]
    return any(isinstance(each, dict) and each.keys() >= _REQUIRED for each in events)


def _event(attributes: dict[str, Any], data: Any) -> CloudEvent:
    if attributes.pop("specversion", None) != _VERSION:
        raise InvalidInputError(f"a CloudEvent of another version than {_VERSION}")
    id, source, type = (attributes.pop(name, None) for name in ("id", "source", "type"))
    return CloudEvent(id, source, type, attributes, data)


def _data(headers: Mapping[str, str], body: bytes) -> Any:
    """The value that *body* is: of JSON, of text, or the bytes themselves."""
    if not body:
        return None
    media_type = _media_type(headers) or "application/json"
    if _JSON.fullmatch(media_type):
        return _json(headers, body)
    try:
        return body.decode() if media_type.startswith("text/") else body
    except UnicodeDecodeError:
        return body


def _decoded(value: str) -> str:
    """§3.1.3.2: out of quotation marks, where it has them, and once out of its percent signs."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInputError("what a ce- header encodes is not UTF-8") from None
