"""Media that a medium serves by URL: fetched after admission, durably, up to a size.

What is still to be fetched is a row of the ledger like everything else. With an event that has such attachments
admission stores, in the same transaction, one `MediaOffered` for each: an entry that the engine handles itself. So it
is leased, tried again with back-off, taken up after a crash, and ends in the dead letters where nothing helps. Once
the content is in the store, a `MediaFetched` is admitted, which tells handlers, and whose row names the content, so
that it lives and is erased with the rest of the conversation.

The offers of one channel are in a few lanes of their own: so many are fetched at the same time, and no conversation
waits for them. A handler that needs the content now fetches it itself, through `fetched`, and the offer then finds it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from convergekit.abc import Adapter, Clock, RetryPolicy, Store, SupportsMedia
from convergekit.errors import ConfigurationError, NotSentError, StoreError, UnsupportedContentError
from convergekit.http import leads_to
from convergekit.model import Attachment, ClaimCheck, Event, MediaFetched, MediaOffered

from .blobs import open_attachment
from .locks import Locks
from .strays import NO_STRAYS

if TYPE_CHECKING:
    from .channels import ChannelRuntime
    from .options import ChannelOptions

__all__ = ["MEDIA_RETRY", "Media", "check_media"]

_log = logging.getLogger(__name__)
#: Over about five hours: media are served for a limited time.
MEDIA_RETRY: Final = RetryPolicy(base=2.0, factor=4.0, cap=3600.0, attempts=12)
_LANES: Final = 4
_SCOPE: Final = "media"


def check_media(channel: str, adapter_class: type[Adapter[Any]], options: ChannelOptions) -> None:
    """Raise `ConfigurationError` where *options* ask for media to be fetched, and nothing ever would be."""
    able = bool(options.media_hosts) or issubclass(adapter_class, SupportsMedia)
    if options.fetch_media is not None and not able:
        raise ConfigurationError(
            f"channel {channel!r}: fetch_media needs media_hosts, for {adapter_class.name} does not fetch by itself"
        )
    if options.fetch_media is None and options.media_hosts:
        raise ConfigurationError(f"channel {channel!r}: media_hosts needs fetch_media, the bytes of each at most")


class Media:
    """Fetches what attachments refer to.

    Args:
        store: The ledger.
        clock: Time.
        channels: Finds a channel.
        admitted: Called after something new was stored.
    """

    def __init__(
        self, store: Store, clock: Clock, channels: Callable[[str], ChannelRuntime | None], admitted: Callable[[], None]
    ) -> None:
        self._store = store
        self._locks = Locks(store, clock, _log)
        self._channels = channels
        self._admitted = admitted

    def offered(self, event: Event) -> tuple[dict[str, Any], Sequence[MediaOffered]]:
        """What admission changes in *event*, which is complete, and what it stores with it."""
        attachments: Sequence[Attachment] = getattr(event, "attachments", ())
        channel = self._channels(event.channel)
        marked: list[Attachment] = []
        offers: list[MediaOffered] = []
        for index, attachment in enumerate(attachments):
            digest = None
            if channel is not None and attachment.url is not None and _may_fetch(channel, attachment.url):
                digest = hashlib.sha256(f"{event.key}|{index}".encode()).hexdigest()[:32]
            kept_as = None if digest is None else f"{event.channel}|{digest}"
            marked.append(attachment)
            if attachment.kept_as != kept_as:  # also what somebody else has put there
                marked[-1] = attachment.model_copy(update={"kept_as": kept_as})
            if digest is not None:
                offers.append(_offer(event, marked[-1], digest))
        return ({} if marked == [*attachments] else {"attachments": tuple(marked)}), offers

    async def serve(self, offer: MediaOffered) -> None:
        """Fetch what is offered, and tell. Done again, it does nothing."""
        fetched = MediaFetched(
            key=f"{offer.key}:fetched",
            channel=offer.channel,
            conversation=offer.conversation,
            sender=offer.sender,
            at=offer.at,
            automated=offer.automated,
            target=offer.target,
            attachment=await self.fetched(offer.attachment),
        )
        await self._store.admit(offer.channel, [fetched])
        self._admitted()

    async def fetched(self, attachment: Attachment) -> Attachment:
        """*attachment* with its content in the store, fetched now if it is not there yet; any other as it is.

        Raises:
            NotSentError: It cannot be had now.
            AccountError: The medium does not give it to us.
            RejectedError: It is gone for good, or (`UnsupportedContentError`) too large, or not to be fetched at all.
            StoreError: The ledger failed.
        """
        if attachment.url is None:
            return attachment
        if attachment.kept_as is None:
            raise UnsupportedContentError(
                f"the attachment {attachment.name!r} is only a URL, and its channel does not fetch it; "
                "see the channel's settings fetch_media and media_hosts"
            )
        claim = await self._kept(attachment.kept_as)
        if claim is None:
            async with self._locks.held(f"{_SCOPE}/{attachment.kept_as}"):
                claim = await self._kept(attachment.kept_as) or await self._fetch(attachment.kept_as, attachment)
        update = {"claim": claim, "size": claim.size, "url": None, "kept_as": None}
        return attachment.model_copy(update=update)

    @asynccontextmanager
    async def open(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The bytes of *attachment*, wherever they are; raises as `fetched` does."""
        async with open_attachment(await self.fetched(attachment), self._store) as chunks:
            yield chunks

    async def _kept(self, name: str) -> ClaimCheck | None:
        value, _ = await self._store.get(_SCOPE, name)
        if value is None:
            return None
        claim = ClaimCheck.model_validate(value)
        try:
            async with self._store.open(claim):
                return claim
        except StoreError:  # swept, with the row that named it: it is fetched anew
            return None

    async def _fetch(self, name: str, attachment: Attachment) -> ClaimCheck:
        channel = self._channels(name.rpartition("|")[0])
        if channel is None:
            raise NotSentError("its channel is not open here", channel=name.rpartition("|")[0])
        limit = channel.options.fetch_media or 0
        if attachment.size is not None and attachment.size > limit:
            raise _too_large(channel, limit)
        with NO_STRAYS:
            async with _served(channel, attachment) as chunks:
                claim = await self._store.keep(_up_to(limit, chunks, channel))
        await self._store.put(_SCOPE, name, claim.model_dump())
        return claim


