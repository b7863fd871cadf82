"""Calls become messages and events as the rules say, and nothing of a call is lost on the way."""

from __future__ import annotations

import itertools
import json
from time import process_time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, Event, MessageEdited, MessageReceived, MessageRetracted
from tests.adapters.webhook.mapping.kit import HOME, call, custom, events, mapper, message

TEXT = {"text": "body.text"}


def test_paths_lead_to_what_a_message_is_made_of() -> None:
    rule = {
        "text": "{body.who.login}: {body.comment.text}",
        "subject": "Re: {body.title}",
        "sender": "body.who.url",
        "sender_name": "body.who.login",
        "conversation": "body.thread",
        "message_id": "body.comment.id",
        "at": "body.at",
        "id": "{header.X-Delivery}-{query.part}",
    }
    body = {
        "who": {"login": "ann", "url": "https://git.example/ann"},
        "comment": {"text": "Looks good.", "id": 7},
        "title": "Parcel",
        "thread": "t9",
        "at": "2026-01-01T00:00:00Z",
    }
    found = message(mapper(rule), call(body, {"x-delivery": "d1"}, query="part=2"))
    assert (found.text, found.subject, found.message_id) == ("ann: Looks good.", "Re: Parcel", "7")
    assert found.sender is not None
    assert (found.sender.uri, found.sender.display_name) == ("https://git.example/ann", "ann")
    assert (found.key, found.channel, found.native, found.automated) == ("d1-2", "ci", body, False)
    assert found.at is not None
    assert found.at.year == 2026
    assert found.conversation is not None
    assert (found.conversation.address.uri, found.conversation.thread, found.thread) == (HOME, "t9", "t9")


def test_an_answer_goes_to_the_url_and_nowhere_else() -> None:
    """Never to what the document names: it could send us anywhere."""
    rule = TEXT | {"sender": "body.from", "conversation": "body.to"}
    body = {"text": "x", "from": "https://evil.example/a", "to": "https://evil.example/b"}
    for home, expected in ((HOME, HOME), (None, "webhook:ci")):
        conversation = message(mapper(rule, home=home), call(body)).conversation
        assert conversation is not None
        assert (conversation.address.uri, conversation.thread) == (expected, "https://evil.example/b")


def test_each_sender_has_a_conversation_where_the_rule_says_none() -> None:
    rule = TEXT | {"sender": "body.from"}
    threads = [message(mapper(rule), call({"text": "x", "from": name})).conversation for name in ("ann", "bob")]
    assert [each and each.thread for each in threads] == ["webhook:ci/ann", "webhook:ci/bob"]
    nobody = message(mapper(TEXT), call({"text": "x"}))
    assert nobody.sender is not None
    assert nobody.conversation is not None
    assert (nobody.sender.uri, nobody.conversation.thread) == (HOME, None)


@pytest.mark.parametrize(
    ("said", "uri", "name"),
    [
        ("mailto:Ann@Example.org", "mailto:Ann@example.org", None),
        ("Ann Lee", "webhook:ci/Ann%20Lee", "Ann Lee"),
        ("ann@example.org", "webhook:ci/ann@example.org", "ann@example.org"),
        ("Note: hello", "webhook:ci/Note%3A%20hello", "Note: hello"),
        ("https://u:p@host/", "webhook:ci/https%3A%2F%2Fu%3Ap@host%2F", "https://u:p@host/"),
        ("a\u202eb\n", "webhook:ci/a%E2%80%AEb", "a\u202eb"),
        (7, "webhook:ci/7", "7"),
    ],
)
def test_whoever_has_no_address_gets_one(said: Any, uri: str, name: str | None) -> None:
    """Two people stay two people, and no name makes a message disappear."""
    rule = TEXT | {"sender": "body.from"}
    sender = message(mapper(rule), call({"text": "x", "from": said})).sender
    assert sender is not None
    assert (sender.uri, sender.display_name) == (uri, name)
    sender = message(mapper(rule | {"sender_name": "body.text"}), call({"text": "x", "from": said})).sender
    assert sender is not None
    assert (sender.uri, sender.display_name) == (uri, "x")


def test_the_first_rule_that_fits_takes_the_call() -> None:
    rules = (
        {"when": {"header.x-event": "a", "body.kind": ["k1", "k2"]}, "text": "first"},
        {"when": [{"body.kind": "k3"}, {"body.kind": {"matches": "^z"}}], "text": "second"},
        {"when": {"body.gone": {"present": False}, "header.x-event": {"present": True}}, "text": "third"},
    )
    said = [
        message(mapper(*rules), call(body, {"X-Event": event})).text
        for body, event in (({"kind": "K2"}, "A"), ({"kind": "zoo"}, "a"), ({"kind": "k1"}, "b"), ({"kind": "k3"}, "a"))
    ]
    assert said == ["first", "second", "third", "second"]


