"""What the server is told that it may forget."""

from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.transport._counts import Handled


def counting() -> Handled:
    counts = Handled()
    counts.begin(resumed=False)
    return counts


def test_what_was_merely_read_does_not_count() -> None:
    counts = counting()
    counts.given()
    counts.given()
    assert counts.tell() == 0
    counts.handled(1)
    assert counts.tell() == 1


def test_what_we_answer_counts_at_once_but_never_ahead_of_what_is_older() -> None:
    counts = counting()
    counts.done()
    assert counts.tell() == 1
    counts.given()
    counts.done()
    counts.done()
    assert counts.tell() == 1
    counts.handled(1)
    assert counts.tell() == 4


def test_the_server_is_told_again_once_more_of_what_it_asked_for_is_handled() -> None:
    counts = counting()
    counts.given()
    counts.ask()
    assert counts.owes
    counts.tell()
    assert not counts.owes
    counts.handled(1)
    assert counts.owes
    assert counts.tell() == 1


def test_what_came_after_its_question_is_no_answer_to_it() -> None:
    counts = counting()
    counts.done()
    counts.ask()
    counts.tell()
    counts.given()
    counts.handled(1)
    assert not counts.owes


def test_a_new_session_begins_with_nothing() -> None:
    counts = counting()
    counts.done()
    counts.given()
    counts.lost()
    counts.forget()
    counts.begin(resumed=False)
    counts.given()
    assert counts.tell() == 0
    counts.handled(1)
    assert counts.tell() == 1


def test_after_a_resume_it_goes_on_from_what_the_server_was_told() -> None:
    """What was not handled by then is sent again by the server, and counts when it is handled anew."""
    counts = counting()
    for _ in range(3):
        counts.given()
    counts.handled(1)
    counts.lost()
    counts.handled(1)  # it was just being stored
    counts.forget()
    assert counts.tell() == 2
    counts.begin(resumed=True)
    counts.given()
    assert counts.tell() == 2
    counts.handled(1)
    assert counts.tell() == 3


def test_before_stream_management_nothing_counts() -> None:
    counts = Handled()
    counts.given()
    counts.done()
    counts.begin(resumed=False)
    counts.handled(1)
    assert counts.tell() == 0


def test_it_is_modulo_2_to_the_32() -> None:
    counts = counting()
    counts._handled = 2**32 - 1
    counts.done()
    assert counts.tell() == 0


@given(st.lists(st.sampled_from(["given", "done", "handled", "lost", "resume", "fresh"])))
def test_it_never_says_more_than_is_handled(steps: list[str]) -> None:
    counts = counting()
    session: list[bool] = []  # of this session's stanzas: whether each is handled
    open_: list[int] = []  # what was given and is not handled: its place in the session
    connected = True
    for step in steps:
        if step == "given" and connected:
            open_.append(len(session))
            session.append(False)
            counts.given()
        elif step == "done" and connected:
            session.append(True)
            counts.done()
        elif step == "handled" and open_:
            session[open_.pop(0)] = True
            counts.handled(1)
        elif step in ("lost", "resume", "fresh"):
            counts.lost()
            connected = step != "lost"
            if connected:
                counts.forget()
                session, open_ = [True] * (counts.tell() if step == "resume" else 0), []
                counts.begin(resumed=step == "resume")
        prefix = next((place for place, handled in enumerate(session) if not handled), len(session))
        assert counts.tell() == prefix
