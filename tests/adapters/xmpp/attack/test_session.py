"""A server that leaves questions open, or answers them at the wrong time: what was said comes all the same."""

from __future__ import annotations

import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.archives import Place
from convergekit.adapters.xmpp.identities import origin_id
from convergekit.adapters.xmpp.inflow import room_feed
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.model import ReceiptReceived, Status
from tests.adapters.xmpp.fake_archive import QUERY, FakeArchive
from tests.adapters.xmpp.fake_stream import SILENT
from tests.adapters.xmpp.test_session import DISCO, FEATURES, ROOM, Here, message

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("answer", [SILENT, StanzaError("wait", "resource-constraint")])
async def test_a_server_that_does_not_say_that_it_has_an_archive_is_asked_for_it_all_the_same(
    answer: Exception,
) -> None:
    """A server that has much to do, as after a restart: what was said meanwhile would wait for the next session."""
    here = Here()
    async with here.listening():
        here.archive.keep(message(1))
        here.stream.push(message(1, archived="a1"))
    here.archive.keep(message(2))
    here.stream.answers[DISCO] = answer
    async with here.listening():
        pass
    assert here.admitted == ["hi 1", "hi 2"]


async def test_the_first_time_too_so_that_the_second_time_something_is_known() -> None:
    here = Here()
    here.stream.answers[DISCO] = SILENT
    async with here.listening():
        pass
    here.archive.keep(message(1))
    here.stream.answers[DISCO] = FEATURES
    async with here.listening():
        pass
    assert here.admitted == ["hi 1"]


async def test_a_room_that_does_not_say_that_it_has_an_archive_is_asked_for_it_all_the_same() -> None:
    """What was said while we were away is more than a room repeats, and the place in its archive must not pass it."""
    here = Here()
    of_room = FakeArchive(here.stream, ROOM)
    here.stream.answers[QUERY] = lambda iq: (here.archive if iq.get("to") is None else of_room)(iq)
    here.rooms.features = None
    ids = [
        of_room.keep(message(number).replace("ann@example.org/x' type='chat", f"{ROOM}/ann' type='groupchat"))
        for number in range(1, 4)
    ]
    await here.context.admit(cursor=Cursor(Place(ids[0], None).to_value(), room_feed(ROOM)))

    def enter() -> None:
        with here.rooms.entering(ROOM):
            here.stream.push(message(9).replace("ann@example.org/x' type='chat", f"{ROOM}/ann' type='groupchat"))
            here.rooms.entered(ROOM)

    here.rooms.rejoins = enter
    async with here.listening():
        pass
    assert here.admitted == ["hi 2", "hi 3", "hi 9"]


async def test_much_at_once_while_the_archive_is_read_makes_no_report_smaller() -> None:
    """Who has read the second message has read the first; it is looked at twice, and said as often as that."""
    here = Here(queue=10)
    ids = [origin_id(str(number)) for number in range(2)]
    for id in ids:
        here.session.facts.identities.sent("ann@example.org", id)
    marker = f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{ids[1]}'/>"

    def show() -> None:
        here.stream.push(f"<message from='ann@example.org/x' type='chat' id='d'>{marker}</message>")
        here.stream.push(*(message(number) for number in range(20)))

    here.roster.shows = show
    async with here.listening():
        pass
    receipts = [each.receipt for each in here.context.admitted if isinstance(each, ReceiptReceived)]
    assert [each.status for each in receipts] == [Status.READ, Status.READ]
