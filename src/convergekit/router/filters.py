"""Filters: which events a handler wants, as values that are combined, compared and printed.

A filter is called with an event and says yes or no. `&`, `|` and `~` combine filters; `and`, `or` and `not` cannot.

Most of what filters ask is known before any of them is called: the channel, the kind, whether a program wrote,
which of the known commands or texts it is. Those are the `Facts`. `bind` evaluates a filter as far as they reach,
and what remains is kept per facts, so that a hundred handlers cost one look into a dictionary.
The law between the two: where *facts* are those of *event*, `f.bind(facts)(event) == f(event)`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import reduce
from inspect import isawaitable
from operator import and_
from typing import Any, Final, NamedTuple, TypedDict

from convergekit.errors import ConfigurationError, InvalidInputError
from convergekit.model import Address, ConversationKind, Event

from ._signature import is_async, name_of

__all__ = [
    "ALWAYS",
    "NEVER",
    "CommandIs",
    "Facts",
    "Filter",
    "FilterArgs",
    "Predicate",
    "TextIs",
    "automated",
    "channel",
    "command",
    "command_of",
    "from_args",
    "kind",
    "sender",
    "text",
    "text_of",
    "where",
]

#: A question about an event; pure, fast, and not async.
Predicate = Callable[[Any], object]

_MAGIC: Final = re.compile(r"[*?\[]")
_COMMAND: Final = re.compile(r"\s*+/(\S{1,64})(?!\S)")


class Facts(NamedTuple):
    """What is known of an event without calling a filter.

    Args:
        channel: Its channel.
        kind: The kind of its conversation, or None where it has none.
        automated: Whether a program sent it.
        command: Its command, if any handler names it, else None.
        text: Its whole text, if any handler names it literally, else None.
    """

    channel: str
    kind: ConversationKind | None
    automated: bool
    command: str | None
    text: str | None


class FilterArgs(TypedDict, total=False):
    """The keyword form of filters; all that are given must hold, and None is the same as leaving it out."""

    channel: str | None
    """A glob on the channel's name: `support-*`."""
    kind: ConversationKind | str | None
    """Who takes part: "direct", "group" or "public"."""
    text: str | re.Pattern[str] | None
    """A glob on the whole text, case and all; or a compiled pattern that is searched for."""
    command: str | None
    """A word: "start" for texts that begin with "/start"."""
    sender: str | Address | None
    """A glob on the sender's URI: `mailto:*@example.org`."""
    automated: bool | None
    """Whether a program sent it (RFC 3834)."""
    where: Filter | Predicate | None
    """Anything else: a filter, or a function that takes the event."""


