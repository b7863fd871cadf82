"""What the tests of the gateways share: a profile seen from the wire, as the gateway sees it and as it answers.

`channel` configures one; `sent` is what goes to it; `answered` what an answer means; `called` what a call of it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from convergekit.abc import Headers, Outgoing, Request
from convergekit.adapters.sms.answer import Answers
from convergekit.adapters.sms.callbacks import Callbacks, Read
from convergekit.adapters.sms.config import SmsConfig
from convergekit.adapters.sms.request import Requests
from convergekit.http import HttpAnswer
from convergekit.model import (
    Address,
    Attachment,
    ConsentChanged,
    ConversationRef,
    CustomReceived,
    Event,
    FailureKind,
    Message,
    MessageReceived,
    Part,
    Receipt,
    ReceiptReceived,
)

E = TypeVar("E", bound=Event)

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
US: Final = "+15005550006"
THEM: Final = "sms:+4915112345678"
HOME: Final = "https://example.org/hooks/alerts"
REFERENCE: Final = "d41.0"  # of `out`: delivery and index of its part
PICTURE: Final = Attachment(url="https://example.org/cat.jpg", media_type="image/jpeg", name="cat.jpg")

_FORM: Final = "application/x-www-form-urlencoded"


def channel(gateway: str, account: Mapping[str, Any], **more: Any) -> SmsConfig:
    """A channel at *gateway*, reachable at `HOME`, that sends as `US`."""
    return SmsConfig.model_validate(
        {"gateway": gateway, "account": dict(account), "from": US, "callback_url": HOME} | more
    )


def out(
    text: str = "Hello",
    to: str = THEM,
    *,
    files: tuple[Attachment, ...] = (),
    subject: str | None = None,
    lasts: float | None = None,
    native: Any = None,
) -> Outgoing:
    """A part that goes to *to*, and is worth something for *lasts* seconds."""
    address = Address.parse(to)
    return Outgoing(
        to=address,
        part=Part(text=text, subject=subject, attachments=files),
        key="k41",
        delivery="d41",
        conversation=ConversationRef(address=address),
        message=Message(text, expires_at=None if lasts is None else NOW + timedelta(seconds=lasts)),
        native=native,
    )


@dataclass(frozen=True)
class Sent:
    """A request, as the gateway reads it.

    Args:
        method: GET or POST.
        url: Without the query.
        headers: Names in lower case.
        fields: From the form, the JSON or the query; a name that comes several times has a list.
    """

    method: str
    url: str
    headers: dict[str, str]
    fields: Any


def sent(config: SmsConfig, outgoing: Outgoing | None = None) -> Sent:
    """What goes to the gateway."""
    request = Requests(config).build(out() if outgoing is None else outgoing, now=NOW)
    url, _, query = request.url.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "json" in headers.get("content-type", ""):
        fields = json.loads(request.content)
    else:
        fields = _pairs(request.content.decode() if request.content else query)
    return Sent(request.method, url, headers, fields)


def _pairs(encoded: str) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)):
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def answered(config: SmsConfig, body: Any, status: int = 200, *, retry_after: float | None = None) -> Receipt:
    """What the answer means: a receipt, or one of the errors that stand for the four outcomes."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    answer = HttpAnswer(status, {}, content, retry_after=retry_after)
    return Answers(config.loaded).receipt(answer, out(), "alerts")


def called(
    config: SmsConfig, body: Any = b"", *, query: str = "", form: bool = False, media_type: str | None = None
) -> Read:
    """What a call of the gateway means: *body* as JSON, or as a form; without one it is a GET."""
    request = call(body, query=query, form=form, media_type=media_type)
    return Callbacks(config, "alerts").read(request, now=NOW)


def call(
    body: Any = b"", *, query: str = "", form: bool = False, media_type: str | None = None, path: str = ""
) -> Request:
    """A call of the gateway's."""
    if isinstance(body, bytes):
        content = body
    elif form:
        content = urlencode(body, doseq=True).encode()
    else:
        content = json.dumps(body).encode()
    kind = media_type or (_FORM if form else "application/json")
    return Request(
        method="POST" if content or media_type else "GET",
        path=path,
        query=query,
        headers=Headers({"Content-Type": kind} if content else {}),
        body=content,
        url=HOME + path + (f"?{query}" if query else ""),
    )


def only(read: Read, kind: type[E]) -> E:
    """The one event of *kind*; there is no other of it, and no piece."""
    assert not read.pieces
    (found,) = (event for event in read.events if isinstance(event, kind))
    return found


def message(read: Read) -> MessageReceived:
    """The one message."""
    return only(read, MessageReceived)


def report(read: Read) -> Receipt:
    """The one report."""
    return only(read, ReceiptReceived).receipt


def consents(read: Read) -> list[tuple[str, bool]]:
    """Who agrees, or no longer does: as it is told, or as the ledger takes it from a report."""
    return [found for event in read.events if (found := _consent(event)) is not None]


def _consent(event: Event) -> tuple[str, bool] | None:
    if isinstance(event, ConsentChanged):
        return event.address.uri, event.granted
    receipt = event.receipt if isinstance(event, ReceiptReceived) else None
    if receipt is None or receipt.failure is None or receipt.failure.kind is not FailureKind.OPTED_OUT:
        return None
    assert receipt.address is not None
    return receipt.address.uri, False


def notes(read: Read) -> list[str]:
    """Names of what has no event of its own."""
    return [event.name for event in read.events if isinstance(event, CustomReceived)]


def host_of(url: str) -> str:
    """Where *url* goes."""
    return urlsplit(url).hostname or ""
