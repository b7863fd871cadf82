"""The inbound half of the router: a composable set of handlers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, Unpack, overload
from weakref import WeakSet

from convergekit.errors import ConfigurationError
from convergekit.model import Event, MessageReceived

from ._signature import is_async, name_of
from .dispatch import Dispatcher, Entry, Middleware, with_middleware
from .filters import ALWAYS, Filter, FilterArgs, from_args
from .handling import Reply
from .injection import Call, compile_handler

__all__ = ["Router"]

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Reply] | Reply])
MiddlewareT = TypeVar("MiddlewareT", bound=Middleware)


@dataclass(frozen=True, slots=True)
class _Inclusion:
    router: Router
    filter: Filter


class Router:
    """Handlers of what comes in, in the order in which they are registered.

    The first one that matches has the event, and `raise Skip` in it passes the event on. Handlers get what they name
    by type: the event, `Message`, `Conversation`, `Contact`, `Channel`, `Hub`, `Handling`, or what `Depends` makes.
    A plain function runs in a thread, which costs 0.1 ms; an async one costs nothing.

    Registering is meant for start-up, but may happen at any time: the next event sees it.

    Args:
        name: For people, in errors and when printed.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._items: list[Entry | _Inclusion] = []
        self._middleware: list[Middleware] = []
        self._parents: WeakSet[Router] = WeakSet()
        self._dispatcher: Dispatcher | None = None

    @overload
    def on_message(self, handler: HandlerT, /) -> HandlerT: ...
    @overload
    def on_message(
        self, /, *, timeout: float | None = None, **filters: Unpack[FilterArgs]
    ) -> Callable[[HandlerT], HandlerT]: ...
    def on_message(self, handler: Any = None, /, *, timeout: float | None = None, **filters: Unpack[FilterArgs]) -> Any:
        """Register a handler of messages: `@router.on_message`, or with filters, all of which must hold.

        Args:
            handler: What takes the message; returning a `str` or a `Message` replies.
            timeout: Seconds that one run may take, or None for no limit; over it, the run ends in `TimeoutError`.
            **filters: `channel`, `kind`, `text`, `command`, `sender`, `automated`, `where`: see `FilterArgs`.

        Raises:
            ConfigurationError: A filter makes no sense, or a parameter of the handler cannot be injected.
        """
        register = self.on_event(MessageReceived, timeout=timeout, **filters)
        return register if handler is None else register(handler)

    def on_event(
        self, *types: type[Event], timeout: float | None = None, **filters: Unpack[FilterArgs]
    ) -> Callable[[HandlerT], HandlerT]:
        """Register a handler of events of *types*, and of types derived from them; `Event` is all of them.

        Takes the same arguments as `on_message`, and raises the same errors.
        """
        if not types or not all(map(_is_event_type, types)):
            raise ConfigurationError("on_event needs the types of events, as in @router.on_event(ReactionChanged)")
        wanted = from_args(filters)
        _check_text(types, filters)

        def register(handler: HandlerT) -> HandlerT:
            self._add(Entry(name_of(handler), types, wanted, compile_handler(handler, types, timeout=timeout)))
            return handler

        return register

    def on_unhandled(self, hook: HandlerT, /) -> HandlerT:
        """Register what is called with an event that no handler has taken: it counts as unhandled all the same.

        It is injected, replies and skips as a handler does, and comes after all handlers, of included routers too;
        of several hooks the first one has the event. It sees only what reaches the router: that it is there does
        not make the engine keep internal events that no handler asks for.
        """
        self._add(Entry(name_of(hook), (Event,), ALWAYS, compile_handler(hook, (Event,)), last_resort=True))
        return hook

    def middleware(self, middleware: MiddlewareT, /) -> MiddlewareT:
        """Put *middleware* around each handler of this router and of those that it includes.

        It is an `async def` of *handling* and *call_next*, and runs once for each handler that matches; the one
        registered first is outermost. `await call_next(handling)` runs the handler and gives its reply; whoever does
        not call it has taken the event. Returning a reply replaces the handler's; returning nothing leaves it as it
        is. An exception, `Skip` among them, passes through.
        """
        if not is_async(middleware):
            raise ConfigurationError(f"middleware {name_of(middleware)} must be `async def ...(handling, call_next)`")
        self._middleware.append(middleware)
        self._changed()
        return middleware

    def include(self, router: Router, /, **filters: Unpack[FilterArgs]) -> None:
        """Ask the handlers of *router* at this place in the order, for events that *filters* let through.

        What is registered with *router* later belongs to it as well.

        Raises:
            ConfigurationError: *router* is this one, or includes it.
        """
        if not isinstance(router, Router):
            raise ConfigurationError(f"include({type(router).__qualname__}): give a Router")
        if self in router._family():
            raise ConfigurationError(f"{self!r} cannot include {router!r}, which includes it")
        wanted = from_args(filters)
        router._parents.add(self)
        self._items.append(_Inclusion(router, wanted))
        self._changed()

    def compiled(self) -> Dispatcher:
        """What the engine dispatches with: all handlers as they are now. The same object until something changes."""
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(tuple(_numbered(self._entries())))
        return self._dispatcher

    def _add(self, entry: Entry) -> None:
        self._items.append(entry)
        self._changed()

    def _changed(self) -> None:
        self._dispatcher = None
        for parent in self._parents:
            parent._changed()

    def _family(self) -> Iterator[Router]:
        yield self
        for item in self._items:
            if isinstance(item, _Inclusion):
                yield from item.router._family()

    def _entries(self) -> Iterator[Entry]:
        """All handlers in order, with the filters of their inclusions in front and the middleware around."""
        for item in self._items:
            if isinstance(item, Entry):
                yield replace(item, call=self._wrapped(item.call))
                continue
            for entry in item.router._entries():
                yield replace(entry, filter=item.filter & entry.filter, call=self._wrapped(entry.call))

    def _wrapped(self, call: Call) -> Call:
        for middleware in reversed(self._middleware):
            call = with_middleware(middleware, call)
        return call

    def __repr__(self) -> str:
        return f"<Router {self.name}>" if self.name else f"<Router of {len(self._items)}>"

    def __str__(self) -> str:
        return str(self.compiled())


def _is_event_type(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Event)


def _numbered(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Names made unique: `app.answer`, `app.answer#2`, as keys of what they send are made of them."""
    seen: Counter[str] = Counter()
    for entry in entries:
        seen[entry.name] += 1
        count = seen[entry.name]
        yield entry if count == 1 else replace(entry, name=f"{entry.name}#{count}")


def _check_text(types: tuple[type[Event], ...], filters: FilterArgs) -> None:
    """A filter on text among events that have none would never match, in silence."""
    asked = [name for name in ("text", "command") if filters.get(name) is not None]
    if asked and not any("text" in each.model_fields or each is Event for each in types):
        names = ", ".join(each.__name__ for each in types)
        raise ConfigurationError(f"{' and '.join(asked)}: {names} has no text, so the handler would never run")
