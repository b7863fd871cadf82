"""A mail finds its thread by what it refers to; by its subject only where that is asked for."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.identifiers import Identifiers, thread_name
from convergekit.adapters.email.reading.mail import read
from convergekit.adapters.email.reading.threads import answered, base_subject, is_forward, lineage, thread_of
from tests.adapters.email.reading.mails import IDENTIFIERS, letter, multipart, outgoing


def thread(fields: dict[str, str | None], *, by_subject: bool = False) -> str:
    return thread_of(letter(fields), IDENTIFIERS, by_subject=by_subject)


def test_first_mail_names_its_thread() -> None:
    assert thread({"Message-ID": "<a@x>"}) == thread_name("a@x")


@pytest.mark.parametrize(
    "fields",
    [
        {"References": "<a@x>"},
        {"References": "<a@x> <b@x> <c@x>"},
        {"References": "<a@x>\r\n <b@x>\r\n\t<c@x>", "In-Reply-To": "<c@x>"},
        {"In-Reply-To": "<a@x>"},
        {"In-Reply-To": "Your mail of Monday <a@x>"},
        {"References": "<a@x> <a@x> <b@x> <a@x>"},
        {"References": "<one@example.net> <a@x>"},  # itself
        {"References": "<a@x> <one@example.net>", "In-Reply-To": "<one@example.net>"},
    ],
)
def test_answers_are_in_the_thread_of_the_oldest_that_they_refer_to(fields: dict[str, str | None]) -> None:
    assert thread(fields) == thread({"Message-ID": "<a@x>"})


def test_a_parent_that_never_came_holds_its_answers_together() -> None:
    assert thread({"References": "<lost@x>", "Message-ID": "<b@x>"}) == thread({"In-Reply-To": "<lost@x>"})


def test_mails_that_refer_to_each_other_and_to_themselves_have_a_thread() -> None:
    """Nothing is followed, so that a circle is none."""
    assert thread({"Message-ID": "<a@x>", "References": "<b@x>"}) == thread_name("b@x")
    assert thread({"Message-ID": "<b@x>", "References": "<a@x>"}) == thread_name("a@x")
    assert thread({"Message-ID": "<a@x>", "References": "<a@x>", "In-Reply-To": "<a@x>"}) == thread_name("a@x")


def test_mail_without_an_id_has_the_same_thread_each_time() -> None:
    assert thread({"Message-ID": None}) == thread({"Message-ID": None})
    assert thread({"Message-ID": None}) != thread({"Message-ID": None, "Subject": "Another"})


def test_an_id_of_ours_tells_the_thread() -> None:
    """Wherever it stands, and though the sender's program lost all the others."""
    out = outgoing(thread="abcdefghij234567")
    ours = IDENTIFIERS.message_id(out)

    assert thread({"In-Reply-To": f"<{ours}>"}) == "abcdefghij234567"
    assert thread({"In-Reply-To": f"<{ours.upper()}>"}) == "abcdefghij234567"
    assert thread({"References": f"<other@x> <{ours}> <b@x>"}) == "abcdefghij234567"
    assert thread({"References": f"<{IDENTIFIERS.thread_reference('abcdefghij234567')}>"}) == "abcdefghij234567"


def test_of_several_ids_of_ours_the_nearest_decides() -> None:
    far, near = (IDENTIFIERS.message_id(outgoing(thread=name)) for name in ("a" * 16, "b" * 16))

    assert thread({"References": f"<{far}> <{near}>"}) == "b" * 16
    assert thread({"References": f"<{near}> <{far}>", "In-Reply-To": f"<{near}>"}) == "b" * 16


def test_a_forged_id_of_ours_tells_nothing() -> None:
    forged = Identifiers(b"somebody else's secret", "example.org").message_id(outgoing(thread="a" * 16))

    assert thread({"In-Reply-To": f"<{forged}>"}) == thread_name(forged)


def test_header_of_a_forwarded_mail_never_counts() -> None:
    inner = (
        f"Content-Type: message/rfc822\n\nMessage-ID: <in@x>\nReferences: <{IDENTIFIERS.message_id(outgoing())}>\n\nx"
    )
    raw = multipart("mixed", "Content-Type: text/plain\n\nSee below.", inner)

    assert thread_of(read(raw), IDENTIFIERS, by_subject=False) == thread_name("one@example.net")
    assert lineage(read(raw)) == ()


def test_the_subject_counts_only_where_it_is_asked_for() -> None:
    first, second = {"Message-ID": "<a@x>"}, {"Message-ID": "<b@x>", "Subject": "Re: Parcel"}

    assert thread(first) != thread(second)
    assert thread(first, by_subject=True) == thread(second, by_subject=True)


