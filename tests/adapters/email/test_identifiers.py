"""Ids of ours come back readable, and nobody else can make one."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.identifiers import Identifiers, Named, thread_name
from convergekit.model import Address
from tests.adapters.email.reading.mails import outgoing

OURS = Identifiers(b"a secret of sixteen octets or more", "example.org")
OTHERS = Identifiers(b"a secret of somebody else's", "example.org")
DELIVERY = "0190a5c6d8e07b1c9f2a3b4c5d6e7f80"
GROUP = "0190a5c6d8e07b1c9f2a3b4c5d6e7f99"
THREAD = "abcdefghij234567"

IDS = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)
THREADS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16)


@given(IDS, THREADS, st.integers(0, 300), st.booleans())
def test_message_id_names_delivery_part_and_thread(delivery: str, thread: str, index: int, several: bool) -> None:
    out = outgoing(delivery, thread=thread, index=index if several else 0, count=301 if several else 1)
    named = OURS.in_message_id(OURS.message_id(out))

    part = index if several and index < 255 else None  # a token counts no further
    assert named == Named(delivery, part, thread)


@given(IDS, THREADS)
def test_copies_that_show_each_other_share_their_message_id(group: str, thread: str) -> None:
    one, other = (OURS.message_id(outgoing(id * 16, group=group, thread=thread)) for id in ("aa", "bb"))

    assert one == other
    assert OURS.in_message_id(one) == Named(None, None, thread)
    assert not OURS.is_thread_reference(one)


@given(IDS, st.integers(0, 254))
def test_envelope_id_and_reverse_path_name_delivery_and_part(delivery: str, index: int) -> None:
    out = outgoing(delivery, index=index, count=255)
    named = Named(delivery, index)

    assert OURS.in_envelope_id(OURS.envelope_id(out)) == named
    assert OURS.in_recipient(OURS.verp(out, "bounces@example.org")) == named


@given(THREADS)
def test_reference_stands_for_a_thread_and_for_no_mail(thread: str) -> None:
    reference = OURS.thread_reference(thread)

    assert OURS.in_message_id(reference) == Named(thread=thread)
    assert OURS.is_thread_reference(reference)
    assert OURS.thread_among(["a@x", reference]) == thread


def test_ids_are_the_same_over_all_attempts() -> None:
    first, second = outgoing(DELIVERY, attempt=1), outgoing(DELIVERY, attempt=7, maybe_sent=True)

    assert OURS.message_id(first) == OURS.message_id(second)
    assert OURS.envelope_id(first) == OURS.envelope_id(second)


def test_parts_have_ids_of_their_own() -> None:
    ids = {OURS.message_id(outgoing(DELIVERY, index=index, count=3)) for index in range(3)}

    assert len(ids) == 3


def test_thread_is_the_messages_or_the_conversations_or_begins() -> None:
    alone = OURS.thread_of(outgoing(DELIVERY))

    assert OURS.thread_of(outgoing(thread=THREAD)) == THREAD
    assert OURS.thread_of(outgoing(thread="<a@x>")) == thread_name("a@x")
    assert re.fullmatch("[a-z2-7]{16}", alone)
    assert OURS.thread_of(outgoing("aa" * 16)) != alone
    assert OURS.thread_of(outgoing("aa" * 16, group=GROUP)) == OURS.thread_of(outgoing("bb" * 16, group=GROUP))


def test_name_of_a_thread_is_its_own() -> None:
    assert thread_name(THREAD) == THREAD
    assert thread_name(" <a@x> ") == thread_name("a@x")


ALL = [
    OURS.message_id(outgoing(DELIVERY, thread=THREAD)),
    OURS.message_id(outgoing(DELIVERY, group=GROUP)),
    OURS.thread_reference(THREAD),
]


@pytest.mark.parametrize("id", ALL)
def test_ids_survive_what_mail_systems_do_to_them(id: str) -> None:
    read = OURS.in_message_id(id)

    assert read is not None
    for form in (f"<{id}>", f" <{id}> ", id.upper(), id.replace("example.org", "Example.ORG")):
        assert OURS.in_message_id(form) == read
    envid = OURS.envelope_id(outgoing(DELIVERY))
    assert OURS.in_envelope_id(f" {envid.upper()} ") == Named(DELIVERY)
    assert OURS.in_recipient(OURS.verp(outgoing(DELIVERY), "b@example.org").upper()) == Named(DELIVERY)


@pytest.mark.parametrize("id", ALL)
def test_what_was_not_signed_by_us_is_not_ours(id: str) -> None:
    local, _, domain = id.partition("@")

    assert OTHERS.in_message_id(id) is None
    for wrong in (f"{local}@example.net", local, f"{local[:-1]}@{domain}", f"{local}a@{domain}", f"{local}=@{domain}"):
        assert OURS.in_message_id(wrong) is None


@given(st.sampled_from(ALL), st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_changed_token_names_nothing_else(id: str, position: int, letter: str) -> None:
    """The last letter of some has bits that count for nothing."""
    local, _, domain = id.partition("@")
    changed = local[:position] + letter + local[position + 1 :]

    assert OURS.in_message_id(f"{changed}@{domain}") in {None, OURS.in_message_id(id)}
    if changed[:-1] != local[:-1]:
        assert OURS.in_message_id(f"{changed}@{domain}") is None


def test_a_token_counts_for_what_it_was_made_for_only() -> None:
    out = outgoing(DELIVERY, thread=THREAD)
    envid = OURS.envelope_id(out)
    local = OURS.message_id(out).partition("@")[0]

    assert OURS.in_message_id(f"{envid}@example.org") is None
    assert OURS.in_envelope_id(local) is None
    assert OURS.in_recipient(f"help+{local}@example.org") is None
    assert not OURS.is_thread_reference(OURS.message_id(out))


def test_of_several_the_first_of_ours_decides_the_thread() -> None:
    first, second = (OURS.message_id(outgoing(thread=name * 16)) for name in "ab")
    forged = OTHERS.message_id(outgoing(thread="c" * 16))

    assert OURS.thread_among([forged, "a@x", first, second]) == "a" * 16
    assert OURS.thread_among([forged, "a@x"]) is None
    assert OURS.thread_among([]) is None


@given(st.text(st.characters(), max_size=80) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_no_string_makes_reading_raise(text: str) -> None:
    for id in (text, f"{text}@example.org", f"<{text}@example.org>", f"{text}+{text}@example.org"):
        assert OURS.in_message_id(id) is None
        assert OURS.in_envelope_id(id) is None
        assert OURS.in_recipient(id) is None
        assert not OURS.is_thread_reference(id)
        assert OURS.thread_among([id]) is None
        assert re.fullmatch("[a-z2-7]{16}", thread_name(id))


@given(IDS | st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_local_parts_fit(delivery: str, base: str) -> None:
    """RFC 5321 §4.5.3.1.1: 64 octets. What has no room for a token goes without, and is told by the other two."""
    out = outgoing(delivery or "x")
    reverse_path = OURS.verp(out, f"{base}@example.org")
    ids = [OURS.message_id(out), OURS.thread_reference(THREAD), OURS.verp(out, "bounces@example.org")]

    assert all(len(id.partition("@")[0]) <= 64 for id in ids)
    assert reverse_path == f"{base}@example.org" or len(reverse_path.rpartition("@")[0].encode()) <= 64
    assert len(OURS.envelope_id(out)) <= 100  # RFC 3461 §4.4
    assert all(re.fullmatch(r"[a-z2-7]+@example\.org", id) for id in ids[:2])


@pytest.mark.parametrize(
    "id", ["order-42", "0190A5C6D8E07B1C9F2A3B4C5D6E7F80", "ab " * 10 + "ab", "é" * 32, "ab" * 15 + "  "]
)
def test_ids_that_are_not_the_ledgers_make_tokens_too(id: str) -> None:
    """Readable ones, though they name a digest: 32 characters are no id of the ledger by that alone."""
    out = outgoing(id)

    named = OURS.in_message_id(OURS.message_id(out))
    assert named is not None
    assert named.delivery not in {None, id, id.lower()}
    assert OURS.in_envelope_id(OURS.envelope_id(out)) == Named(named.delivery)


def test_a_token_knows_to_whom_it_went() -> None:
    """And is the same for all copies of a group, which go to several."""
    out = outgoing("7f" * 16)
    other = Address("mailto:eve@example.net")
    for named in (OURS.in_envelope_id(OURS.envelope_id(out)), OURS.in_message_id(OURS.message_id(out))):
        assert named is not None
        assert OURS.is_to(named, out.to)
        assert not OURS.is_to(named, other)
    group = OURS.in_message_id(OURS.message_id(replace(out, group="9a" * 16)))
    assert group is not None
    assert not OURS.is_to(group, out.to)
    assert OURS.message_id(replace(out, group="9a" * 16)) == OURS.message_id(replace(out, group="9a" * 16, to=other))
