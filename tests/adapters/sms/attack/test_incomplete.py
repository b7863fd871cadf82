"""Nobody is opted out, or in, by a piece of what they wrote."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms import Sms
from convergekit.adapters.sms.consent import told
from convergekit.model import Address, ConsentChanged, ConversationRef, MessageReceived
from tests.adapters.sms.gateway_kit import channel

ANN = Address.parse("sms:+4915112345678")


@pytest.mark.parametrize("word", ["stop", "END", "Yes", "start"])
def test_the_end_of_a_longer_message_is_no_word_for_itself(word: str) -> None:
    """It is the last of several segments, and the others may be lost."""
    (message,) = told(piece(word, total=2, missing=[1]), channel("kannel", ACCOUNT))
    assert isinstance(message, MessageReceived)
    assert Sms.of(message).keyword is None
    assert Sms.of(message).maybe_opt_out is (word in ("stop", "END"))


def test_all_of_it_is() -> None:
    events = told(piece("stop", total=2), channel("kannel", ACCOUNT))
    assert [type(each) for each in events] == [MessageReceived, ConsentChanged]


ACCOUNT = {"url": "http://127.0.0.1:13013", "username": "u", "password": "secret"}


def piece(text: str, **details: Any) -> MessageReceived:
    conversation = ConversationRef(channel="alerts", address=ANN)
    return MessageReceived(
        key="in:1", channel="alerts", sender=ANN, conversation=conversation, text=text, details=details
    )
