"""What goes out, from the hub to X and back: through the ledger, over HTTP, to a server that counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import anyio
import pytest

from convergekit import Attachment, Hub, MemoryStore, Message, Status
from convergekit.content.twitter_text import weighted_length
from convergekit.errors import NotPermittedError, UnsupportedContentError
from convergekit.model import ConversationKind, ConversationRef, DeliveryState
from convergekit.testing import FakeClock
from convergekit.testing.x import (
    CreditsDepleted,
    Duplicate,
    EmptyError,
    HtmlError,
    LostAnswer,
    Nonsense,
    Partial,
    Post,
    Refused,
    Reset,
    Slow,
    Step,
    Throttled,
    XServer,
)
from tests.testing.x.openapi import validated

pytestmark = pytest.mark.anyio

POST_ONE = "/2/tweets"


async def until(clock: FakeClock, done: Callable[[], bool], *, step: float = 1.0) -> None:
    for _ in range(400):
        with anyio.move_on_after(0.02):  # what waits for a socket is not blocked for long
            await anyio.wait_all_tasks_blocked()
        if done():
            return
        clock.advance(step)
    raise AssertionError("it does not come to an end")


async def settled(clock: FakeClock, handle: Any, *, step: float = 1.0) -> Any:
    ended = (DeliveryState.CLOSED, DeliveryState.UNKNOWN, DeliveryState.DEAD)
    await until(clock, lambda: handle.deliveries[0].state in ended, step=step)
    return handle


class World:
    """A hub with an account at X that answers mentions, and Ann, who has mentioned it."""

    def __init__(self, hub: Hub, clock: FakeClock, server: XServer) -> None:
        self.hub, self.clock, self.server = hub, clock, server
        self.support = server.account("support", id="7")
        self.ann = server.user("ann", id="12")
        self.asked = self.ann.mention("my parcel is late")

    def thread(self, post: Post | None = None) -> ConversationRef:
        post = post or self.asked
        address = f"x:{post.author.id}"
        return ConversationRef(channel="x", address=address, kind=ConversationKind.PUBLIC, thread=post.conversation_id)

    def answer(self, content: Any = "Sorry!", *, to: Post | None = None, **more: Any) -> Any:
        said = content if isinstance(content, Message) else Message(content)
        reply = said.model_copy(update={"reply_to": (to or self.asked).id})
        return self.hub.submit(reply, to=self.thread(to), **more)

    async def until(self, done: Callable[[], bool], *, step: float = 1.0) -> None:
        """Let time pass until it is *done*."""
        await until(self.clock, done, step=step)

    async def settled(self, handle: Any, *, step: float = 1.0) -> Any:
        """*handle*, once nothing more happens by itself."""
        return await settled(self.clock, handle, step=step)

    @property
    def ours(self) -> list[Post]:
        return [post for post in self.server.posts if post.author is self.support]


@asynccontextmanager
async def world(*, http: bool = False, described: bool = True, **settings: Any) -> AsyncGenerator[World]:
    """In one process, or with *http* over real connections; all is held against X' description, unless told not to."""
    clock = FakeClock()
    server = XServer(now=clock.now, sleep=clock.sleep)
    async with AsyncExitStack() as stack:
        if described:
            stack.enter_context(validated(server))
        parts: Any = {} if http else {"transport": server.transport}
        where = {"api": await stack.enter_async_context(server.serving())} if http else {}
        hub = await stack.enter_async_context(Hub(store="memory:", clock=clock, random=Random(7)))
        here = World(hub, clock, server)
        more = {"mentions": False, "direct_messages": False, "user_id": "7", **where, **settings}
        await hub.add_channel("x", {"adapter": "x", "oauth1": here.support.oauth1, **more}, **parts)
        yield here


async def test_an_answer_stands_below_the_post_that_it_answers() -> None:
    async with world() as x:
        sent = await x.settled(await x.answer("Sorry! We look for it."))

        (post,) = x.ours
        assert post.reply_to is x.asked
        assert sent.deliveries[0].report.ids == {post.id}
        assert sent.status is Status.ACCEPTED


