"""Being in rooms: in, out, back again, and what a room can do to us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.rooms import Rooms
from convergekit.adapters.xmpp.rooms import room as room_module
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import Bound, StanzaError
from convergekit.errors import InvalidInputError, NotSentError, RejectedError, StoreError
from convergekit.model import Address, ConversationKind, MembershipChanged, PresenceChanged
from tests.adapters.xmpp.fake_stream import HANGS, SILENT
from tests.adapters.xmpp.muc_kit import ALL, LOUNGE, Desk

pytestmark = pytest.mark.anyio

ROOM = Address.build("xmpp", LOUNGE)
US = Address("xmpp:bot@example.org")
HISTORY = f"{tag(NS.MUC, 'x')}/{tag(NS.MUC, 'history')}"


def occupant(nickname: str) -> Address:
    return Address.build("xmpp", f"{LOUNGE}/{nickname}")


async def joined(**settings: Any) -> Desk:
    desk = Desk(**settings)
    await desk.stream.open()
    await desk.rooms.join(ROOM)
    return desk


@asynccontextmanager
async def kept(desk: Desk) -> AsyncIterator[None]:
    """While the session lasts."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.rooms.keep)
        await anyio.wait_all_tasks_blocked()
        yield
        tasks.cancel_scope.cancel()


async def later(desk: Desk, seconds: float) -> None:
    desk.context.clock.advance(seconds)
    await anyio.wait_all_tasks_blocked()


# --- in and out -------------------------------------------------------------------------------------------------------


async def test_joining_returns_the_room_once_it_has_let_us_in() -> None:
    desk = Desk()
    await desk.stream.open()

    found = await desk.rooms.join(ROOM)

    assert (found.address, found.kind) == (ROOM, ConversationKind.GROUP)
    assert desk.muc.joins[0].get("to") == f"{LOUNGE}/bot"
    assert desk.entered == [LOUNGE]
    assert await desk.rooms.members(ROOM) == (occupant("ann"), occupant("bot"))


async def test_members_have_their_nicknames_as_display_names() -> None:
    desk = await joined()

    assert [each.display_name for each in await desk.rooms.members(ROOM)] == ["ann", "bot"]


async def test_joining_twice_is_joining_once() -> None:
    desk = await joined()

    await desk.rooms.join(ROOM)

    assert len(desk.muc.joins) == 1


async def test_two_who_join_at_once_join_once() -> None:
    desk = Desk()
    await desk.stream.open()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.rooms.join, ROOM)
        tasks.start_soon(desk.rooms.join, ROOM)

    assert len(desk.muc.joins) == 1


async def test_a_room_with_an_archive_repeats_nothing() -> None:
    desk = await joined()

    history = desk.muc.joins[0].find(HISTORY)
    assert history is not None
    assert history.attrib == {"maxstanzas": "0"}


async def test_a_room_without_an_archive_repeats_what_came_after_the_last_stored_message() -> None:
    desk = Desk()
    desk.muc.features = frozenset({NS.MUC})
    await desk.stream.open()
    await desk.context.admit(cursor=Cursor({"id": None, "at": "2026-01-01T08:00:00+00:00"}, f"room:{LOUNGE}"))

    await desk.rooms.join(ROOM)

    history = desk.muc.joins[0].find(HISTORY)
    assert history is not None
    assert history.attrib == {"since": "2026-01-01T07:50:00Z"}


async def test_a_room_that_our_entering_makes_is_opened() -> None:
    desk = Desk()
    desk.muc.fresh, desk.muc.features = True, None
    desk.stream.answers[tag(NS.MUC_OWNER, "query")] = ""
    await desk.stream.open()

    await desk.rooms.join(ROOM)

    form = [each for each in desk.stream.asked if each[0].tag == tag(NS.MUC_OWNER, "query")]
    assert [(each.get("type"), each[0][0].attrib) for each in form] == [("set", {"type": "submit"})]


@pytest.mark.parametrize("taken", [1, 3])
async def test_a_nickname_that_is_taken_has_a_number_added(taken: int) -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.occupants = dict.fromkeys(["bot", "bot-2", "bot-3"][:taken], "")

    await desk.rooms.join(ROOM)

    assert desk.muc.ours == f"bot-{taken + 1}"
    room = desk.rooms.room(LOUNGE)
    assert room is not None
    assert room.nickname == f"bot-{taken + 1}"


