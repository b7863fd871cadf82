"""Which content the ledger's rows name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convergekit.model import Attachment, ClaimCheck, Dispatch, Event

__all__ = ["DAY", "refs_of"]

#: Seconds for which content is kept that no row names yet.
DAY: Final = 86_400.0


def refs_of(row: Event | Dispatch) -> Sequence[str]:
    """The content that *row* names, each once. Cheap where there is none, which is nearly always."""
    attachments: list[Attachment] = []
    natives: list[object] = []
    if isinstance(row, Dispatch):
        attachments += row.message.attachments
        natives += row.message.native.values()
        for delivery in row.deliveries:
            for part in delivery.parts:
                attachments += part.attachments
    else:
        fields = row.__dict__  # to ask a model for an attribute that it has not takes it several microseconds
        attachments += fields.get("attachments", ())
        attachments += [fields["attachment"]] if "attachment" in fields else []
        natives.append(fields["native"])
    if not attachments and (not natives or natives == [None]):
        return ()
    named = [*(each.claim for each in attachments), *natives]
    return list(dict.fromkeys(each.ref for each in named if isinstance(each, ClaimCheck)))
