"""Ids of ours that come back: in the Message-ID, in References, in the ENVID and in the reverse path.

Each is a token: what it names, and a signature, so that a report or an answer is believed to be about a message of ours
only if it names one. Nothing has to be looked up to read a token, and it survives what mail systems do to ids: base32
in lower case, which may come back in upper case.

A thread has a name of its own, made from the id of its first message. It travels in every Message-ID of ours, and in a
reference to a message that never was, ahead of all others: an answer finds its thread where only one of them is left.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from convergekit.abc import Outgoing
from convergekit.model import Address

__all__ = ["Identifiers", "Named", "bare", "thread_name"]

#: Any part of the message, where there are more than a token can count, or all of them.
_ANY_PART: Final = 0xFF
_MARKED: Final = 3  # octets that stand for the recipient: enough against a guess by mail
_SIGNED: Final[Mapping[bytes, int]] = {b"message": 5, b"group": 5, b"delivery": 5, b"thread": 8}  # octets
_TOKEN: Final = re.compile(r"[a-z2-7]{29,56}")
_LEDGER: Final = re.compile(r"[0-9a-f]{32}")
_LONGEST: Final = 64  # octets of a local part (RFC 5321 §4.5.3.1.1)
_THREAD: Final = re.compile(r"[a-z2-7]{16}")


@dataclass(frozen=True, slots=True)
class Named:
    """What a token of ours names.

    Args:
        delivery: Id of the delivery; None where several share the message's id.
        part: Index of the part, or None where the token does not tell.
        thread: Name of the thread, where the token carries it.
        mark: Stands for the recipient: see `Identifiers.is_to`.
    """

    delivery: str | None = None
    part: int | None = None
    thread: str | None = None
    mark: bytes = field(default=b"", repr=False, compare=False)


class Identifiers:
    """Makes and reads them.

    Args:
        secret: Signs. The same in all processes, and for as long as answers may come.
        domain: What stands behind the `@` of our ids (RFC 5322 §3.6.4).
    """

    def __init__(self, secret: bytes, domain: str) -> None:
        self._secret = secret
        self.domain = domain

    # Making

    def message_id(self, out: Outgoing) -> str:
        """The Message-ID of *out*, without angle brackets: the same over all attempts, and for a group's copies."""
        what = b"group" if out.group is not None else b"message"
        subject = _octets(out.group or out.delivery or out.key)
        thread = self._thread(out)
        mark = bytes(_MARKED) if out.group is not None else self._mark(subject, out.to)
        return f"{self._token(what, subject + _part(out) + thread + mark)}@{self.domain}"

    def thread_of(self, out: Outgoing) -> str:
        """Name of the thread that *out* belongs to; one of its own where it begins one."""
        return _name(self._thread(out))

    def thread_reference(self, thread: str) -> str:
        """The reference that stands for *thread*, ahead of those to real messages; without angle brackets."""
        return f"{self._token(b'thread', _thread_octets(thread))}@{self.domain}"

    def envelope_id(self, out: Outgoing) -> str:
        """The ENVID of *out* (RFC 3461 §4.4)."""
        subject = _octets(out.delivery or out.key)
        return self._token(b"delivery", subject + _part(out) + self._mark(subject, out.to))

    def verp(self, out: Outgoing, reverse_path: str) -> str:
        """*reverse_path* with the delivery in it, behind a plus sign: `bounces+token@example.org`.

        One whose local part has no room for that, in 64 octets, stays as it is: a local part of up to 23 has.
        """
        local, _, domain = reverse_path.rpartition("@")
        named = f"{local}+{self.envelope_id(out)}"
        return reverse_path if len(named.encode()) > _LONGEST else f"{named}@{domain}"

    # Reading. All of it takes what strangers wrote.

    def in_message_id(self, message_id: str) -> Named | None:
        """What a Message-ID of ours, or the reference to a thread, names; None where it is not ours."""
        local = self._local(message_id)
        if local is None:
            return None
        if (named := self._read(b"message", local, 30)) is not None:
            return Named(named[:16].hex(), _index(named[16]), _name(named[17:27]), named[27:])
        if (named := self._read(b"group", local, 30)) is not None:
            return Named(None, _index(named[16]), _name(named[17:27]))
        if (named := self._read(b"thread", local, 10)) is not None:
            return Named(thread=_name(named))
        return None

    def is_thread_reference(self, message_id: str) -> bool:
        """Whether *message_id* stands for a thread of ours (`thread_reference`), and for no mail."""
        local = self._local(message_id)
        return local is not None and self._read(b"thread", local, 10) is not None

    def in_envelope_id(self, envid: str) -> Named | None:
        """What an ENVID of ours names; None where it is not ours."""
        named = self._read(b"delivery", envid.strip(), 20)
        return None if named is None else Named(named[:16].hex(), _index(named[16]), mark=named[17:])

    def in_recipient(self, addr_spec: str) -> Named | None:
        """What a reverse path of ours (`verp`) names, to which something came; None where it is not ours."""
        return self.in_envelope_id(addr_spec.rpartition("@")[0].rpartition("+")[2])

    def is_to(self, named: Named, address: Address) -> bool:
        """Whether what *named* names went to *address*: whoever got one mail of ours may say this of no other."""
        if named.delivery is None:
            return False
        return hmac.compare_digest(named.mark, self._mark(bytes.fromhex(named.delivery), address))

    def thread_among(self, message_ids: Iterable[str]) -> str | None:
        """The thread that one of *message_ids* says it is of; the first of ours decides."""
        found = map(self.in_message_id, message_ids)
        return next((named.thread for named in found if named is not None and named.thread), None)

    # Tokens

    def _thread(self, out: Outgoing) -> bytes:
        named = out.message.thread or out.conversation.thread
        return _thread_octets(named or f"{out.group or out.delivery or out.key}@{self.domain}")

    def _local(self, message_id: str) -> str | None:
        """What stands before our domain; None where another domain does."""
        local, _, domain = bare(message_id).rpartition("@")
        return local if domain.lower() == self.domain.lower() else None

    def _token(self, what: bytes, payload: bytes) -> str:
        return base64.b32encode(payload + self._signature(what, payload)).decode("ascii").rstrip("=").lower()

    def _read(self, what: bytes, token: str, size: int) -> bytes | None:
        token = token.lower()
        if not _TOKEN.fullmatch(token):
            return None
        try:
            octets = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except binascii.Error:
            return None
        payload, signature = octets[:size], octets[size:]
        if len(payload) != size or not hmac.compare_digest(signature, self._signature(what, payload)):
            return None
        return payload

    def _signature(self, what: bytes, payload: bytes) -> bytes:
        return hmac.digest(self._secret, what + b"\0" + payload, "sha256")[: _SIGNED[what]]

    def _mark(self, subject: bytes, address: Address) -> bytes:
        return hmac.digest(self._secret, b"to\0" + subject + address.uri.lower().encode(), "sha256")[:_MARKED]


def bare(id: str) -> str:
    """*id* without the angle brackets that stand around it in a header, and that people copy with it."""
    return id.strip().removeprefix("<").removesuffix(">")


def thread_name(id: str) -> str:
    """The name of the thread that the message *id* began; a name is its own: 16 characters of base32."""
    return id if _THREAD.fullmatch(id) else _name(_thread_octets(id))


def _thread_octets(id: str) -> bytes:
    if _THREAD.fullmatch(id):
        return base64.b32decode(id.upper())
    return hashlib.sha256(bare(id).encode("utf-8", "replace")).digest()[:10]


def _name(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").lower()


def _octets(id: str) -> bytes:
    """16 octets that stand for *id*: those that it writes down, where it is one of the ledger's."""
    return bytes.fromhex(id) if _LEDGER.fullmatch(id) else hashlib.sha256(id.encode()).digest()[:16]


def _part(out: Outgoing) -> bytes:
    return bytes([_ANY_PART if out.count == 1 or out.index >= _ANY_PART else out.index])


def _index(part: int) -> int | None:
    return None if part == _ANY_PART else part
