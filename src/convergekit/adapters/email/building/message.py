"""A mail as octets: its header fields, and its parts in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import format_datetime
from io import BytesIO
from typing import Final, Unpack

from convergekit.model import Importance

from ..content_ids import shown_in
from . import headers as fields
from .bodies import Entity, boundary, file_entity, multipart, text_entity, write
from .parts import File, Parts
from .safety import refuse_unsafe

__all__ = ["build"]

_IMPORTANCE: Final[Mapping[Importance, Mapping[str, str]]] = {
    Importance.URGENT: {"Importance": "high", "X-Priority": "1"},  # RFC 2156 §5.3.4, and what most programs look at
    Importance.BULK: {"Precedence": "bulk"},  # nobody's absence notes are wanted (RFC 3834 §2)
}
#: Whoever says the first speaks for both (RFC 8058 §3.1).
_TOGETHER: Final = {"list-unsubscribe": "list-unsubscribe-post"}


def build(*, smtputf8: bool = False, eight_bit: bool = False, **parts: Unpack[Parts]) -> bytes:
    """The mail that *parts* make, ready for SMTP but for its dots; the same octets for the same arguments.

    Args:
        smtputf8: Whether the header may have raw UTF-8 (RFC 6532). That is for mail that cannot do without it: it goes
            only where every server on its way can take it.
        eight_bit: Whether bodies may, which the server offers by 8BITMIME (RFC 6152). Not for what is signed: a server
            that sends it on to one without would have to change it (RFC 6376 §5.3).
        **parts: See `Parts`.

    Raises:
        UnsupportedContentError: Something in it cannot stand in a mail; the text names the field.
    """
    refuse_unsafe(**parts)
    out = BytesIO()
    out.write("".join(_header(parts, smtputf8=smtputf8)).encode())
    write(_body(parts, eight_bit=eight_bit), out)
    return out.getvalue()


def _header(parts: Parts, *, smtputf8: bool) -> Iterator[str]:
    """The header fields but for those of the body, each with its line end."""
    yield f"Date: {format_datetime(parts['date'].astimezone(UTC))}\r\n"
    yield fields.mailboxes("From", (parts["sender"],), smtputf8=smtputf8)
    yield fields.mailboxes("To", parts.get("to", ()), smtputf8=smtputf8)
    yield fields.mailboxes("Cc", parts.get("cc", ()), smtputf8=smtputf8)
    if (reply_to := parts.get("reply_to")) is not None:
        yield fields.mailboxes("Reply-To", (reply_to,), smtputf8=smtputf8)
    if (subject := parts.get("subject")) is not None:
        yield fields.field("Subject", subject, smtputf8=smtputf8)
    yield f"Message-ID: <{parts['message_id']}>\r\n"
    before = list(parts.get("references", ()))
    if (answered := parts.get("in_reply_to")) is not None:
        yield fields.message_ids("In-Reply-To", [answered])
        before = [*(each for each in before if each != answered), answered]  # RFC 5322 §3.6.4: the parent comes last
    if before:
        yield fields.message_ids("References", before)
    if language := parts.get("language"):
        yield f"Content-Language: {language}\r\n"
    for name, value in _further(parts).items():
        yield fields.field(name, value, smtputf8=smtputf8)
    yield "MIME-Version: 1.0\r\n"


def _further(parts: Parts) -> Mapping[str, str]:
    """The channel's own fields, and those of whoever wrote the message, whose word goes over ours."""
    own = {**_IMPORTANCE.get(parts.get("importance", Importance.NORMAL), {}), **parts.get("own_headers", {})}
    theirs = parts.get("headers", {})
    if not theirs:
        return own
    said = {name.lower() for name in theirs}
    said |= {other for name, other in _TOGETHER.items() if name in said}
    return {name: value for name, value in own.items() if name.lower() not in said} | dict(theirs)


def _body(parts: Parts, *, eight_bit: bool) -> Entity:
    """alternative(text, related(html, images)) and its files; of each multipart only as much as there is."""
    text, html, files = parts["text"], parts.get("html"), parts.get("files", ())
    if html is None and not files:
        return text_entity("plain", text, eight_bit=eight_bit)
    forms = [text_entity("plain", text, eight_bit=eight_bit)] if text or html is None else []
    shown, attached = _by_use(files, html)
    inline = [file_entity(each, "inline", eight_bit=eight_bit) for each in shown]
    attachments = [file_entity(each, "attachment", eight_bit=eight_bit) for each in attached]
    page = [] if html is None else [text_entity("html", html, eight_bit=eight_bit)]
    token = boundary(parts["boundary_seed"], [*forms, *page, *inline, *attachments])
    if page:
        forms.append(multipart("related", [*page, *inline], token))
    return multipart("mixed", [multipart("alternative", forms, token), *attachments], token)


def _by_use(files: Sequence[File], html: str | None) -> tuple[list[File], list[File]]:
    """Those that *html* shows, and all others."""
    named = shown_in(html) if files else frozenset[str]()
    shown = [each for each in files if each.content_id in named]
    return shown, [each for each in files if each.content_id not in named]