async def test_there_is_an_end_to_the_numbers() -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.refusal = "cancel/conflict"

    with pytest.raises(RejectedError) as caught:
        await desk.rooms.join(ROOM)

    assert caught.value.code == "cancel/conflict"
    assert len(desk.muc.joins) == 10


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ("auth/registration-required", RejectedError),
        ("auth/forbidden", RejectedError),
        ("auth/not-authorized", RejectedError),
        ("cancel/not-allowed", RejectedError),
        ("wait/service-unavailable", NotSentError),
        ("wait/resource-constraint", NotSentError),
        ("cancel/remote-server-not-found", NotSentError),
        ("cancel/item-not-found", NotSentError),
    ],
)
async def test_who_refuses_us_says_whether_it_is_for_good(refusal: str, error: type[Exception]) -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.refusal = refusal

    with pytest.raises(error) as caught:
        await desk.rooms.join(ROOM)

    assert getattr(caught.value, "code", None) == refusal
    assert desk.rooms.room(LOUNGE) is None
    assert await desk.context.state.get("rooms") == (None, 0)


async def test_a_room_that_does_not_answer_is_given_up() -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.refusal = ""

    with pytest.raises(NotSentError, match="does not answer"):
        await desk.rooms.join(ROOM)

    assert desk.stream.posted[-1].get("type") == "unavailable", "it may let us in later"


async def test_what_is_no_room_is_not_entered() -> None:
    desk = Desk()
    desk.muc.features = frozenset({NS.PING})
    await desk.stream.open()

    with pytest.raises(RejectedError, match="no room"):
        await desk.rooms.join(ROOM)
    with pytest.raises(InvalidInputError):
        await desk.rooms.join(Address("xmpp:conference.example.org"))

    assert desk.muc.joins == []


async def test_a_nickname_may_stand_in_the_address() -> None:
    desk = Desk()
    await desk.stream.open()

    await desk.rooms.join(occupant("helper"))

    assert desk.muc.ours == "helper"


async def test_a_change_of_our_role_is_not_the_answer_to_another_nickname() -> None:
    desk = await joined()
    desk.muc.rename = lambda nickname, id: desk.muc.say("bot", codes=("110",), role="visitor")  # type: ignore[method-assign]

    with pytest.raises(NotSentError):
        await desk.rooms.join(ROOM, nickname="helper")

    room = desk.rooms.room(LOUNGE)
    assert room is not None
    assert (room.joined, room.nickname) == (True, "bot")


async def test_a_nickname_that_we_did_not_get_is_not_asked_for_again() -> None:
    desk = await joined()
    desk.muc.rename = lambda nickname, id: desk.muc.refuse(nickname, id, "modify/not-acceptable")  # type: ignore[method-assign]
    with pytest.raises(RejectedError):
        await desk.rooms.join(ROOM, nickname="helper")
    assert [room.jid for room in desk.rooms.joined] == [LOUNGE]

    desk.muc.forget()
    await desk.rooms.rejoin()
    assert desk.muc.ours == "bot"


class _Busy:
    """The answer of a large room: before it comes, more is heard each time that somebody looks."""

    def __init__(self, looks: int) -> None:
        self.answered, self._looks = anyio.Event(), looks

    @property
    def heard(self) -> int:
        self._looks -= 1
        if not self._looks:
            self.answered.set()
        return -self._looks


@pytest.mark.parametrize(("looks", "waits"), [(7, True), (1000, False)])
async def test_a_large_room_has_more_time_to_answer_and_not_all_the_time(looks: int, waits: bool) -> None:
    entrance = Desk(timeout=0.001).rooms._entrance
    answer: Any = _Busy(looks)
    if waits:
        await entrance._answer(answer)
    else:
        with pytest.raises(NotSentError):
            await entrance._answer(answer)


async def test_who_waits_for_a_room_does_not_outwait_the_session() -> None:
    desk = Desk(timeout=60.0)
    desk.muc.refusal = ""
    await desk.stream.open()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, kept(desk):
            tasks.start_soon(_not_let_in, desk)
            await desk.stream.until(lambda: desk.muc.joins)


