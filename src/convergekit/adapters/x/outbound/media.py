"""Files, at X before the post that shows them (API v2: initialize, append, finalize, wait, describe).

Nobody sees anything by an upload, so whatever fails here has not been sent. What is up is remembered for as long as X
keeps it, so that a message that is tried again does not carry its video twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, RejectedError, StoreError, UncertainError, UnsupportedContentError
from convergekit.model import Attachment, FailureKind

from ..budgets import Priority
from ..reading.values import mapping
from ..session import Session
from ..snowflakes import read_id

if TYPE_CHECKING:
    from ..client import XClient

__all__ = ["Uploads", "check"]

_MIB: Final = 1024 * 1024
#: A piece is at most one chunk of the ledger's, 64 KiB, larger; X takes 5 MiB.
_SEGMENT: Final = 4 * _MIB
_ALT_TEXT: Final = 1000
#: X keeps what is uploaded for 24 hours.
_KEPT: Final = timedelta(hours=20)
#: Seconds for which we wait until X has processed a file; then the message is tried again, without another upload.
_PATIENCE: Final = 80.0
_PAUSE: Final = (1.0, 30.0)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What X makes of a file.

    Args:
        name: In X' categories, behind "tweet_" or "dm_".
        most: Bytes.
        described: Whether it can have a description.
    """

    name: str
    most: int
    described: bool


_IMAGE: Final = _Kind("image", 5 * _MIB, described=True)
_GIF: Final = _Kind("gif", 15 * _MIB, described=True)
_VIDEO: Final = _Kind("video", 512 * _MIB, described=False)
_KINDS: Final[Mapping[str, _Kind]] = {
    "image/jpeg": _IMAGE,
    "image/png": _IMAGE,
    "image/webp": _IMAGE,
    "image/gif": _GIF,
    "video/mp4": _VIDEO,
    "video/quicktime": _VIDEO,
}


def check(out: Outgoing, *, together: int) -> None:
    """Refuse what X takes not at all, or not beside the others; with the first part also what the others will have.

    Args:
        out: What goes out.
        together: Files in one post, or one message.

    Raises:
        UnsupportedContentError: It says which, and why.
    """
    _check(out.part.attachments)
    if out.index == 0:
        taken = [each for each in out.message.attachments if each.url is None]  # of the others a link is sent
        for start in range(0, len(taken), together):
            _check(taken[start : start + together])


def _check(attachments: Sequence[Attachment]) -> None:
    kinds = [_kind_of(each, number) for number, each in enumerate(attachments, 1)]
    for number, (attachment, kind) in enumerate(zip(attachments, kinds, strict=True), 1):
        if (size := _size_of(attachment)) > kind.most:
            reason = f"attachment {number} has {size} bytes, and X takes {kind.most} of {_a(kind)}"
            _refuse(reason, FailureKind.TOO_LARGE)
        if kind.described and len(attachment.description or "") > _ALT_TEXT:
            _refuse(f"the description of attachment {number} is longer than {_ALT_TEXT} characters")
    if len(kinds) > 1 and any(kind is not _IMAGE for kind in kinds):
        _refuse("a post has up to four photos, or one GIF, or one video; no others beside them")


