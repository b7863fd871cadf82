"""Longer messages that come in parts, put together: in any order, doubled, by several workers, across restarts.

Rules kept here:

- A part is safe once `add` has returned: it is in the ledger's state, or in the message that `add` has given.
- The whole is given by whoever adds the last part, and again when one of its parts is repeated, with the same key: so a
  crash before it was admitted loses nothing, and admission tells the repeat.
- What `add` has given may never have been admitted, and its gateway may never repeat it. So `overdue` admits every set
  once more before it forgets the contents; where it was admitted, that is a duplicate.
- A set that is complete, or given with gaps, leaves a mark of one deadline. A part that comes late is then a message
  of its own, and one that is repeated begins no new set.
- References wrap (8 bits: every 256 messages; TS 23.040 §9.2.3.24.1). Another text under a number that is there belongs
  to another message: what was there is given as it is.
- State is bounded: so many places, each with so many sets and characters. Where there is no room, the oldest goes out.

Each place is one value of the ledger, so that every step is one compare-and-set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from convergekit.model import Event, MessageReceived
from convergekit.model.wire import event_from_json, event_to_json

from .values import digest

if TYPE_CHECKING:
    from convergekit.abc import ChannelContext

    from .callbacks import Piece

__all__ = ["Assembly"]

#: A set is in one place, found by its hash; a value that is deleted stays behind in the ledger, so they are few.
_PLACES: Final = 32
_SETS: Final = 32
_CHARACTERS: Final = 1_000_000
_LARGEST: Final = 50_000  # of one part, which as an SMS has 160 characters; the rest is its gateway's original
#: Seconds for which whoever has completed a set is left alone to admit it.
_GRACE: Final = 60.0
_MOST: Final = 255  # parts of a message: TS 23.040 §9.2.3.24.1


def _as_it_is(message: MessageReceived) -> Sequence[Event]:
    return (message,)


class Assembly:
    """The parts of one channel.

    Args:
        context: Of the channel.
        deadline: Seconds after the first part for which the others are waited for.
        told: What is admitted for a message that `overdue` gives: it, and what it means (consent).
    """

    def __init__(
        self,
        context: ChannelContext,
        *,
        deadline: float,
        told: Callable[[MessageReceived], Sequence[Event]] = _as_it_is,
    ) -> None:
        self._context, self._state = context, context.state
        self._deadline, self._told = deadline, told

    async def add(self, piece: Piece) -> MessageReceived | None:
        """Put *piece* to the others.

        Returns:
            The whole, where this was the last of it, or the repeat of a part that had come. The part by itself, where
            it came too late, or is too large to be kept. None while others are missing.

        Raises:
            StoreError: The part is not safe; do not acknowledge.
        """
        if piece.total == 1 or not 1 <= piece.number <= piece.total <= _MOST:
            return piece.message
        part = _Part.of(piece)
        if len(part.message) > _LARGEST:
            return _alone(piece)
        place, slot = _found(piece)
        while True:
            value, version = await self._state.get(place)
            step = _Sets(value or {}, self._now(), self._deadline).take(slot, piece, part)
            if step.full is not None:
                await self._give(place, step.full, _Set.read(value[step.full]), leave=False)
            elif step.value is None or await self._state.put(place, step.value, version=version):
                return step.message

    async def overdue(self) -> int:
        """Admit what has waited long enough, with gaps where parts are missing; and forget what is long done.

        Returns:
            How many messages were admitted; of those that were complete, most had been before.

        Raises:
            StoreError: The rest is tried again next time.
        """
        count = 0
        for number in range(_PLACES):
            value, _ = await self._state.get(place := _name(number))
            for name, found in [(name, _Set.read(each)) for name, each in (value or {}).items()]:
                if found.due <= self._now():
                    count += await self._give(place, name, found, leave=name == found.slot)
        return count

    async def _give(self, place: str, name: str, found: _Set, *, leave: bool) -> bool:
        """Close a set, admit what it has, then forget that, with a mark or without. Tells whether it had anything."""
        closed = replace(found, given=True)
        if not await self._replace(place, name, found, closed):
            return False  # something came meanwhile; whoever asks, asks again
        if found.parts:
            await self._context.admit(*self._told(found.whole()))
        mark = replace(closed, parts={}, halves={}, due=self._now() + self._deadline)
        await self._replace(place, name, closed, mark if leave and found.parts else None)
        return bool(found.parts)

    async def _replace(self, place: str, name: str, old: _Set, new: _Set | None) -> bool:
        """Put *new* where *old* is; tells whether it still was."""
        while True:
            value, version = await self._state.get(place)
            sets = dict(value or {})
            if name not in sets or _Set.read(sets.pop(name)) != old:
                return False
            after = sets if new is None else {**sets, name: new.write()}
            if new == old or await self._state.put(place, after or None, version=version):
                return True

    def _now(self) -> float:
        return self._context.clock.now().timestamp()


class _Part(NamedTuple):
    """A part as it is kept: its event's key, what tells its text from another, and all of it."""

    key: str
    digest: str
    message: str
    halves: Sequence[str]

    @classmethod
    def of(cls, piece: Piece) -> _Part:
        message, halves = piece.message, list(piece.halves)
        told = [message.text or "", *filter(None, halves)]
        return cls(message.key, digest(*told)[:16], event_to_json(message), halves)

    def repeats(self, seen: Sequence[str]) -> bool:
        """A gateway repeats under the same key; a network that delivers twice gives a new one."""
        return self.key == seen[0] or self.digest == seen[1]


