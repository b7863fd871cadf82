"""What was read and is not stored yet has a bound, and its order."""

import anyio
import pytest

from convergekit.adapters.xmpp.inflow import OWN, Inflow, feed_of, room_feed, weight
from tests.adapters.xmpp.fake_stream import FakeStream, element

pytestmark = pytest.mark.anyio

ROOM = room_feed("room@conference.example.org")


def message(number: int, text: str = "hi") -> str:
    return f"<message from='ann@example.org/phone' id='{number}'><body>{text}</body></message>"


def said(number: int) -> str:
    return f"<message from='room@conference.example.org/ann' type='groupchat' id='{number}'><body>hi</body></message>"


def joined(*, stanzas: int = 10, octets: int = 1_000_000) -> tuple[Inflow, FakeStream]:
    inflow = Inflow(stanzas=stanzas, octets=octets)
    stream = FakeStream(inflow)
    inflow.attach(stream)
    return inflow, stream


async def ids(inflow: Inflow, most: int = 100) -> list[str | None]:
    items = await inflow.take(most)
    inflow.done(items)
    return [item.element.get("id") for item in items]


async def test_a_slow_reader_slows_the_stream_down() -> None:
    inflow, stream = joined(stanzas=10)

    for number in range(25):
        stream.push(message(number))

    assert (stream.paused, stream.pushed) == (True, 10)
    assert await ids(inflow, 4) == ["0", "1", "2", "3"]
    assert stream.paused  # still more than half of them are there
    assert await ids(inflow, 1) == ["4"]
    assert (stream.pushed, stream.pauses) == (15, 2)  # it went on, until there were ten again


async def test_what_takes_much_memory_slows_the_stream_down_too() -> None:
    inflow, stream = joined(stanzas=1000, octets=100_000)

    stream.push(*(message(number, "x" * 30_000) for number in range(6)))

    assert (stream.paused, stream.pushed) == (True, 4)
    await ids(inflow, 3)
    assert stream.pushed == 6


async def test_taken_and_not_done_still_counts() -> None:
    inflow, stream = joined(stanzas=10)
    stream.push(*map(message, range(12)))

    items = await inflow.take(100)

    assert stream.paused
    inflow.done(items)
    assert not stream.paused


async def test_the_server_is_told_of_what_is_safe_and_of_nothing_behind_what_is_not() -> None:
    inflow, stream = joined()
    stream.push(*map(message, range(4)))
    first, second = await inflow.take(2), await inflow.take(2)

    inflow.done(second)
    assert stream.safe == 0

    inflow.done(first)
    assert stream.safe == 4


async def test_take_waits_for_something() -> None:
    inflow, stream = joined()
    found: list[str | None] = []

    async def read() -> None:
        found.extend(await ids(inflow))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        stream.push(message(1))

    assert found == ["1"]


async def test_others_have_their_turn_however_much_there_is() -> None:
    inflow, stream = joined(stanzas=100)
    stream.push(*map(message, range(50)))
    turns: list[str] = []

    async def read() -> None:
        for _ in range(50):
            inflow.done(await inflow.take(1))
            turns.append("reader")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            turns.append("another")

    assert "another" in turns[: turns.index("reader") + 25]


async def test_messages_wait_while_their_archive_is_caught_up_with_and_others_do_not() -> None:
    inflow, stream = joined()
    inflow.hold(ROOM)

    stream.push(said(1), message(2), "<presence from='room@conference.example.org/ann' id='3'/>", said(4))

    assert await ids(inflow) == ["2", "3"]
    assert stream.safe == 0  # what came first is not
    inflow.release(ROOM)
    stream.push(said(5))
    assert await ids(inflow) == ["1", "4", "5"]
    assert stream.safe == 5


async def test_at_the_bound_what_the_archive_has_is_let_go_of_and_asked_for_again() -> None:
    """To pause would be to wait for ever: the archive's answer comes by the same stream."""
    inflow, stream = joined(stanzas=10)
    inflow.is_archived = lambda each: each.get("id") != "3"
    inflow.hold(OWN)

    stream.push(*map(message, range(10)))

    assert not stream.paused
    assert inflow.missed == {OWN}
    assert await ids(inflow) == ["3"]  # which no archive would bring
    assert stream.safe == 10


async def test_answers_of_an_archive_are_no_part_of_the_queue() -> None:
    inflow, stream = joined()
    inflow.divert = lambda each: each.get("id") == "result"

    stream.push("<message id='result'/>", message(1))

    assert stream.safe == 1
    assert await ids(inflow) == ["1"]


async def test_what_is_held_keeps_the_server_from_forgetting_answers_for_a_while_only() -> None:
    """A stream that leaves five thousand stanzas unacknowledged is ended by ejabberd."""
    inflow, stream = joined(stanzas=10)
    inflow.divert = lambda each: each.get("id") == "result"
    inflow.is_archived = lambda _: True
    inflow.hold(OWN)

    stream.push(message(1), *["<message id='result'/>"] * 9)

    assert stream.safe == 10
    assert inflow.missed == {OWN}


async def test_when_the_session_is_over_nothing_of_it_stays() -> None:
    inflow, stream = joined(stanzas=10)
    inflow.hold(ROOM)
    stream.push(said(1), *map(message, range(12)))

    stream.drop()
    inflow.clear()
    await stream.open()
    stream.push(said(7))

    assert await ids(inflow) == ["7"]
    assert stream.safe == 1


@pytest.mark.parametrize(
    ("stanza", "feed"),
    [
        (message(1), OWN),
        ("<message type='groupchat' from='Room@conference.EXAMPLE.org/ann'/>", ROOM),
        ("<message type='chat' from='room@conference.example.org/ann'/>", OWN),
        ("<message type='groupchat' from='@@'/>", None),
        ("<presence/>", None),
    ],
)
async def test_which_archive_a_stanza_belongs_to(stanza: str, feed: str | None) -> None:
    assert feed_of(element(stanza)) == feed


async def test_weight_grows_with_what_is_in_it() -> None:
    plain = weight(element(message(1)))

    assert weight(element(message(1, "x" * 1000))) == plain + 998
    assert weight(element(message(1, "ä" * 1000))) == plain + 3998
    assert weight(element("<message><a/><a b='cd'/></message>")) > weight(element("<message><a/></message>"))
