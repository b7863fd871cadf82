"""Who waits for what: deliveries for their acknowledgement, questions for their answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from xml.etree.ElementTree import Element

import anyio

from convergekit.errors import DeliveryError, NotSentError, UncertainError

from ..stanzas.errors import stanza_error
from ..stream import CUT
from ..window import Parcel, Window
from ._iqs import may_answer

__all__ = ["Deliveries", "Requests", "copied", "heard"]


class Deliveries:
    """What is to be acknowledged, and how long it waits where there is no session.

    Args:
        window: Where it lines up.
        timeout: Seconds.
        has_session: Whether there is one, be it one that is being set up.
        why: Why there is none; None where nobody knows.
    """

    def __init__(
        self,
        window: Window,
        timeout: float,
        *,
        has_session: Callable[[], bool],
        why: Callable[[], DeliveryError | None],
    ) -> None:
        self._window, self._timeout = window, timeout
        self._has_session, self._why = has_session, why
        self._all: set[_Delivery] = set()
        self._flowing = False

    def flow(self) -> None:
        """What is there is written from now on."""
        self._flowing = True
        for each in self._all:
            each.disarm()

    def stop(self) -> None:
        """Nothing is, until the next session."""
        self._flowing = False
        for each in self._all:
            self._arm(each)

    def give_up(self) -> None:
        """There will be no session any more."""
        for each in self._all:
            each.settle(self._outcome(each))

    async def acknowledged(
        self, stanzas: Sequence[bytes], *, started: Callable[[], None], write: Callable[[], None]
    ) -> None:
        """Line up *stanzas*, and return once all of them are acknowledged.

        Args:
            stanzas: As they are written.
            started: Called just before the first is.
            write: Called where something may be written now.

        Raises:
            NotSentError: There was no session in time.
            UncertainError: It was written, and there was none in time to have it acknowledged.
        """
        delivery = _Delivery(stanzas, started)
        self._all.add(delivery)
        self._window.put(delivery.parcel)
        if self._flowing:
            write()
        else:
            self._arm(delivery)
        try:
            await delivery.future
        finally:
            delivery.disarm()
            heard(delivery.future)
            self._all.discard(delivery)
            self._window.drop(delivery.parcel)

    def _arm(self, delivery: _Delivery) -> None:
        if delivery.timer is None:
            delivery.timer = asyncio.get_running_loop().call_later(self._timeout, self._time_is_up, delivery)

    def _time_is_up(self, delivery: _Delivery) -> None:
        delivery.timer = None
        if delivery.parcel.begun and self._has_session():
            self._arm(delivery)  # it is being set up, and will write it again
        else:
            delivery.settle(self._outcome(delivery))

    def _outcome(self, delivery: _Delivery) -> DeliveryError:
        why = self._why()
        reason = f": {why.reason}" if why is not None else ""
        if delivery.parcel.begun:
            return UncertainError(f"written, and the connection was lost before the server acknowledged it{reason}")
        return NotSentError(f"there is no session{reason}")


class _Delivery:
    """One call."""

    __slots__ = ("future", "parcel", "timer")

    def __init__(self, stanzas: Sequence[bytes], started: Callable[[], None]) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.parcel = Parcel(stanzas, started=started, settled=self.settle)
        self.timer: asyncio.TimerHandle | None = None

    def settle(self, exc: Exception | None) -> None:
        if not self.future.done():
            if exc is None:
                self.future.set_result(None)
            else:
                self.future.set_exception(exc)

    def disarm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Requests:
    """Questions, by ids that nobody can guess."""

    def __init__(self) -> None:
        self._prefix, self._numbers = secrets.token_hex(8), count(1)
        self._waiting: dict[str, tuple[str | None, asyncio.Future[Element]]] = {}

    def new_id(self) -> str:
        """One that nobody has had."""
        return f"{self._prefix}-{next(self._numbers)}"

    async def answered(self, iq: Element, timeout: float, *, write: Callable[[Element], None]) -> Element:
        """Let *iq* be written, with an id of ours; return the answer.

        Raises:
            StanzaError: It is an error.
            NotSentError: There was none in time, or the connection was lost.
        """
        ident = self.new_id()
        iq.set("id", ident)
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._waiting[ident] = iq.get("to"), future
        try:
            write(iq)
            with anyio.fail_after(timeout):
                answer = await future
        except TimeoutError:
            raise NotSentError(f"no answer within {timeout:g} s") from None
        finally:
            heard(future)
            del self._waiting[ident]
        if CUT in answer.attrib:
            raise NotSentError("the answer is too large to be read")
        if answer.get("type") == "error":
            raise stanza_error(answer)
        return answer

    def came(self, iq: Element, own: str) -> None:
        """An answer came to us, who are *own*; it may be nobody's, or from somebody who was not asked."""
        asked, future = self._waiting.get(iq.get("id", ""), (None, None))
        if future is not None and not future.done() and may_answer(asked, iq.get("from"), own):
            future.set_result(iq)

    def lost(self, why: DeliveryError) -> None:
        """None will come any more."""
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(copied(why))


def heard(future: asyncio.Future[Any]) -> None:
    """Whoever waited may have been cancelled: asyncio then tells of an error that nobody heard of."""
    if future.done() and not future.cancelled():
        future.exception()


def copied(why: DeliveryError) -> DeliveryError:
    """As it is, for one more who is told."""
    return type(why)(why.reason, code=why.code)
