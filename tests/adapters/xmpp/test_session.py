"""A session is set up in order, hears all there is, and ends as soon as it is over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any, cast
from xml.etree.ElementTree import Element

import anyio
import pytest
from anyio.abc import TaskStatus

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.archives import Place
from convergekit.adapters.xmpp.config import XmppConfig
from convergekit.adapters.xmpp.identities import Identities
from convergekit.adapters.xmpp.inflow import OWN, Inflow, room_feed
from convergekit.adapters.xmpp.session import BATCH, Session
from convergekit.adapters.xmpp.stanzas.inbound import Reading
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import Bound, StanzaError
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    ConvergeError,
    DeliveryError,
    NotRunningError,
    NotSentError,
    StoreError,
)
from convergekit.model import MessageReceived, PresenceChanged
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_archive import BEGAN, QUERY, FakeArchive, rsm
from tests.adapters.xmpp.fake_stream import HANGS, SILENT, FakeStream, element

pytestmark = pytest.mark.anyio

ME = "bot@example.org"
ROOM = "room@conference.example.org"
DISCO = tag(NS.DISCO_INFO, "query")
CARBONS = tag(NS.CARBONS, "enable")
PING = tag(NS.PING, "ping")
FEATURES = (
    "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:mam:2'/>"
    "<feature var='urn:xmpp:sid:0'/></query>"
)
NOTHING = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


def message(number: int | str, *, archived: str | None = None) -> str:
    id = "" if archived is None else f"<stanza-id xmlns='urn:xmpp:sid:0' id='{archived}' by='{ME}'/>"
    return f"<message from='ann@example.org/x' type='chat' id='{number}'><body>hi {number}</body>{id}</message>"


class Rooms:
    """One room, that is entered when the test says so."""

    jid = ROOM
    joined: tuple[Any, ...] = ()
    nickname = "bot"
    trusts_occupant_ids = False
    has_archive = False
    features: frozenset[str] | None = frozenset()

    def __init__(self, steps: list[str]) -> None:
        self.entered: Callable[[str], None] = lambda _: None
        self.entering: Callable[[str], AbstractContextManager[object]] = nullcontext
        self.rejoins: Callable[[], None] = lambda: None
        self._steps = steps

    def doubt(self, jid: str) -> None:
        self._steps.append(f"doubts {jid}")

    def room(self, jid: str) -> Any:
        return self if jid == ROOM else None

    def occupant(self, nickname: str) -> None:
        return None

    def read(self, element: Element, *, now: datetime) -> Reading | None:
        return Reading() if element.get("from", "").startswith(ROOM) else None

    async def rejoin(self, *, resumed: bool = False) -> None:
        self._steps.append(f"rooms{' again' if resumed else ''}")
        self.rejoins()

    async def keep(self) -> None:
        await anyio.sleep_forever()


class Roster:
    """Shows presence."""

    def __init__(self, stream: FakeStream, steps: list[str]) -> None:
        self.shows: Callable[[], object] = lambda: None
        self._stream, self._steps = stream, steps

    def read(self, element: Element, *, now: datetime) -> Reading:
        return Reading(notices=(PresenceChanged(sender="xmpp:ann@example.org", presence="away"),))

    async def begin(self, *, resumed: bool = False) -> None:
        self.shows()
        self._steps.append(f"presence{' again' if resumed else ''}")

    async def keep(self) -> None:
        await anyio.sleep_forever()


class Here:
    """A session over a stream that does what the test says."""

    def __init__(self, **settings: Any) -> None:
        settings = {"jid": ME, "password": "pw", "rooms": [{"room": ROOM}], **settings}
        self.config = XmppConfig(**settings)
        self.context = FakeContext()
        self.inflow = Inflow(stanzas=self.config.queue, octets=2**23)
        self.stream = FakeStream(self.inflow)
        self.ended: ConvergeError | None = None
        self.steps: list[str] = []
        self.rooms, self.roster = Rooms(self.steps), Roster(self.stream, self.steps)
        self.session = Session(
            self.config,
            self.context,
            self.stream,
            self.inflow,
            rooms=cast("Any", self.rooms),
            roster=cast("Any", self.roster),
            identities=Identities(),
        )
        self.archive = FakeArchive(self.stream)
        self.stream.answers |= {QUERY: self.archive, DISCO: FEATURES, CARBONS: "", PING: ""}
        flow = self.stream.flow
        self.stream.flow = lambda: (self.steps.append("flow"), flow())[1]  # type: ignore[method-assign,func-returns-value]

    @property
    def admitted(self) -> list[str]:
        return [each.text or "" for each in self.context.admitted if isinstance(each, MessageReceived)]

    async def place(self, feed: str = OWN) -> Place | None:
        return Place.from_value(await self.context.cursor(feed))

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """It listens; `ended` is by what it ended itself."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._listen)
            yield
            await self.settled()
            tasks.cancel_scope.cancel()

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        self.ended = None
        try:
            await self.session.listen(task_status=task_status)
        except ConvergeError as error:
            self.ended = error

    @property
    def asked_for_life(self) -> list[Element]:
        return [iq for iq in self.stream.asked if iq[0].tag == PING]

    async def settled(self) -> None:
        """Everything that came has been dealt with."""
        await anyio.wait_all_tasks_blocked()


