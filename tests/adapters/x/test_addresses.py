"""Whom an address means, and where something goes."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.abc import Outgoing
from convergekit.adapters.x.addresses import (
    PUBLIC,
    Destination,
    DestinationKind,
    destination,
    group,
    group_id,
    handle_of,
    peer_in,
    user,
    user_id,
)
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Address, ConversationKind, ConversationRef, FailureKind, Message
from convergekit.testing import outgoing

ROOT, PARENT = "1346889436626259968", "1346889436626259999"


def public(to: str = "x:12345", *, thread: str | None = ROOT, **more: Any) -> Outgoing:
    ref = ConversationRef(address=Address(to), kind=ConversationKind.PUBLIC, thread=thread)
    return outgoing(to, conversation=ref, **more)


def test_a_person_is_their_id_and_the_handle_is_shown() -> None:
    ann = user("12345", "@ann")
    assert (ann.uri, ann.display_name) == ("x:12345", "@ann")
    assert ann == user("12345", "@ann_now")
    assert (user_id(ann), handle_of(ann)) == ("12345", None)


@pytest.mark.parametrize("uri", ["x:@ann", "x:dm-5", "x:public", "mailto:a@example.org"])
def test_only_an_id_is_a_persons_id(uri: str) -> None:
    assert user_id(Address(uri)) is None


def test_a_group_is_its_conversation() -> None:
    assert group("77").uri == "x:dm-77"
    assert (group_id(group("77")), group_id(user("77"))) == ("77", None)


def test_a_handle_is_found_in_an_address() -> None:
    assert handle_of(Address("x:@Ann")) == "ann"


@pytest.mark.parametrize(
    ("conversation", "peer"),
    [("9-10", "10"), ("10-9", "10"), ("9-9", "9"), ("77", None), ("10-11", None), ("9-", None), ("9-ann", None)],
)
def test_the_peer_is_the_other_one_of_the_two(conversation: str, peer: str | None) -> None:
    assert peer_in(conversation, own="9") == peer


def test_an_address_alone_is_a_direct_message() -> None:
    assert destination(outgoing("x:12345")) == Destination(DestinationKind.DIRECT, "12345")


def test_a_groups_address_is_the_group() -> None:
    assert destination(outgoing("x:dm-77")) == Destination(DestinationKind.GROUP, "77")


def test_what_is_said_to_everybody_is_a_post() -> None:
    assert destination(outgoing(PUBLIC.uri)) == Destination(DestinationKind.POST)


def test_a_reply_in_a_public_conversation_is_a_reply_in_public() -> None:
    found = destination(public(message=Message("hi", reply_to=PARENT)))
    assert found == Destination(DestinationKind.POST, "12345", PARENT, ROOT)


def test_without_a_parent_whoever_sends_it_knows_the_thread() -> None:
    assert destination(public()) == Destination(DestinationKind.POST, "12345", None, ROOT)


def test_a_later_part_answers_the_one_before() -> None:
    found = destination(public(message=Message("hi", reply_to=PARENT), index=1, count=2, earlier=("555",)))
    assert found.parent == "555"


def test_missing_parts_that_are_sent_again_answer_the_last_one_that_went_out() -> None:
    found = destination(public(message=Message("hi", reply_to=PARENT), index=0, count=1, earlier=("555",)))
    assert found.parent == "555"


def test_a_direct_message_names_no_post_even_where_it_answers_one() -> None:
    """What was handed over from a public post stays private."""
    found = destination(outgoing("x:12345", message=Message("hi", reply_to=PARENT, thread=ROOT)))
    assert found == Destination(DestinationKind.DIRECT, "12345")


def test_a_name_is_refused_with_the_way_out() -> None:
    with pytest.raises(RejectedError, match=r'await hub\.channel\(\.\.\.\)\.find\("@ann"\)') as caught:
        destination(outgoing("x:@ann"))
    assert caught.value.kind is FailureKind.INVALID_ADDRESS


@pytest.mark.parametrize("out", [outgoing("mailto:a@example.org"), public("x:dm-77")])
def test_who_is_nobody_and_what_does_not_fit_is_refused(out: Outgoing) -> None:
    with pytest.raises(RejectedError):
        destination(out)


def test_a_person_in_a_groups_conversation_is_refused_rather_than_written_to_alone() -> None:
    ref = ConversationRef(address=Address("x:dm-77"), kind=ConversationKind.GROUP)
    with pytest.raises(RejectedError, match="group"):
        destination(outgoing("x:12345", conversation=ref))


def test_an_answer_to_what_is_no_post_is_refused() -> None:
    with pytest.raises(UnsupportedContentError, match="no post"):
        destination(public(message=Message("hi", reply_to="<mail@example.org>")))