@dataclass(frozen=True, slots=True)
class _Set:
    """The parts of one message, by their numbers.

    Args:
        slot: What they share: sender, recipient, reference and total.
        total: How many there are to be.
        due: When it goes out as it is, or, once it is without contents, is forgotten.
        given: Nothing joins it any more.
        seen: Key and digest of each part that came.
        parts: Each of them as JSON; empty once they are admitted.
        halves: Of those whose text begins or ends inside of a character, what is there of it.
    """

    slot: str
    total: int
    due: float
    given: bool = False
    seen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    halves: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> _Set:
        return cls(**value)

    def write(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "halves" or self.halves}

    @property
    def is_complete(self) -> bool:
        return len(self.seen) == self.total

    def plus(self, number: int, part: _Part) -> _Set:
        seen = {**self.seen, str(number): [part.key, part.digest]}
        halves = {**self.halves, str(number): part.halves} if any(part.halves) else self.halves
        return replace(self, seen=seen, parts={**self.parts, str(number): part.message}, halves=halves)

    def text(self, numbers: Sequence[int], texts: Sequence[str]) -> str:
        """All of *texts*, which have *numbers*; a character that was cut in two between two of them is whole again."""
        whole = ""
        for number, text in zip(numbers, texts, strict=True):
            pair = self.halves.get(str(number - 1), ("", ""))[1], self.halves.get(str(number), ("", ""))[0]
            seam = whole[-1:] + text[:1]
            if all(pair) and seam == "\ufffd\ufffd":
                whole, text = whole[:-1], bytes.fromhex("".join(pair)).decode("utf-16-be") + text[1:]
            whole += text
        return whole

    def whole(self) -> MessageReceived:
        """All that is there as one message, in order of the numbers."""
        numbers = sorted(map(int, self.parts))
        messages = [_message(self.parts[str(number)]) for number in numbers]
        keys = [self.seen[str(number)][0] for number in numbers]
        details = {
            "ids": [each.message_id for each in messages if each.message_id],
            "missing": [number for number in range(1, self.total + 1) if number not in numbers],
        }
        return messages[0].model_copy(
            update={
                "key": "parts#" + digest(self.slot, *keys),
                "text": self.text(numbers, [each.text or "" for each in messages]) or None,
                "subject": next((each.subject for each in messages if each.subject), None),
                "attachments": tuple(file for each in messages for file in each.attachments),
                "reply_to": next((each.reply_to for each in messages if each.reply_to), None),
                "at": min((each.at for each in messages if each.at), default=None),
                "details": _told_of(*messages, total=self.total, **details),
                "native": [each.native for each in messages],
            }
        )


