"""What is too large for a row is kept apart, and comes back when it is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit import MemoryStore, Message, MessageReceived
from convergekit.abc import Outgoing
from convergekit.engine.blobs import INLINE, checked_in, is_large
from convergekit.errors import StoreError
from convergekit.model import ClaimCheck, CustomReceived, event_to_json, native_to_json
from tests.engine.kit import ProbeConfig

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
LARGE = {"raw": b"x" * INLINE, "$bytes": [1, None, "é"]}


@pytest.mark.parametrize("native", [None, {}, "x" * 1000, {"a": b"x" * 1000}, ClaimCheck(ref="sha256:0", size=10**9)])
def test_what_is_small_stays_in_its_row(native: Any) -> None:
    assert not is_large(native)


@pytest.mark.parametrize("native", ["x" * INLINE, b"x" * INLINE, [0] * INLINE, {"a": {"b": "é" * INLINE}}])
def test_what_is_large_does_not(native: Any) -> None:
    assert is_large(native)


def test_what_has_no_json_form_is_left_to_the_store() -> None:
    """Which says in its own words what is wrong."""
    endless: list[Any] = []
    endless.append(endless)
    for native in (object(), {"a": {1, 2}}, endless):
        assert not is_large(native)


@given(st.integers(INLINE - 40, INLINE + 40), st.sampled_from(["x", "é", "\n", '"']))
def test_the_measure_is_the_json_form(size: int, letter: str) -> None:
    native = [letter * (size // len(native_to_json(letter)[1:-1]))]
    assert is_large(native) == (len(native_to_json(native)) > INLINE)


async def test_a_handler_gets_the_original(bench: Any) -> None:
    """A small one at once, a large one from the hub; the row stays small."""
    seen: list[tuple[Any, Any]] = []
    async with bench() as b:

        @b.hub.on_event(CustomReceived)
        async def handle(event: CustomReceived) -> None:
            assert len(event_to_json(event)) < 1000
            seen.append((event.native, await b.hub.native(event)))

        await b.add()
        context = b.hub.channel("loop").adapter.context
        await context.admit(
            CustomReceived(key="1", name="n", sender=ANN, native={"a": 1}),
            CustomReceived(key="2", name="n", sender=ANN, native=LARGE),
        )
        await b.settle()

    assert seen[0] == ({"a": 1}, {"a": 1})
    assert isinstance(seen[1][0], ClaimCheck)
    assert seen[1][1] == LARGE


async def test_an_original_that_is_gone_is_named(bench: Any) -> None:
    async with bench() as b:
        with pytest.raises(StoreError, match="sha256:00"):
            await b.hub.native(CustomReceived(key="1", name="n", native=ClaimCheck(ref="sha256:00", size=1)))


async def test_the_adapter_gets_the_thing_itself(bench: Any) -> None:
    """And of several adapters each its own."""
    got: list[Outgoing] = []

    async def sending(out: Outgoing) -> None:
        got.append(out)

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        message = Message("hello", native={"probe": LARGE, "sms": {"a": 1}, "x": LARGE})
        handle = await b.hub.send(message, to="probe:ann", key="k")
        again = await b.hub.submit(message, to="probe:ann", key="k")

    assert got[0].native == LARGE
    stored = handle.dispatch.message.native
    assert isinstance(stored["probe"], ClaimCheck)
    assert stored == {"probe": stored["probe"], "sms": {"a": 1}, "x": stored["probe"]}
    assert again.id == handle.id


async def test_nothing_is_sent_while_the_original_cannot_be_read(bench: Any) -> None:
    """Nothing left us, so it is tried again, and nothing is unknown."""
    got: list[Outgoing] = []

    async def sending(out: Outgoing) -> None:
        got.append(out)

    class Forgetful(MemoryStore):
        forgets = True

        def open(self, claim: ClaimCheck) -> Any:
            if self.forgets:
                raise StoreError("the disk is not there")
            return super().open(claim)

    store = Forgetful()
    async with bench(store=store) as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await b.hub.send(Message("hello", native={"probe": LARGE}), to="probe:ann")
        assert "the disk is not there" in str(handle.reason)
        assert got == []
        store.forgets = False
        await b.pass_time(2)
        assert [out.native for out in got] == [LARGE]


async def test_a_message_with_nothing_large_is_left_alone() -> None:
    message = Message("hello", native={"sms": {"a": 1}})
    assert await checked_in(message, MemoryStore()) is message


async def test_what_somebody_wrote_can_be_sent_on() -> None:
    """`to_message` leaves the original behind, as before."""
    event = MessageReceived(key="1", sender=ANN, text="hi", native=ClaimCheck(ref="sha256:0", size=1))
    assert event.to_message() == Message("hi")
