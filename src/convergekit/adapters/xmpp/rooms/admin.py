"""What owners, admins and moderators of a room do: make it, set it up, invite, put out, take back (XEP-0045 §7-§10)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import DeliveryError, InvalidInputError, RejectedError, UnsupportedContentError
from convergekit.model import Address

from .._asking import ask
from ..config import XmppConfig
from ..jids import address_of, bare, resource
from ..stanzas.disco import disco_query, read_features, read_services
from ..stanzas.guard import check_stanza
from ..stanzas.namespaces import NS
from ..stanzas.room_form import fields_for, form_cancel, form_query, form_submit, read_form
from ..stanzas.rooms import (
    affiliations_query,
    direct_invitation,
    mediated_invitation,
    moderated_retraction,
    moderation,
    read_standings,
)
from ..stream import Stream
from .room import Room
from .rooms import Rooms

__all__ = ["Affiliation", "Role", "RoomAdmin"]

Affiliation = Literal["owner", "admin", "member", "none", "outcast"]
Role = Literal["moderator", "participant", "visitor", "none"]
_PARTING: Final = 5.0  # seconds for undoing what cannot be finished
_MEMBERS_ONLY: Final = "muc_membersonly"


class RoomAdmin:
    """What is done to rooms, by who may.

    All of it raises `RejectedError` with the server's code where we may not, `NotSentError` where nobody answers, and
    `UnsupportedContentError` where XML cannot carry something.

    Args:
        config: The channel's settings.
        context: What the engine lends.
        stream: Ours.
        rooms: Those that we are in.
        token: Gives another word at each call.
    """

    def __init__(
        self,
        config: XmppConfig,
        context: ChannelContext,
        stream: Stream,
        rooms: Rooms,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._config, self._context, self._stream, self._rooms, self._token = config, context, stream, rooms, token
        self._service: str | None = None

    async def create(self, name: str, *, nickname: str | None = None, **options: Any) -> Room:
        """Make a room and be in it, or set up one that is ours already: a second call does what the first one did.

        Args:
            name: "support", on the server's own service for rooms, or "support@conference.example.org".
            nickname: Ours in it; None for the channel's.
            options: `OPTIONS` of `stanzas.room_form`, or any field of the server's form, with or without what stands
                before its name; None leaves a field as the server has it.

        Raises:
            ConfigurationError: The server's rooms have no such option, or it does not take this value. Nothing is made.
            RejectedError: There is such a room, and it is somebody else's; or rooms may not be made here.
        """
        wanted = {option: value for option, value in options.items() if value is not None}
        jid = await self._jid_of(name)
        was_in = self._rooms.room(jid) is not None
        password = str(wanted["password"]) if "password" in wanted else None
        room, made = await self._rooms.enter(jid, nickname=nickname, password=password, opens=False)
        try:
            if not made and not self._is_owner(room):
                raise RejectedError("there is such a room, and it is not ours: choose another name, or join it")
            await self._configure(room, wanted, must=made)
        except BaseException:
            with anyio.move_on_after(_PARTING, shield=True), suppress(DeliveryError):
                if made:
                    await ask(self._stream, form_cancel(jid), "the room is not unmade", channel=self._channel)
                if made or not was_in:
                    await self._rooms.leave(room.conversation.address)
            raise
        await self._rooms.learn(room)
        return room

    async def _configure(self, room: Room, options: Mapping[str, Any], *, must: bool) -> None:
        fields: Mapping[str, tuple[str, ...]] = {}
        if options:
            form = await ask(self._stream, form_query(room.jid), "the room's settings", channel=self._channel)
            fields = fields_for(options, read_form(form))
        if fields or must:
            submit = form_submit(room.jid, fields)
            await ask(self._stream, submit, "the room does not take these settings", channel=self._channel)

    def _is_owner(self, room: Room) -> bool:
        ours = room.occupant(room.nickname)
        return ours is not None and ours.affiliation == "owner"

    async def _jid_of(self, name: str) -> str:
        local, at, _ = name.partition("@")
        jid = address_of(name if at else f"{name}@{await self._conferences()}").value
        if not local or "/" in jid or "@" not in jid:
            raise InvalidInputError("the name of a room is like support, or like support@conference.example.org")
        return jid

    async def _conferences(self) -> str:
        """Which of the server's parts has rooms."""
        if self._service is None:
            self._service = await self._found()
        return self._service

    async def _found(self) -> str:
        items = disco_query(self._config.domain, items=True)
        for jid in read_services(await ask(self._stream, items, "the server's services", channel=self._channel)):
            if "@" in jid or "/" in jid:
                continue
            with suppress(DeliveryError):
                answer = await ask(self._stream, disco_query(jid), "what it can do", channel=self._channel)
                if NS.MUC in read_features(answer):
                    return jid
        raise UnsupportedContentError(
            "this server has no rooms of its own: name one in full, such as support@conference.example.org",
            channel=self._channel,
        )

    async def invite(self, room: Address, who: Address, text: str | None = None) -> None:
        """Invite *who*: where only members may be the room does it, which lets them in; else we do."""
        found = self._rooms.inside(room)
        await self._rooms.learn(found)  # whether it is for members only may have changed meanwhile
        id = self._token()
        if _MEMBERS_ONLY in (found.features or ()):
            invitation = mediated_invitation(found.jid, bare(who.value), id=id, text=text)
        else:
            invitation = direct_invitation(found.jid, who.value, id=id, text=text, password=found.password)
        check_stanza(invitation, self._stream.limit)
        await self._stream.deliver([invitation], started=lambda: None)

    async def affiliations(self, room: Address, affiliation: Affiliation) -> tuple[Address, ...]:
        """Everybody of *affiliation*, present or not, as far as we may know: "owner", "admin", "member", "outcast"."""
        query = affiliations_query(bare(room.value), affiliation)
        answer = await ask(self._stream, query, "the room does not tell this", channel=self._channel)
        return tuple(address_of(each.jid) for each in read_standings(answer) if each.jid is not None)

    async def moderate(
        self,
        room: Address,
        who: Address,
        *,
        role: Role | None = None,
        affiliation: Affiliation | None = None,
        reason: str | None = None,
    ) -> None:
        """Change what *who* may do: `role="none"` puts them out, `affiliation="outcast"` keeps them out.

        Args:
            room: Where.
            who: An occupant's address or a real one. A role is of an occupant; an affiliation of a real address, which
                the room has to show us where an occupant is named.
            role: "moderator", "participant", "visitor", "none"; it lasts for as long as they stay.
            affiliation: "owner", "admin", "member", "none", "outcast"; it lasts.
            reason: Told to them.
        """
        if (role is None) == (affiliation is None):
            raise InvalidInputError("name either a role or an affiliation")
        found = self._rooms.inside(room)
        nickname, jid = self._who(found, who, is_role=role is not None)
        iq = moderation(found.jid, nickname=nickname, jid=jid, role=role, affiliation=affiliation, reason=reason)
        await ask(self._stream, iq, "the room does not do this for us", channel=self._channel)

    def _who(self, room: Room, who: Address, *, is_role: bool) -> tuple[str | None, str | None]:
        """Their nickname for a role, their bare JID for an affiliation."""
        nickname = resource(who.value) if bare(who.value) == room.jid else None
        if nickname is not None and is_role:
            return nickname, None
        if nickname is not None:
            occupant = room.occupant(nickname)
            if occupant is None or occupant.jid is None:
                raise RejectedError("the room does not show who this is: name their address", channel=self._channel)
            return None, bare(occupant.jid)
        if not is_role:
            return None, bare(who.value)
        for each, occupant in room.occupants.items():
            if occupant.jid is not None and bare(occupant.jid) == bare(who.value):
                return each, None
        raise RejectedError("nobody in the room is known to be this: name their nickname", channel=self._channel)

    async def retract(self, room: Address, stanza_id: str, reason: str | None = None) -> None:
        """Have the room take back somebody else's message (XEP-0425); *stanza_id* is what the room calls it."""
        found = self._rooms.inside(room)
        known = (found.features or frozenset()) & {NS.MODERATION, NS.MODERATION_0}
        if not known:
            raise UnsupportedContentError(
                "this room has no moderated retraction (XEP-0425), and the message is not ours", channel=self._channel
            )
        iq = moderated_retraction(found.jid, stanza_id, reason, is_old=NS.MODERATION not in known)
        await ask(self._stream, iq, "the room does not take the message back for us", channel=self._channel)

    @property
    def _channel(self) -> str:
        return self._context.channel
