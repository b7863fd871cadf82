"""The inbound router: the first match in order of registration has the event, whatever makes finding it quick."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.errors import ConfigurationError
from convergekit.model import (
    CustomReceived,
    DeliveryChanged,
    Event,
    Message,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
    TypingChanged,
)
from convergekit.router import CallNext, Dispatcher, Handled, Handling, Reply, Router, Skip
from convergekit.router.dispatch import _REMEMBERED
from convergekit.router.filters import ALWAYS, Filter, text

from .inbound_kit import FakeScope, dispatch, message
from .test_filters import FILTERS, MESSAGES

pytestmark = pytest.mark.anyio


def says(reply: Any = None, *, error: type[Exception] | None = None, log: list[str] | None = None) -> Any:
    """A handler that returns *reply*, or raises."""

    async def handler(event: Event) -> Any:
        if log is not None:
            log.append(str(reply))
        if error is not None:
            raise error
        return reply

    return handler


# --- Registration ----------------------------------------------------------------------------------------------------


async def test_both_ways_of_decorating_leave_the_function_as_it_is() -> None:
    router = Router()

    async def bare(event: MessageReceived) -> None: ...

    async def called(event: MessageReceived) -> None: ...

    assert router.on_message(bare) is bare
    assert router.on_message(channel="a")(called) is called
    assert router.on_event(TypingChanged)(called_too := says()) is called_too
    assert [entry.name.rpartition(".")[2] for entry in router.compiled().entries] == ["bare", "called", "handler"]


async def test_a_handler_gets_its_types_and_those_derived_from_them() -> None:
    class Special(MessageReceived):
        """A plugin's own."""

    router = Router()
    router.on_event(MessageEdited, ReactionChanged)(says("changed"))
    router.on_message(says("message"))
    router.on_event(Event)(says("any"))
    events = [MessageEdited(target="1"), ReactionChanged(target="1"), Special(text="x"), TypingChanged(typing=True)]
    assert [(await dispatch(router, each)).reply for each in events] == ["changed", "changed", "message", "any"]


@pytest.mark.parametrize("types", [(), (str,), (MessageReceived, "message.edited"), (says(),)])
def test_on_event_needs_types_of_events(types: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError, match="on_event needs the types of events"):
        Router().on_event(*types)


def test_a_text_filter_where_there_is_no_text_is_refused() -> None:
    """It would never match, in silence."""
    with pytest.raises(ConfigurationError, match="text: TypingChanged has no text"):
        Router().on_event(TypingChanged, text="a")
    Router().on_event(Event, text="a")
    Router().on_event(TypingChanged, MessageEdited, command="a")


async def test_a_registration_at_run_time_is_seen_by_the_next_event() -> None:
    outer, inner = Router(), Router()
    outer.include(inner)
    before = outer.compiled()
    assert outer.compiled() is before
    inner.on_message(says("late"))
    assert (await dispatch(outer)).reply == "late"
    assert before.entries == ()


def test_handler_names_are_unique_and_depend_on_the_code_alone() -> None:
    def build() -> list[str]:
        inner, router = Router(), Router()
        inner.on_message(command="a")(says())
        router.on_message(says())
        router.include(inner, channel="x")
        router.include(inner, channel="y")
        return [entry.name for entry in router.compiled().entries]

    base = f"{__name__}.says.<locals>.handler"
    assert build() == build() == [base, f"{base}#2", f"{base}#3"]


def test_a_router_prints_what_it_does() -> None:
    inner, router = Router("inner"), Router()
    inner.on_message(command="a")(says())
    router.include(inner, channel="x-*")
    router.on_event(MessageEdited, TypingChanged)(says())
    base = f"{__name__}.says.<locals>.handler"
    assert str(router) == (
        f"{base}: MessageReceived where channel('x-*') & command('a')\n{base}#2: MessageEdited | TypingChanged"
    )
    assert str(Router()) == "no handlers"
    assert repr(inner) == "<Router inner>"


