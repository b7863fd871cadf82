"""What somebody can do, and whom they serve by (XEP-0030): asked and read. Pure; reading never raises."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from ..jids import address_of, jid_of, normalised
from .namespaces import NS, tag

__all__ = ["disco_query", "read_features", "read_services"]


def disco_query(jid: str, *, items: bool = False) -> Element:
    """Ask what *jid* can do, or what there is on it."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "get", "to": jid_of(address_of(jid))})
    SubElement(iq, tag(NS.DISCO_ITEMS if items else NS.DISCO_INFO, "query"))
    return iq


def read_features(iq: Element) -> frozenset[str]:
    """What the answer to `disco_query` lists as features; the first five hundred."""
    query = iq.find(tag(NS.DISCO_INFO, "query"))
    found = () if query is None else query.findall(tag(NS.DISCO_INFO, "feature"))[:500]
    return frozenset(feature.get("var", "") for feature in found)


def read_services(iq: Element) -> Iterator[str]:
    """Whom the answer to `disco_query(items=True)` lists, normalised; the first fifty."""
    query = iq.find(tag(NS.DISCO_ITEMS, "query"))
    for item in () if query is None else query.findall(tag(NS.DISCO_ITEMS, "item"))[:50]:
        if (jid := normalised(item.get("jid"))) is not None:
            yield jid
