"""What was said while we were away is admitted, once, in order, and from where we stopped."""

from datetime import timedelta
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.archives import Archives, CatchUp, Place, Places
from convergekit.adapters.xmpp.inflow import OWN, Inflow, room_feed
from convergekit.adapters.xmpp.intake import Incoming, Intake
from convergekit.adapters.xmpp.stanzas.inbound import Reading
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import StoreError
from convergekit.model import GapDetected, MessageReceived
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_archive import BEGAN, QUERY, FakeArchive, field_of, rsm
from tests.adapters.xmpp.fake_stream import HANGS, SILENT, FakeStream

pytestmark = pytest.mark.anyio

ROOM = "room@conference.example.org"
FEED = room_feed(ROOM)


def message(number: int | str, text: str = "hi") -> str:
    return f"<message from='ann@example.org/x' id='{number}'><body>{text}</body></message>"


def translated(stanza: Incoming) -> Reading:
    id = stanza.element.get("id")
    if id == "broken":
        raise KeyError(id)
    reply = Element("reply", {"to": str(id)})
    return Reading((MessageReceived(key=f"m:{id}", sender="xmpp:ann@example.org", text="hi"),), replies=(reply,))


class Here:
    """All that catching up stands on, and an archive."""

    def __init__(self, *, room: str | None = None, page: int = 3) -> None:
        self.context = FakeContext()
        self.inflow = Inflow(stanzas=20, octets=2**23)
        self.stream = FakeStream(self.inflow)
        self.inflow.attach(self.stream)
        self.archives = Archives(self.stream, lambda: "bot@example.org")
        self.inflow.divert = self.archives.take
        self.places = Places()
        self.intake = Intake(self.context, translated, self.stream.post)
        self.catch_up = CatchUp(self.archives, self.inflow, self.intake, self.context, self.places, page)
        self.archive = FakeArchive(self.stream, room)
        self.stream.answers[QUERY] = self.archive

    async def at(self, id: str | None, minute: int | None = None, feed: str = OWN) -> None:
        """We have stopped there."""
        at = None if minute is None else BEGAN + timedelta(minutes=minute)
        await self.context.admit(cursor=Cursor(Place(id, at).to_value(), feed))

    async def place(self, feed: str = OWN) -> Place | None:
        return Place.from_value(await self.context.cursor(feed))

    @property
    def admitted(self) -> list[str]:
        return [each.key.removeprefix("m:") for each in self.context.admitted]


async def here(count: int, *, room: str | None = None, page: int = 3) -> Here:
    found = Here(room=room, page=page)
    await found.stream.open()
    for number in range(1, count + 1):
        found.archive.keep(message(number))
    return found


async def test_from_where_we_stopped_page_by_page() -> None:
    one = await here(10)
    await one.at("a2", 2)

    await one.catch_up.run(OWN)

    assert one.admitted == [str(number) for number in range(3, 11)]
    assert [rsm(iq, "after") for iq in one.archive.asked] == ["a2", "a5", "a8"]
    assert await one.place() == Place("a10", BEGAN + timedelta(minutes=10))


async def test_each_page_is_safe_before_the_next_is_asked_for() -> None:
    one = await here(10)
    await one.at("a1", 1)
    safe: list[int] = []
    one.archive.after_page = lambda: safe.append(len(one.admitted))

    await one.catch_up.run(OWN)

    assert safe == [0, 3, 6]


async def test_a_connection_lost_between_pages_costs_no_more_than_the_rest() -> None:
    one = await here(10)
    await one.at("a1", 1)

    def lose() -> None:
        if len(one.archive.asked) == 2:
            one.stream.drop()

    one.archive.after_page = lose
    assert not await one.catch_up.run(OWN)
    assert not one.context.logged
    assert await one.place() == Place("a4", BEGAN + timedelta(minutes=4))

    one.archive.after_page = lambda: None
    await one.stream.open()
    await one.catch_up.run(OWN)

    assert one.admitted == [str(number) for number in range(2, 11)]


