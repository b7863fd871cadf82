"""A gateway that nobody has heard of, described in a TOML file and nowhere else: it sends, receives and reports.

The far side is a server on loopback that speaks an API of its own invention, and calls us over HTTP, too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from convergekit import Conversation, Hub, MessageReceived, Status
from convergekit.errors import RejectedError, SuppressedError
from convergekit.model import ConsentChanged, CustomReceived, Event, FailureKind
from tests.asgi_kit import served

pytestmark = pytest.mark.anyio

KEY, SEAL = "lamp-key-0123456789", "seal-secret-0123456789"
ANN, BOB, US = "+4915112345678", "+4915187654321", "+15005550006"

PROFILE = """
name = "pharos"
title = "Pharos"
media = ["sms", "mms"]

[settings.tower]
description = "where the tower is"
[settings.lamp_key]
description = "what it wants to be told"
[settings.seal]
description = "what its calls are sealed with"

[send]
method = "PUT"
url = "{tower}/v7/dispatch"
encoding = "json"
numbers = "digits"
headers = { X-Lamp-Key = "{lamp_key}" }
validity = { unit = "minutes", min = 5, max = 60 }

[send.fields]
envelope = { who = ["00{to}"], by = "{from}", burns = "{validity}" }
payload = { words = "{text}", tongue = "{alphabet}" }
ticket = "{reference}"
watch = { shine = "{callback}" }

[send.words.alphabet]
gsm7 = "plain"
ucs2 = "wide"

[send.variants.mms.fields.payload]
pictures = "{media}"

[reply]
ids = "beams.*.no"
ok = [{ path = "verdict", equals = "lit" }]
code = "why.nr"
reason = "why.say"
codes = { E-9 = "opted_out" }

[callbacks]
each = "log"
ack = { status = 202, body = "SEEN", type = "text/x-lamp" }

[[callbacks.inbound]]
when = [{ path = "what", equals = "hail" }]
id = "no"
at = "hour"
at_format = "unix"
from = "by"
to = "who.0"
text = "words"

[[callbacks.status]]
when = [{ path = "what", equals = "fate" }]
id = "no"
word = "fate"
code = "nr"

[words]
climbing = "sent"
arrived = "delivered"
drowned = "failed"

[codes]
S-1 = "unreachable"

[[verify]]
scheme = "hmac"
secret = "seal"
options = { header = "X-Lamp-Seal", signed = "{timestamp}|{body}", timestamp_header = "X-Lamp-Hour", prefix = "wax:" }
"""


@dataclass
class Tower:
    """The gateway: takes what it is given, and can be asked to call.

    Args:
        taken: What it was given, in order: header fields and the body.
        home: Where it was told to call, by ticket.
        refuses: What it answers instead of taking the next message.
    """

    taken: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    home: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, Any] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (scope["method"], scope["path"]) == ("PUT", "/v7/dispatch")
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        said = json.loads(body)
        answer: dict[str, Any] = {"verdict": "dark", "why": self.refuses}
        if self.refuses is None:
            self.taken.append(({name.decode(): value.decode() for name, value in scope["headers"]}, said))
            self.home[said["ticket"]] = said["watch"]["shine"]
            answer = {"verdict": "lit", "beams": [{"no": 7000 + len(self.taken)}]}
        self.refuses = None
        await send({"type": "http.response.start", "status": 207, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    @staticmethod
    async def calls(url: str, *log: dict[str, Any], seal: str = SEAL, age: float = 0) -> httpx.Response:
        """What it calls *url* with."""
        hour, body = str(int(time.time() - age)), json.dumps({"log": log}).encode()
        mark = hmac.new(seal.encode(), hour.encode() + b"|" + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "text/plain", "x-lamp-hour": hour, "x-lamp-seal": f"wax:{mark}"}
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.post(url, content=body, headers=headers)


class World:
    """A hub with the tower's channel, and both of their servers."""

    def __init__(self, hub: Hub, tower: Tower, home: str) -> None:
        self.hub, self.tower, self.home = hub, tower, home
        self.seen: list[Event] = []


@asynccontextmanager
async def world(folder: Path, backend: str) -> AsyncGenerator[World]:
    hubs: list[Hub] = []

    async def ours(scope: Any, receive: Any, send: Any) -> None:
        await hubs[0].asgi()(scope, receive, send)

    tower = Tower()
    async with served(tower, backend) as there, served(ours, backend) as here:
        (folder / "pharos.toml").write_text(PROFILE)
        (folder / "convergekit.toml").write_text(
            f"""
            [store]
            url = "memory:"

            [channels.lights]
            adapter = "sms"
            profile = {json.dumps(str(folder / "pharos.toml"))}
            from = "{US}"
            callback_url = "{here}/lights"
            account = {{ tower = "{there}", lamp_key = "{KEY}", seal = "{SEAL}" }}
            """
        )
        hub = Hub.from_toml(folder / "convergekit.toml")
        hubs.append(hub)
        both = World(hub, tower, f"{here}/lights")

        @hub.on_message
        async def answer(message: MessageReceived, conversation: Conversation) -> None:
            both.seen.append(message)
            await conversation.reply(f"You said: {message.text}")

        @hub.on_event(ConsentChanged, CustomReceived)
        async def note(event: Event) -> None:
            both.seen.append(event)

        async with hub:
            yield both