class Uploads:
    """Puts files where X finds them.

    Args:
        session: The account, open.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, out: Outgoing, *, direct: bool, priority: Priority) -> tuple[str, ...]:
        """Ids of the attachments of *out*, which are there, processed and described.

        Raises:
            NotSentError: Not yet. `UncertainError` is none of its outcomes: nobody has seen anything.
            RejectedError: X does not take one of them.
        """
        if not out.part.attachments:
            return ()
        client = self._session.client.acting(priority=priority)
        # A message that goes out for the first time has nothing there.
        known = await self._known(out) if out.attempt > 1 else []
        try:
            for attachment in out.part.attachments[len(known) :]:
                id = await self._uploaded(client, attachment, "dm" if direct else "tweet")
                known.append(id)
                await self._remember(out, known)
            for attachment, id in zip(out.part.attachments, known, strict=True):
                await self._wait(client, attachment, id)
                await self._describe(client, attachment, id)
        except UncertainError as exc:
            raise NotSentError(f"a file was not uploaded: {exc.reason}", channel=exc.channel, code=exc.code) from exc
        return tuple(known)

    async def forget(self, out: Outgoing) -> None:
        """The message is out, or never will be: a ledger that fails now changes nothing of that."""
        if out.part.attachments:
            with suppress(StoreError):
                await self._session.context.state.put(_row(out), None)

    async def _uploaded(self, client: XClient, attachment: Attachment, where: str) -> str:
        kind = _KINDS[attachment.media_type.lower()]
        size = _size_of(attachment) or await self._measured(attachment)
        begun = {
            "media_type": attachment.media_type.lower(),
            "media_category": f"{where}_{kind.name}",
            "total_bytes": size,
        }
        answer = await client.request("POST", "/2/media/upload/initialize", json=begun)
        id = read_id(mapping(answer.get("data")).get("id"))
        if id is None:
            raise NotSentError("X did not say what it calls the file", channel=self._session.context.channel)
        index = 0
        async with aclosing(self._segments(attachment)) as segments:
            async for segment in segments:
                await client.append_media(id, index, segment)
                index += 1
        await client.request("POST", f"/2/media/upload/{id}/finalize")
        return id

    async def _measured(self, attachment: Attachment) -> int:
        size = 0
        async with self._session.context.open(attachment) as chunks:
            async for chunk in chunks:
                size += len(chunk)
        return size

    async def _segments(self, attachment: Attachment) -> AsyncGenerator[bytes]:
        """The bytes in pieces of about one size, so that no more than one of them is in memory."""
        chunks: list[bytes] = []
        size = 0
        async with self._session.context.open(attachment) as source:
            async for chunk in source:
                chunks.append(chunk)
                size += len(chunk)
                if size >= _SEGMENT:
                    yield b"".join(chunks)
                    chunks, size = [], 0
        if chunks:
            yield b"".join(chunks)

    async def _wait(self, client: XClient, attachment: Attachment, id: str) -> None:
        """Until X has processed it; photos it has at once."""
        if _KINDS[attachment.media_type.lower()] is _IMAGE:
            return
        clock = self._session.context.clock
        until = clock.monotonic() + _PATIENCE
        while True:
            asked = {"command": "STATUS", "media_id": id}
            answer = await client.request("GET", "/2/media/upload", params=asked)
            info = mapping(mapping(answer.get("data")).get("processing_info"))
            state = info.get("state") if info else "succeeded"
            if state == "succeeded":
                return
            if state == "failed":
                raise RejectedError("X could not process a file", kind=FailureKind.CONTENT, code="media-failed")
            pause = _pause(info)
            if clock.monotonic() + pause > until:
                raise NotSentError("X still processes a file", channel=self._session.context.channel)
            await clock.sleep(pause)

    async def _describe(self, client: XClient, attachment: Attachment, id: str) -> None:
        if attachment.description and _KINDS[attachment.media_type.lower()].described:
            said = {"id": id, "metadata": {"alt_text": {"text": attachment.description}}}
            await client.request("POST", "/2/media/metadata", json=said)

    async def _known(self, out: Outgoing) -> list[str]:
        """What an earlier attempt has put there."""
        row, _ = await self._session.context.state.get(_row(out))
        said = mapping(row)
        at, ids = said.get("at"), said.get("ids")
        oldest = (self._session.context.clock.now() - _KEPT).timestamp()
        if not isinstance(at, int | float) or at < oldest or not isinstance(ids, list):
            return []
        known = [id for each in ids if (id := read_id(each)) is not None]
        return known if len(known) == len(ids) <= len(out.part.attachments) else []

    async def _remember(self, out: Outgoing, ids: Sequence[str]) -> None:
        row = {"at": self._session.context.clock.now().timestamp(), "ids": list(ids)}
        await self._session.context.state.put(_row(out), row)


def _size_of(attachment: Attachment) -> int:
    """In bytes; 0 where nobody has said it."""
    return attachment.claim.size if attachment.claim is not None else attachment.size or 0


def _row(out: Outgoing) -> str:
    return f"media:{out.key}"


def _pause(info: Mapping[str, Any]) -> float:
    """Seconds that X asks for, within reason."""
    least, most = _PAUSE
    said = info.get("check_after_secs")
    return min(most, max(least, float(said))) if isinstance(said, int | float) else least


def _kind_of(attachment: Attachment, number: int) -> _Kind:
    kind = _KINDS.get(attachment.media_type.lower())
    if kind is None:
        _refuse(f"attachment {number} is {attachment.media_type}, and X takes {', '.join(sorted(_KINDS))}")
    if attachment.url is not None:
        _refuse(f"attachment {number} is only a URL, and X takes files: put the link into the text")
    return kind


def _a(kind: _Kind) -> str:
    return "an image" if kind is _IMAGE else f"a {kind.name}"


def _refuse(reason: str, kind: FailureKind = FailureKind.CONTENT) -> NoReturn:
    raise UnsupportedContentError(reason, kind=kind)
