"""A hub for the tests of an application: as it runs, but for the media, the ledger, time and chance.

Rules kept here:

- Every channel leads to one `Medium`, whichever adapter it has. It keeps the adapter's name, addresses, limits, terms
  of retrying and verbs, so that what the real one would split, degrade or refuse is split, degraded or refused.
- An adapter is never made and its settings are never used, so nothing can reach a network, and nothing needs a secret.
- The hub of a running application is stood in for in place: code that has imported it uses the one of the test.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, Self, cast

import anyio
from anyio import NoEventLoopError
from anyio.lowlevel import EventLoopToken, checkpoint, current_token

from convergekit.abc import Adapter, Admission, ChannelContext, Outgoing
from convergekit.adapters.loopback import LoopbackAdapter, LoopbackConfig, Medium, Sent
from convergekit.adapters.loopback.medium import Script
from convergekit.config import ChannelSettings, adapter_class, load
from convergekit.engine.media import check_media
from convergekit.engine.options import ChannelOptions
from convergekit.errors import ConfigurationError, InvalidInputError
from convergekit.hub import Channel, Hub
from convergekit.model import (
    Address,
    Capabilities,
    ChannelChanged,
    ConversationRef,
    Event,
    IdempotencyKind,
    MessageReceived,
    PresenceChanged,
    Receipt,
    TypingChanged,
)
from convergekit.router import Router

from .clock import FakeClock

__all__ = ["Inbound", "LoopbackAdapter", "Medium", "RecordingHub", "Sent", "recording"]

_ROUNDS: Final = 20
_WAYS_IN: Final = ("listen", "poll", "challenge", "verify", "parse", "reply")
_VERBS: Final = (
    *("edit", "retract", "react", "mark_read", "typing", "set_presence", "send_batch", "reconcile", "history"),
    *("create_room", "join", "leave", "invite", "members", "upload", "fetch"),
    *("find", "hand_over"),
    *("presence_of", "subscribe", "unsubscribe", "accept_subscription", "refuse_subscription"),
)


class Inbound(Protocol):
    """What the fixture `inbound` is in an async test: `RecordingHub.inbound`, which says what each argument means."""

    async def __call__(
        self,
        channel: str,
        sender: Address | str | None = None,
        text: str | None = None,
        *,
        event: Event | None = None,
        timeout: float = 10.0,
        **fields: Any,
    ) -> Event:
        """See `RecordingHub.inbound`."""
        ...


class _Captured(Medium):
    """The medium of a hub, which knows that hub's channels, and what none of its handlers took."""

    def __init__(self, channels: Collection[str], unhandled: Sequence[Event]) -> None:
        Medium.__init__(self)
        self._channels, self._unhandled = channels, unhandled

    def script(self, *steps: Script, to: Address | str | None = None, channel: str | None = None) -> None:
        self._known(channel)
        Medium.script(self, *steps, to=to, channel=channel)

    def arrived(self, to: Address | str | None = None, *, channel: str | None = None) -> list[Sent]:
        self._known(channel)
        return Medium.arrived(self, to, channel=channel)

    def only(self, to: Address | str | None = None, *, channel: str | None = None) -> Sent:
        try:
            return Medium.only(self, to, channel=channel)
        except AssertionError as error:
            if not self._unhandled:
                raise
            came = "".join(f"\n  {event.channel} from {event.sender}: {event.type}" for event in self._unhandled)
            raise AssertionError(f"{error}\nno handler took:{came}") from None

    def _known(self, channel: str | None) -> None:
        """Else what is misspelt would be found to be empty."""
        if channel is not None and channel not in {*self._channels, *(sent.channel for sent in self.sent)}:
            raise ConfigurationError(f"there is no channel {channel!r}; there are {sorted(self._channels)}")


