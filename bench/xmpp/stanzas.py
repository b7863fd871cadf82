"""What a server writes to a client of its, as a Prosody was seen to: its header, and what others say to us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["HEADER", "MORE", "OURS", "OWN", "TEXT", "Stanza", "modern", "plain", "reads"]

#: Makes the stanza with a number.
Stanza = Callable[[int], bytes]

OWN, PEER = "bob@localhost", "alice@localhost"
TEXT: Final = "Your parcel is on its way. It will be with you between 9 and 12 on Tuesday: https://example.org/p/4711"
HEADER: Final = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    b" from='localhost' id='8c1a7f5e' xml:lang='en' version='1.0'>"
)
_MESSAGE: Final = (
    f"<message type='chat' to='{OWN}/desk' from='{PEER}/phone' id='{{id}}' xml:lang='en'>"
    f"<body>{{number}}: {TEXT}</body>{{more}}"
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{OWN}' id='wLs9FzvY{{number:08x}}'/></message>"
)
#: What each message of ours has besides its text; ID in it is its id.
OURS: Final = (
    "<origin-id xmlns='urn:xmpp:sid:0' id='ID'/><request xmlns='urn:xmpp:receipts'/>"
    "<markable xmlns='urn:xmpp:chat-markers:0'/>"
)
#: What a message of today's clients has.
MORE: Final = OURS + "<active xmlns='http://jabber.org/protocol/chatstates'/>"


def plain(number: int) -> bytes:
    """A text and nothing else."""
    return _message(number, "")


def modern(number: int) -> bytes:
    """As today's clients write: it wants a receipt, and may be marked as read."""
    return _message(number, MORE)


def _message(number: int, more: str) -> bytes:
    id = f"5f0c1c9e-7f4b-4d2e-9d8e-{number:012x}"
    return _MESSAGE.format(id=id, number=number, more=more.replace("ID", id)).encode()


def reads(stanza: Stanza, numbers: range, each: int) -> Sequence[bytes]:
    """What the socket gives: *each* stanzas at once."""
    return [
        b"".join(stanza(number) for number in numbers[start : start + each]) for start in range(0, len(numbers), each)
    ]
