"""Namespaces, by the XEP or RFC that defines them, and the two ways to write a name in one."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["NS", "tag"]


class NS(StrEnum):
    """What an extension calls itself on the wire."""

    CLIENT = "jabber:client"
    XML = "http://www.w3.org/XML/1998/namespace"
    STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
    ROSTER = "jabber:iq:roster"
    DATA = "jabber:x:data"  # 0004
    DISCO_INFO = "http://jabber.org/protocol/disco#info"  # 0030
    DISCO_ITEMS = "http://jabber.org/protocol/disco#items"  # 0030
    MUC = "http://jabber.org/protocol/muc"  # 0045
    MUC_USER = "http://jabber.org/protocol/muc#user"  # 0045
    MUC_ADMIN = "http://jabber.org/protocol/muc#admin"  # 0045
    MUC_OWNER = "http://jabber.org/protocol/muc#owner"  # 0045
    RSM = "http://jabber.org/protocol/rsm"  # 0059
    OOB = "jabber:x:oob"  # 0066
    CHAT_STATES = "http://jabber.org/protocol/chatstates"  # 0085
    RECEIPTS = "urn:xmpp:receipts"  # 0184
    PING = "urn:xmpp:ping"  # 0199
    NICK = "http://jabber.org/protocol/nick"  # 0172
    DELAY = "urn:xmpp:delay"  # 0203
    CONFERENCE = "jabber:x:conference"  # 0249
    CARBONS = "urn:xmpp:carbons:2"  # 0280
    FORWARD = "urn:xmpp:forward:0"  # 0297
    CORRECTION = "urn:xmpp:message-correct:0"  # 0308
    MAM = "urn:xmpp:mam:2"  # 0313
    MARKERS = "urn:xmpp:chat-markers:0"  # 0333
    HINTS = "urn:xmpp:hints"  # 0334
    SID = "urn:xmpp:sid:0"  # 0359
    UPLOAD = "urn:xmpp:http:upload:0"  # 0363
    ENCRYPTION = "urn:xmpp:eme:0"  # 0380
    STYLING = "urn:xmpp:styling:0"  # 0393
    OCCUPANT_ID = "urn:xmpp:occupant-id:0"  # 0421
    RETRACTION = "urn:xmpp:message-retract:1"  # 0424
    RETRACTION_0 = "urn:xmpp:message-retract:0"  # 0424, as it was until 2022
    MODERATION = "urn:xmpp:message-moderate:1"  # 0425
    MODERATION_0 = "urn:xmpp:message-moderate:0"  # 0425, likewise
    FASTENING = "urn:xmpp:fasten:0"  # 0422, which both stood in then
    FALLBACK = "urn:xmpp:fallback:0"  # 0428
    REACTIONS = "urn:xmpp:reactions:0"  # 0444
    REPLY = "urn:xmpp:reply:0"  # 0461


def tag(namespace: str, name: str) -> str:
    """`{namespace}name`, as elements have it."""
    return f"{{{namespace}}}{name}"
