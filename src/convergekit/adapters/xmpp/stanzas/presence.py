"""Presence (RFC 6121 §4): who shows what, and who asks to see it. Pure; reading never raises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement

from .namespaces import NS, tag

__all__ = ["SHOWN", "TEXT", "Presence", "Shown", "presence", "read_presence", "subscription"]

Shown = Literal["available", "away", "busy", "offline"]
SHOWN: Final = ("available", "away", "busy", "offline")

#: Characters of what somebody says about their presence; what is longer ends there, for all of it is kept.
TEXT: Final = 1000

_READ: Final[dict[str, Shown]] = {"away": "away", "xa": "away", "dnd": "busy"}  # all else, "chat" too, is available
_WRITTEN: Final = {"away": "away", "busy": "dnd"}
_KINDS: Final = frozenset({"unavailable", "error", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"})


@dataclass(frozen=True, slots=True)
class Presence:
    """What a <presence/> says.

    Args:
        kind: Its type; "" where somebody is there.
        shown: What they show; "offline" for all but those who are there.
        text: What they say about it.
        priority: Of the resource (RFC 6121 §4.7.2.3).
    """

    kind: str
    shown: Shown = "offline"
    text: str | None = None
    priority: int = 0


def read_presence(element: Element) -> Presence:
    """What *element* says; of a type that nobody knows, as if it was an error: nothing is made of it."""
    kind = element.get("type", "")
    text = (element.findtext(tag(NS.CLIENT, "status")) or "")[:TEXT] or None
    if kind:
        return Presence(kind if kind in _KINDS else "error", text=text)
    shown = _READ.get((element.findtext(tag(NS.CLIENT, "show")) or "").strip(), "available")
    return Presence("", shown, text, _priority(element.findtext(tag(NS.CLIENT, "priority"))))


def _priority(text: str | None) -> int:
    try:
        return min(127, max(-128, int((text or "0")[:8])))
    except ValueError:
        return 0


def presence(shown: Shown, text: str | None = None, *, priority: int = 0, to: str | None = None) -> Element:
    """The <presence/> that shows *shown*, to everybody who may see it or to one of them."""
    element = Element(tag(NS.CLIENT, "presence"))
    if to is not None:
        element.set("to", to)
    if shown == "offline":
        element.set("type", "unavailable")
    elif shown in _WRITTEN:
        SubElement(element, tag(NS.CLIENT, "show")).text = _WRITTEN[shown]
    if text:
        SubElement(element, tag(NS.CLIENT, "status")).text = text
    if priority and shown != "offline":
        SubElement(element, tag(NS.CLIENT, "priority")).text = str(priority)
    return element


def subscription(
    kind: Literal["subscribe", "subscribed", "unsubscribe", "unsubscribed"],
    to: str,
    text: str | None = None,
    *,
    sender: str | None = None,
) -> Element:
    """One step of a subscription, to the bare JID *to* (RFC 6121 §3); of a component from *sender*."""
    element = Element(tag(NS.CLIENT, "presence"), {"type": kind, "to": to})
    if sender is not None:
        element.set("from", sender)
    if text:
        SubElement(element, tag(NS.CLIENT, "status")).text = text
    return element
