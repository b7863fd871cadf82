"""One room that we are in, or want to be in: what its presences make of it. No I/O.

Rules kept here:

- Who is in a room is what the room says. What it tells while we enter was so before, and is no news.
- At most `OCCUPANTS` are known of a room. Whoever comes on top of them is in it and not in our list.
- Somebody has put us out (kick, ban, a room destroyed): we stay out until the host says otherwise. Something has put
  us out (a server that stops, a connection): we come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Any, Final, Literal

import anyio

from convergekit.errors import DeliveryError, NotSentError
from convergekit.model import Address, ConversationKind, ConversationRef, Event, MembershipChanged, PresenceChanged

from ..jids import address_of
from ..stanzas.inbound import Reading
from ..stanzas.namespaces import NS
from ..stanzas.presence import Shown
from ..stanzas.rooms import Code, RoomPresence
from ..stream import StanzaError

__all__ = ["OCCUPANTS", "Attempt", "Membership", "Occupant", "Room"]

#: Of one room, as many are known at most; with long names they take about 20 MB.
OCCUPANTS: Final = 20_000

Membership = Literal["joined", "left", "invited", "removed", "banned"]
_BY_SOMEBODY: Final = frozenset({Code.KICKED, Code.BANNED, Code.AFFILIATION, Code.MEMBERS_ONLY})
_BY_A_FAILURE: Final = frozenset({Code.SHUT_DOWN, Code.FAILED})


@dataclass(slots=True)
class Occupant:
    """Somebody in a room, as the room itself says.

    Args:
        jid: Their real JID, where the room shows it.
        occupant_id: Theirs in this room whatever they call themselves (XEP-0421), where the room's is to be believed.
        stay: Another one each time that somebody enters under this nickname.
        affiliation: "owner", "admin", "member", "none".
        role: "moderator", "participant", "visitor".
        shown: Whether they are there.
    """

    jid: str | None
    occupant_id: str | None
    stay: int
    affiliation: str
    role: str
    shown: Shown


@dataclass(slots=True)
class Attempt:
    """One try to enter, or to be called otherwise.

    Args:
        id: Of the presence that asks.
        before: The nickname that we have until then.
        answered: Set with the answer.
        error: The answer, where it is a refusal.
        made: Whether the room was made by our entering, and is locked until it is configured.
        heard: How many presences have come meanwhile: a large room takes its time.
    """

    id: str
    before: str
    answered: anyio.Event = field(default_factory=anyio.Event)
    error: StanzaError | DeliveryError | None = None
    made: bool = False
    heard: int = 0


class Room:
    """A room.

    Args:
        jid: Bare, normalised.
        own: Who we are outside of it, as `member` of what happens to us.
        wanted: The nickname that we want.
        password: Where it asks for one.
        configured: Whether the settings name it.
        stays: Gives another number at each call.
        token: Gives another word at each call: it tells one stay of ours from the next.

    Attributes:
        nickname: The one that we have, or had.
        joined: Whether we are in.
        staying_out: Whether we were put out, or have left: nobody brings us back but the host.
        features: What the room says it can do (XEP-0030); None where it was not asked yet.
        attempt: The try that is under way.
        entering: Held by who enters or leaves.
        coming_back: Whether somebody is at it to bring us back.
        doubted: Whether something says that we may not be in any more.
    """

    def __init__(
        self,
        jid: str,
        *,
        own: Address,
        wanted: str,
        password: str | None = None,
        configured: bool = False,
        stays: Callable[[], int],
        token: Callable[[], str],
    ) -> None:
        self.jid, self.wanted, self.password, self.configured = jid, wanted, password, configured
        self.nickname = wanted
        self.joined = self.staying_out = self.coming_back = self.doubted = False
        self.features: frozenset[str] | None = None
        self.attempt: Attempt | None = None
        self.entering = anyio.Lock()
        self.conversation = ConversationRef(address=address_of(jid), kind=ConversationKind.GROUP)
        self.occupants: dict[str, Occupant] = {}
        self._own, self._stays, self._token = own, stays, token
        self._stay_of_ours = ""

    # --- what others ask (`RoomFacts`) ----------------------------------------------------------------------------

    @property
    def trusts_occupant_ids(self) -> bool:
        """Whether the room says that it makes occupant ids (XEP-0421): then nobody else can."""
        return NS.OCCUPANT_ID in (self.features or ())

    @property
    def has_archive(self) -> bool:
        """Whether the room keeps what is said in it (XEP-0313)."""
        return NS.MAM in (self.features or ())

    @property
    def is_lost(self) -> bool:
        """Whether we ought to be in, and are not."""
        return not self.joined and not self.staying_out

    def occupant(self, nickname: str) -> Occupant | None:
        """Who is in it under *nickname* now, or None where nobody is known to be."""
        return self.occupants.get(nickname)

    def address(self, nickname: str) -> Address:
        """Of an occupant."""
        return address_of(f"{self.jid}/{nickname}", nickname)

    # --- what happens ---------------------------------------------------------------------------------------------

    def lost(self) -> None:
        """The session that had entered is over: nothing is known of the room any more."""
        self.joined = False
        self.occupants.clear()
        self.fail(NotSentError("the connection was lost while we entered the room"))

    def fail(self, why: StanzaError | DeliveryError) -> None:
        """End the try to enter that is under way, if any."""
        if self.attempt is not None:
            self.attempt.error = why
            self.attempt.answered.set()

    def observe(self, said: RoomPresence, now: datetime) -> Reading:
        """What a presence from this room changes."""
        if self.attempt is not None:
            self.attempt.heard += 1
        if said.error is not None:
            if self.attempt is None:
                self.doubted = self.joined
            elif said.id in (None, self.attempt.id):
                self.fail(said.error)
            return Reading()
        if said.nickname is None:  # RFC 6121 §4: the room's own presence, if it has any
            return self._out(said, now) if said.destroyed else Reading()
        if said.presence.kind == "":
            return self._here(said, said.nickname)
        if said.presence.kind == "unavailable":
            is_self = Code.SELF in said.codes or (self.joined and said.nickname == self.nickname)
            if said.standing.nickname and Code.RENAMED in said.codes:
                return self._renamed(said.nickname, said.standing.nickname, is_self=is_self)
            return self._out(said, now) if is_self else self._gone(said, said.nickname)
        return Reading()

    def _here(self, said: RoomPresence, nickname: str) -> Reading:
        before, now = self.occupants.get(nickname), self._known(said, nickname)
        if Code.SELF in said.codes:
            return Reading() if self.staying_out else self._entered(said, nickname)
        if not self.joined:
            return Reading()
        notices: list[Event] = []
        if before is None or before.stay != now.stay or _place(before) != _place(now):
            notices.append(self._change(self.address(nickname), "joined", now))
        elif before.shown != now.shown:
            notices.append(self._shows(self.address(nickname), said))
        return Reading(notices=tuple(notices))

    def _known(self, said: RoomPresence, nickname: str) -> Occupant:
        """Whoever is there under *nickname* now; kept, unless there are too many."""
        before = self.occupants.get(nickname)
        id = said.occupant_id if self.trusts_occupant_ids else None
        standing = said.standing
        found = Occupant(
            standing.jid,
            id,
            before.stay if before is not None and before.occupant_id == id else self._stays(),
            intern(standing.affiliation),
            intern(standing.role),
            said.presence.shown,
        )
        if before is not None or len(self.occupants) < OCCUPANTS or Code.SELF in said.codes:
            self.occupants[nickname] = found
        return found

    def _entered(self, said: RoomPresence, nickname: str) -> Reading:
        was_in, self.joined, self.nickname = self.joined, True, nickname
        # A room may call us otherwise than we asked for (§7.2.3); who is in hears of other changes as well.
        if self.attempt is not None and (not was_in or nickname != self.attempt.before):
            self.attempt.made = Code.CREATED in said.codes
            self.attempt.answered.set()
        if was_in:
            return Reading()
        self._stay_of_ours = self._token()
        return Reading(notices=(self._change(self._own, "joined", self.occupants[nickname]),))

    def _renamed(self, old: str, new: str, *, is_self: bool) -> Reading:
        if is_self:
            self.nickname = new
        occupant = self.occupants.pop(old, None)
        if occupant is None:
            return Reading()
        self.occupants[new] = occupant
        if is_self or not self.joined:
            return Reading()
        left = self._change(self.address(old), "left", occupant, renamed_to=new)
        return Reading(notices=(left, self._change(self.address(new), "joined", occupant, renamed_from=old)))

    def _gone(self, said: RoomPresence, nickname: str) -> Reading:
        occupant = self.occupants.pop(nickname, None)
        if not self.joined:
            return Reading()
        details = {"moderator": said.actor, "reason": said.reason}
        return Reading(notices=(self._change(self.address(nickname), _how(said), occupant, **details),))

    def _out(self, said: RoomPresence, now: datetime) -> Reading:
        """We are no longer in."""
        if not self.joined:  # an earlier stay of ours, which ends while we come back
            return Reading()
        self.lost()
        if self.staying_out:
            return Reading(notices=(self._change(self._own, "left", None),))
        if not said.destroyed and (said.codes & _BY_A_FAILURE or not said.codes & _BY_SOMEBODY):
            return Reading()  # nobody meant it; the next look brings us back
        details = {"moderator": said.actor, "reason": said.reason, "moved_to": said.moved_to}
        return Reading(events=(self.removed(_how(said), now, **details),))

    def removed(self, membership: Membership, now: datetime, **details: str | None) -> MembershipChanged:
        """We are put out, and stay out; the event that says so, which is kept."""
        self.staying_out = True
        key = f"membership:{self.jid}:{self._stay_of_ours or self._token()}:{membership}"
        return self._change(self._own, membership, None, **details).model_copy(update={"key": key, "at": now})

    def _shows(self, who: Address, said: RoomPresence) -> PresenceChanged:
        shown, text = said.presence.shown, said.presence.text
        return PresenceChanged(conversation=self.conversation, sender=who, presence=shown, text=text)

    def _change(
        self, member: Address, membership: Membership, occupant: Occupant | None, **details: str | None
    ) -> MembershipChanged:
        told: dict[str, Any] = {**details}
        if occupant is not None:
            told |= {"real_jid": occupant.jid, "occupant_id": occupant.occupant_id, "affiliation": occupant.affiliation}
        return MembershipChanged(
            conversation=self.conversation,
            sender=member,
            member=member,
            membership=membership,
            role=occupant.role or None if occupant is not None else None,
            details={name: value for name, value in told.items() if value},
        )


def _place(occupant: Occupant) -> tuple[str, str]:
    return occupant.affiliation, occupant.role


def _how(said: RoomPresence) -> Membership:
    """As what somebody has gone."""
    if Code.BANNED in said.codes:
        return "banned"
    return "removed" if said.destroyed or said.codes & (_BY_SOMEBODY | _BY_A_FAILURE) else "left"