async def test_a_room_that_tells_only_who_is_in_what_it_can_do_is_asked_again() -> None:
    desk = Desk()
    desk.muc.features = None
    say = desk.muc.say

    def let_in(nickname: str, **said: Any) -> None:
        desk.muc.features = ALL
        say(nickname, **said)

    desk.muc.say = let_in  # type: ignore[method-assign]
    await desk.stream.open()

    await desk.rooms.join(ROOM)

    room = desk.rooms.room(LOUNGE)
    assert room is not None
    assert (room.has_archive, room.trusts_occupant_ids) == (True, True)


async def test_leaving_does_not_wait_for_a_room_that_does_not_let_us_in() -> None:
    desk = Desk(timeout=60.0)
    desk.muc.refusal = ""
    await desk.stream.open()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_not_let_in, desk)
            await desk.stream.until(lambda: desk.muc.joins)
            await desk.rooms.leave(ROOM)

    assert desk.stream.posted[-1].get("type") == "unavailable"
    assert (await desk.context.state.get("rooms"))[0] is None


async def _not_let_in(desk: Desk) -> None:
    with pytest.raises(NotSentError):
        await desk.rooms.join(ROOM)


async def test_a_password_is_told() -> None:
    desk = Desk(rooms=[{"room": LOUNGE, "password": "open-sesame"}])
    await desk.stream.open()

    await desk.rooms.rejoin()

    assert desk.muc.joins[0].findtext(f"{tag(NS.MUC, 'x')}/{tag(NS.MUC, 'password')}") == "open-sesame"


async def test_who_leaves_is_out_and_stays_out() -> None:
    desk = await joined()

    await desk.rooms.leave(ROOM)
    await desk.rooms.leave(ROOM)
    await desk.rooms.rejoin()

    assert desk.muc.ours is None
    assert len(desk.muc.joins) == 1
    with pytest.raises(RejectedError, match="join it first"):
        await desk.rooms.members(ROOM)


async def test_a_room_of_the_settings_that_was_left_is_entered_again_when_the_channel_is_opened_anew() -> None:
    desk = Desk(rooms=[{"room": LOUNGE, "nickname": "helper"}])
    await desk.stream.open()
    await desk.rooms.rejoin()
    await desk.rooms.leave(ROOM)
    await desk.rooms.rejoin()
    assert [each.get("to") for each in desk.muc.joins] == [f"{LOUNGE}/helper"]

    another = Desk(context=desk.context, rooms=[{"room": LOUNGE}])
    await another.stream.open()
    await another.rooms.rejoin()
    assert another.muc.ours == "bot"


async def test_a_nickname_that_the_room_spells_otherwise_is_an_answer() -> None:
    desk = await joined()
    rename = desk.muc.rename
    desk.muc.rename = lambda nickname, id: rename(nickname.upper(), id)  # type: ignore[method-assign]

    await desk.rooms.join(ROOM, nickname="helper")

    room = desk.rooms.room(LOUNGE)
    assert room is not None
    assert room.nickname == "HELPER"


async def test_another_nickname_is_asked_for_without_leaving() -> None:
    desk = await joined()

    await desk.rooms.join(ROOM, nickname="helper")

    room = desk.rooms.room(LOUNGE)
    assert room is not None
    assert (desk.muc.ours, room.nickname, len(desk.muc.joins)) == ("helper", "helper", 1)
    assert await desk.rooms.members(ROOM) == (occupant("ann"), occupant("helper"))


async def test_without_a_session_nobody_can_be_asked() -> None:
    with pytest.raises(NotSentError):
        await Desk().rooms.join(ROOM)


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_a_room_is_rejoined_in_each_fresh_session() -> None:
    desk = await joined()
    desk.stream.drop()
    desk.muc.forget()
    await desk.stream.open()

    await desk.rooms.rejoin()

    assert desk.muc.ours == "bot"
    assert desk.entered == [LOUNGE, LOUNGE]


async def test_a_resumed_session_asks_whether_we_are_in_and_joins_only_if_not() -> None:
    desk = await joined()
    desk.stream.drop()
    desk.stream.opens.append(Bound("bot@example.org/here", resumed=True))
    await desk.stream.open()

    await desk.rooms.rejoin(resumed=True)
    assert len(desk.muc.joins) == 1

    desk.muc.forget()
    await desk.rooms.rejoin(resumed=True)
    assert len(desk.muc.joins) == 2