async def test_the_first_time_nothing_old_is_admitted() -> None:
    one = await here(5)

    await one.catch_up.begin(OWN)
    one.archive.keep(message(6))
    await one.catch_up.run(OWN)

    assert one.admitted == ["6"]


async def test_an_archive_that_was_empty_then_is_read_from_its_beginning() -> None:
    """Whatever our clock says, and the server's."""
    one = await here(0)
    await one.catch_up.begin(OWN)
    one.archive.keep(message(1))

    await one.catch_up.run(OWN)

    assert one.admitted == ["1"]
    assert field_of(one.archive.asked[-1], "start") is None


async def test_begin_leaves_a_place_that_is_known() -> None:
    one = await here(5)
    await one.at("a2", 2)

    await one.catch_up.begin(OWN)

    assert await one.place() == Place("a2", BEGAN + timedelta(minutes=2))


async def test_a_place_that_the_archive_does_not_know_any_more_is_a_gap() -> None:
    one = await here(60)
    await one.at("a20", 20)
    one.archive.forget(30)

    await one.catch_up.run(OWN)

    gap, *rest = one.context.admitted
    assert isinstance(gap, GapDetected)
    assert (gap.since, gap.until) == (BEGAN + timedelta(minutes=20), BEGAN + timedelta(minutes=31))
    assert [each.key for each in rest] == [f"m:{number}" for number in range(31, 61)]
    assert "a20" in one.context.logged


async def test_a_gap_is_told_once() -> None:
    one = await here(2)
    await one.at("gone", 100)

    await one.catch_up.run(OWN)
    await one.catch_up.run(OWN)

    assert [each.type for each in one.context.admitted] == [GapDetected.type]


async def test_from_a_moment_clocks_may_differ() -> None:
    one = await here(30)
    await one.at(None, 20)

    await one.catch_up.run(OWN)

    assert one.admitted[0] == "10"  # what is known of it already is recognised


async def test_a_rooms_archive_is_asked_of_the_room() -> None:
    one = await here(4, room=ROOM)
    await one.at("a1", 1, FEED)

    await one.catch_up.run(FEED)

    assert [iq.get("to") for iq in one.archive.asked] == [ROOM]
    assert one.admitted == ["2", "3", "4"]
    assert (await one.place(FEED), await one.place(OWN)) == (Place("a4", BEGAN + timedelta(minutes=4)), None)


async def test_what_comes_live_meanwhile_comes_behind() -> None:
    one = await here(4)
    await one.at("a1", 1)
    one.inflow.hold(OWN)
    one.archive.after_page = lambda: one.stream.push(message(5))

    await one.catch_up.run(OWN)

    assert one.admitted == ["2", "3", "4"]
    assert [each.element.get("id") for each in await one.inflow.take(10)] == ["5"]


async def test_what_had_to_be_let_go_of_is_asked_for_again() -> None:
    one = await here(4)
    await one.at("a1", 1)
    one.inflow.is_archived = lambda _: True
    one.inflow.hold(OWN)

    def flood() -> None:
        one.archive.after_page = lambda: None
        for number in range(5, 30):
            one.archive.keep(message(number))
            one.stream.push(message(number))

    one.archive.after_page = flood
    await one.catch_up.run(OWN)

    assert one.admitted == [str(number) for number in range(2, 30)]
    assert not one.stream.paused


async def test_what_an_archive_does_not_have_after_all_keeps_nobody_waiting() -> None:
    one = await here(2)
    await one.at("a1", 1)
    one.inflow.is_archived = lambda _: True  # so their senders say
    one.inflow.hold(OWN)
    one.archive.after_page = lambda: one.stream.push(*map(message, range(100, 130)))

    await one.catch_up.run(OWN)

    assert len(one.archive.asked) < 6
    assert one.places.next() is None