def test_what_no_rule_maps_arrives_under_the_systems_own_name() -> None:
    body = {"type": "invoice.paid", "data": {"number": 7}}
    found = custom(mapper({"when": {"body.type": "x"}, "text": "t"}), call(body))
    assert (found.name, found.data, found.native, found.key) == ("invoice.paid", body, body, "m1")
    assert custom(mapper(TEXT), call({"a": 1})).name == "webhook.received"
    assert custom(mapper(names=["x.{body.kind}"]), call({"kind": "k", "type": "t"})).name == "x.k"
    assert custom(mapper(names=["x.{body.kind}"]), call({"type": "t"})).name == "t"


def test_a_message_keeps_the_systems_own_word() -> None:
    """It stands in a header, often, and those are not kept."""
    reader = mapper(TEXT, names=["{header.x-event}.{body.action}"])
    assert message(reader, call({"text": "x", "action": "a"}, {"x-event": "e"})).details == {"name": "e.a"}
    assert message(reader, call({"text": "x"})).details == {}


def test_an_event_can_be_said_to_be_one() -> None:
    rule = {"kind": "event", "name": "deploy.{body.state}", "data": "body.object", "sender": "body.by"}
    found = custom(mapper(rule), call({"state": "done", "object": {"v": 1}, "by": "ann"}))
    assert (found.name, found.data) == ("deploy.done", {"v": 1})
    assert found.native["state"] == "done"
    assert str(found.sender) == "webhook:ci/ann"


def test_nothing_is_dropped_but_what_a_rule_ignores() -> None:
    rules = ({"when": {"body.a": 1}, "kind": "ignored"}, TEXT)
    assert events(mapper(*rules), call({"a": 1, "text": "x"})) == ()
    assert len(events(mapper(*rules), call({"a": 2, "text": "x"}))) == 1


def test_edits_and_retractions_name_their_message() -> None:
    edited = {"when": {"body.a": "edit"}, "kind": "edited", "text": "body.text", "message_id": "body.id"}
    retracted = {"when": {"body.a": "delete"}, "kind": "retracted", "message_id": "body.id"}
    both = mapper(edited, retracted)
    (first,) = events(both, call({"a": "edit", "text": "new", "id": 5}))
    (second,) = events(both, call({"a": "delete", "id": 5}))
    assert isinstance(first, MessageEdited)
    assert isinstance(second, MessageRetracted)
    assert (first.target, first.text, second.target) == ("5", "new", "5")
    assert isinstance(custom(both, call({"a": "delete"})), CustomReceived)


def test_a_missing_value_leaves_its_place_empty() -> None:
    rule = {"text": "{body.a}: {body.b}"}
    assert message(mapper(rule), call({"a": "x", "b": None})).text == "x: "
    assert message(mapper(rule), call({"a": {"not": "text"}, "b": 0})).text == ": 0"


def test_a_message_without_any_value_is_none() -> None:
    found = custom(mapper({"text": ["{body.a}: {body.b}", "body.c"], "name": "empty"}), call({"b": ""}))
    assert (found.name, found.native) == ("empty", {"b": ""})


def test_of_several_templates_the_first_that_is_whole_counts() -> None:
    rule = {"text": ["{body.a}/{body.b}", "body.c", "[{body.b}]"]}
    assert message(mapper(rule), call({"a": 1, "b": 2, "c": 3})).text == "1/2"
    assert message(mapper(rule), call({"a": 1, "c": 3})).text == "3"
    assert message(mapper(rule), call({"a": 1})).text == "1/"
    assert message(mapper(rule), call({"b": 2})).text == "[2]"


def test_a_list_stands_with_commas_between() -> None:
    rule = {"text": "{body.tags}; {body.items.*.name}; {body.on}"}
    body = {"tags": ["a", 1, None, {"b": 2}], "items": [{"name": "x"}, {}, {"name": "y"}], "on": True}
    assert message(mapper(rule), call(body)).text == "a, 1; x, y; true"


@pytest.mark.parametrize(("each", "place"), [(None, "body"), ("body", "entry")])
def test_names_with_numbers_behind_them_are_a_list(each: str | None, place: str) -> None:
    """As forms have them: tag0, tag1 ..."""
    rules = mapper({"each": each, "text": f"{{{place}.tag#}}", "id": f"{place}.id"})
    assert message(rules, call({"id": 1, "tag0": "a", "tag1": "b"})).text == "a, b"


def test_text_is_plain_text() -> None:
    """Lines and tabs stay; no NUL, no escape, nothing that a terminal or a store would choke on."""
    rule = TEXT | {"subject": "body.text", "conversation": "body.text", "id": "body.text"}
    found = message(mapper(rule), call({"text": "a\r\nb\rc\td\0\x1b[31m\x9be\u2028f"}))
    assert found.text == "a\nb\nc\td[31me\u2028f"
    assert found.subject == "a b c d[31me f"
    assert found.key == found.thread == "a b c d[31me f"


