"""The medium itself: what a server would be. A test plays the other side of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio

from convergekit.abc import Outgoing
from convergekit.errors import UncertainError
from convergekit.model import Address, Operation, Part, Receipt, Status

__all__ = ["Medium", "Script", "Sent"]

#: What the medium does with one send: raise an error, answer a receipt, or anything that can be awaited first.
Script = BaseException | Receipt | Callable[[Outgoing], Awaitable[Receipt | None]]


@dataclass(frozen=True, slots=True)
class Sent:
    """What arrived on the far side.

    Args:
        id: The medium's own.
        out: What was handed over.
    """

    id: str
    out: Outgoing

    @property
    def to(self) -> Address:
        """The recipient."""
        return self.out.to

    @property
    def part(self) -> Part:
        """What was said."""
        return self.out.part

    @property
    def text(self) -> str:
        """What was said, as text."""
        return self.out.part.text

    @property
    def operation(self) -> Operation:
        """What it does."""
        return self.out.operation


@dataclass(slots=True)
class Medium:
    """Everything that the far side knows.

    Args:
        sent: What arrived, in order.
        refuses_login: Raised when a channel is opened, or None.
        idempotent: Whether a repeated key is recognised, and answered with the first receipt.
        remembers: Whether it can be asked what became of a key.
        presence: What each channel shows.
        typing: (channel, conversation key) where a channel types.
        rooms: Members of each room.
        uploads: Content that is served, by URL; what was uploaded, and what a test puts there.
    """

    sent: list[Sent] = field(default_factory=list)
    refuses_login: BaseException | None = None
    idempotent: bool = False
    remembers: bool = False
    presence: dict[str, str] = field(default_factory=dict)
    typing: set[tuple[str, str]] = field(default_factory=set)
    rooms: dict[Address, list[Address]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    _scripts: deque[Script] = field(default_factory=deque)
    _by_recipient: dict[str, deque[Script]] = field(default_factory=dict)
    _by_key: dict[str, Receipt] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))
    _pushed: deque[Mapping[str, Any]] = field(default_factory=deque)
    _feed: list[Mapping[str, Any]] = field(default_factory=list)
    _arrived: anyio.Event = field(default_factory=anyio.Event)

    def script(self, *steps: Script, to: str | None = None) -> None:
        """Say what happens to the next sends, in order; with *to*, to the next ones to that address.

        An exception is raised, before anything arrives, unless it is an `UncertainError`: then the message arrives
        and its answer is lost. A receipt is answered. A callable is awaited with what is sent, and may do all of that.
        """
        steps_for = self._scripts if to is None else self._by_recipient.setdefault(Address.parse(to).uri, deque())
        steps_for.extend(steps)

    def say(self, **fields: Any) -> None:
        """Push a message to whoever listens: the fields of `MessageReceived`; `key` is made where it is missing."""
        self._pushed.append(self._with_key(fields))
        arrived, self._arrived = self._arrived, anyio.Event()
        arrived.set()

    def post(self, **fields: Any) -> None:
        """Put a message into the feed, for whoever polls."""
        self._feed.append(self._with_key(fields))

    def texts(self, to: str | None = None) -> list[str]:
        """The texts that arrived, in order; with *to*, those to that address."""
        uri = None if to is None else Address.parse(to).uri
        return [sent.text for sent in self.sent if uri in (None, sent.to.uri)]

    def _with_key(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        number = f"in-{next(self._ids)}"
        identity = {} if "type" in fields else {"message_id": fields.get("key", number)}
        return {"key": number, **identity, **fields}

    # The server's side, which the transport calls

    async def take(self, out: Outgoing) -> Receipt:
        """One send."""
        scripts = self._by_recipient.get(out.to.uri) or self._scripts
        step = scripts.popleft() if scripts else None
        if callable(step):
            answer = await step(out)
        elif isinstance(step, BaseException):
            if isinstance(step, UncertainError):
                self.accept(out)
            raise step
        else:
            answer = step
        return answer if answer is not None else self.accept(out)

    def accept(self, out: Outgoing) -> Receipt:
        """Let *out* arrive; answer for it."""
        known = self._by_key.get(out.key) if self.idempotent else None
        if known is not None:
            return known
        sent = Sent(f"out-{next(self._ids)}", out)
        self.sent.append(sent)
        receipt = Receipt(Status.ACCEPTED, ids=(sent.id,))
        self._by_key[out.key] = receipt
        return receipt

    def receipt_for(self, key: str) -> Receipt | None:
        """What the medium remembers of *key*."""
        return self._by_key.get(key)

    async def next_pushed(self) -> Mapping[str, Any]:
        """The oldest message that was said and not acknowledged."""
        while not self._pushed:
            await self._arrived.wait()
        return self._pushed[0]

    def acknowledge(self) -> None:
        """Forget the oldest message that was said."""
        self._pushed.popleft()

    def page(self, cursor: int, limit: int = 100) -> list[Mapping[str, Any]]:
        """What stands in the feed from *cursor* on."""
        return self._feed[cursor : cursor + limit]

    @property
    def size(self) -> int:
        """How much stands in the feed."""
        return len(self._feed)
