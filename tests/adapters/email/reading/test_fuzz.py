"""Any bytes are a mail: nothing raises, and the model accepts whatever was read."""

from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.details import Mail
from convergekit.adapters.email.reading.headers import Headers
from convergekit.adapters.email.reading.mail import ReadMail, read
from convergekit.model import MessageReceived, event_from_json, event_to_json

GOOD = (
    b'From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nTo: Friends: help@example.org, "A, B" <ann@example.org>;\r\n'
    b"Subject: =?iso-8859-1?b?R3L832U=?=\r\n aus Rom\r\nDate: Mon, 05 Jan 2026 12:00:00 +0100\r\n"
    b"Message-ID: <three@example.net>\r\nIn-Reply-To: <two@example.org>\r\nReferences: <one@example.net>\r\n"
    b' <two@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: multipart/alternative; boundary=xy\r\n\r\n"
    b"--xy\r\nContent-Type: text/plain; charset=gb2312; format=flowed\r\n\r\nHello \r\n> you\r\nbegin 644 a\r\n"
    b"#0V%T\r\n`\r\nend\r\n--xy\r\nContent-Type: text/html; charset=utf-8\r\n"
    b'Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Hello=20<img src=3D"cid:cat@x"></p>\r\n--xy--\r\n'
    b"--x\r\nContent-Type: image/png; name*0*=utf-8''%C3%BC; name*1=.png\r\nContent-ID: <cat@x>\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\nContent-Type: multipart/digest; boundary=z\r\n\r\n"
    b"--z\r\n\r\nSubject: deeper\r\n\r\n--z--\r\n"
    b'--x\r\nContent-Disposition: attachment; filename="../a (1).txt"\r\n\r\nfile\r\n--x--\r\n'
)
FRAGMENTS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\n\n",
        b" ",
        b"\t",
        b"\0",
        b"\x80",
        b"\xff",
        "ü".encode(),
        "\u202e".encode(),
        b"a",
        b"=",
    ),
    *(b"From: ", b"To: ", b"Date: ", b"Subject: ", b"References: ", b"\nContent-Type: ", b"\nContent-Disposition: "),
    *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: x-uuencode\n", b"Content-ID: "),
    *(
        b"multipart/mixed; boundary=x\n\n",
        b"multipart/alternative; boundary=--x\n\n",
        b"message/rfc822\n\n",
        b"text/html",
    ),
    *(b"\n--x\n", b"\n--x--\n", b"\n----x\n", b"; charset=utf-16", b"; charset=iso-2022-jp", b"; format=flowed"),
    *(b"; name*0*=", b"utf-8''%", b"; filename=", b'"', b"(", b")", b"<", b">", b"@", b",", b";", b":", b"\\", b"/.."),
    *(b"=?utf-8?q?", b"=?gb2312?B?", b"?=", b"QUJD", b"=3D", b"begin 644 a\n", b"\nend\n", b"#0V%T\n", b"<p>", b"cid:"),
]

random_bytes = st.binary(max_size=300)
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good mail in which pieces are missing, doubled, or something else."""
    raw = GOOD
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(raw)))
        end = start + draw(st.integers(0, 30))
        put = draw(st.one_of(st.binary(max_size=5), st.sampled_from(FRAGMENTS), st.just(raw[start:end] * 2)))
        raw = raw[:start] + put + raw[end:]
    return raw


def event_of(mail: ReadMail) -> MessageReceived:
    """All that was read, where the model wants text without surrogates, lines without control characters."""
    return MessageReceived(
        key="1",
        sender=mail.sender,
        at=mail.date,
        text=mail.text,
        html=mail.html,
        subject=mail.subject,
        to=mail.to,
        cc=mail.cc,
        attachments=mail.attachments,
        reply_to=mail.in_reply_to[0] if mail.in_reply_to else None,
        references=mail.references,
        message_id=mail.message_id,
        details=Mail(defects=mail.defects).to_details(),
        native=mail.raw,
    )


@given(st.one_of(random_bytes, fragments, damaged()))
def test_whatever_is_read_is_accepted_by_the_model(raw: bytes) -> None:
    event = event_of(read(raw))
    assert event_from_json(event_to_json(event)) == event


@given(st.one_of(random_bytes, fragments, damaged()))
def test_every_part_can_be_asked_for_everything(raw: bytes) -> None:
    for entity in read(raw).entity.walk():
        assert 0 <= entity.start <= entity.end <= len(entity.raw)
        text = entity.text()
        text.encode()
        assert not {"\0", "\r"} & set(text)
        assert len(entity.body()) >= 0
        assert isinstance(entity.content(), bytes)
        if entity.name is not None:
            assert not set('/\\\0\r\n:<>"|?*') & set(entity.name)
            assert entity.name not in ("", ".", "..")
            assert len(entity.name.encode()) <= 255
        for name in entity.headers.names():
            assert name == name.lower()
            for value in entity.headers.all(name):
                value.encode()
                assert len(value) <= 8192
                assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value)


@given(st.one_of(random_bytes, fragments))
def test_any_bytes_are_a_header(raw: bytes) -> None:
    headers = Headers.parse(raw)
    for name in headers.names():
        headers.get(name)
        headers.raw(name)


@given(damaged())
def test_it_is_read_the_same_way_each_time(raw: bytes) -> None:
    assert event_to_json(event_of(read(raw))) == event_to_json(event_of(read(raw)))


def test_undamaged_it_has_no_defects() -> None:
    mail = read(GOOD)
    assert mail.defects == ()
    assert mail.text == "Hello \n> you"
    assert [file.name for file in mail.attachments] == ["ü.png", None, "a (1).txt", "a"]
