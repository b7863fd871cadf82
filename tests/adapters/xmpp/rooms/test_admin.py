"""Making a room, setting it up, inviting, putting out, taking back."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest

from convergekit.adapters.xmpp.rooms import RoomAdmin
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.room_form import OPTIONS, Field, fields_for
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    NotSentError,
    RejectedError,
    UnsupportedContentError,
)
from convergekit.model import Address
from tests.adapters.xmpp import muc_kit
from tests.adapters.xmpp.muc_kit import ALL, LOUNGE

pytestmark = pytest.mark.anyio

ROOM = Address.build("xmpp", LOUNGE)
ANN = Address("xmpp:ann@example.org")
OWNER = tag(NS.MUC_OWNER, "query")
ADMIN = tag(NS.MUC_ADMIN, "query")
MODERATE = tag(NS.MODERATION, "moderate")
CONFIG = "muc#roomconfig_"
FORM = "".join(
    f"<field var='{CONFIG}{var}' type='{kind}'/>"
    for var, kind in [
        ("roomname", "text-single"),
        ("persistentroom", "boolean"),
        ("membersonly", "boolean"),
        ("roomsecret", "text-private"),
        ("passwordprotectedroom", "boolean"),
        ("enablearchiving", "boolean"),
        ("historylength", "text-single"),
    ]
)


class Desk(muc_kit.Desk):
    """... and what is done to rooms; the server has one service for them, `conference.example.org`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.admin = RoomAdmin(self.config, self.context, self.stream, self.rooms)
        self.stream.answers[OWNER] = self._owner
        self.stream.answers[ADMIN] = ""
        self.stream.answers[MODERATE] = ""
        self.stream.answers[tag(NS.DISCO_ITEMS, "query")] = (
            f"<query xmlns='{NS.DISCO_ITEMS}'><item jid='@'/><item jid='conference.example.org'/></query>"
        )
        self.form: str | StanzaError = FORM

    def _owner(self, asked: Element) -> object:
        if asked.get("type") == "set":
            return ""
        form = f"<query xmlns='{NS.MUC_OWNER}'><x xmlns='{NS.DATA}' type='form'>{self.form}</x></query>"
        return self.form if isinstance(self.form, StanzaError) else form

    def asked(self, payload: str, kind: str = "set") -> list[Element]:
        return [each for each in self.stream.asked if each[0].tag == payload and each.get("type") == kind]

    def submitted(self) -> dict[str, list[str | None]]:
        (form,) = [each[0][0] for each in self.asked(OWNER)]
        assert form.get("type") == "submit"
        return {field.get("var", ""): [value.text for value in field] for field in form}


async def open_desk(**settings: Any) -> Desk:
    desk = Desk(**settings)
    desk.muc.occupants, desk.muc.fresh, desk.muc.affiliation = {}, True, "owner"
    await desk.stream.open()
    return desk


async def joined(**settings: Any) -> Desk:
    desk = Desk(**settings)
    await desk.stream.open()
    await desk.rooms.join(ROOM)
    return desk


# --- making -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lounge", LOUNGE])
async def test_a_room_is_made_on_the_servers_service_or_where_it_is_said(name: str) -> None:
    desk = await open_desk()

    room = await desk.admin.create(name)

    assert (room.jid, room.joined) == (LOUNGE, True)
    assert desk.submitted() == {}
    assert "lounge" in str((await desk.context.state.get("rooms"))[0])


async def test_a_room_is_set_up_before_anybody_enters() -> None:
    desk = await open_desk()

    await desk.admin.create("lounge", title="The lounge", persistent=True, members_only=False, password="open-sesame")

    assert desk.submitted() == {
        "FORM_TYPE": ["http://jabber.org/protocol/muc#roomconfig"],
        f"{CONFIG}roomname": ["The lounge"],
        f"{CONFIG}persistentroom": ["1"],
        f"{CONFIG}membersonly": ["0"],
        f"{CONFIG}roomsecret": ["open-sesame"],
        f"{CONFIG}passwordprotectedroom": ["1"],
    }


async def test_a_field_of_the_servers_own_can_be_named() -> None:
    desk = await open_desk()

    await desk.admin.create("lounge", historylength=20, archive=True, title=None)

    assert desk.submitted() | {"FORM_TYPE": []} == {
        "FORM_TYPE": [],
        f"{CONFIG}historylength": ["20"],
        f"{CONFIG}enablearchiving": ["1"],
    }


async def test_of_an_option_that_there_is_not_it_is_said_which_there_are_and_nothing_is_made() -> None:
    desk = await open_desk()

    with pytest.raises(ConfigurationError, match=r"no option 'colour'.* archive, historylength, members_only, .*title"):
        await desk.admin.create("lounge", colour="red")

    assert [each[0][0].get("type") for each in desk.asked(OWNER)] == ["cancel"]
    assert desk.muc.ours is None
    assert (await desk.context.state.get("rooms"))[0] is None


