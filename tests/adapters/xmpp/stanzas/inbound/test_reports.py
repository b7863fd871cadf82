"""What became of our messages: only whom they were for says so."""

import pytest

from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.adapters.xmpp.stanzas.inbound.errors import KINDS
from convergekit.model import (
    Address,
    CustomReceived,
    Event,
    FailureKind,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
    shared_id,
)
from tests.adapters.xmpp.stanzas.inbound.known import (
    ANN,
    BOT,
    NOW,
    OURS,
    OURS_TOO,
    ROOM,
    Known,
    carbon,
    chat,
    groupchat,
    stamped,
)

RECEIVED = '<received xmlns="urn:xmpp:receipts" id="{}"/>'
DISPLAYED = '<displayed xmlns="urn:xmpp:chat-markers:0" id="{}"/>'
TO_ANN = shared_id(OURS, Address(f"xmpp:{ANN}"))


def receipts(xml: str, known: Known | None = None, archived: Archived | None = None) -> list[Receipt]:
    events = (known or Known()).read(xml, archived=archived).events
    assert all(isinstance(event, ReceiptReceived) for event in events)
    return [event.receipt for event in events if isinstance(event, ReceiptReceived)]


def error(condition: str, type: str = "cancel", text: str = "", *, id: str | None = OURS, sender: str = ANN) -> str:
    inside = f'<error type="{type}"><{condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>{text}</error>'
    return chat(f"<body>Hello</body>{inside}", type="error", id=id, sender=sender)


class TestReceipts:
    def test_it_is_with_the_recipient(self) -> None:
        (receipt,) = receipts(chat(RECEIVED.format(OURS)))
        assert (receipt.status, receipt.ids) == (Status.DELIVERED, (TO_ANN,))

    def test_who_was_not_written_to_reports_of_no_message_of_anybody(self) -> None:
        (receipt,) = receipts(chat(RECEIVED.format(OURS), sender="eve@evil.example/x"))
        assert TO_ANN not in receipt.ids
        assert OURS not in receipt.ids

    def test_an_occupant_does_not_report_for_a_room(self) -> None:
        assert receipts(groupchat(RECEIVED.format(OURS))) == []
        assert receipts(groupchat(DISPLAYED.format(OURS))) == []

    @pytest.mark.parametrize("id", ["", "m1", "ck.", f"{OURS}x", "&#10;"])
    def test_of_what_we_did_not_send_there_is_nothing_to_report(self, id: str) -> None:
        assert receipts(chat(RECEIVED.format(id))) == []
        assert receipts(chat(DISPLAYED.format(id))) == []

    def test_the_same_news_is_one_event(self) -> None:
        known = Known()
        ways = [
            known.read(chat(RECEIVED.format(OURS), id="1")),
            known.read(chat(RECEIVED.format(OURS), id="2", sender=f"{ANN}/desk")),
            known.read(carbon("received", chat(RECEIVED.format(OURS), id="1"))),
            known.read(chat(RECEIVED.format(OURS), id="1"), archived=Archived("", "7", NOW)),
        ]
        assert len({event.key for reading in ways for event in reading.events}) == 1

    def test_that_it_arrived_and_that_it_was_read_are_two(self) -> None:
        known = Known()
        one, other = known.read(chat(RECEIVED.format(OURS))), known.read(chat(DISPLAYED.format(OURS)))
        assert one.events[0].key != other.events[0].key

    def test_what_is_said_beside_is_not_lost(self) -> None:
        events = Known().read(chat("<body>Thanks</body>" + RECEIVED.format(OURS))).events
        assert [type(event) for event in events] == [ReceiptReceived, MessageReceived]

    def test_another_devices_receipts_are_its_own(self) -> None:
        assert receipts(carbon("sent", chat(RECEIVED.format("m1"), sender=f"{BOT}/x", to=ANN))) == []


class TestMarkers:
    def test_who_has_read_it_has_read_what_came_before(self) -> None:
        known = Known()
        known.identities.sent(ANN, OURS_TOO)
        known.identities.sent(ANN, OURS)
        known.identities.sent("cy@example.org", OURS)

        found = receipts(chat(DISPLAYED.format(OURS)), known)
        assert [receipt.status for receipt in found] == [Status.READ, Status.READ]
        assert [receipt.ids for receipt in found] == [(shared_id(OURS_TOO, Address(f"xmpp:{ANN}")),), (TO_ANN,)]

    @pytest.mark.parametrize(("marker", "status"), [("received", Status.DELIVERED), ("acknowledged", Status.READ)])
    def test_as_it_was_before_2023(self, marker: str, status: Status) -> None:
        (receipt,) = receipts(chat(f'<{marker} xmlns="urn:xmpp:chat-markers:0" id="{OURS}"/>'))
        assert receipt.status is status

    def test_what_has_arrived_is_not_read(self) -> None:
        known = Known()
        known.identities.sent(ANN, OURS_TOO)
        known.identities.sent(ANN, OURS)
        receipts(chat(f'<received xmlns="urn:xmpp:chat-markers:0" id="{OURS}"/>'), known)
        assert len(receipts(chat(DISPLAYED.format(OURS)), known)) == 2

    def test_what_another_device_has_read_is_told(self) -> None:
        (event,) = Known().read(carbon("sent", chat(DISPLAYED.format("m1"), sender=f"{BOT}/x", to=ANN))).events
        assert isinstance(event, CustomReceived)
        assert (event.name, event.data["displayed"]) == ("xmpp.sent", "m1")


