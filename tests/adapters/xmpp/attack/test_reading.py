"""What one stanza can do at worst: nothing is lost or doubled by its ids, and it makes nothing grow."""

from __future__ import annotations

import pytest

from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.model import MessageReceived
from tests.adapters.xmpp.stanzas.inbound.known import BOT, Known, chat, groupchat, stamped


def key(known: Known, xml: str, *, archived: Archived | None = None) -> str:
    (event,) = known.read(xml, archived=archived).events
    assert isinstance(event, MessageReceived)
    return event.key


def origin(id: str) -> str:
    return f"<origin-id xmlns='urn:xmpp:sid:0' id='{id}'/>"


@pytest.mark.parametrize(
    "id",
    ["q" * 5000, "x" * 100_000, "two&#10;lines", "\x85", "\u202e"],
    ids=["long", "huge", "lines", "control", "bidi"],
)
def test_an_odd_id_is_known_again_when_it_comes_again(id: str) -> None:
    """A server sends again what it does not know to have arrived."""
    known = Known()
    assert key(known, chat("<body>hi</body>", id=id)) == key(known, chat("<body>hi</body>", id=id))
    named = chat(f"<body>hi</body>{origin(id)}", id=None)
    assert key(known, named) == key(known, named)
    assert key(known, named) != key(known, chat(f"<body>hi</body>{origin(id + '!')}", id=None))


def test_another_text_under_the_same_id_is_another_message() -> None:
    """Also where it is the origin-id that a client counts anew in each session."""
    known = Known()
    one, other = (chat(f"<body>{text}</body>{origin('1')}", id="1") for text in ("good day", "help!"))
    assert key(known, one) != key(known, other)


def test_the_same_id_of_another_is_another_message() -> None:
    known = Known()
    keys = {
        key(known, groupchat(f"<body>hi</body>{origin(id)}", nickname=nickname))
        for nickname, id in (("ann", "x:y"), ("ann:x", "y"), ("ann", "x"), ("ann>x", "y"))
    }
    assert len(keys) == 4


def test_in_which_order_a_server_writes_attributes_makes_no_other_message() -> None:
    """Prosody writes them in any order, live and out of its archive."""
    known = Known()
    invited = "<x xmlns='jabber:x:conference' {}/>"
    one, other = (
        known.read(chat(f"<body>come</body>{invited.format(said)}")).events[0].key
        for said in ("jid='tea@rooms.example.org' reason='cake'", "reason='cake' jid='tea@rooms.example.org'")
    )
    assert one == other


@pytest.mark.parametrize("type", ["headline", "odd"])
def test_a_stanza_id_on_what_no_server_archives_moves_no_place(type: str) -> None:
    reading = Known().read(chat(f"<body>a</body>{stamped('forged', BOT)}", type=type))
    # What has a type that nobody knows counts as "normal" (RFC 6121 §5.2.2), and is archived.
    assert (reading.archived is None) is (type == "headline")


@pytest.mark.parametrize(
    "one",
    [
        "<received xmlns='urn:xmpp:receipts' id='ck.{:032x}'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='ck.{:032x}'/>",
    ],
)
def test_thousands_of_reports_in_a_stanza_are_not_kept_with_thousands_of_copies_of_it(one: str) -> None:
    """A quarter of a megabyte would make three quarters of a gigabyte."""
    xml = chat("".join(one.format(number) for number in range(3000)))
    events = Known().read(xml).events
    assert sum(len(each.model_dump_json()) for each in events) < 8 * len(xml)


def test_one_that_has_read_much_is_kept_once() -> None:
    known = Known()
    ids = [f"ck.{number:032x}" for number in range(200)]
    for id in ids:
        known.identities.sent("ann@example.org", id)
    padding = f"<x xmlns='urn:example:much'>{'x' * 200_000}</x>"
    events = known.read(chat(f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{ids[-1]}'/>{padding}")).events
    assert len(events) == 200
    assert sum(len(each.native or "") for each in events) < 250_000
