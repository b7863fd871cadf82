"""What somebody says: who, where, when, and each word of it."""

from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.model import (
    Address,
    Attachment,
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    MessageReceived,
    TypingChanged,
    event_from_json,
    event_to_json,
)
from tests.adapters.xmpp.stanzas.inbound.known import (
    ANN,
    BOT,
    NOW,
    ROOM,
    Known,
    Person,
    Room,
    carbon,
    chat,
    groupchat,
    stamped,
)

REPLY = '<reply xmlns="urn:xmpp:reply:0" id="{id}" to="{to}"/>'
FALLBACK = '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reply:0">{}</fallback>'


def said(xml: str, known: Known | None = None, archived: Archived | None = None) -> MessageReceived:
    (event,) = (known or Known()).read(xml, archived=archived).events
    assert isinstance(event, MessageReceived)
    return event


def only(xml: str, known: Known | None = None) -> Event:
    (event,) = (known or Known()).read(xml).events
    return event


class TestWhoAndWhere:
    def test_one_to_one(self) -> None:
        event = said(chat("<body>Hello</body>"))

        assert event.text == "Hello"
        assert event.sender == Address(f"xmpp:{ANN}")
        assert event.conversation == ConversationRef(address=f"xmpp:{ANN}")
        assert event.message_id == "m1"
        assert event.at == NOW
        assert not event.automated
        assert Xmpp.of(event).resource == "phone"

    def test_in_a_room(self) -> None:
        event = said(groupchat("<body>Hello</body>" + stamped("s1")))

        assert event.sender == Address(f"xmpp:{ROOM}/ann")
        assert event.conversation == ConversationRef(address=f"xmpp:{ROOM}", kind=ConversationKind.GROUP)
        assert event.message_id == "s1"
        assert Xmpp.of(event) == Xmpp(type="groupchat", id="m1", nickname="ann")

    def test_an_occupant_says_it_to_us_alone(self) -> None:
        event = said(chat("<body>psst</body>", sender=f"{ROOM}/ann"))

        assert event.conversation == ConversationRef(address=f"xmpp:{ROOM}/ann")
        assert event.sender == Address(f"xmpp:{ROOM}/ann")
        assert Xmpp.of(event).private

    def test_an_occupant_of_a_room_that_we_have_left(self) -> None:
        mark = '<x xmlns="http://jabber.org/protocol/muc#user"/>'
        event = said(chat(f"<body>psst</body>{mark}", sender="den@rooms.example.org/ann"))

        assert event.conversation == ConversationRef(address="xmpp:den@rooms.example.org/ann")

    def test_spellings_of_one_sender_are_one(self) -> None:
        one = said(chat("<body>a</body>", sender="Ann@Example.ORG/phone"))
        assert one.sender == Address(f"xmpp:{ANN}")

    def test_a_server_and_a_headline_are_no_persons(self) -> None:
        assert said(chat("<body>Down at noon</body>", sender="example.org")).automated
        assert said(chat("<body>News</body>", type="headline")).automated
        assert said(groupchat("<body>This room is not anonymous.</body>", nickname=None)).automated

    def test_a_type_that_nobody_knows_is_normal(self) -> None:
        """RFC 6121 §5.2.2."""
        assert Xmpp.of(said(chat("<body>a</body>", type="shout"))).type == "normal"

    def test_a_display_name_is_what_they_call_themselves(self) -> None:
        event = said(chat('<body>a</body><nick xmlns="http://jabber.org/protocol/nick">Ann\nOther</nick>'))

        assert event.sender is not None
        assert event.sender.display_name == "Ann Other"
        assert Xmpp.of(event).nickname == "Ann Other"
        assert event.conversation is not None
        assert event.conversation.address.display_name is None

    def test_who_an_occupant_is_stands_beside(self) -> None:
        known = Known(rooms={ROOM: Room(people={"ann": Person(jid=f"{ANN}/phone", occupant_id="o1")})})
        event = said(groupchat('<body>a</body><occupant-id xmlns="urn:xmpp:occupant-id:0" id="o1"/>'), known)

        assert (Xmpp.of(event).real_jid, Xmpp.of(event).occupant_id) == (f"{ANN}/phone", "o1")

    def test_a_component_is_written_to_under_many_names(self) -> None:
        known = Known(own="gw.example.org", full="gw.example.org", is_component=True)
        one = said(chat("<body>a</body>", to="sales@gw.example.org"), known)
        other = said(chat("<body>a</body>", to="help@gw.example.org"), known)

        assert one.to == (Address("xmpp:sales@gw.example.org"),)
        assert one.key != other.key
        # Each has conversations of its own: what is said there is said by whom was asked.
        assert one.conversation is not None
        assert other.conversation is not None
        assert [one.conversation.thread, other.conversation.thread] == ["sales@gw.example.org", "help@gw.example.org"]
        gateway = said(chat("<body>a</body>", to="gw.example.org"), known).conversation
        assert gateway is not None
        assert gateway.thread is None


