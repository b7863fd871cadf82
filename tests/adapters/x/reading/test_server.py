"""What the server that plays X tells, by poll and by webhook, in both sets of names: each is the same event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x import X
from convergekit.adapters.x.reading import Dialect, activity, direct_fields, directs, fields, posts
from convergekit.model import Event, MessageReceived, TypingChanged
from convergekit.testing import FakeClock
from convergekit.testing.x import XServer
from convergekit.testing.x._model import Subscription
from tests.testing.x.openapi import validated

pytestmark = pytest.mark.anyio

KINDS = (
    "post.mention.create",
    "post.reply.create",
    "post.quote.create",
    "dm.received",
    "dm.read",
    "dm.indicate_typing",
)


@pytest.fixture(params=["tweet", "post"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


class Peer:
    """A server with an account that is told of everything, and asked for it."""

    def __init__(self, dialect: Dialect) -> None:
        self.clock = FakeClock()
        self.server = XServer(now=self.clock.now, dialect=dialect)
        self.account = self.server.account("shop")
        self.dialect: Dialect = dialect
        for number, kind in enumerate(KINDS):
            about = {"user_id": self.account.id}
            subscription = Subscription(str(number + 1), kind, about, self.clock.now())
            self.server.activity.subscriptions[subscription.id] = subscription

    async def polled(self) -> list[Event]:
        own, now = self.account.id, self.clock.now()
        mentions = await self._get(f"/2/users/{own}/mentions", fields(self.dialect))
        messages = await self._get("/2/dm_events", direct_fields(self.dialect))
        return [*posts(mentions, own=own, now=now), *directs(messages, own=own, now=now)]

    def told(self) -> list[Event]:
        own, now = self.account.id, self.clock.now()
        bodies = [body for _, _, body in self.server.activity.told]
        return [event for body in bodies for event in activity(body, own=own, now=now)]

    async def _get(self, path: str, params: Any) -> Any:
        headers = {"authorization": f"Bearer {self.account.access_token}"}
        async with httpx.AsyncClient(transport=self.server.transport, base_url="https://api.x.com") as client:
            answer = await client.get(path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def by_key(events: Sequence[Event]) -> dict[str, Event]:
    """The first of each key, without the original, of which there are several shapes."""
    found: dict[str, Event] = {}
    for event in events:
        found.setdefault(event.key, event.model_copy(update={"native": None}))
    return found


async def test_each_post_is_the_same_event_by_poll_and_by_webhook(dialect: Dialect) -> None:
    peer = Peer(dialect)
    server, ann, bob = peer.server, peer.server.user("ann"), peer.server.user("bob")
    ours = peer.account.post("We are open & here <3")
    with validated(server):
        ann.mention("hello &lt; <b> & https://example.org/?a=1&b=2")
        bob.reply(ours, "until when?")
        ann.quote(ours, "look at this")
        ann.post("@shop this cup", media=[ann.upload(b"\x89PNG")])
        by_poll, by_webhook = by_key(await peer.polled()), by_key(peer.told())

    assert len(by_poll) == 3
    shared = by_poll.keys() & by_webhook.keys()
    assert len(by_webhook) == 4  # of which the quote mentions nobody, and is no mention
    assert {key: by_poll[key] for key in shared} == {key: by_webhook[key] for key in shared}


async def test_each_direct_message_is_the_same_event_by_poll_and_by_webhook(dialect: Dialect) -> None:
    peer = Peer(dialect)
    ann = peer.server.user("ann")
    with validated(peer.server):
        ann.direct("one & <two>", "https://example.org/?a=1&b=2")
        by_poll, by_webhook = by_key(await peer.polled()), by_key(peer.told())

    assert len(by_poll) == 2
    assert by_poll == by_webhook


async def test_a_file_of_a_direct_message_comes_by_poll_and_by_webhook(dialect: Dialect) -> None:
    """Under another URL: where webhooks say it is, one has to prove who one is."""
    peer = Peer(dialect)
    ann = peer.server.user("ann")
    ann.direct("look", media=[ann.upload(b"\x89PNG", category="dm_image")])
    for events in (await peer.polled(), peer.told()):
        (event,) = events
        assert isinstance(event, MessageReceived)
        assert (event.text, len(event.attachments)) == ("look", 1)


async def test_what_people_see_is_what_is_read(dialect: Dialect) -> None:
    peer = Peer(dialect)
    ann = peer.server.user("ann")
    ours = peer.account.post("We are open")
    ann.reply(ours, "1 < 2 & so on: https://example.org/a")
    (event,) = await peer.polled()

    assert isinstance(event, MessageReceived)
    assert event.text == "@shop 1 < 2 & so on: https://example.org/a"
    assert event.visible_text == "1 < 2 & so on: https://example.org/a"
    told = X.of(event)
    assert (told.handle, told.kind_of_mention, told.summoned) == ("ann", "reply", True)
    assert told.answered is not None
    assert told.answered.text == "We are open"


async def test_who_is_marked_as_a_program_is_told_as_one(dialect: Dialect) -> None:
    peer = Peer(dialect)
    robot = peer.server.user("robot")
    robot.is_automated = True
    robot.mention("beep")
    robot.direct("beep")
    assert [event.automated for event in await peer.polled()] == [True, True]
    assert all(event.automated for event in peer.told())


async def test_typing_and_reading_are_told(dialect: Dialect) -> None:
    peer = Peer(dialect)
    peer.server.user("ann").typing()
    (event,) = peer.told()
    assert isinstance(event, TypingChanged)


async def test_an_edit_is_the_same_event_by_poll_and_by_webhook(dialect: Dialect) -> None:
    """By webhook the first version comes as it was; a poll that comes later knows only what it is now."""
    peer = Peer(dialect)
    ann = peer.server.user("ann")
    ann.edit(ann.mention("hwllo"), "@shop hello")
    by_poll, by_webhook = by_key(await peer.polled()), by_key(peer.told())

    assert by_poll.keys() == by_webhook.keys()
    was, edited = by_poll
    assert by_poll[edited] == by_webhook[edited]
    assert by_webhook[was].model_dump()["text"] == "@shop hwllo"


WORDS = st.lists(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
    | st.sampled_from(
        ["&amp;", "<b>", "&lt;", "https://example.org/?a=1&b=2#c", "#tag", "@bob", "\U0001f468\u200d\U0001f469", "\n"]
    ),
    min_size=1,
    max_size=8,
).map(" ".join)


@given(WORDS)
def test_whatever_people_write_is_read_as_they_wrote_it(text: str) -> None:
    """X escapes it, and shortens what is in it; here both are undone."""
    peer = Peer("tweet")
    ann = peer.server.user("ann")
    ann.mention(text)
    ann.direct(text)
    post, direct = peer.told()
    assert isinstance(post, MessageReceived)
    assert isinstance(direct, MessageReceived)
    assert (post.text or "").split() == f"@shop {text}".split()
    assert (direct.text or "").split() == text.split()