async def test_over_a_real_connection_with_tokens_of_oauth_2() -> None:
    server = XServer()
    support, ann = server.account("support"), server.user("ann")
    asked = ann.mention("my parcel is late")
    settings = {"adapter": "x", "oauth2": support.oauth2, "mentions": False, "direct_messages": False}
    async with server.serving() as url, Hub(store="memory:") as hub:
        await hub.add_channel("x", {**settings, "api": url})
        where = ConversationRef(
            channel="x", address=f"x:{ann.id}", kind=ConversationKind.PUBLIC, thread=asked.conversation_id
        )
        sent = await hub.send(Message("Sorry!", reply_to=asked.id), to=where)
        await hub.send("We have found it.", to=f"x:{ann.id}")

        assert [post.text for post in server.posts if post.author is support] == ["Sorry!"]
        assert [(each.text, each.sender) for each in server.directs] == [("We have found it.", support)]
        assert sent.status is Status.ACCEPTED


async def test_a_long_text_is_a_thread_in_which_each_post_follows_the_one_before() -> None:
    async with world() as x:
        text = " ".join(f"word{number}" for number in range(120))
        sent = await x.settled(await x.answer(text))

        parents = [post.reply_to for post in x.ours]
        assert len(x.ours) > 2
        assert parents == [x.asked, *x.ours[:-1]]
        assert " ".join(post.text for post in x.ours).split() == text.split()
        assert sent.deliveries[0].report.ids == {post.id for post in x.ours}


@pytest.mark.parametrize(
    ("text", "posts"),
    [
        ("字" * 140, 1),
        ("字" * 141, 2),
        ("👩‍👩‍👧‍👧" * 140, 1),
        ("👩‍👩‍👧‍👧" * 141, 2),
        ("x" * 256 + " https://example.org/" + "y" * 300, 1),
        ("x " * 129 + "https://example.org/" + "y" * 300, 2),
        ("x" * 280, 1),
    ],
)
async def test_how_much_a_post_holds_is_counted_as_x_does(text: str, posts: int) -> None:
    async with world() as x:
        await x.settled(await x.hub.submit(text, to="x:public"))

        assert len(x.ours) == posts
        assert "".join(post.text for post in x.ours).replace(" ", "") == text.replace(" ", "")
        assert all(weighted_length(post.text) <= 280 for post in x.ours)
        assert not any("https" in post.text and not post.text.endswith("y" * 300) for post in x.ours)


@pytest.mark.parametrize(("policy", "posts"), [("thread", 2), ("long", 1), ("refuse", 0)])
async def test_what_becomes_of_a_long_text_is_the_hosts_to_choose(policy: str, posts: int) -> None:
    async with world(long_text=policy) as x:
        x.support.is_premium = True
        try:
            await x.settled(await x.hub.submit("word " * 80, to="x:public"))
        except UnsupportedContentError:
            assert policy == "refuse"

        assert len(x.ours) == posts


async def test_a_thread_that_is_interrupted_goes_on_where_it_was() -> None:
    async with world() as x:
        x.server.script("POST", POST_ONE, Partial(), Throttled(seconds=60), Throttled(seconds=60))
        text = " ".join(f"word{number}" for number in range(120))
        sent = await x.settled(await x.answer(text))

        assert " ".join(post.text for post in x.ours).split() == text.split()
        assert [post.reply_to for post in x.ours] == [x.asked, *x.ours[:-1]]
        assert sent.status is Status.ACCEPTED


async def test_of_a_thread_that_is_refused_midway_what_is_there_stays_and_is_told() -> None:
    async with world() as x:
        x.server.script("POST", POST_ONE, Partial(), Duplicate())
        sent = await x.settled(await x.answer(" ".join(f"word{number}" for number in range(120))))

        (post,) = x.ours
        assert sent.status is Status.FAILED
        assert sent.deliveries[0].report.part(0).ids == {post.id}


LOST: dict[str, Step] = {
    "no answer": LostAnswer(),
    "a broken connection": Reset(commits=True),
    "a page in HTML": HtmlError(commits=True),
    "nonsense": Nonsense(201),
    "a late answer": Slow(3600),
}


