"""Redelivery: what of a dispatch goes out once more because a person asks for it, and why the rest is left.

Rules kept here:

- What goes again is a new delivery that supersedes the old one, on the same channel to the same address. It has the
  same key wherever the medium recognises a repeat, and the old one ends with it.
- Where a medium does not, only what has failed goes again, as `dead_letters.resend` sends it: the missing parts, with
  a new key. What was taken, or may have been, is left.
- What moves by itself is left to itself; so is what was cancelled, or stopped by a gate, or is not needed since another
  way of its route was taken.
- What has expired goes again only with a new time to live.
- It is decided on the dispatch as it is when it is saved, so whoever asks twice, or at the same time as another, finds
  the second time that it is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from convergekit.errors import ConfigurationError
from convergekit.model import Delivery, DeliveryState, Dispatch, DispatchState, Message, Status
from convergekit.router.advance import is_needed

from .channels import ChannelRuntime
from .clock import Ids
from .resending import in_place, repeat

__all__ = ["Again", "Left", "chosen"]


class Left(StrEnum):
    """Why a delivery does not go again."""

    OPEN = "open"
    """It is still under way, and goes by itself."""
    AGAIN = "again"
    """Another one has taken its place already."""
    TAKEN = "taken"
    """It was taken, and the medium does not recognise a repeat, or only what has failed was asked for."""
    UNKNOWN = "unknown"
    """It may have gone out, and the medium does not recognise a repeat."""
    ELSEWHERE = "elsewhere"
    """Another way of its route was taken, or is under way."""
    CANCELLED = "cancelled"
    """It, or its dispatch, was cancelled, or not needed any more."""
    SUPPRESSED = "suppressed"
    """A gate has stopped its dispatch."""
    EXPIRED = "expired"
    """Its time to live ran out, and there is no new one."""
    ERASED = "erased"
    """Its content is gone."""


_STOPPED: Final = {DispatchState.CANCELLED: Left.CANCELLED, DispatchState.SUPPRESSED: Left.SUPPRESSED}


def chosen(dispatch: Dispatch) -> tuple[str, ...]:
    """Which deliveries are meant by naming *dispatch*: what failed and is still needed, else all that there is.

    Of a `first_of` it is the first way that has failed: all of them at once would be a message too many.
    """
    failed = [each for each in dispatch.failed if is_needed(dispatch, each.leg)]
    first: list[str] = []
    done = dispatch
    for each in failed:
        if is_needed(done, each.leg):
            first.append(each.id)
            queued = each.model_copy(update={"state": DeliveryState.QUEUED})
            done = done.model_copy(update={"deliveries": done.replaced(queued)})
    return tuple(first) or tuple(each.id for each in dispatch.current)


@dataclass(slots=True)
class Again:
    """A change of a dispatch (`ledger.Change`) by which deliveries of it go again, and what came of it.

    Args:
        wanted: Ids of the deliveries.
        channels: By name: what a medium recognises is asked of these.
        ids: Makes ids.
        now: When it may be sent.
        only_failed: Whether what was taken is left in any case.
        expires_at: Until when, in the place of their own time to live; or None.
        left: Filled in: why each is left that does not go.
        gone: Filled in: by the id of each that goes, what takes its place.
    """

    wanted: Iterable[str]
    channels: Mapping[str, ChannelRuntime]
    ids: Ids
    now: datetime
    only_failed: bool = False
    expires_at: datetime | None = None
    left: dict[str, Left] = field(default_factory=dict)
    gone: dict[str, Delivery] = field(default_factory=dict)

    def __call__(self, dispatch: Dispatch) -> Dispatch | None:
        """*dispatch* with those deliveries that go; None where none does. Called again where somebody was faster."""
        self.left, self.gone = {}, {}
        after = dispatch
        for id in self.wanted:
            delivery = dispatch.by_id(id)
            reason = self._why_not(after, delivery)
            if reason is not None:
                self.left[id] = reason
                continue
            self.gone[id] = new = self._new(delivery)
            after = in_place(after, new, self._message(after))
        return after if self.gone else None

    def _why_not(self, dispatch: Dispatch, delivery: Delivery) -> Left | None:
        """The first reason that there is."""
        failed = delivery.has_failed and bool(delivery.missing)
        if dispatch.is_erased:
            return Left.ERASED
        if any(each.supersedes == delivery.id for each in dispatch.deliveries):
            return Left.AGAIN
        if delivery.state.is_open:
            return Left.OPEN
        if dispatch.state in _STOPPED:
            return _STOPPED[dispatch.state]
        if delivery.state is DeliveryState.CANCELLED and not failed:
            return Left.CANCELLED
        if not failed and (self.only_failed or not self._is_known(delivery)):
            return Left.TAKEN
        if failed and not is_needed(dispatch, delivery.leg):
            return Left.ELSEWHERE
        if self.expires_at is None and self._has_expired(dispatch, delivery):
            return Left.EXPIRED
        return Left.UNKNOWN if _may_have_gone(delivery) and not self._is_known(delivery) else None

    def _has_expired(self, dispatch: Dispatch, delivery: Delivery) -> bool:
        ends = (delivery.expires_at, dispatch.message.expires_at)
        return delivery.has_expired or any(end is not None and end <= self.now for end in ends)

    def _is_known(self, delivery: Delivery) -> bool:
        """Whether the medium recognises a repeat."""
        return self._channel(delivery).knows_repeats(delivery, self.now)

    def _channel(self, delivery: Delivery) -> ChannelRuntime:
        channel = self.channels.get(delivery.channel)
        if channel is None:
            raise ConfigurationError(
                f"there is no channel {delivery.channel!r} here to say whether its medium recognises a repeat; "
                f"there are {sorted(self.channels)}"
            )
        return channel

    def _new(self, delivery: Delivery) -> Delivery:
        new = repeat(delivery, self.ids(), self.now, known=self._is_known(delivery))
        return new if self.expires_at is None else new.model_copy(update={"expires_at": self.expires_at})

    def _message(self, dispatch: Dispatch) -> Message | None:
        """The message with its new time to live; None where it has none, or keeps its own."""
        if self.expires_at is None or dispatch.message.expires_at is None:
            return None
        return dispatch.message.model_copy(update={"expires_at": self.expires_at})


def _may_have_gone(delivery: Delivery) -> bool:
    return any(delivery.status_of(part) is Status.UNKNOWN for part in delivery.unknown)