# --- Dispatch --------------------------------------------------------------------------------------------------------


async def test_the_first_match_has_the_event_and_skip_passes_it_on() -> None:
    log: list[str] = []
    router = Router()
    router.on_message(text="other")(says("other", log=log))
    router.on_message(says("skips", error=Skip, log=log))
    router.on_message(command="no")(says("no", log=log))
    router.on_message(says("takes", log=log))
    router.on_message(says("late", log=log))

    handled = await dispatch(router)
    assert log == ["skips", "takes"]
    assert handled == Handled(f"{__name__}.says.<locals>.handler#4", "takes")


@pytest.mark.parametrize("reply", [None, "text", Message("message")])
async def test_what_a_handler_returns_is_the_reply(reply: Reply) -> None:
    router = Router()
    router.on_message(says(reply))
    assert await dispatch(router) == Handled(f"{__name__}.says.<locals>.handler", reply)


@pytest.mark.parametrize("reply", [0, True, b"bytes", ["list"], message()])
async def test_returning_something_else_is_an_error_that_names_the_handler(reply: object) -> None:
    router = Router()
    router.on_message(says(reply))
    with pytest.raises(TypeError, match=rf"handler {__name__}.says.<locals>.handler returned {type(reply).__name__}"):
        await dispatch(router)


async def test_an_error_carries_the_name_of_its_handler_and_ends_the_search() -> None:
    log: list[str] = []
    router = Router()
    router.on_message(says(error=ValueError))
    router.on_message(says("next", log=log))
    handling = Handling(message(), FakeScope())
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no text
        await router.compiled().dispatch(handling)
    name = f"{__name__}.says.<locals>.handler"
    assert caught.value.__notes__ == [f"in handler {name}"]
    assert handling.handler == name
    assert log == []


async def test_a_note_is_not_added_twice() -> None:
    error = ValueError()

    async def handler() -> None:
        raise error

    router = Router()
    router.on_message(handler)
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011
            await dispatch(router)
    assert len(error.__notes__) == 1


async def test_an_error_in_a_filter_is_an_error_of_its_handler() -> None:
    router = Router()
    router.on_message(where=lambda event: 1 / 0)(says())
    with pytest.raises(ZeroDivisionError) as caught:
        await dispatch(router)
    assert caught.value.__notes__ == [f"in handler {__name__}.says.<locals>.handler"]


async def test_the_handling_knows_which_handler_has_it() -> None:
    """Keys of what a handler sends are made of it."""
    names: list[str] = []

    async def one(handling: Handling) -> None:
        names.append(handling.handler)
        raise Skip

    async def two(handling: Handling) -> None:
        names.append(handling.handler)

    router = Router()
    router.on_message(one)
    router.on_message(two)
    await dispatch(router)
    assert [name.rpartition(".")[2] for name in names] == ["one", "two"]


def test_a_dispatcher_tells_which_types_it_handles() -> None:
    router = Router()
    router.on_message(says())
    router.on_unhandled(says())
    assert router.compiled().handles(MessageReceived)
    assert not router.compiled().handles(DeliveryChanged)
    router.on_event(Event)(says())
    assert router.compiled().handles(DeliveryChanged)


# --- Unhandled -------------------------------------------------------------------------------------------------------


async def test_unhandled_events_come_to_the_hook_and_stay_unhandled() -> None:
    log: list[str] = []
    router = Router()
    router.on_unhandled(says("hook", log=log))
    router.on_message(text="a")(says("a", log=log))
    router.on_message(says("skips", error=Skip, log=log))

    assert await dispatch(router) == Handled(None, "hook")
    assert log == ["skips", "hook"]
    assert (await dispatch(router, message("a"))).reply == "a"


async def test_without_a_hook_unhandled_is_a_value() -> None:
    handling = Handling(message(), FakeScope())
    assert await Router().compiled().dispatch(handling) == Handled(None, None)
    assert handling.handler == ""


