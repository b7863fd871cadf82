"""The SMS channel as the engine sees it: what it makes of answers and calls, whatever the profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from convergekit import Hub, Status
from convergekit.abc import Headers, Request
from convergekit.adapters.sms import Sms, SmsAdapter, SmsConfig
from convergekit.errors import RejectedError, SignatureError
from convergekit.model import (
    Address,
    Attachment,
    ConsentChanged,
    ConversationRef,
    FailureKind,
    Message,
    MessageReceived,
)
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio

TOKEN = "a-path-that-nobody-guesses"
ACME: dict[str, Any] = {
    "name": "acme",
    "title": "Acme",
    "media": ["sms", "mms", "whatsapp"],
    "settings": {"api_key": {"description": "the key"}},
    "send": {
        "url": "https://api.acme.example/send",
        "encoding": "json",
        "headers": {"X-Key": "{api_key}"},
        "fields": {"to": "{to}", "text": "{text}", "files": "{media}", "report": "{callback}"},
    },
    "reply": {"ids": "id", "code": "code", "codes": {"91": "opted_out"}},
    "callbacks": {
        "methods": ["GET", "POST"],
        "ack": {"status": 200, "body": "THANKS"},
        "inbound": [
            {
                "when": [{"path": "text", "present": True}],
                "id": "id",
                "from": "from",
                "text": "text",
                "parts": {"reference": "ref", "number": "no", "total": "of"},
            }
        ],
        "status": [{"when": [{"path": "state", "present": True}], "id": "id", "word": "state"}],
    },
    "words": {"done": "delivered"},
    "limits": {"mms": {"attachments": {"count": 3}}, "whatsapp": {"text": 4096, "unit": "codepoint"}},
    "fetch": {"hosts": "files.acme.example", "headers": {"X-Key": "{api_key}"}},
    "check": {"url": "https://api.acme.example/balance"},
}


def settings(**more: Any) -> SmsConfig:
    given = {"profile": ACME, "account": {"api_key": "sesame-sesame"}, "callback_token": TOKEN}
    return SmsConfig.model_validate({**given, **more})


def channel(answer: Callable[[httpx.Request], httpx.Response] | None = None, **more: Any) -> tuple[Any, FakeContext]:
    context = FakeContext(
        channel="acme", transport=httpx.MockTransport(answer or (lambda request: httpx.Response(500)))
    )
    return SmsAdapter(settings(**more), context), context


def called(query: str = "", body: bytes = b"", method: str = "GET", path: str = f"/{TOKEN}") -> Request:
    return Request(method, path, query, Headers({}), body)


async def hear(adapter: Any, context: FakeContext, request: Request) -> Any:
    await adapter.verify(request)
    return adapter.reply(request, await context.admit(*await adapter.parse(request)))


class TestSending:
    async def test_what_the_profile_says_is_asked_and_its_id_kept(self) -> None:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200, json={"id": "m1"})

        adapter, _ = channel(answer)
        async with adapter:
            receipt = await adapter.send(outgoing("sms:+4915112345678", "Hello"))
        assert (receipt.status, receipt.ids) == (Status.ACCEPTED, ("m1",))
        assert seen[0].headers["x-key"] == "sesame-sesame"

    async def test_a_number_that_opted_out_is_refused_as_such(self) -> None:
        adapter, _ = channel(lambda request: httpx.Response(400, json={"code": 91}))
        async with adapter:
            with pytest.raises(RejectedError) as caught:
                await adapter.send(outgoing("sms:+4915112345678", "Hello"))
        assert (caught.value.kind, caught.value.code) == (FailureKind.OPTED_OUT, "91")

    async def test_limits_are_those_of_the_medium(self) -> None:
        adapter, _ = channel(whatsapp="+4915199999999")
        sms, whatsapp = (
            adapter.capabilities_for(ConversationRef(address=Address(f"{scheme}:+4915112345678")))
            for scheme in ("sms", "whatsapp")
        )
        assert (sms.text.max, sms.text.unit, sms.attachments.count, sms.attachments.by_url) == (1530, "gsm7", 3, True)
        assert (whatsapp.text.max, whatsapp.text.unit, whatsapp.attachments.count) == (4096, "codepoint", 0)
        assert whatsapp.text.transliterate == "never"

    async def test_a_file_without_a_url_is_refused_when_it_is_planned(self) -> None:
        async with Hub(store="memory:") as hub:
            await hub.add_channel(
                "acme", settings(), transport=httpx.MockTransport(lambda request: httpx.Response(500))
            )
            message = Message("Look", attachments=(Attachment(data=b"x", name="a.png"),))
            plan = await hub.plan(message, to="sms:+4915112345678")
            assert "by URL only" in str(plan)


class TestChecking:
    @pytest.mark.parametrize(("status", "ok"), [(200, True), (401, False), (500, False)])
    async def test_it_asks_what_sends_nothing(self, status: int, ok: bool) -> None:
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(f"{request.method} {request.url} {request.headers['x-key']}")
            return httpx.Response(status)

        adapter, _ = channel(answer)
        async with adapter:
            health = await adapter.check()
        assert (health.ok, asked) == (ok, ["GET https://api.acme.example/balance sesame-sesame"])
        assert str(status) in health.detail

    async def test_a_gateway_that_is_not_there_is_said_in_words(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        adapter, _ = channel(answer)
        async with adapter:
            health = await adapter.check()
        assert not health.ok
        assert health.detail.startswith("https://api.acme.example: ")
        assert "sesame" not in health.detail

    @pytest.mark.parametrize(("status", "ok"), [(400, True), (403, False), (404, False), (500, False), (200, True)])
    async def test_a_refusal_may_say_that_the_account_is_good(self, status: int, ok: bool) -> None:
        """Where a gateway can only be asked by a send to nobody, which it refuses for that."""
        profile = {**ACME, "check": {**ACME["check"], "good": [400]}}
        adapter, _ = channel(lambda request: httpx.Response(status), profile=profile)
        async with adapter:
            assert (await adapter.check()).ok is ok

    async def test_without_such_a_question_it_says_so(self) -> None:
        profile = {name: each for name, each in ACME.items() if name != "check"}
        adapter, _ = channel(profile=profile)
        async with adapter:
            assert "Acme" in (await adapter.check()).detail

    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ({"callback_url": None}, "200; no reports are asked for before callback_url is set"),
            ({"callback_token": ()}, "200; calls are not taken before callback_token is set"),
            ({}, "200"),
        ],
    )
    async def test_what_keeps_it_from_calling_is_told_too(self, more: dict[str, Any], told: str) -> None:
        """It is well all the same: many only send."""
        given = {"callback_url": "https://example.org/hooks/acme", **more}
        adapter, _ = channel(lambda request: httpx.Response(200), **given)
        async with adapter:
            health = await adapter.check()
        assert health.ok
        assert health.detail.endswith(told)


class TestFiles:
    async def test_a_file_that_came_is_fetched_with_the_account_from_the_gateway_alone(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == "cdn.example":
                assert "x-key" not in request.headers
                return httpx.Response(200, content=b"picture")
            assert request.headers["x-key"] == "sesame-sesame"
            return httpx.Response(302, headers={"location": "https://cdn.example/1"})

        adapter, _ = channel(answer)
        async with adapter, adapter.fetch(Attachment(url="https://files.acme.example/1")) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == b"picture"
        with pytest.raises(RejectedError, match=r"fetch\.hosts"):
            adapter.fetch(Attachment(url="https://files.evil.example/1"))


class TestReceiving:
    async def test_a_call_by_get_is_verified_heard_and_acknowledged(self) -> None:
        adapter, context = channel()
        async with adapter:
            reply = await hear(adapter, context, called("id=1&from=%2B4915112345678&text=Hello"))
        assert (reply.status, reply.body) == (200, b"THANKS")
        (event,) = context.admitted
        assert isinstance(event, MessageReceived)
        assert (event.text, event.sender, Sms.of(event).gateway) == ("Hello", Address("sms:+4915112345678"), "acme")

    async def test_without_the_token_it_is_not_believed(self) -> None:
        adapter, _ = channel()
        for path in ("", "/", "/another-path-that-nobody-knows", f"/{TOKEN}/more"):
            with pytest.raises(SignatureError):
                await adapter.verify(called("id=1", path=path))

    async def test_a_look_at_the_url_is_answered(self) -> None:
        adapter, _ = channel()
        for method in ("GET", "HEAD"):
            answer = adapter.challenge(called(method=method, path=""))
            assert answer is not None
            assert answer.status == 200
        assert adapter.challenge(called("id=1")) is None
        assert adapter.challenge(called(method="POST")) is None

    async def test_parts_become_one_message_whose_words_count(self) -> None:
        adapter, context = channel()
        async with adapter:
            for number, text in ((2, "OP"), (1, "ST")):
                query = f"id={number}&from=%2B4915112345678&text={text}&ref=7&no={number}&of=2"
                await hear(adapter, context, called(query))
        message, consent = context.admitted
        assert isinstance(message, MessageReceived)
        assert isinstance(consent, ConsentChanged)
        assert (message.text, Sms.of(message).ids, Sms.of(message).keyword) == ("STOP", ("1", "2"), "stop")

    async def test_a_part_that_stays_alone_is_given_when_its_time_is_over(self) -> None:
        adapter, context = channel(assembly_deadline=600)
        async with adapter:
            await hear(adapter, context, called("id=1&from=%2B4915112345678&text=first&ref=7&no=1&of=2"))
            assert context.admitted == []
            context.clock.advance(601)
            await adapter.poll("parts", None)
        (message,) = context.admitted
        assert isinstance(message, MessageReceived)
        assert (message.text, Sms.of(message).missing) == ("first", (2,))

    async def test_only_a_gateway_whose_messages_come_in_parts_is_polled(self) -> None:
        inbound = {name: each for name, each in ACME["callbacks"]["inbound"][0].items() if name != "parts"}
        adapter, _ = channel(profile={**ACME, "callbacks": {**ACME["callbacks"], "inbound": [inbound]}})
        assert list(adapter.feeds) == []
        assert list(channel()[0].feeds) == ["parts"]
