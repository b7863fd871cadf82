"""What we write we read back, and take it for the same."""

from __future__ import annotations

from hypothesis import assume, example, given
from hypothesis import strategies as st

from convergekit.adapters.email.building import File
from convergekit.adapters.email.reading.mail import read
from convergekit.errors import UnsupportedContentError
from convergekit.model import Address
from tests.adapters.email.building.kit import built

PAGE = '<img src="cid:a@b">'
LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cn"]), min_size=1, max_size=80)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=400)


def told(text: str | None) -> list[str]:
    """What is left of a line whatever a reader thinks of its spaces, and of quotes around it."""
    return (text or "").replace('"', " ").split()


@given(subject=LINE, sender=LINE, cc=LINE, text=TEXT, name=LINE, eight_bit=st.booleans(), utf8=st.booleans())
@example(subject="=?utf-8?q?a?=", sender='"', cc="a,b", text="", name='"', eight_bit=False, utf8=False)
def test_what_we_write_we_read_back(
    subject: str, sender: str, cc: str, text: str, name: str, eight_bit: bool, utf8: bool
) -> None:
    try:
        raw = built(
            subject=subject,
            sender=Address("mailto:support@example.org", display_name=sender),
            cc=(Address("mailto:ünï@example.org" if utf8 else "mailto:ann@example.org", display_name=cc),),
            text=text,
            html=PAGE,
            files=[File(b"\0\r\n\xff", "image/png", name, "a@b")],
            references=("a@b", "c@d"),
            in_reply_to="c@d",
            eight_bit=eight_bit,
            smtputf8=utf8,
        )
    except UnsupportedContentError:
        return
    mail = read(raw)
    assert mail.defects == ()
    assert told(mail.subject) == told(subject)
    assert mail.sender is not None
    assert told(mail.sender.display_name) == told(sender)
    assert [told(each.display_name) for each in mail.cc] == [told(cc)]
    assume(text.strip())  # else it is the page that is read
    assert (mail.text or "").rstrip("\n") == text.rstrip("\n")
    assert mail.html == PAGE
    [file] = mail.attachments
    assert (file.data, file.media_type, file.content_id) == (b"\0\r\n\xff", "image/png", "a@b")
    assert mail.references == ("a@b", "c@d")
    assert mail.message_id == "token@example.org"
