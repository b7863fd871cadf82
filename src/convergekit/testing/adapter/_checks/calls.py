"""The medium calls us, or somebody who says that he is the medium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from time import thread_time
from typing import Any, Final

from convergekit.abc import Headers, ReceivesWebhooks, Request
from convergekit.errors import InvalidInputError, SignatureError
from convergekit.model import Event

from .._bench import Bench, Door, parsed, request_of, with_headers
from .._subject import Call, Cannot
from ._hostile import HEADERS, HUGE, NO_DOCUMENT, ODD, fuzzed, variants
from ._registry import broken, check, expect
from .webhooks import refuses

__all__: list[str] = []

_A_WHILE: Final = (
    2.0  # seconds of this thread's own, for what takes milliseconds unless it grows with the square of the body
)
_A_DAY: Final = 86_400.0


# Who it is from


@check("forged-refused", ReceivesWebhooks, how=["beginning", "end", "short", "empty"])
async def _altered(bench: Bench, how: str) -> None:
    """A signature that is right but for one character, and one that ends too early."""
    async with bench.door() as door:
        call = door.signed(bench.said())
        for name, start in _signature_of(door, call).items():
            value = call.headers[name]
            match how:
                case "beginning":
                    value = _other(value, range(start, len(value)))
                case "end":  # and not the very last: bits at the end of base64 may stand for nothing
                    value = _other(value, range(max(start, len(value) - 5), start - 1, -1))
                case "short":
                    value = value[: max(start, len(value) - 8)]
                case _:
                    value = value[:start]
            await refuses(door.adapter, with_headers(call, {name: value}), f"a call whose {name} is wrong ({how})")


@check("stale-refused", ReceivesWebhooks, how=["redated"])
async def _redated(bench: Bench, how: str) -> None:
    """A recorded call, with the time of now beside the signature of then."""
    async with bench.door() as door:
        fresh, old = door.signed(bench.said()), door.signed(bench.said(), age=_A_DAY)
        if fresh == old:
            raise Cannot("its signatures carry no time")
        signature = {name: old.headers[name] for name in _signature_of(door, fresh)}
        await refuses(door.adapter, with_headers(fresh, signature), "a call of yesterday with the time of now")


def _signature_of(door: Door, call: Call) -> Mapping[str, int]:
    """The headers of *call* that depend on the secret, and where in each that begins."""
    other = door.signed(replace(call), secret=door.bench.subject.other_secret)
    found = {
        name: next((i for i, (a, b) in enumerate(zip(value, other.headers[name], strict=False)) if a != b), len(value))
        for name, value in call.headers.items()
        if other.headers.get(name, value) != value
    }
    if not found:
        raise Cannot("signed by another secret, a call has the same headers: see `Subject.sign`")
    return found


def _other(value: str, places: range) -> str:
    """*value* with another letter or digit at the first of *places* where there is one."""
    index = next((index for index in places if value[index].isascii() and value[index].isalnum()), None)
    if index is None:
        raise Cannot("there is no letter and no digit in the signature that could be another one")
    first, second = ("1", "2") if value[index].isdigit() else ("a", "b") if value[index].islower() else ("A", "B")
    return value[:index] + (second if value[index] == first else first) + value[index + 1 :]


@check("rotation", ReceivesWebhooks)
async def _rotation(bench: Bench) -> None:
    async with bench.door(settings=bench.subject.rotating()) as door:
        for number, (which, secret) in enumerate({"old": None, "new": bench.subject.other_secret}.items(), 1):
            call = door.signed(bench.said(number), secret=secret)
            answer = await door.call(call)
            expect(answer.is_ok, f"a call by the {which} secret was answered with {answer.status}")
            expect(len(door.events) == number, f"a call by the {which} secret gave no event")
            forged = replace(call, body=bench.subject.call(bench.said(3)).body)
            await refuses(door.adapter, forged, f"a call with another body than the {which} secret has signed")


@check("verify-raises-one-error", ReceivesWebhooks, what=["headers", "body"])
async def _one_error(bench: Bench, what: str) -> None:
    async with bench.door() as door:
        call = door.signed(bench.said())
        if what == "body":
            bodies = {**ODD, "bytes that are no text": NO_DOCUMENT["bytes that are no text"]}
            for name, body in bodies.items():
                await _raises_no_other(door, request_of(replace(call, body=body)), f"a body that is {name}")
            return
        for name, genuine in call.headers.items():
            for pairs in ([], *([(name, value)] for value in HEADERS), [(name, genuine)] * 2):
                others = [pair for pair in call.headers.items() if pair[0] != name]
                await _raises_no_other(door, _with_pairs(call, [*others, *pairs]), f"another {name}")
        for value in HEADERS:
            headers = dict.fromkeys(call.headers, value)
            await _raises_no_other(door, request_of(with_headers(call, headers)), "other headers")


def _with_pairs(call: Call, pairs: list[tuple[str, str]]) -> Request:
    headers = Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])
    return replace(request_of(call), headers=headers)


async def _raises_no_other(door: Door, request: Request, what: str) -> None:
    try:
        await door.adapter.verify(request)
    except SignatureError:
        pass
    except Exception as error:
        raise broken(f"with {what}, `verify` raised {type(error).__name__}") from error


@check("oversized-refused", ReceivesWebhooks, body=list(HUGE))
async def _oversized(bench: Bench, body: str) -> None:
    """Its signature is another body's, so that nothing but the bytes themselves says that it is wrong."""
    async with bench.door() as door:
        call = replace(door.signed(bench.said()), body=HUGE[body])
        begun = thread_time()
        _expect_no_probe(door, call, "a huge body")
        await refuses(door.adapter, call, "a huge body with a signature that does not fit")
        seconds = thread_time() - begun
        expect(seconds < _A_WHILE, f"a body of a megabyte was refused after {seconds:.1f} s")


