"""Injection: what a handler names by type is found once, when it is registered, and only fetched when it runs.

Rules kept here:

- A parameter that nothing can be found for is an error at registration, naming the handler, the parameter and its type.
- A parameter with a default of its own, which nothing is found for, keeps its default.
- Each dependency runs once per run of a handler, in the order of the parameters, whoever asks for it;
  context managers are entered before the handler and left after it, whatever came of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Final, get_args

import anyio
from anyio import to_thread

from convergekit.errors import ConfigurationError
from convergekit.model import AuthorisationRevoked, ChannelChanged, Contact, Event, GapDetected, Message

from ._signature import Dependency, Parameter, bare, function_of, is_async, name_of, parameters_of
from .handling import Handling, Reply

__all__ = ["Call", "Depends", "compile_handler"]

#: A handler made ready: fetches what it takes, and runs it.
Call = Callable[[Handling], Awaitable[Reply]]

#: Events about a channel or an account: they have neither a conversation nor a sender.
_NOWHERE: Final = (AuthorisationRevoked, ChannelChanged, GapDetected)


def Depends(provider: Callable[..., Any]) -> Any:
    """Give a parameter what *provider* returns; stands as its default, or in its `Annotated` type.

    Args:
        provider: An async function; a plain function or a class, which is called in place and so must not block; an
            async generator function or async context manager, entered before the handler and left after it.
            Its own parameters are injected by the same rules. It runs once per run of a handler.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if not callable(provider):
        raise ConfigurationError(f"Depends({provider!r}): give the function itself, as in Depends(make_it)")
    return Dependency(provider)


@dataclass(slots=True)
class _Frame:
    """One run of a handler that has dependencies: their values, in the order in which they were compiled."""

    handling: Handling
    values: list[Any]


_Get = Callable[[Any], Any]  # takes a Handling; in a handler that has dependencies, a _Frame
_Step = Callable[[_Frame, AsyncExitStack], Awaitable[Any]]


def compile_handler(fn: Callable[..., Any], types: Sequence[type[Event]], *, timeout: float | None = None) -> Call:
    """Make *fn* ready to handle events of *types*.

    Args:
        fn: An async function, or a plain one, which runs in a thread (0.1 ms more).
        types: What it is registered for.
        timeout: Seconds that one run may take, dependencies included; None sets no limit and costs nothing.

    Raises:
        ConfigurationError: It cannot be called with what there is; the text says which parameter, and the way out.
    """
    owner = f"handler {name_of(fn)}"
    _check(fn, owner, timeout)
    compiler = _Compiler(owner, tuple(types))
    call = _runner(fn, compiler.arguments(fn))
    if compiler.steps:
        call = _after_steps(call, tuple(compiler.steps), stacked=compiler.stacked)
    return call if timeout is None else _limited(call, timeout, owner)


def _check(fn: Any, owner: str, timeout: float | None) -> None:
    if isinstance(fn, type) or not callable(fn):
        raise ConfigurationError(f"{owner}: give a function, and filters by name, as in channel='support-*'")
    if inspect.isgeneratorfunction(function_of(fn)) or inspect.isasyncgenfunction(function_of(fn)):
        raise ConfigurationError(f"{owner} is a generator: return one reply, and send what else there is to say")
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigurationError(f"{owner}: timeout={timeout!r} is not a number of seconds above 0")
    if timeout is not None and not is_async(fn):
        raise ConfigurationError(f"{owner}: timeout={timeout!r} needs an async function; a thread cannot be ended")


@dataclass(frozen=True, slots=True)
class _Arguments:
    positional: tuple[_Get, ...]
    keywords: tuple[tuple[str, _Get], ...]

    def bound_to(self, fn: Callable[..., Any]) -> Callable[[Any], Any]:
        """What fetches the arguments and calls *fn* with them; without a loop where there are as few as usual."""
        positional, keywords = self.positional, self.keywords
        if keywords or len(positional) > 2:
            return lambda of: fn(*[get(of) for get in positional], **{name: get(of) for name, get in keywords})
        match positional:
            case (first, second):
                return lambda of: fn(first(of), second(of))
            case (only,):
                return lambda of: fn(only(of))
        return lambda of: fn()


