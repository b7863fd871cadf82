"""A telegraph office: by webhook, by poll and on a wire, with what the other adapters have not.

People number their telegrams themselves, the office hands back copies of what we wired, what became of a telegram is
told in its own words, calls are signed with their time and by one of two secrets, and an endpoint is probed.
"""

# ruff: noqa: RUF012  the attributes of a subject are the same for each instance, and nobody changes them

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import anyio
import httpx
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.abc import Adapter, Admission, Outgoing, Polled, Request, Response
from convergekit.errors import (
    AuthenticationError,
    InvalidInputError,
    NotSentError,
    SignatureError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.http import hmac_signature, verify_hmac
from convergekit.model import (
    Address,
    Capabilities,
    CustomReceived,
    Event,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
    TextLimit,
)
from convergekit.testing.adapter import Call, HttpSubject, Sample

__all__ = ["WORDS", "TelegraphAdapter", "TelegraphConfig", "TelegraphSubject"]

#: The office's words, and what they are evidence of. None is no news.
WORDS: Final[Mapping[str, Status | None]] = {
    "on the desk": None,
    "wired": Status.SENT,
    "handed over": Status.DELIVERED,
    "nobody there": Status.FAILED,
}
_TOLERANCE: Final = 300.0


class Wire:
    """What the office says, one document after the other; what is not acknowledged it says again after a drop."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.refuses = False
        self._documents: deque[str] = deque()
        self._drops = 0
        self._changed = anyio.Event()

    def connect(self) -> int:
        """Log in; which connection this is."""
        if self.refuses:
            raise AuthenticationError("the office does not know us")
        return self._drops

    async def next(self, connection: int) -> Any:
        """The oldest that is not acknowledged, once there is one."""
        while connection == self._drops and not self._documents:
            await self._changed.wait()
        if connection != self._drops:
            raise NotSentError("the wire is cut")
        return json.loads(self._documents[0])

    def acknowledge(self) -> None:
        """The office may forget it."""
        self._documents.popleft()
        self.acknowledged += 1

    def say(self, document: Any) -> None:
        self._documents.append(json.dumps(document))
        self._wake()

    def drop(self) -> None:
        self._drops += 1
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class TelegraphConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(description="Where the office is.")
    token: SecretStr = Field(description="Lets us in.")
    station: str = Field(description="Our own name in the office's books.")
    secrets: tuple[SecretStr, ...] = Field(description="Any of them may sign what comes in.")


class TelegraphAdapter(Adapter[TelegraphConfig]):
    name = "telegraph"
    schemes = frozenset({"telegraph"})
    Config = TelegraphConfig
    capabilities = Capabilities(
        text=TextLimit(max=500),
        receipts=frozenset({Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.FAILED}),
        client_chosen_ids=True,
    )
    feeds: Sequence[str] = ("inbox",)
    poll_interval = 5.0

    async def send(self, out: Outgoing) -> Receipt:
        if out.native is not None:
            raise UnsupportedContentError("a telegram has no native fields", channel=self.context.channel)
        telegram = {"to": out.to.value, "text": out.text, **(out.native or {})}
        answer = await self.context.http.request("POST", self._url, out=out, json=telegram, headers=self._headers)
        try:
            return Receipt(Status.ACCEPTED, ids=(answer.json()["id"],))
        except (ValueError, LookupError, TypeError):
            raise UncertainError("the answer makes no sense", channel=self.context.channel) from None

    @property
    def _url(self) -> str:
        return f"{self.config.url}/telegrams"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.config.token.get_secret_value()}"}

    async def poll(self, feed: str, cursor: Any) -> Polled:
        after = cursor or 0
        answer = await self.context.http.request(
            "GET", f"{self._url}?after={after}", headers=self._headers, expect="json"
        )
        page = answer.json()
        events = [event for item in page["items"] for event in self.read_item(item)]
        return Polled(events, cursor=page["items"][-1]["serial"] if page["items"] else after, more=page["more"])

    def read_item(self, item: Any) -> Sequence[Event]:
        """What stands in the feed."""
        return self.read_or_keep(item["document"], key=f"serial-{item['serial']}")

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        wire: Wire = self.context.parts["wire"]
        connection = wire.connect()
        task_status.started()
        while True:
            document = await wire.next(connection)
            key = hashlib.sha256(json.dumps(document).encode()).hexdigest()
            await self.context.admit(*self.read_or_keep(document, key=f"document-{key}"))
            wire.acknowledge()

    def read_or_keep(self, document: Any, *, key: str) -> Sequence[Event]:
        """What is said may make no sense, and does not stand in the way of what comes after it."""
        try:
            return self.read(document)
        except InvalidInputError:
            return [CustomReceived(key=key, name="invalid_message", native=document)]

    def read(self, document: Any) -> Sequence[Event]:
        """The events that *document* stands for; raises `InvalidInputError`."""
        try:
            match document["kind"]:
                case "telegram":
                    return self.read_telegram(document)
                case "report":
                    return self.read_report(document)
        except (ValueError, LookupError, TypeError):
            pass
        raise InvalidInputError("this is no document of the office's")

    def read_telegram(self, document: Mapping[str, Any]) -> Sequence[Event]:
        if document["from"] == self.config.station:
            return []
        sender, number = Address.build("telegraph", document["from"]), document["number"]
        key = f"{sender.uri}/{number}"  # everybody numbers their own
        return [MessageReceived(key=key, message_id=number, sender=sender, text=document["text"], native=document)]

    def read_report(self, document: Mapping[str, Any]) -> Sequence[Event]:
        id, word = document["id"], document["word"]
        if word not in WORDS:
            self.context.log.warning("a status that is not known: %a", word)
        status = WORDS.get(word)
        if status is None:
            return []
        return [ReceiptReceived(key=f"{id}:{word}", receipt=Receipt(status, ids=(id,)), native=document)]

    def challenge(self, request: Request) -> Response | None:
        name, _, word = request.query.partition("=")
        return Response(200, word.encode()) if request.method == "GET" and name == "hello" else None

    async def verify(self, request: Request) -> None:
        time = request.headers.get("telegraph-time", "")
        if not time.isascii() or not time.isdigit() or len(time) > 12:
            raise SignatureError("telegraph-time is missing or malformed")
        if abs(self.context.clock.now().timestamp() - int(time)) > _TOLERANCE:
            raise SignatureError("telegraph-time is too far from our clock")
        secrets = [secret.get_secret_value().encode() for secret in self.config.secrets]
        verify_hmac(f"{time}.".encode() + request.body, request.headers.get("telegraph-signature"), secrets)

    def parse(self, request: Request) -> Sequence[Event]:
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            raise InvalidInputError("this is not JSON") from None
        return self.read(document)

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        return Response(204)


class TelegraphSubject(HttpSubject):
    """The office."""

    adapter = TelegraphAdapter
    secret = "how the office signs"
    settings = {"url": HttpSubject.url, "token": "t0ken-of-the-office", "station": "us", "secrets": [secret]}
    to = "telegraph:ann"
    senders = ("telegraph:ann", "telegraph:bob")
    statuses = WORDS
    page = 20
    samples = (
        Sample(
            "a telegram",
            {"kind": "telegram", "number": "1", "from": "ann", "text": "COME HOME STOP"},
            [MessageReceived(message_id="1", sender="telegraph:ann", text="COME HOME STOP")],
        ),
        Sample(
            "a report",
            {"kind": "report", "id": "t-1", "word": "nobody there"},
            [ReceiptReceived(receipt=Receipt(Status.FAILED, ids=("t-1",)))],
        ),
        Sample("no news", {"kind": "report", "id": "t-1", "word": "on the desk"}, []),
    )

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []
        self.items: list[Any] = []
        self.wire = Wire()

    def parts(self) -> Mapping[str, Any]:
        return {**super().parts(), "wire": self.wire}

    def accept(self, request: httpx.Request) -> httpx.Response:
        if self.wire.refuses:
            return httpx.Response(401)
        if request.method == "GET":
            after = int(request.url.params["after"])
            page = self.items[after : after + self.page]
            return httpx.Response(200, json={"items": page, "more": after + len(page) < len(self.items)})
        self.taken.append(json.loads(request.content))
        return httpx.Response(201, json={"id": f"t-{len(self.taken)}"})

    async def feed(self, said: Any) -> None:
        self.items.append({"serial": len(self.items) + 1, "document": said})

    async def push(self, said: Any) -> None:
        self.wire.say(said)

    def acknowledged(self) -> int:
        return self.wire.acknowledged

    async def drop(self) -> None:
        self.wire.drop()

    def refuse_login(self) -> None:
        self.wire.refuses = True

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message.partition(b"\r\n\r\n")[2])["text"]
        return text

    def message(self, *, id: str, sender: str, text: str) -> Mapping[str, Any]:
        return {"kind": "telegram", "number": id, "from": sender.removeprefix("telegraph:"), "text": text}

    def report(self, *, id: str, word: str) -> Mapping[str, Any]:
        return {"kind": "report", "id": id, "word": word}

    def echo(self, *, id: str, text: str) -> Mapping[str, Any]:
        return {"kind": "telegram", "number": id, "from": "us", "text": text}

    def nonsense(self) -> Sequence[Any]:
        return [None, [], {"kind": "goose"}, {"kind": "telegram", "from": 7}, {"kind": "report", "id": []}]

    def call(self, said: Any) -> Call:
        return said if isinstance(said, Call) else Call(json.dumps(said).encode())

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        time = str(int(at.timestamp()))
        signature = hmac_signature(secret.encode(), f"{time}.".encode() + call.body).decode()
        return {"telegraph-time": time, "telegraph-signature": signature}

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "secrets": [self.other_secret, self.secret]}

    def probe(self) -> tuple[Call, bytes]:
        return Call(b"", query="hello=7b2", method="GET"), b"7b2"