async def test_it_is_set_up_in_order() -> None:
    here = Here()

    async with here.listening():
        pass

    assert [iq[0].tag for iq in here.stream.asked] == [DISCO, CARBONS, QUERY, QUERY]
    assert here.stream.asked[0].get("to") == ME
    assert here.steps == ["presence", "rooms", "flow"]
    assert here.session.has_archive
    assert "the server has no" not in here.context.logged


async def test_a_resumed_session_is_not_introduced_again() -> None:
    here = Here()
    async with here.listening():
        pass
    del here.stream.asked[:], here.steps[:]
    here.stream.drop()
    here.stream.opens = [Bound(here.stream.jid, resumed=True)]

    async with here.listening():
        pass

    assert [iq[0].tag for iq in here.stream.asked] == [QUERY]  # one look at the archive, for good measure
    assert here.steps == ["presence again", "rooms again", "flow"]


async def test_what_was_not_answered_for_a_lost_connection_is_asked_in_the_resumed_session() -> None:
    here = Here()
    here.stream.answers |= {DISCO: SILENT, CARBONS: SILENT}
    async with here.listening():
        pass
    here.stream.answers |= {DISCO: FEATURES, CARBONS: ""}
    del here.stream.asked[:]
    here.stream.drop()
    here.stream.opens = [Bound(here.stream.jid, resumed=True)]

    async with here.listening():
        pass

    assert [iq[0].tag for iq in here.stream.asked[:2]] == [DISCO, CARBONS]
    assert here.session.has_archive


async def test_where_the_archive_ends_is_known_before_anything_can_come() -> None:
    """What comes just then must lie behind it, or a crash would lose it."""
    here = Here()
    here.archive.keep(message("old"))
    here.rooms.rejoins = lambda: here.steps.append(str(len(here.archive.asked)))

    async with here.listening():
        pass

    assert here.steps == ["presence", "rooms", "1", "flow"]
    assert here.admitted == []
    assert await here.place() == Place("a1", here.archive.kept[0][1])


async def test_what_is_archived_until_we_show_ourselves_is_not_passed_over() -> None:
    """It comes no other way: who shows no presence gets no messages."""
    here = Here()
    here.roster.shows = lambda: here.archive.keep(message(1))

    async with here.listening():
        pass

    assert here.admitted == ["hi 1"]


async def test_what_was_said_while_we_were_away_comes_before_what_comes_now() -> None:
    here = Here()
    await here.context.admit(cursor=Cursor(Place("a1", BEGAN).to_value()))
    for number in range(1, 5):
        here.archive.keep(message(number))
    here.rooms.rejoins = lambda: here.stream.push(message(4), message(5))

    async with here.listening():
        pass

    assert here.admitted == ["hi 2", "hi 3", "hi 4", "hi 5"]
    assert here.stream.safe == here.stream.pushed


