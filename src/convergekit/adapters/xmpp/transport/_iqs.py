"""Requests: whose answers to ours are believed, and what others are answered.

Rules kept here:

- An answer counts only from whom was asked (RFC 6120 §8.1.2.1). What has no sender is from our own server: it writes
  the sender of everything else. What our account was asked may also be answered in the account's, or the server's name.
- Others may ask what we can do (XEP-0030, with its digest in our presence, XEP-0115), and whether we are there
  (XEP-0199). Nothing else is told: no version, no time, no list of anything.

Pure: no clock, no event loop.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.errors import InvalidInputError

from ..jids import bare, split
from ..stanzas.namespaces import NS, tag

__all__ = ["IQ", "Answers", "is_from_account", "may_answer"]

IQ: Final = tag(NS.CLIENT, "iq")

_NODE: Final = "urn:convergekit:xmpp"
_CAPS: Final = "http://jabber.org/protocol/caps"
_ALWAYS: Final = (NS.DISCO_INFO, NS.PING)


def may_answer(asked: str | None, sender: str | None, own: str) -> bool:
    """Whether *sender* is whom we have asked.

    Args:
        asked: `to` of the request.
        sender: `from` of the answer.
        own: Our full JID; of a component its domain.
    """
    try:
        account = bare(own)
        domain = account.rpartition("@")[2]
        if asked is None or split(asked) in ((account, None), (domain, None)):
            return sender is None or split(sender) in ((account, None), split(own), (domain, None))
        return sender is not None and split(sender) == split(asked)
    except InvalidInputError:
        return False


def is_from_account(sender: str | None, own: str) -> bool:
    """Whether what *sender* says is said by our own account (RFC 6121 §2.1.6)."""
    try:
        return sender is None or split(sender) == (bare(own), None)
    except InvalidInputError:
        return False


class Answers:
    """What others are answered.

    Args:
        features: The namespaces that we understand.
        category: What we are, and of which kind (XEP-0030): ("client", "bot").
    """

    def __init__(self, features: Sequence[str], category: tuple[str, str] = ("client", "bot")) -> None:
        self._features = sorted({*map(str, features), *_ALWAYS, _CAPS})
        self._category = category
        # XEP-0115 §5.1
        said = "".join(f"{each}<" for each in ("/".join((*category, "", "")), *self._features))
        self._digest = base64.b64encode(hashlib.sha1(said.encode()).digest()).decode()

    def caps(self) -> Element:
        """What stands in our presence, so that nobody has to ask."""
        return Element(tag(_CAPS, "c"), {"hash": "sha-1", "node": _NODE, "ver": self._digest})

    def to(self, iq: Element) -> Element:
        """The answer to *iq*, of the type "get" or "set"."""
        payload = iq[0] if len(iq) == 1 else None
        if payload is None:
            return _refusal(iq, "modify", "bad-request")
        if iq.get("type") == "get" and payload.tag == tag(NS.PING, "ping"):
            return _answer(iq, "result")
        if iq.get("type") == "get" and payload.tag == tag(NS.DISCO_INFO, "query"):
            return self._info(iq, payload.get("node"))
        return _refusal(iq, "cancel", "service-unavailable")

    @staticmethod
    def accepted(iq: Element) -> Element:
        """A result without content."""
        return _answer(iq, "result")

    @staticmethod
    def refused(iq: Element) -> Element:
        """We do no such thing."""
        return _refusal(iq, "cancel", "service-unavailable")

    def _info(self, iq: Element, node: str | None) -> Element:
        if node not in (None, f"{_NODE}#{self._digest}"):
            return _refusal(iq, "cancel", "item-not-found")
        answer = _answer(iq, "result")
        query = SubElement(answer, tag(NS.DISCO_INFO, "query"), {} if node is None else {"node": node})
        SubElement(query, tag(NS.DISCO_INFO, "identity"), dict(zip(("category", "type"), self._category, strict=True)))
        for feature in self._features:
            SubElement(query, tag(NS.DISCO_INFO, "feature"), {"var": feature})
        return answer


def _answer(iq: Element, type: str) -> Element:
    found = Element(IQ, {"type": type})
    for ours, theirs in (("id", "id"), ("to", "from"), ("from", "to")):
        if (value := iq.get(theirs)) is not None:
            found.set(ours, value)
    return found


def _refusal(iq: Element, type: str, condition: str) -> Element:
    answer = _answer(iq, "error")
    SubElement(SubElement(answer, tag(NS.CLIENT, "error"), {"type": type}), tag(NS.STANZAS, condition))
    return answer
