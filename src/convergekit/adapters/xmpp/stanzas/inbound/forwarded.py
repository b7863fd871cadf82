"""Copies of what went to, or came from, another device of the account (XEP-0280).

Only our own server makes them: they are from our bare JID exactly, are not in one another, and what is said to have
been sent was sent by us. Else anybody could put words into anybody's mouth (CVE-2017-5589 and its kin).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from convergekit.errors import InvalidInputError

from ...jids import same_bare, split
from ..namespaces import NS, tag
from ..times import moment
from .arrival import Carbon
from .facts import Facts
from .stanza import Stanza

__all__ = ["Copy", "copy_in", "is_copy"]

_CARBONS: Final[dict[Carbon, str]] = {"received": tag(NS.CARBONS, "received"), "sent": tag(NS.CARBONS, "sent")}
_FORWARDED: Final = tag(NS.FORWARD, "forwarded")
_DELAY: Final = tag(NS.DELAY, "delay")
_MESSAGE: Final = tag(NS.CLIENT, "message")


class Copy(NamedTuple):
    """What was copied.

    Args:
        message: It.
        carbon: Whether another device received it, or sent it.
        at: When our server forwarded it, where it says so.
    """

    message: Element
    carbon: Carbon
    at: datetime | None


def is_copy(stanza: Stanza) -> bool:
    """Whether *stanza* says that it is one."""
    return any(name in stanza.children for name in _CARBONS.values())


def copy_in(stanza: Stanza, facts: Facts) -> Copy | None:
    """What *stanza* is a copy of; None where it is none, or is not believed."""
    if facts.is_component or not _is_from_our_server(stanza, facts):
        return None
    for carbon, name in _CARBONS.items():
        messages = stanza.element.findall(f"{name}/{_FORWARDED}/{_MESSAGE}")
        if len(messages) != 1 or is_copy(Stanza(messages[0])):
            continue
        sender = messages[0].get("from")
        if carbon == "sent" and (sender is None or not same_bare(sender, facts.own)):
            continue
        delay = stanza.element.find(f"{name}/{_FORWARDED}/{_DELAY}")
        return Copy(messages[0], carbon, None if delay is None else moment(delay.get("stamp")))
    return None


def _is_from_our_server(stanza: Stanza, facts: Facts) -> bool:
    try:
        return split(stanza.element.get("from") or "") == (facts.own, None)
    except InvalidInputError:
        return False
