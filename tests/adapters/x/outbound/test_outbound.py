"""What goes out, and where."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x import XAdapter
from convergekit.errors import (
    NotPermittedError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, ConversationKind, ConversationRef, FailureKind, Message, Status
from convergekit.testing import outgoing
from tests.adapters.x.outbound.kit import ANN, OWN, POST, THREAD, Account, posted, public, reply

pytestmark = pytest.mark.anyio

WRITTEN = {"data": {"dm_event_id": "900", "dm_conversation_id": "7-12"}}


def open_account(**settings: Any) -> Account:
    account = Account(**{"replies": "any", **settings})
    account.x.answers = {
        "POST /2/tweets": posted("400"),
        "POST /2/dm_conversations/with/12/messages": WRITTEN,
        "POST /2/dm_conversations/55/messages": WRITTEN,
    }
    return account


async def test_a_post_is_accepted_under_its_id() -> None:
    account = open_account()

    receipt = await account.outbound.send(outgoing("x:public", "News", conversation=public(Address("x:public"), None)))

    assert (receipt.status, receipt.ids) == (Status.ACCEPTED, ("400",))
    assert account.x.asked == [("POST /2/tweets", {"text": "News"})]


async def test_an_answer_names_the_post_that_it_answers() -> None:
    account = open_account()

    await account.outbound.send(reply())

    assert account.x.asked == [("POST /2/tweets", {"text": "Thanks!", "in_reply_to_tweet_id": POST})]


async def test_in_a_public_conversation_the_newest_post_that_is_known_is_answered() -> None:
    account = open_account()
    account.session.memory.posted(POST, THREAD, "12", summoned=True)

    await account.outbound.send(outgoing(ANN.uri, "News", conversation=public()))

    assert account.x.asked[0][1]["in_reply_to_tweet_id"] == POST


async def test_or_else_its_first_post() -> None:
    account = open_account()

    await account.outbound.send(outgoing(ANN.uri, "News", conversation=public()))

    assert account.x.asked[0][1]["in_reply_to_tweet_id"] == THREAD


async def test_a_public_word_to_one_person_that_answers_nothing_is_no_post_to_all() -> None:
    account = open_account()

    with pytest.raises(RejectedError, match="x:public"):
        await account.outbound.send(outgoing(ANN.uri, "Hello Ann", conversation=public(thread=None)))

    assert account.x.asked == []


async def test_after_a_post_of_ours_the_next_one_follows_it() -> None:
    account = open_account(replies="summoned")
    account.session.memory.posted(POST, THREAD, "12", summoned=True)

    await account.outbound.send(outgoing(ANN.uri, "One", conversation=public()))
    account.x.answers["POST /2/tweets"] = posted("500000000000000000")
    await account.outbound.send(outgoing(ANN.uri, "Two", conversation=public()))

    assert [said["in_reply_to_tweet_id"] for _, said in account.x.asked] == [POST, POST]

    await account.outbound.send(outgoing(ANN.uri, "Three", conversation=public()))

    assert account.x.asked[-1][1]["in_reply_to_tweet_id"] == "500000000000000000"


async def test_a_person_gets_a_direct_message_and_never_a_post() -> None:
    account = open_account()

    receipt = await account.outbound.send(outgoing(ANN.uri, "Hello", message=Message("Hello", reply_to=POST)))

    assert receipt.ids == ("900",)
    assert [name for name, _ in account.x.asked] == ["POST /2/dm_conversations/with/12/messages"]
    assert account.session.memory.written("x:12", up_to="900") == ("900",)


async def test_a_group_gets_its_own_message() -> None:
    account = open_account()
    group = ConversationRef(address=Address("x:dm-55"), kind=ConversationKind.GROUP)

    await account.outbound.send(outgoing("x:dm-55", "Hello", conversation=group))

    assert account.x.asked == [("POST /2/dm_conversations/55/messages", {"text": "Hello", "media_id": None})]


async def test_a_name_is_not_written_to_and_the_way_out_is_told() -> None:
    with pytest.raises(RejectedError, match=r"find\("):
        await open_account().outbound.send(outgoing("x:@ann", "Hello"))


async def test_what_is_about_posts_is_refused_in_a_direct_message() -> None:
    account = open_account()

    with pytest.raises(UnsupportedContentError):
        await account.outbound.send(outgoing(ANN.uri, "Hello", native={"made_with_ai": True}))

    assert account.x.asked == []


@pytest.mark.parametrize(
    ("text", "replies", "ok"),
    [
        ("$ABC and $XYZ", "summoned", False),
        ("$ABC and $XYZ", "any", True),
        ("$ABC for $5 or $6", "summoned", True),
        ("$5, $6 or $7", "summoned", True),
    ],
)
async def test_a_self_serve_account_posts_one_cashtag(text: str, replies: str, ok: bool) -> None:
    account = open_account(replies=replies)
    out = outgoing("x:public", text)

    if ok:
        assert (await account.outbound.send(out)).ids
    else:
        with pytest.raises(UnsupportedContentError, match="cashtag"):
            await account.outbound.send(out)
        assert account.x.asked == []


async def test_what_tweepy_does_not_know_is_said_all_the_same() -> None:
    account = open_account()

    await account.outbound.send(reply(native={"made_with_ai": True}))

    assert account.x.asked[0][1] == {
        "text": "Thanks!",
        "reply": {"in_reply_to_tweet_id": POST},
        "made_with_ai": True,
    }


async def test_what_went_wrong_beside_it_is_in_the_receipt() -> None:
    account = open_account()
    account.x.answers["POST /2/tweets"] = {**posted(), "errors": [{"title": "Partial"}]}

    assert (await account.outbound.send(reply())).native == {"errors": [{"title": "Partial"}]}


async def test_an_answer_without_an_id_leaves_open_what_became_of_it() -> None:
    account = open_account()
    account.x.answers["POST /2/tweets"] = {"data": {}}

    with pytest.raises(UncertainError):
        await account.outbound.send(reply())


@pytest.mark.parametrize("error", [NotSentError("no"), ThrottledError("later"), UncertainError("?")])
async def test_every_other_outcome_is_the_clients(error: Exception) -> None:
    account = open_account()
    account.x.answers["POST /2/tweets"] = error

    with pytest.raises(type(error)):
        await account.outbound.send(reply())


async def test_a_refused_direct_message_says_what_else_there_is() -> None:
    account = open_account()
    refused = NotPermittedError("X says: Forbidden", alternative="a public answer", code="403")
    account.x.answers["POST /2/dm_conversations/with/12/messages"] = refused

    with pytest.raises(NotPermittedError) as caught:
        await account.outbound.send(outgoing(ANN.uri, "Hello"))

    assert caught.value.alternative == "a public answer"


async def test_what_is_sent_again_by_a_person_goes_on_behind_what_went_out_and_asks_nothing_twice() -> None:
    """Its first part is not the first of the message: the poll is in the post before it."""
    account = open_account(replies="summoned")
    poll = {"poll": {"options": ["yes", "no"], "minutes": 60}}

    await account.outbound.send(reply("the rest", native=poll, earlier=("300",)))

    assert account.x.asked == [("POST /2/tweets", {"text": "the rest", "in_reply_to_tweet_id": "300"})]


# Taking back


async def test_every_post_of_a_thread_is_deleted() -> None:
    account = open_account()
    account.x.answers = {f"DELETE /2/tweets/{id}": {"data": {"deleted": True}} for id in ("1", "2")}

    receipt = await account.outbound.retract(reply(target=("1", "2")))

    assert receipt.status is Status.ACCEPTED
    assert account.x.count("DELETE", "") == 2


async def test_a_post_that_is_gone_need_not_be_deleted() -> None:
    account = open_account()
    gone = RejectedError("X says: Not Found Error", code="resource-not-found")
    account.x.answers = {"DELETE /2/tweets/1": gone, "DELETE /2/tweets/2": {"data": {"deleted": True}}}

    await account.outbound.retract(reply(target=("1", "2")))

    assert account.x.count("DELETE", "") == 2


async def test_somebody_elses_post_cannot_be_deleted() -> None:
    account = open_account()
    account.x.answers = {"DELETE /2/tweets/1": RejectedError("X says: Forbidden", code="403")}

    with pytest.raises(RejectedError):
        await account.outbound.retract(reply(target=("1",)))


async def test_a_direct_message_cannot_be_taken_back_from_them() -> None:
    account = open_account()

    with pytest.raises(UnsupportedContentError, match="for ourselves only"):
        await account.outbound.retract(outgoing(ANN.uri, target=("900",)))

    assert account.x.asked == []


# From public to private


async def test_an_invitation_has_a_link_to_us_and_is_noted_with_its_post() -> None:
    account = open_account()
    private, message = XAdapter(account.config, account.context).hand_over(
        public(), Message("Write to us", reply_to=POST)
    )
    out = outgoing(ANN.uri, "Write to us", message=message, conversation=public(), native=message.native["x"])

    await account.outbound.send(out)

    assert (private.kind, private.address) == (ConversationKind.DIRECT, ANN)
    link = f"https://x.com/messages/compose?recipient_id={OWN}"
    assert account.x.asked[0][1]["direct_message_deep_link"] == link
    noted, _ = await account.context.state.get("handover:12")
    assert (noted["post"], noted["from"]) == ("400", public().key)


async def test_the_link_is_the_hosts_to_choose() -> None:
    account = open_account(direct_message_link="https://example.org/chat/{id}?a={b}")

    await account.outbound.send(reply(native={"hand_over": True}))

    assert account.x.asked[0][1]["direct_message_deep_link"] == f"https://example.org/chat/{OWN}?a={{b}}"


# Asking


@pytest.mark.parametrize("name", ["ann", "@Ann", " @ann "])
async def test_who_is_called_so_has_an_address_that_stays(name: str) -> None:
    account = open_account()
    for handle in ("ann", "Ann"):
        account.x.answers[f"GET /2/users/by/username/{handle}"] = {"data": {"id": "12", "username": "Ann", "name": "A"}}

    found = await account.outbound.find(name)

    assert (found, found.display_name) == (ANN, "@Ann")


@pytest.mark.parametrize("name", ["nobody", "", "two words", "a/../b", "x" * 40])
async def test_nobody_is_called_so(name: str) -> None:
    account = open_account()
    account.x.answers["GET /2/users/by/username/nobody"] = {"errors": [{"title": "Not Found Error"}]}

    with pytest.raises(RejectedError) as caught:
        await account.outbound.find(name)

    assert caught.value.kind == FailureKind.INVALID_ADDRESS
