"""Calls as bytes, and a door with a channel of every kind behind it.

A call is written as HTTP writes it, which is easy to read and, for what makes new ones out of old ones, easy to change:

    POST /channel/path?query
    name: value

    body
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from convergekit.abc import Admission, Request, Response
from convergekit.adapters.webhook import WebhookAdapter, WebhookConfig
from convergekit.adapters.webhook.mapping import names
from convergekit.asgi import WebhookApp
from convergekit.http import Challenge, Incoming, SignatureScheme, Verified
from convergekit.model import Event, event_to_json
from convergekit.testing import FakeContext
from tests.adapters.webhook.mapping.samples import SAMPLES
from tests.asgi_kit import Answer, Channels, Scripted
from tests.http.signatures.kit import CASES, NOW, Case

__all__ = ["WORDS", "Finding", "Site", "call_of", "seeds", "written"]

RULES: Final = {
    "messages": [
        {
            "when": {"body.kind": ["said", "written"], "header.x-kind": "a"},
            "each": "body.items",
            "id": "body.id",
            "text": "{body.who.name}: {body.text}",
            "sender": "https://example.org/{body.who.id}",
            "at": "body.at",
            "kind": "message",
        },
        {"when": {"query.kind": "seen"}, "id": "query.id", "kind": "event", "name": "body.name"},
    ]
}
#: Every way to understand a body: settings of a channel.
READERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "standard": {},
    "cloudevents": {"format": "cloudevents", "allowed_origins": ["*.example.org"]},
    "rules": RULES,
    **{name: {"preset": name} for name in names()},
}


HOME: Final = "https://example.org/hooks"


def _scheme(name: str, case: Case, *numbers: int) -> SignatureScheme:
    return case.scheme(*numbers, **({"verify_token": "a"} if name == "meta" else {}))


class Finding(AssertionError):
    """What should never come of a call."""


class Believing:
    """A scheme that believes everybody: what stands behind it is what is looked at."""

    def sign(self, *args: Any, **more: Any) -> Mapping[str, str]:
        return {}

    def verify(self, request: Incoming, now: datetime) -> Verified:
        return Verified(id=None)

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        return None


class Verifies(Scripted):
    """A channel that looks at the signature and at nothing else."""

    def __init__(self, scheme: SignatureScheme) -> None:
        super().__init__()
        self._scheme = scheme

    def challenge(self, request: Request) -> Response | None:
        answer = self._scheme.challenge(request, NOW)
        return None if answer is None else Response(*answer)

    async def verify(self, request: Request) -> None:
        self._scheme.verify(request, NOW)


class Reads:
    """A channel that believes everybody, and reads what they say."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        config = WebhookConfig.model_validate({"url": "https://example.org/in", "scheme": "own", **settings})
        parts = {"scheme": Believing()}
        self.adapter = WebhookAdapter(config, FakeContext(channel=name, parts=parts))

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        for event in events:
            event_to_json(event)  # as a store does
            if not event.key:
                raise Finding("an event without a key")
        return tuple(Admission.NEW for _ in events)


class Site:
    """The door."""

    def __init__(self) -> None:
        schemes = {f"signed-{name}": Verifies(_scheme(name, case, 1, 2)) for name, case in CASES.items()}
        readers = {f"read-{name}": Reads(name, settings) for name, settings in READERS.items()}
        channels: dict[str, Any] = {**schemes, **readers}
        self.channels: Sequence[str] = list(channels)
        self.app = WebhookApp(Channels(**channels), public_url=HOME, max_body=65_536)
        self._said = _Said()
        log = logging.getLogger("convergekit.asgi")
        log.addHandler(self._said)
        log.propagate = False

    def close(self) -> None:
        log = logging.getLogger("convergekit.asgi")
        log.removeHandler(self._said)
        log.propagate = True

    async def call(self, data: bytes) -> Answer:
        """What the door answers to *data*.

        Raises:
            Finding: It is broken by it.
        """
        scope, body = call_of(data)
        answer, told = Answer(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return told.pop()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                answer.body += message["body"]

        await self.app(scope, receive, send)
        if answer.status >= 500 or answer.status == 0:
            raise Finding(f"{answer.status}: {self._said.last}")
        if any("\n" in value or "\r" in value for value in answer.headers.values()):
            raise Finding("an answer whose headers end early")
        return answer


class _Said(logging.Handler):
    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def call_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """*data* as a server would hand it on: names in lower case, and neither CR nor LF nor NUL in what is no body."""
    head, _, body = data.partition(b"\n\n")
    line, *fields = head.replace(b"\r", b" ").replace(b"\0", b" ").split(b"\n")
    method, _, target = line.partition(b" ")
    path, _, query = target.partition(b"?")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (field.partition(b":") for field in fields)]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method.decode("latin-1").upper(),
        "path": path.decode("utf-8", "replace"),
        "query_string": query,
        "headers": [(name, value) for name, value in pairs if name],
    }
    return scope, body


