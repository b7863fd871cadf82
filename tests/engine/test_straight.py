"""The short way to a dispatch comes to what the long way comes to, letter for letter; and where it does not lead."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit import ChannelOptions, Hub, MemoryStore, Message
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.engine.facts import Granted
from convergekit.engine.planner import Planner
from convergekit.errors import ConvergeError
from convergekit.model import (
    Address,
    Attachment,
    AttachmentLimit,
    Capabilities,
    Contact,
    ConversationRef,
    Dispatch,
    Importance,
    Markup,
    TextLimit,
)
from convergekit.router import consent, ttl, via
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = Address("loopback:ann")
LATER = datetime(2026, 6, 1, tzinfo=UTC)

messages = st.builds(
    Message,
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    markdown=st.none() | st.sampled_from(["*so*", "# Title\n\n- one\n- two", "[link](https://example.org)"]),
    html=st.none() | st.sampled_from(["<p>so <b>it</b> is</p>"]),
    subject=st.none() | st.just("Subject"),
    cc=st.sampled_from([(), ("loopback:bob",)]),
    attachments=st.sampled_from(
        [(), (Attachment(data=b"x", name="a.txt"),), (Attachment(url="https://example.org/a"),)]
    ),
    reply_to=st.none() | st.just("m1"),
    thread=st.none() | st.just("t1"),
    importance=st.sampled_from(Importance),
    category=st.none() | st.just("marketing"),
    not_before=st.none() | st.just(LATER),
    expires_at=st.none() | st.just(LATER + timedelta(days=1)),
    native=st.sampled_from([{}, {"loopback": {"a": 1}}]),
)
limits = st.builds(
    Capabilities,
    text=st.none()
    | st.builds(TextLimit, max=st.sampled_from([5, 1000]), overflow=st.sampled_from(["split", "refuse"])),
    markup=st.sampled_from([Markup(), Markup(format="markdown"), Markup(format="html")]),
    attachments=st.sampled_from([AttachmentLimit(), AttachmentLimit(count=3)]),
    subject=st.booleans(),
    cc=st.booleans(),
)


@asynccontextmanager
async def planner(limit: Capabilities, count: int = 1, **settings: Any) -> AsyncGenerator[Planner]:
    """That of a hub with so many channels, all of them for the same addresses."""
    hub = Hub(store=MemoryStore(), role="submit", clock=FakeClock(), random=Random(1), **settings)
    adapter = type("Limited", (LoopbackAdapter,), {"capabilities": limit})
    async with hub:
        for number in range(count):
            options = ChannelOptions(default=number == 0, degrade="warn")
            await hub.add_channel(f"c{number}", {}, adapter=adapter, options=options)
        yield hub._planner


async def come_to(made: Planner, message: Message, keys: Sequence[str] | None, *, straight: bool) -> Any:
    """The dispatch and what was taken for granted, or why there is none."""
    granted = Granted()
    made._is_plain, was = made._is_plain and straight, made._is_plain
    made._ids._count, made._ids._random = 0, Random(7)
    try:
        (dispatch,) = await made.dispatches(message, [ANN], None, keys, None, granted=granted)
    except ConvergeError as error:
        return type(error), str(error)
    finally:
        made._is_plain = was
    return dispatch, granted


@given(messages, limits, st.sampled_from([None, ["key"]]))
async def test_the_short_way_comes_to_the_same(message: Message, limit: Capabilities, keys: list[str] | None) -> None:
    async with planner(limit) as made:
        short = await come_to(made, message, keys, straight=True)
        assert short == await come_to(made, message, keys, straight=False)


def of(dispatch: Dispatch) -> tuple[str, ...]:
    return tuple(each.channel for each in dispatch.deliveries)


@pytest.mark.parametrize("count", [1, 2])
async def test_the_default_channel_is_taken(count: int) -> None:
    async with planner(Capabilities(), count) as made:
        (dispatch,) = await made.dispatches(Message("x"), [ANN], None, None, None, granted=Granted())
    assert of(dispatch) == ("c0",)


@pytest.fixture
def straight(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was made a dispatch for in the short way."""
    went: list[str] = []
    real = Planner._straight

    def told(self: Planner, message: Message, address: Address, *rest: Any) -> Dispatch | None:
        made = real(self, message, address, *rest)
        went.extend([] if made is None else [address.uri])
        return made

    monkeypatch.setattr(Planner, "_straight", told)
    return went


async def test_it_is_the_way_of_the_obvious_call(straight: list[str]) -> None:
    async with planner(Capabilities()) as made:
        await made.dispatches(Message("x"), [ANN], None, None, None, granted=Granted())
    assert straight == [ANN.uri]


@pytest.mark.parametrize(
    "recipient", [Contact(id="ann", addresses=(ANN,)), ConversationRef(channel="c0", address=ANN)], ids=type
)
async def test_it_leads_to_addresses_only(straight: list[str], recipient: Any) -> None:
    async with planner(Capabilities()) as made:
        await made.dispatches(Message("x"), [recipient], None, None, None, granted=Granted())
    assert straight == []


async def test_a_route_is_followed(straight: list[str]) -> None:
    async with planner(Capabilities(), 2) as made:
        (dispatch,) = await made.dispatches(Message("x"), [ANN], via("c1"), None, None, granted=Granted())
    assert (of(dispatch), straight) == (("c1",), [])


@pytest.mark.parametrize("gate", [consent("marketing"), ttl(60)])
async def test_gates_that_decide_are_asked(straight: list[str], gate: Any) -> None:
    async with planner(Capabilities(), gates=[gate]) as made:
        await made.dispatches(Message("x"), [ANN], None, None, None, granted=Granted())
    assert straight == []