def _runner(fn: Callable[..., Any], arguments: _Arguments) -> Callable[[Any], Awaitable[Any]]:
    if is_async(fn):
        return arguments.bound_to(fn)
    bind = arguments.bound_to(partial(partial, fn))  # the arguments are fetched here, and only the call leaves

    async def in_thread(of: Any) -> Any:
        return await to_thread.run_sync(bind(of))

    return in_thread


def _after_steps(call: Callable[[_Frame], Awaitable[Any]], steps: tuple[_Step, ...], *, stacked: bool) -> Call:
    idle = AsyncExitStack()  # stands in where nothing is entered

    async def run(handling: Handling, stack: AsyncExitStack = idle) -> Reply:
        frame = _Frame(handling, [])
        for step in steps:
            frame.values.append(await step(frame, stack))
        reply: Reply = await call(frame)
        return reply

    async def run_stacked(handling: Handling) -> Reply:
        reply: Reply = None  # stays so where a context manager swallows an error, as it may
        async with AsyncExitStack() as stack:
            reply = await run(handling, stack)
        return reply

    return run_stacked if stacked else run


def _limited(call: Call, seconds: float, owner: str) -> Call:
    async def limited(handling: Handling) -> Reply:
        with anyio.move_on_after(seconds):
            return await call(handling)
        raise TimeoutError(f"{owner} took longer than its limit of {seconds:g} s")

    return limited


class _Compiler:
    """Finds the source of each parameter of one handler, and of the dependencies that it leads to."""

    def __init__(self, handler: str, types: tuple[type[Event], ...]) -> None:
        self.handler, self.types = handler, types
        self.steps: list[_Step] = []
        self.stacked = False
        self._framed = False
        self._known: list[tuple[Callable[..., Any], int]] = []
        self._open: list[Callable[..., Any]] = []

    def arguments(self, fn: Callable[..., Any]) -> _Arguments:
        """Where the arguments of *fn* come from, in the order of its parameters."""
        owner = f"{self.handler}, dependency {name_of(fn)}" if self._open else self.handler
        parameters = parameters_of(fn, owner)
        # What the getters are given depends on whether there are steps, so that is settled before the first of them.
        self._framed = self._framed or any(each.dependency or each.type is Contact for each in parameters)
        positional: list[_Get] = []
        keywords: list[tuple[str, _Get]] = []
        left_out = False
        for each in parameters:
            get = self._source(each)
            if get is None and not (each.has_default and each.keyword is not None):
                raise each.error(self._way_out(each))
            if get is None:
                left_out = True
            elif each.keyword or left_out:
                keywords.append((each.name, get))
            else:
                positional.append(get)
        return _Arguments(tuple(positional), tuple(keywords))

    def _source(self, parameter: Parameter) -> _Get | None:
        if parameter.dependency is not None:
            return self._provided(parameter.dependency.provider)
        if parameter.type is Contact:
            return self._contact(parameter)
        get = self._from_handling(parameter) or self._event(parameter)
        return get if get is None or not self._framed else lambda frame: get(frame.handling)

    def _from_handling(self, parameter: Parameter) -> _Get | None:
        """What is an attribute of the handling, or is made of its event."""
        if parameter.type is Handling:
            return lambda handling: handling
        if parameter.type is Message:
            return self._message(parameter)
        attribute = getattr(parameter.type, "__convergekit_inject__", None)
        if attribute is None or not isinstance(parameter.type, type):
            return None
        if not hasattr(Handling, attribute):
            raise parameter.error(f"__convergekit_inject__ names {attribute!r}, which is no attribute of Handling")
        if attribute == "conversation":
            self._check_place(parameter)
        get = attrgetter(attribute)
        return get if parameter.optional else _required(parameter, get, attribute)

    def _message(self, parameter: Parameter) -> _Get:
        without = [each.__name__ for each in self.types if not hasattr(each, "to_message")]
        if without and not parameter.optional:
            raise parameter.error(
                f"{_listed(without)} is not a message; register with on_message, "
                f"take the event itself, or write `{parameter.name}: Message | None`"
            )
        return _message_or_none if without else _message

    def _event(self, parameter: Parameter) -> _Get | None:
        """The event, where every type that the handler is registered for is one of those that are named."""
        named = tuple(each for each in get_args(parameter.type) or (parameter.type,) if isinstance(each, type))
        fits = object not in named and all(issubclass(each, named) for each in self.types)
        return attrgetter("event") if fits else None

    def _contact(self, parameter: Parameter) -> _Get:
        self._check_place(parameter)

        async def step(frame: _Frame, stack: AsyncExitStack) -> Contact | None:
            found = await frame.handling.contact()
            if found is None and not parameter.optional:
                raise _missing(parameter, frame.handling.event, "known sender")
            return found

        return self._add(step)

    def _check_place(self, parameter: Parameter) -> None:
        """Some events can never have a conversation or a sender; whoever may get one of them has to expect None."""
        wrong = [each.__name__ for each in _NOWHERE if issubclass(each, self.types) or _any_is(self.types, each)]
        if wrong and not parameter.optional:
            raise parameter.error(
                f"{_listed(wrong)} has none; write `{parameter.name}: {parameter.shown} | None`, "
                "or register for fewer types"
            )

    def _add(self, step: _Step) -> _Get:
        self.steps.append(step)
        return partial(_slot, len(self.steps) - 1)

    def _provided(self, provider: Callable[..., Any]) -> _Get:
        """The value of *provider*, which is compiled where it is met first."""
        for known, slot in self._known:  # compared, not hashed: an object with __call__ need not be hashable
            if known == provider:
                return partial(_slot, slot)
        if provider in self._open:
            circle = " -> ".join(name_of(each) for each in [*self._open, provider])
            raise ConfigurationError(f"{self.handler}: dependencies go in a circle: {circle}")
        self._open.append(provider)
        get = self._add(self._step(provider))
        self._open.pop()
        self._known.append((provider, len(self.steps) - 1))
        return get

    def _step(self, provider: Callable[..., Any]) -> _Step:
        manager = _as_manager(provider, self.handler)
        call = self.arguments(provider).bound_to(manager or provider)
        if manager is not None:
            self.stacked = True
            return lambda frame, stack: stack.enter_async_context(call(frame))
        if is_async(provider):
            return lambda frame, stack: call(frame)

        async def in_place(frame: _Frame, stack: AsyncExitStack) -> Any:
            return call(frame)

        return in_place

    def _way_out(self, parameter: Parameter) -> str:
        types = _listed([each.__name__ for each in self.types])
        if parameter.type is None:
            return f"it has no type; if it is to be the event, write `{parameter.name}: {types.replace(', ', ' | ')}`"
        if isinstance(parameter.type, type) and issubclass(parameter.type, Event):
            return f"the handler is registered for {types}; register it with on_event({parameter.shown})"
        return (
            f"only the event ({types}), Message, Conversation, Contact, Channel, Hub, Transaction and "
            "Handling can; for all else say how it is made: "
            f"`{parameter.name}: Annotated[{parameter.shown}, Depends(make_it)]`"
        )


