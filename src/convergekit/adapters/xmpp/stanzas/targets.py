"""By which ids others know the message that something is done to. Pure.

Rules kept here:

- Between two, what is said of a message names the id that its sender chose; in a room that of the room (XEP-0359), but
  for corrections, which name the sender's also there (XEP-0308 §3).
"""

from __future__ import annotations

from typing import Final

from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, RejectedError
from convergekit.model import FailureKind

from ..identities import Identities, is_ours
from .destination import Destination
from .guard import legal

__all__ = ["corrected_id", "every_id", "first_id"]

_PATIENCE: Final = 5  # attempts: so long a room is waited for to show us what we have said in it


def _names(out: Outgoing, to: Destination) -> list[str]:
    """The ids of what *out* is about, without those that are ours alone and only tell addressees apart."""
    apart = f" {to.address.uri}"
    names = [id for id in out.target if not (id.endswith(apart) and id[: -len(apart)] in out.target)]
    if not names:
        raise RejectedError("the message that this is about has no id", kind=FailureKind.INVALID_MESSAGE)
    for id in names:
        legal("the id of the message that this is about", id)
    return names


def every_id(out: Outgoing, to: Destination, identities: Identities) -> list[str]:
    """By which ids others know what *out* is about: of each of its messages one, in the order in which they went.

    Raises:
        NotSentError: The room has not said yet by which id it knows the message.
        RejectedError: The message has no id that could be named.
        UnsupportedContentError: XML cannot carry one of them.
    """
    names = sorted(_names(out, to), key=_number)
    if not to.is_room:
        return names
    ours = [id for id in names if is_ours(id)]
    shown = [identities.find(to.conversation, id) for id in ours]
    # What it has shown us the ledger knows as well, a little later, and for good.
    of_room = dict.fromkeys([*(each.message_id for each in shown if each is not None), *names])
    found = [id for id in of_room if not is_ours(id)]
    if len(found) < len(ours) and out.attempt < _PATIENCE:
        raise NotSentError("the room has not shown us the message yet that this is about")
    return found or ours  # a room without stanza-ids: then the sender's are all that there are


def corrected_id(out: Outgoing, to: Destination, identities: Identities) -> str:
    """The id that we gave the text of what *out* is about."""
    names = _names(out, to)
    if (ours := next((id for id in names if is_ours(id) and "-" not in id), None)) is not None:
        return ours
    known = identities.find(to.conversation, names[0])
    return names[0] if known is None else known.origin


def first_id(out: Outgoing, to: Destination, identities: Identities) -> str:
    """Of several messages that were one part, the first: in a room that is told by what they were sent as.

    Raises as `every_id` does.
    """
    ids = every_id(out, to, identities)
    known = ((identities.find(to.conversation, id), id) for id in ids)
    return next((id for each, id in known if each is not None and "-" not in each.origin), ids[0])


def _number(id: str) -> int:
    """Which of the messages of one part *id* is."""
    return int(id.rpartition("-")[2]) if is_ours(id) and "-" in id else 0
