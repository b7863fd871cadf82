"""What is said about rooms: invitations, subjects, settings."""

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.model import Address, CustomReceived, Event, InvitationReceived, MessageReceived
from tests.adapters.xmpp.stanzas.inbound.known import ANN, NOW, ROOM, Known, chat, groupchat

USER = "http://jabber.org/protocol/muc#user"
DEN = "den@rooms.example.org"


def only(xml: str, known: Known | None = None) -> Event:
    (event,) = (known or Known()).read(xml).events
    return event


class TestInvitations:
    def test_from_who_invites(self) -> None:
        """XEP-0249."""
        x = f'<x xmlns="jabber:x:conference" jid="{DEN}" reason="Tea?" password="sesame"/>'
        event = only(chat(f"<body>{ANN} invites you</body>{x}"))

        assert isinstance(event, InvitationReceived)
        assert (event.room, event.text) == (Address(f"xmpp:{DEN}"), "Tea?")
        assert event.sender == Address(f"xmpp:{ANN}")
        assert Xmpp.of(event).password == "sesame"

    def test_passed_on_by_a_room(self) -> None:
        """XEP-0045 §7.8.2: whoever it is from is a room, or says that it is one; the inviter is what it says."""
        invite = f'<invite from="{ANN}/phone"><reason>Tea?</reason></invite><password>sesame</password>'
        event = only(chat(f'<x xmlns="{USER}">{invite}</x>', sender=DEN, type="normal"))

        assert isinstance(event, InvitationReceived)
        assert (event.room, event.sender, event.text) == (Address(f"xmpp:{DEN}"), Address(f"xmpp:{DEN}"), "Tea?")
        assert (Xmpp.of(event).inviter, Xmpp.of(event).password) == (f"{ANN}/phone", "sesame")

    @pytest.mark.parametrize("jid", ["", "@", "a b@c"])
    def test_to_nowhere_is_none(self, jid: str) -> None:
        event = only(chat(f'<body>Come</body><x xmlns="jabber:x:conference" jid="{jid}"/>'))
        assert isinstance(event, MessageReceived)

    def test_none_comes_in_a_room(self) -> None:
        x = f'<x xmlns="{USER}"><invite from="boss@example.org"/></x>'
        assert isinstance(only(groupchat(f"<body>Hi</body>{x}")), MessageReceived)
        x = f'<x xmlns="jabber:x:conference" jid="{DEN}"/>'
        assert isinstance(only(groupchat(f"<body>Hi</body>{x}")), MessageReceived)

    def test_who_declines_ours(self) -> None:
        decline = f'<x xmlns="{USER}"><decline from="{ANN}"><reason>No time</reason></decline></x>'
        event = only(chat(decline, sender=ROOM, type="normal"))
        assert isinstance(event, CustomReceived)
        assert (event.name, event.data) == ("xmpp.declined", {"who": ANN, "reason": "No time"})


class TestSubjects:
    def test_what_a_room_is_about(self) -> None:
        event = only(groupchat("<subject>Tea</subject>"))

        assert isinstance(event, CustomReceived)
        assert (event.name, event.data) == ("xmpp.subject", {"subject": "Tea"})
        assert event.sender == Address(f"xmpp:{ROOM}/ann")

    def test_nothing(self) -> None:
        event = only(groupchat("<subject/>"))
        assert isinstance(event, CustomReceived)
        assert event.data == {"subject": ""}

    def test_what_is_told_whenever_we_come_in_is_one_event(self) -> None:
        at = '<delay xmlns="urn:xmpp:delay" from="tea@rooms.example.org" stamp="2026-02-28T10:00:00Z"/>'
        keys = {only(groupchat(f"<subject>Tea</subject>{at}", id=None)).key for _ in range(2)}
        other = only(groupchat("<subject>Coffee</subject>", id=None)).key
        assert len(keys | {other}) == 2

    def test_beside_a_text_it_is_a_message(self) -> None:
        event = only(groupchat("<subject>Tea</subject><body>a</body>"))
        assert isinstance(event, MessageReceived)


def test_settings_of_a_room_have_changed() -> None:
    codes = f'<x xmlns="{USER}"><status code="104"/><status code="172"/></x>'
    event = only(groupchat(codes, nickname=None))
    assert isinstance(event, CustomReceived)
    assert (event.name, event.data, event.at) == ("xmpp.room", {"codes": ["104", "172"]}, NOW)

    assert Known().read(groupchat(codes)).events == ()  # an occupant does not say so
