"""Calls of whatever system, as events, by rules. Pure.

Rules kept here:

- The first rule that fits takes the call; one with `each` takes entries of a list, and what it leaves is for the others
  that name the same list. Lists that lie side by side in one call are all read.
- What no rule takes is a `CustomReceived` all the same, under the system's own name for it: nothing is dropped unless
  a rule says "ignored".
- A key is made of what the system repeats, and where rules find their ids by different paths, of the path; it never
  depends on when something came, unless a rule says "none".
- Nothing of a document says where we send to, or what of ours is read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from convergekit.abc import Request
from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, Event, MessageEdited, MessageReceived, MessageRetracted

from .documents import document
from .moments import moment
from .places import Call, Holds, Says, about_entry, digest, line, saying, short, test_of, value_of
from .rules import Rule
from .whence import whence

__all__ = ["Mapper"]

_MOST: Final = 10_000  # entries of one call
_LONGEST_LINE: Final = 8000
_SHORT: Final = 500
#: Where systems say of what kind something is, for those whose rules do not tell.
_NAMES: Final = ("entry.type", "entry.event", "entry.event_type", "body.type", "body.event", "body.event_type")
_UNNAMED: Final = "webhook.received"
_Key: TypeAlias = "Callable[[Call], str | None]"


class Mapper:
    """Reads calls by rules.

    Args:
        rules: In order.
        ids: What tells a call from every other, where its rule does not say or it is not there: templates, "digest" or
            "none"; after that the id that the signature scheme knows, and a digest of the body at last.
        names: What an event is called where its rule does not say: templates.
        channel: Name of the channel.
        home: Where answers go; None where nowhere is.
        fresh: Makes what tells two calls apart that are the same in all else.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        ids: Sequence[str] = (),
        names: Sequence[str] = (),
        channel: str,
        home: str | None = None,
        fresh: Callable[[], str] = secrets.token_hex,
    ) -> None:
        rules = tuple(rules)
        # Systems count issues and comments each from 1 on: by paths that differ, the same value is two things.
        named = len({rule.id for rule in rules if any(map(_is_path, rule.id))}) > 1
        shared = _Shared(channel, home, fresh, tuple(_keys(ids, fresh)), (*names, *_NAMES), named)
        self._ready = [(rule.each, _Ready(rule, shared)) for rule in rules]
        self._unmapped = _Ready(Rule(kind="event"), shared)
        self._lists = {
            path: (value_of(path), [ready for each, ready in self._ready if each == path])
            for path in {each for each, _ in self._ready if each is not None}
        }

    def events(self, request: Request, now: datetime, *, id: str | None = None) -> tuple[Event, ...]:
        """What *request* tells, which is known to be genuine.

        Args:
            request: The call.
            now: When it came.
            id: What the signature scheme knows it by, or None.

        Raises:
            InvalidInputError: Its body makes no sense, or has more than 10000 entries.
        """
        call = Call(document(request), request.body, request.headers, request.query, id)
        events: list[Event] | None = None  # None until a rule has taken something
        seen = set[str]()
        for each, ready in self._ready:
            if each is None:
                if events is None and ready.holds(call):
                    return ready.events(call, now)
            elif each not in seen:
                seen.add(each)
                found = self._of_list(each, call, now)
                events = found if events is None else events + (found or [])
        return self._unmapped.events(call, now) if events is None else tuple(events)

    def _of_list(self, each: str, call: Call, now: datetime) -> list[Event] | None:
        """An event for each entry of a list; None where no rule takes any of them."""
        value, rules = self._lists[each]
        entries = _entries(value(call))
        if len(entries) > _MOST:
            raise InvalidInputError(f"the call has more than {_MOST} entries")
        events, taken = list[Event](), False
        for inner in call.entries(entries):
            ready = next((ready for ready in rules if ready.holds(inner)), None)
            taken = taken or ready is not None
            events += (ready or self._unmapped).events(inner, now)
        return events if taken else None


class _Shared(NamedTuple):
    """What all rules of a mapper have in common."""

    channel: str
    home: str | None
    fresh: Callable[[], str]
    keys: tuple[_Key, ...]
    names: tuple[str, ...]
    named: bool


