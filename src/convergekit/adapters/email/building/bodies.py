"""Bodies: transfer encodings and multiparts.

Rules kept here:

- Lines end in CRLF and have at most 998 octets; no NUL and no bare CR or LF is left (RFC 2045 §2.7, §2.8). So nothing
  that a server takes for the end of a mail can be in one (SMTP smuggling).
- What is binary goes out as base64, and comes back to the last octet.
- A boundary has a character that base64 has not and a pair that quoted-printable never makes; in what goes out
  otherwise it is looked for.
"""

from __future__ import annotations

import binascii
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from struct import Struct
from typing import Final

from .headers import disposition
from .parts import File

__all__ = ["Entity", "boundary", "file_entity", "multipart", "text_entity", "write"]

_LONGEST_LINE: Final = 998
_ASCII: Final = bytes(range(128))
_ROWS: Final = 600  # lines of base64 that are made at a time
_BLOCK: Final = 65_536
_CUT: Final = Struct("76s" * _ROWS).unpack


@dataclass(slots=True)
class Entity:
    """One MIME entity, ready to be written.

    Args:
        head: Its Content-* fields.
        body: Octets that go out as they are.
        file: Octets that go out as base64, in place of `body`.
        children: Of a multipart, in place of both.
        boundary: Between them.
    """

    head: str
    body: bytes = b""
    file: bytes | None = None
    children: Sequence[Entity] = field(default=())
    boundary: bytes = b""


def text_entity(subtype: str, text: str, *, eight_bit: bool) -> Entity:
    """*text* as `text/subtype`, in the plainest encoding that carries it."""
    data = _with_crlf(text).encode()
    if data and not data.endswith(b"\r\n"):
        data += b"\r\n"
    encoding, data = _encoded(data, eight_bit=eight_bit)
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return Entity(head, file=data) if encoding == "base64" else Entity(head, data)


def _with_crlf(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n", "\r\n")


def _encoded(data: bytes, *, eight_bit: bool) -> tuple[str, bytes]:
    if _is_line_based(data) and (eight_bit or data.isascii()):
        return "7bit" if data.isascii() else "8bit", data
    beyond_ascii = len(data.translate(None, _ASCII))
    if beyond_ascii * 6 > len(data):  # from here on three octets for one are more than four for three
        return "base64", data
    return "quoted-printable", binascii.b2a_qp(data)


def _is_line_based(data: bytes) -> bool:
    """Whether it has lines of a lawful length, and no NUL."""
    start, last = 0, len(data) - _LONGEST_LINE
    while start < last:
        start = data.rfind(b"\n", start, start + _LONGEST_LINE + 2) + 1
        if start == 0:
            return False
    return b"\0" not in data


def file_entity(file: File, kind: str, *, eight_bit: bool) -> Entity:
    """*file*, as an "attachment" or "inline"."""
    shown = disposition(kind, file.name)
    if file.content_id is not None:
        shown += f"Content-ID: <{file.content_id}>\r\n"
    media_type = file.media_type.lower()
    if media_type == "message/rfc822" and (mail := _as_lines(file.content, eight_bit=eight_bit)) is not None:
        encoding = "7bit" if mail.isascii() else "8bit"
        return Entity(f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n{shown}", mail)
    if media_type.startswith(("message/", "multipart/")):
        media_type = "application/octet-stream"  # RFC 2046 §5.1, §5.2.1: neither may be in base64
    charset = "; charset=utf-8" if media_type.startswith("text/") and _is_utf8(file.content) else ""
    head = f"Content-Type: {media_type}{charset}\r\nContent-Transfer-Encoding: base64\r\n{shown}"
    return Entity(head, file=file.content)


def _as_lines(mail: bytes, *, eight_bit: bool) -> bytes | None:
    """A mail within this one, which may not be encoded; None where it cannot go out as it is."""
    if not (eight_bit or mail.isascii()):
        return None
    mail = mail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return mail if _is_line_based(mail) else None


def _is_utf8(content: bytes) -> bool:
    decoder, view = getincrementaldecoder("utf-8")(), memoryview(content)
    try:
        for start in range(0, len(content) + 1, _BLOCK):
            decoder.decode(view[start : start + _BLOCK], final=start + _BLOCK > len(content))
    except UnicodeDecodeError:
        return False
    return True


def boundary(seed: str, leaves: Iterable[Entity]) -> str:
    """What separates parts in a mail with these *leaves*: the same for the same ones."""
    bodies = [leaf.body for leaf in leaves if leaf.body]
    number = 0
    while True:
        token = "=_" + blake2b(f"{number} {seed}".encode("utf-8", "replace"), digest_size=15).hexdigest()
        if not any(token.encode() in body for body in bodies):
            return token
        number += 1


def multipart(subtype: str, children: Sequence[Entity], token: str) -> Entity:
    """*children* as `multipart/subtype`, and one alone as it is. The boundaries of one mail are of one length."""
    if len(children) == 1:
        return children[0]
    own = f"{token}_{subtype[0]}"  # RFC 2046 §5.1.2: none begins as another
    root = ' type="text/html";' if subtype == "related" else ""  # RFC 2387 §3.1
    head = f'Content-Type: multipart/{subtype};{root}\r\n boundary="{own}"\r\n'
    return Entity(head, children=children, boundary=own.encode())


def write(entity: Entity, out: BytesIO) -> None:
    """Write *entity*, its head first."""
    out.write(entity.head.encode() + b"\r\n")
    if entity.file is not None:
        _write_base64(entity.file, out)
    elif entity.children:
        for child in entity.children:
            out.write(b"--" + entity.boundary + b"\r\n")
            write(child, out)
            out.write(b"\r\n")
        out.write(b"--" + entity.boundary + b"--\r\n")
    else:
        out.write(entity.body)


def _write_base64(data: bytes, out: BytesIO) -> None:
    """In lines of 76 (RFC 2045 §6.8); a block at a time, so that no second copy of *data* is ever there."""
    size = 57 * _ROWS
    view = memoryview(data)
    for start in range(0, len(data), size):
        block = binascii.b2a_base64(view[start : start + size], newline=False)
        whole = len(block) == 76 * _ROWS
        lines = _CUT(block) if whole else [block[at : at + 76] for at in range(0, len(block), 76)]
        out.write(b"\r\n".join(lines))
        out.write(b"\r\n")
