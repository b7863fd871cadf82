"""The webhook is registered, mended, subscribed to, and what it missed is told again."""

from __future__ import annotations

import anyio
import httpx
import pytest

from convergekit.errors import NotSentError
from convergekit.model import GapDetected, MessageReceived, MessageRetracted
from convergekit.testing import FakeClock, FakeContext
from convergekit.testing.x import CreditsDepleted, EmptyError, Refused, Webhook, XServer
from tests.adapters.x.activity_kit import URL, Desk, desk, settled

pytestmark = pytest.mark.anyio

KINDS = {
    "post.mention.create",
    "post.reply.create",
    "post.quote.create",
    "post.delete",
    "dm.received",
    "dm.read",
    "dm.indicate_typing",
    "chat.received",
    "oauth.revoke",
}
_SECRETS = {"consumer_secrets": ["consumer-secret-of-the-app"]}


def subscribed(it: Desk) -> set[str]:
    return {each.event_type for each in it.server.activity.subscriptions.values()}


class Shut(httpx.AsyncBaseTransport):
    """A server that is not open yet."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")


async def test_it_is_registered_and_subscribed_to_once() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()

        assert [each.url for each in it.server.activity.webhooks.values()] == [URL]
        assert subscribed(it) == KINDS
        before = it.server.count()

        await it.after(600)

        assert len(it.server.activity.subscriptions) == len(KINDS)
        assert it.server.count() - before == 2  # a look at the webhook, and one at the subscriptions


@pytest.mark.parametrize(("settings", "missing"), [({"mentions": False}, "post"), ({"direct_messages": False}, "dm")])
async def test_what_is_not_wanted_is_not_subscribed_to(settings: dict[str, bool], missing: str) -> None:
    async with desk(activity="webhook", **settings) as it:
        await it.listen()

        assert subscribed(it)
        assert not any(kind.startswith(missing) for kind in subscribed(it))


async def test_the_answer_of_a_subscription_may_be_a_list() -> None:
    async with desk(activity="webhook") as it:
        it.server.activity.answers_with_list = True
        await it.listen()

        assert it.troubles == []
        assert subscribed(it) == KINDS


async def test_what_happens_comes_in_once_though_it_is_told_twice_and_as_mention_and_reply() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        ours = it.account.post("hello")
        answer = it.ann.reply(ours, "hi")
        direct = it.ann.direct("psst")

        statuses = await it.server.activity.deliver(times=2, shuffled=True)

        assert set(statuses) == {200}
        assert sorted(it.admitted) == sorted([f"post:{answer.id}", f"dm:{direct.id}"])


async def test_typing_is_passed_on_and_not_stored() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        it.ann.typing()
        await it.server.activity.deliver()

        assert [event.type for event in it.context.notified] == ["typing.changed"]
        assert it.admitted == []


async def test_the_channel_does_not_wait_for_the_server_that_x_calls() -> None:
    async with desk(activity="webhook") as it:
        app, it.server.activity.callbacks = it.server.activity.callbacks, Shut()
        await it.listen()
        assert it.is_listening.is_set()
        await it.after(2)
        assert "X does not take webhook_url" in (await it.adapter.check()).detail
        it.server.activity.callbacks = app
        await it.after(5)

        assert it.troubles == []
        assert [each.is_valid for each in it.server.activity.webhooks.values()] == [True]


async def test_a_server_that_x_does_not_reach_is_told_and_tried_again() -> None:
    async with desk(activity="webhook") as it:
        app, it.server.activity.callbacks = it.server.activity.callbacks, Shut()
        await it.listen()
        for seconds in (2, 5, 15):
            await it.after(seconds)

        (trouble,) = it.troubles
        assert isinstance(trouble, NotSentError)
        assert "webhook_url" in trouble.reason
        assert "the public URL of the webhook app, with /fake behind it" in trouble.reason
        assert "webhook_url" in (await it.adapter.check()).detail

        it.server.activity.callbacks = app
        await it.listen()  # as the engine does
        assert len(it.troubles) == 1
        assert "tells us at once" in (await it.adapter.check()).detail


async def test_a_webhook_that_is_no_longer_valid_is_called_again() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        (webhook,) = it.server.activity.webhooks.values()
        webhook.is_valid = False
        await it.after(600)
        await it.after(3)

        assert webhook.is_valid
        assert it.troubles == []
        assert it.server.count("PUT", "/2/webhooks/:id") == 1


async def test_a_webhook_that_stays_invalid_is_told() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        (webhook,) = it.server.activity.webhooks.values()
        webhook.is_valid = False
        it.server.activity.callbacks = Shut()
        await it.after(600)
        await it.after(3)
        await it.after(7)

        (trouble,) = it.troubles
        assert isinstance(trouble, NotSentError)


async def test_another_webhook_of_the_app_is_named_and_not_touched() -> None:
    async with desk(activity="webhook") as it:
        other = Webhook("77", "https://other.example.org/secret-path", it.context.clock.now(), True)
        it.server.activity.webhooks["77"] = other
        await it.listen()
        for seconds in (2, 5, 15):
            await it.after(seconds)

        assert it.server.activity.webhooks == {"77": other}
        (trouble,) = it.troubles
        assert "other.example.org" in str(trouble)
        assert "secret-path" not in str(trouble)


async def test_a_subscription_of_ours_to_another_webhook_is_moved() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        for each in it.server.activity.subscriptions.values():
            each.webhook_id = "1"
        await it.after(600)

        (webhook,) = it.server.activity.webhooks
        assert {each.webhook_id for each in it.server.activity.subscriptions.values()} == {webhook}
        assert len(it.server.activity.subscriptions) == len(KINDS)


async def test_a_kind_that_x_refuses_is_told_once_and_the_others_come() -> None:
    async with desk(activity="webhook") as it:
        it.server.script("POST", "/2/activity/subscriptions", Refused(403, "not for you"))
        await it.listen()
        first = subscribed(it)
        asked = it.server.count("POST", "/2/activity/subscriptions")
        await it.after(600)

        assert len(first) == len(KINDS) - 1
        assert it.server.count("POST", "/2/activity/subscriptions") == asked
        assert it.context.logged.count("X does not tell us of") == 1
        await it.after(86_400)
        assert subscribed(it) == KINDS


@pytest.mark.parametrize("has_oauth1", [True, False])
async def test_what_is_private_is_subscribed_to_by_oauth1_where_it_is_set(has_oauth1: bool) -> None:
    clock = FakeClock()
    server = XServer(now=clock.now, sleep=clock.sleep)
    account = server.account("support")
    server.activity.private_needs_oauth1 = True
    context = FakeContext(transport=server.transport, clock=clock)
    keys = {"oauth2": account.oauth2, "oauth1": account.oauth1 if has_oauth1 else None}
    async with desk(context=context, server=server, activity="webhook", **keys, **_SECRETS) as it:
        await it.listen()

        assert ("dm.received" in subscribed(it)) is has_oauth1
        assert ("oauth1 beside oauth2" in it.context.logged) is not has_oauth1


async def test_a_bearer_token_that_is_refused_leaves_the_account_up() -> None:
    async with desk(activity="webhook") as it:
        it.server.script("GET", "/2/webhooks", EmptyError(401))
        await it.listen()

        assert [type(each) for each in it.troubles] == [NotSentError]
        assert "bearer_token" in str(it.troubles[0])


async def test_what_happened_while_we_were_away_is_told_again() -> None:
    """What is deleted no poll brings."""
    async with desk(activity="webhook") as first:
        await first.listen()
        post = first.account.post("hello")
        await first.after(600)
        await first.stop()
    first.context.clock.advance(1200)
    first.account.delete(post)
    first.server.activity.pending.clear()  # nobody was there
    first.context.clock.advance(1200)

    async with desk(activity="webhook", context=first.context, server=first.server) as second:
        await second.listen()
        await second.after(3)
        await second.server.activity.deliver()

        assert second.server.count("POST", "/2/webhooks/replay") == 1
        assert any(isinstance(event, MessageRetracted) for event in second.context.admitted)


async def test_nothing_is_told_again_before_the_server_is_open() -> None:
    """X believes what it saw before we were away: so it is asked to call us first."""
    async with desk(activity="webhook") as first:
        await first.listen()
    first.context.clock.advance(3600)

    async with desk(activity="webhook", context=first.context, server=first.server) as second:
        app, second.server.activity.callbacks = second.server.activity.callbacks, Shut()
        await second.listen()
        for seconds in (3, 7):
            await second.after(seconds)
        assert second.server.count("POST", "/2/webhooks/replay") == 0

        second.server.activity.callbacks = app
        for seconds in (2, 3):
            await second.after(seconds)
        assert second.server.count("POST", "/2/webhooks/replay") == 1
        assert second.troubles == []


async def test_a_crash_in_a_loop_does_not_ask_for_it_each_time() -> None:
    async with desk(activity="webhook") as first:
        await first.listen()
    first.context.clock.advance(1200)
    for _ in range(5):
        first.context.clock.advance(90)
        async with desk(activity="webhook", context=first.context, server=first.server) as again:
            await again.listen()
            await again.after(3)

    assert first.server.count("POST", "/2/webhooks/replay") == 1


async def test_what_x_does_not_tell_again_is_a_gap() -> None:
    async with desk(activity="webhook") as first:
        await first.listen()
    first.context.clock.advance(7200)
    first.server.script("POST", "/2/webhooks/replay", Refused(403, "not in your plan"))

    async with desk(activity="webhook", context=first.context, server=first.server) as second:
        await second.listen()
        await second.after(3)

        (gap,) = second.context.admitted
        assert isinstance(gap, GapDetected)
        assert gap.feed == "activity"
        assert second.troubles == []


async def test_what_is_older_than_a_day_is_a_gap_and_the_rest_is_told_again() -> None:
    async with desk(activity="webhook") as first:
        await first.listen()
    first.context.clock.advance(3 * 86_400)

    async with desk(activity="webhook", context=first.context, server=first.server) as second:
        await second.listen()
        await second.after(3)

        assert second.server.count("POST", "/2/webhooks/replay") == 1
        (gap,) = second.context.admitted
        assert isinstance(gap, GapDetected)
        assert gap.since is not None
        assert gap.until is not None
        assert (gap.until - gap.since).total_seconds() == pytest.approx(2 * 86_400, abs=120)


async def test_silence_where_something_happened_is_looked_into_at_once() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        await it.poll("mentions")
        await it.after(300)
        it.server.activity.subscriptions.clear()  # somebody has removed them
        missed = it.ann.mention("hello?")
        await it.after(330)
        looks = it.server.count("GET", "/2/webhooks")
        before = it.server.count("GET", "/2/users/:id/mentions")

        found = await it.poll("mentions")
        await settled()

        assert [event.key for event in found] == [f"post:{missed.id}"]
        assert it.server.count("GET", "/2/webhooks") == looks + 1
        assert subscribed(it) == KINDS
        await it.after(30)
        await it.poll("mentions")  # it is not believed yet
        assert it.server.count("GET", "/2/users/:id/mentions") == before + 2

        it.ann.mention("again")
        await it.server.activity.deliver()
        await it.after(30)
        await it.poll("mentions")  # it is now
        assert it.server.count("GET", "/2/users/:id/mentions") == before + 2


async def test_what_was_told_is_not_missed() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        await it.poll("mentions")
        it.ann.mention("hello")
        await it.server.activity.deliver()
        await it.after(300)
        await it.after(330)
        looks = it.server.count("GET", "/2/webhooks")
        await it.poll("mentions")
        await settled()

        assert it.server.count("GET", "/2/webhooks") == looks
        assert [type(event) for event in it.context.admitted] == [MessageReceived]


async def test_without_upkeep_the_webhook_is_believed_once_x_has_called() -> None:
    async with desk(activity="webhook", manage_webhook=False) as it:
        await it.listen()
        assert it.server.count() == 0
        assert "does not tell us" in (await it.adapter.check()).detail
        it.server.activity.webhooks["7"] = Webhook("7", URL, it.context.clock.now(), True)
        body = b'{"data":{"event_uuid":"1","event_type":"profile.update.bio","payload":{}}}'
        signature = it.server.activity.sign(body)
        async with httpx.AsyncClient(transport=it.server.activity.callbacks) as client:  # type: ignore[arg-type]
            answer = await client.post(URL, content=body, headers={"x-twitter-webhooks-signature": signature})

        assert answer.status_code == 200
        assert "tells us at once" in (await it.adapter.check()).detail


async def test_calls_that_x_did_not_sign_are_refused_and_told_now_and_then() -> None:
    async with desk(activity="webhook") as it:
        headers = {"x-twitter-webhooks-signature": "sha256=AAAA"}
        async with httpx.AsyncClient(transport=it.server.activity.callbacks) as client:  # type: ignore[arg-type]
            statuses = {(await client.post(URL, content=b"{}", headers=headers)).status_code for _ in range(50)}

        assert statuses == {401}
        assert it.context.logged.count("consumer_secrets") == 1
        assert it.admitted == []


async def test_an_account_without_credit_stops_it() -> None:
    async with desk(activity="webhook") as it:
        it.server.script("GET", "/2/webhooks", CreditsDepleted())
        with anyio.fail_after(5):
            await it.listen()

        assert [type(each).__name__ for each in it.troubles] == ["CreditError"]
