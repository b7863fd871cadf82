"""Cancellations that are nobody's of ours.

On asyncio a cancellation is an exception like others: whoever awaits a task that somebody else has cancelled gets it.
Client libraries let it out when they close a connection, handlers when they wait for a task of the host's. Passed on,
it would end a task of ours, and its whole task group with it, without a word; so it is told apart where foreign code
is called, and goes on as an ordinary error.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Final

import anyio

__all__ = ["NO_STRAYS", "StrayCancellationError", "is_stray"]


class StrayCancellationError(RuntimeError):
    """Code that was called let out a cancellation, and nobody had cancelled us."""


def is_stray(error: BaseException | None) -> bool:
    """Whether *error* is a cancellation, and not of any scope that we are in."""
    is_cancellation = isinstance(error, anyio.get_cancelled_exc_class())
    return is_cancellation and anyio.current_effective_deadline() != -math.inf


class _NoStrays:
    """Inside, foreign code is called; a stray cancellation comes out as a `StrayCancellationError`."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing has to be prepared."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None and is_stray(error):
            raise StrayCancellationError("a task that was waited for has been cancelled by somebody else") from error


NO_STRAYS: Final = _NoStrays()
