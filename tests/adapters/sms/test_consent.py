"""STOP, START and HELP, by themselves and through a hub: who says STOP is left alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import process_time
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest

from convergekit import Hub, MemoryStore
from convergekit.abc import Request
from convergekit.adapters.sms import Sms, SmsConfig
from convergekit.adapters.sms.consent import asked, may_opt_out, told
from convergekit.errors import SuppressedError
from convergekit.model import Address, ConsentChanged, MessageReceived, Status
from convergekit.testing import FakeClock

ANN, BOB = "sms:+4915112345678", "sms:+4915112345679"
PROFILE: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny",
    "settings": {"token": {"description": "the token"}},
    "send": {"url": "https://example.org/send", "fields": {"to": "{to}", "text": "{text}"}},
    "reply": {"ids": "id"},
    "callbacks": {
        "inbound": [{"when": [{"path": "text", "present": True}], "id": "id", "from": "from", "text": "text"}],
        "status": [{"id": "id", "to": "to", "word": "status", "code": "code"}],
    },
    "words": {"failed": "failed"},
    "codes": {"103": "opted_out"},
    "verify": [{"scheme": "header", "secret": "token", "options": {"name": "X-Key"}}],
}
SETTINGS: dict[str, Any] = {"profile": PROFILE, "account": {"token": "k"}, "from": "+15005550006"}
CONFIG = SmsConfig.model_validate(SETTINGS)


def said(text: str | None) -> MessageReceived:
    return MessageReceived(
        key="in:1", channel="alerts", sender=ANN, conversation=ANN, text=text, details={"gateway": "x"}
    )


# --- words -------------------------------------------------------------------


@pytest.mark.parametrize("word", ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"])
@pytest.mark.parametrize(
    "way", ["{}", " {}\r\n", "{}.", "{}!!", '"{}"', "{} \U0001f620", "\u200b{}\ufeff", "\ufeff{}…"]
)
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_one_word_stops(word: str, way: str, case: Callable[[str], str]) -> None:
    message, consent = told(said(way.format(case(word))), CONFIG)
    assert isinstance(consent, ConsentChanged)
    assert (consent.key, consent.address, consent.granted) == ("consent:in:1", Address(ANN), False)
    assert consent.category is None
    assert consent.evidence is not None
    assert word.casefold() in consent.evidence.casefold()
    assert message.details == {"gateway": "x", "keyword": "stop"}
    assert consent.conversation == message.conversation  # one lane, one order


@pytest.mark.parametrize("word", ["START", "YES", "UNSTOP"])
def test_one_word_starts(word: str) -> None:
    consent, message = told(said(word.lower()), CONFIG)
    assert isinstance(consent, ConsentChanged)
    assert consent.granted
    assert Sms.of(message).keyword == "start"


@pytest.mark.parametrize("word", ["HELP", "info?"])
def test_help_is_marked_and_changes_nothing(word: str) -> None:
    (message,) = told(said(word), CONFIG)
    assert Sms.of(message) == Sms(gateway="x", keyword="help")


def test_wide_letters_are_letters() -> None:
    assert asked("ＳＴＯＰ", CONFIG) == "stop"


@pytest.mark.parametrize("text", ["", None, "STOP it", "S T O P", "NONSTOP", "stops", "yes please", "!", "STOP" * 100])
def test_anything_else_is_no_word(text: str | None) -> None:
    assert asked(text or "", CONFIG) is None
    assert all(not isinstance(event, ConsentChanged) for event in told(said(text), CONFIG))


def test_the_words_are_the_channels() -> None:
    config = SmsConfig.model_validate(
        {**SETTINGS, "stop_words": ["halt", "STRASSE"], "start_words": [], "help_words": []}
    )
    assert asked("Halt", config) == "stop"
    assert asked("Straße", config) == "stop"
    assert [asked(word, config) for word in ("STOP", "START", "HELP")] == [None, None, None]


def test_the_gateways_own_word_counts_before_ours() -> None:
    consent, _ = told(said("STOP"), CONFIG, keyword="start")
    assert isinstance(consent, ConsentChanged)
    assert (consent.granted, consent.evidence) == (True, "tiny: START")


def test_nobody_changes_the_consent_of_nobody() -> None:
    message = MessageReceived(key="in:1", text="STOP")
    (event,) = told(message, CONFIG)
    assert Sms.of(event).keyword == "stop"


# --- phrases -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "please stop texting me",
        "Stop sending me messages!",
        "STOP please",
        "stop stop stop",
        "Opt out",
        "I want to opt-out of this",
        "Remove me from this list",
        "take my number off your list",
        "take me  off",
        "don\u2019t text me again",
        "Do not contact me any more.",
        "no more messages",
        "how do I unsubscribe",
        "leave me alone",
        "I revoke my consent",
        "Bitte keine SMS mehr, keine weiteren Nachrichten",
        "Ich möchte mich abmelden",
        "Arrêtez s'il vous plaît",
        "je veux me désabonner",
        "darme de baja",
        "cancellami dalla lista",
        "quero me descadastrar",
        "ik wil me afmelden",
    ],
)
def test_a_phrase_is_marked_and_does_not_act(text: str) -> None:
    (message,) = told(said(text), CONFIG)
    assert Sms.of(message) == Sms(gateway="x", maybe_opt_out=True)


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "When does the meeting end today, and where do I get off?",
        "I will be there at the bus stop in ten minutes",
        "yes please, send it",
        "Please write me back",
        "Danke, kommt um 15 Uhr",
        "",
    ],
)
def test_what_people_write_else_is_not_marked(text: str) -> None:
    assert not may_opt_out(text, CONFIG)


def test_a_long_text_takes_a_moment() -> None:
    for piece in ("stop a b c d ", "remove my number x ", "no more a b c ", " ", "é"):
        started = process_time()
        told(said(piece * (1_000_000 // len(piece))), CONFIG)
        assert process_time() - started < 5


# --- through a hub -----------------------------------------------------------


class Line:
    """A hub with one SMS channel; what it sends, and a way to call it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.texts: list[str] = []
        self.heard: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.texts.append(parse_qs(request.content.decode())["text"][0])
        return httpx.Response(200, json={"id": f"x{len(self.texts)}"})

    async def call(self, **fields: str) -> None:
        adapter: Any = self.hub.channel("alerts").adapter
        events = await adapter.parse(Request("POST", body=urlencode(fields).encode()))
        await adapter.context.admit(*events)
        await self.hub.idle()

    async def say(self, id: str, text: str) -> None:
        await self.call(id=id, text=text, **{"from": "+4915112345678"})