def written(path: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST", query: str = "") -> bytes:
    """The other way round."""
    target = path + (f"?{query}" if query else "")
    fields = "".join(f"\n{name}: {value}" for name, value in headers.items())
    return f"{method} {target}{fields}\n\n".encode() + body


def seeds() -> Iterator[bytes]:
    """Calls that are right, of every kind."""
    for name, case in CASES.items():
        call = case.call(1)
        if case.signed is None:  # by the case's own words, at another address
            url = f"{HOME}/signed-{name}"
            signed = _scheme(name, case, 1).sign("msg_1", NOW, case.body, url=url, headers=case.headers)
            call = replace(call, headers={**case.headers, **signed})
        yield written(f"/signed-{name}{call.path}", call.body, call.headers, method=call.method, query=call.query)
    for sample in SAMPLES:
        request = sample.request
        yield written(f"/read-{sample.preset}", request.body, dict(request.headers), query=request.query)
    data = b'{"text":"a","sender":"mailto:ann@example.org"}'
    event = b'{"specversion":"1.0","id":"1","source":"/a","type":"message.created","data":%b}' % data
    yield written("/read-cloudevents", event, {"content-type": "application/cloudevents+json"})
    yield written("/read-cloudevents", b"[" + event + b"]", {"content-type": "application/cloudevents-batch+json"})
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/a",
        "ce-type": "t",
        "content-type": "application/json",
    }
    yield written("/read-cloudevents", b'{"text":"a"}', binary)
    yield written("/read-cloudevents", b"", {"webhook-request-origin": "a.example.org"}, method="OPTIONS")
    said = b'{"type":"message.created","data":{"text":"a","sender":"mailto:ann@example.org","attachments":[]}}'
    yield written("/read-standard", said, {"webhook-id": "1"})
    ruled = b'{"kind":"said","items":[{"id":1,"text":"a","who":{"id":2,"name":"b"},"at":"2026-01-02T03:04:05Z"}]}'
    yield written("/read-rules", ruled, {"x-kind": "a"})
    yield written("/read-rules", b"name=a&name=b", {}, query="kind=seen&id=4")
    yield written("/signed-x", b"", {}, method="GET", query="crc_token=challenge-of-sixteen-or-more")
    yield written("/signed-meta", b"", {}, method="GET", query="hub.mode=subscribe&hub.challenge=1&hub.verify_token=a")


#: What is worth trying as a whole.
WORDS: Final = (
    *("webhook-id", "webhook-timestamp", "webhook-signature", "v1,", "v1a,", "sha256=", "t=", ",v1=", "v0="),
    *("x-hub-signature-256", "stripe-signature", "x-slack-signature", "x-slack-request-timestamp"),
    *("x-shopify-hmac-sha256", "x-twilio-signature", "bodySHA256", "x-twilio-email-event-webhook-signature"),
    *("signature-input", "content-digest", "sha-256=:", '("@method" "content-digest");created=', "keyid=", ";alg="),
    *("authorization", "Basic ", "Bearer ", "content-type", "application/json", "multipart/form-data; boundary=a"),
    *("application/x-www-form-urlencoded", "application/cloudevents+json", "charset=utf-16", "ce-specversion"),
    *("ce-id", "ce-source", "ce-type", "data_base64", "datacontenttype", "null", "true", "1e999", "NaN", "-0", "{}"),
    *("[]", '""', "\\ud800", "\\u0000", "%00", "%ff", "&", "=", "9" * 30, "\x7f", "é"),
)