class _Ready:
    """One rule, made ready to be asked."""

    def __init__(self, rule: Rule, shared: _Shared) -> None:
        self._rule, self._channel, self._home = rule, shared.channel, shared.home
        self.holds: Holds = test_of(rule.when)
        self._keys = (*_keys(rule.id, shared.fresh, named=shared.named), *shared.keys, _known, _digest)
        self._text, self._subject = saying(rule.text, holes=True), saying(rule.subject, holes=True, then=_subject)
        self._sender, self._sender_name = saying(rule.sender, then=_bounded), saying(rule.sender_name, then=_bounded)
        self._conversation = saying(rule.conversation, then=_bounded)
        self._message_id = saying(rule.message_id, then=short)
        self._name = saying((*rule.name, *shared.names), then=short)
        self._at = tuple(map(value_of, rule.at))
        self._data = value_of(rule.data) if rule.data is not None else None
        said = rule.automated
        self._automated: Holds = (lambda call: said) if isinstance(said, bool) else test_of(said)

    def events(self, call: Call, now: datetime) -> tuple[Event, ...]:
        """What becomes of *call*, or of the entry that it is at: an event, or none."""
        kind = self._rule.kind
        if kind == "ignored":
            return ()
        key, name = self._key(call), self._name(call)
        fields = self._fields(call, key, now)
        text = self._text(call) if kind in ("message", "edited") else None
        id = self._message_id(call)
        details = {"name": name} if name else {}
        id = id or (key if kind == "message" else None)
        if kind == "retracted" and id:
            return (MessageRetracted.model_validate({**fields, "details": details, "target": id}),)
        if text is None or not id:
            data = call.item.value if self._data is None else self._data(call)
            return (CustomReceived.model_validate({**fields, "name": details.get("name") or _UNNAMED, "data": data}),)
        subject = self._subject(call)
        thread = fields["conversation"].thread if self._rule.conversation else None
        fields |= {
            "text": text,
            "subject": subject or None,
            "thread": thread,
            "details": details,
            "headers": {},  # to check an empty one takes less time than to copy the default
        }
        if kind == "edited":
            return (MessageEdited.model_validate({**fields, "target": id}),)
        return (MessageReceived.model_validate({**fields, "message_id": id}),)

    def _fields(self, call: Call, key: str, now: datetime) -> dict[str, Any]:
        sender, conversation = whence(
            self._sender(call),
            self._sender_name(call),
            self._conversation(call),
            self._channel,
            self._home,
        )
        return {
            "key": key,
            "channel": self._channel,  # else admission would copy the event to fill it in
            "sender": sender,
            "conversation": conversation,
            "at": next((at for value in self._at if (at := moment(value(call), now)) is not None), None),
            "automated": self._automated(call),
            "native": call.item.value,
        }

    def _key(self, call: Call) -> str:
        return next(key for make in self._keys if (found := make(call)) and (key := short(found)))  # a blank is none


def _keys(ids: Iterable[str], fresh: Callable[[], str], *, named: bool = False) -> Iterator[_Key]:
    """What makes keys, in order. Entries of one call are told apart by their place, if by nothing of their own.

    Where they are *named*, a path that is all of an id stands in the key as well.
    """
    for id in ids:
        if named and _is_path(id):
            id = f"{id}:{{{id}}}"
        if id == "none":
            yield lambda call: fresh()
        elif id == "digest":
            yield _digest
        else:
            yield saying([id]) if about_entry(id) else _placed(saying([id]))


def _is_path(id: str) -> bool:
    return id not in ("digest", "none") and "{" not in id


def _placed(make: Says) -> _Key:
    def key(call: Call) -> str | None:
        found = make(call)
        return found if call.index is None or found is None else f"{short(found)}:{call.index}"

    return key


def _bounded(text: str) -> str:
    """*text*, of which a memory of a thousand stays small."""
    return text if len(text) <= _SHORT else short(text)


def _subject(text: str) -> str:
    return line(text[:_LONGEST_LINE])


def _entries(value: Any) -> list[Any]:
    """The entries of *value*; of lists in it, theirs. An object stands for a list of it."""
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        return []
    return [inner for each in value for inner in (each if isinstance(each, list) else (each,))]


_known: Final = _placed(lambda call: call.id)
_digest: Final = _placed(digest)