def test_lengths_are_bounded() -> None:
    long = "x" * 300_000
    rule = {"text": "{body.t}" * 100, "subject": "body.t", "sender": "body.t", "conversation": "body.t", "id": "body.t"}
    found = message(mapper(rule | {"sender_name": "body.t", "message_id": "body.t"}), call({"t": long}))
    assert len(found.text or "") == 262_144
    assert len(found.subject or "") == 8000
    assert found.key == found.thread == found.message_id
    assert found.key.startswith("sha256:")
    assert len(str(found.sender)) < 600


class TestIds:
    def test_the_rule_then_the_call_then_the_scheme_then_a_digest(self) -> None:
        many = mapper(TEXT | {"id": "body.id"}, ids=["header.x-id"])
        body = {"text": "x", "id": 1}
        keys = [
            message(many, call(body, {"x-id": "h"}), id="s").key,
            message(many, call({"text": "x"}, {"x-id": "h"}), id="s").key,
            message(many, call({"text": "x"}), id="s").key,
            message(many, call({"text": "x"}), id=None).key,
        ]
        assert keys[:3] == ["1", "h", "s"]
        assert keys[3].startswith("digest:")

    def test_a_retry_has_the_same_key_and_equal_texts_have_two(self) -> None:
        rules = mapper(TEXT | {"id": "body.id"})
        keys = [message(rules, call({"text": "x", "id": id})).key for id in (1, 2, 1)]
        assert keys == ["1", "2", "1"]

    def test_a_digest_is_of_the_body(self) -> None:
        rules = mapper(TEXT | {"id": "digest"})
        keys = [
            message(rules, call(body, {"x": head}), id=None).key for body, head in ((b"text=a", "1"), (b"text=b", "1"))
        ]
        assert len(set(keys)) == 2
        assert message(rules, call(b"text=a", {"x": "2"}), id="other").key == keys[0]

    def test_none_takes_every_call_as_new(self) -> None:
        count = itertools.count()
        rules = mapper(TEXT | {"id": "none"}, fresh=lambda: f"n{next(count)}")
        assert [message(rules, call({"text": "x"})).key for _ in range(2)] == ["n0", "n1"]

    def test_entries_of_one_call_are_told_apart(self) -> None:
        """By what they have of their own, else by their place: two alerts in one call are two messages."""
        rule = {"each": "body.alerts", "text": "entry.t"}
        body = {"alerts": [{"t": "a", "id": 1}, {"t": "a", "id": 2}]}

        def keys(id: Any, **more: Any) -> list[str]:
            return [each.key for each in events(mapper(rule | ({"id": id} if id else {}), **more), call(body))]

        assert keys(None) == ["m1:0", "m1:1"]
        assert keys("entry.id") == ["1", "2"]
        assert keys("{body.alerts.0.t}") == ["a:0", "a:1"]
        assert keys(["entry.missing", "entry.id"]) == ["1", "2"]
        assert keys(None, ids=["entry.id"]) == ["1", "2"]
        assert len(set(keys("digest"))) == 2

    def test_entries_of_two_lists_in_one_call_are_told_apart(self) -> None:
        rules = mapper({"each": "body.a", "text": "entry.t"}, {"each": "body.b", "text": "entry.t"})
        found = events(rules, call({"a": [{"t": 1}, {"t": 2}], "b": [{"t": 3}]}))
        assert [each.key for each in found] == ["m1:0", "m1:1", "m1:2"]