class Filter(ABC):
    """A yes or no about an event."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, event: Event) -> bool:
        """Whether *event* is wanted."""

    def bind(self, facts: Facts) -> Filter:
        """What remains to be asked of events with these *facts*; `ALWAYS` or `NEVER` where nothing does."""
        return self

    def leaves(self) -> Iterator[Filter]:
        """The filters that this one is combined of."""
        yield self

    def __and__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        return _AllOf.of(self, other)

    def __or__(self, other: Filter) -> Filter:
        if not isinstance(other, Filter):
            return NotImplemented
        return _AnyOf.of(self, other)

    def __invert__(self) -> Filter:
        return _Not.of(self)

    def __bool__(self) -> bool:
        raise TypeError("a filter is neither true nor false: combine filters with &, | and ~, not with and, or and not")


@dataclass(frozen=True, slots=True, repr=False)
class _Constant(Filter):
    """The same answer for every event."""

    answer: bool

    def __call__(self, event: Event) -> bool:
        return self.answer

    def __repr__(self) -> str:
        return "ALWAYS" if self.answer else "NEVER"


ALWAYS: Final = _Constant(True)
NEVER: Final = _Constant(False)


@dataclass(frozen=True, slots=True, repr=False)
class _Not(Filter):
    """The opposite."""

    part: Filter

    @staticmethod
    def of(part: Filter) -> Filter:
        """The opposite of *part*, as simple as can be."""
        match part:
            case _Constant():
                return NEVER if part.answer else ALWAYS
            case _Not():
                return part.part
        return _Not(part)

    def __call__(self, event: Event) -> bool:
        return not self.part(event)

    def bind(self, facts: Facts) -> Filter:
        return _Not.of(self.part.bind(facts))

    def leaves(self) -> Iterator[Filter]:
        return self.part.leaves()

    def __repr__(self) -> str:
        return f"~{self.part!r}" if not isinstance(self.part, _AllOf | _AnyOf) else f"~({self.part!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _AllOf(Filter):
    """All parts hold; asked from left to right until one does not."""

    parts: tuple[Filter, ...]

    @staticmethod
    def of(*parts: Filter) -> Filter:
        """*parts* together, as simple as can be."""
        flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, _AllOf) else (part,))]
        if NEVER in flat:
            return NEVER
        flat = [part for part in flat if part != ALWAYS]
        return flat[0] if len(flat) == 1 else _AllOf(tuple(flat)) if flat else ALWAYS

    def __call__(self, event: Event) -> bool:
        return all(part(event) for part in self.parts)

    def bind(self, facts: Facts) -> Filter:
        return _AllOf.of(*(part.bind(facts) for part in self.parts))

    def leaves(self) -> Iterator[Filter]:
        return (leaf for part in self.parts for leaf in part.leaves())

    def __repr__(self) -> str:
        return " & ".join(f"({part!r})" if isinstance(part, _AnyOf) else repr(part) for part in self.parts)


@dataclass(frozen=True, slots=True, repr=False)
class _AnyOf(Filter):
    """One part holds; asked from left to right until one does."""

    parts: tuple[Filter, ...]

    @staticmethod
    def of(*parts: Filter) -> Filter:
        """One of *parts*, as simple as can be."""
        flat = [leaf for part in parts for leaf in (part.parts if isinstance(part, _AnyOf) else (part,))]
        if ALWAYS in flat:
            return ALWAYS
        flat = [part for part in flat if part != NEVER]
        return flat[0] if len(flat) == 1 else _AnyOf(tuple(flat)) if flat else NEVER

    def __call__(self, event: Event) -> bool:
        return any(part(event) for part in self.parts)

    def bind(self, facts: Facts) -> Filter:
        return _AnyOf.of(*(part.bind(facts) for part in self.parts))

    def leaves(self) -> Iterator[Filter]:
        return (leaf for part in self.parts for leaf in part.leaves())

    def __repr__(self) -> str:
        return " | ".join(repr(part) for part in self.parts)


@dataclass(frozen=True, slots=True, repr=False)
class _ChannelLike(Filter):
    """The channel's name fits a glob."""

    glob: str

    def __call__(self, event: Event) -> bool:
        return fnmatchcase(event.channel, self.glob)

    def bind(self, facts: Facts) -> Filter:
        return ALWAYS if fnmatchcase(facts.channel, self.glob) else NEVER

    def __repr__(self) -> str:
        return f"channel({self.glob!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _KindIs(Filter):
    """The conversation is of this kind."""

    kind: ConversationKind

    def __call__(self, event: Event) -> bool:
        return event.conversation is not None and event.conversation.kind is self.kind

    def bind(self, facts: Facts) -> Filter:
        return ALWAYS if facts.kind is self.kind else NEVER

    def __repr__(self) -> str:
        return f"kind({self.kind.value!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _AutomatedIs(Filter):
    """A program sent it, or did not."""

    automated: bool

    def __call__(self, event: Event) -> bool:
        return event.automated is self.automated

    def bind(self, facts: Facts) -> Filter:
        return ALWAYS if facts.automated is self.automated else NEVER

    def __repr__(self) -> str:
        return f"automated({'' if self.automated else 'False'})"


@dataclass(frozen=True, slots=True, repr=False)
class CommandIs(Filter):
    """The first word of the text is this command."""

    name: str

    def __call__(self, event: Event) -> bool:
        """Whether its text begins with this command."""
        return command_of(text_of(event)) == self.name

    def bind(self, facts: Facts) -> Filter:
        """Nothing remains: the facts tell."""
        return ALWAYS if facts.command == self.name else NEVER

    def __repr__(self) -> str:
        return f"command({self.name!r})"


@dataclass(frozen=True, slots=True, repr=False)
class TextIs(Filter):
    """The whole text is this."""

    text: str

    def __call__(self, event: Event) -> bool:
        """Whether its text is this."""
        return text_of(event) == self.text

    def bind(self, facts: Facts) -> Filter:
        """Nothing remains: the facts tell."""
        return ALWAYS if facts.text == self.text else NEVER

    def __repr__(self) -> str:
        return f"text({self.text!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _TextLike(Filter):
    """A pattern fits the text: all of it (a glob), or some of it."""

    pattern: re.Pattern[str]
    glob: str | None = None

    def __call__(self, event: Event) -> bool:
        found = text_of(event)
        return found is not None and self.pattern.search(found) is not None

    def __repr__(self) -> str:
        return f"text({self.pattern if self.glob is None else self.glob!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _SenderLike(Filter):
    """A pattern fits the sender's URI."""

    pattern: re.Pattern[str]
    glob: str

    def __call__(self, event: Event) -> bool:
        return event.sender is not None and self.pattern.search(event.sender.uri) is not None

    def __repr__(self) -> str:
        return f"sender({self.glob!r})"


