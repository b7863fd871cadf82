"""After an answer is lost: it is looked for, and sent again only where it is certainly not there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from convergekit.abc import Reconciliation
from convergekit.adapters.x.snowflakes import first_id
from convergekit.errors import NotSentError, RejectedError, StoreError, ThrottledError, UncertainError
from convergekit.model import Operation, Receipt
from convergekit.testing import outgoing
from tests.adapters.x.outbound.kit import ANN, OWN, POST, THREAD, Account, duplicate, posted, public, reply

pytestmark = pytest.mark.anyio

TIMELINE = f"GET /2/users/{OWN}/tweets"
WITH_ANN = "GET /2/dm_conversations/with/12/dm_events"


class Asking(Account):
    """An attempt has begun now, and its answer is lost."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(replies="any", **settings)
        self.at = self.context.clock.now()

    def id(self, seconds: float = 0.0) -> str:
        """An id that X gave out so many seconds after the attempt."""
        return first_id(self.at + timedelta(seconds=seconds))

    def post(self, text: str = "Thanks!", *, seconds: float = 1.0, parent: str | None = POST) -> dict[str, Any]:
        referenced = {} if parent is None else {"referenced_tweets": [{"type": "replied_to", "id": parent}]}
        return {"id": self.id(seconds), "text": text, "author_id": OWN, "conversation_id": THREAD, **referenced}

    def shows(self, *items: dict[str, Any], route: str = TIMELINE, next_token: str | None = None) -> None:
        meta = {} if next_token is None else {"next_token": next_token}
        self.x.answers[route] = {"data": list(items), "meta": meta}

    def lost(self, *args: Any, **more: Any) -> Any:
        return reply(*args, first_attempt_at=self.at, maybe_sent=True, **more)

    async def uncertain(self, out: Any) -> None:
        route = "/2/tweets" if out.conversation.kind == "public" else "/2/dm_conversations/with/12/messages"
        self.x.answers[f"POST {route}"] = UncertainError("no answer")
        with pytest.raises(UncertainError):
            await self.outbound.send(out)


async def test_what_was_posted_is_found_and_has_its_receipt() -> None:
    account = Asking()
    out = account.lost("Fish & chips")
    await account.uncertain(out)
    account.shows(account.post("something else"), account.post("@ann Fish &amp; chips"))

    became = await account.outbound.reconcile(out)

    assert isinstance(became, Receipt)
    assert became.ids == (account.id(1),)


async def test_what_is_not_there_yet_is_asked_for_again_a_minute_later_and_then_was_not_taken() -> None:
    account = Asking()
    out = account.lost()
    await account.uncertain(out)
    account.shows()
    account.context.clock.advance(20)

    with pytest.raises(ThrottledError) as caught:
        await account.outbound.reconcile(out)
    account.context.clock.advance(caught.value.retry_after)

    assert caught.value.retry_after == 40
    assert await account.outbound.reconcile(out) is Reconciliation.NOT_TAKEN


async def test_who_does_not_know_when_it_was_attempted_waits_from_now_on() -> None:
    """After a restart, or on another worker: it may have been sent a moment ago."""
    account = Asking()
    account.shows()
    account.context.clock.advance(3600)

    with pytest.raises(NotSentError):
        await account.outbound.reconcile(account.lost())


@pytest.mark.parametrize("post", [{"parent": "5"}, {"parent": None}, {"text": "Thanks"}, {"seconds": -300}])
async def test_another_post_is_not_taken_for_it(post: Any) -> None:
    account = Asking()
    out = account.lost()
    await account.uncertain(out)
    account.shows(account.post(**post))

    with pytest.raises(NotSentError):
        await account.outbound.reconcile(out)


async def test_the_clocks_may_differ() -> None:
    account = Asking()
    out = account.lost()
    await account.uncertain(out)
    account.shows(account.post(seconds=-60))

    assert isinstance(await account.outbound.reconcile(out), Receipt)


async def test_the_post_of_an_equal_message_is_not_taken_for_it() -> None:
    account = Asking()
    account.x.answers["POST /2/tweets"] = posted(account.id(0.5))
    await account.outbound.send(account.lost(key="first"))
    second = account.lost(key="second")
    await account.uncertain(second)
    account.shows(account.post(seconds=0.5))

    with pytest.raises(NotSentError):
        await account.outbound.reconcile(second)


async def test_it_is_known_whose_a_post_is_also_after_a_restart() -> None:
    account = Asking()
    account.x.answers["POST /2/tweets"] = posted(account.id(0.5))
    await account.outbound.send(account.lost(key="first"))
    account.shows(account.post(seconds=0.5))
    again = type(account.outbound)(account.session)

    became = await again.reconcile(account.lost(key="first"))

    assert isinstance(became, Receipt)
    with pytest.raises(NotSentError):
        await again.reconcile(account.lost(key="second"))


