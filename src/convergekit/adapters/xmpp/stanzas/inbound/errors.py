"""A message of ours came back: why (RFC 6120 §8.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

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
from ..errors import stanza_error
from .arrival import Arrival
from .reports import ACKNOWLEDGEMENT

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


def kind_of(condition: str | None) -> FailureKind | None:
    """Which kind of trouble *condition* is."""
    return KINDS.get(condition or "")


def returned(arrival: Arrival) -> Sequence[Event]:
    """A stanza of type "error": about a message of ours, or about nothing that anybody would look for.

    Of type "wait" it is final as well: the medium has given up, and will not try again by itself.
    """
    stanza = arrival.stanza
    error, id = stanza_error(stanza.element), stanza.id
    if id is not None and id.startswith(ACKNOWLEDGEMENT):
        return ()
    if id is None or not is_ours(id) or error.type == "continue":
        data = {"id": id, "code": str(error), "text": error.text}
        return (CustomReceived(**arrival.fields("error"), name="xmpp.error", data=_known(data)),)
    failure = Failure(kind=kind_of(error.condition), code=str(error), text=error.text)
    ids = (shared_id(id, arrival.conversation.address),)
    key = f"c:{arrival.conversation.address.uri}:{id}:failed"
    receipt = Receipt(Status.FAILED, ids=ids, occurred_at=arrival.at, failure=failure)
    return (ReceiptReceived(**arrival.fields(key=key), receipt=receipt),)


def _known(data: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in data.items() if value is not None}
