"""The JSON form: what is written can be read, by this version and by others; what is bad is refused in one way."""

import json
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.errors import InvalidInputError
from convergekit.model import (
    Address,
    Attachment,
    ClaimCheck,
    Contact,
    CustomReceived,
    Dispatch,
    Event,
    Message,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
    UnknownEvent,
    Value,
    event_from_json,
    event_to_json,
    from_json,
    native_from_json,
    native_to_json,
    to_json,
)

from .strategies import EVENTS, KINDS, moments, natives, texts, values

VALUES = [kind for kind in KINDS if kind not in EVENTS]


class PokeReceived(Event):
    """What a plugin may bring along."""

    type: ClassVar[str] = "tests.poke"

    strength: int = 1
    aim: Any = None
    at_home: tuple[Address, ...] = ()


class GentlePoke(PokeReceived):
    """A refinement: it has no type of its own."""

    strength: int = 0
    softness: int = 9


def same(one: Value, other: Value) -> bool:
    """Equal, in display names too, which `Address` leaves out of its equality."""
    return one == other and one.model_dump() == other.model_dump() and type(one) is type(other)


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_value_round_trips(kind: type[Value], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert same(from_json(kind, to_json(value)), value)
    assert same(from_json(kind, to_json(value).encode()), value)


@pytest.mark.parametrize("kind", [*EVENTS, PokeReceived], ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_event_round_trips(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(values(kind))
    assert same(event_from_json(event_to_json(event)), event)


@given(texts.filter(lambda name: name not in {"$", "$bytes", "$claim"}), natives)
def test_native_keeps_bytes_at_any_depth(name: str, native: Any) -> None:
    """In a message in a dispatch, in a receipt in an event: not only where `native` is a field of the document."""
    event = ReceiptReceived(key="k", receipt=Receipt(Status.SENT, native={name: native}), native=[native])
    again = event_from_json(event_to_json(event))
    assert isinstance(again, ReceiptReceived)
    assert (again.receipt.native, again.native) == ({name: native}, [native])


@given(moments, natives)
def test_a_dispatch_keeps_the_bytes_of_its_message(at: Any, native: Any) -> None:
    message = Message("hi", native={"sms": native})
    dispatch = Dispatch(id="1", key="k", recipient="sms:+4915112345678", message=message, created_at=at)
    assert from_json(Dispatch, to_json(dispatch)).message.native == {"sms": native}


@given(natives)
def test_a_native_on_its_own_comes_back(native: Any) -> None:
    """It is kept like that where it is too large for its row."""
    assert native_from_json(native_to_json(native)) == native


def test_a_native_that_has_no_form_says_so() -> None:
    with pytest.raises(InvalidInputError, match="no JSON form"):
        native_to_json({"secret": object()})
    for text in (b"", b"{", b'{"$bytes": 5}', b'{"$claim": {"ref": "x", "size": -1}}', b'{"$claim": "secret"}'):
        with pytest.raises(InvalidInputError) as caught:
            native_from_json(text)
        assert "secret" not in str(caught.value)


def test_what_stands_for_a_native_is_as_documented() -> None:
    """And what a medium calls so itself is not taken for it."""
    claim, foreign = ClaimCheck(ref="sha256:0", size=9), {"$claim": {"ref": "sha256:0", "size": 9}}
    ours, theirs = (event_to_json(MessageReceived(key="1", native=native)) for native in (claim, foreign))

    assert json.loads(ours)["native"] == foreign
    assert json.loads(theirs)["native"] == {"$": foreign}
    assert event_from_json(ours).native == claim
    assert event_from_json(theirs).native == foreign


def test_the_form_is_as_documented() -> None:
    event = MessageReceived(key="1", text="hi", native={"raw": b"\x00", "$": 1})
    assert json.loads(event_to_json(event)) == {
        "v": 1,
        "type": "message.received",
        "key": "1",
        "text": "hi",
        "native": {"$": {"raw": {"$bytes": "AA=="}, "$": 1}},
    }


def test_fields_with_their_default_are_left_out() -> None:
    assert to_json(Message("hi", headers={}, native={})) == '{"v":1,"text":"hi"}'


@pytest.mark.parametrize("alphabet", ["-_8=", "+/8="])
def test_bytes_are_read_in_either_alphabet(alphabet: str) -> None:
    if alphabet == "+/8=":
        assert from_json(Attachment, json.dumps({"data": alphabet})).data == b"\xfb\xff"
    else:
        with pytest.raises(InvalidInputError):
            from_json(Attachment, json.dumps({"data": alphabet}))


class TestOtherVersions:
    def test_a_field_that_was_added_later_is_passed_over(self) -> None:
        """Also deep inside: a worker of the version before goes on while the others are replaced."""
        text = '{"v":1,"id":"ann","addresses":[{"uri":"tg:1","verified":true}],"born":1970}'
        assert from_json(Contact, text) == Contact(id="ann", addresses=(Address("tg:1"),))

    @pytest.mark.parametrize("version", ["2", '"1"', "null", "[]", "1.5", '"a\\nb"'])
    def test_another_version_is_refused(self, version: str) -> None:
        with pytest.raises(InvalidInputError, match=r"^written in version [ -~]*; this library reads 1$"):
            from_json(Contact, f'{{"v":{version},"id":"ann"}}')

    @given(st.dictionaries(texts.filter(lambda key: key not in {"v", "type"}), st.integers() | texts, max_size=4))
    def test_an_unknown_type_is_written_back_as_it_was_read(self, fields: dict[str, Any]) -> None:
        fields = {name: value for name, value in fields.items() if name not in {"key", "channel", "lane"}}
        document = {"v": 1, "type": "from.the.future", "key": "k1", "channel": "c", **fields}
        event = event_from_json(json.dumps(document))
        assert isinstance(event, UnknownEvent)
        assert (event.key, event.channel, event.type) == ("k1", "c", "unknown")
        assert json.loads(event_to_json(event)) == document

    @given(st.recursive(st.none(), st.lists, max_leaves=3))
    def test_an_unknown_event_has_the_type_that_it_was_read_with(self, value: Any) -> None:
        with pytest.raises(ValueError, match="must have the type"):
            UnknownEvent(original={"type": value})


class TestRefinements:
    def test_a_refinement_travels_as_the_event_that_it_refines(self) -> None:
        """What it added stays at home, and its defaults are not taken for those of the other one."""
        again = event_from_json(event_to_json(GentlePoke(key="1", softness=3)))
        assert again == PokeReceived(key="1", strength=0)

    def test_an_event_without_a_type_of_its_own_is_refused(self) -> None:
        class Untyped(Event):
            extra: int = 0

        with pytest.raises(InvalidInputError, match="Untyped has no `type`"):
            event_to_json(Untyped(key="1"))


class TestWhatHasNoJsonForm:
    @pytest.mark.parametrize(
        "native",
        [
            pytest.param(object(), id="object()"),
            {"when": {1, 2}},
            [float("nan")],
            {"a": float("inf")},
            {"a": "\ud800 secret"},
            {"\ud800": 1},
            "secret \udfff",
        ],
        ids=repr,
    )
    def test_foreign_content(self, native: Any) -> None:
        for value in (Message("x", native={"sms": native}), Receipt(Status.SENT, native=native)):
            with pytest.raises(InvalidInputError) as caught:
                to_json(value)
            assert "secret" not in str(caught.value)
        with pytest.raises(InvalidInputError):
            event_to_json(CustomReceived(key="1", name="n", data=native))

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")], ids=repr)
    def test_a_number_that_json_cannot_write_in_a_field_of_any_kind(self, number: float) -> None:
        """Neither as a word that nobody can read, nor as a null that nobody wrote."""
        with pytest.raises(InvalidInputError, match="no JSON form"):
            event_to_json(PokeReceived(key="1", aim={"at": [number]}))
        words = PokeReceived(key="1", aim="NaN, -Infinity")
        assert event_from_json(event_to_json(words)) == words

    def test_content_that_is_nested_without_end(self) -> None:
        deep: Any = []
        for _ in range(5000):
            deep = [deep]
        endless: dict[str, Any] = {}
        endless["a"] = endless
        for native in (deep, endless):
            with pytest.raises(InvalidInputError, match="levels deep"):
                event_to_json(CustomReceived(key="1", name="n", native=native))

    def test_what_can_be_written_can_be_read(self) -> None:
        """The limit of the writer lies below the reader's."""
        written = 0
        native: Any = 1
        for _ in range(400):
            native = {"$": native} if written % 2 else [native]
            try:
                text = event_to_json(CustomReceived(key="1", name="n", data=native))
            except InvalidInputError:
                break
            assert event_from_json(text).data == native  # type: ignore[attr-defined]
            written += 1
        assert 50 < written < 400

    def test_a_stream_before_it_was_drained(self) -> None:
        async def stream() -> Any:
            yield b""

        with pytest.raises(InvalidInputError, match="has no JSON form"):
            to_json(Message("x", attachments=[Attachment(stream=stream)]))


HOSTILE = [
    "",
    "nonsense",
    "null",
    "[]",
    '"v"',
    "{",
    "[" * 100_000,
    '{"a":' * 100_000,
    "1" * 10_000,
    b"\xff\xfe",
    "\ud800",
    '{"type":5}',
    '{"type":"message.received","text":"\\ud800"}',
    '{"type":"message.received","text":"\\u0000"}',
    '{"type":"message.received","text":5}',
    '{"type":"message.received","native":{"$bytes":5}}',
    '{"type":"message.received","native":{"$bytes":"*"}}',
    '{"type":"message.received","native":{"$":1}}',
    '{"type":"message.received","native":1e999}',
    '{"type":"message.received","native":NaN}',
    '{"type":"message.received","at":"2026-01-01T00:00:00"}',
    '{"type":"message.received","at":1e400}',
    '{"type":"message.received","attachments":[{"data":"ä"}]}',
    '{"type":"message.received","attachments":{"a":1}}',
    '{"type":"message.received","sender":"no scheme"}',
    '{"type":"no.such","key":"a\\nb"}',
    '{"type":"receipt.received","receipt":{"status":"queued"}}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:40]))
def test_bad_documents_are_invalid_input(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError):
        event_from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(KINDS), st.data())
def test_whatever_the_document_it_is_read_or_invalid(kind: type[Value], data: st.DataObject) -> None:
    field = st.sampled_from([*kind.model_fields, "type", "v"])
    document = json.dumps(data.draw(st.dictionaries(field, json_values, max_size=4)))
    for read in (lambda: from_json(kind, document), lambda: event_from_json(document)):
        with suppress(InvalidInputError):
            read()


def test_errors_name_the_field_and_never_its_content() -> None:
    text = json.dumps({"text": "secret\x00", "headers": {"bad\nkey": "secret"}, "cc": ["nowhere"] * 50})
    with pytest.raises(InvalidInputError) as caught:
        from_json(Message, text)
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)
    assert "text" in str(caught.value)
    assert "and 47 more" in str(caught.value)
    assert str(caught.value).isprintable()