def test_the_subject_counts_with_who_wrote_it_and_where_no_mail_is_referred_to() -> None:
    named = thread({}, by_subject=True)

    assert thread({"From": "ben@example.net"}, by_subject=True) != named
    assert thread({"From": "ben@example.net", "Reply-To": "Ann@Example.net"}, by_subject=True) == named
    assert thread({"Subject": "Other"}, by_subject=True) != named
    assert thread({"References": "<a@x>"}, by_subject=True) == thread_name("a@x")


@pytest.mark.parametrize("subject", [None, "", "Re:", "Re: Fwd: "])
def test_what_has_no_subject_is_not_one_thread(subject: str | None) -> None:
    """Else all that says nothing would be one."""
    assert thread({"Subject": subject}, by_subject=True) == thread_name("one@example.net")


@pytest.mark.parametrize(
    "subject",
    [
        "Parcel",
        " parcel ",
        "Re: Parcel",
        "RE: re: Fwd: Parcel",
        "Re[2]: Parcel",
        "Re [2] : Parcel",
        "[help] Parcel",
        "[help] Re: [help] Parcel",
        "Re: [help] Re: Parcel",
        "Parcel (fwd)",
        "Parcel (fwd) (fwd)",
        "Parcel(fwd)",
        "[Fwd:Parcel]",
        "[Fwd: Parcel]",
        "Re: [Fwd: Re: Parcel (fwd)]",
        "AW: Parcel",
        "WG: AW: Parcel",
        "SV: Parcel",
        "Antw: Parcel",
        "TR: RE : Parcel",
        "RV: Parcel",
        "ODP: Parcel",
        "YNT: Parcel",
        "回复：Parcel",
        "转发: Parcel",
        "Re(3): Parcel",
        "Re^2: Parcel",
    ],
)
def test_base_subject(subject: str) -> None:
    """RFC 5256 §2.1, and what programs of other languages write."""
    assert base_subject(subject) == "parcel"


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("[help]", "[help]"),
        ("Result: Parcel", "result: parcel"),
        ("Reparcel", "reparcel"),
        ("A: b", "a: b"),
        ("Parcel [1]", "parcel [1]"),
        ("[Fwd: Parcel", "[fwd: parcel"),
        ("", ""),
        ("Re:", ""),
    ],
)
def test_base_subject_keeps_what_the_sender_wrote(subject: str, base: str) -> None:
    assert base_subject(subject) == base


@pytest.mark.parametrize(
    ("subject", "says"),
    [
        ("Fwd: Parcel", True),
        ("FW: Parcel", True),
        ("WG: Paket", True),
        ("TR : Colis", True),
        ("[help] Fwd: Parcel", True),
        ("[Fwd: Parcel]", True),
        ("转发：包裹", True),
        ("Re: Fwd: Parcel", False),
        ("Parcel", False),
        ("Forward it", False),
        (None, False),
    ],
)
def test_subject_says_that_something_is_forwarded(subject: str | None, says: bool) -> None:
    assert is_forward(subject) is says


def test_what_came_before_is_named_once_in_order_and_without_itself() -> None:
    fields = {"References": "<a@x> <b@x> <a@x> <one@example.net> <c@x>", "In-Reply-To": "<b@x> <d@x>"}

    assert lineage(letter(fields)) == ("a@x", "b@x", "c@x", "d@x")


def test_what_is_answered_is_the_nearest_mail_and_one_of_ours_before_others() -> None:
    ours = IDENTIFIERS.message_id(outgoing())
    pseudo = IDENTIFIERS.thread_reference("a" * 16)

    def about(**fields: str) -> str | None:
        return answered(letter({name.replace("_", "-"): value for name, value in fields.items()}), IDENTIFIERS)

    assert about() is None
    assert about(In_Reply_To="<a@x>") == "a@x"
    assert about(References="<a@x> <b@x>") == "b@x"
    assert about(References="<a@x> <b@x>", In_Reply_To="<a@x>") == "a@x"
    assert about(In_Reply_To=f"<a@x> <{ours}>") == ours
    assert about(In_Reply_To="<one@example.net>", References="<a@x>") == "a@x"
    assert about(References=f"<{pseudo}>") is None
    assert about(References=f"<a@x> <{pseudo}>") == "a@x"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_it_never_raises(references: str, in_reply_to: str, subject: str) -> None:
    strange = letter({"References": references, "In-Reply-To": in_reply_to, "Subject": subject})

    assert len(thread_of(strange, IDENTIFIERS, by_subject=True)) == 16


@given(st.text(alphabet="reRE:[]()fwd 回复：^1", max_size=60))
def test_a_base_subject_is_its_own(subject: str) -> None:
    assert base_subject(base_subject(subject)) == base_subject(subject)


@pytest.mark.parametrize("piece", ["Re: ", "[a]", "[", "re[", "(fwd)", "[fwd:", "re ", "[fwd:]", "re: [a] "])
def test_base_subject_takes_linear_time(piece: str) -> None:
    hostile = piece * (8192 // len(piece))
    begin = time.process_time()
    base_subject(hostile)
    is_forward(hostile)

    assert time.process_time() - begin < 0.5
