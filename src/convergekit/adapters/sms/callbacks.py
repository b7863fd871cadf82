"""What a gateway tells us, as events: messages, parts of messages, and reports of our own. Pure.

Rules kept here:

- An entry of a batch that makes no sense is noted, original included, and the others are read. Only where nothing of
  a call can be read is it refused.
- What a gateway says of itself is taken as it is: a word, a code or a field that the profile does not know changes
  nothing, and is kept as a `CustomReceived`.
- A sender who cannot be written to (none, or one that is no number) does not make a message disappear: it has none.
- An event's key is made of what the gateway repeats: its own ids; where it gives none, of all that a message says, and
  of the time at which it came, to ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from convergekit.abc import Request
from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, Test, compiled, read_body
from convergekit.model import CustomReceived, Event

from . import values
from ._reading import Call, Piece, Shared, Translate, Translated
from .config import SmsConfig
from .messages import Messages
from .references import reference_in
from .reports import Consents, Reports

__all__ = ["Callbacks", "Piece", "Read"]

_MOST_ITEMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Read:
    """What a call tells.

    Args:
        events: In order.
        pieces: Parts of longer messages, which are events once all of them are there.
    """

    events: tuple[Event, ...] = ()
    pieces: tuple[Piece, ...] = ()


class Callbacks:
    """Reads the calls of one channel's gateway.

    Args:
        config: The channel's.
        channel: Its name.
    """

    def __init__(self, config: SmsConfig, channel: str) -> None:
        self._channel, callbacks = channel, config.loaded.callbacks
        self._each, shared = callbacks.each, Shared(config, channel)
        self._rules: list[tuple[Test, str | None, Translate]] = [
            *((compiled(rule.when), rule.each, Messages(rule, shared)) for rule in callbacks.inbound),
            *((compiled(rule.when), rule.each, Reports(rule, shared)) for rule in callbacks.status),
            *((compiled(rule.when), rule.each, Consents(rule, shared)) for rule in callbacks.consent),
            *((compiled(when), None, _nothing) for when in callbacks.ignored),
        ]

    def read(self, request: Request, *, now: datetime) -> Read:
        """The events of *request*, which is known to be genuine.

        Args:
            request: The call.
            now: When it came; it tells messages apart that have no id.

        Raises:
            InvalidInputError: Nothing of it can be read.
        """
        root = read_body(request)
        call = Call(reference_in(request.query) if request.query else None, now)
        reading = _Reading(self._channel, call)
        for item in root.items(self._each) if self._each or isinstance(root.value, list) else (root,):
            self._read(item, reading)
        return reading.result()

    def _read(self, item: Item, reading: _Reading) -> None:
        for test, each, translate in self._rules:
            if not test(item):
                continue
            if each is None:
                reading.take(item, item.value, translate)
                return
            entries = list(item.items(each))
            for entry in entries:
                reading.take(entry, item.value if len(entries) == 1 else entry.value, translate)
            return
        reading.note("sms.unknown", item.value)


class _Reading:
    """What has been read of one call so far."""

    def __init__(self, channel: str, call: Call) -> None:
        self._channel, self._call = channel, call
        self._events: list[Event] = []
        self._pieces: list[Piece] = []
        self._count = self._good = 0
        self._problem = ""

    def take(self, entry: Item, native: Any, translate: Translate) -> None:
        """Read *entry*; *native* is its original."""
        self._counted()
        try:
            for each in translate(entry, native, self._call):
                if isinstance(each, Piece):
                    self._pieces.append(each)
                else:
                    self._events.append(each)
            self._good += 1
        except ValidationError as exc:
            self._unreadable(native, f"{exc.error_count()} of its fields do not fit")
        except InvalidInputError as exc:
            self._unreadable(native, str(exc))

    def note(self, name: str, data: Any) -> None:
        self._counted()
        self._good += 1
        self._events.append(self._noted(name, data))

    def result(self) -> Read:
        if self._count and not self._good:
            raise InvalidInputError(f"nothing of the call makes sense: {self._problem}")
        return Read(tuple(self._events), tuple(self._pieces))

    def _counted(self) -> None:
        self._count += 1
        if self._count > _MOST_ITEMS:
            raise InvalidInputError(f"the call has more than {_MOST_ITEMS} entries")

    def _unreadable(self, native: Any, problem: str) -> None:
        self._problem = problem
        self._events.append(self._noted("sms.unreadable", native))

    def _noted(self, name: str, data: Any) -> CustomReceived:
        key = f"{name.removeprefix('sms.')}#{values.digest(data)}"
        return CustomReceived(key=key, channel=self._channel, name=name, data=data)


def _nothing(entry: Item, native: Any, call: Call) -> Translated:
    return ()