def _may_fetch(channel: ChannelRuntime, url: str) -> bool:
    if channel.options.fetch_media is None:
        return False
    return issubclass(channel.adapter_class, SupportsMedia) or leads_to(url, channel.options.media_hosts)


def _offer(event: Event, attachment: Attachment, digest: str) -> MediaOffered:
    return MediaOffered(
        key=f"media:{digest}",
        channel=event.channel,
        conversation=event.conversation,
        sender=event.sender,
        at=event.at,
        automated=event.automated,
        lane=f"media|{int(digest, 16) % _LANES}",
        target=event.key,
        attachment=attachment,
    )


@asynccontextmanager
async def _served(channel: ChannelRuntime, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
    """By the adapter where it can; else by a plain request, to a host that is known, and without credentials."""
    adapter: object = channel.adapter
    if adapter is None:
        raise NotSentError("the channel is not open", channel=channel.name)
    if isinstance(adapter, SupportsMedia):
        async with adapter.fetch(attachment) as chunks:
            yield chunks
        return
    hosts, url = channel.options.media_hosts, attachment.url or ""
    if not leads_to(url, hosts):
        raise UnsupportedContentError("its host is none of media_hosts", channel=channel.name)
    async with channel.context.http.download(url, follow=lambda target: leads_to(target, hosts)) as chunks:
        yield chunks


async def _up_to(limit: int, chunks: AsyncIterator[bytes], channel: ChannelRuntime) -> AsyncGenerator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(channel, limit)
        yield chunk


def _too_large(channel: ChannelRuntime, limit: int) -> UnsupportedContentError:
    return UnsupportedContentError(f"it is larger than fetch_media, {limit} bytes", channel=channel.name)
