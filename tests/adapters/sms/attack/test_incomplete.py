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


@pytest.mark.parametrize(
    "text", ["S\u200bTOP", "st\u00adop", "\u202eSTOP\u202c", "S\u2060T\u2060O\u2060P.", "stop\ufe0f"]
)
def test_what_nobody_sees_does_not_hide_a_word(text: str) -> None:
    (message, consent) = told(piece(text), channel("kannel", ACCOUNT))
    assert isinstance(consent, ConsentChanged)
    assert Sms.of(message).keyword == "stop"


@pytest.mark.parametrize(
    "text", ["STOP\n-- \nsent from my telephone, which is new", "Stop.\n\n> Our offer of the week: 3 for 2!"]
)
def test_a_word_above_something_else_is_marked(text: str) -> None:
    (message,) = told(piece(text), channel("kannel", ACCOUNT))
    assert Sms.of(message).maybe_opt_out
    assert Sms.of(message).keyword is None


@pytest.mark.parametrize(
    "text", ["I can't stop laughing at that one!", "The bus stop\nis where we meet, at eight", "end of the week, then?"]
)
def test_a_text_that_has_such_a_word_is_a_text(text: str) -> None:
    (message,) = told(piece(text), channel("kannel", ACCOUNT))
    assert not Sms.of(message).maybe_opt_out
