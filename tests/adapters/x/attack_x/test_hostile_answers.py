"""X answers what nobody expects: nothing is lost, doubled or believed because of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final, cast

import httpx
import pytest

from convergekit.abc import Reconciliation
from convergekit.adapters.x import XAdapter, XConfig
from convergekit.adapters.x.activity import Pulse
from convergekit.adapters.x.arrivals import Arrivals
from convergekit.adapters.x.feeds import Feeds
from convergekit.errors import ConvergeError, DeliveryError, NotSentError
from convergekit.model import ConversationKind, ConversationRef, Message
from convergekit.testing import FakeContext, outgoing
from tests.adapters.x.feed_kit import SETTINGS, Account

pytestmark = pytest.mark.anyio

FUTURE: Final = str((1 << 63) - 1)


@pytest.mark.parametrize("feed", ["mentions", "dms"])
@pytest.mark.parametrize("count", [1, 300])
async def test_ids_from_the_future_make_nobody_deaf(feed: str, count: int) -> None:
    account = Account()
    feeds = Feeds(account.session, Arrivals(account.session), Pulse(account.context))
    add, ids = (account.mention, account.mentions) if feed == "mentions" else (account.direct, account.directs)
    cursor = (await feeds.poll(feed, None)).cursor
    ids += [str(int(FUTURE) - number) for number in range(count)]
    wanted, found, polls = set[str](), list[str](), 0
    for _ in range(6):
        account.context.clock.advance(300)
        wanted.add(add(200))
        more = True
        while more:
            polled = await feeds.poll(feed, cursor)
            cursor, more, polls = polled.cursor, polled.more, polls + 1
            found += [event.key for event in polled.events]

    assert wanted <= {key.partition(":")[2] for key in found}
    assert not [key for key in found if key.startswith("gap")]
    assert polls <= 6 * (2 + count // 100)
    assert len(account.client.requests) <= 6 * (2 + count // 100)


def _adapter(answer: tuple[int, Any], **settings: Any) -> XAdapter:
    """An account to which X answers everything with *answer*: a status and a body."""

    def handle(request: httpx.Request) -> httpx.Response:
        status, body = answer
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    context = FakeContext(channel="x", transport=httpx.MockTransport(handle))
    return XAdapter(XConfig.model_validate({**SETTINGS, **settings}), context)


def _advance(adapter: XAdapter) -> None:
    cast(FakeContext, adapter.context).clock.advance(100)


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"title": "Forbidden", "detail": "not for you", "status": 403}]},
        {"errors": [{"title": "Forbidden"}], "meta": {"result_count": 0}},
        {"data": {}},
        {"data": None},
        {},
        {"data": [], "meta": {"next_token": "\ud800"}},
        {"data": [], "meta": {"next_token": 5}},
        {"data": [], "meta": {"next_token": "x" * 100_000}},
        b"<html>",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("is_public", [True, False])
async def test_an_answer_that_shows_nothing_is_no_proof_that_nothing_was_sent(body: Any, is_public: bool) -> None:
    adapter = _adapter((200, body))
    kind = {"kind": ConversationKind.PUBLIC, "thread": "5"} if is_public else {}
    where = ConversationRef(address="x:12", **kind)
    out = outgoing("x:12", "Yes.", message=Message("Yes.", reply_to="5"), conversation=where, maybe_sent=True)
    async with adapter:
        for _ in range(4):
            _advance(adapter)
            with suppress(NotSentError):  # it is asked again
                assert await adapter.reconcile(out) is Reconciliation.DONT_KNOW


async def test_a_message_without_an_id_may_be_what_was_sent() -> None:
    shown = {"text": "Yes.", "sender_id": "50", "event_type": "MessageCreate"}
    async with _adapter((200, {"data": [shown], "meta": {}})) as adapter:
        out = outgoing("x:12", "Yes.", maybe_sent=True)
        with pytest.raises(ConvergeError):
            await adapter.reconcile(out)
        _advance(adapter)
        assert await adapter.reconcile(out) is Reconciliation.DONT_KNOW


@pytest.mark.parametrize("token", ["\ud800", 5, ["x"], {}, "a b", "x" * 100_000])
@pytest.mark.parametrize("feed", ["mentions", "dms"])
async def test_a_next_page_without_a_name_is_not_the_last_page(feed: str, token: Any) -> None:
    async with _adapter((200, {"data": [], "meta": {"next_token": token}})) as adapter:
        with pytest.raises(DeliveryError):
            await adapter.poll(feed, {"since": "1900000000000000000"})


async def test_a_name_that_cannot_be_shown_is_not_shown() -> None:
    async with _adapter((200, {"data": {"id": "12", "username": "a\x00\u202e\nb" * 5000}})) as adapter:
        found = await adapter.find("@Ann")

    assert (found.uri, found.display_name) == ("x:12", "@Ann")


async def test_a_post_too_strange_to_be_read_keeps_its_answer_waiting_and_is_no_bug() -> None:
    deep = json.loads('{"a":' * 500 + "1" + "}" * 500)
    async with _adapter((200, {"data": {"id": "5", "author_id": "12", "text": "x", "more": deep}})) as adapter:
        where = ConversationRef(address="x:12", kind=ConversationKind.PUBLIC, thread="5")
        out = outgoing("x:12", "Yes.", message=Message("Yes.", reply_to="5"), conversation=where)
        with pytest.raises(DeliveryError):
            await adapter.send(out)


async def test_what_check_shows_is_one_line_that_reads_as_it_stands() -> None:
    async with _adapter((200, {"data": {"id": "50", "username": "a\x1b[2J\u202e\nb"}})) as adapter:
        health = await adapter.check()

    assert health.ok
    assert health.detail.isprintable()