# What it says


@check("probe-answered", ReceivesWebhooks, what=["probe", "message", "nonsense"])
async def _probe(bench: Bench, what: str) -> None:
    async with bench.door() as door:
        if what == "message":
            for call in (bench.subject.call(bench.said()), door.signed(bench.said())):
                _expect_no_probe(door, call, "a message")
        elif what == "nonsense":
            for name, body in ODD.items():
                _expect_no_probe(door, replace(bench.subject.call(bench.said()), body=body), f"a body that is {name}")
        else:
            call, wanted = bench.subject.probe()
            answer = await door.call(call)
            expect(answer.is_ok, f"the probe was answered with {answer.status}")
            expect(answer.body == wanted, "the probe was answered with another body than it wants")


def _expect_no_probe(door: Door, call: Call, what: str) -> None:
    try:
        answer = door.adapter.challenge(request_of(call))
    except Exception as error:
        raise broken(f"{what} made `challenge` raise {type(error).__name__}") from error
    expect(answer is None, f"{what} was taken for a probe, and answered unverified")


@check("nonsense-is-invalid-input", ReceivesWebhooks, what=["no-document", "odd", "changed", "fuzzed"])
async def _nonsense(bench: Bench, what: str) -> None:
    async with bench.door() as door:
        call = bench.subject.call(bench.said())
        match what:
            case "no-document":
                for name, body in NO_DOCUMENT.items():
                    events = await _read(door, replace(call, body=body), name)
                    expect(events is None, f"a genuine call whose body is {name} was taken as if nothing were wrong")
            case "odd":
                for name, body in ODD.items():
                    await _read(door, replace(call, body=body), f"a body that is {name}")
            case "changed":
                for name, body in variants(call.body):
                    await _read(door, replace(call, body=body), f"a body with {name}")
            case _:
                for body in fuzzed(call.body, times=100, random=Random(1)):
                    await _read(door, replace(call, body=body), "a body with some bytes changed")


async def _read(door: Door, call: Call, what: str) -> list[Any] | None:
    """The events of a genuine *call*; None where it is refused as it should be."""
    request = request_of(door.signed(call))
    try:
        await door.adapter.verify(request)
    except Exception:  # by which error is another rule's question
        return None
    try:
        events = list(await parsed(door.adapter, request))
    except InvalidInputError:
        return None
    except Exception as error:
        raise broken(f"with {what}, `parse` raised {type(error).__name__}") from error
    wrong = [type(each).__name__ for each in events if not isinstance(each, Event)]
    expect(not wrong, f"with {what}, `parse` returned {', '.join(wrong)}")
    return events
