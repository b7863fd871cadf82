"""Who is there, whom we see, and who sees us (RFC 6121).

Rules kept here:

- Nobody is let see us because they ask: a request is an event, and the host decides.
- A server repeats a request at each login until it is answered. That is one event: its key has the number of the last
  answer to this person, so that it is the same until there is another one.
- To a component people come under many names: each request is an event of its own, and an answer is given in each name
  that was asked, as far as this process has heard of it.
- Presence is what has come: it is kept for those in the roster, for a thousand others, and never asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast
from xml.etree.ElementTree import Element

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import InvalidInputError, NotSentError, UnsupportedContentError
from convergekit.model import Address, ConversationRef, CustomReceived, Event, PresenceChanged, SubscriptionRequested

from ._asking import post
from ._kept import changed, kept
from .config import XmppConfig
from .jids import address_of, bare, is_of, jid_of, same_bare, split
from .stanzas.inbound import Reading
from .stanzas.namespaces import NS, tag
from .stanzas.presence import SHOWN, Presence, Shown, presence, read_presence, subscription
from .stanzas.roster import Contact, read_roster, roster_query
from .stream import StanzaError, Stream

__all__ = ["CONTACTS", "OTHERS", "RESOURCES", "Roster"]

#: So many people of the roster are known, so many others of whom presence has come, so many devices of each.
CONTACTS: Final = 20_000
OTHERS: Final = 1000
RESOURCES: Final = 10

_STATE: Final = "subscriptions"
_ANSWERS: Final = 4096
_OFFLINE: Final = Presence("unavailable")
_RANK: Final[Mapping[Shown, int]] = {"available": 2, "busy": 1, "away": 0, "offline": -1}


class Roster:
    """The roster and the presence of one channel, over however many sessions.

    Args:
        config: The channel's settings.
        context: What the engine lends.
        stream: Ours.
        token: Gives another word at each call.

    Attributes:
        contacts: Whom the roster has, by bare JID.
    """

    def __init__(
        self,
        config: XmppConfig,
        context: ChannelContext,
        stream: Stream,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._config, self._context, self._stream, self._token = config, context, stream, token
        self.contacts: dict[str, Contact] = {}
        self._there: dict[str, dict[str, Presence]] = {}
        self._others: dict[str, dict[str, Presence]] = {}
        self._ours: tuple[Shown, str | None] | None = (
            None if config.presence == "invisible" else (config.presence, None)
        )
        self._is_said = self._is_fetched = False
        self._answers: dict[str, Any] = {}
        self._unwritten: dict[str, None] = {}
        self._news = anyio.Event()
        self._asked: dict[str, dict[str, None]] = {}

    # --- a session ------------------------------------------------------------------------------------------------

    async def begin(self, *, resumed: bool = False) -> None:
        """When a session has begun: learn the roster, and be seen.

        Args:
            resumed: Whether it is the session from before the connection was lost: who is there is still known then.

        Raises:
            NotSentError: The session is over already.
        """
        if not resumed:
            self._is_said = False
            self._there.clear()
            self._others.clear()
            self._answers = await kept(self._context.state, _STATE)
            await self._fetch()
        if not self._is_said:
            self._say()

    async def keep(self) -> None:
        """Write down which requests were answered elsewhere; run it beside the session, until it is cancelled."""
        while True:
            news = self._news
            await self._write(*self._unwritten)
            await news.wait()

    async def _fetch(self) -> None:
        if self._config.is_component:  # it has none
            return
        try:
            answer = await self._stream.request(roster_query())
        except StanzaError as error:
            self._context.log.info("the server gives us no roster [%s]", error)
            return
        except NotSentError as error:
            if self._stream.bound is None:
                raise
            # It does not answer, or not so that it could be read: that is no reason to hear nothing at all.
            self._context.log.warning("the server gives us no roster: %s", error.reason)
            return
        found = {contact.jid: contact for contact, _ in zip(read_roster(answer), range(CONTACTS), strict=False)}
        before, self.contacts = self.contacts, found
        if self._is_fetched:
            gone = (Contact(jid, subscription="remove") for jid in before.keys() - found.keys())
            new = (contact for jid, contact in found.items() if before.get(jid) != contact)
            events = [self._change(contact, before.get(contact.jid)) for contact in (*gone, *new)]
            await self._context.admit(*events)
        self._is_fetched = True

    # --- what comes in --------------------------------------------------------------------------------------------

    def read(self, element: Element, *, now: datetime) -> Reading:
        """What *element*, a <presence/> that is from no room or a roster push, says."""
        if element.tag == tag(NS.CLIENT, "iq"):
            return self._pushed(element)
        try:
            jid, resource = split(element.get("from", ""))
        except InvalidInputError:
            return Reading()
        said = read_presence(element)
        match said.kind:
            case "subscribe":
                return Reading(events=(self._request(jid, element, now),))
            case "subscribed" | "unsubscribe" | "unsubscribed":
                return self._answered_us(jid, said.kind, now)
            case "" | "unavailable" | "error" if not self._is_us(element):
                return self._shown(jid, resource, said)
            case _:
                return Reading()

    def _is_us(self, element: Element) -> bool:
        return self._stream.bound is not None and element.get("from") == self._stream.bound.jid

    def _shown(self, jid: str, resource: str | None, said: Presence) -> Reading:
        before = self._best(jid)
        devices = (self._there if jid in self.contacts else self._others).setdefault(jid, {})
        devices.pop(resource or "", None)
        if said.kind == "":
            devices[resource or ""] = said
            if len(devices) > RESOURCES:
                del devices[next(iter(devices))]
        elif resource is None:
            devices.clear()
        if not devices:
            self._forget(jid)
        if len(self._others) > OTHERS:
            del self._others[next(iter(self._others))]
        return self._noticed(jid, before, resource)

    def _noticed(self, jid: str, before: Presence, resource: str | None = None) -> Reading:
        now = self._best(jid)
        if (now.shown, now.text) == (before.shown, before.text):
            return Reading()
        details = {} if resource is None else {"resource": resource}
        notice = PresenceChanged(sender=address_of(jid), presence=now.shown, text=now.text, details=details)
        return Reading(notices=(notice,))

    def _forget(self, jid: str) -> None:
        self._there.pop(jid, None)
        self._others.pop(jid, None)

    def _request(self, jid: str, element: Element, now: datetime) -> SubscriptionRequested:
        number = self._answers.get("answered", {}).get(jid, self._answers.get("floor", 0))
        text = element.findtext(tag(NS.CLIENT, "status")) or None
        asked = self._name_of_ours(element)
        key = f"subscription:{jid}:{number}" if asked is None else f"subscription:{jid}:{asked}:{number}"
        conversation = ConversationRef(address=address_of(jid), thread=asked)
        return SubscriptionRequested(key=key, sender=address_of(jid), conversation=conversation, at=now, text=text)

    def _name_of_ours(self, element: Element) -> str | None:
        """Of a component, who of its domain is asked, where that is not the domain; it is remembered."""
        jid, asked = bare(element.get("from", "")), element.get("to", "")
        if not self._config.is_component or not is_of(asked, self._config.jid):
            return None
        name = bare(asked)
        names = self._asked.setdefault(jid, {})
        names[name] = None
        if len(names) > RESOURCES:
            del names[next(iter(names))]
        if len(self._asked) > CONTACTS:
            del self._asked[next(iter(self._asked))]
        return name if name != self._config.jid else None

    def _answered_us(self, jid: str, kind: str, now: datetime) -> Reading:
        """Somebody has answered a request of ours, or wants to see us no more."""
        before = self._best(jid)
        if kind == "unsubscribed":
            self._forget(jid)
        if kind == "unsubscribe" and self._config.is_component:  # of an account, its server says so by a push
            self._answered_elsewhere(jid)
        event = CustomReceived(
            key=f"subscription:{self._token()}",
            name="xmpp.subscription",
            sender=address_of(jid),
            at=now,
            data={"state": kind},
        )
        return Reading((event,), self._noticed(jid, before).notices)

    def _pushed(self, element: Element) -> Reading:
        sender = element.get("from")
        if sender and not same_bare(sender, self._config.jid):  # RFC 6121 §2.1.6
            return Reading()
        events: list[Event] = []
        for contact in read_roster(element):
            before = self.contacts.get(contact.jid)
            if contact.subscription == "remove":
                self.contacts.pop(contact.jid, None)
                self._there.pop(contact.jid, None)
            elif before is not None or len(self.contacts) < CONTACTS:
                self.contacts[contact.jid] = contact
                if contact.jid in self._others:
                    self._there[contact.jid] = self._others.pop(contact.jid)
            events.append(self._change(contact, before))
        return Reading(tuple(events))

    def _change(self, contact: Contact, before: Contact | None) -> CustomReceived:
        if contact.sees_us != (before is not None and before.sees_us):
            self._answered_elsewhere(contact.jid)
        return CustomReceived(
            key=f"roster:{self._token()}", name="xmpp.roster", sender=address_of(contact.jid), data=contact.to_data()
        )

    # --- what is asked --------------------------------------------------------------------------------------------

    def presence_of(self, who: Address) -> PresenceChanged:
        """What is known of *who*: of a full JID that device, of a bare one the device that is wanted most."""
        jid, resource = split(jid_of(who))
        found = self._best(jid) if resource is None else self._devices(jid).get(resource, _OFFLINE)
        return PresenceChanged(sender=who, presence=found.shown, text=found.text)

    def _devices(self, jid: str) -> Mapping[str, Presence]:
        return self._there.get(jid) or self._others.get(jid) or {}

    def _best(self, jid: str) -> Presence:
        """RFC 6121 §8.5: of the highest priority; of several such who is there most."""
        found = self._devices(jid).values()
        return max(found, key=lambda each: (each.priority, _RANK[each.shown]), default=_OFFLINE)

    # --- what we do -----------------------------------------------------------------------------------------------

    async def set_presence(self, shown: str, text: str | None = None) -> Shown:
        """Show *shown*, in this session or when there is one, and in all further ones; returns it.

        Raises:
            InvalidInputError: There is no such presence.
            UnsupportedContentError: XML cannot carry *text*; or we are a component, which has no subscribers.
        """
        if shown not in SHOWN:
            raise InvalidInputError(f"a presence is one of {', '.join(SHOWN)}, and not {shown!r}")
        if self._config.is_component:
            raise UnsupportedContentError("a component shows no presence", channel=self._context.channel)
        before, chosen = self._ours, cast(Shown, shown)
        self._ours = (chosen, text)
        self._is_said = False
        try:
            if self._stream.bound is not None:
                self._say()
        except UnsupportedContentError:
            self._ours = before
            raise
        return chosen

    def _say(self) -> None:
        if self._ours is not None and not self._config.is_component:
            shown, text = self._ours
            post(self._stream, presence(shown, text, priority=self._config.priority))
        self._is_said = True

    async def subscribe(self, who: Address, text: str | None = None) -> None:
        """Ask *who* to let us see whether they are there. Their answer comes as an event."""
        post(self._stream, subscription("subscribe", _bare(who), text))

    async def unsubscribe(self, who: Address) -> None:
        """See it no more."""
        post(self._stream, subscription("unsubscribe", _bare(who)))

    async def accept_subscription(self, who: Address) -> None:
        """Let *who* see whether we are there."""
        await self._answer(who, "subscribed")

    async def refuse_subscription(self, who: Address) -> None:
        """Do not let *who* see it, or no more."""
        await self._answer(who, "unsubscribed")

    async def _answer(self, who: Address, kind: Any) -> None:
        # First what tells one request from the next: where the answer is lost, the repeated request is asked about.
        await self._write(bare(who.value))
        for name in self._asked.pop(bare(who.value), {None: None}):
            post(self._stream, subscription(kind, _bare(who), sender=name))

    # --- which requests were answered -----------------------------------------------------------------------------

    async def _write(self, *jids: str) -> None:
        self._answers = await changed(self._context.state, _STATE, lambda table: _counted(table, *jids))
        self._unwritten = {jid: None for jid in self._unwritten if jid not in jids}
        _counted(self._answers, *self._unwritten)

    def _answered_elsewhere(self, jid: str) -> None:
        """By another device of ours, or taken back by who had asked: the next request is another one."""
        _counted(self._answers, jid)
        self._unwritten[jid] = None
        self._news.set()
        self._news = anyio.Event()


def _counted(table: dict[str, Any], *jids: str) -> None:
    """Number answers to *jids*. Who is forgotten, since there are too many, counts as answered at the latest then."""
    for jid in jids:
        number = table.get("next", 1)
        answered = table.setdefault("answered", {})
        answered[jid], table["next"] = number, number + 1
        if len(answered) > _ANSWERS:
            table["floor"] = answered.pop(min(answered, key=lambda each: cast(int, answered[each])))


def _bare(who: Address) -> str:
    return jid_of(address_of(bare(who.value)))
