"""Injection: what a handler names by type it gets, and what it cannot get is an error when it is registered."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional

import anyio
import anyio.lowlevel
import pytest

from convergekit.errors import ConfigurationError
from convergekit.model import (
    ChannelChanged,
    Contact,
    DeadLettered,
    Event,
    Message,
    MessageEdited,
    MessageReceived,
    TypingChanged,
)
from convergekit.router import Depends, Handling, Router, Skip

from .inbound_kit import ANN, Channel, Conversation, FakeScope, Hub, dispatch, message

if TYPE_CHECKING:
    from decimal import Decimal

pytestmark = pytest.mark.anyio


def taking(handler: Callable[..., Any], *types: type[Event], **options: Any) -> Router:
    router = Router()
    router.on_event(*(types or (MessageReceived,)), **options)(handler)
    return router


async def test_each_parameter_gets_what_it_names() -> None:
    got: dict[str, Any] = {}

    async def handler(
        event: MessageReceived,
        base: Event,
        content: Message,
        conversation: Conversation,
        contact: Contact,
        channel: Channel,
        hub: Hub,
        *,
        handling: Handling,
        keyword: Message,
    ) -> None:
        got.update(locals())

    event, scope = message(), FakeScope()
    await dispatch(taking(handler), event, scope)

    assert got["event"] is got["base"] is got["handling"].event is event
    assert got["content"] == got["keyword"] == Message("hello")
    assert got["conversation"].uri == "mailto:ann@example.org"
    assert got["contact"] is ANN
    assert got["channel"].name == "support-mail"
    assert got["hub"] is scope.hub


async def test_nothing_is_made_that_nobody_takes() -> None:
    async def handler(event: MessageReceived) -> None: ...

    scope = FakeScope()
    await dispatch(taking(handler), scope=scope)
    assert scope.asked == []


async def test_conversation_and_contact_are_made_once_per_handling() -> None:
    async def one(conversation: Conversation, contact: Contact) -> None:
        raise Skip

    async def two(conversation: Conversation, also: Conversation, contact: Contact | None) -> None:
        assert conversation is also

    router = taking(one)
    router.on_message(two)
    scope = FakeScope()
    await dispatch(router, scope=scope)
    assert sorted(scope.asked) == ["contact", "conversation"]


async def test_a_handler_for_several_types_takes_their_union_or_their_base() -> None:
    got: list[Event] = []

    async def union(event: MessageReceived | MessageEdited) -> None:
        got.append(event)
        raise Skip

    async def base(event: Event) -> None:
        got.append(event)

    router = taking(union, MessageReceived, MessageEdited)
    router.on_event(MessageReceived, MessageEdited)(base)
    event = MessageEdited(target="1")
    await dispatch(router, event)
    assert got == [event, event]


async def test_optional_parameters_are_none_where_there_is_nothing() -> None:
    got: list[object] = []

    async def handler(
        content: Message | None,
        contact: Optional[Contact],  # noqa: UP045 - both spellings
        conversation: Conversation | None,
        channel: Channel | None,
    ) -> None:
        got.extend([content, contact, conversation, channel])

    await dispatch(taking(handler, Event), ChannelChanged(state="up"), FakeScope(contact=None))
    assert got == [None, None, None, None]

    got.clear()
    await dispatch(taking(handler, Event))
    assert got[:2] == [Message("hello"), ANN]


async def test_parameters_with_a_default_of_their_own_keep_it() -> None:
    got: list[object] = []

    async def handler(tries: int = 3, event: MessageReceived | None = None, *rest: int, flag: bool = True) -> None:
        got.extend([tries, event, rest, flag])

    await dispatch(taking(handler), event := message())
    assert got == [3, event, (), True]


async def test_partials_methods_and_objects_are_handlers_too() -> None:
    got: list[object] = []

    class Desk:
        async def answer(self, event: MessageReceived) -> None:
            got.append("method")
            raise Skip

        async def __call__(self, event: MessageReceived) -> None:
            got.append("object")
            raise Skip

    async def handler(word: str, event: MessageReceived) -> None:
        got.append(word)
        raise Skip

    def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            got.append("decorated")
            return fn(*args, **kwargs)

        return wrapper

    router = Router()
    for each in (Desk().answer, Desk(), functools.partial(handler, "partial"), logged(functools.partial(handler, "x"))):
        router.on_message(each)
    router.on_message(logged(Desk.answer.__get__(Desk())))
    await dispatch(router)
    assert got == ["method", "object", "partial", "decorated", "x", "decorated", "method"]


async def test_a_plain_function_runs_in_a_thread() -> None:
    threads: list[threading.Thread] = []

    def handler(event: MessageReceived, contact: Contact) -> str:
        threads.append(threading.current_thread())
        return f"{event.text}, {contact.name}"

    handled = await dispatch(taking(handler))
    assert handled.reply == "hello, Ann"
    assert threads != [threading.current_thread()]


class Unknown:
    pass


def untyped(event):  # type: ignore[no-untyped-def]
    pass


def positional(number: int = 3, /) -> None: ...


def wrong_mark() -> Callable[..., None]:
    class Marked:
        __convergekit_inject__ = "nowhere"

    def handler(it) -> None: ...  # type: ignore[no-untyped-def]

    handler.__annotations__["it"] = Marked
    return handler


def test_a_handler_without_parameters_is_fine() -> None:
    taking(lambda: None)


@pytest.mark.parametrize(
    ("types", "annotation", "says"),
    [
        ((MessageReceived,), Unknown, ["`it: Unknown`", "Annotated[Unknown, Depends("]),
        ((MessageReceived,), list[int], ["`it: list[int]`", "Depends("]),
        ((MessageReceived,), Any, ["`it: Any`", "Depends("]),
        ((MessageReceived,), object, ["`it: object`", "Depends("]),
        ((MessageReceived,), Unknown | None, ["`it: Unknown`", "Depends("]),
        ((Event,), MessageReceived, ["registered for Event", "on_event(MessageReceived)"]),
        ((MessageReceived, TypingChanged), MessageReceived, ["registered for MessageReceived, TypingChanged"]),
        ((TypingChanged,), Message, ["TypingChanged is not a message", "`it: Message | None`"]),
        ((MessageEdited,), Message, ["MessageEdited is not a message"]),
        ((Event,), Message, ["Event is not a message"]),
        ((ChannelChanged,), Conversation, ["ChannelChanged has none", "`it: Conversation | None`"]),
        ((Event,), Conversation, ["ChannelChanged", "`it: Conversation | None`"]),
        ((MessageReceived, ChannelChanged), Contact, ["ChannelChanged has none", "`it: Contact | None`"]),
    ],
)
def test_what_cannot_be_injected_is_an_error_at_registration(
    types: tuple[type[Event], ...], annotation: Any, says: list[str]
) -> None:
    """It names the handler, the parameter, its type, and the way out."""

    def handler(it) -> None: ...  # type: ignore[no-untyped-def]

    handler.__annotations__["it"] = annotation
    with pytest.raises(ConfigurationError) as caught:
        taking(handler, *types)
    for part in [f"handler {__name__}.test_what_cannot", "parameter `it", *says]:
        assert part in str(caught.value)


def absent(amount: Decimal) -> None: ...


def misspelt(event: MessageRecieved | None) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (untyped, "has no type; if it is to be the event, write `event: MessageReceived`"),
        (positional, "`number: int`"),
        (wrong_mark(), "'nowhere', which is no attribute of Handling"),
        (
            absent,
            "'amount' cannot be read (Decimal: name 'Decimal' is not defined); what it names must be there at run time",
        ),
        (misspelt, "'event' cannot be read (MessageRecieved | None: name 'MessageRecieved' is not defined)"),
        (Unknown, "give a function"),
        ("support-*", "give a function, and filters by name"),
    ],
)
def test_signatures_that_cannot_be_read_or_filled_are_refused(handler: Callable[..., Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        taking(handler)


def test_generators_are_refused_rather_than_never_run() -> None:
    async def several(event: MessageReceived) -> AsyncIterator[str]:
        yield "one"

    def several_more(event: MessageReceived) -> Iterator[str]:
        yield "one"

    for handler in (several, several_more):
        with pytest.raises(ConfigurationError, match="is a generator"):
            taking(handler)


async def test_what_turns_out_missing_says_how_to_expect_it() -> None:
    async def talks(conversation: Conversation) -> None: ...

    async def knows(contact: Contact) -> None: ...

    with pytest.raises(ConfigurationError, match=re.escape("write `conversation: Conversation | None`")):
        await dispatch(taking(talks, DeadLettered), DeadLettered(direction="in", id="1", reason="x"))
    with pytest.raises(ConfigurationError, match=re.escape("no known sender; write `contact: Contact | None`")):
        await dispatch(taking(knows), scope=FakeScope(contact=None))


# --- Depends ---------------------------------------------------------------------------------------------------------


@dataclass
class Session:
    number: int


LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    LOG.clear()


async def session(event: MessageReceived) -> Session:
    LOG.append(f"session for {event.text}")
    return Session(1)


@asynccontextmanager
async def transaction(session: Annotated[Session, Depends(session)]) -> AsyncGenerator[str]:
    LOG.append("begin")
    try:
        yield f"transaction of {session.number}"
    except BaseException as error:
        LOG.append(f"roll back on {type(error).__name__}")
        raise
    LOG.append("commit")


async def bare_generator(contact: Contact) -> AsyncGenerator[str]:
    LOG.append("in")
    yield f"for {contact.name}"
    LOG.append("out")


class Lock:
    def __init__(self, event: MessageReceived) -> None:
        self.key = event.key

    async def __aenter__(self) -> Lock:
        LOG.append(f"lock {self.key}")
        return self

    async def __aexit__(self, *_: object) -> None:
        LOG.append(f"unlock {self.key}")


def plain(content: Message) -> int:
    return len(content.text or "")


async def test_dependencies_are_made_before_shared_and_left_after_in_reverse() -> None:
    async def handler(
        event: MessageReceived,
        length: Annotated[int, Depends(plain)],
        current: Annotated[str, Depends(transaction)],
        lock: Annotated[Lock, Depends(Lock)],
        same: Decimal = Depends(session),  # type: ignore[assignment] - a default says all; the type is not looked at
        *,
        inner: str = Depends(bare_generator),
    ) -> str:
        LOG.append(f"handler: {event.text} {length} {current} {lock.key} {same} {inner}")
        return "done"

    handled = await dispatch(taking(handler))

    assert handled.reply == "done"
    assert LOG == [
        "session for hello",
        "begin",
        "lock k1",
        "in",
        "handler: hello 5 transaction of 1 k1 Session(number=1) for Ann",
        "out",
        "unlock k1",
        "commit",
    ]


async def test_a_dependency_is_made_anew_for_each_run_of_a_handler() -> None:
    async def handler(session: Annotated[Session, Depends(session)]) -> None: ...

    router = taking(handler)
    await dispatch(router, message("one"))
    await dispatch(router, message("two"))
    assert LOG == ["session for one", "session for two"]


@pytest.mark.parametrize("error", [Skip, ValueError])
async def test_a_failing_handler_shows_its_error_to_the_context_managers(error: type[Exception]) -> None:
    async def handler(current: Annotated[str, Depends(transaction)]) -> None:
        raise error

    router = taking(handler)
    if error is Skip:
        assert (await dispatch(router)).handler is None
    else:
        with pytest.raises(error):
            await dispatch(router)
    assert LOG[-1] == f"roll back on {error.__name__}"


async def test_a_failing_dependency_leaves_what_was_entered_and_keeps_the_handler_from_running() -> None:
    async def broken() -> None:
        raise LookupError

    async def handler(current: Annotated[str, Depends(transaction)], no: None = Depends(broken)) -> None:
        LOG.append("handler")

    with pytest.raises(LookupError):
        await dispatch(taking(handler))
    assert LOG == ["session for hello", "begin", "roll back on LookupError"]


def only_staff(contact: Contact) -> Contact:
    if contact.id != "bob":
        raise Skip
    return contact


async def test_a_dependency_may_pass_the_event_on() -> None:
    async def handler(contact: Annotated[Contact, Depends(only_staff)]) -> str:
        return "staff"

    async def other() -> str:
        return "everybody"

    router = taking(handler)
    router.on_message(other)
    assert (await dispatch(router)).reply == "everybody"


def shared(event: MessageReceived) -> Lock:
    return Lock(event)


async def test_a_returned_object_that_could_be_entered_is_not() -> None:
    """Who returns a shared client does not want it closed after each message."""

    async def handler(lock: Annotated[Lock, Depends(shared)]) -> None: ...

    await dispatch(taking(handler))
    assert LOG == []


async def test_a_plain_handler_has_dependencies_too() -> None:
    def handler(current: Annotated[str, Depends(transaction)]) -> str:
        return current

    assert (await dispatch(taking(handler))).reply == "transaction of 1"
    assert LOG == ["session for hello", "begin", "commit"]


async def test_partials_of_generators_are_entered() -> None:
    async def handler(one: Annotated[str, Depends(functools.partial(numbered, 1))]) -> str:
        return one

    assert (await dispatch(taking(handler))).reply == "number 1 of k1"


async def numbered(number: int, event: MessageReceived) -> AsyncGenerator[str]:
    yield f"number {number} of {event.key}"


def needs_unknown(it: Unknown) -> None: ...


def test_what_a_dependency_cannot_get_names_both() -> None:
    def handler(x: int = Depends(needs_unknown)) -> None: ...

    with pytest.raises(ConfigurationError, match=r"handler .*handler, dependency .*needs_unknown: parameter `it: Unk"):
        taking(handler)


def test_dependencies_in_a_circle_are_refused() -> None:
    def one(it: int) -> int:
        return it

    def two(it: int = Depends(one)) -> int:
        return it

    one.__annotations__["it"] = Annotated[int, Depends(two)]
    with pytest.raises(ConfigurationError, match=r"circle: .*one -> .*two -> .*one"):
        taking(lambda x=Depends(one): None)


def test_depends_wants_the_function_itself() -> None:
    with pytest.raises(ConfigurationError, match="the function itself"):
        Depends(plain(Message("x")))  # type: ignore[arg-type]


def test_a_plain_generator_as_a_dependency_is_refused() -> None:
    def generator() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigurationError, match="make it an async one"):
        taking(lambda x=Depends(generator): None)


# --- Time limits -----------------------------------------------------------------------------------------------------


async def test_a_handler_over_its_limit_ends_in_a_timeout_that_names_it() -> None:
    async def handler(current: Annotated[str, Depends(transaction)]) -> None:
        await anyio.sleep_forever()

    with pytest.raises(TimeoutError, match=r"handler .*handler took longer than its limit of 1e-05 s"):
        await dispatch(taking(handler, timeout=0.00001))
    assert LOG[-1].startswith("roll back on Cancel")


async def test_a_handler_within_its_limit_is_left_alone() -> None:
    async def handler() -> str:
        await anyio.lowlevel.checkpoint()
        return "in time"

    assert (await dispatch(taking(handler, timeout=60))).reply == "in time"


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_limit_is_a_number_of_seconds(timeout: float) -> None:
    async def handler() -> None: ...

    with pytest.raises(ConfigurationError, match="above 0"):
        taking(handler, timeout=timeout)


def test_a_plain_function_cannot_be_limited() -> None:
    with pytest.raises(ConfigurationError, match="a thread cannot be ended"):
        taking(lambda: None, timeout=1)