class _Step(NamedTuple):
    """What adding a part comes to: the new value, or None where it stays; what is given; which set has to go first."""

    value: dict[str, Any] | None = None
    message: MessageReceived | None = None
    full: str | None = None


@dataclass(frozen=True, slots=True)
class _Sets:
    """All sets of one place at one moment."""

    value: dict[str, Any]
    now: float
    deadline: float

    def take(self, slot: str, piece: Piece, part: _Part) -> _Step:
        if slot not in self.value:
            return self._begin(slot, piece, part, {})
        found = _Set.read(self.value[slot])
        seen = found.seen.get(str(piece.number))
        if seen is not None and not part.repeats(seen):
            # Another message under the same reference. What was there goes out soon, under the key that it has.
            aside = {f"{slot}~{digest(*found.parts.values())[:16]}": replace(found, due=self.now).write()}
            return self._begin(slot, piece, part, aside if found.parts else {})
        if seen is not None:
            is_final = bool(found.parts) and (found.given or found.is_complete)
            return _Step(message=found.whole() if is_final else None)
        if found.given:
            return _Step(message=_alone(piece))
        joined = found.plus(piece.number, part)
        if not joined.is_complete:
            return self._kept(joined, {})
        joined = replace(joined, due=min(joined.due, self.now + _GRACE))
        return self._kept(joined, {})._replace(message=joined.whole())

    def _begin(self, slot: str, piece: Piece, part: _Part, aside: dict[str, Any]) -> _Step:
        return self._kept(_Set(slot, piece.total, self.now + self.deadline).plus(piece.number, part), aside)

    def _kept(self, new: _Set, aside: dict[str, Any]) -> _Step:
        value = {**self.value, **aside, new.slot: new.write()}
        if len(value) <= _SETS and sum(map(_size, value.values())) <= _CHARACTERS:
            return _Step(value)
        # Marks go first: there is nothing in them.
        return _Step(full=min(self.value, key=lambda name: (bool(self.value[name]["parts"]), self.value[name]["due"])))


def _alone(piece: Piece) -> MessageReceived:
    """A part as a message of its own, which says what is missing; all parts may have come under one id."""
    message, key = piece.message, digest(_found(piece)[1], str(piece.number), piece.message.key)
    missing = [number for number in range(1, piece.total + 1) if number != piece.number]
    ids = [message.message_id] if message.message_id else []
    return message.model_copy(
        update={"key": f"part#{key}", "details": _told_of(message, total=piece.total, ids=ids, missing=missing)},
    )


def _told_of(*messages: MessageReceived, **more: Any) -> dict[str, Any]:
    """As `Sms.to_details` writes it: what is as it mostly is, is left out."""
    told = {name: value for each in reversed(messages) for name, value in each.details.items()}
    return {**told, **{name: value for name, value in more.items() if value}}


def _found(piece: Piece) -> tuple[str, str]:
    """In which place the set of *piece* is, and under which name."""
    message = piece.message
    slot = digest(str(message.sender), *map(str, message.to), piece.reference, str(piece.total))[:32]
    return _name(int(slot[:8], 16) % _PLACES), slot


def _size(value: Mapping[str, Any]) -> int:
    return sum(map(len, value["parts"].values())) + 200 * len(value["seen"])


def _name(number: int) -> str:
    return f"parts/{number}"


def _message(document: str) -> MessageReceived:
    event = event_from_json(document)
    assert isinstance(event, MessageReceived)
    return event
