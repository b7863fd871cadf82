"""An account at X, and whoever writes to it."""

# ruff: noqa: D102  `Subject` says what each method is for; attributes are the same for all instances

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import anyio
import httpx

from convergekit.model import Status
from convergekit.testing.adapter import Call, Cannot, Fault, HttpSubject, Sample
from convergekit.testing.x import (
    Direct,
    EmptyError,
    HtmlError,
    Limit,
    LostAnswer,
    Nonsense,
    Post,
    Refused,
    Reset,
    Slow,
    Step,
    Subscription,
    Throttled,
)

from ..adapter import XAdapter
from .samples import ANN, BOB, OTHER, US, samples
from .server import SubjectServer

__all__ = ["PublicXSubject", "XSubject"]

_SECRET: Final = "consumer-secret-of-the-app"
_OTHER: Final = "consumer-secret-of-nobody"
#: What becomes of the next request.
_STEPS: Final[Mapping[Fault, Step]] = {
    Fault.REFUSED: Refused(400, "One or more parameters to your request was invalid.", "invalid-request"),
    Fault.ACCOUNT: EmptyError(401),
    Fault.THROTTLED: Throttled(seconds=7),
    Fault.THROTTLED_DATE: Throttled(seconds=7),
    Fault.THROTTLED_UNSAID: Throttled(reset=False),
    Fault.SERVER_ERROR: Refused(503, "Service Unavailable"),
    Fault.ERROR_PAGE: HtmlError(),
    Fault.NONSENSE: Nonsense(),
    Fault.EMPTY: EmptyError(200),
    Fault.ANSWER_LOST: LostAnswer(),
    Fault.RESET: Reset(commits=True),
    Fault.SILENT: Slow(86_400),
}


@dataclass(frozen=True, slots=True)
class _Written:
    """What *sender* writes, and the check calls *id*."""

    id: str
    sender: str
    text: str

    def __str__(self) -> str:
        return f"{self.sender} {self.text}"  # X has an id of its own