@pytest.mark.parametrize("http", [False, True], ids=["here", "http"])
@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
async def test_an_answer_that_is_lost_after_the_post_was_made_is_found_and_not_made_twice(
    step: Step, http: bool
) -> None:
    is_slow, is_described = isinstance(step, Slow), not isinstance(step, Nonsense)
    async with world(http=http, described=is_described, timeout=0.3 if is_slow else 20) as x:
        x.server.script("POST", POST_ONE, step)
        sent = await x.answer("Sorry & see https://example.org/parcel?id=1")
        if isinstance(step, Slow):
            await anyio.sleep(0.4)  # the time-out is of the wire, and so real
        await x.settled(sent)

        (post,) = x.ours
        assert sent.deliveries[0].report.ids == {post.id}
        assert sent.status is Status.ACCEPTED
        assert x.server.count("POST", POST_ONE) == 1
        assert x.server.count("GET", "/2/users/:id/tweets") == 1


async def test_what_was_lost_before_it_was_made_is_made_once_and_not_before_x_had_a_minute() -> None:
    async with world() as x:
        begun = x.clock.now()
        x.server.script("POST", POST_ONE, Reset())
        sent = await x.settled(await x.answer())

        (post,) = x.ours
        assert sent.deliveries[0].report.ids == {post.id}
        assert (post.at - begun).total_seconds() >= 60
        assert x.server.count("POST", POST_ONE) == 2
        assert x.server.count("GET", "/2/users/:id/tweets") == 2  # at once, and after a minute


async def test_whoever_comes_after_a_restart_finds_what_was_posted_before_it() -> None:
    clock, store = FakeClock(), MemoryStore()
    server = XServer(now=clock.now, sleep=clock.sleep)
    support, ann = server.account("support", id="7"), server.user("ann", id="12")
    asked = ann.mention("my parcel is late")
    where = ConversationRef(channel="x", address="x:12", kind=ConversationKind.PUBLIC, thread=asked.conversation_id)
    settings = {"adapter": "x", "oauth1": support.oauth1, "mentions": False, "direct_messages": False}
    server.script("POST", POST_ONE, Slow(3600))
    async with Hub(store=store, clock=clock, drain=0.1) as hub:
        await hub.add_channel("x", settings, transport=server.transport)
        await hub.submit(Message("Sorry!", reply_to=asked.id), to=where, key="k")
        while not server.count("POST", POST_ONE):
            await anyio.wait_all_tasks_blocked()
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
    async with Hub(store=store, clock=clock) as hub:
        await hub.add_channel("x", settings, transport=server.transport)
        sent = await settled(clock, await hub.submit(Message("Sorry!", reply_to=asked.id), to=where, key="k"))

    assert sent.status is Status.ACCEPTED
    assert [post.id for post in server.posts if post.author is support] == list(sent.deliveries[0].report.ids)
    assert server.count("POST", POST_ONE) == 1


async def test_a_timeline_that_lags_is_believed_only_later() -> None:
    """The post is there, and X does not show it yet: nothing is sent again."""
    async with world() as x:
        x.server.script("POST", POST_ONE, LostAnswer())
        x.server.script("GET", "/2/users/:id/tweets", *[HtmlError()] * 3)
        sent = await x.settled(await x.answer())

        (post,) = x.ours
        assert sent.deliveries[0].report.ids == {post.id}
        assert x.server.count("POST", POST_ONE) == 1


async def test_the_second_of_two_equal_direct_messages_is_not_taken_for_the_first() -> None:
    async with world() as x:
        x.server.script("POST", "/2/dm_conversations/with/:id/messages", Partial(), Reset())
        first = await x.settled(await x.hub.submit("Ok", to="x:12"))
        second = await x.settled(await x.hub.submit("Ok", to="x:12"))

        assert [each.text for each in x.server.directs] == ["Ok", "Ok"]
        assert first.deliveries[0].report.ids | second.deliveries[0].report.ids == {
            each.id for each in x.server.directs
        }


async def test_a_lost_answer_to_a_direct_message_is_found() -> None:
    async with world() as x:
        x.server.script("POST", "/2/dm_conversations/with/:id/messages", LostAnswer())
        sent = await x.settled(await x.hub.submit("Hello", to="x:12"))

        (direct,) = x.server.directs
        assert sent.deliveries[0].report.ids == {direct.id}


