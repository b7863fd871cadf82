"""Whose a message is, so that nobody but them changes it or takes it back.

Between two it is the bare JID. In a room it is the occupant id, where the room's is to be believed (XEP-0421); else
the nickname, for as long as its bearer stays.
"""

from __future__ import annotations

from .facts import Occupant

__all__ = ["is_same", "occupant"]

_ID, _STAY, _NICKNAME = "id", "stay", "nickname"


def occupant(jid: str, occupant_id: str | None, present: Occupant | None) -> str:
    """An author in a room.

    Args:
        jid: Of the occupant: room@conference.example.org/nickname.
        occupant_id: What the room says it is, or None.
        present: Who has this nickname now, where the message was said now.
    """
    if occupant_id is not None:
        return f"{_ID} {occupant_id}"
    return f"{_NICKNAME} {jid}" if present is None else f"{_STAY} {present.stay} {jid}"


def is_same(one: str, other: str) -> bool | None:
    """Whether two authors are the same; None where that cannot be told."""
    if one == other:
        return True
    kinds = {one.partition(" ")[0], other.partition(" ")[0]}
    if len(kinds) == 1 or not kinds <= {_ID, _STAY, _NICKNAME}:
        return False
    if kinds == {_STAY, _NICKNAME} and _jid(one) != _jid(other):
        return False
    return None


def _jid(author: str) -> str:
    kind, _, rest = author.partition(" ")
    return rest.partition(" ")[2] if kind == _STAY else rest