async def test_a_joined_room_outlives_the_process() -> None:
    desk = Desk()
    await desk.stream.open()
    await desk.rooms.join(ROOM, nickname="helper", password="open-sesame")

    another = Desk(context=desk.context)
    await another.stream.open()
    await another.rooms.rejoin()

    assert another.muc.ours == "helper"
    assert another.muc.joins[0].findtext(f"{tag(NS.MUC, 'x')}/{tag(NS.MUC, 'password')}") == "open-sesame"


async def test_a_room_that_was_left_is_forgotten() -> None:
    desk = await joined()
    await desk.rooms.leave(ROOM)

    another = Desk(context=desk.context)
    await another.stream.open()
    await another.rooms.rejoin()

    assert another.muc.joins == []


async def test_nothing_that_a_room_does_keeps_a_session_from_beginning() -> None:
    desk = Desk(rooms=[{"room": LOUNGE}])
    desk.stream.answers[tag(NS.DISCO_INFO, "query")] = HANGS
    await desk.stream.open()

    with anyio.fail_after(5):
        await desk.rooms.rejoin()

    assert desk.rooms.joined == ()


async def test_a_room_that_keeps_silent_does_not_keep_a_session_from_beginning() -> None:
    desk = Desk(rooms=[{"room": LOUNGE}])
    desk.muc.refusal = ""
    await desk.stream.open()

    await desk.rooms.rejoin()

    assert desk.muc.ours is None


async def test_what_failed_is_tried_again_with_back_off() -> None:
    desk = Desk(rooms=[{"room": LOUNGE}])
    desk.muc.refusal = "wait/internal-server-error"
    await desk.stream.open()
    await desk.rooms.rejoin()

    async with kept(desk):
        assert len(desk.muc.joins) == 1
        await later(desk, 2)
        await later(desk, 2)
        assert len(desk.muc.joins) == 2, "the second wait is longer than the first"
        desk.muc.refusal = None
        await later(desk, 2)
        assert desk.muc.ours == "bot"
        await later(desk, 200)
        assert len(desk.muc.joins) == 3


async def test_a_room_that_has_forgotten_us_is_found_out_and_rejoined() -> None:
    desk = await joined(room_ping_interval=60.0)
    async with kept(desk):
        desk.muc.forget()
        await later(desk, 61)

        assert desk.muc.ours == "bot"
        assert desk.entered == [LOUNGE, LOUNGE]


@pytest.mark.parametrize(
    "answer",
    [
        StanzaError("cancel", "service-unavailable"),
        StanzaError("cancel", "feature-not-implemented"),
        StanzaError("cancel", "remote-server-timeout"),
        SILENT,
    ],
)
async def test_who_answers_a_ping_so_has_not_forgotten_us_or_cannot_say(answer: Exception) -> None:
    desk = await joined(room_ping_interval=60.0)
    desk.stream.answers[tag(NS.PING, "ping")] = answer
    async with kept(desk):
        await later(desk, 61)

    assert len(desk.muc.joins) == 1


async def test_a_room_that_refuses_what_we_say_is_asked_at_once_whether_we_are_in() -> None:
    desk = await joined()
    async with kept(desk):
        desk.muc.forget()
        desk.rooms.doubt(f"{LOUNGE}/ann")
        desk.rooms.doubt("ann@example.org")
        desk.rooms.doubt("@")
        await anyio.wait_all_tasks_blocked()
        assert desk.muc.ours is None, "only the room can say"

        desk.rooms.doubt("Lounge@Conference.Example.ORG")
        await anyio.wait_all_tasks_blocked()
        assert desk.muc.ours == "bot"


# --- put out ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "membership"),
    [
        (("301",), "banned"),
        (("307",), "removed"),
        (("321",), "removed"),
        (("322",), "removed"),
    ],
)
async def test_who_is_put_out_by_somebody_stays_out_and_is_told_of_it(codes: tuple[str, ...], membership: str) -> None:
    desk = await joined()
    async with kept(desk):
        desk.muc.say(
            "bot", type="unavailable", codes=("110", *codes), inside="<actor nick='ann'/><reason>enough</reason>"
        )
        await later(desk, 1000)

        (event,) = desk.events
        assert isinstance(event, MembershipChanged)
        assert (event.member, event.membership, event.details["moderator"]) == (US, membership, "ann")
        assert event.details["reason"] == "enough"
        assert event.key
        assert len(desk.muc.joins) == 1
        assert (await desk.context.state.get("rooms"))[0] is None

        await desk.rooms.join(ROOM)
        assert desk.muc.ours == "bot", "the host may want to be in again"


