"""Copies of one message to several who are shown to each other, and answers that stand in a thread."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Message, MessageReceived, Status
from convergekit.model import Receipt, shared_id
from tests.engine.kit import ANN, BOB

pytestmark = pytest.mark.anyio

EVE = "loopback:eve"


async def test_copies_whose_recipients_are_shown_share_a_group(bench: Any) -> None:
    """A medium gives all of them one id by it."""
    async with bench() as b:
        medium = await b.add()
        await b.hub.send(Message("hi", to=[ANN], cc=[BOB]), to=[ANN, BOB])

        first, second = (each.out for each in medium.sent)
        assert first.group is not None
        assert first.group == second.group
        assert first.delivery != second.delivery


async def test_two_submits_are_two_groups(bench: Any) -> None:
    async with bench() as b:
        medium = await b.add()
        for _ in range(2):
            await b.hub.send(Message("hi", cc=[BOB]), to=[ANN, BOB])

        assert len({each.out.group for each in medium.sent}) == 2


async def test_who_is_not_shown_has_no_group(bench: Any) -> None:
    """Several recipients do not see each other unless the message says so."""
    async with bench() as b:
        medium = await b.add()
        await b.hub.send("hi", to=[ANN, BOB])
        await b.hub.send(Message("hi", cc=[BOB]), to=ANN)

        assert [each.out.group for each in medium.sent] == [None, None, None]


async def test_an_answer_moves_the_copy_of_whoever_wrote_it(bench: Any) -> None:
    """All copies have one id, and each its own beside it."""
    async with bench() as b:
        medium = await b.add()

        async def takes(out: Any) -> Receipt:
            return Receipt(Status.ACCEPTED, ids=("m-1", shared_id("m-1", out.to)))

        medium.script(takes, takes)
        ann, bob = await b.hub.send(Message("who comes?", cc=[BOB]), to=[ANN, BOB])
        medium.say(text="I do", sender=ANN, reply_to="m-1")
        await b.settle()
        assert (ann.status, bob.status) == (Status.ANSWERED, Status.ACCEPTED)

        medium.say(text="so do I", sender=BOB, reply_to="m-1")
        await b.settle()
        assert (ann.status, bob.status) == (Status.ANSWERED, Status.ANSWERED)


async def test_a_reply_has_the_references_of_what_it_answers(bench: Any) -> None:
    """Where a medium names all that came before; what the message says itself comes first."""
    async with bench() as b:
        medium = await b.add()

        @b.hub.on_message()
        async def answer(message: MessageReceived) -> Message:
            return Message("no", references=["own"]) if message.text == "second" else Message("yes")

        medium.say(text="first", sender=ANN, message_id="c", references=["a", "b"])
        medium.say(text="second", sender=EVE, message_id="c", references=["a", "b"])
        await b.settle()

        found = {str(each.to): each.out.message.references for each in medium.sent}
        assert found == {ANN: ("a", "b"), EVE: ("own",)}


async def test_those_who_are_shown_are_found_in_the_archive(bench: Any) -> None:
    """Whose data it is: erasing a person finds what named them."""
    async with bench() as b:
        medium = await b.add()
        await b.hub.send(Message("parcel", to=[ANN, EVE]), to=ANN)
        medium.say(text="parcel, too", sender=ANN, to=[EVE])
        await b.settle()

        page = await b.hub.archive.search("parcel", contact=EVE)
        assert len(page.found) == 2