@dataclass(frozen=True, slots=True)
class _Echoed:
    """What we wrote ourselves, and X shows again."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class _Reported:
    """What became of what we wrote."""

    id: str
    word: str


@dataclass(frozen=True, slots=True)
class _Raw:
    """An item of a list, or an envelope, as it stands."""

    content: Any


class XSubject(HttpSubject):
    """An account that people write to directly. X tells of it by webhook and by a stream, and shows it when asked.

    Attributes:
        kinds: The activities of which X tells.
    """

    adapter = XAdapter
    to = f"x:{ANN}"
    senders = (f"x:{ANN}", f"x:{BOB}")
    secret = _SECRET
    other_secret = _OTHER
    kinds: Sequence[str] = ("dm.received", "dm.sent", "dm.read")
    statuses: Mapping[str, Status | None] = {"read": Status.READ}
    samples: Sequence[Sample] = samples()
    cannot: Mapping[str, str] = {"verbs-work": "a direct message that was sent cannot be taken back, edited or marked"}
    now = staticmethod(lambda: datetime(2026, 1, 1, tzinfo=UTC))  # until the check has a clock

    def __init__(self) -> None:
        super().__init__()
        self.server = SubjectServer(now=lambda: self.now(), sleep=lambda _: anyio.sleep_forever())
        # Limits of X' own would stop a check that asks more often than people write.
        self.server.limits.table = dict.fromkeys(self.server.limits.table, Limit(user=100_000, app=100_000))
        self.server.processing = 0  # what is waited for by our clock, which stands still
        self.server.refuses_duplicates = False  # the rules say the same more than once, and mean two messages
        self.account = self.server.account("support", id=US)
        self.people = {f"x:{id}": self.server.user(name, id=id) for name, id in (("ann", ANN), ("bob", BOB))}
        self._there: dict[str, Direct | Post] = {}
        self._told: dict[str, bytes] = {}
        self.settings = self._settings()
        self.dsn = self._dsn()
        self.other_settings = {**self.settings, "oauth1": self.server.account("sales", id=OTHER).oauth1}

    def _subscribe(self) -> None:
        """X tells of it, so that there is something to call with."""
        for number, kind in enumerate(self.kinds, 1):
            made = Subscription(str(number), kind, {"user_id": US}, self.server.now())
            self.server.activity.subscriptions[made.id] = made

    def _settings(self) -> dict[str, Any]:
        return {
            "oauth1": self.account.oauth1,
            "bearer_token": self.server.bearer_token,
            "activity": "stream",
            "start": "recent",
        }

    def _dsn(self) -> str | None:
        tokens = {name: quote(value, safe="") for name, value in self.account.oauth1.items()}
        return (
            f"x://{tokens['consumer_key']}:{tokens['consumer_secret']}@default"
            f"?access_token={tokens['access_token']}&access_token_secret={tokens['access_token_secret']}"
        )

    # What goes out

    def carries(self, request: httpx.Request) -> bool:
        path = request.url.path
        return request.method in ("POST", "DELETE") and path.startswith(("/2/tweets", "/2/dm_conversations"))

    def accept(self, request: httpx.Request) -> Awaitable[httpx.Response]:
        return self.server.respond(request)

    async def meet(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        step = _STEPS[fault]
        # A token that is refused is refused the second time, too.
        self.server.script(request.method, "*", step, then=step if fault is Fault.ACCOUNT else None)
        return await self.server.respond(request)

    def attempted(self) -> None:
        self.server.unscript()

    def received(self) -> Sequence[bytes]:
        return [message + b"".join(self._files_of(message)) for message in super().received()]

    def _files_of(self, message: bytes) -> Iterator[bytes]:
        """What was uploaded for it before."""
        ids = re.findall(rb'"([0-9]{5,20})"', message.partition(b"\r\n\r\n")[2])
        yield from (self.server.media[id].content for id in map(bytes.decode, ids) if id in self.server.media)

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message.partition(b"\r\n\r\n")[2])["text"]
        return text

    # What comes in

    def message(self, *, id: str, sender: str, text: str) -> Any:
        return _Written(id, sender, text)

    def report(self, *, id: str, word: str) -> Any:
        return _Reported(id, word)

    def echo(self, *, id: str, text: str) -> Any:
        return _Echoed(id, text)

    def nonsense(self) -> Sequence[Any]:
        items: tuple[Any, ...] = (
            None,
            7,
            "text",
            [],
            {},
            {"id": None},
            {"id": "-1", "text": "?"},
            {"id": {"id": "1"}, "text": ["?"]},
        )
        return [_Raw(item) for item in items]

    async def feed(self, said: Any) -> None:
        if isinstance(said, _Reported):
            raise Cannot("that a message was read is told as an activity, and shown in no list")
        if isinstance(said, Call):
            raise Cannot("this is told by a webhook")
        if isinstance(said, _Raw):
            self.server.slipped_in.append(said.content)
        else:
            self._happens(said)

    async def push(self, said: Any) -> None:
        if isinstance(said, Call):
            raise Cannot("this is told by a webhook")
        for _ in range(1000):  # where there is none just now, it is said on the next one
            if self.server.activity.streams:
                break
            await anyio.sleep(0.01)
        before = len(self.server.activity.told)
        line = self._activity(said)
        if len(self.server.activity.told) == before:  # else it has been told there as it happened
            self.server.activity.line(line)

    async def drop(self) -> None:
        self.server.activity.close_streams()

    def call(self, said: Any) -> Call:
        if isinstance(said, Call):
            return said
        if not self.server.activity.subscriptions:  # else the channel has made them, for its stream
            self._subscribe()
        return Call(self._activity(said), {"content-type": "application/json"})

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        digest = hmac.digest(secret.encode(), call.body, "sha256")
        return {"x-twitter-webhooks-signature": "sha256=" + base64.b64encode(digest).decode()}

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "consumer_secrets": [_OTHER, _SECRET]}

    def probe(self) -> tuple[Call, bytes]:
        token = "MTc2NzIyNTYwMC1hYmNkZWY"
        signed = base64.b64encode(hmac.digest(_SECRET.encode(), token.encode(), "sha256")).decode()
        answer = json.dumps({"response_token": f"sha256={signed}"}).encode()
        return Call(b"", query=f"crc_token={token}", method="GET"), answer

    def refuse_login(self) -> None:
        self.server.revoke(self.account)

    def media(self) -> tuple[str, bytes]:
        url, content = "https://ton.twitter.com/1.1/ton/data/dm/7/8/photo.jpg", bytes(range(256)) * 300
        self.server.files[url] = content
        return url, content

    def _activity(self, said: Any) -> bytes:
        """What a webhook, or a line of the stream, says of it."""
        match said:
            case _Raw():
                return json.dumps(said.content).encode()
            case _Reported(id, word) if word not in self.statuses:
                data = {"event_uuid": "1", "filter": {"user_id": US}, "event_type": f"dm.{word}", "payload": {"id": id}}
                return json.dumps({"data": data}).encode()
            case _Reported():
                return self._told_of(said)
            case _:
                if said.id not in self._told:
                    self._told[said.id] = self._told_of(said)
                return self._told[said.id]

    def _told_of(self, said: Any) -> bytes:
        """What X tells of it as it happens."""
        told = self.server.activity.told
        before = len(told)
        self._happens(said)
        if len(told) == before:
            raise Cannot("X tells nobody of it")
        return told[-1][2]

    def _happens(self, said: Any) -> None:
        """It happens at X; where it was said before, it has happened already."""
        if isinstance(said, _Reported):
            self._is_read(self.server.all_directs[said.id])
        elif said.id not in self._there:
            self._there[said.id] = self._made(said)

    def _is_read(self, direct: Direct) -> None:
        (reader,) = (each for each in direct.conversation.members if each != US)
        self.server.read(self.server.people[reader], direct)

    def _made(self, said: Any) -> Direct | Post:
        if isinstance(said, _Echoed):
            return self.account.direct(said.text, to=self.people[self.to])
        return self.people[said.sender].direct(said.text)


class PublicXSubject(XSubject):
    """An account that is mentioned in public, and posts."""

    to = "x:public"
    kinds = ("post.mention.create", "post.create")
    statuses: Mapping[str, Status | None] = {}
    cannot: Mapping[str, str] = {
        **dict.fromkeys(
            ("declared-is-carried", "many-at-once"), "what is answered, and a thread, are posts: ids of X' own"
        ),
    }

    def _made(self, said: Any) -> Direct | Post:
        if isinstance(said, _Echoed):
            return self.account.post(said.text)
        writer = self.people[said.sender]
        earlier = [each for each in self._there.values() if isinstance(each, Post) and each.author is writer]
        # Somebody who goes on stays in their thread.
        return writer.post(f"@support {said.text}", reply_to=earlier[0] if earlier else None)
