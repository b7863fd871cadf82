"""Mail that the standard library built is read as what it was built from, and its body as the library reads it."""

import email
import email.policy
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage, MIMEPart
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.reading.mail import read

# What a line holds: neither control characters, nor what has no UTF-8, nor line ends of Unicode.
LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn", "Co"))
#: Words with one space between them: neither side promises more about white space in a header.
LINES = st.lists(st.text(LETTERS, min_size=1, max_size=12), min_size=1, max_size=6).map(
    lambda words: " ".join(" ".join(words).split())
)
TEXTS = st.lists(st.text(LETTERS, max_size=90), max_size=8).map(lambda lines: "\n".join(lines) + "\n")
ATOMS = st.text(st.sampled_from("abcxyz019-_+"), min_size=1, max_size=10).map(lambda text: f"a{text}z")
MAILBOXES = st.builds(
    lambda name, local, host: Mailbox(name, local, f"{host}.example"),
    st.lists(st.text(st.sampled_from("abcÄöü ßé東京'-"), min_size=1, max_size=8), max_size=3).map(
        lambda words: " ".join(" ".join(words).split())
    ),
    st.lists(ATOMS, min_size=1, max_size=2).map(".".join),
    st.lists(st.sampled_from(["mail", "b2", "xn--bcher-kva"]), min_size=1, max_size=2).map(".".join),
)
NAMES = st.text(st.sampled_from("abcÄöü 東()'-_,=%"), min_size=1, max_size=30).map(lambda text: f"a{text}z.pdf")
DATES = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)).map(  # noqa: DTZ001
    lambda date: date.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=date.minute * 15 - 450)))
)


@st.composite
def messages(draw: st.DrawFn) -> EmailMessage:
    policy = draw(st.sampled_from([email.policy.default, email.policy.SMTP, email.policy.SMTPUTF8]))
    message = EmailMessage(policy.clone(max_line_length=900))  # it breaks names into lines that it cannot read itself
    message["From"] = draw(MAILBOXES)
    message["To"] = draw(st.lists(MAILBOXES, min_size=1, max_size=4))
    message["Subject"] = draw(LINES)
    message["Date"] = draw(DATES)
    message["Message-ID"] = f"<{draw(ATOMS)}@{draw(ATOMS)}.example>"
    message.set_content(draw(TEXTS), cte=draw(st.sampled_from([None, "base64", "quoted-printable", "8bit"])))
    if draw(st.booleans()):
        message.add_alternative(draw(TEXTS), subtype="html", cte=draw(st.sampled_from([None, "base64"])))
    for content in draw(st.lists(st.binary(max_size=500), max_size=3)):
        message.add_attachment(content, maintype="application", subtype="pdf", filename=draw(NAMES))
    return message


def content(part: MIMEPart | None) -> str:
    return part.get_content().replace("\r\n", "\n").rstrip("\n") if part is not None else ""


@given(messages())
def test_what_it_says_and_what_goes_with_it_is_the_same(message: EmailMessage) -> None:
    raw = message.as_bytes()
    theirs = email.message_from_bytes(raw, policy=email.policy.default)
    ours = read(raw)
    plain, html = content(theirs.get_body(("plain",))), content(theirs.get_body(("html",)))
    assert (ours.html or "") == html
    assert plain.strip() == "" or ours.text == plain
    assert [(file.name, file.media_type, file.data) for file in ours.attachments] == [
        (part.get_filename(), part.get_content_type(), part.get_content()) for part in theirs.iter_attachments()
    ]
    assert ours.defects == ()


@given(messages())
def test_who_says_it_when_about_what_is_what_was_written(message: EmailMessage) -> None:
    ours = read(message.as_bytes())
    written: Any = message
    for field, addresses in (("From", (ours.sender,)), ("To", ours.to)):
        assert [(address.display_name or "", address.value) for address in addresses if address is not None] == [
            (mailbox.display_name, mailbox.addr_spec) for mailbox in written[field].addresses
        ]
    assert ours.subject == written["Subject"]
    assert ours.date == written["Date"].datetime
    assert f"<{ours.message_id}>" == written["Message-ID"]