async def test_a_live_message_moves_the_place_with_it() -> None:
    here = Here()

    async with here.listening():
        here.stream.push(message(1, archived="s1"), message(2, archived="s2"), message(3))
        await here.settled()

        place = await here.place()

    assert here.admitted == ["hi 1", "hi 2", "hi 3"]
    assert place is not None
    assert place.id == "s2"


async def test_nothing_is_acknowledged_that_the_ledger_has_not_taken() -> None:
    here = Here()

    async with here.listening():
        here.context.refuses_admission = StoreError("disk full")
        here.stream.push(message(1))

    assert isinstance(here.ended, StoreError)
    assert here.stream.safe == 0
    assert here.stream.aborted == 1  # so that the server knows, and brings it again


async def test_it_comes_again_and_is_admitted_once() -> None:
    here = Here()

    for refused in (StoreError("disk full"), None, None):
        here.context.refuses_admission = None
        here.stream.drop()
        async with here.listening():
            here.context.refuses_admission = refused
            here.stream.push(message(1))

    assert here.admitted == ["hi 1"]


async def test_a_hub_that_closes_keeps_the_session_for_what_it_still_sends() -> None:
    """And what comes meanwhile is not said to be safe: the server brings it again."""
    here = Here()

    async with here.listening():
        here.context.refuses_admission = NotRunningError("the hub is closing")
        here.stream.push(*map(message, range(2000)))
        await here.settled()
        await here.stream.deliver([element(message("out"))], started=lambda: None)

        assert (here.stream.safe, here.stream.paused, here.ended) == (0, False, None)

    assert len(here.stream.delivered) == 1


async def test_much_at_once_is_admitted_in_few_transactions() -> None:
    here = Here()
    calls: list[int] = []
    admit = here.context.admit

    async def counted(*events: Any, cursor: Cursor | None = None) -> Any:
        calls.append(len(events))
        return await admit(*events, cursor=cursor)

    async with here.listening():
        here.context.admit = counted  # type: ignore[method-assign]
        here.stream.push(*(message(number) for number in range(200)))
        await here.settled()

    assert calls == [BATCH, BATCH, BATCH, 8]
    assert here.admitted == [f"hi {number}" for number in range(200)]


async def test_a_slow_ledger_slows_the_stream_down() -> None:
    here = Here(queue=100)
    gate = anyio.Event()
    admit = here.context.admit

    async def slow(*events: Any, cursor: Cursor | None = None) -> Any:
        await gate.wait()
        return await admit(*events, cursor=cursor)

    async with here.listening():
        here.context.admit = slow  # type: ignore[method-assign]
        here.stream.push(*(message(number) for number in range(1000)))
        await here.settled()
        assert (here.stream.paused, here.stream.pushed) == (True, 100)

        gate.set()
        await here.settled()

    assert len(here.admitted) == 1000
    assert here.stream.safe == 1000


@pytest.mark.parametrize("answer", [SILENT, StanzaError("wait", "internal-server-error")])
async def test_a_server_that_does_not_say_what_it_offers_is_lived_with(answer: Exception) -> None:
    here = Here()
    here.stream.answers = dict.fromkeys((QUERY, DISCO, CARBONS, PING), answer)

    async with here.listening():
        here.stream.push(message(1, archived="s1"))

    assert here.admitted == ["hi 1"]
    assert "cannot be read" in here.context.logged


async def test_a_server_that_offers_nothing_is_lived_with() -> None:
    here = Here()
    here.stream.answers = dict.fromkeys((QUERY, DISCO, CARBONS, PING), StanzaError("cancel", "service-unavailable"))

    async with here.listening():
        here.stream.push(message(1, archived="s1"))

    assert here.admitted == ["hi 1"]
    assert not here.session.has_archive
    assert "no archive" in here.context.logged
    assert "no carbons" in here.context.logged
    assert await here.place() is None


async def test_a_room_that_refuses_what_we_say_is_asked_whether_we_are_in() -> None:
    here = Here()
    async with here.listening():
        refused = "<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        here.stream.push(f"<message type='error' id='1' from='{ROOM}'>{refused}</message>")

    assert here.steps[-1] == f"doubts {ROOM}"


