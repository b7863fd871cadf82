"""What X tells beside an event's content."""

from __future__ import annotations

from datetime import UTC, datetime

from convergekit.adapters.x import OtherPost, Poll, PollOption, X
from convergekit.model import MessageReceived


def test_what_is_told_is_read_again() -> None:
    poll = Poll(options=(PollOption(label="Tea", votes=3),), ends_at=datetime(2026, 8, 1, tzinfo=UTC), open=False)
    told = X(
        handle="ann", kind_of_mention="quote", summoned=True, quoted=OtherPost(id="5"), poll=poll, edits=("1", "2")
    )
    assert X.of(MessageReceived(key="post:1", details=told.to_details())) == told


def test_what_is_as_it_mostly_is_takes_no_room() -> None:
    assert X().to_details() == {}


def test_what_a_later_version_tells_is_passed_over() -> None:
    assert X.of(MessageReceived(key="post:1", details={"handle": "ann", "mood": "good"})) == X(handle="ann")


def test_words_of_strangers_are_not_in_its_repr() -> None:
    assert "secret" not in repr(X(quoted=OtherPost(id="5", text="secret")))
