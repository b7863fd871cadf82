"""What is known of each endpoint that a channel sends to: whether it answers, and whether it wants anything more.

Rules kept here:

- An endpoint that has failed several times in a row is left alone: for half a minute, then twice as long each time, up
  to ten minutes. After that one request goes, and tells. What is put off so has had no attempt.
- What an endpoint says of itself it says to all: while it has asked for time, nothing else is sent there either.
- One endpoint's trouble is nobody else's; and each worker finds out by itself, for that costs a few requests.
- That an endpoint wants no more (410) is in the ledger, for all workers and for good. It is told as an event before it
  is written down, under a key that the next one to find out has, too: so it is told once, whoever dies in between.
- A send costs no read: the ledger is asked once a minute and endpoint.
"""

from __future__ import annotations

import hashlib
import math
import random as chance
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple

from convergekit.abc import ChannelContext, Clock
from convergekit.errors import (
    NotRunningError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
    UncertainError,
)
from convergekit.model import Address, EndpointDisabled

__all__ = ["DISABLED", "EndpointState", "Endpoints"]

#: Code of the refusal of what would go to an endpoint that has answered 410.
DISABLED: Final = "disabled"

_FIRST: Final = 30.0
_LONGEST: Final = 600.0
#: Seconds after which whoever has found that somebody else is asking looks again. Few find that unless the request
#: hangs, so it is for as long as one may: thousands who look each few seconds keep the ledger from all others.
_ASKING: Final = 20.0
#: Share by which a wait is prolonged by chance, so that not all come back at the same moment.
_SPREAD: Final = 0.2
#: How many come back in a second, at most: each costs the ledger two writes, and thousands may wait for one endpoint.
_A_SECOND: Final = 200
_LOOKED_UP: Final = 60.0
#: Endpoints that are remembered, those that were written to last; of others it is learnt anew how they are.
_REMEMBERED: Final = 4096
_TRIES: Final = 10


