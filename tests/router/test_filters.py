"""Filters: values that are combined, compared, printed, and worked out as far as the facts reach."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.errors import ConfigurationError
from convergekit.model import Address, ConversationKind, ConversationRef, Event, MessageReceived, TypingChanged
from convergekit.router.filters import (
    ALWAYS,
    NEVER,
    Facts,
    Filter,
    automated,
    channel,
    command,
    command_of,
    from_args,
    kind,
    sender,
    text,
    text_of,
    where,
)

from .inbound_kit import message


def shouts(event: Event) -> bool:
    return (text_of(event) or "").isupper()


ROOM = ConversationRef(address=Address("xmpp:room@example.org"), kind=ConversationKind.GROUP)


@pytest.mark.parametrize(
    ("wanted", "event", "answer"),
    [
        (channel("support-*"), message(channel="support-mail"), True),
        (channel("support-*"), message(channel="alerts"), False),
        (channel("Support"), message(channel="support"), False),
        (kind("group"), message(conversation=ROOM), True),
        (kind(ConversationKind.DIRECT), message(conversation=ROOM), False),
        (kind("direct"), message(conversation=None), False),
        (text("hello"), message("hello"), True),
        (text("hello"), message("hello there"), False),
        (text("hello*"), message("hello\nthere"), True),
        (text("hello*"), message("well, hello"), False),
        (text("Hello*"), message("hello"), False),
        (text(re.compile("lo")), message("hello"), True),
        (text(re.compile("^lo")), message("hello"), False),
        (text("*"), message(None), False),
        (text("*"), TypingChanged(typing=True), False),
        (command("start"), message("/start"), True),
        (command("start"), message("  /start now"), True),
        (command("/start"), message("/start\nnow"), True),
        (command("start"), message("/started"), False),
        (command("start"), message("start"), False),
        (command("start"), message("please /start"), False),
        (command("start"), message(None), False),
        (sender("mailto:*@example.org"), message(), True),
        (sender("mailto:Ann@EXAMPLE.org"), message(sender="mailto:Ann@example.org"), True),
        (sender(Address("mailto:ann@example.org")), message(), True),
        (sender("mailto:*@example.org"), message(sender="mailto:ann@example.org.evil.test"), False),
        (sender("*"), message(sender=None), False),
        (automated(), message(automated=True), True),
        (automated(), message(), False),
        (automated(False), message(), True),
        (where(shouts), message("HELP"), True),
        (where(shouts), message("help"), False),
        (where(lambda event: "yes"), message(), True),
        (text("a") & automated(), message("a"), False),
        (text("a") | automated(), message("a"), True),
        (~text("a"), message("a"), False),
        (~(text("a") | text("b")), message("c"), True),
    ],
    ids=lambda value: repr(value) if isinstance(value, Filter | bool) else "",
)
def test_filter_answers(wanted: Filter, event: Event, answer: bool) -> None:
    assert wanted(event) is answer


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (channel("a-*") & ~automated(), "channel('a-*') & ~automated()"),
        ((text("a") | command("b")) & kind("group"), "(text('a') | command('b')) & kind('group')"),
        (~(text("a") & sender("x:*")), "~(text('a') & sender('x:*'))"),
        (text(re.compile("a+", re.I)), "text(re.compile('a+', re.IGNORECASE))"),
        (automated(False), "automated(False)"),
        (where(shouts), f"where({__name__}.shouts)"),
        (text("a") & ~text("a") | ALWAYS, "ALWAYS"),
    ],
)
def test_a_filter_prints_as_it_is_written(wanted: Filter, shown: str) -> None:
    assert repr(wanted) == shown


def test_filters_are_values() -> None:
    assert channel("a") & text("b*") == channel("a") & text("b*")
    assert len({channel("a"), channel("a"), channel("b")}) == 2
    assert ~~text("a") == text("a")
    assert where(text("a")) == text("a")


def test_and_or_not_are_refused_rather_than_misread() -> None:
    """`channel("a") and text("b")` would mean `text("b")`, in silence."""
    with pytest.raises(TypeError, match=r"&, \| and ~"):
        channel("a") and text("b")
    with pytest.raises(TypeError):
        channel("a") & shouts  # type: ignore[operator]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"channel": ""}, "channel=''"),
        ({"channel": 3}, "channel=3"),
        ({"kind": "crowd"}, "'direct', 'group', 'public'"),
        ({"text": b"x"}, "re.compile"),
        ({"text": re.compile(b"x")}, "re.compile"),
        ({"command": "two words"}, "one word"),
        ({"command": "/"}, "one word"),
        ({"command": "x" * 65}, "64"),
        ({"sender": "ann@example"}, "mailto:"),
        ({"sender": "mailto:ann"}, "sender="),
        ({"automated": "yes"}, "True, False"),
        ({"where": "text"}, "function"),
        ({"chanel": "a"}, "no such filter: chanel"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_filter(args: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        from_args(args)  # type: ignore[arg-type]


def test_keywords_are_the_same_as_combined_values() -> None:
    assert from_args({"channel": "a-*", "command": "go", "automated": False, "text": None}) == (
        channel("a-*") & automated(False) & command("go")
    )
    assert from_args({}) == ALWAYS
    assert from_args({"where": command("a") | command("b")}) == command("a") | command("b")


async def slow(event: Event) -> bool:
    return False


class Slow:
    async def __call__(self, event: Event) -> bool:
        return False


@pytest.mark.parametrize("predicate", [slow, Slow()])
def test_a_filter_that_waits_is_refused(predicate: object) -> None:
    """An awaitable is always true."""
    with pytest.raises(ConfigurationError, match="Skip"):
        where(predicate)  # type: ignore[arg-type]


def test_a_filter_that_turns_out_to_wait_is_an_error() -> None:
    class Later:
        def __await__(self) -> object: ...

    with pytest.raises(TypeError, match="awaitable"):
        where(lambda event: Later())(message())


@pytest.mark.parametrize(
    "hostile", [" " * 1_000_000, "/" * 1_000_000, "/" + "x" * 1_000_000, "\n/" * 500_000], ids=["a", "b", "c", "d"]
)
def test_a_hostile_text_is_no_command(hostile: str) -> None:
    assert command_of(hostile) is None


LEAVES = st.one_of(
    st.builds(channel, st.sampled_from(["a", "b", "a*", "*", "[ab]"])),
    st.builds(kind, st.sampled_from(ConversationKind)),
    st.builds(automated, st.booleans()),
    st.builds(command, st.sampled_from(["a", "b"])),
    st.builds(text, st.sampled_from(["a", "/a", "/b c", "a*", "?", re.compile("b")])),
    st.builds(sender, st.sampled_from(["x:1", "x:2", "x:*", "sms:*"])),
    st.just(where(lambda event: len(text_of(event) or "") % 2 == 0)),
    st.sampled_from([ALWAYS, NEVER]),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        inner.map(lambda one: ~one),
    ),
    max_leaves=6,
)
CONVERSATIONS = st.none() | st.builds(
    lambda of: ConversationRef(address=Address("x:1"), kind=of), st.sampled_from(ConversationKind)
)
MESSAGES = st.builds(
    MessageReceived,
    channel=st.sampled_from(["a", "b", "ab", ""]),
    text=st.sampled_from([None, "", "a", "b", "/a", "/b c", "/a b", " /b", "ab", "/c"]),
    sender=st.sampled_from([None, "x:1", "x:2", "sms:+4912345"]),
    conversation=CONVERSATIONS,
    automated=st.booleans(),
)


def facts_of(event: MessageReceived) -> Facts:
    of = None if event.conversation is None else event.conversation.kind
    return Facts(event.channel, of, event.automated, command_of(event.text), event.text)


@given(FILTERS, MESSAGES)
def test_binding_changes_no_answer(wanted: Filter, event: MessageReceived) -> None:
    assert wanted.bind(facts_of(event))(event) is wanted(event)


@given(FILTERS, MESSAGES)
def test_after_binding_nothing_is_left_that_the_facts_tell(wanted: Filter, event: MessageReceived) -> None:
    names = {type(leaf).__name__ for leaf in wanted.bind(facts_of(event)).leaves()}
    assert names <= {"_TextLike", "_SenderLike", "_Where", "_Constant"}


@given(FILTERS, FILTERS, MESSAGES)
def test_combining_means_what_logic_means(one: Filter, other: Filter, event: MessageReceived) -> None:
    assert (one & other)(event) is (one(event) and other(event))
    assert (one | other)(event) is (one(event) or other(event))
    assert (~one)(event) is not one(event)
