"""What is under way while one event is handled, and how that can end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from convergekit.model import Contact, Event, Message

__all__ = ["Handled", "Handling", "Reply", "Scope", "Skip", "Transaction"]

#: What a handler may return: a reply to the event's conversation, or nothing.
Reply = str | Message | None

_UNSET: Final[Any] = object()


class Skip(Exception):
    """Raised by a handler, a dependency or a middleware: not for me, let the next handler that matches have it."""


class Handled(NamedTuple):
    """How the handling of one event ended.

    Args:
        handler: Name of the handler that took the event, or None where none did: unhandled, whatever
            the `on_unhandled` hook said.
        reply: What it returned, to be sent together with *done*.
    """

    handler: str | None
    reply: Reply


class Transaction:
    """The ledger's own transaction that marks the event done: what a handler writes with it is there with *done*.

    Take it as a parameter, and hand it functions while the handler runs; they are called once it has ended well.
    """

    __slots__ = ("writes",)
    __convergekit_inject__: ClassVar[str] = "transaction"

    def __init__(self) -> None:
        self.writes: Sequence[Callable[[Any], object]] = ()

    def add(self, write: Callable[[Any], object], /) -> None:
        """Call *write* in the transaction, after those that were added before.

        Args:
            write: Takes a SQLAlchemy `Connection` to the ledger's database. It runs on the ledger's thread, so it is
                quick, and neither commits nor rolls back; it may be called again when the transaction is tried again.
                If it raises, nothing is written, and the handler has failed.
        """
        self.writes = (*self.writes, write)


class Scope(Protocol):
    """What the engine lends to the handling of events; one serves any number of them."""

    @property
    def hub(self) -> Any:
        """What parameters annotated with `Hub` get."""
        ...

    def conversation(self, event: Event) -> Any:
        """The handle on the event's conversation, or None where it has none; asked at most once per handling."""
        ...

    def channel(self, event: Event) -> Any:
        """The channel that the event came from, or None where it came from none."""
        ...

    async def contact(self, event: Event) -> Contact | None:
        """Who sent it, as far as the host knows; asked at most once per handling."""
        ...


class Handling:
    """One event while it is handled: what middleware sees, and what parameters are taken from.

    The engine makes one per event and run; whatever is not asked for is not made.

    Args:
        event: What came in.
        scope: The engine's side.

    Attributes:
        handler: Name of the handler that has the event now; "" before the first.
    """

    __slots__ = ("_contact", "_conversation", "_scope", "_transaction", "_values", "event", "handler")

    def __init__(self, event: Event, scope: Scope) -> None:
        self.event = event
        self.handler = ""
        self._scope = scope
        self._conversation = self._contact = _UNSET
        self._values: dict[str, Any] | None = None
        self._transaction: Transaction | None = None

    @property
    def transaction(self) -> Transaction:
        """What a handler's own writes go into."""
        if self._transaction is None:
            self._transaction = Transaction()
        return self._transaction

    @property
    def writes(self) -> Sequence[Callable[[Any], object]]:
        """What was added to the transaction."""
        return () if self._transaction is None else self._transaction.writes

    def passed_on(self) -> None:
        """The handler that had it leaves it to the next: what it wanted to write is not written."""
        self._transaction = None

    @property
    def hub(self) -> Any:
        """The hub that handles the event."""
        return self._scope.hub

    @property
    def conversation(self) -> Any:
        """The hub's handle on the event's conversation, or None where it has none."""
        if self._conversation is _UNSET:
            self._conversation = self._scope.conversation(self.event)
        return self._conversation

    @property
    def channel(self) -> Any:
        """The channel that the event came from, or None where it came from none."""
        return self._scope.channel(self.event)

    @property
    def values(self) -> dict[str, Any]:
        """Room for what a middleware hands on, to handlers and dependencies that take the `Handling`."""
        if self._values is None:
            self._values = {}
        return self._values

    async def contact(self) -> Contact | None:
        """Who sent the event, or None where the host does not know them."""
        if self._contact is _UNSET:
            self._contact = await self._scope.contact(self.event)
        contact: Contact | None = self._contact
        return contact

    def __repr__(self) -> str:
        # Identifiers only: a handling is what a middleware logs first.
        return f"<Handling of {type(self.event).__name__} {self.event.key!r} on {self.event.channel!r}>"
