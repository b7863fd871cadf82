"""Dispatch: from an event to the handler that takes it.

Rules kept here:

- The first handler, in order of registration, whose filter says yes has the event; `Skip` passes it to the next one.
- For each combination of `Facts` the handlers that may match are worked out once, with what is left of their filters.
  The number of commands and literal texts that are told apart is the number that handlers name, so a sender cannot
  make the cache grow; it is bounded all the same.
- Per event: no task, no stream, no cancel scope, and no loop over handlers that cannot match.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from convergekit.model import Event, Message

from .filters import ALWAYS, NEVER, CommandIs, Facts, Filter, TextIs, command_of, text_of
from .handling import Handled, Handling, Reply, Skip
from .injection import Call

__all__ = ["CallNext", "Dispatcher", "Entry", "Middleware", "with_middleware"]

#: Runs what is further in: the next middleware, or at last the handler. Gives what it returned.
CallNext = Callable[[Handling], Awaitable[Reply]]

#: What stands around handlers.
Middleware = Callable[[Handling, CallNext], Awaitable[Reply]]

#: Combinations of facts whose handlers are remembered.
_REMEMBERED: Final = 8192


@dataclass(frozen=True, slots=True)
class Entry:
    """One handler, as it stands after all inclusions.

    Args:
        name: Unique in its dispatcher, the same in every process that registers the same handlers.
        types: Events of these types, and of those derived from them.
        filter: Which of them.
        call: The handler with all that stands around it.
        last_resort: Whether it is an `on_unhandled` hook.
    """

    name: str
    types: tuple[type[Event], ...]
    filter: Filter
    call: Call
    last_resort: bool = False

    def __str__(self) -> str:
        types = " | ".join(each.__name__ for each in self.types)
        return f"{self.name}: {types}" + ("" if self.filter == ALWAYS else f" where {self.filter!r}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A handler that may match, and what is left to ask; None where nothing is."""

    check: Callable[[Event], object] | None
    name: str
    call: Call
    quiet: Handled  # what comes of it where it does not reply, which is most of the time


def with_middleware(middleware: Middleware, inner: Call) -> Call:
    """*inner* with *middleware* around it; where that returns nothing, what it let through stands."""

    async def call(handling: Handling) -> Reply:
        passed: Reply = None

        async def call_next(handling: Handling) -> Reply:
            nonlocal passed
            passed = None
            passed = await inner(handling)
            return passed

        reply = await middleware(handling, call_next)
        return passed if reply is None else reply

    return call


class Dispatcher:
    """The handlers of a router, made ready. Does not change: a router that changes makes a new one.

    Args:
        entries: In the order in which they are asked.
    """

    __slots__ = ("_commands", "_handled", "_longest", "_plans", "_texts", "entries")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = (*(e for e in entries if not e.last_resort), *(e for e in entries if e.last_resort))
        leaves = [leaf for entry in entries for leaf in entry.filter.leaves()]
        self._commands = frozenset(leaf.name for leaf in leaves if isinstance(leaf, CommandIs))
        self._texts = frozenset(leaf.text for leaf in leaves if isinstance(leaf, TextIs))
        self._longest = max(map(len, self._texts), default=-1)
        self._plans: dict[tuple[Any, ...], tuple[_Candidate, ...]] = {}
        self._handled: dict[type[Event], bool] = {}

    def handles(self, event_type: type[Event]) -> bool:
        """Whether a handler might take events of this type; an `on_unhandled` hook is none."""
        known = self._handled.get(event_type)
        if known is None:
            known = any(issubclass(event_type, each.types) for each in self.entries if not each.last_resort)
            self._handled[event_type] = known
        return known

    async def dispatch(self, handling: Handling) -> Handled:
        """Give the event to the first handler that wants it.

        Cancelled, or left by an exception, the event counts as not handled: run it again, or put it aside.

        Raises:
            TypeError: A handler returned something that is no reply; or whatever a handler, a filter or a dependency
                raised. The handler's name is in a note on the exception, and in `handling.handler`.
        """
        event = handling.event
        for candidate in self._candidates(event):
            handling.handler = candidate.name
            try:
                if candidate.check is not None and not candidate.check(event):
                    continue
                reply = await candidate.call(handling)
                if reply is None:
                    return candidate.quiet
                if isinstance(reply, (str, Message)):
                    return Handled(candidate.quiet.handler, reply)
                raise TypeError(
                    f"handler {candidate.name} returned {type(reply).__qualname__}: "
                    "return a str or a Message to reply, or nothing"
                )
            except Skip:
                handling.passed_on()
                continue
            except Exception as exc:
                _note(exc, f"in handler {candidate.name}")
                raise
        handling.handler = ""
        return _NOBODY

    def _candidates(self, event: Event) -> tuple[_Candidate, ...]:
        command = literal = None
        if (self._commands or self._texts) and (text := text_of(event)) is not None:
            if self._commands and (found := command_of(text)) in self._commands:
                command = found
            # Compared by length first: to look up a text of ten megabytes is to hash it.
            if len(text) <= self._longest and text in self._texts:
                literal = text
        conversation = event.conversation
        kind = None if conversation is None else conversation.kind
        key = (type(event), event.channel, kind, event.automated, command, literal)
        plan = self._plans.get(key)
        return self._plan(key) if plan is None else plan

    def _plan(self, key: tuple[Any, ...]) -> tuple[_Candidate, ...]:
        event_type, facts = key[0], Facts(*key[1:])
        plan = []
        for entry in self.entries:
            rest = entry.filter.bind(facts) if issubclass(event_type, entry.types) else NEVER
            if rest != NEVER:
                plan.append(_candidate(entry, rest))
        if len(self._plans) >= _REMEMBERED:
            del self._plans[next(iter(self._plans))]  # the oldest
        self._plans[key] = tuple(plan)
        return self._plans[key]

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries)) or "no handlers"


_NOBODY: Final = Handled(None, None)


def _candidate(entry: Entry, rest: Filter) -> _Candidate:
    quiet = _NOBODY if entry.last_resort else Handled(entry.name, None)
    return _Candidate(None if rest == ALWAYS else rest, entry.name, entry.call, quiet)


def _note(exc: Exception, note: str) -> None:
    if note not in getattr(exc, "__notes__", ()):  # the same exception may come back from a second run
        exc.add_note(note)
