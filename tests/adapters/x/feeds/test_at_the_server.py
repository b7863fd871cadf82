"""Polls against the server that plays X: both dialects, pages that shift, limits, edits."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x import X
from convergekit.errors import ThrottledError
from convergekit.model import ConversationKind, GapDetected, MessageEdited, MessageReceived
from convergekit.testing import FakeClock, FakeContext
from convergekit.testing.x import Throttled, XServer
from tests.adapters.x.activity_kit import desk

pytestmark = pytest.mark.anyio


def server_of(clock: FakeClock, **more: Any) -> XServer:
    server = XServer(now=clock.now, sleep=clock.sleep, **more)
    server.account("support")
    return server


@pytest.mark.parametrize("dialect", ["tweet", "post"])
async def test_mentions_and_messages_come_in_whichever_names_x_uses(dialect: Any) -> None:
    clock = FakeClock()
    server = server_of(clock, dialect=dialect)
    context = FakeContext(transport=server.transport, clock=clock)
    async with desk(context=context, server=server, names=dialect) as it:
        await it.poll("mentions")
        await it.poll("dms")
        post, direct = it.ann.mention("hello"), it.ann.direct("psst")
        group = it.ann.group(server.user("bob"), text="all of you")

        (mention,) = await it.poll("mentions")
        messages = await it.poll("dms")

        assert mention.key == f"post:{post.id}"
        assert X.of(mention).handle == "ann"
        assert [(each.key, each.conversation.kind) for each in messages if isinstance(each, MessageReceived)] == [
            (f"dm:{direct.id}", ConversationKind.DIRECT),
            (messages[-1].key, ConversationKind.GROUP),
        ]
        assert group.id in messages[-1].conversation.address.uri


async def test_pages_that_shift_lose_and_double_nothing() -> None:
    clock = FakeClock()
    server = server_of(clock)
    server.pages_shift = True
    context = FakeContext(transport=server.transport, clock=clock)
    async with desk(context=context, server=server) as it:
        await it.poll("mentions")
        ids = []
        for number in range(250):
            clock.advance(0.01)
            ids.append(it.ann.mention(f"number {number}").id)
        server.observers.append(lambda request, answer: ids.append(it.ann.mention(f"late {len(ids)}").id))
        found = await it.poll("mentions")
        server.observers.clear()
        found += await it.poll("mentions")

        assert [event.message_id for event in found] == ids


async def test_of_more_than_x_shows_a_gap_is_told_once() -> None:
    async with desk() as it:
        it.ann.mention("known")
        await it.poll("mentions")
        for number in range(820):
            it.context.clock.advance(0.01)
            it.ann.mention(f"number {number}")

        found = await it.poll("mentions")

        assert [type(event) for event in found].count(GapDetected) == 1
        assert len(found) == 801
        assert it.server.count("GET", "/2/users/:id/mentions") < 12


async def test_an_edited_post_is_one_message_and_an_edit() -> None:
    async with desk() as it:
        await it.poll("mentions")
        post = it.ann.mention("helo")
        await it.poll("mentions")
        it.context.clock.advance(60)
        edited = it.ann.edit(post, "@support hello")
        await it.poll("mentions")

        assert [type(event) for event in it.context.admitted] == [MessageReceived, MessageEdited]
        assert it.context.admitted[1].key == f"post:{edited.id}"


async def test_a_limit_in_the_middle_of_a_walk_costs_no_page_and_no_message() -> None:
    async with desk() as it:
        await it.poll("dms")
        for number in range(250):
            it.context.clock.advance(0.01)
            it.ann.direct(f"number {number}")
        asked = it.server.count("GET", "/2/dm_events")
        it.server.script("GET", "/2/dm_events", Throttled(reset=True, seconds=300))
        with pytest.raises(ThrottledError):
            await it.poll("dms")
        it.context.clock.advance(310)
        found = await it.poll("dms")

        assert len(found) == 250
        assert it.server.count("GET", "/2/dm_events") == asked + 1 + 3


async def test_what_was_told_by_webhook_and_is_polled_again_is_there_once() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        await it.poll("mentions")
        await it.poll("dms")
        posts = [it.ann.mention(f"number {number}").id for number in range(10)]
        directs = [it.ann.direct(f"number {number}").id for number in range(10)]
        await it.server.activity.deliver(times=2, shuffled=True)
        await it.after(700)
        await it.poll("mentions")
        await it.poll("dms")

        assert sorted(it.admitted) == sorted([f"post:{id}" for id in posts] + [f"dm:{id}" for id in directs])
