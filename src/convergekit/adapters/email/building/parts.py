"""What a mail is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict

from convergekit.model import Address, Importance

__all__ = ["File", "Parts"]


@dataclass(frozen=True, slots=True)
class File:
    """A file with its content.

    Args:
        content: Goes out as it is, to the last octet.
        media_type: RFC 6838 type/subtype, without parameters.
        name: Without a folder.
        content_id: What `cid:` in the HTML refers to (RFC 2392), without angle brackets. A file that the HTML refers
            to is shown where it does so; every other one is an attachment.
    """

    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"
    name: str | None = None
    content_id: str | None = None


class Parts(TypedDict):
    """What `build` is told. Ids have no angle brackets.

    Args:
        sender: From, with its display name.
        to: Shown as recipients; those that are no mailboxes are left out.
        cc: Shown as further ones.
        reply_to: Where answers go, if not to `sender`.
        subject: One line, or None.
        text: Plain text, with any line ends.
        html: The same as HTML, or None.
        files: In order.
        message_id: RFC 5322 §3.6.4.
        date: When it was written; aware.
        in_reply_to: Id of what it answers, or None.
        references: Ids of what came before, the oldest first. Of very many the first and the last ones are kept, and
            what is no id, as other programs make them, is left out.
        importance: Urgent mail says so, and bulk mail too.
        language: BCP 47, or None.
        own_headers: Further fields of the channel's own; one in `headers` stands in place of its namesake.
        headers: Further fields of whoever wrote the message.
        boundary_seed: Whatever tells this mail from others: with the same one the same mail is built.
    """

    sender: Address
    text: str
    message_id: str
    date: datetime
    boundary_seed: str
    to: NotRequired[Sequence[Address]]
    cc: NotRequired[Sequence[Address]]
    reply_to: NotRequired[Address | None]
    subject: NotRequired[str | None]
    html: NotRequired[str | None]
    files: NotRequired[Sequence[File]]
    in_reply_to: NotRequired[str | None]
    references: NotRequired[Sequence[str]]
    importance: NotRequired[Importance]
    language: NotRequired[str | None]
    own_headers: NotRequired[Mapping[str, str]]
    headers: NotRequired[Mapping[str, str]]