async def test_the_hook_of_an_included_router_sees_what_its_inclusion_lets_through() -> None:
    inner, outer = Router(), Router()
    inner.on_unhandled(says("inner"))
    outer.include(inner, channel="a")
    outer.on_unhandled(says("outer"))
    outer.on_message(text="x")(says("handler"))
    assert (await dispatch(outer, message(channel="a"))).reply == "inner"
    assert (await dispatch(outer, message(channel="b"))).reply == "outer"
    assert (await dispatch(outer, message("x", channel="a"))).reply == "handler"


# --- Inclusion -------------------------------------------------------------------------------------------------------


async def test_an_included_router_stands_where_it_was_included() -> None:
    first, middle, outer = Router(), Router(), Router()
    outer.on_message(text="1")(says("1"))
    outer.include(middle, automated=False)
    outer.on_message(says("last"))
    middle.on_message(text="?")(says("middle"))
    assert [(await dispatch(outer, message(each))).reply for each in ("1", "2", "22")] == ["1", "middle", "last"]
    assert (await dispatch(outer, message("2", automated=True))).reply == "last"
    middle.include(first)
    first.on_message(says("first"))
    assert (await dispatch(outer, message("22"))).reply == "first"


def test_routers_do_not_include_each_other_in_a_circle() -> None:
    one, two = Router("one"), Router("two")
    one.include(two)
    for outer, inner in ((two, one), (one, one)):
        with pytest.raises(ConfigurationError, match="cannot include <Router one>, which includes it"):
            outer.include(inner)
    with pytest.raises(ConfigurationError, match="give a Router"):
        one.include(says())


def test_an_included_router_does_not_keep_the_outer_one_alive() -> None:
    inner, outer = Router(), Router()
    outer.include(inner)
    gone = weakref.ref(outer)
    del outer
    gc.collect()
    assert gone() is None


# --- Middleware ------------------------------------------------------------------------------------------------------


def logs(name: str, log: list[str]) -> Any:
    async def middleware(handling: Handling, call_next: CallNext) -> Reply:
        log.append(f"{name} in")
        try:
            return await call_next(handling)
        finally:
            log.append(f"{name} out")

    return middleware


async def test_middleware_stands_around_handlers_the_first_outermost() -> None:
    log: list[str] = []
    inner, outer = Router(), Router()
    inner.on_message(says("handler", log=log))
    inner.middleware(logs("inner", log))
    outer.include(inner)
    outer.middleware(logs("outer 1", log))
    outer.middleware(logs("outer 2", log))
    assert (await dispatch(outer)).reply == "handler"
    assert log == [
        *("outer 1 in", "outer 2 in", "inner in", "handler", "inner out", "outer 2 out", "outer 1 out"),
    ]


async def test_middleware_of_an_included_router_leaves_the_others_alone() -> None:
    log: list[str] = []
    inner, outer = Router(), Router()
    inner.on_message(text="a")(says("a"))
    inner.middleware(logs("inner", log))
    outer.include(inner)
    outer.on_message(says("b"))
    assert (await dispatch(outer)).reply == "b"
    assert log == []


async def test_middleware_may_replace_the_reply_but_does_not_lose_it() -> None:
    """The usual slip, not to return what `call_next` gave, must not swallow an answer."""

    async def forgetful(handling: Handling, call_next: CallNext) -> None:
        await call_next(handling)

    async def polite(handling: Handling, call_next: CallNext) -> str:
        return f"{await call_next(handling)}, please"

    router = Router()
    router.on_message(says("wait"))
    router.middleware(forgetful)
    assert (await dispatch(router)).reply == "wait"
    router.middleware(polite)
    assert (await dispatch(router)).reply == "wait, please"


async def test_middleware_may_take_the_event_or_skip_the_handler() -> None:
    async def gate(handling: Handling, call_next: CallNext) -> Reply:
        match handling.event:
            case MessageReceived(text="stop"):
                return "closed"
            case MessageReceived(text="skip"):
                raise Skip
        return await call_next(handling)

    inner, router = Router(), Router()
    inner.on_message(says("open"))
    inner.middleware(gate)
    router.include(inner)
    router.on_message(says("other"))
    replies = [(await dispatch(router, message(each))).reply for each in ("stop", "skip", "hello")]
    assert replies == ["closed", "other", "open"]