async def test_a_destroyed_room_is_no_more() -> None:
    desk = await joined()
    desk.stream.push(
        f"<presence from='{LOUNGE}/bot' type='unavailable'><x xmlns='{NS.MUC_USER}'>"
        "<item affiliation='none' role='none'/><status code='110'/>"
        "<destroy jid='Attic@Conference.Example.org'><reason>moved</reason></destroy></x></presence>"
    )

    (event,) = desk.events
    assert isinstance(event, MembershipChanged)
    assert event.membership == "removed"
    assert event.details["moved_to"] == "attic@conference.example.org"
    assert desk.rooms.room(LOUNGE) is None


@pytest.mark.parametrize("codes", [("332",), ("307", "333"), ("333",), ()])
async def test_who_is_put_out_by_a_failure_comes_back(codes: tuple[str, ...]) -> None:
    desk = await joined()
    async with kept(desk):
        desk.muc.say("bot", type="unavailable", codes=("110", *codes))
        desk.muc.forget()
        await anyio.wait_all_tasks_blocked()
        assert len(desk.muc.joins) == 1
        await later(desk, 2)

    assert desk.muc.ours == "bot"
    assert desk.events == []


async def test_who_may_not_come_back_is_told_once_and_does_not_try_again() -> None:
    desk = await joined()
    desk.stream.drop()
    desk.muc.forget()
    desk.muc.refusal = "auth/forbidden"
    await desk.stream.open()
    await desk.rooms.rejoin()
    async with kept(desk):
        await later(desk, 1000)
    await desk.rooms.rejoin()

    (event,) = desk.context.admitted
    assert isinstance(event, MembershipChanged)
    assert (event.member, event.membership, event.details["code"]) == (US, "banned", "auth/forbidden")
    assert len(desk.muc.joins) == 2
    assert (await desk.context.state.get("rooms"))[0] is None


async def test_what_the_ledger_did_not_take_is_told_again() -> None:
    desk = Desk(rooms=[{"room": LOUNGE}])
    desk.muc.refusal = "auth/forbidden"
    await desk.stream.open()
    desk.context.refuses_admission = StoreError("the disk is full")
    with pytest.raises(ExceptionGroup):
        await desk.rooms.rejoin()
    assert desk.context.admitted == []

    desk.context.refuses_admission = None
    await desk.rooms.rejoin()
    assert [event.type for event in desk.context.admitted] == ["membership.changed"]


async def test_who_is_leaving_is_not_told_that_they_are_not_let_in() -> None:
    desk = Desk(rooms=[{"room": LOUNGE}])
    desk.muc.refusal = "auth/forbidden"
    await desk.stream.open()
    async with anyio.create_task_group() as tasks:

        def disco(_: object) -> str:
            tasks.start_soon(desk.rooms.leave, ROOM)
            return f"<query xmlns='{NS.DISCO_INFO}'><feature var='{NS.MUC}'/></query>"

        desk.stream.answers[tag(NS.DISCO_INFO, "query")] = disco
        await desk.rooms.rejoin()

    assert len(desk.muc.joins) == 1
    assert desk.context.admitted == []


async def test_our_ghost_that_goes_while_we_come_back_does_not_disturb_us() -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.refusal = ""

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.rooms.join, ROOM)
        await desk.stream.until(lambda: desk.muc.joins)
        desk.muc.say("bot", type="unavailable", codes=("110", "333"))
        desk.muc.say("bot", codes=("110",))

    assert [room.jid for room in desk.rooms.joined] == [LOUNGE]


# --- the others -------------------------------------------------------------------------------------------------------