class TestWhen:
    DELAY = '<delay xmlns="urn:xmpp:delay" from="{by}" stamp="{at}"/>'

    def read(self, by: str, at: str = "2026-02-28T10:00:00Z", **options: Any) -> MessageReceived:
        return said(chat("<body>a</body>" + self.DELAY.format(by=by, at=at), **options))

    @pytest.mark.parametrize("by", ["example.org", BOT, "Example.org"])
    def test_our_server_says_when(self, by: str) -> None:
        event = self.read(by)

        assert event.at == datetime(2026, 2, 28, 10, tzinfo=UTC)
        assert Xmpp.of(event).delayed

    @pytest.mark.parametrize("by", [ANN, "evil.example", "", f"{BOT}/desk", "\u00a0"])
    def test_a_sender_does_not_write_the_time_of_others(self, by: str) -> None:
        event = self.read(by)

        assert event.at == NOW
        assert not Xmpp.of(event).delayed

    def test_a_room_says_when_of_its_history(self) -> None:
        delay = self.DELAY.format(by=ROOM, at="2026-02-28T10:00:00.250+01:00")
        assert said(groupchat("<body>a</body>" + delay)).at == datetime(2026, 2, 28, 9, 0, 0, 250_000, tzinfo=UTC)

    @pytest.mark.parametrize("at", ["", "yesterday", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59"])
    def test_what_is_no_moment_is_none(self, at: str) -> None:
        assert self.read("example.org", at).at == NOW

    def test_nothing_is_said_in_the_future(self) -> None:
        assert self.read("example.org", "2031-01-01T00:00:00Z").at == NOW

    def test_an_archive_says_when(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        event = said(chat("<body>a</body>"), archived=Archived("", "77", at))

        assert event.at == at
        assert Xmpp.of(event).delayed


class TestText:
    def test_every_letter_arrives(self) -> None:
        text = "  /me says: \U0001f469\u200d\U0001f4bb\u202e &lt;b&gt;\n\n\ttab "
        assert said(chat(f"<body>{text}</body>")).text == text.replace("&lt;", "<").replace("&gt;", ">")

    def test_the_untouched_original_is_there(self) -> None:
        xml = chat('<body>a &amp; b</body><x xmlns="urn:example:unknown"><y z="1"/></x>')
        native = said(xml).native

        assert fromstring(native).find("{urn:example:unknown}x/{urn:example:unknown}y") is not None
        assert "a &amp; b" in native

    def test_in_several_languages_that_of_the_stanza_is_meant(self) -> None:
        xml = chat('<body xml:lang="en">Hello</body><body>Hallo</body><body xml:lang="cs">Ahoj</body>')
        event = said(xml.replace("<message", '<message xml:lang="de"'))

        assert (event.text, event.language) == ("Hallo", "de")
        assert Xmpp.of(event).bodies == {"en": "Hello", "de": "Hallo", "cs": "Ahoj"}

    def test_without_one_of_its_own_the_first(self) -> None:
        assert said(chat('<body xml:lang="cs">Ahoj</body><body xml:lang="en">Hello</body>')).text == "Ahoj"

    def test_a_language_that_is_none_is_none(self) -> None:
        assert said(chat('<body xml:lang="&#10;x">a</body>')).language is None

    def test_subject_and_thread(self) -> None:
        event = said(chat("<subject>Tea\nor not</subject><body>a</body><thread parent='t0'>t1</thread>"))

        assert (event.subject, event.thread) == ("Tea or not", "t1")
        assert event.conversation is not None
        assert event.conversation.thread is None
        assert Xmpp.of(event).thread_parent == "t0"

    def test_a_subject_alone_is_a_message(self) -> None:
        assert said(chat("<subject>Tea</subject>", type="normal")).subject == "Tea"

    def test_styling_is_told_as_markdown(self) -> None:
        event = said(chat("<body>this is *bold*</body>"))
        assert (event.text, event.markdown) == ("this is *bold*", "this is **bold**")

    def test_what_is_declared_not_to_be_styled_is_not(self) -> None:
        unstyled = '<unstyled xmlns="urn:xmpp:styling:0"/>'
        assert said(chat(f"<body>2 *3* 4</body>{unstyled}")).markdown is None
        assert said(chat("<body>plain</body>")).markdown is None

    @pytest.mark.parametrize(
        "xml", ["", "<body/>", "<body></body>", '<active xmlns="http://jabber.org/protocol/chatstates"/>']
    )
    def test_nothing_said_is_no_message(self, xml: str) -> None:
        assert Known().read(chat(xml)).events == ()


class TestReplies:
    QUOTE = "> Tea or coffee?\n"

    def reply(self, ranges: str, text: str = QUOTE + "Tea") -> MessageReceived:
        fallback = FALLBACK.format(ranges)
        return said(chat(f"<body>{text}</body>" + REPLY.format(id="q1", to=BOT) + fallback))

    def test_the_quotation_is_not_what_was_written_anew(self) -> None:
        event = self.reply(f'<body start="0" end="{len(self.QUOTE)}"/>')

        assert event.reply_to == "q1"
        assert event.text == self.QUOTE + "Tea"
        assert event.visible_text == "Tea"

    def test_places_are_counted_in_code_points(self) -> None:
        quote = "> \U0001f375?\n"
        assert self.reply(f'<body start="0" end="{len(quote)}"/>', quote + "Tea").visible_text == "Tea"

    @pytest.mark.parametrize(
        ("ranges", "visible"),
        [
            ('<body start="0" end="5"/><body start="3" end="17"/>', "Tea"),  # over one another
            ('<body start="3" end="17"/><body start="0" end="5"/>', "Tea"),  # in whatever order
            ('<body start="0" end="17"/>' * 200, "Tea"),
            ('<body start="3" end="9999"/>', None),  # of another text
            (f'<body start="0" end="{"9" * 5000}"/>', None),
            ('<body start="0" end="\u0661\u0667"/>', None),
            ('<body start="" end="17"/>', None),
            ('<body start="9" end="3"/>', None),
            ('<body start="-1" end="3"/>', None),
            ('<body start="a" end="\u0663"/>', None),
            ('<body start="0" end="99999999999999999999"/>', None),
            ('<body start="0" end="20"/>', None),  # all of it: there is no empty reply
            ("", None),
            ("<body/>", None),
            ('<body end="17"/>', "Tea"),
        ],
    )
    def test_a_sender_may_say_any_places(self, ranges: str, visible: str | None) -> None:
        event = self.reply(ranges)

        assert event.text == self.QUOTE + "Tea"
        assert event.visible_text == visible

    def test_only_what_stands_in_for_a_reply_is_left_out(self) -> None:
        fallback = FALLBACK.replace("urn:xmpp:reply:0", "urn:example:other").format('<body start="0" end="17"/>')
        event = said(chat(f"<body>{self.QUOTE}Tea</body>" + REPLY.format(id="q1", to=BOT) + fallback))

        assert event.visible_text is None

    def test_in_a_room_it_names_the_message_as_events_do(self) -> None:
        known = Known()
        known.read(groupchat("<body>Tea?</body>" + stamped("s1"), id="a-7"))
        event = said(groupchat("<body>Yes</body>" + REPLY.format(id="s1", to=f"{ROOM}/ann"), nickname="cy"), known)

        assert event.reply_to == "s1"


class TestFiles:
    def oob(self, url: str, body: str | None = None, description: str = "") -> str:
        text = "" if body is None else f"<body>{body}</body>"
        return f'{text}<x xmlns="jabber:x:oob"><url>{url}</url>{description}</x>'

    def test_a_body_that_is_only_the_url_is_the_file(self) -> None:
        url = "https://files.example.org/u/1/Caf%C3%A9%20menu.pdf"
        event = said(chat(self.oob(url, url, "<desc>The menu</desc>")))

        assert event.text is None
        assert event.attachments == (Attachment(url=url, name="Caf\u00e9 menu.pdf"),)
        assert event.attachments[0].media_type == "application/pdf"
        assert Xmpp.of(event).descriptions == {url: "The menu"}

    def test_what_is_said_beside_it_stays(self) -> None:
        event = said(chat(self.oob("http://example.org/a.png", "Look")))
        assert (event.text, len(event.attachments)) == ("Look", 1)

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https://user:secret@example.org/a",
            "https://example.org:x/",
            "https://example.org/a b",
            "https://[::1/",
            "//example.org/a",
            "https://example.org/" + "a" * 5000,
        ],
    )
    def test_what_is_no_web_address_is_text(self, url: str) -> None:
        event = said(chat(self.oob(url)))
        assert (event.text, event.attachments) == (url, ())

    @pytest.mark.parametrize("name", ["", "%2e%2e", "a%2fb", "a%5Cb", "%00", "%20"])
    def test_no_name_leads_out_of_a_folder(self, name: str) -> None:
        (attachment,) = said(chat(self.oob(f"https://example.org/x/{name}"))).attachments
        assert attachment.name is None

    @pytest.mark.parametrize("x", ['<x xmlns="jabber:x:oob"/>', '<x xmlns="jabber:x:oob"><url> </url></x>'])
    def test_a_file_that_is_nowhere_is_none(self, x: str) -> None:
        event = said(chat("<body>Look</body>" + x))
        assert (event.text, event.attachments) == ("Look", ())

    def test_there_are_so_many_files_at_most(self) -> None:
        event = said(chat("".join(self.oob(f"https://example.org/{number}") for number in range(1000))))
        assert len(event.attachments) == 50


class TestEncrypted:
    @pytest.mark.parametrize(
        ("payload", "name"),
        [
            ('<encryption xmlns="urn:xmpp:eme:0" namespace="urn:xmpp:omemo:2"/>', "OMEMO"),
            ('<encryption xmlns="urn:xmpp:eme:0" namespace="urn:example:e2e" name="Sealed&#10;!"/>', "Sealed !"),
            ('<encryption xmlns="urn:xmpp:eme:0" namespace="urn:example:e2e"/>', "urn:example:e2e"),
            ('<encryption xmlns="urn:xmpp:eme:0"/>', "unknown"),
            (
                '<encrypted xmlns="eu.siacs.conversations.axolotl"><header/><payload>AA==</payload></encrypted>',
                "OMEMO",
            ),
            ('<encrypted xmlns="urn:xmpp:omemo:2"><header sid="1"/><payload>AA==</payload></encrypted>', "OMEMO"),
            ('<openpgp xmlns="urn:xmpp:openpgp:0">AA==</openpgp>', "OpenPGP for XMPP"),
            ('<x xmlns="jabber:x:encrypted">AA==</x>', "OpenPGP"),
        ],
    )
    def test_it_is_reported_as_unreadable_and_not_dropped(self, payload: str, name: str) -> None:
        event = said(chat(payload))
        assert (event.text, Xmpp.of(event).encrypted) == (None, name)

    def test_what_stands_in_for_it_is_the_text(self) -> None:
        event = said(chat('<body>You cannot read this.</body><x xmlns="jabber:x:encrypted">AA==</x>'))
        assert (event.text, event.markdown) == ("You cannot read this.", None)

    def test_otr_is_known_by_how_it_begins(self) -> None:
        assert (
            Xmpp.of(said(chat("<body>?OTR:AAMDJ+MVmSfjFZcAAAAAAQAAAAEAAADA1g5IjD1ZGLDVQEyC...</body>"))).encrypted
            == "OTR"
        )

    def test_no_file_is_taken_from_it(self) -> None:
        url = "https://example.org/a"
        event = said(
            chat(f'<body>{url}</body><x xmlns="jabber:x:oob"><url>{url}</url></x><encryption xmlns="urn:xmpp:eme:0"/>')
        )
        assert (event.text, event.attachments) == (url, ())

    def test_a_key_that_is_handed_over_says_nothing(self) -> None:
        event = only(chat('<encrypted xmlns="urn:xmpp:omemo:2"><header sid="1"/></encrypted>'))
        assert isinstance(event, CustomReceived)
        assert event.name == "xmpp.message"


class TestKeys:
    ORIGIN = '<origin-id xmlns="urn:xmpp:sid:0" id="{}"/>'

    def key(self, xml: str, known: Known | None = None, archived: Archived | None = None) -> str:
        (event,) = (known or Known()).read(xml, archived=archived).events
        assert event.key
        return event.key

    @pytest.mark.parametrize("origin", [True, False])
    def test_one_message_has_one_key_on_every_way(self, origin: bool) -> None:
        inside = "<body>a</body>" + (self.ORIGIN.format("o1") if origin else "")
        live = chat(inside + stamped("77", BOT))
        late = chat(inside + '<delay xmlns="urn:xmpp:delay" from="example.org" stamp="2026-02-28T10:00:00Z"/>')
        copied = carbon("received", live)

        keys = {self.key(live), self.key(late), self.key(copied), self.key(live, archived=Archived("", "77", NOW))}
        assert len(keys) == 1

    def test_in_a_room_too(self) -> None:
        live = groupchat("<body>a</body>" + stamped("s1"))
        history = groupchat(f'<body>a</body><delay xmlns="urn:xmpp:delay" from="{ROOM}" stamp="2026-02-28T10:00:00Z"/>')
        archived = self.key(groupchat("<body>a</body>"), archived=Archived(f"room:{ROOM}", "s1", NOW))

        assert self.key(live) == self.key(history) == archived

    def test_peers_choose_ids_and_do_not_get_in_each_others_way(self) -> None:
        xml = "<body>a</body>" + self.ORIGIN.format("o1")
        senders = [f"{ANN}/phone", "cy@example.org/phone", f"{ROOM}/ann", f"{ROOM}/cy"]
        assert len({self.key(chat(xml, sender=sender)) for sender in senders}) == 4

    def test_no_nickname_is_read_as_part_of_an_id(self) -> None:
        one = groupchat("<body>a</body>" + self.ORIGIN.format("b:c"), nickname="a")
        other = groupchat("<body>a</body>" + self.ORIGIN.format("c"), nickname="a:b")
        assert self.key(one) != self.key(other)

    def test_who_counts_anew_in_each_session_says_another_thing(self) -> None:
        assert self.key(chat("<body>a</body>", id="1")) != self.key(chat("<body>b</body>", id="1"))
        assert self.key(chat("<body>a</body>", id="1")) == self.key(chat("<body>a</body>", id="1"))

    def test_without_any_id_that_of_the_archive_is_good(self) -> None:
        one = chat("<body>a</body>" + stamped("77", BOT), id=None)
        assert self.key(one) == self.key(chat("<body>a</body>", id=None), archived=Archived("", "77", NOW))

    def test_without_even_that_nothing_is_taken_for_a_repeat(self) -> None:
        xml = chat("<body>a</body>", id=None)
        assert self.key(xml) != self.key(xml)

    def test_an_id_that_nobody_could_name_is_none(self) -> None:
        for id in ("x" * 2000, "a&#10;b"):
            event = said(chat("<body>a</body>", id=id))
            assert event.message_id is None
            assert event.key == said(chat("<body>a</body>", id=id)).key

    def test_a_file_that_was_put_somewhere_again_is_the_same_by_its_origin_id(self) -> None:
        """Whoever sends it again after a crash has to upload it anew."""
        oob = '<x xmlns="jabber:x:oob"><url>{0}</url></x>'
        one, other = (f"<body>{url}</body>{oob.format(url)}" for url in ("https://a.example/1", "https://a.example/2"))
        named = self.ORIGIN.format("o1")

        assert self.key(chat(one + named)) == self.key(chat(other + named))
        assert self.key(chat(one)) != self.key(chat(other))
        assert self.key(chat(one + named)) != self.key(chat("<body>a</body>" + named))

    def test_keys_are_of_some_length_whatever_the_id_is(self) -> None:
        key = self.key(chat("<body>a</body>" + self.ORIGIN.format("x" * 1000)))
        assert len(key) < 150


class TestRepliesToSenders:
    REQUEST = '<request xmlns="urn:xmpp:receipts"/>'

    def test_who_asks_is_told_that_it_arrived(self) -> None:
        (reply,) = Known().read(chat("<body>a</body>" + self.REQUEST)).replies

        assert (reply.get("to"), reply.get("type")) == (f"{ANN}/phone", "chat")
        received = reply.find("{urn:xmpp:receipts}received")
        assert received is not None
        assert received.get("id") == "m1"
        assert reply.find("{jabber:client}body") is None

    @pytest.mark.parametrize(
        "xml",
        [
            chat("<body>a</body>"),
            chat("<body>a</body>" + REQUEST, id=None),
            chat("<body>a</body>" + REQUEST, type="error"),
            chat("<body>a</body>" + REQUEST, type="headline"),
            chat("<body>a</body>" + REQUEST, sender=f"{BOT}/other"),
            chat(REQUEST),
            groupchat("<body>a</body>" + REQUEST),
        ],
    )
    def test_nobody_else_is(self, xml: str) -> None:
        """No receipt in a room, none to an error, none to ourselves."""
        reading = Known().read(xml)

        assert reading.replies == ()
        assert not any(getattr(event, "name", "") == "xmpp.unreadable" for event in reading.events)

    def test_another_device_is_answered_for_by_itself(self) -> None:
        assert Known().read(carbon("received", chat("<body>a</body>" + self.REQUEST))).replies == ()

    def test_nor_where_the_settings_say_no(self) -> None:
        assert Known(receipts=False).read(chat("<body>a</body>" + self.REQUEST)).replies == ()

    def test_a_component_answers_as_whom_it_was_written_to(self) -> None:
        known = Known(own="gw.example.org", full="gw.example.org", is_component=True)
        (reply,) = known.read(chat("<body>a</body>" + self.REQUEST, to="help@gw.example.org")).replies
        assert reply.get("from") == "help@gw.example.org"

        unaddressed = chat("<body>a</body>" + self.REQUEST).replace(f'to="{BOT}"', "")
        (reply,) = known.read(unaddressed).replies
        assert reply.get("from") == "gw.example.org"


class TestTyping:
    @pytest.mark.parametrize(
        ("state", "typing"),
        [("composing", True), ("paused", False), ("active", False), ("gone", False), ("inactive", False)],
    )
    def test_chat_states_are_notices(self, state: str, typing: bool) -> None:
        reading = Known().read(chat(f'<{state} xmlns="http://jabber.org/protocol/chatstates"/>'))

        assert reading.events == ()
        (notice,) = reading.notices
        assert isinstance(notice, TypingChanged)
        assert (notice.typing, notice.key, notice.sender) == (typing, "", Address(f"xmpp:{ANN}"))

    def test_nobody_types_yesterday(self) -> None:
        late = '<delay xmlns="urn:xmpp:delay" from="example.org" stamp="2026-02-28T10:00:00Z"/>'
        composing = '<composing xmlns="http://jabber.org/protocol/chatstates"/>'
        assert Known().read(chat(composing + late)).notices == ()
        assert Known().read(chat(composing), archived=Archived("", "1", NOW)).notices == ()
        assert Known().read(chat(composing, sender=f"{BOT}/other")).notices == ()


class TestOther:
    def test_what_nobody_knows_is_kept_for_those_who_do(self) -> None:
        event = only(chat('<event xmlns="urn:example:thing"><a/></event>', type="headline"))

        assert isinstance(event, CustomReceived)
        assert (event.name, event.data) == ("xmpp.message", {"payloads": ["{urn:example:thing}event"]})
        assert "urn:example:thing" in event.native

    @pytest.mark.parametrize(
        "inside",
        [
            "<body>a</body><subject>b</subject><thread>c</thread>",
            '<event xmlns="urn:example:thing"/>',
            '<body>\U0001f600</body><encryption xmlns="urn:xmpp:eme:0" name="x"/>',
        ],
    )
    def test_every_event_can_be_stored(self, inside: str) -> None:
        event = only(chat(inside))
        assert event_from_json(event_to_json(event)) == event