class RecordingHub(Hub):
    """A `Hub` whose channels lead nowhere: what goes out is in `captured`, and what comes in comes by `inbound`.

    Its ledger is in memory, its clock stands still, its chance is the same on every run, and no channel has a rate.

    Args:
        channels: Channels by name, each with the name or the class of its adapter: {"partner": "webhook"}.
        options: As for `Hub`; the role is always "all".

    Attributes:
        captured: What has gone out over all channels, in order; and the scripts of what becomes of the next sends.
        clock: Goes on by `advance`.
        failures: What handlers have failed with, in order.
        unhandled: What came in and no handler took, in order; an `on_unhandled` hook is none.
        token: Of the event loop that it was opened in, for `anyio.from_thread.run(..., token=token)`.
    """

    clock: FakeClock  # pyright: ignore[reportIncompatibleVariableOverride]  (nobody gives a hub another clock later)

    def __init__(self, *, channels: Mapping[str, str | type[Adapter[Any]]] | None = None, **options: Any) -> None:
        usual = {"store": "memory:", "clock": FakeClock(), "random": Random(1), "drain": 1.0}
        # Not `super()`: where a host's own class is stood in for, that has been made already.
        Hub.__init__(self, **{**usual, **options, "role": "all"})
        self.failures: list[Exception] = []
        self.unhandled: list[Event] = []
        self.captured: Medium = _Captured(self._engine.channels, self.unhandled)
        self._handled: set[tuple[str, str]] = set()
        self._numbers = count(1)
        self.token: EventLoopToken | None = None
        self._engine.handlers.ended = self._run_ended
        self._engine.handlers.unhandled = self._nobody_took
        for name, kind in _kinds({} if channels is None else channels):
            self._add(ChannelSettings(name, kind, LoopbackConfig(), ChannelOptions()), {})

    @classmethod
    def from_toml(
        cls, path: str | Path, *, parts: Mapping[str, Mapping[str, Any]] | None = None, **options: Any
    ) -> Self:
        """As `Hub.from_toml`; a variable that is not set is "unset", and *parts* are of no use to what stands in."""
        settings = load(path, _Environ(os.environ))
        hub = cls(**options)
        for channel in settings.channels.values():
            hub._add(channel, {})
        return hub

    def _add(self, settings: ChannelSettings, parts: Mapping[str, Any]) -> Channel:
        options = settings.options
        check_media(settings.name, settings.adapter, options)
        kind = _stand_in(settings.adapter, options.fetch_media is not None)
        unhurried = options.model_copy(update={"rate": None})
        return super()._add(
            ChannelSettings(settings.name, kind, LoopbackConfig(), unhurried),
            {"medium": self.captured, "stands_for": (settings.adapter, settings.config)},
        )

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open it, as every hub."""
        async with super().__asynccontextmanager__():
            self.token = current_token()
            yield self

    def _check_open(self) -> None:
        super()._check_open()
        self._check_loop()

    def _check_loop(self) -> None:
        """Raise where another loop runs than the one that the hub lives in: it would be waited for in vain."""
        try:
            running = current_token().native_token
        except NoEventLoopError:
            return
        if self.token is not None and self.token.native_token is not running:
            raise ConfigurationError(
                "this hub was opened in another event loop than the one that runs now, so nothing would ever come of "
                "this call. Where a test is marked with pytest.mark.anyio and pytest-asyncio is in auto mode, anyio "
                "runs its fixtures, and pytest-asyncio the test: leave the mark out, or set asyncio_mode = strict"
            )

    async def idle(self) -> None:
        """Return once all has been done that can be done at this time, by the hub and by every other task."""
        self._check_loop()
        for _ in range(_ROUNDS):  # mostly enough; asyncio's `wait_all_tasks_blocked` else takes a tenth of a second
            await checkpoint()
        await anyio.wait_all_tasks_blocked()
        await super().idle()

    async def advance(self, seconds: float) -> None:
        """Once nothing is left to do now, let *seconds* pass, and return when all has been done that is due then."""
        await self.idle()
        self.clock.advance(seconds)
        await self.idle()

    async def inbound(
        self,
        channel: str,
        sender: Address | str | None = None,
        text: str | None = None,
        *,
        event: Event | None = None,
        timeout: float = 10.0,
        **fields: Any,
    ) -> Event:
        """Let *sender* say *text* on *channel*; return once the handler has ended and what it sends has gone out.

        Args:
            channel: Name of the channel.
            sender: By whom: an address.
            text: What they say.
            event: What comes in, in place of a message: a receipt, an edit, a reaction ...
            timeout: Seconds, real ones, that handling may take.
            fields: Further fields of `MessageReceived`. Without a `key` it gets one of its own, and without
                `message_id` that is its key.

        Returns:
            The event.

        Raises:
            Exception: What the handler raised; else what a handler of an event that followed did. The hub has put the
                event back, and handles it again when it is due.
            AssertionError: It was not handled, and why.
            ConfigurationError: There is no such channel, or the hub was opened in another event loop.
            InvalidInputError: The adapter has no addresses such as *sender*, so nobody could be answered there.
        """
        self._check_loop()
        runtime = self._engine.channels[self.channel(channel).name]
        context = runtime.context
        if event is None:
            number = f"in-{next(self._numbers)}"
            made = {"key": number, "message_id": fields.get("key", number), "at": self.clock.now()}
            event = MessageReceived(**{**made, "sender": sender, "text": text, **fields})
        elif isinstance(event, TypingChanged | PresenceChanged) and not event.key:
            failed = len(self.failures)
            if isinstance(event, PresenceChanged) and event.sender is not None:
                self.captured.presence[event.sender.uri] = event.presence  # what `presence_of` then tells
            context.notify(event)
            return await self._settled(event, timeout, failed)
        elif not event.key:
            event = event.model_copy(update={"key": f"in-{next(self._numbers)}"})
        _check_sender(event, channel, runtime.adapter_class)
        failed = len(self.failures)
        (admission,) = await context.admit(event)
        await self._settled(event, timeout, failed)
        if admission is Admission.NEW and (channel, event.key) not in self._handled:
            raise AssertionError(
                f"{event.type} was not handled: it waits behind an event of the same lane whose handler failed; "
                "let that be handled again, or be passed, by hub.advance(60)"
            )
        return event

    async def _settled(self, event: Event, timeout: float, failed: int) -> Event:
        with anyio.move_on_after(timeout) as scope:
            await self.idle()
        if len(self.failures) > failed:
            raise self.failures[failed]
        if scope.cancelled_caught:
            raise AssertionError(
                f"{event.type} is still being handled after {timeout:g} s; if it waits for a time, let that pass from "
                "another task: await hub.advance(seconds)"
            )
        return event

    def _run_ended(self, event: Event, error: Exception | None) -> None:
        self._handled.add((event.channel, event.key))
        if error is not None:
            self.failures.append(error)

    def _nobody_took(self, event: Event) -> None:
        if not isinstance(event, ChannelChanged):  # which says how the hub is, and comes in from nobody
            self.unhandled.append(event)


def _kinds(channels: Mapping[str, str | type[Adapter[Any]]]) -> Generator[tuple[str, type[Adapter[Any]]]]:
    if not isinstance(channels, Mapping):
        raise TypeError(
            f"channels= has each channel by name, with its adapter, such as {{'partner': 'webhook'}}; "
            f"this is a {type(channels).__name__}"
        )
    for name, adapter in channels.items():
        kind: object = adapter_class(adapter) if isinstance(adapter, str) else adapter
        if not isinstance(kind, type) or not issubclass(kind, Adapter):
            raise TypeError(
                f"channels= has the name or the class of an adapter for each channel, not {name!r}: {adapter!r}"
            )
        yield name, kind


def _check_sender(event: Event, channel: str, kind: type[Adapter[Any]]) -> None:
    sender = event.sender
    if sender is not None and event.conversation is None and sender.scheme not in kind.schemes:
        raise InvalidInputError(
            f"nobody writes from {sender} on {channel!r}: its adapter has addresses that begin "
            f"with {', '.join(f'{scheme}:' for scheme in sorted(kind.schemes))}; where the real one tells of others, "
            "say with conversation= where an answer goes"
        )


class _Environ(dict[str, str]):
    """The environment, in which every variable is set."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "unset"


