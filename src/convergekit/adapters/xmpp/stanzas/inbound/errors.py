"""A message of ours came back: why (RFC 6120 §8.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.model import (
    CustomReceived,
    Event,
    Failure,
    FailureKind,
    Receipt,
    ReceiptReceived,
    Status,
    shared_id,
)

from ...identities import is_ours
from ..namespaces import NS, tag
from .arrival import Arrival
from .reports import ACKNOWLEDGEMENT
from .stanza import identifier, line

__all__ = ["KINDS", "kind_of", "returned"]

#: RFC 6120 §8.3.3: the defined conditions. What is not here says nothing of which kind it is.
KINDS: Final[Mapping[str, FailureKind]] = {
    "bad-request": FailureKind.INVALID_MESSAGE,
    "conflict": FailureKind.PROVIDER,
    "feature-not-implemented": FailureKind.UNREACHABLE,
    "forbidden": FailureKind.BLOCKED,
    "gone": FailureKind.INVALID_ADDRESS,
    "internal-server-error": FailureKind.PROVIDER,
    "item-not-found": FailureKind.INVALID_ADDRESS,
    "jid-malformed": FailureKind.INVALID_ADDRESS,
    "not-acceptable": FailureKind.BLOCKED,
    "not-allowed": FailureKind.BLOCKED,
    "not-authorized": FailureKind.AUTH,
    "policy-violation": FailureKind.BLOCKED,
    "recipient-unavailable": FailureKind.UNREACHABLE,
    "redirect": FailureKind.INVALID_ADDRESS,
    "registration-required": FailureKind.BLOCKED,
    "remote-server-not-found": FailureKind.INVALID_ADDRESS,
    "remote-server-timeout": FailureKind.UNREACHABLE,
    "resource-constraint": FailureKind.UNREACHABLE,
    "service-unavailable": FailureKind.UNREACHABLE,
    "subscription-required": FailureKind.BLOCKED,
    "unexpected-request": FailureKind.INVALID_MESSAGE,
}
_ERROR: Final = tag(NS.CLIENT, "error")
_TEXT: Final = tag(NS.STANZAS, "text")
_TYPES: Final = frozenset({"auth", "cancel", "continue", "modify", "wait"})
_LONGEST: Final = 1000


def kind_of(condition: str | None) -> FailureKind | None:
    """Which kind of trouble *condition* is."""
    return KINDS.get(condition or "")


def returned(arrival: Arrival) -> Sequence[Event]:
    """A stanza of type "error": about a message of ours, or about nothing that anybody would look for.

    Of type "wait" it is final as well: the medium has given up, and will not try again by itself.
    """
    stanza = arrival.stanza
    error = stanza.first(_ERROR)
    type, condition, text = _said(error)
    id = stanza.id
    if id is not None and id.startswith(ACKNOWLEDGEMENT):
        return ()
    code = f"{type}/{condition}"
    if id is None or not is_ours(id) or type == "continue":
        data = {"id": id, "code": code, "text": text}
        return (CustomReceived(**arrival.fields("error"), name="xmpp.error", data=_known(data)),)
    failure = Failure(kind=kind_of(condition), code=code, text=text)
    ids = (shared_id(id, arrival.conversation.address),)
    key = f"c:{arrival.conversation.address.uri}:{id}:failed"
    receipt = Receipt(Status.FAILED, ids=ids, occurred_at=arrival.at, failure=failure)
    return (ReceiptReceived(**arrival.fields(key=key), receipt=receipt),)


def _said(error: Element | None) -> tuple[str, str, str | None]:
    """Type, condition, and words."""
    if error is None:
        return "cancel", "undefined-condition", None
    type, condition = error.get("type", ""), "undefined-condition"
    for child in error:
        namespace, _, name = child.tag.rpartition("}")
        if namespace == f"{{{NS.STANZAS}" and child.tag != _TEXT:
            condition = identifier(name) or condition
            break
    return type if type in _TYPES else "cancel", condition[:100], line(error.findtext(_TEXT), _LONGEST)


def _known(data: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in data.items() if value is not None}
