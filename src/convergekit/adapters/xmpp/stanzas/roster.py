"""The roster (RFC 6121 §2): whom we see, and who sees us. Pure; reading never raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.errors import InvalidInputError

from ..jids import bare
from .namespaces import NS, tag
from .texts import line

__all__ = ["Contact", "read_roster", "roster_query"]

_ITEM: Final = tag(NS.ROSTER, "item")
_GROUP: Final = tag(NS.ROSTER, "group")
_GROUPS: Final = 20
_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody in our roster.

    Args:
        jid: Bare, normalised.
        name: What we call them, or None.
        subscription: "to": we see them; "from": they see us; "both", "none"; "remove": they are no longer in it.
        asked: Whether we have asked to see them, and they have not answered.
        groups: Which we have put them in.
    """

    jid: str
    name: str | None = None
    subscription: str = "none"
    asked: bool = False
    groups: tuple[str, ...] = ()

    @property
    def sees_us(self) -> bool:
        """Whether they see ours."""
        return self.subscription in ("from", "both")

    def to_data(self) -> dict[str, Any]:
        """As the data of an event: JSON-able."""
        return {
            "jid": self.jid,
            "name": self.name,
            "subscription": self.subscription,
            "asked": self.asked,
            "groups": list(self.groups),
        }


def roster_query() -> Element:
    """Ask for all of it."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "get"})
    SubElement(iq, tag(NS.ROSTER, "query"))
    return iq


def read_roster(iq: Element) -> Iterator[Contact]:
    """Whom an answer to `roster_query`, or a push, names; what is no JID is passed over."""
    query = iq.find(tag(NS.ROSTER, "query"))
    for item in query.iterfind(_ITEM) if query is not None else ():
        try:
            jid = bare(item.get("jid", ""))
        except InvalidInputError:
            continue
        groups = (line(group.text, _NAME) for group in item.findall(_GROUP)[:_GROUPS])
        yield Contact(
            jid,
            line(item.get("name"), _NAME),
            item.get("subscription", "none")[:20],
            item.get("ask") == "subscribe",
            tuple(group for group in groups if group),
        )
