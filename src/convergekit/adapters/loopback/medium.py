"""The medium itself: what a server would be. A test plays the other side of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio

from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, RejectedError, UncertainError
from convergekit.model import Address, Operation, Part, Receipt, Status

__all__ = ["Medium", "Script", "Sent"]

#: What the medium does with one send: raise an error, answer a receipt, or anything that can be awaited first.
Script = BaseException | Receipt | Callable[[Outgoing], Awaitable[Receipt | None]]


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """What arrived on the far side.

    Args:
        id: The medium's own.
        out: What was handed over.
        files: The content of each attachment, in order; of one that is only a URL, nothing.
    """

    id: str
    out: Outgoing
    files: Sequence[bytes] = ()

    def __repr__(self) -> str:
        return f"<Sent {self.id} over {self.channel} to {self.to}: {self.text!r}>"

    @property
    def channel(self) -> str:
        """Name of the channel that it went over."""
        return self.out.conversation.channel

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


@dataclass(slots=True, repr=False)
class Medium:
    """Everything that the far side knows.

    Args:
        sent: What arrived, in order.
        refuses_login: Raised when a channel is opened, or listens, or None.
        idempotent: Whether a repeated key is recognised, and answered with the first receipt.
        remembers: Whether it can be asked what became of a key.
        presence: What each channel shows, and what others do, by their address.
        subscriptions: By (channel, address), "asked" or "accepted": whether one of ours has asked to see somebody's
            presence, or has let them see ours.
        typing: (channel, conversation key) where a channel types.
        rooms: Members of each room.
        uploads: Content that is served, by URL; what was uploaded, and what a test puts there.
        gone: Addresses that want no more, until a channel enables them: what is sent there is refused.
    """

    sent: list[Sent] = field(default_factory=list)
    refuses_login: BaseException | None = None
    idempotent: bool = False
    remembers: bool = False
    presence: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[tuple[str, str], str] = field(default_factory=dict)
    typing: set[tuple[str, str]] = field(default_factory=set)
    rooms: dict[Address, list[Address]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    _scripts: dict[tuple[str | None, str | None], deque[Script]] = field(default_factory=dict)
    _by_key: dict[str, Receipt] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))
    _pushed: deque[Mapping[str, Any]] = field(default_factory=deque)
    _feed: list[Mapping[str, Any]] = field(default_factory=list)
    _dropped: BaseException | None = None
    _arrived: anyio.Event = field(default_factory=anyio.Event)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.strip('_')}: {len(self.sent)} sent>"

    def script(self, *steps: Script, to: Address | str | None = None, channel: str | None = None) -> None:
        """Say what happens to the next sends, in order: to the address *to*, and over *channel*, where they are given.

        An exception is raised, before anything arrives, unless it is an `UncertainError`: then the message arrives
        and its answer is lost. A receipt is answered. A callable is awaited with what is sent, and may do all of that.

        Raises:
            TypeError: A step is none of these; a class is none, only what it makes.
        """
        for step in steps:
            _check_step(step)
        self._scripts.setdefault((_uri(to), channel), deque()).extend(steps)

    def say(self, **fields: Any) -> None:
        """Push a message to whoever listens: the fields of `MessageReceived`; `key` is made where it is missing."""
        self._pushed.append(self._with_key(fields))
        self._wake()

    def drop(self, error: BaseException | None = None) -> None:
        """Drop the connection of whoever listens: its `listen` raises *error*, by default a `NotSentError`."""
        self._dropped = error or NotSentError("the connection was dropped")
        self._wake()

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, anyio.Event()
        arrived.set()

    def post(self, **fields: Any) -> None:
        """Put a message into the feed, for whoever polls."""
        self._feed.append(self._with_key(fields))

    def arrived(self, to: Address | str | None = None, *, channel: str | None = None) -> list[Sent]:
        """What arrived, in order: at the address *to*, and over *channel*, where they are given."""
        uri = _uri(to)
        return [sent for sent in self.sent if uri in (None, sent.to.uri) and channel in (None, sent.channel)]

    def texts(self, to: Address | str | None = None, *, channel: str | None = None) -> list[str]:
        """The texts of `arrived`."""
        return [sent.text for sent in self.arrived(to, channel=channel)]

    def only(self, to: Address | str | None = None, *, channel: str | None = None) -> Sent:
        """The only one of `arrived`; where there is none, or there are several, an `AssertionError` shows them."""
        found = self.arrived(to, channel=channel)
        if len(found) != 1:
            where = " ".join(filter(None, (f"to {to}" if to else None, f"over {channel}" if channel else None)))
            shown = "".join(f"\n  {sent.channel} to {sent.to}: {sent.text!r}" for sent in self.sent) or " nothing"
            raise AssertionError(f"{len(found)} messages {where or 'in all'}, not one; what arrived is:{shown}")
        return found[0]

    def _with_key(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        number = f"in-{next(self._ids)}"
        identity = {} if "type" in fields else {"message_id": fields.get("key", number)}
        return {"key": number, **identity, **fields}

    # The server's side, which the transport calls

    async def take(self, out: Outgoing, files: Sequence[bytes] = ()) -> Receipt:
        """One send, with the content of its attachments."""
        if out.to.uri in self.gone:
            raise RejectedError("the endpoint wants no more", code="gone")
        step = self._next_step(out)
        if callable(step):
            answer = await step(out)
        elif isinstance(step, BaseException):
            if isinstance(step, UncertainError):
                self.accept(out, files)
            raise step
        else:
            answer = step
        return answer if answer is not None else self.accept(out, files)

    def _next_step(self, out: Outgoing) -> Script | None:
        to, channel = out.to.uri, out.conversation.channel
        for where in ((to, channel), (to, None), (None, channel), (None, None)):  # what is said of fewer comes first
            if steps := self._scripts.get(where):
                return steps.popleft()
        return None

    def accept(self, out: Outgoing, files: Sequence[bytes] = ()) -> Receipt:
        """Let *out* arrive; answer for it."""
        known = self._by_key.get(out.key) if self.idempotent else None
        if known is not None:
            return known
        sent = Sent(f"out-{next(self._ids)}", out, tuple(files))
        self.sent.append(sent)
        receipt = Receipt(Status.ACCEPTED, ids=(sent.id,))
        self._by_key[out.key] = receipt
        return receipt

    def receipt_for(self, key: str) -> Receipt | None:
        """What the medium remembers of *key*."""
        return self._by_key.get(key)

    async def next_pushed(self) -> Mapping[str, Any]:
        """The oldest message that was said and not acknowledged."""
        while not self._pushed and self._dropped is None:
            await self._arrived.wait()
        if self._dropped is not None:
            error, self._dropped = self._dropped, None
            raise error
        return self._pushed[0]

    def acknowledge(self) -> None:
        """Forget the oldest message that was said."""
        self._pushed.popleft()

    @property
    def pending(self) -> int:
        """How much was said and is not acknowledged."""
        return len(self._pushed)

    def page(self, cursor: int, limit: int = 100) -> list[Mapping[str, Any]]:
        """What stands in the feed from *cursor* on."""
        return self._feed[cursor : cursor + limit]

    @property
    def size(self) -> int:
        """How much stands in the feed."""
        return len(self._feed)


def _uri(address: Address | str | None) -> str | None:
    if address is None:
        return None
    return address.uri if isinstance(address, Address) else Address.parse(address).uri


def _check_step(step: object) -> None:
    """Here, where it is written, and not in the midst of a send."""
    if isinstance(step, type):
        raise TypeError(f"a step is an error, a receipt or a function, not the class {step.__name__}: make one of it")
    if not isinstance(step, BaseException | Receipt) and not callable(step):
        raise TypeError(f"a step is an error, a receipt or a function, not {step!r}")