@dataclass(frozen=True, slots=True, repr=False)
class _Where(Filter):
    """A function of the host's says yes."""

    predicate: Predicate

    def __call__(self, event: Event) -> bool:
        found = self.predicate(event)
        if found is True or found is False:
            return found
        if isawaitable(found):  # always true, if it were let through
            raise TypeError(f"{self!r} returned an awaitable: a filter cannot wait; ask in the handler and raise Skip")
        return bool(found)

    def __repr__(self) -> str:
        return f"where({name_of(self.predicate)})"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _globbed(glob: str) -> re.Pattern[str]:
    return re.compile(r"\A" + translate(glob))  # which only says where a match ends


def text_of(event: Event) -> str | None:
    """The text of *event*, or None where it has none, or is of a type that has none."""
    found = event.__dict__.get("text")  # not getattr: pydantic takes a microsecond to say that there is no such field
    return found if isinstance(found, str) else None


def command_of(text: str | None) -> str | None:
    """The first word of *text* without its slash, "start" for "/start now"; None where that is no command."""
    found = _COMMAND.match(text) if text is not None else None
    return found[1] if found else None


def channel(glob: str) -> Filter:
    """Events of channels whose name fits *glob*, such as `support-*`; case matters, as everywhere."""
    if not _is_text(glob):
        raise ConfigurationError(f"channel={glob!r}: give the name of a channel, or a glob such as 'support-*'")
    return _ChannelLike(glob)


def kind(of: ConversationKind | str) -> Filter:
    """Events of direct, group or public conversations; an event without a conversation is none of them."""
    try:
        return _KindIs(ConversationKind(of))
    except ValueError:
        choices = ", ".join(repr(each.value) for each in ConversationKind)
        raise ConfigurationError(f"kind={of!r}: give one of {choices}") from None


def text(pattern: str | re.Pattern[str]) -> Filter:
    """Events whose `text` fits: a string is a glob on all of it, a compiled pattern is searched for."""
    if isinstance(pattern, re.Pattern) and _is_text(pattern.pattern):
        return _TextLike(pattern)
    if not _is_text(pattern):
        raise ConfigurationError(f"text={pattern!r}: give a string (a glob on the whole text), or re.compile('...')")
    pattern = str(pattern)
    return _TextLike(_globbed(pattern), pattern) if _MAGIC.search(pattern) else TextIs(pattern)


def command(name: str) -> Filter:
    """Events whose text begins with the word "/name"; case matters, a slash in front of *name* does not."""
    bare = str(name).removeprefix("/")
    if not _is_text(name) or command_of(f"/{bare}") != bare:
        raise ConfigurationError(f"command={name!r}: give one word of at most 64 characters, such as 'start'")
    return CommandIs(bare)


def sender(glob: str | Address) -> Filter:
    """Events whose sender's URI fits *glob*, such as `mailto:*@example.org`; an event without a sender never does."""
    shown = str(glob)
    if ":" not in shown and "*" not in shown:
        raise ConfigurationError(f"sender={glob!r}: give a URI or a glob on it, such as 'mailto:*@example.org'")
    if _MAGIC.search(shown) is None:
        try:
            shown = Address.parse(shown).uri  # as the sender's own: normalised
        except InvalidInputError as exc:
            raise ConfigurationError(f"sender={shown!r}: {exc}") from exc
    return _SenderLike(_globbed(shown), shown)


def automated(yes: bool = True) -> Filter:
    """Events that a program sent (RFC 3834), or with False those that none did."""
    if not isinstance(yes, bool):
        raise ConfigurationError(f"automated={yes!r}: give True, False, or leave it out for both")
    return _AutomatedIs(yes)


def where(predicate: Filter | Predicate) -> Filter:
    """Events that *predicate* says yes to.

    Args:
        predicate: Takes the event; called in place, so it must be quick, must not wait, and should have no effects:
            when it is called is left to the router. What has to wait belongs into the handler, which raises `Skip`.
    """
    if isinstance(predicate, Filter):
        return predicate
    if not callable(predicate):
        raise ConfigurationError(f"where={predicate!r}: give a filter, or a function that takes the event")
    if is_async(predicate):
        raise ConfigurationError(
            f"where={name_of(predicate)}: a filter cannot wait; ask in the handler, and raise Skip to pass the event on"
        )
    return _Where(predicate)


_BY_NAME: Final[dict[str, Callable[[Any], Filter]]] = {
    "channel": channel,
    "kind": kind,
    "automated": automated,
    "command": command,
    "text": text,
    "sender": sender,
    "where": where,
}


def from_args(args: FilterArgs) -> Filter:
    """The filter that keyword arguments stand for; raises `ConfigurationError` naming the one that makes no sense."""
    given = {name: value for name, value in args.items() if value is not None}
    if unknown := given.keys() - _BY_NAME.keys():
        raise ConfigurationError(f"no such filter: {', '.join(sorted(unknown))}; there are {', '.join(_BY_NAME)}")
    return reduce(and_, (make(given[name]) for name, make in _BY_NAME.items() if name in given), ALWAYS)