def _as_manager(provider: Callable[..., Any], handler: str) -> Callable[..., Any] | None:
    """*provider* as something that makes async context managers, or None where it only makes a value.

    Told by how it is written, not by what it returns: who returns a shared client does not want it closed.
    """
    if isinstance(provider, type):
        return provider if hasattr(provider, "__aenter__") and hasattr(provider, "__aexit__") else None
    written = function_of(provider)
    if inspect.isgeneratorfunction(written):
        raise ConfigurationError(f"{handler}: dependency {name_of(provider)} is a generator; make it an async one")
    if not inspect.isasyncgenfunction(written):
        return None
    decorated = inspect.unwrap(bare(provider)) is not bare(provider)
    return provider if decorated else asynccontextmanager(provider)


def _required(parameter: Parameter, get: _Get, what: str) -> _Get:
    def required(handling: Handling) -> Any:
        found = get(handling)
        if found is None:
            raise _missing(parameter, handling.event, what)
        return found

    return required


def _missing(parameter: Parameter, event: Event, what: str) -> ConfigurationError:
    wanted = f"`{parameter.name}: {parameter.shown} | None`"
    return parameter.error(f"this {type(event).__name__} has no {what}; write {wanted} where that may be")


def _slot(index: int, frame: _Frame) -> Any:
    return frame.values[index]


def _message(handling: Handling) -> Any:
    return handling.event.to_message()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def _message_or_none(handling: Handling) -> Any:
    return _message(handling) if hasattr(type(handling.event), "to_message") else None


def _any_is(types: tuple[type[Event], ...], base: type[Event]) -> bool:
    return any(issubclass(each, base) for each in types)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