async def test_a_room_of_somebody_else_is_not_ours_to_make() -> None:
    desk = await open_desk()
    desk.muc.fresh, desk.muc.affiliation = False, "member"

    with pytest.raises(RejectedError, match="not ours"):
        await desk.admin.create("lounge", title="The lounge")

    assert (desk.muc.ours, desk.asked(OWNER)) == (None, [])


async def test_where_we_were_in_before_we_stay() -> None:
    desk = await joined()

    with pytest.raises(RejectedError, match="not ours"):
        await desk.admin.create("lounge")

    assert desk.muc.ours == "bot"


async def test_what_was_made_by_a_call_that_did_not_return_is_found_again() -> None:
    desk = await open_desk()
    desk.muc.fresh = False

    await desk.admin.create("lounge", title="The lounge")

    assert desk.submitted()[f"{CONFIG}roomname"] == ["The lounge"]


async def test_settings_that_the_server_refuses_unmake_the_room() -> None:
    desk = await open_desk()
    desk.form = StanzaError("auth", "forbidden")

    with pytest.raises(RejectedError) as caught:
        await desk.admin.create("lounge", title="The lounge")

    assert caught.value.code == "auth/forbidden"
    assert desk.muc.ours is None


@pytest.mark.parametrize(
    "name", ["", "@example.org", "room@example.org/x", "a b@example.org", "conference.example.org/x"]
)
async def test_what_can_be_no_room_is_refused(name: str) -> None:
    desk = await open_desk()

    with pytest.raises(InvalidInputError):
        await desk.admin.create(name)

    assert desk.muc.joins == []


async def test_a_server_without_rooms_says_so() -> None:
    desk = await open_desk()
    desk.muc.features = frozenset()

    with pytest.raises(UnsupportedContentError, match="no rooms of its own"):
        await desk.admin.create("lounge")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"persistent": "yes"}, "True or False"),
        ({"title": 1.5}, "a string"),
        ({"max_users": 7}, "one of 10, 20"),
        ({"title": object()}, "a string"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(options: dict[str, Any], match: str) -> None:
    form = {
        f"{CONFIG}persistentroom": Field(f"{CONFIG}persistentroom", "boolean"),
        f"{CONFIG}roomname": Field(f"{CONFIG}roomname"),
        f"{CONFIG}maxusers": Field(f"{CONFIG}maxusers", "list-single", ("10", "20")),
    }
    with pytest.raises(ConfigurationError, match=match):
        fields_for(options, form)


def test_a_list_takes_several() -> None:
    form = {f"{CONFIG}presencebroadcast": Field(f"{CONFIG}presencebroadcast", "list-multi", ("moderator", "visitor"))}

    found = fields_for({"presencebroadcast": ["moderator", "visitor"]}, form)

    assert found == {f"{CONFIG}presencebroadcast": ("moderator", "visitor")}


def test_options_are_told_in_order() -> None:
    assert list(OPTIONS) == sorted(OPTIONS)


# --- inviting ---------------------------------------------------------------------------------------------------------


async def test_an_invitation_is_ours() -> None:
    desk = await joined()
    desk.stream.flow()

    await desk.admin.invite(ROOM, ANN, "come in")

    (message,) = desk.stream.delivered
    assert (message.get("to"), message[0].tag) == ("ann@example.org", tag(NS.CONFERENCE, "x"))
    assert message[0].attrib == {"jid": LOUNGE, "reason": "come in"}
    assert message.get("id")


async def test_where_only_members_may_be_the_room_invites() -> None:
    desk = Desk()
    desk.muc.features = ALL | {"muc_membersonly"}
    await desk.stream.open()
    await desk.rooms.join(ROOM)
    desk.stream.flow()

    await desk.admin.invite(ROOM, Address("xmpp:ann@example.org/phone"), "come in")

    (message,) = desk.stream.delivered
    invite = message.find(f"{tag(NS.MUC_USER, 'x')}/{tag(NS.MUC_USER, 'invite')}")
    assert invite is not None
    assert (message.get("to"), invite.get("to")) == (LOUNGE, "ann@example.org")
    assert invite.findtext(tag(NS.MUC_USER, "reason")) == "come in"


async def test_who_is_not_in_cannot_invite() -> None:
    desk = await open_desk()

    with pytest.raises(RejectedError, match="join it first"):
        await desk.admin.invite(ROOM, ANN)


async def test_who_is_not_back_yet_waits() -> None:
    desk = await joined()
    desk.stream.drop()
    await desk.stream.open()
    desk.muc.refusal = "wait/internal-server-error"
    await desk.rooms.rejoin()

    with pytest.raises(NotSentError, match="not back"):
        await desk.admin.invite(ROOM, ANN)


# --- moderating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "change", "item"),
    [
        (f"{LOUNGE}/ann", {"role": "none"}, {"nick": "ann", "role": "none"}),
        ("ann@example.org", {"role": "visitor"}, {"nick": "ann", "role": "visitor"}),
        (f"{LOUNGE}/ann", {"affiliation": "outcast"}, {"jid": "ann@example.org", "affiliation": "outcast"}),
        ("eve@example.org/x", {"affiliation": "member"}, {"jid": "eve@example.org", "affiliation": "member"}),
    ],
)
async def test_a_role_goes_by_nickname_and_an_affiliation_by_address(
    who: str, change: dict[str, Any], item: dict[str, str]
) -> None:
    desk = await joined()

    await desk.admin.moderate(ROOM, Address.build("xmpp", who), reason="because", **change)

    (asked,) = desk.asked(ADMIN)
    assert asked[0][0].attrib == item
    assert asked[0][0].findtext(tag(NS.MUC_ADMIN, "reason")) == "because"