async def test_what_was_found_for_one_is_not_found_for_another() -> None:
    account = Asking()
    account.shows(account.post())

    assert isinstance(await account.outbound.reconcile(account.lost(key="first")), Receipt)
    with pytest.raises(NotSentError):
        await account.outbound.reconcile(account.lost(key="second"))


async def test_of_two_equal_posts_it_is_the_older_one() -> None:
    account = Asking()
    account.shows(account.post(seconds=9), account.post(seconds=1))

    became = await account.outbound.reconcile(account.lost())

    assert isinstance(became, Receipt)
    assert became.ids == (account.id(1),)


async def test_pages_are_walked_back_to_the_attempt_and_no_further() -> None:
    account = Asking()
    later = [account.post("later", seconds=5 + n) for n in range(3)]
    account.x.answers[TIMELINE] = [
        {"data": later, "meta": {"next_token": "a"}},
        {"data": [account.post(), account.post("before", seconds=-600)], "meta": {"next_token": "b"}},
    ]

    assert isinstance(await account.outbound.reconcile(account.lost()), Receipt)
    assert account.x.asked[-1][1]["pagination_token"] == "a"


async def test_more_than_can_be_looked_at_is_no_proof_that_it_is_missing() -> None:
    account = Asking()
    out = account.lost()
    await account.uncertain(out)
    account.context.clock.advance(3600)
    account.shows(account.post("later", seconds=5), next_token="again")

    assert await account.outbound.reconcile(out) is Reconciliation.DONT_KNOW
    assert account.x.count("GET", "") == 8


async def test_a_duplicate_is_proof_that_it_was_sent() -> None:
    account = Asking()
    account.x.answers["POST /2/tweets"] = duplicate()
    account.shows(account.post())

    receipt = await account.outbound.send(account.lost(attempt=2))

    assert receipt.ids == (account.id(1),)


async def test_a_duplicate_that_is_not_shown_is_uncertain_and_never_not_taken() -> None:
    account = Asking()
    account.x.answers["POST /2/tweets"] = duplicate()
    account.shows()
    out = account.lost(attempt=2)

    with pytest.raises(UncertainError):
        await account.outbound.send(out)
    account.context.clock.advance(3600)

    assert await account.outbound.reconcile(out) is Reconciliation.DONT_KNOW


async def test_a_duplicate_of_what_was_never_attempted_is_a_refusal() -> None:
    account = Account(replies="any")
    account.x.answers["POST /2/tweets"] = duplicate()

    with pytest.raises(RejectedError):
        await account.outbound.send(reply())


async def test_in_a_thread_without_a_post_to_answer_any_post_of_it_will_do() -> None:
    account = Asking()
    account.shows(account.post("News", parent="77"))
    out = outgoing(ANN.uri, "News", conversation=public(), first_attempt_at=account.at)

    assert isinstance(await account.outbound.reconcile(out), Receipt)


@pytest.mark.parametrize(("event", "found"), [({}, True), ({"sender_id": "12"}, False), ({"text": "Bye"}, False)])
async def test_a_direct_message_is_looked_for_where_it_was_written(event: Any, found: bool) -> None:
    account = Asking()
    said = {"id": account.id(1), "event_type": "MessageCreate", "text": "Hello", "sender_id": OWN, **event}
    account.shows(said, route=WITH_ANN)
    out = outgoing(ANN.uri, "Hello", first_attempt_at=account.at)

    if found:
        became = await account.outbound.reconcile(out)
        assert isinstance(became, Receipt)
        assert became.ids == (account.id(1),)
    else:
        with pytest.raises(NotSentError):
            await account.outbound.reconcile(out)


async def test_the_newer_names_are_asked_for_and_read() -> None:
    account = Asking(names="post")
    post = {**account.post(), "referenced_posts": [{"type": "replied_to", "id": POST}]}
    del post["referenced_tweets"]
    account.shows(post)

    assert isinstance(await account.outbound.reconcile(account.lost()), Receipt)
    assert "referenced_posts" in account.x.asked[-1][1]["expansions"]


async def test_a_deletion_may_be_repeated() -> None:
    account = Asking()

    assert await account.outbound.reconcile(account.lost(operation=Operation.RETRACT)) is Reconciliation.NOT_TAKEN
    assert account.x.asked == []


async def test_a_ledger_that_fails_afterwards_does_not_make_it_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> bool:
        raise StoreError("the disk is full")

    account = Asking()
    account.x.answers["POST /2/tweets"] = posted()
    monkeypatch.setattr(account.context.state, "put", fails)

    assert (await account.outbound.send(account.lost(native={"hand_over": True}))).ids
    assert "not noted" in account.context.logged
