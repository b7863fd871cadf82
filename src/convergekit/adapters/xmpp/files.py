"""Files go out by HTTP (XEP-0363): the server lends a place, the file is put there, and its URL is what is said.

Rules kept here:

- Nobody has heard anything before the URL is said. So nothing that goes wrong here is uncertain: a file that was put
  somewhere twice is one that nobody asks for.
- A large file on a slow line takes longer than an attempt at sending may. So an upload goes on when who waits for it
  has given up, and the next attempt, under the same key, finds it under way, or done.
- Who takes files, and how large, is asked once in a session.
- The certificates of the setting `ca` are trusted for files as well, beside the well-known ones: where they are put
  is most often the same server, under the same authority, and sometimes somebody else's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import anyio
from anyio.abc import TaskGroup

from convergekit.abc import ChannelContext
from convergekit.errors import (
    DeliveryError,
    InvalidInputError,
    NotSentError,
    RejectedError,
    StoreError,
    UnsupportedContentError,
)
from convergekit.http import OUTCOMES, Outcome, Outcomes, is_this_machine
from convergekit.model import Attachment, FailureKind

from ._asking import refusal
from .config import XmppConfig
from .stanzas.disco import disco_query, read_services
from .stanzas.upload import Service, Slot, file_name, read_service, read_slot, slot_request
from .stream import Bound, StanzaError, Stream

__all__ = ["Files"]

_REMEMBERED: Final = 256
_SLOWEST: Final = 16_384  # octets a second; what is slower is not waited for
#: A slot brings credentials of its own: what is wrong with these says nothing about the account.
_OUTCOMES: Final[Outcomes] = OUTCOMES | dict.fromkeys((401, 402, 403, 407, 409), Outcome.REJECTED)


class _Upload:
    """One file, on its way or there."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.url: str | None = None
        self.error: Exception | None = None


class Files:
    """Puts files where whoever has their URL can get them.

    Args:
        stream: Ours.
        config: The channel's settings.
        context: Opens attachments, and does HTTP.
        tasks: Where uploads go on that nobody waits for just now.
    """

    def __init__(self, stream: Stream, config: XmppConfig, context: ChannelContext, tasks: TaskGroup) -> None:
        self._stream, self._config, self._context, self._tasks = stream, config, context, tasks
        self._asking = anyio.Lock()
        self._session: Bound | None = None
        self._service: Service | None = None
        self._known: OrderedDict[str, _Upload] = OrderedDict()
        self._trust()

    async def limit(self) -> int | None:
        """Octets of the largest file that can be uploaded; None where none can. Raises `NotSentError`."""
        service = await self._found()
        return None if service is None else min(self._config.max_file, service.limit or self._config.max_file)

    async def upload(self, attachment: Attachment, key: str = "") -> str:
        """Put *attachment* where it can be got; return its URL. What has a URL keeps it.

        Args:
            attachment: With a size that is known, or read whole to learn it.
            key: The same for each attempt: what was uploaded under it lately, or still is, is not uploaded again. "" is
                none.

        Raises:
            UnsupportedContentError: It is too large, or the server takes no files.
            RejectedError: The server refuses this file.
            NotSentError: It is worth another try.
        """
        if attachment.url is not None:
            return attachment.url
        if not key:
            return await self._uploaded(attachment)
        known = self._known.get(key)
        if known is None or known.error is not None:
            known = self._known[key] = _Upload()
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            self._tasks.start_soon(self._run, known, attachment)
        await known.done.wait()
        if known.url is None:
            raise known.error or NotSentError("the channel is being closed", channel=self._context.channel)
        return known.url

    async def _run(self, upload: _Upload, attachment: Attachment) -> None:
        try:
            upload.url = await self._uploaded(attachment)
        except Exception as exc:  # it is whoever waits who is told
            upload.error = exc
        finally:
            upload.done.set()

    async def _uploaded(self, attachment: Attachment) -> str:
        service = await self._found()
        if service is None:
            raise self._unsupported(
                "the server takes no files (XEP-0363): give the attachment a url", FailureKind.CONTENT
            )
        size = await self._size(attachment, service)
        slot = await self._slot(service, attachment, size)
        await self._put(slot, attachment, size)
        return slot.get

    # --- who takes them -------------------------------------------------------------------------------------------

    async def _found(self) -> Service | None:
        async with self._asking:
            session = self._stream.bound
            if session is None or session is not self._session:
                self._service = await self._find()
                self._session = session
            return self._service

    async def _find(self) -> Service | None:
        """The server's component that takes files, or the server itself."""
        domain = self._config.domain
        # A component is below its server, which is who knows the others (RFC 6120 §3.2 knows no such rule, hosts do).
        server = domain.partition(".")[2] or domain if self._config.is_component else domain
        silent: NotSentError | None = None
        try:
            services = [*read_services(await self._stream.request(disco_query(server, items=True)))]
        except StanzaError:
            services = []
        for jid in (*services, server):
            try:
                service = read_service(jid, await self._stream.request(disco_query(jid)))
            except StanzaError:
                continue
            except NotSentError as exc:  # one that does not answer must not hide the one that does
                silent = exc
                continue
            if service is not None:
                return service
        if silent is not None:
            raise silent
        return None

    # --- one file -------------------------------------------------------------------------------------------------

    async def _size(self, attachment: Attachment, service: Service) -> int:
        size = attachment.claim.size if attachment.claim is not None else attachment.size
        if size is None:
            size = 0
            async with self._context.open(attachment) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
        for limit, whose in ((self._config.max_file, "max_file"), (service.limit, "the server's limit")):
            if limit is not None and size > limit:
                raise self._unsupported(f"a file of {size} octets is above {whose}, {limit}", FailureKind.TOO_LARGE)
        return size

    async def _slot(self, service: Service, attachment: Attachment, size: int) -> Slot:
        request = slot_request(service, file_name(attachment), size, attachment.media_type)
        try:
            answer = await self._stream.request(request)
            here = is_this_machine(self._config.host or self._config.domain)
            return read_slot(answer, tls=self._config.security != "none", here=here)
        except StanzaError as exc:
            if exc.condition == "not-acceptable":  # §4: what it answers to a file that is too large
                reason = f"the server does not take a file of {size} octets"
                raise self._unsupported(reason, FailureKind.TOO_LARGE, str(exc)) from exc
            raise refusal(exc, "the server takes no file", channel=self._context.channel) from exc
        except InvalidInputError as exc:
            raise RejectedError(str(exc), channel=self._context.channel) from exc

    async def _put(self, slot: Slot, attachment: Attachment, size: int) -> None:
        headers = {**slot.headers, "content-type": attachment.media_type}
        self._trust()
        try:
            async with self._context.open(attachment) as chunks:
                await self._context.http.upload(
                    slot.put, chunks, size=size, headers=headers, outcomes=_OUTCOMES, timeout=60 + size / _SLOWEST
                )
        except DeliveryError as exc:
            if exc.code == "413":
                reason = f"the server does not take a file of {size} octets"
                raise self._unsupported(reason, FailureKind.TOO_LARGE, exc.code) from exc
            exc.args = (f"a file could not be uploaded: {exc.args[0]}",)  # else it would seem to be about the message
            raise
        except (StoreError, OSError) as exc:
            raise NotSentError("a file to be uploaded cannot be read", channel=self._context.channel) from exc

    def _trust(self) -> None:
        if self._config.ca is not None:
            self._context.http.trust(self._config.ca)

    def _unsupported(self, reason: str, kind: FailureKind, code: str | None = None) -> UnsupportedContentError:
        return UnsupportedContentError(reason, channel=self._context.channel, kind=kind, code=code)