@pytest.mark.parametrize("answer", [StanzaError("cancel", "forbidden", "go\naway"), StanzaError("auth", "x")])
async def test_an_archive_that_refuses_is_done_without(answer: StanzaError) -> None:
    one = await here(2)
    await one.at("a1", 1)
    one.stream.answers[QUERY] = answer
    one.inflow.hold(OWN)
    one.stream.push(message(5))

    await one.catch_up.run(OWN)

    assert answer.condition in one.context.logged
    assert "go\naway" not in one.context.logged
    assert len(await one.inflow.take(10)) == 1
    one.places.move(OWN, Place("a9", BEGAN))
    assert one.places.next() is None  # what lies between is asked for another time


@pytest.mark.parametrize("answer", [StanzaError("wait", "resource-constraint"), SILENT])
async def test_an_archive_that_has_no_time_now_is_to_be_asked_again(answer: Exception) -> None:
    one = await here(2)
    await one.at("a1", 1)
    one.stream.answers[QUERY] = answer
    assert not await one.catch_up.run(OWN)

    one.stream.answers[QUERY] = one.archive
    assert await one.catch_up.run(OWN)

    assert one.admitted == ["2"]


async def test_an_archive_that_comes_to_no_end_is_left() -> None:
    """One that takes no notice of where we are."""
    one = await here(5)
    await one.at("a1", 1)
    same = one.archive._found
    one.archive._found = lambda iq: same(one.archive.asked[0])  # type: ignore[method-assign]

    await one.catch_up.run(OWN)

    assert "no end" in one.context.logged
    assert one.admitted == ["2", "3", "4"]


async def test_an_empty_page_that_is_not_the_last_is_left_too() -> None:
    one = await here(5)
    await one.at("a1", 1)
    one.archive.mangles = lambda _: []
    one.stream.answers[QUERY] = lambda _: "<fin xmlns='urn:xmpp:mam:2'/>"

    await one.catch_up.run(OWN)

    assert "no end" in one.context.logged


async def test_one_message_that_cannot_be_read_is_told_of_and_passed() -> None:
    one = await here(2)
    one.archive.keep(message("broken"))
    one.archive.keep(message(4))
    await one.at("a1", 1)

    await one.catch_up.run(OWN)

    assert [each.type for each in one.context.admitted] == ["message.received", "custom.received", "message.received"]
    assert await one.place() == Place("a4", BEGAN + timedelta(minutes=4))


async def test_a_ledger_that_fails_is_let_out_and_nothing_is_passed() -> None:
    one = await here(5)
    await one.at("a1", 1)
    one.context.refuses_admission = StoreError("disk full")

    with pytest.raises(StoreError):
        await one.catch_up.run(OWN)

    one.context.refuses_admission = None
    await one.catch_up.run(OWN)
    assert one.admitted == ["2", "3", "4", "5"]


async def test_who_was_told_before_is_not_told_at_each_catching_up() -> None:
    one = await here(2)
    await one.at("a1", 1)
    await one.catch_up.run(OWN)
    await one.at("a1", 1)

    await one.catch_up.run(OWN)

    assert [each.get("to") for each in one.stream.posted] == ["2"]


@pytest.mark.parametrize("steps", range(12))
async def test_cancelled_anywhere_the_next_time_brings_the_rest(steps: int) -> None:
    one = await here(8)
    await one.at("a1", 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.catch_up.run, OWN)
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    await one.catch_up.run(OWN)

    assert one.admitted == [str(number) for number in range(2, 9)]


async def test_ten_thousand_messages_in_pages() -> None:
    one = await here(10_000, page=50)
    await one.at(None)
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, sum(len(each.results) for each in one.archives._open.values()))

    one.archive.after_page = look

    await one.catch_up.run(OWN)

    assert len(one.admitted) == 10_000
    assert (most, len(one.archive.asked)) == (50, 200)


async def test_cancelled_while_an_archive_hangs_nothing_is_held() -> None:
    one = await here(1)
    await one.at("a1", 1)
    one.stream.answers[QUERY] = HANGS
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.catch_up.run, OWN)
        await one.stream.until(lambda: one.stream.asked)
        tasks.cancel_scope.cancel()

    assert not one.archives._open
