"""What a post and what a direct message can carry."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x import XAdapter, XConfig
from convergekit.model import Address, Capabilities, ConversationKind, ConversationRef, Status
from convergekit.testing import FakeContext
from tests.adapters.x.outbound.kit import KEYS

ANN = Address("x:12")
PUBLIC = ConversationRef(address=ANN, kind=ConversationKind.PUBLIC, thread="1")
EVERYBODY = ConversationRef(address=Address("x:public"))


def of(conversation: ConversationRef, **settings: Any) -> Capabilities:
    config = XConfig.model_validate({"oauth1": KEYS, **settings})
    return XAdapter(config, FakeContext(channel="x")).capabilities_for(conversation)


@pytest.mark.parametrize(
    "conversation",
    [ConversationRef(address=ANN), ConversationRef(address=Address("x:dm-5"), kind=ConversationKind.GROUP)],
)
def test_a_direct_message_holds_much_text_and_one_file(conversation: ConversationRef) -> None:
    found = of(conversation)

    assert found.text is not None
    assert (found.text.max, found.text.overflow, found.attachments.count) == (10_000, "split", 1)
    assert Status.READ in found.receipts
    assert not found.replies


@pytest.mark.parametrize("conversation", [PUBLIC, EVERYBODY])
def test_a_post_holds_little_text_and_four_files(conversation: ConversationRef) -> None:
    found = of(conversation)

    assert found.text is not None
    assert (found.text.max, found.text.unit, found.text.overflow) == (280, "weighted", "split")
    assert found.attachments.count == 4
    assert found.replies
    assert Status.READ not in found.receipts


@pytest.mark.parametrize(
    ("policy", "most", "overflow"), [("thread", 280, "split"), ("refuse", 280, "refuse"), ("long", 25_000, "split")]
)
def test_what_becomes_of_a_long_text_is_the_hosts_to_choose(policy: str, most: int, overflow: str) -> None:
    found = of(PUBLIC, long_text=policy).text

    assert found is not None
    assert (found.max, found.overflow) == (most, overflow)