@pytest.fixture
def line() -> Any:
    @asynccontextmanager
    async def opened(
        answer: Callable[[MessageReceived], str | None] = lambda message: None, **more: Any
    ) -> AsyncGenerator[Line]:
        hub = Hub(store=MemoryStore(), clock=FakeClock())
        here = Line(hub)

        @hub.on_message
        async def hear(message: MessageReceived) -> str | None:
            here.heard.append(Sms.of(message).keyword)
            return answer(message)

        async with hub:
            transport = httpx.MockTransport(here.answer)
            settings = {"adapter": "sms", **SETTINGS, "profile": {**PROFILE, **more}}
            await hub.add_channel("alerts", settings, transport=transport)
            yield here

    return opened


@pytest.mark.anyio
async def test_who_says_stop_is_left_alone_until_they_say_start(line: Any) -> None:
    """The next send is suppressed, and the plan says so; others are written to as before."""
    async with line() as here:
        await here.say("1", "Stop.")
        with pytest.raises(SuppressedError, match="opted out"):
            await here.hub.send("news", to=ANN)
        assert "opted out" in str(await here.hub.plan("news", to=ANN))
        assert (await here.hub.send("news", to=BOB)).status is Status.ACCEPTED
        await here.say("2", "START")
        await here.hub.send("welcome back", to=ANN)

        assert here.texts == ["news", "welcome back"]
        assert here.heard == ["stop", "start"]


@pytest.mark.anyio
async def test_a_stop_is_confirmed_once_and_a_start_is_answered(line: Any) -> None:
    """47 CFR 64.1200(a)(12): one confirmation. A STOP is handled before it counts, and nothing else is."""
    async with line(lambda message: f"You said {message.text}.") as here:
        await here.say("1", "STOP")
        await here.say("2", "why?")
        await here.say("3", "START")

        assert here.heard == ["stop", None, "start"]
        assert here.texts == ["You said STOP.", "You said START."]


@pytest.mark.anyio
async def test_what_the_gateway_confirms_by_itself_is_not_confirmed_twice(line: Any) -> None:
    async with line(lambda message: f"You said {message.text}.", stops=True) as here:
        await here.say("1", "STOP")
        await here.say("2", "START")

        assert here.heard == ["stop", "start"]
        assert here.texts == ["You said START."]


@pytest.mark.anyio
async def test_an_opt_out_that_a_report_tells_is_kept_too(line: Any) -> None:
    async with line() as here:
        sent = await here.hub.send("news", to=ANN)
        await here.call(id="x1", to="+4915112345678", status="failed", code="103")
        assert sent.status is Status.FAILED
        with pytest.raises(SuppressedError):
            await here.hub.send("more news", to=ANN)


@pytest.mark.anyio
async def test_a_repeat_of_an_old_stop_takes_back_no_newer_start(line: Any) -> None:
    async with line() as here:
        await here.say("1", "STOP")
        await here.say("2", "START")
        await here.say("1", "STOP")
        assert (await here.hub.send("news", to=ANN)).status is Status.ACCEPTED
        assert here.heard == ["stop", "start"]


@pytest.mark.anyio
async def test_a_stop_counts_also_where_its_handler_fails(line: Any) -> None:
    """It is passed after a minute, as any head of a lane that has to be tried again."""

    def fails(message: MessageReceived) -> str:
        raise RuntimeError("a bug of the host")

    async with line(fails) as here:
        await here.say("1", "STOP")
        for _ in range(70):
            here.hub.clock.advance(1)
            await here.hub.idle()
        with pytest.raises(SuppressedError):
            await here.hub.send("news", to=ANN)