async def test_who_comes_and_goes_is_noticed_and_who_was_there_before_is_not() -> None:
    desk = await joined()
    desk.muc.say("ben", jid="ben@example.org/laptop", affiliation="admin", role="moderator")
    desk.muc.say("ben", type="unavailable")

    changes = [event for event in desk.notices if isinstance(event, MembershipChanged)]
    assert [(each.member, each.membership) for each in changes] == [
        (US, "joined"),
        (occupant("ben"), "joined"),
        (occupant("ben"), "left"),
    ]
    assert (changes[1].role, changes[1].details["real_jid"]) == ("moderator", "ben@example.org/laptop")
    assert changes[1].conversation is not None
    assert changes[1].conversation.kind is ConversationKind.GROUP


@pytest.mark.parametrize(("code", "membership"), [("301", "banned"), ("307", "removed")])
async def test_it_is_told_how_somebody_went(code: str, membership: str) -> None:
    desk = await joined()
    desk.muc.say("ann", type="unavailable", codes=(code,), inside="<actor nick='ben'/>")

    event = desk.notices[-1]
    assert isinstance(event, MembershipChanged)
    assert (event.member, event.membership, event.details["moderator"]) == (occupant("ann"), membership, "ben")


async def test_another_nickname_of_somebody_is_the_same_stay() -> None:
    desk = await joined()
    room = desk.rooms.room(LOUNGE)
    assert room is not None
    before = room.occupant("ann")

    desk.muc.say("ann", type="unavailable", codes=("303",), nick="anna")
    desk.muc.say("anna", jid="ann@example.org/phone")

    after = room.occupant("anna")
    assert before is not None
    assert after is not None
    assert after.stay == before.stay
    assert [event.details.get("renamed_to") for event in desk.notices[-2:]] == ["anna", None]


async def test_who_enters_under_a_nickname_that_was_left_is_somebody_else() -> None:
    desk = await joined()
    room = desk.rooms.room(LOUNGE)
    assert room is not None
    before = room.occupant("ann")
    desk.muc.say("ann", type="unavailable")
    desk.muc.say("ann")

    after = room.occupant("ann")
    assert before is not None
    assert after is not None
    assert after.stay != before.stay


async def test_what_somebody_shows_in_a_room_is_noticed_and_can_be_asked() -> None:
    desk = await joined()
    desk.muc.say("ann", jid="ann@example.org/phone", more="<show>dnd</show><status>busy</status>")

    event = desk.notices[-1]
    assert isinstance(event, PresenceChanged)
    assert (event.sender, event.presence, event.text) == (occupant("ann"), "busy", "busy")
    found = desk.rooms.presence_of(occupant("ann"))
    gone = desk.rooms.presence_of(occupant("nobody"))
    assert found is not None
    assert gone is not None
    assert (found.presence, gone.presence) == ("busy", "offline")
    assert desk.rooms.presence_of(Address("xmpp:ann@example.org")) is None


async def test_an_occupant_id_counts_only_where_the_room_makes_them() -> None:
    forged = f"<occupant-id xmlns='{NS.OCCUPANT_ID}' id='someone-else'/>"
    desk = await joined()
    desk.muc.say("ann", more=forged)
    trusting = desk.rooms.room(LOUNGE)
    assert trusting is not None
    believed = trusting.occupant("ann")

    other = Desk()
    other.muc.features = frozenset({NS.MUC, NS.MAM})
    await other.stream.open()
    await other.rooms.join(ROOM)
    other.muc.say("ann", more=forged)
    doubting = other.rooms.room(LOUNGE)
    assert doubting is not None
    doubted = doubting.occupant("ann")

    assert believed is not None
    assert doubted is not None
    assert (believed.occupant_id, doubted.occupant_id) == ("someone-else", None)
    assert (trusting.trusts_occupant_ids, doubting.trusts_occupant_ids) == (True, False)


@pytest.mark.parametrize(
    "forged",
    [
        "<presence from='eve@evil.example/lounge' type='unavailable'>{out}</presence>",
        "<presence from='lounge@conference.evil.example/bot' type='unavailable'>{out}</presence>",
        "<presence from='conference.example.org' type='unavailable'>{out}</presence>",
        "<presence type='unavailable'>{out}</presence>",
        "<presence from='@' type='unavailable'>{out}</presence>",
        "<presence from='lounge@conference.example.org/bot' type='error' id='guessed'><error type='auth'/></presence>",
        "<presence from='lounge@conference.example.org/bot' type='strange'>{out}</presence>",
    ],
)
async def test_a_forged_presence_changes_nothing(forged: str) -> None:
    desk = await joined()
    before = (await desk.rooms.members(ROOM), len(desk.events), len(desk.notices))

    desk.stream.push(forged.format(out=f"<x xmlns='{NS.MUC_USER}'><status code='110'/><status code='301'/></x>"))

    assert (await desk.rooms.members(ROOM), len(desk.events), len(desk.notices)) == before