async def test_it_sends(tmp_path: Path, anyio_backend_name: str) -> None:
    async with world(tmp_path, anyio_backend_name) as both:
        sent = await both.hub.send("Ahoi, Zoë ☀", to=f"sms:{ANN}", timeout=20)

        assert sent.status is Status.ACCEPTED
        ((headers, said),) = both.tower.taken
        (delivery,) = sent.deliveries
        ticket = f"{delivery.id}.0"
        assert headers["x-lamp-key"] == KEY
        assert said == {
            "envelope": {"who": [f"00{ANN[1:]}"], "by": US[1:]},
            "payload": {"words": "Ahoi, Zoë ☀", "tongue": "wide"},
            "ticket": ticket,
            "watch": {"shine": f"{both.home}?ref={ticket}"},
        }
        assert delivery.report.ids == {"7001"}


async def test_it_reports(tmp_path: Path, anyio_backend_name: str) -> None:
    """By our reference in the URL, by the tower's own id, late words after better ones, and with a code."""
    async with world(tmp_path, anyio_backend_name) as both:
        first, second = [await both.hub.send("Ahoi", to=f"sms:{who}", timeout=20) for who in (ANN, BOB)]
        by_url, by_id = both.tower.home[f"{first.deliveries[0].id}.0"], both.home
        fate = {"what": "fate", "no": 7001}
        answers = [
            await both.tower.calls(by_url, {"what": "fate", "fate": "Arrived"}),
            await both.tower.calls(
                by_id, fate | {"fate": "climbing"}, {"what": "fate", "no": 7002, "fate": "climbing"}
            ),
            await both.tower.calls(by_id, {"what": "fate", "no": 7002, "fate": "drowned", "nr": "S-1"}),
            await both.tower.calls(by_id, fate | {"fate": "eaten by a grue"}),
        ]
        await both.hub.idle()

        assert {(each.status_code, each.text, each.headers["content-type"]) for each in answers} == {
            (202, "SEEN", "text/x-lamp")
        }
        assert (first.status, second.status) == (Status.DELIVERED, Status.FAILED)
        failure = second.deliveries[0].failed_by
        assert failure is not None
        assert (failure.kind, failure.code) == (FailureKind.UNREACHABLE, "S-1")
        assert [each.name for each in both.seen if isinstance(each, CustomReceived)] == ["sms.report"]


async def test_it_receives_and_what_it_says_is_answered(tmp_path: Path, anyio_backend_name: str) -> None:
    async with world(tmp_path, anyio_backend_name) as both:
        hail = {"what": "hail", "no": 41, "hour": 1772366400, "by": ANN[1:], "who": [US], "words": "Ahoi?"}
        answers = [await both.tower.calls(both.home, hail) for _ in range(2)]  # once is enough
        await both.hub.idle()

        assert [(each.status_code, each.text) for each in answers] == [(202, "SEEN")] * 2
        (message,) = both.seen
        assert isinstance(message, MessageReceived)
        assert (str(message.sender), message.text, message.message_id) == (f"sms:{ANN}", "Ahoi?", "41")
        assert message.at is not None
        assert message.at.isoformat() == "2026-03-01T12:00:00+00:00"
        assert message.native == hail
        ((_, said),) = both.tower.taken
        assert said["envelope"]["who"] == [f"00{ANN[1:]}"]
        assert said["payload"] == {"words": "You said: Ahoi?", "tongue": "plain"}


async def test_who_wants_no_more_gets_no_more(tmp_path: Path, anyio_backend_name: str) -> None:
    """Told by a word, and by the tower's refusal."""
    async with world(tmp_path, anyio_backend_name) as both:
        await both.tower.calls(both.home, {"what": "hail", "no": 1, "by": ANN, "who": [US], "words": "Stop!"})
        await both.hub.idle()
        both.tower.refuses = {"nr": "E-9", "say": "does not want it"}
        with pytest.raises(RejectedError, match="does not want it") as caught:
            await both.hub.send("Ahoi", to=f"sms:{BOB}", timeout=20)
        await both.hub.idle()

        assert caught.value.code == "E-9"
        taken = len(both.tower.taken)
        for who in (ANN, BOB):
            with pytest.raises(SuppressedError):
                await both.hub.send("Ahoi", to=f"sms:{who}", timeout=20)
        assert len(both.tower.taken) == taken


async def test_it_believes_no_other_seal(tmp_path: Path, anyio_backend_name: str) -> None:
    async with world(tmp_path, anyio_backend_name) as both:
        hail = {"what": "hail", "no": 1, "by": ANN, "who": [US], "words": "Ahoi?"}
        answers = [
            await both.tower.calls(both.home, hail, seal="another-secret-0123456789"),
            await both.tower.calls(both.home, hail, age=3600),
        ]
        await both.hub.idle()

        assert [each.status_code for each in answers] == [401, 401]
        assert both.seen == []
