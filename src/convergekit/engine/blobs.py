"""Claim checks (EIP): what a message refers to is in the store before the row that names it.

So it is with attachments, and with a `native` above 64 KiB: a `ClaimCheck` stands in its place in the row, and whoever
needs the thing itself asks `native_of`. Its size is that of its JSON form, which is what the store keeps.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync
from pydantic_core import to_json as measured

from convergekit.abc import Store
from convergekit.errors import InvalidInputError, UnsupportedContentError
from convergekit.model import Attachment, ClaimCheck, Content, Message, native_from_json, native_to_json

__all__ = ["INLINE", "checked_in", "is_large", "native_checked_in", "native_of", "open_attachment"]

ContentT = TypeVar("ContentT", bound=Content)
_CHUNK: Final = 65_536
#: Bytes up to which content stays in the row itself.
INLINE: Final = 65_536


async def checked_in(message: ContentT, store: Store) -> ContentT:
    """*message* with streams drained, files copied and large content kept by the store.

    Raises:
        InvalidInputError: A file cannot be read.
    """
    update: dict[str, Any] = {}
    if any(_leaves(attachment) for attachment in message.attachments):
        update["attachments"] = tuple([await _checked_in(each, store) for each in message.attachments])
    if isinstance(message, Message) and any(map(is_large, message.native.values())):
        update["native"] = {name: await native_checked_in(each, store) for name, each in message.native.items()}
    return message.model_copy(update=update) if update else message


def is_large(native: Any) -> bool:
    """Whether *native* is kept apart from the row."""
    if native is None or isinstance(native, ClaimCheck):
        return False
    try:
        return len(measured(native, bytes_mode="base64")) > INLINE
    except ValueError:
        return False  # it has no JSON form; a store that needs one says so


async def native_checked_in(native: Any, store: Store) -> Any:
    """*native*, or the claim check that stands for it where it is large."""
    if not is_large(native):
        return native
    return await store.keep(_data_chunks(await run_sync(native_to_json, native)))


async def native_of(native: Any, store: Store) -> Any:
    """What *native* is or stands for. Raises `StoreError` where that is gone."""
    if not isinstance(native, ClaimCheck):
        return native
    async with store.open(native) as chunks:
        content = b"".join([chunk async for chunk in chunks])
    return await run_sync(native_from_json, content)


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


@asynccontextmanager
async def open_attachment(attachment: Attachment, store: Store) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The bytes of *attachment*, wherever they are. One with a `url` only has none here."""
    if attachment.claim is not None:
        async with store.open(attachment.claim) as chunks:
            yield chunks
    elif attachment.path is not None:
        # Closed at once, for whoever reads may stop in the midst of it.
        async with await anyio.open_file(attachment.path, "rb") as file, aclosing(_file_chunks(file)) as chunks:
            yield chunks
    elif attachment.stream is not None:
        async with aclosing(_stream_chunks(attachment.stream())) as chunks:
            yield chunks
    elif attachment.data is not None:
        async with aclosing(_data_chunks(attachment.data)) as chunks:
            yield chunks
    else:
        raise UnsupportedContentError(f"the attachment {attachment.name!r} is only a URL; hand the URL on")


async def _file_chunks(file: anyio.AsyncFile[bytes]) -> AsyncGenerator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


async def _stream_chunks(stream: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """What a host streams, in chunks of our size; its generator is closed also where nobody reads it to the end."""
    source = aiter(stream)
    try:
        async for data in source:
            for start in range(0, len(data), _CHUNK):
                yield data[start : start + _CHUNK]
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def _data_chunks(data: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
