"""What a server keeps of an account, and of those of its devices that are logged in; also while one is cut off."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio

from .archive import Archive
from .reading import element

__all__ = ["SM", "Account", "Line", "Said", "Session"]

SM: Final = "urn:xmpp:sm:3"
_A_MOMENT: Final = 1.0  # real seconds


@dataclass(frozen=True, slots=True)
class Said:
    """One stanza to a client.

    Args:
        text: As it is written.
        is_kept: Whether it waits where nobody is there to hear it.
    """

    text: str
    is_kept: bool = False


class Line(Protocol):
    """A connection."""

    def write(self, text: str) -> None:
        """Write it, in order."""
        ...


@dataclass(eq=False, slots=True)
class Session:
    """One device that is logged in (RFC 6120 §7), and what it has not acknowledged (XEP-0198).

    Args:
        account: Whose.
        resource: Which.

    Attributes:
        line: Its connection, or None while it is cut off.
        is_managed: Whether it acknowledges.
        is_there: Whether it has shown its presence.
        has_read: Set once it has read an archive to its end, over this connection; by room, and "" for its own.
        heard: How many stanzas of its we have.
        acknowledged: How many of those that are kept where nobody is there it has acknowledged.
    """

    account: Account
    resource: str
    line: Line | None = None
    is_managed: bool = False
    is_there: bool = False
    has_read: dict[str, anyio.Event] = field(default_factory=lambda: defaultdict(anyio.Event))
    heard: int = 0
    acknowledged: int = 0
    _count: int = 0
    _unacknowledged: deque[Said] = field(default_factory=deque)

    @property
    def jid(self) -> str:
        """In full."""
        return f"{self.account.jid}/{self.resource}"

    def say(self, *said: Said) -> None:
        """Write it, and again where the connection is lost and made anew."""
        for each in said:
            if self.is_managed:
                self._unacknowledged.append(each)
            self._write(each)

    def acknowledge(self, count: int) -> None:
        """The client has the first *count* stanzas of this session."""
        while self._count < count and self._unacknowledged:
            self._count += 1
            self.acknowledged += self._unacknowledged.popleft().is_kept

    def resume(self, line: Line, count: int) -> None:
        """Go on over *line*: the client has the first *count* stanzas."""
        self.acknowledge(count)
        self.line = line
        self.has_read.clear()
        line.write(element("resumed", xmlns=SM, h=str(self.heard), previd=self.resource))
        for each in self._unacknowledged:
            self._write(each)

    def end(self) -> None:
        """For good: what was not acknowledged waits for the next one."""
        if self.account.sessions.get(self.resource) is self:
            del self.account.sessions[self.resource]
        self.account.offline.extendleft(each for each in reversed(self._unacknowledged) if each.is_kept)
        self._unacknowledged.clear()

    def _write(self, said: Said) -> None:
        if self.line is not None:
            self.line.write(said.text)
            if self.is_managed and said.is_kept:
                self.line.write(element("r", xmlns=SM))


@dataclass(eq=False, slots=True)
class Account:
    """Somebody who may log in.

    Args:
        jid: Bare.
        password: Theirs.

    Attributes:
        sessions: By resource, the newest last.
        offline: What waits until somebody is there.
        roster: Subscription by bare JID.
        archive: What was said from and to them.
        acknowledged: How much of what was kept for them has been acknowledged, by sessions that are over.
    """

    jid: str
    password: str
    sessions: dict[str, Session] = field(default_factory=dict)
    offline: deque[Said] = field(default_factory=deque)
    roster: dict[str, str] = field(default_factory=dict)
    archive: Archive = field(default_factory=lambda: Archive("a"))
    _all: list[Session] = field(default_factory=list)

    def begin(self, resource: str) -> Session:
        """A new session."""
        session = self.sessions[resource] = Session(self, resource)
        self._all.append(session)
        return session

    async def has_read(self, archive: str) -> None:
        """Wait until the newest of those that are connected has read *archive*; not for long, for it need not."""
        connected = [each for each in self.sessions.values() if each.line is not None]
        if connected:
            with anyio.move_on_after(_A_MOMENT):
                await connected[-1].has_read[archive].wait()

    def say(self, text: str) -> None:
        """To who is there; else it waits."""
        said = Said(text, is_kept=True)
        there = [each for each in self.sessions.values() if each.is_there]
        if there:
            there[-1].say(said)
        else:
            self.offline.append(said)

    def tell(self, text: str, among: Iterable[Session] | None = None) -> None:
        """To all that there are; it does not wait."""
        for each in list(self.sessions.values()) if among is None else among:
            each.say(Said(text))

    @property
    def acknowledged(self) -> int:
        """How much of what was said to this account its devices have acknowledged."""
        return sum(each.acknowledged for each in self._all)
