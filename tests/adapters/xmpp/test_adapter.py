"""What the adapter says of itself, and its life around the parts that do the work."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import anyio
import pytest

from convergekit.abc import (
    Listens,
    SupportsEdit,
    SupportsHistory,
    SupportsPresence,
    SupportsReactions,
    SupportsReadMarkers,
    SupportsRetract,
    SupportsRooms,
    SupportsSubscriptions,
    SupportsTyping,
    SupportsUpload,
)
from convergekit.adapters.xmpp import XmppAdapter, XmppConfig, transport
from convergekit.adapters.xmpp.stanzas.namespaces import NS
from convergekit.errors import ConfigurationError, NotRunningError, NotSentError
from convergekit.model import ConversationRef, IdempotencyKind, Status
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio

VERBS = [
    Listens,
    SupportsEdit,
    SupportsHistory,
    SupportsPresence,
    SupportsReactions,
    SupportsReadMarkers,
    SupportsRetract,
    SupportsRooms,
    SupportsSubscriptions,
    SupportsTyping,
    SupportsUpload,
]


def config(**more: Any) -> XmppConfig:
    return XmppConfig(**{"jid": "bot@example.org", "password": "x", "host": "127.0.0.1", "port": 1, **more})


def adapter(context: FakeContext | None = None, **more: Any) -> XmppAdapter:
    return XmppAdapter(config(**more), context or FakeContext())


@pytest.mark.parametrize("verb", VERBS)
def test_instant_messaging_as_its_users_know_it(verb: type) -> None:
    assert isinstance(adapter(), verb)


def test_limits_are_those_of_the_settings() -> None:
    found = adapter(max_stanza=20_000, max_file=1000).capabilities
    assert found.text is not None
    assert (found.text.max, found.text.unit, found.text.overflow) == (15_904, "byte", "refuse")
    assert found.attachments.size == 1000
    assert found.markup.format == "styling"
    assert found.idempotency.kind is IdempotencyKind.NATURAL
    assert found.client_chosen_ids


def test_reports_are_promised_where_they_can_come() -> None:
    """A room says that it has passed a message on, and nobody in it that it arrived."""
    person = adapter().capabilities_for(ConversationRef(address="xmpp:ann@a.example")).receipts
    room = adapter().capabilities_for(ConversationRef(address="xmpp:den@a.example", kind="group")).receipts
    assert {Status.DELIVERED, Status.READ} <= person
    assert Status.RELAYED not in person
    assert Status.RELAYED in room
    assert not {Status.DELIVERED, Status.READ} & room


async def test_a_room_of_the_settings_is_one_by_its_address_alone() -> None:
    async with adapter(rooms=[{"room": "den@a.example"}]) as entered:
        assert Status.RELAYED in entered.capabilities_for(ConversationRef(address="xmpp:den@a.example")).receipts
        assert Status.READ in entered.capabilities_for(ConversationRef(address="xmpp:den@a.example/Max")).receipts


@pytest.mark.parametrize("kind", ["group", "direct"])
async def test_a_room_that_was_joined_before_a_restart_is_one_before_there_is_a_session(kind: str) -> None:
    """What was left in the outbox for it waits, and goes neither to a person nor to the dead letters."""
    context = FakeContext()
    await context.state.put("rooms", {"den@a.example": {}})
    async with adapter(context) as entered:
        conversation = ConversationRef(address="xmpp:den@a.example", kind=kind)
        assert Status.RELAYED in entered.capabilities_for(conversation).receipts
        with pytest.raises(NotSentError):
            await entered.send(outgoing("xmpp:den@a.example", conversation=conversation))


async def test_entering_connects_to_nobody_and_a_server_that_is_away_keeps_no_channel_from_opening() -> None:
    started: list[bool] = []
    async with adapter() as entered:
        with pytest.raises(NotSentError):
            await entered.send(outgoing("xmpp:ann@a.example", started=lambda: started.append(True)))
        with pytest.raises(NotSentError), anyio.fail_after(10):
            await entered.listen()
    assert not started


async def test_outside_of_its_block_it_says_so() -> None:
    for verb in ("send", "edit", "retract", "react", "mark_read"):
        with pytest.raises(NotRunningError):
            await getattr(adapter(), verb)(outgoing("xmpp:ann@a.example"))
    with pytest.raises(NotRunningError):
        await adapter().listen()


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each stream is made of."""
    made: list[dict[str, Any]] = []

    class Noted(transport.XmppStream):
        def __init__(self, *args: Any, **more: Any) -> None:
            made.append(more)
            super().__init__(*args, **more)

    monkeypatch.setattr(transport, "XmppStream", Noted)
    return made


async def test_who_confirms_nothing_does_not_say_that_they_do(streams: list[dict[str, Any]]) -> None:
    """XEP-0184 §4: whoever asks would wait for it."""
    for receipts in (True, False):
        async with adapter(receipts=receipts):
            pass
    assert [NS.RECEIPTS in each["features"] for each in streams] == [True, False]
    assert all({NS.CORRECTION, NS.RETRACTION, NS.REACTIONS, NS.REPLY} <= {*each["features"]} for each in streams)


async def test_its_resource_is_the_same_for_good(streams: list[dict[str, Any]]) -> None:
    """Else each restart would leave a ghost, which the server goes on delivering to."""
    contexts = FakeContext(), FakeContext()
    for context in (contexts[0], contexts[0], contexts[1]):
        async with adapter(context):
            pass
    async with adapter(resource="desk"):
        pass
    seen = [each["resource"] for each in streams]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert seen[3] == "desk"


async def test_check_says_that_nobody_is_there_and_never_the_password() -> None:
    health = await adapter(password="s3cr3t-s3cr3t").check()
    assert not health.ok
    assert "s3cr3t" not in health.detail


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"convergekit\[xmpp\]"):
        adapter()


def test_importing_it_loads_neither_slixmpp_nor_asyncio() -> None:
    code = "import sys, convergekit.adapters.xmpp\nprint(sorted({'slixmpp', 'httpx', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