@pytest.mark.parametrize("reset", [True, False])
async def test_a_limit_is_waited_for_and_is_no_storm(reset: bool) -> None:
    async with world(described=False) as x:  # the older form of an error is in no description
        x.server.script("POST", POST_ONE, Throttled(reset=reset), Throttled(reset=reset, code=88))
        sent = await x.settled(await x.answer(), step=10.0)

        assert sent.status is Status.ACCEPTED
        assert len(x.ours) == 1
        assert x.server.count("POST", POST_ONE) == 3


async def test_without_credit_the_message_waits_and_the_channel_is_down() -> None:
    async with world() as x:
        x.server.script("*", "*", then=CreditsDepleted())
        sent = await x.answer()
        await x.until(lambda: x.hub.channel("x").state.value == "down", step=0.1)
        for _ in range(60):
            await anyio.wait_all_tasks_blocked()
            x.clock.advance(60)

        assert sent.deliveries[0].state is DeliveryState.QUEUED
        assert len(x.server.requests) <= 4  # in an hour
        x.server.unscript()
        await x.settled(sent, step=600.0)
        assert len(x.ours) == 1


async def test_an_empty_401_takes_the_channel_down_and_keeps_the_message() -> None:
    async with world() as x:
        x.server.script("POST", POST_ONE, EmptyError(), EmptyError())
        sent = await x.settled(await x.answer(), step=60.0)

        assert sent.status is Status.ACCEPTED
        assert len(x.ours) == 1


async def test_whoever_did_not_summon_us_is_answered_where_they_take_it() -> None:
    async with world() as x:
        stranger = x.ann.post("what a day")
        sent = await x.settled(await x.answer(to=stranger))

        assert isinstance(sent.error, NotPermittedError)
        assert (sent.error.code, sent.error.alternative) == ("not-summoned", "x:12")
        assert x.server.count("POST", POST_ONE) == 0

        await x.settled(await x.hub.submit("What happened?", to=sent.error.alternative))
        assert [each.text for each in x.server.directs] == ["What happened?"]


async def test_who_takes_no_direct_messages_is_told_as_that() -> None:
    async with world() as x:
        x.ann.accepts_directs = False
        sent = await x.settled(await x.hub.submit("Hello", to="x:12"))

        assert isinstance(sent.error, NotPermittedError)
        assert sent.error.alternative is not None
        adapter: Any = x.hub.channel("x").adapter
        assert not await adapter.can_dm("x:12")
        assert await adapter.can_reply(x.asked.id)


async def test_from_public_to_private_is_one_call() -> None:
    async with world() as x:
        public = x.hub.conversation(x.thread())
        private = await public.hand_over(Message("Please write to us directly.", reply_to=x.asked.id))
        await x.until(lambda: bool(x.ours))

        (post,) = x.ours
        assert post.body["direct_message_deep_link"] == "https://x.com/messages/compose?recipient_id=7"
        assert (private.ref.kind, private.ref.address.uri) == (ConversationKind.DIRECT, "x:12")


async def test_a_poll_a_photo_and_what_does_not_go_together() -> None:
    async with world() as x:
        poll = {"poll": {"options": ["yes", "no"], "minutes": 60}}
        photo = Attachment(data=b"png" * 100, media_type="image/png", description="A parcel")
        public = "x:public"
        await x.settled(await x.hub.submit(Message("Tea?", native={"x": poll}), to=public))
        await x.settled(await x.hub.submit(Message("Look!", attachments=[photo]), to=public))
        refused = await x.settled(
            await x.hub.submit(Message("Both?", native={"x": poll}, attachments=[photo]), to=public)
        )

        asked, shown = x.ours
        assert asked.poll is not None
        assert asked.poll.options == ("yes", "no")
        (medium,) = shown.media
        assert (medium.alt_text, medium.content) == ("A parcel", b"png" * 100)
        assert isinstance(refused.error, UnsupportedContentError)


async def test_what_else_only_x_knows_is_said_as_x_describes_it() -> None:
    async with world(replies="any") as x:
        x.server.is_self_serve = False
        other = x.ann.post("look at this")
        said: list[Any] = [
            {"quote_post_id": other.id},
            {"reply_settings": "following", "made_with_ai": True, "paid_partnership": True},
            {"direct_message_deep_link": "https://x.com/messages/compose?recipient_id=7"},
            {"community_id": "1146654567674912769", "share_with_followers": True},
        ]
        for number, native in enumerate(said):
            await x.settled(await x.hub.submit(Message(f"Number {number}", native={"x": native}), to="x:public"))

        assert [set(post.body) - {"text"} for post in x.ours] == [
            {"quote_tweet_id"},
            {"reply_settings", "made_with_ai", "paid_partnership"},
            {"direct_message_deep_link"},
            {"community_id", "share_with_followers"},
        ]