async def test_middleware_may_run_the_handler_again() -> None:
    log: list[str] = []

    async def twice(handling: Handling, call_next: CallNext) -> Reply:
        try:
            return await call_next(handling)
        except ValueError:
            return await call_next(handling)

    async def fails_once() -> str:
        log.append("run")
        if len(log) == 1:
            raise ValueError
        return "fine"

    router = Router()
    router.on_message(fails_once)
    router.middleware(twice)
    assert (await dispatch(router)).reply == "fine"


async def test_a_reply_of_a_run_that_was_repeated_in_vain_is_not_kept() -> None:
    calls: list[int] = []

    async def again(handling: Handling, call_next: CallNext) -> None:
        await call_next(handling)
        try:
            await call_next(handling)
        except ValueError:
            return

    async def fails_then() -> str:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError
        return "first"

    router = Router()
    router.on_message(fails_then)
    router.middleware(again)
    assert (await dispatch(router)).reply is None


async def test_middleware_hands_values_on() -> None:
    async def mark(handling: Handling, call_next: CallNext) -> Reply:
        handling.values["tenant"] = "north"
        return await call_next(handling)

    async def handler(handling: Handling) -> str:
        return str(handling.values["tenant"])

    router = Router()
    router.on_message(handler)
    router.middleware(mark)
    assert (await dispatch(router)).reply == "north"


def test_middleware_must_be_async() -> None:
    with pytest.raises(ConfigurationError, match="async def"):
        Router().middleware(lambda handling, call_next: call_next(handling))


def test_a_handling_prints_no_content() -> None:
    assert repr(Handling(message("secret"), FakeScope())) == "<Handling of MessageReceived 'k1' on 'support-mail'>"


# --- The law: whatever is indexed or remembered, it is a linear scan -------------------------------------------------


class Ping(CustomReceived):
    """A plugin's own refinement."""

    name: str = "ping"


EVENTS = st.one_of(
    MESSAGES,
    st.builds(Ping, channel=st.sampled_from(["a", "b"])),
    st.builds(MessageEdited, target=st.just("1"), channel=st.just("a"), text=st.sampled_from(["a", "/a", None])),
)
TYPES = st.lists(
    st.sampled_from([MessageReceived, MessageEdited, CustomReceived, Event]), min_size=1, max_size=2, unique=True
)


@dataclass
class Handler:
    """One registration, as the naive router sees it."""

    types: list[type[Event]]
    filter: Filter
    skips: bool
    hook: ClassVar[bool] = False


@dataclass
class Hook(Handler):
    hook: ClassVar[bool] = True


@dataclass
class Included:
    filter: Filter
    items: list[Any]


ITEMS = st.recursive(
    st.lists(
        st.builds(Handler, TYPES, FILTERS, st.booleans())
        | st.builds(Hook, st.just([Event]), st.just(ALWAYS), st.booleans()),
        max_size=6,
    ),
    lambda inner: st.lists(st.builds(Handler, TYPES, FILTERS, st.booleans()) | st.builds(Included, FILTERS, inner)),
    max_leaves=4,
)


def flat(items: list[Any], outer: list[Filter]) -> Iterator[tuple[Handler, list[Filter]]]:
    for item in items:
        if isinstance(item, Included):
            yield from flat(item.items, [*outer, item.filter])
        else:
            yield item, [*outer, item.filter]


def scan(items: list[Any], event: Event) -> tuple[list[int], int | None]:
    """What a router is: which handlers run, and which one takes the event."""
    ran: list[int] = []
    for hooks in (False, True):
        for number, (each, filters) in enumerate(flat(items, [])):
            if each.hook is not hooks or not isinstance(event, tuple(each.types)):
                continue
            if not all(wanted(event) for wanted in filters):
                continue
            ran.append(number)
            if not each.skips:
                return ran, number
    return ran, None


