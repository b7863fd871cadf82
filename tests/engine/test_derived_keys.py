"""What a handler sends is found again by its second run: sent once, whatever the second run does."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Conversation, Hub, MessageReceived
from tests.engine.kit import ANN, BOB

pytestmark = pytest.mark.anyio


class Orders:
    """A handler that does, in each run, what is written for it: (recipient, text); and fails in all but the last."""

    def __init__(self, *runs: list[tuple[str, str]]) -> None:
        self.runs = list(runs)
        self.done = False

    async def __call__(self, hub: Hub) -> None:
        for to, text in self.runs[0]:
            await hub.submit(text, to=to)
        if len(self.runs) > 1:
            self.runs.pop(0)
            raise RuntimeError("cut off")
        self.done = True


async def _handled(bench: Any, *runs: list[tuple[str, str]], seconds: float = 60) -> tuple[Any, Orders, Any]:
    orders = Orders(*runs)
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived, hub: Hub) -> None:
            await orders(hub)

        medium = await b.add()
        medium.say(key="k", text="hello", sender="loopback:carol")
        await b.pass_time(seconds, step=5)
        dead = await b.store.dead_entries()
    return medium, orders, dead


async def test_several_recipients_in_another_order_have_one_each(bench: Any) -> None:
    """A set has no order, and a second process gives it another one."""
    medium, orders, _ = await _handled(
        bench, [(ANN, "for ann"), (BOB, "for bob")], [(BOB, "for bob"), (ANN, "for ann")]
    )

    assert orders.done
    assert sorted(medium.texts()) == ["for ann", "for bob"]


async def test_a_recipient_who_is_new_in_the_second_run_takes_nobodys_place(bench: Any) -> None:
    """Nor does one who is left out leave a gap."""
    medium, orders, _ = await _handled(bench, [(ANN, "for ann")], [(BOB, "for bob"), (ANN, "for ann")])
    assert orders.done
    assert sorted(medium.texts()) == ["for ann", "for bob"]

    medium, orders, _ = await _handled(bench, [(ANN, "for ann"), (BOB, "for bob")], [(BOB, "for bob")])
    assert orders.done
    assert sorted(medium.texts()) == ["for ann", "for bob"]


async def test_several_to_one_in_their_order_are_found_and_go_on(bench: Any) -> None:
    """Where the first run was cut off, the second goes on."""
    said = [(ANN, "one"), (ANN, "two"), (ANN, "two")]
    medium, orders, _ = await _handled(bench, said[:1], said[:2], said)

    assert orders.done
    assert medium.texts() == ["one", "two", "two"]


async def test_the_same_things_to_one_in_another_order_are_stopped(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One would be lost and one sent twice; so nothing more is sent, and the event is kept for a person."""
    medium, orders, dead = await _handled(bench, [(ANN, "one")], [(ANN, "two"), (ANN, "one")], seconds=4000)

    assert medium.texts() == ["one"]
    assert not orders.done
    assert [entry.event.key for entry in dead] == ["k"]
    assert "KeyConflictError" in (dead[0].reason or "")


async def test_what_is_returned_is_not_taken_for_what_was_sent_on_the_way(bench: Any) -> None:
    """A first run said that it takes a moment; the second one did not have to, and its answer is not that."""
    runs = 0
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived, conversation: Conversation) -> str:
            nonlocal runs
            runs += 1
            if runs == 1:
                await conversation.reply("one moment, please")
                raise RuntimeError("cut off")
            return "here it is"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.pass_time(10)

    assert medium.texts() == ["one moment, please", "here it is"]


async def test_one_recipient_twice_in_one_call_is_two_messages(bench: Any) -> None:
    """As it is outside a handler."""
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived, hub: Hub) -> None:
            await hub.submit("hello", to=[ANN, BOB, ANN])

        medium = await b.add()
        medium.say(text="hello", sender="loopback:carol")
        await b.settle()

    assert medium.texts(ANN) == ["hello", "hello"]
    assert medium.texts(BOB) == ["hello"]