async def test_presence_is_a_notice_and_not_stored() -> None:
    here = Here()

    async with here.listening():
        here.stream.push("<presence from='ann@example.org/x'><show>away</show></presence>")
        await here.settled()

    assert [each.type for each in here.context.notified] == ["presence.changed"]
    assert here.stream.safe == 1


async def test_a_room_with_an_archive_is_caught_up_with_once_we_are_in() -> None:
    here = Here()
    here.rooms.has_archive, here.rooms.features = True, frozenset({NS.MAM, NS.SID})
    archive = FakeArchive(here.stream, ROOM)
    said = f"<message from='{ROOM}/ann' type='groupchat' id='{{0}}'><body>hi {{0}}</body></message>"
    for number in range(1, 4):
        archive.keep(said.format(number))
    here.stream.answers[QUERY] = lambda iq: archive if iq.get("to") == ROOM else here.archive
    await here.context.admit(cursor=Cursor(Place("a1", BEGAN).to_value(), room_feed(ROOM)))

    def enter() -> None:
        with here.rooms.entering(ROOM):
            here.stream.push(said.format(4))
            here.rooms.entered(ROOM)

    here.rooms.rejoins = enter
    async with here.listening():
        pass

    assert here.admitted == ["hi 2", "hi 3", "hi 4"]


async def test_a_room_that_we_stayed_in_is_looked_through_as_well() -> None:
    """A session that is resumed enters none."""
    here = Here()
    here.rooms.has_archive, here.rooms.features = True, frozenset({NS.MAM, NS.SID})
    here.rooms.joined = (here.rooms,)
    archive = FakeArchive(here.stream, ROOM)
    for number in range(1, 3):
        archive.keep(f"<message from='{ROOM}/ann' type='groupchat' id='{number}'><body>hi {number}</body></message>")
    here.stream.answers[QUERY] = lambda iq: archive if iq.get("to") == ROOM else here.archive
    await here.context.admit(cursor=Cursor(Place("a1", BEGAN).to_value(), room_feed(ROOM)))
    here.stream.opens = [Bound(here.stream.jid, resumed=True)]

    async with here.listening():
        await here.settled()
        stanza_id = f"<stanza-id xmlns='urn:xmpp:sid:0' id='a3' by='{ROOM}'/>"
        here.stream.push(f"<message from='{ROOM}/ann' type='groupchat' id='3'><body>hi 3</body>{stanza_id}</message>")

    assert here.admitted == ["hi 2", "hi 3"]
    place = await here.place(room_feed(ROOM))
    assert place is not None
    assert place.id == "a3"


async def test_of_a_room_without_one_the_time_is_kept() -> None:
    """It is told that time when we come back, and repeats what came after it."""
    here = Here()

    def enter() -> None:
        with here.rooms.entering(ROOM):
            here.rooms.entered(ROOM)

    here.rooms.rejoins = enter
    async with here.listening():
        here.stream.push(f"<message from='{ROOM}/ann' type='groupchat' id='1'><body>hi</body></message>")

    assert here.admitted == ["hi"]
    assert await here.place(room_feed(ROOM)) == Place(None, here.context.clock.now())


async def test_a_room_that_does_not_let_us_in_holds_nothing_up() -> None:
    here = Here()

    async with here.listening():
        with here.rooms.entering(ROOM):
            here.stream.push(f"<message from='{ROOM}/ann' type='groupchat' id='1'><body>hi</body></message>")
            await here.settled()
            assert here.stream.safe == 0

    assert here.stream.safe == 1


async def test_the_archive_is_looked_through_now_and_then() -> None:
    """Else who mostly sends finds all of that after the next loss; and who shows no presence hears by nothing else."""
    here = Here()

    async with here.listening():
        await here.settled()
        here.archive.keep(message("ours").replace("ann@example.org/x", ME))
        here.archive.keep(message(1))
        here.context.clock.advance(600)
        await here.settled()
        here.context.clock.advance(600)

    assert here.admitted == ["hi 1"]
    assert [rsm(iq, "after") for iq in here.archive.asked[2:]] == [None, "a2"]


