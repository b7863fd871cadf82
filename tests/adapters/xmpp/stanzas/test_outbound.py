"""Each verb is the stanza that its XEP has."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, canonicalize, tostring

import pytest

from convergekit.abc import Outgoing
from convergekit.adapters.xmpp.identities import Identities, origin_id
from convergekit.adapters.xmpp.stanzas import outbound
from convergekit.adapters.xmpp.stanzas.destination import Destination, DestinationKind
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.errors import NotSentError, RejectedError, UnsupportedContentError
from convergekit.model import Address, Attachment, ConversationRef, Message, Part, Status

ANN = Destination("ann@a.example", DestinationKind.DIRECT, "ann@a.example")
DEN = Destination("den@rooms.example", DestinationKind.ROOM, "den@rooms.example")
MAX = Destination("den@rooms.example/Max M", DestinationKind.PRIVATE, "den@rooms.example/Max M")
KEY = "dispatch1/0"
ID = origin_id(KEY)
ORIGINAL = origin_id("dispatch0/0")
BODY = tag(NS.CLIENT, "body")
FALLBACK = tag(NS.FALLBACK, "fallback")


def out(text: str = "hello", to: Destination = ANN, *, message: Message | None = None, **more: Any) -> Outgoing:
    more.setdefault("part", Part(text=text))
    return Outgoing(
        to=to.address,
        key=KEY,
        conversation=ConversationRef(address=to.address),
        message=message or Message(text),
        **more,
    )


def sent(
    text: str = "hello", to: Destination = ANN, *, ids: Identities | None = None, is_active: bool = False, **more: Any
) -> Element:
    (message,) = outbound.send(out(text, to, **more), to, identities=ids or Identities(), is_active=is_active)
    return message


def is_like(message: Element, xml: str) -> bool:
    """Whether it is *xml*, whatever prefixes and white space between elements stand in either."""
    text = f"<message xmlns='jabber:client' {xml.strip().removeprefix('<message')}"
    one, other = (canonicalize(each, strip_text=True, rewrite_prefixes=True) for each in (tostring(message), text))
    assert one == other
    return True


# --- send ----------------------------------------------------------------------------------------------------------


def test_a_message_to_somebody() -> None:
    """RFC 6121 §5.2; 0359 origin-id, 0085 active, 0184 request, 0333 markable."""
    assert is_like(
        sent("Grüße & <tea>", is_active=True),
        f"""<message to='ann@a.example' type='chat' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <body>Grüße &amp; &lt;tea></body>
            <active xmlns='http://jabber.org/protocol/chatstates'/>
            <request xmlns='urn:xmpp:receipts'/>
            <markable xmlns='urn:xmpp:chat-markers:0'/>
        </message>""",
    )


def test_a_message_to_a_room() -> None:
    """XEP-0045 §7.4. A room would answer with as many reports as it has occupants, so none is asked for."""
    assert is_like(
        sent(to=DEN),
        f"""<message to='den@rooms.example' type='groupchat' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <body>hello</body>
        </message>""",
    )


def test_a_private_message_to_an_occupant() -> None:
    """XEP-0045 §7.5."""
    message = sent(to=MAX)
    assert (message.get("to"), message.get("type")) == ("den@rooms.example/Max M", "chat")
    assert message.find(tag(NS.MUC_USER, "x")) is not None
    assert message.find(tag(NS.RECEIPTS, "request")) is not None


def test_what_is_sent_again_has_the_same_ids() -> None:
    first, second = sent(), sent(attempt=7, maybe_sent=True)
    assert tostring(first) == tostring(second)


def test_a_component_says_from_whom() -> None:
    to = Destination("ann@a.example", DestinationKind.DIRECT, "ann@a.example", sender="help@gw.example")
    assert sent(to=to).get("from") == "help@gw.example"
    assert sent().get("from") is None  # an account's server says it


def test_thread_and_language() -> None:
    message = sent(message=Message("hello", thread="t 1", language="de-AT"))
    assert message.findtext(tag(NS.CLIENT, "thread")) == "t 1"
    assert message.get("{http://www.w3.org/XML/1998/namespace}lang") == "de-AT"


@pytest.mark.parametrize("unstyled", [True, False])
def test_plain_text_is_shown_as_it_stands(unstyled: bool) -> None:
    """XEP-0393 §6: who wrote plain text means an asterisk by an asterisk."""
    found = sent(part=Part(text="2*3*4", unstyled=unstyled)).find(tag(NS.STYLING, "unstyled"))
    assert (found is not None) is unstyled


def test_each_file_is_a_message_of_its_own_and_reports_are_asked_of_the_last() -> None:
    """XEP-0066 as clients have it: the body is the URL and nothing else. Who has the last has those before it."""
    messages = outbound.send(
        out("two photos"), ANN, files=["https://u.example/1.jpg", "https://u.example/2.jpg"], identities=Identities()
    )

    assert [message.get("id") for message in messages] == [ID, f"{ID}-1", f"{ID}-2"]
    assert [message.findtext(BODY) for message in messages] == [
        "two photos",
        "https://u.example/1.jpg",
        "https://u.example/2.jpg",
    ]
    assert is_like(
        messages[1],
        f"""<message to='ann@a.example' type='chat' id='{ID}-1'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}-1'/>
            <body>https://u.example/1.jpg</body>
            <x xmlns='jabber:x:oob'><url>https://u.example/1.jpg</url></x>
        </message>""",
    )
    asked = [message.find(tag(NS.RECEIPTS, "request")) is not None for message in messages]
    assert asked == [False, False, True]


def test_a_file_without_a_text_has_the_plain_id() -> None:
    (message,) = outbound.send(out(""), ANN, files=["https://u.example/1.jpg"], identities=Identities())
    assert message.get("id") == ID


def test_nothing_to_say_is_refused() -> None:
    with pytest.raises(UnsupportedContentError, match="nothing to say"):
        sent("")


@pytest.mark.parametrize("field", ["text", "thread", "language", "reply_to", "subject"])
def test_what_xml_cannot_say_is_refused_by_the_name_of_its_to(field: str) -> None:
    bad = "se\ufffecret"
    more: dict[str, Any] = {}
    if field == "subject":
        more["native"] = {"subject": bad}
    elif field != "text":
        more["message"] = Message.model_validate({"text": "hello", field: bad})
    text = bad if field == "text" else "hello"

    with pytest.raises(UnsupportedContentError, match=r"U\+FFFE at position 2") as caught:
        sent(text, **more)
    assert "cret" not in str(caught.value)


def test_what_only_xmpp_knows_stands_beside_the_body_or_alone() -> None:
    xml = "<attention xmlns='urn:xmpp:attention:0'/>"
    assert sent(native={"xml": xml}).find("{urn:xmpp:attention:0}attention") is not None

    alone = sent("", native={"xml": xml})
    assert alone.find(BODY) is None
    assert alone.find(tag(NS.RECEIPTS, "request")) is None


def test_the_subject_of_a_room_is_a_message_without_a_text() -> None:
    """XEP-0045 §8.1."""
    message = sent("", DEN, native={"subject": "tea at four"})
    assert message.findtext(tag(NS.CLIENT, "subject")) == "tea at four"
    assert message.find(BODY) is None
    assert sent("", DEN, native={"subject": ""}).findtext(tag(NS.CLIENT, "subject")) == ""
    with pytest.raises(UnsupportedContentError, match="without a text"):
        sent("hello", DEN, native={"subject": "tea at four"})

    assert sent("hello", native={"subject": "tea"}).findtext(tag(NS.CLIENT, "subject")) == "tea"


# --- replies -------------------------------------------------------------------------------------------------------


def test_an_answer_names_the_message_and_whose_it_is() -> None:
    """XEP-0461. Between two, what is answered stands right above, and is not quoted."""
    ids = Identities()
    ids.learn("ann@a.example", "m1", author="ann@a.example", text="shall we?")
    message = sent("yes", message=Message("yes", reply_to="m1"), ids=ids)

    reply = message.find(tag(NS.REPLY, "reply"))
    assert reply is not None
    assert reply.attrib == {"id": "m1", "to": "ann@a.example"}
    assert message.findtext(BODY) == "yes"
    assert message.find(FALLBACK) is None


def test_an_answer_to_ourselves_is_not_said_to_be_one_to_them() -> None:
    reply = sent("and", message=Message("and", reply_to=ORIGINAL)).find(tag(NS.REPLY, "reply"))
    assert reply is not None
    assert reply.attrib == {"id": ORIGINAL}
    reply = sent("and", message=Message("and", reply_to="m1")).find(tag(NS.REPLY, "reply"))
    assert reply is not None
    assert reply.attrib == {"id": "m1", "to": "ann@a.example"}


def test_in_a_room_an_answer_quotes_for_those_who_do_not_see_what_is_answered() -> None:
    """XEP-0428: what is marked is cut away by who does, with tos in code points."""
    ids = Identities()
    text = "> earlier\nWas 🎉 gibt's?\n\nzwei\ndrei\nvier"
    ids.learn("den@rooms.example", "r7", author="occ", sender="den@rooms.example/Ann", text=text)
    message = sent("Tee & Kuchen", DEN, message=Message("Tee & Kuchen", reply_to="r7"), ids=ids)

    reply, fallback = message.find(tag(NS.REPLY, "reply")), message.find(FALLBACK)
    assert reply is not None
    assert reply.attrib == {"id": "r7", "to": "den@rooms.example/Ann"}
    assert fallback is not None
    assert fallback.get("for") == "urn:xmpp:reply:0"
    body = message.findtext(BODY)
    assert body == "> Was 🎉 gibt's?\n> zwei\n> drei\nTee & Kuchen"
    marked = fallback[0]
    assert marked.tag == tag(NS.FALLBACK, "body")
    assert body[int(marked.attrib["end"]) :] == "Tee & Kuchen"
    assert marked.get("start") == "0"


def test_what_is_not_known_is_neither_quoted_nor_given_to_somebody() -> None:
    message = sent("yes", DEN, message=Message("yes", reply_to="r9"))
    reply = message.find(tag(NS.REPLY, "reply"))
    assert reply is not None
    assert reply.attrib == {"id": "r9"}
    assert message.findtext(BODY) == "yes"


def test_a_long_line_is_quoted_by_its_beginning() -> None:
    ids = Identities()
    ids.learn("den@rooms.example", "r7", author="occ", text="x" * 250)
    body = sent("yes", DEN, message=Message("yes", reply_to="r7"), ids=ids).findtext(BODY)
    assert body == f"> {'x' * 100}…\nyes"


# --- edit, retract, react, mark_read --------------------------------------------------------------------------------


def about(*target: str, to: Destination = ANN, text: str = "", **more: Any) -> Outgoing:
    return out(text, to, target=target, **more)


def ours(to: Destination, *ids: str) -> tuple[str, ...]:
    """What the ledger knows of a message of ours: each id, and with its addressee."""
    return tuple(sorted([*ids, *(f"{id} {to.address.uri}" for id in ids)]))


@pytest.mark.parametrize("target", [ours(ANN, ORIGINAL), ours(ANN, ORIGINAL, f"{ORIGINAL}-1"), (ORIGINAL,)])
def test_a_correction_names_the_text_that_it_replaces(target: tuple[str, ...]) -> None:
    """XEP-0308."""
    (message,) = outbound.edit(about(*target, text="better"), ANN, identities=Identities())
    assert is_like(
        message,
        f"""<message to='ann@a.example' type='chat' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <body>better</body>
            <replace xmlns='urn:xmpp:message-correct:0' id='{ORIGINAL}'/>
            <request xmlns='urn:xmpp:receipts'/>
            <markable xmlns='urn:xmpp:chat-markers:0'/>
        </message>""",
    )


def test_a_correction_in_a_room_names_the_senders_id() -> None:
    """XEP-0308 §3: also where the room has given it one of its own."""
    target = ("17-of-the-room", f"{ORIGINAL}-1", *ours(DEN, ORIGINAL))
    (message,) = outbound.edit(about(*target, to=DEN, text="better"), DEN, identities=Identities())
    replace = message.find(tag(NS.CORRECTION, "replace"))
    assert replace is not None
    assert replace.get("id") == ORIGINAL


def test_what_the_room_calls_it_is_corrected_by_what_we_do() -> None:
    ids = Identities()
    ids.learn("den@rooms.example", "room-1", author="us", origin=ORIGINAL)
    (message,) = outbound.edit(about("room-1", to=DEN, text="better"), DEN, identities=ids)
    replace = message.find(tag(NS.CORRECTION, "replace"))
    assert replace is not None
    assert replace.get("id") == ORIGINAL


def test_a_correction_stands_for_all_of_the_message() -> None:
    """XEP-0308 §3: an answer stays one, in its thread and its language."""
    what = about(ORIGINAL, text="ja", message=Message("ja", reply_to="m1", thread="t1", language="de"))
    (message,) = outbound.edit(what, ANN, identities=Identities())
    reply = message.find(tag(NS.REPLY, "reply"))
    assert reply is not None
    assert reply.get("id") == "m1"
    assert message.findtext(tag(NS.CLIENT, "thread")) == "t1"
    assert message.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"


def test_a_correction_to_nothing_and_one_with_files_are_refused() -> None:
    with pytest.raises(UnsupportedContentError, match="retract it"):
        outbound.edit(about(ORIGINAL), ANN, identities=Identities())
    part = Part(text="better", attachments=(Attachment(url="https://u.example/1.jpg"),))
    with pytest.raises(UnsupportedContentError, match="attachments"):
        outbound.edit(about(ORIGINAL, part=part), ANN, identities=Identities())
    with pytest.raises(UnsupportedContentError, match="subject"):
        outbound.edit(about(ORIGINAL, text="better", native={"subject": "tea"}), ANN, identities=Identities())


def test_a_retraction() -> None:
    """XEP-0424, with a body for those who do not know it, marked by XEP-0428, and the hint to archive it (XEP-0334)."""
    (message,) = outbound.retract(about(*ours(ANN, ORIGINAL)), ANN, identities=Identities())
    body = message.findtext(BODY)
    assert body
    assert is_like(
        message,
        f"""<message to='ann@a.example' type='chat' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <retract xmlns='urn:xmpp:message-retract:1' id='{ORIGINAL}'/>
            <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>
            <body>{body}</body>
            <store xmlns='urn:xmpp:hints'/>
        </message>""",
    )


def test_a_retraction_takes_back_each_message_that_the_part_was() -> None:
    names = ours(ANN, ORIGINAL, *(f"{ORIGINAL}-{number}" for number in range(1, 12)))
    messages = outbound.retract(about(*names), ANN, identities=Identities())
    targets = [message[1].get("id") for message in messages]
    assert targets == [ORIGINAL, *(f"{ORIGINAL}-{number}" for number in range(1, 12))]
    assert [message.get("id") for message in messages[:3]] == [ID, f"{ID}-1", f"{ID}-2"]


def test_in_a_room_a_retraction_names_what_the_room_calls_it() -> None:
    (message,) = outbound.retract(about(*ours(DEN, ORIGINAL), "room-1", to=DEN), DEN, identities=Identities())
    assert message[1].get("id") == "room-1"
    assert message.get("type") == "groupchat"


def test_until_the_room_has_said_it_is_waited_for_and_a_room_that_never_does_gets_ours() -> None:
    target = ours(DEN, ORIGINAL)
    for attempt in range(1, 5):
        with pytest.raises(NotSentError):
            outbound.retract(about(*target, to=DEN, attempt=attempt), DEN, identities=Identities())
    (message,) = outbound.retract(about(*target, to=DEN, attempt=5), DEN, identities=Identities())
    assert message[1].get("id") == ORIGINAL
    several = (f"{ORIGINAL}-10", f"{ORIGINAL}-9", ORIGINAL)
    messages = outbound.retract(about(*several, to=DEN, attempt=5), DEN, identities=Identities())
    assert [each[1].get("id") for each in messages] == [ORIGINAL, f"{ORIGINAL}-9", f"{ORIGINAL}-10"]


def test_what_the_room_has_shown_is_known_before_the_ledger_has_it() -> None:
    """Of a part that was several messages, all have to be known: else some would stay."""
    ids = Identities()
    target = ours(DEN, ORIGINAL, f"{ORIGINAL}-1")
    ids.learn("den@rooms.example", "room-1", author="us", origin=ORIGINAL)
    for known in (target, (*target, "room-1")):
        with pytest.raises(NotSentError):
            outbound.retract(about(*known, to=DEN), DEN, identities=ids)
    ids.learn("den@rooms.example", "room-2", author="us", origin=f"{ORIGINAL}-1")
    for known in (target, (*target, "room-1"), (*target, "room-1", "room-2")):
        messages = outbound.retract(about(*known, to=DEN), DEN, identities=ids)
        assert [each[1].get("id") for each in messages] == ["room-1", "room-2"]


@pytest.mark.parametrize("verb", ["edit", "retract"])
def test_what_has_no_id_cannot_be_named(verb: str) -> None:
    with pytest.raises(RejectedError):
        getattr(outbound, verb)(about(text="better"), ANN, identities=Identities())


def test_reactions_are_all_that_we_have_on_it_each_once() -> None:
    """XEP-0444."""
    (message,) = outbound.react(about("m1", text="👍 🎉 👍"), ANN, identities=Identities())
    assert is_like(
        message,
        f"""<message to='ann@a.example' type='chat' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>👍</reaction><reaction>🎉</reaction></reactions>
            <store xmlns='urn:xmpp:hints'/>
        </message>""",
    )


def test_no_reactions_take_them_back() -> None:
    (message,) = outbound.react(about("m1"), ANN, identities=Identities())
    assert len(message[1]) == 0


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "👩‍🚀", "❤️", "🇦🇹", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☺"])
def test_an_emoji_is_one_however_it_is_made(emoji: str) -> None:
    (message,) = outbound.react(about("m1", text=emoji), ANN, identities=Identities())
    assert message[1][0].text == emoji


@pytest.mark.parametrize("text", ["ok", "a", "1", "👍👍", ":+1:", "👍!", "\u200d"])
def test_a_reaction_that_is_no_emoji_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedContentError, match="one emoji"):
        outbound.react(about("m1", text=text), ANN, identities=Identities())


def test_of_a_part_that_was_several_messages_in_a_room_the_first_is_reacted_to() -> None:
    ids = Identities()
    ids.learn("den@rooms.example", "room-1", author="me", origin=f"{ORIGINAL}-1")
    ids.learn("den@rooms.example", "room-2", author="me", origin=ORIGINAL)
    (message,) = outbound.react(about("room-1", "room-2", to=DEN, text="👍"), DEN, identities=ids)
    assert message[1].get("id") == "room-2"


@pytest.mark.parametrize(("to", "type"), [(ANN, "chat"), (DEN, "groupchat")])
def test_a_marker_says_how_far_we_have_read(to: Destination, type: str) -> None:
    """XEP-0333."""
    (message,) = outbound.mark_read(about("m1", to=to), to, identities=Identities())
    assert is_like(
        message,
        f"""<message to='{to.jid}' type='{type}' id='{ID}'>
            <origin-id xmlns='urn:xmpp:sid:0' id='{ID}'/>
            <displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>
            <store xmlns='urn:xmpp:hints'/>
        </message>""",
    )


@pytest.mark.parametrize(("is_typing", "state"), [(True, "composing"), (False, "paused")])
def test_typing_is_said_and_not_kept(is_typing: bool, state: str) -> None:
    """XEP-0085; XEP-0334 keeps it out of archives and of what waits for who is away."""
    assert is_like(
        outbound.typing(ANN, is_typing),
        f"""<message to='ann@a.example' type='chat'>
            <{state} xmlns='http://jabber.org/protocol/chatstates'/>
            <no-store xmlns='urn:xmpp:hints'/>
        </message>""",
    )


# --- receipts ------------------------------------------------------------------------------------------------------


def test_a_receipt_names_each_message_alone_and_with_its_addressee() -> None:
    """A report counts by who gives it: peers choose what ids they name."""
    what = out("two photos", delivery="d1", index=0)
    messages = outbound.send(what, ANN, files=["https://u.example/1.jpg"], identities=Identities())
    receipt = outbound.to_receipt(what, ANN, messages)

    assert receipt.status is Status.ACCEPTED
    assert receipt.ids == (ID, f"{ID} xmpp:ann@a.example", f"{ID}-1", f"{ID}-1 xmpp:ann@a.example")
    assert (receipt.part, receipt.delivery) == (0, "d1")


def test_whom_a_private_message_went_to_is_the_occupant() -> None:
    what = out(to=MAX)
    receipt = outbound.to_receipt(what, MAX, outbound.send(what, MAX, identities=Identities()))
    assert receipt.ids[1] == f"{ID} {Address('xmpp:den@rooms.example/Max%20M').uri}"