async def test_an_answer_to_something_else_is_no_answer_to_us() -> None:
    desk = Desk()
    await desk.stream.open()
    desk.muc.refusal = ""

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.rooms.join, ROOM)
        await desk.stream.until(lambda: desk.muc.joins)
        desk.muc.refuse("bot", "another", "auth/forbidden")
        desk.muc.say("bot", codes=("110",))

    assert [room.jid for room in desk.rooms.joined] == [LOUNGE]


async def test_presence_of_somebody_who_is_in_no_room_is_not_ours() -> None:
    desk = await joined()
    desk.stream.push("<presence from='ann@example.org/phone'/>")
    desk.stream.push(f"<presence from='{LOUNGE}' type='subscribe'/>")

    assert len(desk.unread) == 2


async def test_what_we_show_is_shown_in_rooms() -> None:
    desk = await joined()

    await desk.rooms.show("busy", "at lunch")
    await desk.rooms.leave(ROOM)
    await desk.rooms.join(ROOM)

    (shown,) = desk.muc.shown
    for each in (shown, desk.muc.joins[-1]):
        assert each.findtext(tag(NS.CLIENT, "show")) == "dnd"
        assert each.findtext(tag(NS.CLIENT, "status")) == "at lunch"


async def test_a_room_that_refuses_what_we_show_is_asked_whether_we_are_in() -> None:
    desk = await joined()
    async with kept(desk):
        desk.muc.forget()
        desk.muc.refuse("bot", "another", "cancel/remote-server-not-found")
        await anyio.wait_all_tasks_blocked()

    assert desk.muc.ours == "bot"


async def test_who_is_offline_to_the_others_stays_in_rooms() -> None:
    desk = await joined()
    desk.muc.forget()  # the server has taken us out with our presence

    await desk.rooms.show("offline")

    assert desk.muc.ours == "bot"
    assert desk.muc.joins[-1].findtext(tag(NS.CLIENT, "show")) == "away"


async def test_a_crowd_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "OCCUPANTS", 100)
    desk = await joined()
    room = desk.rooms.room(LOUNGE)
    assert room is not None
    for number in range(150):
        desk.muc.say(f"guest{number}")

    assert len(room.occupants) == 100
    assert room.occupant("bot") is not None
    desk.muc.say("guest1", type="unavailable")
    assert len(room.occupants) == 99


@pytest.mark.parametrize("attribute", ["role='vi\u0085sitor'", "affiliation='king'", "jid='@'"])
async def test_what_a_room_says_in_words_of_its_own_is_passed_over(attribute: str) -> None:
    desk = await joined()
    desk.stream.push(
        f"<presence from='{LOUNGE}/ben'><x xmlns='{NS.MUC_USER}'><item {attribute}/></x>"
        f"<occupant-id xmlns='{NS.OCCUPANT_ID}' id='a\u0085b'/></presence>"
    )

    event = desk.notices[-1]
    assert isinstance(event, MembershipChanged)
    assert (event.member, event.role, event.details) == (occupant("ben"), None, {})


async def test_the_details_are_typed() -> None:
    desk = await joined()
    desk.muc.say("ann", type="unavailable", codes=("307",), inside="<actor nick='b\ten'/><reason>so\nit is</reason>")

    details = Xmpp.of(desk.notices[-1])
    assert (details.moderator, details.reason, details.affiliation) == ("b en", "so it is", "member")
    assert details.real_jid == "ann@example.org/phone"


async def test_no_secret_is_told() -> None:
    desk = Desk(rooms=[{"room": LOUNGE, "password": "open-sesame"}])
    desk.muc.refusal = "auth/not-authorized"
    await desk.stream.open()
    await desk.rooms.rejoin()

    assert "sesame" not in desk.context.logged
    assert "lounge" in desk.context.logged


def test_rooms_are_made_without_asking_anybody() -> None:
    assert isinstance(Desk().rooms, Rooms)
