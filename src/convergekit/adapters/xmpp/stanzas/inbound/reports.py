"""What became of messages of ours: they arrived, were read, came back (XEP-0184, XEP-0333, RFC 6120 §8.3).

Only whom a message was for says so: its id stands together with who reports it (`shared_id`), and so it is nobody
else's. In a room that is the room, not its occupants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.model import Event, Receipt, ReceiptReceived, Status, shared_id

from ...identities import is_ours
from ...jids import address_of
from ..namespaces import NS, tag
from ..texts import identifier
from .arrival import Arrival

__all__ = ["ACKNOWLEDGEMENT", "acknowledgement", "arrived", "read_up_to", "reflected"]

#: How the ids of those begin that we write: nobody minds if they come back.
ACKNOWLEDGEMENT: Final = "ckr."

_RECEIVED: Final = tag(NS.RECEIPTS, "received")
_REQUEST: Final = tag(NS.RECEIPTS, "request")
_MOST: Final = 5  # of one kind in a stanza; clients write one
#: Chat markers, those of XEP-0333 before 1.0 among them.
_MARKERS: Final[Mapping[str, Status]] = {
    tag(NS.MARKERS, "displayed"): Status.READ,
    tag(NS.MARKERS, "acknowledged"): Status.READ,
    tag(NS.MARKERS, "received"): Status.DELIVERED,
}


def arrived(arrival: Arrival) -> Sequence[Event] | None:
    """It is with the recipient (XEP-0184)."""
    if arrival.is_group:
        return None
    ids = (identifier(each.get("id")) for each in arrival.stanza.all(_RECEIVED)[:_MOST])
    return tuple(_reports(arrival, Status.DELIVERED, [id for id in ids if id is not None]))


def read_up_to(arrival: Arrival) -> Sequence[Event] | None:
    """The recipient has read it, and what we said before it (XEP-0333)."""
    if arrival.is_group:
        return None
    events: list[Event] = []
    for name, status in _MARKERS.items():
        for marker in arrival.stanza.all(name)[:_MOST]:
            id = identifier(marker.get("id"))
            if id is None or not is_ours(id):
                continue
            ids = arrival.facts.identities.read(arrival.place, id) if status is Status.READ else (id,)
            events += _reports(arrival, status, ids)
    return tuple(events)


def reflected(arrival: Arrival) -> Sequence[Event]:
    """A room shows us what we have said in it, and by which id it knows that (XEP-0045 §7.4)."""
    stanza = arrival.stanza
    id = stanza.origin_id if is_ours(stanza.origin_id) else stanza.id
    if id is None or not is_ours(id):
        return ()
    room = address_of(arrival.place)
    ids = (shared_id(id, room),) if arrival.stanza_id is None else (shared_id(id, room), arrival.stanza_id)
    receipt = Receipt(Status.RELAYED, ids=ids, occurred_at=arrival.at)
    return (ReceiptReceived(**arrival.fields("relayed"), receipt=receipt),)


def acknowledgement(arrival: Arrival) -> Element | None:
    """What tells its sender that it arrived, where they ask for that; None where we do not say so.

    A copy for another device is that device's to answer, and a room would be told by each of its occupants.
    """
    stanza = arrival.stanza
    if _REQUEST not in stanza.children or stanza.id is None or not arrival.facts.receipts:
        return None
    if arrival.is_group or arrival.carbon is not None or stanza.type == "headline":
        return None
    sender = stanza.element.get("from")
    if sender is None:
        return None
    attributes = {"to": sender, "type": stanza.type, "id": ACKNOWLEDGEMENT + stanza.id}
    if arrival.facts.is_component:
        attributes["from"] = stanza.element.get("to") or arrival.facts.own
    message = Element(tag(NS.CLIENT, "message"), attributes)
    SubElement(message, _RECEIVED, {"id": stanza.id})
    SubElement(message, tag(NS.HINTS, "store"))
    return message


def _reports(arrival: Arrival, status: Status, ids: Sequence[str]) -> Iterator[Event]:
    address = arrival.conversation.address
    for number, id in enumerate(ids):
        if not is_ours(id):
            continue  # of another device, which has its own ledger
        # By what is said: it is the same news, on whichever way and however often it comes.
        fields = arrival.fields(key=f"c:{address.uri}:{id}:{status.value}")
        if number:  # one stanza may say many of them, and is kept once
            fields["native"] = None
        receipt = Receipt(status, ids=(shared_id(id, address),), occurred_at=arrival.at)
        yield ReceiptReceived(**fields, receipt=receipt)
