"""The way out, for one open account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from convergekit.abc import Health, Outgoing, Reconciliation
from convergekit.errors import (
    DeliveryError,
    NotPermittedError,
    RejectedError,
    StoreError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, FailureKind, Importance, Operation, Receipt, Status

from .. import handovers
from ..addresses import Destination, DestinationKind, destination, refuse_name, user, user_id
from ..budgets import Priority
from ..reading.values import line, mapping
from ..session import Session
from ..snowflakes import read_id
from . import media, posts
from .native import XNative, native_of
from .permission import Permission, Permissions
from .reconcile import Lookup, digest_of
from .said import Said

__all__ = ["Outbound"]

#: What X' refusal of a repeated text is called.
_DUPLICATE: Final = "duplicate-content"
#: In one post.
_PHOTOS: Final = 4
_SCOPES: Final = "tweet.read, tweet.write, users.read, dm.read, dm.write, media.write and offline.access"
#: What X calls a post that is not there.
_GONE: Final = frozenset({"resource-not-found", "404"})
_HANDLE: Final = re.compile(r"@?([A-Za-z0-9_]{1,15})")


class Outbound:
    """Posts, answers, writes and deletes.

    Args:
        session: The account, open.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said = Said(session.context)
        self._lookup = Lookup(session, self._said)
        self._uploads = media.Uploads(session)
        self._permissions = Permissions(session)

    # Sending

    async def send(self, out: Outgoing) -> Receipt:
        """See `XAdapter.send`."""
        to = self._destination(out)
        native = native_of(out.native)
        is_post = to.kind is DestinationKind.POST
        media.check(out, together=_PHOTOS if is_post else 1)
        if is_post:
            posts.check(native, attachments=len(out.message.attachments), parent=to.parent)
            if self._session.config.replies == "summoned":
                posts.check_text(out.text)
        elif native != XNative():
            raise UnsupportedContentError("native of x is about posts, and this is a direct message")
        try:
            receipt = await self._sent(out, to, native)
        except RejectedError:
            await self._uploads.forget(out)
            raise
        await self._uploads.forget(out)
        return receipt

    async def _sent(self, out: Outgoing, to: Destination, native: XNative) -> Receipt:
        priority = _priority(out)
        is_post = to.kind is DestinationKind.POST
        if is_post and to.parent is not None and not out.earlier:
            await self._permissions.demand(to.parent, priority)
        ids = await self._uploads.put(out, direct=not is_post, priority=priority)
        self._lookup.attempted(out)
        try:
            answer = await (self._post(out, to, native, ids) if is_post else self._write(out, to, ids))
        except RejectedError as refused:
            return await self._refused(out, to, refused)
        id = _id_of(answer)
        if id is None:
            raise UncertainError("X took it, and did not say what it calls it", channel=self._session.context.channel)
        return await self._done(out, to, id, answer.get("errors"))

    async def _post(self, out: Outgoing, to: Destination, native: XNative, media: tuple[str, ...]) -> Mapping[str, Any]:
        client = self._session.client.acting(out=out, priority=_priority(out))
        link = self._session.config.direct_message_link.replace("{id}", self._session.own)
        first, last = out.index == 0 and not out.earlier, out.index == out.count - 1
        said = posts.body(out.text, native, parent=to.parent, media=media, link=link, first=first, last=last)
        arguments = posts.arguments(said)
        if arguments is None:
            return await client.request("POST", "/2/tweets", json=said)
        return mapping(await client.create_tweet(**arguments, user_auth=False))

    async def _write(self, out: Outgoing, to: Destination, media: tuple[str, ...]) -> Mapping[str, Any]:
        client = self._session.client.acting(out=out, priority=_priority(out))
        where = {"participant_id" if to.kind is DestinationKind.DIRECT else "dm_conversation_id": to.id}
        said = {"text": out.text or None, "media_id": media[0] if media else None}
        return mapping(await client.create_direct_message(**where, **said, user_auth=False))

    async def _refused(self, out: Outgoing, to: Destination, refused: RejectedError) -> Receipt:
        """X said no. To a repeat of what may have been sent that means: it was."""
        if isinstance(refused, NotPermittedError) and to.kind is DestinationKind.POST:
            refused.alternative = await self._permissions.instead(to.id) or refused.alternative
        if refused.code != _DUPLICATE or not out.maybe_sent:
            raise refused
        found = await self._lookup.find(out, destination(out))
        if not isinstance(found, Reconciliation):
            return await self._done(out, to, found)
        self._lookup.repeated(out)
        reason = "X says that it has this already, and does not show it yet"
        raise UncertainError(reason, channel=self._session.context.channel, code=refused.code) from refused

    async def _done(self, out: Outgoing, to: Destination, id: str, errors: Any = None) -> Receipt:
        """What follows from its having been sent; nothing of it may take that back."""
        memory, context = self._session.memory, self._session.context
        await self._said.note(digest_of(out, to), out.key, id)
        if to.kind is not DestinationKind.POST:
            memory.wrote(out.to.uri, id)
        else:
            thread = to.thread or (id if to.parent is None else None)
            memory.posted(id, thread, self._session.own, summoned=True, to=to.id)
            if native_of(out.native).hand_over and out.index == out.count - 1 and to.id is not None:
                try:
                    await handovers.invited(context, to.id, post=id, conversation=out.conversation)
                except StoreError:
                    context.log.warning("post %s invites somebody, which is not noted: the ledger did not take it", id)
        return Receipt(
            Status.ACCEPTED,
            ids=(id,),
            part=out.index,
            delivery=out.delivery or None,
            native={"errors": errors} if errors else None,
        )

    def _destination(self, out: Outgoing) -> Destination:
        """Where it goes; in a thread, after the newest post of it that we know, or else its first."""
        to = destination(out)
        if to.kind is not DestinationKind.POST or to.parent is not None:
            return to
        if to.thread is None:
            if to.id is not None:
                reason = f"a post to {out.to} answers one of theirs: name it by reply_to; to everybody is x:public"
                raise RejectedError(reason, kind=FailureKind.INVALID_ADDRESS, channel=self._session.context.channel)
            return to
        return replace(to, parent=self._session.memory.newest(to.thread, to.id) or to.thread)

    # After sending

    async def retract(self, out: Outgoing) -> Receipt:
        """See `XAdapter.retract`."""
        if destination(out).kind is not DestinationKind.POST:
            raise UnsupportedContentError("X deletes a direct message for ourselves only: they would still see it")
        client = self._session.client.acting(out=out, priority=_priority(out))
        for post in out.target:
            try:
                await client.delete_tweet(post, user_auth=False)
            except RejectedError as refused:
                if refused.code not in _GONE:
                    raise
                self._session.context.log.info("post %s was gone already", post)
        return Receipt(Status.ACCEPTED, delivery=out.delivery or None)

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        """See `XAdapter.reconcile`."""
        if out.operation is not Operation.SEND:
            return Reconciliation.NOT_TAKEN  # to delete again does no harm
        to = destination(out)
        found = await self._lookup.became(out, to)
        if isinstance(found, Reconciliation):
            return found
        return await self._done(out, to, found)

    # Asking

    async def find(self, name: str) -> Address:
        """See `XAdapter.find`."""
        handle = _HANDLE.fullmatch(name.strip())
        if handle is None:
            raise self._nobody(name)
        answer = mapping(await self._session.client.get_user(username=handle[1], user_auth=False))
        data = mapping(answer.get("data"))
        id = read_id(data.get("id"))
        if id is None:
            raise self._nobody(name)
        told = _HANDLE.fullmatch(str(data.get("username"))) or handle
        return user(id, f"@{told[1]}")

    def _nobody(self, name: str) -> RejectedError:
        return RejectedError(
            f"nobody at X is called {name[:40]!a}",
            kind=FailureKind.INVALID_ADDRESS,
            channel=self._session.context.channel,
        )

    async def can_reply(self, post: str) -> Permission:
        """See `XAdapter.can_reply`."""
        id = read_id(post)
        if id is None:
            raise RejectedError(f"{post[:40]!a} is no post's id", kind=FailureKind.INVALID_MESSAGE)
        return await self._permissions.to_answer(id)

    async def can_dm(self, who: Address) -> Permission:
        """See `XAdapter.can_dm`."""
        refuse_name(who)
        id = user_id(who)
        if id is None:
            raise RejectedError(f"{who} is nobody at X", kind=FailureKind.INVALID_ADDRESS)
        return await self._permissions.to_write(id)

    async def check(self) -> Health:
        """See `XAdapter.check`."""
        session = self._session
        try:
            answer = await session.client.request("GET", "/2/users/me")
        except DeliveryError as exc:
            is_scope = isinstance(exc, RejectedError) and exc.kind == FailureKind.NOT_PERMITTED
            way_out = f"; the token needs the scopes {_SCOPES}" if is_scope else ""
            return Health(ok=False, detail=f"{session.config.api}: {exc.reason}{way_out}")
        data = mapping(answer.get("data"))
        id, handle = read_id(data.get("id")), line(data.get("username"), 50)
        if id != session.own:
            return Health(ok=False, detail=f"user_id is {session.own}, and the tokens are those of {id}")
        return Health(ok=True, detail=f"the account is @{handle} ({session.own})")


def _priority(out: Outgoing) -> Priority:
    """Answers go before what nobody waits for."""
    answers = out.message.reply_to is not None or out.automatic or out.message.importance is Importance.URGENT
    return Priority.REPLY if answers else Priority.NORMAL


def _id_of(answer: Mapping[str, Any]) -> str | None:
    data = mapping(answer.get("data"))
    return read_id(data.get("id")) or read_id(data.get("dm_event_id"))