def build(items: list[Any], router: Router, ran: list[int], numbers: Iterator[int]) -> Router:
    for item in items:
        if isinstance(item, Included):
            router.include(build(item.items, Router(), ran, numbers), where=item.filter)
            continue
        handler = running(item, ran, next(numbers))
        if item.hook:
            router.on_unhandled(handler)
        else:
            router.on_event(*item.types, where=item.filter)(handler)
    return router


def running(item: Handler, ran: list[int], number: int) -> Callable[..., Any]:
    async def handler() -> str:
        ran.append(number)
        if item.skips:
            raise Skip
        return str(number)

    return handler


def finish(dispatcher: Dispatcher, event: Event) -> Handled:
    """Run a dispatch that waits for nothing, without an event loop."""
    coroutine = dispatcher.dispatch(Handling(event, FakeScope()))
    try:
        coroutine.send(None)
    except StopIteration as stop:
        handled: Handled = stop.value
        return handled
    raise AssertionError("it waited")


@given(ITEMS, st.lists(EVENTS, min_size=1, max_size=8))
def test_dispatch_is_a_linear_scan_in_order_of_registration(items: list[Any], events: list[Event]) -> None:
    ran: list[int] = []
    dispatcher = build(items, Router(), ran, iter(range(1000))).compiled()
    for event in events:
        ran.clear()
        expected, taker = scan(items, event)
        handled = finish(dispatcher, event)
        assert ran == expected
        assert handled.reply == (None if taker is None else str(taker))


# --- Speed, told by counting -----------------------------------------------------------------------------------------


def test_handlers_that_cannot_match_cost_nothing() -> None:
    """Of a hundred handlers on other commands, texts, channels and types not one is asked."""
    asked: list[int] = []
    router = Router()
    for number in range(100):
        wanted: dict[str, Any] = [
            {"command": f"c{number}"},
            {"text": f"t{number}"},
            {"channel": f"x{number}-*"},
            {"kind": "group"},
        ][number % 4]
        router.on_message(**wanted, where=lambda event, number=number: asked.append(number) or True)(says(str(number)))
    dispatcher = router.compiled()
    assert finish(dispatcher, message("/c40 now")).reply == "40"
    assert finish(dispatcher, message("t41")).reply == "41"
    assert finish(dispatcher, message(channel="x42-y")).reply == "42"
    assert asked == [40, 41, 42]


def test_what_senders_write_does_not_make_the_memory_grow() -> None:
    router = Router()
    router.on_message(command="a")(says("a"))
    router.on_message(text="b")(says("b"))
    dispatcher = router.compiled()
    for number in range(200):
        finish(dispatcher, message(f"/{number} x"))
        finish(dispatcher, message(f"{number}", sender=f"x:{number}"))
    assert len(dispatcher._plans) == 1


def test_what_is_remembered_is_bounded() -> None:
    router = Router()
    router.on_message(channel="c5")(says("five"))
    dispatcher = router.compiled()
    event = message()
    for number in range(_REMEMBERED + 10):
        finish(dispatcher, event.model_copy(update={"channel": f"c{number}"}))
    assert len(dispatcher._plans) == _REMEMBERED
    assert finish(dispatcher, message(channel="c5")).reply == "five"


def test_a_huge_text_is_not_looked_up() -> None:
    class Unhashable(str):
        __hash__: ClassVar[None] = None  # type: ignore[assignment]

    router = Router()
    router.on_message(text="short")(says("short"))
    router.on_message(says("long"))
    event = message().model_copy(update={"text": Unhashable("x" * 1000)})
    assert finish(router.compiled(), event).reply == "long"


def test_filter_values_work_as_where() -> None:
    router = Router()
    router.on_message(where=text("a") | text("b"))(says("ab"))
    assert [finish(router.compiled(), message(each)).reply for each in "abc"] == ["ab", "ab", None]
