"""From a finished part to stanzas that the server has: where it goes, its files, and the last look before it leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.abc import Outgoing
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import (
    Address,
    ConversationKind,
    ConversationRef,
    FailureKind,
    Operation,
    Receipt,
    Status,
)

from . import jids
from ._asking import post
from .config import XmppConfig
from .files import Files
from .identities import Identities, is_ours
from .rooms import Rooms
from .stanzas import outbound
from .stanzas.destination import Destination, DestinationKind
from .stanzas.guard import check_stanza
from .stanzas.namespaces import NS, tag
from .stanzas.native import native_of
from .stream import Stream

__all__ = ["Sender"]

_PEERS: Final = 10_000  # of whom it is remembered what they have been told
_SOMEWHERE: Final = "https://upload.invalid/"
_BODY: Final = tag(NS.CLIENT, "body")
_SHOWN: Final = frozenset({Operation.SEND, Operation.EDIT})


class Sender:
    """Sends over one stream, in the order of the calls.

    Args:
        config: The channel's settings.
        stream: Ours.
        rooms: Those that we are in.
        files: Puts files where they can be fetched.
        identities: What names which message.
        moderate: Has a room take back what somebody else has said there.
    """

    def __init__(
        self,
        config: XmppConfig,
        stream: Stream,
        rooms: Rooms,
        files: Files,
        identities: Identities,
        *,
        moderate: Callable[[Address, str], Awaitable[None]],
    ) -> None:
        self._config, self._stream, self._rooms, self._files = config, stream, rooms, files
        self._identities, self._retracted_by_room = identities, moderate
        self._active_to: dict[str, None] = {}

    async def send(self, out: Outgoing) -> Receipt:
        """Say something; its files are uploaded before, and named by URL."""
        to = self._destination(out)
        urls: list[str] = []
        if attachments := out.part.attachments:
            # What cannot be said is refused before a file is put anywhere.
            self._check(outbound.send(out, to, files=[_SOMEWHERE] * len(attachments), identities=self._identities))
            urls = [await self._files.upload(each, f"{out.key}/{index}") for index, each in enumerate(attachments)]
        is_active = not to.is_room and self._is_news(to.conversation)
        messages = outbound.send(out, to, files=urls, identities=self._identities, is_active=is_active)
        return await self._deliver(out, to, messages)

    async def edit(self, out: Outgoing) -> Receipt:
        """Correct what we said."""
        to = self._destination(out)
        self._refuse_others(out, to)
        return await self._deliver(out, to, outbound.edit(out, to, identities=self._identities))

    async def retract(self, out: Outgoing) -> Receipt:
        """Take back what we said; in a room where we may, what somebody else said."""
        to = self._destination(out)
        if to.is_room and out.target and not any(self._is_ours(to, id) for id in out.target):
            return await self._moderate(out, to)
        self._refuse_others(out, to)
        return await self._deliver(out, to, outbound.retract(out, to, identities=self._identities))

    async def react(self, out: Outgoing) -> Receipt:
        """Set our reactions."""
        to = self._destination(out)
        return await self._deliver(out, to, outbound.react(out, to, identities=self._identities))

    async def mark_read(self, out: Outgoing) -> Receipt:
        """Say how far we have read."""
        to = self._destination(out)
        return await self._deliver(out, to, outbound.mark_read(out, to, identities=self._identities))

    def typing(self, conversation: ConversationRef, typing: bool) -> None:
        """Show that we type, or no more."""
        to = self._place(conversation.address, conversation, sender=None)
        self._active_to.pop(to.conversation, None)
        post(self._stream, outbound.typing(to, typing))

    def _is_news(self, peer: str) -> bool:
        """Whether *peer* is to be told that we type no more, or that we understand who types: servers work for each."""
        if peer in self._active_to:
            return False
        if len(self._active_to) >= _PEERS:
            self._active_to.clear()
        self._active_to[peer] = None
        return True

    # --- where ---------------------------------------------------------------------------------------------------

    def is_room(self, conversation: ConversationRef) -> bool:
        """Whether what is said in *conversation* is said to all in a room."""
        bare, _, nickname = conversation.address.value.partition("/")
        if conversation.kind is ConversationKind.GROUP:
            return True
        return not nickname and self._rooms.room(bare) is not None

    def _destination(self, out: Outgoing) -> Destination:
        return self._place(out.to, out.conversation, native_of(out.native).sender)

    def _place(self, address: Address, conversation: ConversationRef, sender: str | None) -> Destination:
        """Where to; raises where that is a room that we are not in."""
        sender = self._sender(sender, conversation.thread)
        bare, _, nickname = address.value.partition("/")
        if self.is_room(ConversationRef(address=address, kind=conversation.kind)):
            room = jids.address_of(bare)
            self._rooms.inside(room)
            return Destination(jids.jid_of(room), DestinationKind.ROOM, bare, sender)
        if nickname and self._rooms.room(bare) is not None:
            self._rooms.inside(jids.address_of(bare))
            return Destination(jids.jid_of(address), DestinationKind.PRIVATE, address.value, sender)
        return Destination(jids.jid_of(address), DestinationKind.DIRECT, bare, sender)

    def _sender(self, said: str | None, thread: str | None) -> str | None:
        """From whom: of a component whoever is said, else whom it was written to, else itself; of an account None.

        A component's conversations are told apart by whom of its domain they are with: their `thread`.
        """
        if not self._config.is_component:
            if said is not None:
                raise _refused("sender: only a component speaks for others")
            return None
        domain = self._config.jid
        if said is None:
            said = thread if thread is not None and jids.is_of(thread, domain) else domain
        jid = said if "@" in said or said == domain else f"{said}@{domain}"
        if not jids.is_of(jid, domain):
            raise _refused(f"sender: is to be a JID of {domain}, or what stands in one before the @")
        return jids.jid_of(jids.address_of(jid))

    # --- and off -------------------------------------------------------------------------------------------------

    def _check(self, messages: Sequence[Element]) -> None:
        for message in messages:
            check_stanza(message, self._stream.limit)

    async def _deliver(self, out: Outgoing, to: Destination, messages: Sequence[Element]) -> Receipt:
        self._check(messages)

        def started() -> None:
            if out.operation in _SHOWN and not to.is_room:
                for message in messages:
                    self._identities.sent(to.conversation, message.attrib["id"])
            out.started()

        await self._stream.deliver(messages, started=started)
        return outbound.to_receipt(out, to, messages)

    async def _moderate(self, out: Outgoing, to: Destination) -> Receipt:
        """A moderated retraction (XEP-0425) is asked of the room, which does it or says why not."""
        for id in out.target:
            out.started()
            await self._retracted_by_room(to.address, id)
        return Receipt(Status.ACCEPTED, part=out.index, delivery=out.delivery or None)

    def _refuse_others(self, out: Outgoing, to: Destination) -> None:
        """Nobody believes that we change what somebody else has said; so it is not said to have been done."""
        known = [self._identities.find(to.conversation, id) for id in out.target if not self._is_ours(to, id)]
        if any(each is not None and (to.is_room or each.author == to.conversation) for each in known):
            raise RejectedError("somebody else has said this: only they can change it", kind=FailureKind.CONTENT)

    def _is_ours(self, to: Destination, id: str) -> bool:
        known = self._identities.find(to.conversation, id)
        return is_ours(id) or is_ours(id.partition(" ")[0]) or (known is not None and is_ours(known.origin))


def _refused(reason: str) -> UnsupportedContentError:
    return UnsupportedContentError(f"native of xmpp: {reason}", kind=FailureKind.CONTENT)