class EndpointState:
    """How one endpoint is. Enter it around each request to it; any number of tasks may.

    Args:
        breaker: Failures in a row after which it is left alone; 0 for never.
        clock: Time.
        random: Values in [0, 1).
    """

    __slots__ = (
        "_asking",
        "_breaker",
        "_clock",
        "_failures",
        "_pause",
        "_put_off",
        "_random",
        "_until",
        "disabled",
        "looked_up_at",
    )

    def __init__(self, breaker: int, clock: Clock, random: Callable[[], float]) -> None:
        self._breaker, self._clock, self._random = breaker, clock, random
        self._failures = 0
        self._pause = 0.0  # for how long it was left alone the last time; 0 while it works
        self._until = -math.inf  # nothing goes before
        self._asking = False  # a request is under way that finds out
        self._put_off = 0  # since it was last heard of
        self.disabled = False
        self.looked_up_at = -math.inf

    def check(self) -> None:
        """Raises `ThrottledError` while nothing is to go there."""
        left = self._until - self._clock.monotonic()
        if left <= 0 and not self._asking:
            return
        wait = (left if left > 0 else _ASKING) + self._put_off / _A_SECOND
        self._put_off += 1
        raise ThrottledError(
            self._why(), retry_after=wait * (1 + _SPREAD * self._random()), scope="conversation", asked=False
        )

    def __enter__(self) -> None:
        """Raises as `check` does."""
        self.check()
        self._asking = self._pause > 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Learn from the answer; from a call that was cancelled, or that we have refused, nothing is learnt."""
        asked, self._asking = self._asking, False
        if error is None or (isinstance(error, RejectedError) and error.code is not None):
            self._works()
        elif isinstance(error, ThrottledError):
            self._works()
            self._until = max(self._until, self._clock.monotonic() + min(error.retry_after, _LONGEST))
        elif isinstance(error, NotSentError | UncertainError):
            self._fails(asked)

    def _works(self) -> None:
        self._failures = self._put_off = 0
        if self._pause:
            self._pause, self._until = 0.0, -math.inf

    def _fails(self, asked: bool) -> None:
        self._failures += 1
        now = self._clock.monotonic()
        # Those that were under way when it became clear say nothing new.
        if asked or (0 < self._breaker <= self._failures and now >= self._until):
            self._pause = min(2 * self._pause, _LONGEST) or _FIRST
            self._until, self._put_off = now + self._pause, 0

    def _why(self) -> str:
        if self._asking:
            return "the endpoint is just being asked whether it is back"
        if self._pause:
            return f"the endpoint failed {self._failures} times in a row, and is left alone for {self._pause:g} s"
        return "the endpoint has asked for time"


class _Gone(NamedTuple):
    """What the ledger holds of an endpoint that has answered 410, now or once."""

    disabled: bool = False
    times: int = 0

    @classmethod
    def read(cls, value: Any) -> _Gone:
        try:
            return cls(bool(value["disabled"]), int(value["times"]))
        except (KeyError, TypeError, ValueError):
            return cls()


class Endpoints:
    """All that a channel sends to.

    Args:
        context: Clock, state, and where it is told that one wants no more.
        breaker: Failures in a row after which one is left alone; 0 for never.
        random: Values in [0, 1).
    """

    def __init__(self, context: ChannelContext, *, breaker: int, random: Callable[[], float] = chance.random) -> None:
        self._context, self._clock = context, context.clock
        self._breaker, self._random = breaker, random
        self._known: OrderedDict[str, EndpointState] = OrderedDict()

    async def find(self, address: Address) -> EndpointState:
        """How the endpoint at *address* is, to be entered around the request.

        Raises:
            RejectedError: It wants no more; its code is `DISABLED`.
            ThrottledError: Nothing is to go there now.
            StoreError: The ledger cannot be asked.
        """
        uri = address.uri
        endpoint = self._state_of(uri)
        now = self._clock.monotonic()
        if now - endpoint.looked_up_at >= _LOOKED_UP:
            endpoint.disabled = _Gone.read((await self._context.state.get(_key(uri)))[0]).disabled
            endpoint.looked_up_at = now
        if endpoint.disabled:
            raise RejectedError(
                "the endpoint answered 410 Gone before; "
                "`await hub.channel(...).enable(url)`, or `convergekit enable`, ends that",
                code=DISABLED,
                channel=self._context.channel,
            )
        endpoint.check()
        return endpoint

    async def disable(self, address: Address) -> None:
        """The endpoint at *address* has answered 410: tell so, and send nothing there any more."""
        key = _key(address.uri)
        try:
            value, version = await self._context.state.get(key)
            gone = _Gone.read(value)
            if not gone.disabled:
                gone = _Gone(disabled=True, times=gone.times + 1)
                await self._context.admit(_told(address, key, gone.times))
                await self._context.state.put(key, gone._asdict(), version=version)
        except (NotRunningError, StoreError):  # the first while the hub drains
            # The refusal is what matters to this message; the next one to this endpoint finds out again.
            self._context.log.warning("an endpoint answered 410, which could not be stored")
        else:
            self._state_of(address.uri).looked_up_at = -math.inf

    async def enable(self, address: Address) -> bool:
        """Send to *address* again; tells whether it was disabled.

        Raises:
            StoreError: The ledger failed, or is changed by others all the time.
        """
        key = _key(address.uri)
        for _ in range(_TRIES):
            value, version = await self._context.state.get(key)
            gone = _Gone.read(value)
            # How often it was is kept, so that the next time is told under a key of its own.
            if not gone.disabled or await self._context.state.put(
                key, gone._replace(disabled=False)._asdict(), version=version
            ):
                self._known.pop(address.uri, None)
                return gone.disabled
        raise StoreError("whether this endpoint is disabled changes all the time")

    def _state_of(self, uri: str) -> EndpointState:
        endpoint = self._known.get(uri)
        if endpoint is None:
            endpoint = self._known[uri] = EndpointState(self._breaker, self._clock, self._random)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(uri)
        return endpoint


def _key(uri: str) -> str:
    """Names an endpoint without its URL, which may hold a token."""
    return f"endpoint:{hashlib.sha256(uri.encode()).hexdigest()[:32]}"


def _told(address: Address, key: str, times: int) -> EndpointDisabled:
    return EndpointDisabled(key=f"{key}:{times}", address=address, reason="the endpoint answered 410 Gone")
