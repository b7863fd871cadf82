"""What must not be in a mail is refused here, before a connection is touched.

A header field is one line. Whoever gets a line end into a subject, a name, an address, an id or a file name writes
header fields of his own, or the whole mail; other control characters do the same to programs that read them loosely.
What is refused is named by its field and by the character's number, and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Unpack
from urllib.parse import unquote

from convergekit.errors import UnsupportedContentError
from convergekit.model import Address

from .headers import LONGEST_WORD, MESSAGE_ID, STRUCTURED
from .parts import File, Parts

__all__ = ["needs_smtputf8", "refuse_unsafe"]

#: C0, DEL and C1, the line ends of Unicode, and halves of characters, which have no UTF-8.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: What makes a name read otherwise than it is: "gnp.exe" as "exe.png".
_REORDERING: Final = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 §3.6.8 ftext
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9*-]{1,64}(, ?[A-Za-z0-9*-]{1,64}){0,20}")
_MEDIA_TYPE: Final = re.compile(r"[!#$&^_.+\-0-9A-Za-z]{1,127}/[!#$&^_.+\-0-9A-Za-z]{1,127}")

#: What says where a mail is from, where it goes and how it is made is not for `headers`; what is, instead.
_INSTEAD: Final[Mapping[str, str]] = {
    "from": "set `address` and `display_name` of the channel",
    "sender": "set `address` of the channel",
    "reply-to": "set `reply_to` of the channel",
    "return-path": "set `reverse_path` of the channel",
    "to": "send to them, or name them in `to`",
    "cc": "name them in `cc`",
    "bcc": "send to them, and name them nowhere",
    "subject": "give `subject`",
    "date": "it says when the message was submitted",
    "message-id": "it carries our id; the receipt tells it",
    "in-reply-to": "give `reply_to`",
    "references": "give `references`",
    "mime-version": "it goes with how the mail is built",
    "dkim-signature": "set `dkim` of the channel",
    "received": "mail servers write it",
    "delivered-to": "mail servers write it, and take it for a loop",
    "authentication-results": "mail servers write it",
}
_INSTEAD_OF: Final[Mapping[str, str]] = {
    "content-": "it goes with how the mail is built; give `language`, or `attachments`",
    "resent-": "send the message anew",
    "arc-": "mail servers write it",
}


def needs_smtputf8(**parts: Unpack[Parts]) -> bool:
    """Whether the header shows an address that has no ASCII form: `build` needs `smtputf8` then."""
    shown = [parts["sender"], *parts.get("to", ()), *parts.get("cc", ())]
    if (reply_to := parts.get("reply_to")) is not None:
        shown.append(reply_to)
    # A URI has what is beyond ASCII behind percent signs.
    return any("%" in each.uri and each.scheme == "mailto" and not each.value.isascii() for each in shown)


def refuse_unsafe(**parts: Unpack[Parts]) -> None:
    """Refuse *parts* that cannot stand in a mail; `build` does so first, too.

    Raises:
        UnsupportedContentError: They cannot; the text names the field.
    """
    # All at once, since there is mostly nothing to refuse: what can be printed is neither.
    if not "".join([text for _, text in _lines(parts)]).isprintable():
        for field, text in _lines(parts):
            _check(field, text)
    for field, body in (("text", parts["text"]), ("html", parts.get("html"))):
        if body is not None and not body.isascii() and _SURROGATE.search(body):
            raise UnsupportedContentError(f"{field} has half of a character, which has no UTF-8")
    if not MESSAGE_ID.fullmatch(parts["message_id"]):
        raise UnsupportedContentError("the Message-ID is not one: printable ASCII without spaces and angle brackets")
    if (language := parts.get("language")) and not _LANGUAGE.fullmatch(language):
        raise UnsupportedContentError("language is not a tag as of BCP 47, such as en or pt-BR")
    headers = parts.get("headers", {})
    _check_names(headers)
    for name, value in (*parts.get("own_headers", {}).items(), *headers.items()):
        if name.lower() in STRUCTURED:
            _check_structured(name, value, parts)
    for number, file in enumerate(parts.get("files", ())):
        _check_file(f"attachment {number}", file)


def _lines(parts: Parts) -> Iterator[tuple[str, str]]:
    """All that becomes part of a header, with the name of its field."""
    yield "subject", parts.get("subject") or ""
    yield "language", parts.get("language") or ""
    yield "reply_to", parts.get("in_reply_to") or ""
    for each in parts.get("references", ()):
        yield "references", each
    yield from _names("sender", (parts["sender"],))
    yield from _names("to", parts.get("to", ()))
    yield from _names("cc", parts.get("cc", ()))
    if (reply_to := parts.get("reply_to")) is not None:
        yield from _names("the channel's reply_to", (reply_to,))
    for headers in (parts.get("own_headers"), parts.get("headers")):
        for number, (name, value) in enumerate(headers.items() if headers else ()):
            yield f"the name of header {number}", name
            yield f"the value of header {number}", value
    for number, file in enumerate(parts.get("files", ())):
        yield f"the name of attachment {number}", file.name or ""
        yield f"the content_id of attachment {number}", file.content_id or ""


def _names(field: str, addresses: Sequence[Address]) -> Iterator[tuple[str, str]]:
    for each in addresses:
        yield f"an address in {field}", unquote(each.uri) if "%" in each.uri else each.uri
        if each.display_name is not None:
            yield f"a display name in {field}", each.display_name


def _check(field: str, text: str) -> None:
    if (found := _UNSAFE.search(text)) is not None:
        raise UnsupportedContentError(f"{field} has the character U+{ord(found[0]):04X}: it must be one line of text")


def _check_names(headers: Mapping[str, str]) -> None:
    seen = set()
    for number, name in enumerate(headers):
        if not _FIELD_NAME.fullmatch(name):
            raise UnsupportedContentError(
                f"the name of header {number} is not one: up to 76 characters of printable ASCII, without a colon"
            )
        lower = name.lower()
        if lower in seen:
            raise UnsupportedContentError(f"headers name {name} twice")
        seen.add(lower)
        way_out = _INSTEAD.get(lower) or next(
            (way for start, way in _INSTEAD_OF.items() if lower.startswith(start)), ""
        )
        if way_out:
            raise UnsupportedContentError(f"headers cannot set {name}: {way_out}")


def _check_structured(name: str, value: str, parts: Parts) -> None:
    if not value.isascii() and not needs_smtputf8(**parts):
        raise UnsupportedContentError(f"{name} has characters beyond ASCII, which it cannot carry: encode them")
    if len(value) > LONGEST_WORD and max(len(word.encode()) for word in value.split(" ")) > LONGEST_WORD:
        raise UnsupportedContentError(f"{name} has a part of more than {LONGEST_WORD} octets: no line has room for it")


def _check_file(which: str, file: File) -> None:
    if not _MEDIA_TYPE.fullmatch(file.media_type):
        raise UnsupportedContentError(f"the media type of {which} is not type/subtype")
    if file.content_id is not None and not MESSAGE_ID.fullmatch(file.content_id):
        raise UnsupportedContentError(
            f"the content_id of {which} is not one: printable ASCII without spaces and angle brackets"
        )
    name = file.name
    if name is None:
        return
    if name.strip() in {"", ".", ".."} or "/" in name or "\\" in name:
        raise UnsupportedContentError(f"the name of {which} is not that of a file without a folder")
    if (found := _REORDERING.search(name)) is not None:
        raise UnsupportedContentError(
            f"the name of {which} has the character U+{ord(found[0]):04X}, which makes it read otherwise than it is"
        )