class _StandIn(LoopbackAdapter):
    def __init__(self, config: LoopbackConfig, context: ChannelContext) -> None:
        real, settings = context.parts.get("stands_for", (LoopbackAdapter, None))
        self._real = _unopened(real, settings, context)
        if self._real is not None:
            self.capabilities = self._real.capabilities
        super().__init__(config, context)

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """What the real one says, which may depend on the conversation."""
        return self.capabilities if self._real is None else self._real.capabilities_for(conversation)

    async def send(self, out: Outgoing) -> Receipt:
        """As the real one: a key that it knows again is answered, and does not arrive twice."""
        known = self.medium.receipt_for(out.key)
        if known is None or self.capabilities.idempotency.kind is IdempotencyKind.NONE:
            return await super().send(out)
        out.started()
        return known

    edit = retract = react = mark_read = send

    async def find(self, name: str) -> Address:
        """Whoever has this name, with an @ or without one, as far as addresses of the real one may be names."""
        try:
            return await super().find(name)
        except InvalidInputError:
            return await super().find(f"@{name}")


def _unopened(real: type[Adapter[Any]], config: object, context: ChannelContext) -> Adapter[Any] | None:
    """The real one, to be asked for its limits; None where the channel of a test has not the settings it needs."""
    if not isinstance(config, real.Config):
        return None
    try:
        return real(config, context)
    except Exception:  # whoever opens the real one will hear what is wrong
        return None


