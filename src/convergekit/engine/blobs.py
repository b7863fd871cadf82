"""Claim checks (EIP): what a message refers to is in the store before the row that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convergekit.abc import Store
from convergekit.errors import InvalidInputError
from convergekit.model import Attachment, Message

from .context import open_attachment

__all__ = ["INLINE", "checked_in"]

#: Bytes up to which content stays in the row itself.
INLINE: Final = 65_536


async def checked_in(message: Message, store: Store) -> Message:
    """*message* with streams drained, files copied and large content kept by the store.

    Raises:
        InvalidInputError: A file cannot be read.
    """
    if not any(_leaves(attachment) for attachment in message.attachments):
        return message
    attachments: Sequence[Attachment] = [await _checked_in(each, store) for each in message.attachments]
    return message.model_copy(update={"attachments": tuple(attachments)})


def _leaves(attachment: Attachment) -> bool:
    if attachment.data is not None:
        return len(attachment.data) > INLINE
    return attachment.path is not None or attachment.stream is not None


async def _checked_in(attachment: Attachment, store: Store) -> Attachment:
    if not _leaves(attachment):
        return attachment
    try:
        async with open_attachment(attachment, store) as chunks:
            claim = await store.keep(chunks)
    except OSError as exc:
        name = attachment.path.name if attachment.path is not None else attachment.name
        raise InvalidInputError(f"the attachment {name!r} cannot be read: {exc.strerror}") from exc
    name = attachment.name or (attachment.path.name if attachment.path is not None else None)
    update = {"claim": claim, "data": None, "path": None, "stream": None, "size": claim.size, "name": name}
    return attachment.model_copy(update=update)
