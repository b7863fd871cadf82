"""An adapter before it is opened, and two of them beside each other."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, TypeAlias

import anyio

from convergekit.abc import Adapter, Listens, Polls, ReceivesWebhooks, SupportsBatch
from convergekit.errors import ConvergeError
from convergekit.model import Address, Capabilities, ConversationRef

from .._bench import CHANNEL, Bench, BenchContext, Door, Listening, eventually
from .._checkup import misspelt_verbs, secrets_of
from .._subject import Cannot, Fault
from .._verbs import PROTOCOLS, implements
from .._watch import watching
from .._wire import Wire
from ._registry import Broken, broken, check, expect, listed

__all__ = ["send_flaw"]

_Channel: TypeAlias = tuple[Any, BenchContext]

#: Attributes that belong to a protocol, and what they are: they may be the class's or set in `__init__`.
_DATA: Final[Mapping[type[Any], Mapping[str, Callable[[Any], bool]]]] = {
    Polls: {
        "feeds": lambda value: isinstance(value, list | tuple) and all(map(_is_text, value)),
        "poll_interval": lambda value: isinstance(value, int | float) and value > 0,
    },
    SupportsBatch: {"batch_size": lambda value: isinstance(value, int) and value > 0},
}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def send_flaw(adapter: type[Any]) -> str | None:
    """Why the engine could not call the `send` of *adapter*, without which nothing else can be told; or None."""
    try:
        _callable(adapter, "send", Adapter.send)
    except Broken as flaw:
        return str(flaw)
    return None


@check("verbs-callable")
async def _verbs_callable(bench: Bench) -> None:
    adapter = bench.adapter_class
    if (flaw := misspelt_verbs(adapter)) is not None:
        broken(f"{adapter.__name__}.{flaw}")
    protocols: list[type[Any]] = [Adapter, *PROTOCOLS]
    for protocol in protocols:
        promised = _methods(protocol)
        has = [name for name in promised if callable(getattr(adapter, name, None))]
        if protocol in (Polls, ReceivesWebhooks) and has and len(has) < len(promised):
            lacks = [name for name in promised if name not in has]
            broken(f"it has {listed(has)} and not {listed(lacks)}: so it has none of {protocol.__name__}")
        if len(has) == len(promised):
            for name, method in promised.items():
                _callable(adapter, name, method)
    if any(implements(adapter, protocol) for protocol in _DATA):
        _has_data(adapter(bench.config(), bench.context()))


def _methods(protocol: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"}


def _callable(adapter: type[Any], name: str, promised: Any) -> None:
    found = getattr(adapter, name)
    has_self = not isinstance(inspect.getattr_static(adapter, name), staticmethod | classmethod)
    signature = inspect.signature(found)
    for arguments, options in _ways_to_call(promised):
        try:
            signature.bind(*([None] if has_self else []), *arguments, **options)
        except TypeError as error:
            raise broken(f"{name}{signature} cannot be called as the engine calls it: {error}") from error
    if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        broken(f"{name} is a generator, whose errors come when it is read: return what it has found, as a list")
    is_async, awaited = inspect.iscoroutinefunction(promised), _is_awaited(found)
    may_be_either = not is_async and _is_awaited(promised) is None
    if awaited is not None and awaited != is_async and not may_be_either:
        broken(f"{name} is {'to be' if is_async else 'not to be'} awaited: write {'async def' if is_async else 'def'}")


def _ways_to_call(promised: Any) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """With what must be given, by position; then with all that may be, by name."""
    _, *parameters = inspect.signature(promised).parameters.values()
    must = [each for each in parameters if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD]
    may = [each.name for each in parameters if each.default is not each.empty]
    yield [None] * len(must), {}
    yield [None] * len(must), dict.fromkeys(may)


def _is_awaited(function: Any) -> bool | None:
    """Whether what *function* returns is to be awaited; None where that cannot be told."""
    plain = inspect.unwrap(function)
    if inspect.iscoroutinefunction(plain):
        return True
    says = str(getattr(plain, "__annotations__", {}).get("return", ""))
    awaitable = any(kind.__name__ in says for kind in (Awaitable, Coroutine))
    return None if awaitable or plain is not function or not inspect.isfunction(plain) else False


def _has_data(adapter: Any) -> None:
    for protocol, attributes in _DATA.items():
        for name, is_right in attributes.items() if implements(type(adapter), protocol) else ():
            if not hasattr(adapter, name):
                broken(f"it has no {name}, and so none of {protocol.__name__}: set it in the class, or in __init__")
            expect(is_right(getattr(adapter, name)), f"{name} is {getattr(adapter, name)!r}")


@check("init-does-nothing")
async def _does_nothing(bench: Bench) -> None:
    config, context = bench.config(), bench.context()
    tasks, threads = len(anyio.get_running_tasks()), threading.active_count()
    with watching() as watched:
        adapter = bench.adapter_class(config, context)
        limits = [adapter.capabilities, adapter.capabilities_for(_conversation(bench))]
    await context.aclose()
    expect(not watched.sockets, "it opens a connection while it is made")
    expect(not watched.blocking, f"it reaches out while it is made: it {listed(watched.blocking)}")
    expect(len(anyio.get_running_tasks()) <= tasks, "it starts a task while it is made")
    expect(threading.active_count() <= threads, "it starts a thread while it is made")
    expect(all(isinstance(each, Capabilities) for each in limits), "its capabilities are none before it is opened")
    late = [each.__name__ for each in PROTOCOLS if isinstance(adapter, each) and not implements(type(adapter), each)]
    expect(not late, f"what is made in __init__ is no verb of the class, which plans go by: {listed(late)}")


def _conversation(bench: Bench) -> ConversationRef:
    return ConversationRef(channel=CHANNEL, address=Address(bench.subject.to))


@check("channels-apart", of=["sending", "proving", "called", "hearing"])
async def _apart(bench: Bench, of: str) -> None:
    settings = [bench.subject.settings, _others(bench)]
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(bench.entered(channel="one"))]
        try:
            channels.append(await stack.enter_async_context(bench.entered(settings=settings[1], channel="two")))
        except ConvergeError as error:
            raise Cannot(f"the far side does not take a second channel: {error}") from error
        if of == "sending":
            await _send_their_own(bench, channels, [secrets_of(bench.config(each)) for each in settings])
        elif of == "proving":
            await _prove_their_own(bench, channels)
        elif of == "called":
            await _called_the_same(bench, channels)
        else:
            await _hears_its_own(bench, channels)


def _others(bench: Bench) -> Mapping[str, Any]:
    """The settings of another account."""
    subject = bench.subject
    if subject.other_settings is not None:
        return subject.other_settings
    signing = {subject.secret: subject.other_secret}
    backwards = {secret: secret[::-1] for secret in secrets_of(bench.config())}
    for changes in (backwards | signing, signing):
        settings: Mapping[str, Any] = _replaced(subject.settings, changes)
        try:
            bench.config(settings)
        except ValueError:
            continue  # a secret has a form here, and backwards it has not
        if settings != subject.settings:
            return settings
    raise Cannot("there is no secret in its settings: say `other_settings`, those of another account")


def _replaced(value: Any, changes: Mapping[Any, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(each, changes) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(each, changes) for each in value]
    return changes.get(value, value) if isinstance(value, str) else value


async def _send_their_own(bench: Bench, channels: Sequence[_Channel], secrets: Sequence[set[str]]) -> None:
    for (adapter, context), own, other in zip(channels, secrets, secrets[::-1], strict=True):
        before = len(bench.subject.received())
        await bench.attempt(adapter)
        wire = Wire(*bench.subject.received()[before:])
        expect(not any(map(wire.holds, other - own)), "one channel sends with the secret of the other")
        bench.subject.fault(Fault.REFUSED)
        attempt = await bench.attempt(adapter)
        named = getattr(attempt.error, "channel", "?")
        expect(named in ("?", context.channel), "the error of one channel names the other")


async def _prove_their_own(bench: Bench, channels: Sequence[_Channel]) -> None:
    if not implements(bench.adapter_class, ReceivesWebhooks):
        raise Cannot("the adapter receives no webhooks")
    changes = {bench.subject.secret: bench.subject.other_secret}
    if bench.subject.other_settings is not None or _replaced(bench.subject.settings, changes) == bench.subject.settings:
        raise Cannot("what signs is none of its settings, or the other account may have the same")
    secrets = [bench.subject.secret, bench.subject.other_secret]
    for (adapter, context), own, other in zip(channels, secrets, secrets[::-1], strict=True):
        door = Door(bench, adapter, context)
        ours, theirs = [await door.call(door.signed(bench.said(1), secret=secret)) for secret in (own, other)]
        expect(ours.is_ok, "one channel refuses what is signed by its own secret")
        expect(not theirs.is_ok, "one channel takes what is signed by the secret of the other")


async def _called_the_same(bench: Bench, channels: Sequence[_Channel]) -> None:
    """By chance two accounts have the same id for something."""
    if not implements(bench.adapter_class, ReceivesWebhooks):
        raise Cannot("the adapter receives no webhooks")
    for (adapter, context), secret in zip(channels, [bench.subject.secret, bench.subject.other_secret], strict=True):
        door = Door(bench, adapter, context)
        answer = await door.call(door.signed(bench.said(1), secret=secret))
        if not answer.is_ok:
            raise Cannot("the other account has another secret")
        expect(context.admitted, "what comes to one channel is lost, since the other has had it already")


async def _hears_its_own(bench: Bench, channels: Sequence[_Channel]) -> None:
    if not implements(bench.adapter_class, Listens):
        raise Cannot("the adapter does not listen")
    (adapter, context), (_, other) = channels
    async with anyio.create_task_group() as tasks:
        listening = Listening(bench, adapter, context)
        await listening.begin(tasks)
        await bench.subject.push(bench.said(1))
        await eventually(lambda: bool(context.offered or other.offered))
        tasks.cancel_scope.cancel()
    expect(not other.offered, "what one channel heard was admitted to the other")