@cache
def _stand_in(real: type[Adapter[Any]], fetches: bool) -> type[Adapter[Any]]:
    """What stands in for *real*: a verb that is None is none, to `isinstance` and to the hub."""
    missing = {verb for verb in _VERBS if not hasattr(real, verb)} - ({"fetch"} if fetches else set())

    def schemes_for(config: Any) -> frozenset[str]:
        # A channel of a test need not have the settings of the real one.
        return real.schemes_for(config) if isinstance(config, real.Config) else real.schemes

    members: dict[str, Any] = dict.fromkeys((*_WAYS_IN, *missing))
    kept = ("name", "schemes", "capabilities", "retry", "hold")
    return type(
        f"Recorded{real.__name__}",
        (_StandIn,),
        {**members, **{each: getattr(real, each) for each in kept}, "schemes_for": staticmethod(schemes_for)},
    )


@contextmanager
def recording(hub: Hub) -> Generator[RecordingHub]:
    """Make *hub*, which is not open, a `RecordingHub` inside the block: the same object, with the same channels.

    What is registered with it inside the block is forgotten at its end.
    """
    if isinstance(hub, RecordingHub):
        yield hub
        return
    if hub._open:
        raise ConfigurationError("this hub is open, so nothing can stand in for its channels; close it first")
    kind, before = type(hub), dict(vars(hub))
    channels = [
        ChannelSettings(each.name, each.adapter_class, each.config, each.options)
        for each in hub._engine.channels.values()
    ]
    router = Router()
    router.include(hub.router)
    hub.__class__ = RecordingHub if kind is Hub else type(kind.__name__, (RecordingHub, kind), {})
    recorder = cast(RecordingHub, hub)
    try:
        RecordingHub.__init__(recorder, router=router, **hub._asked)
        for settings in channels:
            recorder._add(settings, {})
        yield recorder
    finally:
        hub.__class__ = kind
        vars(hub).clear()
        vars(hub).update(before)