async def test_a_video_is_in_place_before_its_post() -> None:
    async with world() as x:
        video = Attachment(data=b"v" * (5 * 1024 * 1024), media_type="video/mp4")
        await x.settled(await x.hub.submit(Message("Look!", attachments=[video]), to="x:public"), step=1.0)

        (post,) = x.ours
        (medium,) = post.media
        assert len(medium.content) == 5 * 1024 * 1024
        assert sorted(medium.parts) == [0, 1]


async def test_a_thread_is_taken_back_whole() -> None:
    async with world() as x:
        sent = await x.settled(await x.answer(" ".join(f"word{number}" for number in range(120))))
        conversation = x.hub.conversation(x.thread())
        await x.settled(await conversation.retract(sent))

        assert x.ours == []


async def test_a_name_is_looked_up_and_its_address_written_to() -> None:
    async with world() as x:
        ann = await x.hub.channel("x").find("@Ann")
        await x.settled(await x.hub.submit("Hello", to=ann))

        assert x.server.directs[0].conversation.members == ("7", "12")


async def test_a_group_is_written_to() -> None:
    async with world() as x:
        group = x.ann.group(x.server.user("bob"))
        await x.settled(await x.hub.submit("Hello all of you", to=f"x:dm-{group.id}"))

        assert x.server.directs[-1].conversation is group


async def test_what_was_spent_can_be_asked() -> None:
    async with world(budget={"day": "5"}) as x:
        adapter: Any = x.hub.channel("x").adapter
        before = adapter.spent.get("day", Decimal(0))
        await x.settled(await x.hub.submit("We are open.", to="x:public"))

        assert adapter.spent["day"] - before == Decimal("0.015")


@pytest.mark.parametrize(
    ("settings", "step", "detail"),
    [
        ({}, None, "@support (7)"),
        ({"user_id": "12"}, None, "user_id is 12"),
        ({}, EmptyError(), "Unauthorized"),
        ({}, Refused(403), "users.read"),
        ({}, HtmlError(), "Service Unavailable"),
    ],
)
async def test_check_says_whose_account_it_is_and_what_is_wrong(settings: Any, step: Step | None, detail: str) -> None:
    async with world(**settings) as x:
        if step is not None:
            x.server.script("GET", "/2/users/me", then=step)
        adapter: Any = x.hub.channel("x").adapter
        health = await adapter.check()

        assert detail in health.detail
        assert health.ok is (step is None and "user_id" not in settings)


@pytest.mark.parametrize(
    "step",
    [HtmlError(), HtmlError(commits=True), Throttled(), Throttled(reset=False), Refused(503), Reset(), LostAnswer()],
    ids=["503", "503 and done", "429 until", "429", "503 in JSON", "reset", "lost"],
)
async def test_while_x_is_ill_there_is_no_storm_and_afterwards_each_answer_stands_there_once(step: Step) -> None:
    """Twelve answers wait for half an hour; X counts what it is asked meanwhile."""
    async with world() as x:
        asked = [x.server.user(f"user{number}").mention("help!") for number in range(12)]
        x.server.script("POST", POST_ONE, then=step)
        sent = [await x.answer(f"Answer {number}", to=post) for number, post in enumerate(asked)]
        begun = x.clock.now()
        while (x.clock.now() - begun).total_seconds() < 1800:
            await anyio.wait_all_tasks_blocked()
            x.clock.advance(30)
        while_ill = len(x.server.requests)
        x.server.unscript()
        for each in sent:
            await x.settled(each, step=60.0)

        assert sorted(post.text for post in x.ours) == sorted(f"Answer {number}" for number in range(12))
        assert all(post.reply_to in asked for post in x.ours)
        assert all(each.status is Status.ACCEPTED for each in sent)
        assert while_ill <= 12 * 8
