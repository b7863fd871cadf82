"""Header fields: folding, encoded-words, mailboxes, file names.

Rules kept here:

- A line has at most 998 octets (RFC 5322 §2.1.1), and no more than 76 where it can be helped, which is what one with
  an encoded-word may have (RFC 2047 §2). Folding takes nothing away: unfolded, a field is what it was.
- Nothing is read otherwise than it was written: what only looks like an encoded-word becomes one, and spaces that a
  reader would drop are encoded.
- Raw UTF-8 only where the whole way can carry it (RFC 6532); without SMTPUTF8 everything is ASCII.

What must not be in a header at all was refused before (`safety`).
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from convergekit.errors import InvalidInputError, UnsupportedContentError
from convergekit.model import Address

__all__ = [
    "LONGEST_WORD",
    "MESSAGE_ID",
    "STRUCTURED",
    "disposition",
    "field",
    "folded",
    "mailbox",
    "mailboxes",
    "message_ids",
]

#: Octets of what cannot be folded, so that a line has room for it.
LONGEST_WORD: Final = 900
#: What an id is, without its angle brackets: of a mail (RFC 5322 §3.6.4) or of a part (RFC 2392), as they come.
MESSAGE_ID: Final = re.compile(rf"[!-;=?-~]{{1,{LONGEST_WORD}}}")
#: Fields that programs read, in lower case: no encoded-word may stand in them.
STRUCTURED: Final = frozenset(
    {
        "auto-submitted",
        "disposition-notification-options",
        "disposition-notification-to",
        "errors-to",
        "importance",
        "list-archive",
        "list-help",
        "list-id",
        "list-owner",
        "list-post",
        "list-subscribe",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "mail-followup-to",
        "precedence",
        "priority",
        "return-receipt-to",
        "sensitivity",
        "x-priority",
    }
)

_SOFT: Final = 76
_HARD: Final = 998
#: Of one field. Mail servers cut off or refuse what is longer: Postfix at 100 KiB (header_size_limit), others before.
_LONGEST_FIELD: Final = 65_536
_CHUNK: Final = re.compile(r" *[^ ]+")

_ENCODED_WORD: Final = 75  # RFC 2047 §2
_NAME_BESIDE: Final = 30  # characters of a field's name that leave room for an encoded-word beside it

_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+( [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")  # RFC 5322 §3.2.3
_MOST_IDS: Final = 50
_MOST_OCTETS_OF_IDS: Final = 8_192

_PLAIN_NAME: Final = re.compile(r"(?!.*(=\?|  ))[!#-\[\]-~]([ !#-\[\]-~]{0,58}[!#-\[\]-~])?")
_NOT_IN_FALLBACK: Final = re.compile(r"[^A-Za-z0-9._()+,@ -]")
_SECTION: Final = 60  # octets of a file name's section (RFC 2231 §3)


def folded(name: str, value: str) -> str:
    """The field *name*, folded at spaces of *value*; with its line end.

    Raises:
        UnsupportedContentError: It is longer than mail servers take.
    """
    line = f"{name}: {value}\r\n"
    if len(line) <= _SOFT + 2 and line.isascii():
        return line
    if len(line.encode()) > _LONGEST_FIELD:
        raise UnsupportedContentError(f"{name} is longer than mail servers take ({_LONGEST_FIELD} octets)")
    pieces, width = [name, ":"], len(name) + 1
    for number, chunk in enumerate(_CHUNK.findall(" " + value)):
        size = len(chunk.encode())
        # Some programs show nothing of a field whose name stands alone on its line: the first chunk stays beside it.
        limit = _SOFT if number or len(name) > _NAME_BESIDE else _HARD
        if width + size > limit:
            pieces.append("\r\n")
            width = 0
        pieces.append(chunk)
        width += size
    pieces.append("\r\n")
    return "".join(pieces)


def field(name: str, value: str, *, smtputf8: bool) -> str:
    """The field *name* with *value*, as text of any kind where *name* is not `STRUCTURED`; with its line end."""
    if name.lower() in STRUCTURED or (_stands_raw(value) and (smtputf8 or value.isascii())):
        return folded(name, value)
    return folded(name, _encoded(value, len(name) + 2))


def _stands_raw(text: str) -> bool:
    """Whether a reader gets *text* back from itself, as far as it is ASCII or UTF-8 may stand raw."""
    if "=?" in text or text != text.strip():
        return False
    return len(text) < 240 or all(len(chunk.encode()) <= LONGEST_WORD for chunk in _CHUNK.findall(text))


def _encoded(text: str, used: int) -> str:
    """*text* as encoded-words (RFC 2047) in base64, where *used* columns of the first line are taken.

    A character is never split between two words (§5), and the spaces between words do not count (§6.2).
    """
    octets = text.encode()
    words, start = [], 0
    room = _SOFT - used if used <= _NAME_BESIDE + 2 else _ENCODED_WORD
    while start < len(octets):
        end = min(start + (room - 12) // 4 * 3, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        words.append("=?utf-8?b?" + binascii.b2a_base64(octets[start:end], newline=False).decode("ascii") + "?=")
        start, room = end, _ENCODED_WORD
    return " ".join(words)


# Mailboxes


@lru_cache(maxsize=2048)
def mailbox(uri: str, display_name: str | None, smtputf8: bool) -> str:
    """`Ann Example <ann@example.org>`, of a `mailto:` URI (RFC 5322 §3.4); empty for another one."""
    if not uri.startswith("mailto:"):
        return ""
    try:
        addr_spec = Address.parse(uri).value
    except InvalidInputError as exc:
        raise UnsupportedContentError(str(exc)) from None
    name = display_name.strip() if display_name else ""
    if not name:
        return addr_spec
    if "=?" in name or "  " in name or len(name) > 60 or not (name.isascii() or smtputf8):
        # Its first word has to stand beside "Disposition-Notification-To: " at most, or behind another mailbox.
        return f"{_encoded(name, _NAME_BESIDE)} <{addr_spec}>"
    if not _ATOMS.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{addr_spec}>"


def mailboxes(name: str, addresses: Iterable[Address], *, smtputf8: bool) -> str:
    """The field *name* with those of *addresses* that are mailboxes; with its line end, and empty where there is none.

    Raises:
        UnsupportedContentError: One of them has no ASCII form, and SMTPUTF8 is not to be used.
    """
    found = [mailbox(each.uri, each.display_name, smtputf8) for each in addresses]
    if not (value := ", ".join(filter(None, found))):
        return ""
    if not smtputf8 and not value.isascii():
        raise UnsupportedContentError(
            f"{name} has an address beyond ASCII, which goes only where each server offers SMTPUTF8 (RFC 6531)"
        )
    return folded(name, value)


# Ids


def message_ids(name: str, ids: Sequence[str]) -> str:
    """The field *name* with the first and the last of *ids*; with its line end, and empty where there is none."""
    found = [f"<{each}>" for each in dict.fromkeys(ids) if MESSAGE_ID.fullmatch(each)]
    if not found:
        return ""
    found = [found[0], *found[1:][1 - _MOST_IDS :]]
    while sum(map(len, found)) > _MOST_OCTETS_OF_IDS:
        del found[1]
    return folded(name, " ".join(found))


# File names


def disposition(kind: str, name: str | None) -> str:
    """Content-Disposition (RFC 2183) with the file's *name*, as of RFC 2231 where it has to be; with its line end."""
    if name is None:
        return f"Content-Disposition: {kind}\r\n"
    if _PLAIN_NAME.fullmatch(name):
        return f'Content-Disposition: {kind};\r\n filename="{name}"\r\n'
    # Programs that know RFC 2231 prefer its form, wherever it stands. Python takes whichever comes first.
    sections = _sections(name)
    labels = [f"*{number}*" for number in range(len(sections))] if len(sections) > 1 else ["*"]
    fields = [f" filename{label}={section}" for label, section in zip(labels, sections, strict=True)]
    return ";\r\n".join([f"Content-Disposition: {kind}", *fields, f' filename="{_fallback(name)}"']) + "\r\n"


def _sections(name: str) -> list[str]:
    sections = ["utf-8''"]
    for char in name:
        octets = quote(char, safe="!#$&+^`{}|")  # RFC 2231 §7 attribute-char
        if len(sections[-1]) + len(octets) > _SECTION:
            sections.append("")
        sections[-1] += octets
    return sections


def _fallback(name: str) -> str:
    """In ASCII, for programs that do not know RFC 2231; its ending survives."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    stem, dot, ending = _NOT_IN_FALLBACK.sub("_", plain).strip().rpartition(".")
    if not dot:
        stem, ending = ending, ""
    return (stem[:48].strip(" .") or "file") + dot + ending[:12]
