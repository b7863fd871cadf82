"""What is said so that we cannot read it: that it is encrypted, and by what (XEP-0380)."""

from __future__ import annotations

from typing import Final

from ..namespaces import NS, tag
from ..texts import line
from .stanza import Stanza

__all__ = ["encryption"]

_ENCRYPTION: Final = tag(NS.ENCRYPTION, "encryption")
_LONGEST: Final = 200
#: Senders that say what they do, say it by these names; those that do not are known by their payload.
_NAMES: Final = {
    "urn:xmpp:otr:0": "OTR",
    "jabber:x:encrypted": "OpenPGP",
    "urn:xmpp:openpgp:0": "OpenPGP for XMPP",
    "eu.siacs.conversations.axolotl": "OMEMO",
    "urn:xmpp:omemo:1": "OMEMO",
    "urn:xmpp:omemo:2": "OMEMO",
}
_OMEMO: Final = {
    tag(namespace, "encrypted"): tag(namespace, "payload")
    for namespace in ("eu.siacs.conversations.axolotl", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2")
}
_OPENPGP: Final = {
    tag("jabber:x:encrypted", "x"): "OpenPGP",
    tag("urn:xmpp:openpgp:0", "openpgp"): "OpenPGP for XMPP",
}
_OTR: Final = "?OTR"


def encryption(stanza: Stanza, text: str | None) -> str | None:
    """What *stanza* is encrypted with, "OMEMO" for one, or None.

    Args:
        stanza: A message.
        text: Its body.
    """
    declared = stanza.first(_ENCRYPTION)
    if declared is not None:
        namespace = declared.get("namespace")
        known = _NAMES.get(namespace or "")
        return known or line(declared.get("name"), _LONGEST) or line(namespace, _LONGEST) or "unknown"
    for encrypted, payload in _OMEMO.items():
        # Without a payload it only hands a key over; nobody has said anything.
        if (found := stanza.first(encrypted)) is not None and found.find(payload) is not None:
            return "OMEMO"
    for payload, name in _OPENPGP.items():
        if payload in stanza.children:
            return name
    return "OTR" if text is not None and text.startswith(_OTR) else None