async def test_an_archive_that_has_no_time_now_is_asked_again_in_a_minute() -> None:
    here = Here()
    await here.context.admit(cursor=Cursor(Place("a1", BEGAN).to_value()))
    here.archive.keep(message(1))
    here.archive.keep(message(2))
    here.stream.answers[QUERY] = StanzaError("wait", "resource-constraint")

    async with here.listening():
        here.stream.push(message(3))
        await here.settled()
        assert here.admitted == ["hi 3"]
        here.stream.answers[QUERY] = here.archive
        here.context.clock.advance(60)

    assert here.admitted == ["hi 3", "hi 2"]


async def test_a_component_has_no_archive_and_no_carbons() -> None:
    here = Here(jid="gw.example.org", account="component", host="localhost", rooms=[])
    here.stream.jid = "gw.example.org"

    async with here.listening():
        here.stream.push(message(1))

    assert here.admitted == ["hi 1"]
    assert here.stream.asked == []


@pytest.mark.parametrize("why", [NotSentError("lost"), AccountError("conflict: another has our resource")])
async def test_how_it_ends_is_let_out_as_it_is(why: DeliveryError) -> None:
    here = Here()

    async with here.listening():
        here.stream.drop(why)

    assert here.ended is why


async def test_a_login_that_is_refused_is_let_out() -> None:
    here = Here()
    here.stream.opens = [AuthenticationError("not-authorized")]

    with pytest.raises(AuthenticationError):
        await here.session.listen()


async def test_a_silent_peer_is_asked_and_then_left() -> None:
    """80 seconds by the settings that are there."""
    here = Here()
    here.stream.answers[PING] = SILENT

    async with here.listening():
        here.context.clock.advance(59)
        await here.settled()
        assert not here.asked_for_life
        here.context.clock.advance(1)

    assert isinstance(here.ended, NotSentError)
    assert here.stream.aborted == 1


@pytest.mark.parametrize("answer", ["", StanzaError("cancel", "service-unavailable")])
async def test_a_peer_that_answers_is_alive_whatever_it_says(answer: str | Exception) -> None:
    here = Here()
    here.stream.answers[PING] = answer

    async with here.listening():
        for _ in range(3):
            await here.settled()
            here.context.clock.advance(60)
        await here.settled()

        assert (len(here.asked_for_life), here.stream.aborted) == (3, 0)


async def test_who_speaks_is_not_asked() -> None:
    here = Here()

    async with here.listening():
        for number in range(10):
            here.context.clock.advance(30)
            here.stream.push(message(number))
            await here.settled()

        assert not here.asked_for_life


async def test_while_we_do_not_read_silence_says_nothing() -> None:
    here = Here(queue=10)
    here.stream.answers[PING] = SILENT
    gate = anyio.Event()

    async def stuck(*events: Any, cursor: Cursor | None = None) -> Any:
        await gate.wait()

    async with here.listening():
        here.context.admit = stuck  # type: ignore[method-assign]
        here.stream.push(*map(message, range(10)))
        await here.settled()
        here.context.clock.advance(600)
        await here.settled()

        assert (here.asked_for_life, here.stream.aborted) == ([], 0)


async def test_reading_goes_on_while_the_server_leaves_a_question_open() -> None:
    here = Here()
    here.stream.answers[DISCO] = HANGS
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.session.listen)
        await here.stream.until(lambda: here.stream.asked)
        here.stream.push("<presence from='ann@example.org/x'/>", f"<message from='{ROOM}/ann' type='groupchat'/>")
        await here.settled()
        tasks.cancel_scope.cancel()

    assert here.stream.safe == 2


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_cancelled_anywhere_the_next_session_is_a_good_one(steps: int) -> None:
    here = Here()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.session.listen)
        for number in range(steps):
            await anyio.lowlevel.checkpoint()
            if here.stream.bound is not None:
                here.stream.push(message(number))
        tasks.cancel_scope.cancel()
    here.stream.drop()
    here.stream.safe = here.stream.pushed = 0

    async with here.listening():
        here.stream.push(message("last"))

    assert here.admitted[-1] == "hi last"
    assert here.stream.safe == 1