@pytest.mark.parametrize(
    ("who", "change"),
    [("eve@example.org", {"role": "none"}), (f"{LOUNGE}/shy", {"affiliation": "outcast"})],
)
async def test_whom_the_room_does_not_show_cannot_be_named_so(who: str, change: dict[str, Any]) -> None:
    desk = await joined()
    desk.muc.say("shy")

    with pytest.raises(RejectedError):
        await desk.admin.moderate(ROOM, Address.build("xmpp", who), **change)

    assert desk.asked(ADMIN) == []


@pytest.mark.parametrize("change", [{}, {"role": "none", "affiliation": "none"}])
async def test_it_is_either_a_role_or_an_affiliation(change: dict[str, Any]) -> None:
    desk = await joined()

    with pytest.raises(InvalidInputError):
        await desk.admin.moderate(ROOM, ANN, **change)


async def test_what_we_may_not_is_refused_with_the_servers_code() -> None:
    desk = await joined()
    desk.stream.answers[ADMIN] = StanzaError("auth", "forbidden")

    with pytest.raises(RejectedError) as caught:
        await desk.admin.moderate(ROOM, ANN, affiliation="outcast")

    assert caught.value.code == "auth/forbidden"


async def test_the_lists_of_a_room_can_be_asked() -> None:
    desk = await joined()
    desk.stream.answers[ADMIN] = (
        f"<query xmlns='{NS.MUC_ADMIN}'><item affiliation='owner' jid='Ann@Example.org'/><item affiliation='owner'/>"
        "<item affiliation='owner' jid='@'/></query>"
    )

    assert await desk.admin.affiliations(ROOM, "owner") == (ANN,)


async def test_somebody_elses_message_is_taken_back_by_the_room() -> None:
    desk = Desk()
    desk.muc.features = ALL | {NS.MODERATION}
    await desk.stream.open()
    await desk.rooms.join(ROOM)

    await desk.admin.retract(ROOM, "stanza-1", "spam")

    (asked,) = desk.asked(MODERATE)
    assert (asked.get("to"), asked[0].get("id")) == (LOUNGE, "stanza-1")
    assert [each.tag for each in asked[0]] == [tag(NS.RETRACTION, "retract"), tag(NS.MODERATION, "reason")]


async def test_a_room_that_knows_the_old_way_is_asked_so() -> None:
    desk = Desk()
    desk.muc.features = ALL | {NS.MODERATION_0}
    desk.stream.answers[tag(NS.FASTENING, "apply-to")] = ""
    await desk.stream.open()
    await desk.rooms.join(ROOM)

    await desk.admin.retract(ROOM, "stanza-1", "spam")

    (asked,) = desk.asked(tag(NS.FASTENING, "apply-to"))
    assert asked[0].get("id") == "stanza-1"
    assert [each.tag for each in asked[0][0]] == [tag(NS.RETRACTION_0, "retract"), tag(NS.MODERATION_0, "reason")]


async def test_a_room_that_cannot_is_not_asked() -> None:
    desk = await joined()

    with pytest.raises(UnsupportedContentError, match="0425"):
        await desk.admin.retract(ROOM, "stanza-1")

    assert desk.asked(MODERATE) == []


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\ufffe", "x" * 300_000])
async def test_what_would_end_the_stream_is_refused(bad: str) -> None:
    desk = await joined()
    desk.stream.flow()

    with pytest.raises(UnsupportedContentError):
        await desk.admin.invite(ROOM, ANN, bad)
    with pytest.raises(UnsupportedContentError):
        await desk.admin.moderate(ROOM, ANN, affiliation="outcast", reason=bad)

    assert (desk.stream.delivered, desk.asked(ADMIN)) == ([], [])