class TestLists:
    RULES = (
        {"each": "body.alerts", "when": {"entry.status": "firing", "header.x": "1"}, "text": "{body.by}: {entry.t}"},
        {"each": "body.alerts", "when": {"entry.status": "quiet"}, "kind": "ignored"},
        {"each": "body.notes", "text": "entry.t", "automated": {"entry.bot": True}},
        {"when": {"body.t": {"present": True}}, "text": "body.t"},
    )

    def read(self, body: Any) -> list[Event]:
        return [*events(mapper(*self.RULES), call(body, {"x": "1"}))]

    def test_events_of_mixed_kinds_come_in_one_call(self) -> None:
        alerts = [{"status": "firing", "t": "a"}, {"status": "quiet"}, {"status": "odd", "type": "x"}]
        found = self.read({"by": "g", "t": "not this", "alerts": alerts, "notes": [{"t": "n", "bot": True}]})
        assert [type(each) for each in found] == [MessageReceived, CustomReceived, MessageReceived]
        assert [getattr(each, "text", None) for each in found] == ["g: a", None, "n"]
        assert [each.automated for each in found] == [False, False, True]
        assert [each.native for each in found] == [alerts[0], alerts[2], {"t": "n", "bot": True}]
        assert isinstance(found[1], CustomReceived)
        assert (found[1].name, found[1].data) == ("x", alerts[2])

    def test_what_is_all_ignored_is_no_event(self) -> None:
        assert self.read({"alerts": [{"status": "quiet"}], "t": "not this"}) == []

    @pytest.mark.parametrize("alerts", [[], None, "text", [{"status": "odd"}]])
    def test_a_list_of_which_nothing_is_taken_is_for_the_rules_after_it(self, alerts: Any) -> None:
        (found,) = self.read({"alerts": alerts, "t": "this"})
        assert isinstance(found, MessageReceived)
        assert found.text == "this"
        assert isinstance(self.read({"alerts": alerts})[0], CustomReceived)

    def test_a_list_may_be_the_whole_body_or_lie_in_others(self) -> None:
        rule = {"each": "body", "text": "entry.t"}
        assert [each.native["t"] for each in events(mapper(rule), call([{"t": 1}, {"t": 2}]))] == [1, 2]
        assert len(events(mapper(rule), call({"t": 1}))) == 1
        rule = {"each": "body.entry.*.changes", "text": "entry.t"}
        body = {"entry": [{"changes": [{"t": 1}, {"t": 2}]}, {"changes": [{"t": 3}]}]}
        assert [each.native["t"] for each in events(mapper(rule), call(body))] == [1, 2, 3]

    def test_thousands_of_entries_cost_what_they_hold_and_no_more(self) -> None:
        """What all entries share is looked for once, and their texts together have a bound."""
        rule = {
            "each": "body.list",
            "when": {"body.long": {"matches": "x"}, "header.x": "1"},
            "text": "{body.long}{body.list.*.t}{entry.t}",
            "subject": "body.long",
            "sender": "body.long",
            "conversation": "body.long",
        }
        body = {"long": "x" * 500_000, "list": [{"t": "y"}] * 3000}
        begun = process_time()
        found = events(mapper(rule), call(body, {"x": "1"}), None)
        assert process_time() - begun < 10  # it takes one; were it quadratic, minutes
        assert len({each.key for each in found}) == 3000
        assert sum(len(each.text or "") for each in found if isinstance(each, MessageReceived)) <= 3000 * 4096

    def test_the_number_of_entries_is_bounded(self) -> None:
        with pytest.raises(InvalidInputError, match="10000 entries"):
            self.read({"alerts": [{}] * 10_001})


def test_forms_and_plain_text_are_mapped_like_json() -> None:
    rule = {"text": "{body.Body}", "sender": "body.From", "when": {"body.body": {"present": True}}}
    form = urlencode({"From": "ann", "Body": "Hi"}).encode()
    found = message(mapper(rule), call(form, {"content-type": "application/x-www-form-urlencoded"}))
    assert (found.text, str(found.sender)) == ("Hi", "webhook:ci/ann")
    plain = message(
        mapper({"text": "{query.host}: {body}"}), call(b"disk full", {"content-type": "text/plain"}, query="host=db1")
    )
    assert (plain.text, plain.native) == ("db1: disk full", "disk full")


def test_nothing_of_a_document_chooses_a_file() -> None:
    body = {"text": "x", "attachments": [{"path": "/etc/passwd"}], "path": "/etc/passwd", "headers": {"a": "b"}}
    found = message(mapper(TEXT), call(body))
    assert (found.attachments, found.headers, found.cc, found.html) == ((), {}, (), None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "who", "list", "at", "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)
EVERYTHING = mapper(
    {
        "each": "body.list",
        "when": {"entry.who": {"present": True}},
        "text": "entry.text",
        "id": "entry.id",
        "at": "entry.at",
    },
    {
        "text": "{body.text}{body.list.*.text}",
        "subject": "body.text",
        "sender": "body.who",
        "sender_name": "body.who",
        "conversation": "body.id",
        "message_id": "body.id",
        "id": "body.id",
        "at": "body.at",
        "automated": {"body.who": "bot"},
    },
)


@given(JSON)
def test_whatever_comes_is_an_event_or_a_typed_refusal(value: Any) -> None:
    body = json.dumps({"body": value} if not isinstance(value, dict | list) else value).encode()
    try:
        found = events(EVERYTHING, call(body))
    except InvalidInputError:
        return
    assert found
    assert all(each.key for each in found)


def test_an_id_that_is_blank_is_none() -> None:
    """The next one decides: an event without a key would be refused, however genuine it is."""
    made = mapper({"text": "body.text", "id": "body.id", "message_id": "body.message"})
    found = message(made, call({"text": "a", "id": " ", "message": "\n"}))
    assert (found.key, found.message_id) == ("m1", "m1")