class TestReflections:
    def test_a_room_tells_by_which_id_it_knows_what_we_said(self) -> None:
        known = Known()
        (receipt,) = receipts(groupchat("<body>Hello</body>" + stamped("s1"), nickname="bot", id=OURS), known)

        assert receipt.status is Status.RELAYED
        assert receipt.ids == (shared_id(OURS, Address(f"xmpp:{ROOM}")), "s1")
        found = known.identities.find(ROOM, "s1")
        assert found is not None
        assert found.origin == OURS

    def test_nobody_else_says_so(self) -> None:
        (event,) = Known().read(groupchat("<body>Hello</body>" + stamped("s1"), nickname="eve", id=OURS)).events
        assert isinstance(event, MessageReceived)


class TestErrors:
    def test_it_came_back(self) -> None:
        text = '<text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas">Nobody\nhere</text>'
        (receipt,) = receipts(error("service-unavailable", text=text))

        assert (receipt.status, receipt.ids) == (Status.FAILED, (TO_ANN,))
        assert receipt.failure is not None
        assert receipt.failure.kind is FailureKind.UNREACHABLE
        assert (receipt.failure.code, receipt.failure.text) == ("cancel/service-unavailable", "Nobody here")

    @pytest.mark.parametrize(("condition", "kind"), KINDS.items())
    def test_each_condition_is_a_kind(self, condition: str, kind: FailureKind) -> None:
        (receipt,) = receipts(error(condition, "wait"))
        assert receipt.failure is not None
        assert (receipt.failure.kind, receipt.failure.code) == (kind, f"wait/{condition}")

    def test_one_that_nobody_defined_is_of_no_kind(self) -> None:
        (receipt,) = receipts(error("teapot"))
        assert receipt.failure is not None
        assert (receipt.failure.kind, receipt.failure.code) == (None, "cancel/teapot")

    @pytest.mark.parametrize(
        ("inside", "code"),
        [
            ('<a xmlns="urn:example:app"/><gone xmlns="{0}"/>', "modify/gone"),
            ('<text xmlns="{0}">Moved</text><gone xmlns="{0}"/>', "modify/gone"),
            ('<a xmlns="urn:example:app"/>', "modify/undefined-condition"),
            ("", "modify/undefined-condition"),
        ],
    )
    def test_the_condition_is_where_it_is(self, inside: str, code: str) -> None:
        said = f'<error type="modify">{inside.format("urn:ietf:params:xml:ns:xmpp-stanzas")}</error>'
        (receipt,) = receipts(chat(said, type="error", id=OURS))
        assert receipt.failure is not None
        assert receipt.failure.code == code

    def test_a_type_that_nobody_knows_is_final(self) -> None:
        (receipt,) = receipts(error("gone", "shout"))
        assert receipt.failure is not None
        assert receipt.failure.code == "cancel/gone"

    def test_an_error_without_an_error_is_one(self) -> None:
        (receipt,) = receipts(chat("", type="error", id=OURS))
        assert receipt.failure is not None
        assert receipt.failure.code == "cancel/undefined-condition"

    def test_only_of_whom_it_was_for(self) -> None:
        (receipt,) = receipts(error("service-unavailable", sender="eve@evil.example"))
        assert TO_ANN not in receipt.ids

    def test_what_a_room_sends_back_was_for_the_room(self) -> None:
        (event,) = Known().read(error("forbidden", "auth", sender=ROOM)).events
        assert isinstance(event, ReceiptReceived)
        assert event.receipt.ids == (shared_id(OURS, Address(f"xmpp:{ROOM}")),)
        assert event.conversation is not None
        assert event.conversation.kind == "group"

    def test_its_body_is_no_message(self) -> None:
        def is_message(event: Event) -> bool:
            return isinstance(event, MessageReceived)

        for id in (OURS, "m1", None):
            assert not any(map(is_message, Known().read(error("service-unavailable", id=id)).events))

    @pytest.mark.parametrize("id", ["m1", None])
    def test_of_what_is_not_ours_it_is_told_as_it_is(self, id: str | None) -> None:
        (event,) = Known().read(error("service-unavailable", id=id)).events
        assert isinstance(event, CustomReceived)
        assert (event.name, event.data["code"]) == ("xmpp.error", "cancel/service-unavailable")

    def test_a_warning_is_no_failure(self) -> None:
        (event,) = Known().read(error("undefined-condition", "continue")).events
        assert isinstance(event, CustomReceived)

    def test_an_acknowledgement_that_comes_back_is_nothing(self) -> None:
        (reply,) = Known().read(chat('<body>a</body><request xmlns="urn:xmpp:receipts"/>')).replies
        assert Known().read(error("service-unavailable", id=reply.get("id"))).events == ()
