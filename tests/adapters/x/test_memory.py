"""What a running channel remembers."""

from __future__ import annotations

from typing import Any

from convergekit.adapters.x.memory import Bounded, Known, Memory
from convergekit.model import Address, ConversationKind, ConversationRef, MessageReceived

ANN = Address("x:12")


def _mention(post: str, *, thread: str = "100", **details: Any) -> MessageReceived:
    where = ConversationRef(address=ANN, kind=ConversationKind.PUBLIC, thread=thread)
    return MessageReceived.model_validate(
        {"key": f"post:{post}", "message_id": post, "sender": ANN, "conversation": where, "details": details}
    )


def _direct() -> MessageReceived:
    return MessageReceived.model_validate(
        {"key": "dm:1", "message_id": "1", "sender": ANN, "conversation": ConversationRef(address=ANN)}
    )


def test_a_memory_has_a_bound_and_keeps_what_is_asked_for() -> None:
    memory: Bounded[int] = Bounded(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)

    assert [memory.get(key) for key in ("a", "b", "c")] == [1, None, 3]


def test_reading_a_post_tells_whether_it_may_be_answered() -> None:
    memory = Memory()
    memory.heard([_mention("101", summoned=True), _mention("102")])

    assert memory.known("101") == Known("12", True)
    assert memory.known("102") == Known("12", False)
    assert memory.known("103") is None  # nobody has read it


def test_the_newest_post_of_a_thread_is_that_with_the_greatest_number_that_may_be_answered() -> None:
    memory = Memory()
    memory.heard([_mention(post, summoned=True) for post in ("99", "101", "100")])  # text would order them otherwise
    memory.heard([_mention("102")])

    assert memory.newest("100") == "101"
    assert memory.newest("7") is None


def test_who_writes_directly_is_known_and_no_post_of_a_thread() -> None:
    memory = Memory()
    memory.heard([_direct()])

    assert memory.writes("12")
    assert not memory.writes("13")
    assert memory.known("1") is None


def test_what_we_wrote_is_known_up_to_a_message() -> None:
    memory = Memory()
    for number in range(8, 12):
        memory.wrote("x:12", str(number))

    assert memory.written("x:12", up_to="10") == ("8", "9", "10")
    assert memory.written("x:13", up_to="10") == () == memory.written("x:12", up_to="latest")


def test_of_one_peer_no_more_than_a_hundred_messages_are_kept() -> None:
    memory = Memory()
    for number in range(1, 300):
        memory.wrote("x:12", str(number))

    assert len(memory.written("x:12", up_to="1000")) == 100
