"""Whether we may write there, known before it is tried."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.errors import NotPermittedError, NotSentError, RejectedError
from convergekit.model import Address
from tests.adapters.x.outbound.kit import ANN, OWN, POST, THREAD, Account, posted, reply

pytestmark = pytest.mark.anyio

LOOK_UP = f"GET /2/tweets/{POST}"
ASK = f"GET /2/users/{ANN.value}"


def seen(text: str = "@support help", *, author: str = "12", mentions: bool = True) -> dict[str, Any]:
    """What X says of Ann's post."""
    entities = {"mentions": [{"start": 0, "end": 8, "username": "support", "id": OWN}]} if mentions else {}
    data = {"id": POST, "text": text, "author_id": author, "conversation_id": THREAD, "entities": entities}
    return {"data": {**data, "created_at": "2026-11-22T10:00:00.000Z"}}


async def test_what_reading_has_found_is_believed_and_nobody_is_asked() -> None:
    account = Account()
    account.session.memory.posted(POST, THREAD, "12", summoned=True)

    assert await account.outbound.can_reply(POST)
    assert account.x.asked == []


async def test_a_post_that_nobody_has_read_is_looked_up_once() -> None:
    account = Account()
    account.x.answers = {LOOK_UP: seen()}

    assert (await account.outbound.can_reply(POST)).ok
    assert (await account.outbound.can_reply(POST)).ok
    assert account.x.count("GET", "") == 1


async def test_our_own_post_may_be_answered() -> None:
    account = Account()
    account.x.answers = {LOOK_UP: seen(author=OWN, mentions=False)}

    assert await account.outbound.can_reply(POST)


async def test_whoever_did_not_summon_us_is_not_answered_and_the_open_way_is_named() -> None:
    account = Account()
    account.x.answers = {LOOK_UP: seen(mentions=False), ASK: {"data": {"id": "12", "receives_your_dm": True}}}

    with pytest.raises(NotPermittedError) as caught:
        await account.outbound.send(reply())

    assert (caught.value.code, caught.value.alternative) == ("not-summoned", "x:12")
    assert account.x.count("POST", "") == 0


@pytest.mark.parametrize(
    "asked",
    [
        {"data": {"id": "12", "receives_your_dm": False}},
        {"errors": [{"title": "Not Found Error"}]},
        NotSentError("X is away"),
    ],
)
async def test_where_no_direct_message_is_taken_the_open_way_is_told_in_words(asked: Any) -> None:
    account = Account()
    account.x.answers = {LOOK_UP: seen(mentions=False), ASK: asked}

    permission = await account.outbound.can_reply(POST)

    assert not permission
    assert permission.alternative is not None
    assert not permission.alternative.startswith("x:")


async def test_a_post_that_is_gone_is_not_answered() -> None:
    account = Account()
    account.x.answers = {LOOK_UP: {"errors": [{"title": "Not Found Error"}]}}

    with pytest.raises(NotPermittedError) as caught:
        await account.outbound.send(reply())

    assert caught.value.code == "not-found"


async def test_what_cannot_be_looked_up_now_is_not_sent_and_not_refused() -> None:
    account = Account()
    account.x.answers = {LOOK_UP: NotSentError("X is away")}

    with pytest.raises(NotSentError):
        await account.outbound.send(reply())

    assert account.x.count("POST", "") == 0


async def test_an_account_that_may_answer_anybody_asks_nobody() -> None:
    account = Account(replies="any")
    account.x.answers = {"POST /2/tweets": posted()}

    await account.outbound.send(reply())

    assert account.x.count("GET", "") == 0


async def test_the_second_part_answers_our_own_first_one_and_asks_nobody() -> None:
    account = Account()
    account.x.answers = {"POST /2/tweets": posted()}

    await account.outbound.send(reply("two", index=1, count=2, earlier=("300",)))

    assert account.x.asked == [("POST /2/tweets", {"text": "two", "in_reply_to_tweet_id": "300"})]


async def test_x_refuses_after_all_and_the_open_way_is_an_address() -> None:
    account = Account(replies="any")
    refused = NotPermittedError("X says: Forbidden", alternative="words", code="403")
    account.x.answers = {"POST /2/tweets": refused, ASK: {"data": {"id": "12", "receives_your_dm": True}}}

    with pytest.raises(NotPermittedError) as caught:
        await account.outbound.send(reply())

    assert caught.value.alternative == "x:12"


@pytest.mark.parametrize(
    ("told", "ok"), [({"receives_your_dm": True}, True), ({"receives_your_dm": False}, False), ({}, True)]
)
async def test_whether_they_take_direct_messages_is_what_x_says(told: dict[str, bool], ok: bool) -> None:
    account = Account()
    account.x.answers = {ASK: {"data": {"id": "12", **told}}}

    permission = await account.outbound.can_dm(ANN)

    assert bool(permission) is ok
    assert (permission.alternative is None) is ok


async def test_who_is_no_account_cannot_be_asked_about() -> None:
    account = Account()

    with pytest.raises(RejectedError, match=r"may change hands: `await hub\.channel\(\.\.\.\)\.find"):
        await account.outbound.can_dm(Address("x:@ann"))
    with pytest.raises(RejectedError, match="x:public is nobody at X"):
        await account.outbound.can_dm(Address("x:public"))
    with pytest.raises(RejectedError):
        await account.outbound.can_reply("first")
