"""How an attempt ends, whatever the far side does."""

from __future__ import annotations

from convergekit.errors import DeliveryError, ThrottledError
from convergekit.model import Receipt

from .._bench import Attempt, Bench
from .._subject import Fault
from ._registry import check, expect, listed

__all__ = ["is_ours"]


@check("taken-is-receipt")
async def _taken(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        attempt = await bench.attempt(adapter)
        _ended(attempt, Receipt)
        assert attempt.receipt is not None
        declared = adapter.capabilities.receipts
        expect(attempt.receipt.status in declared, f"{attempt.receipt.status} is not in capabilities.receipts")
    expect(len(bench.subject.received()) == 1, f"the far side got {len(bench.subject.received())} messages")


async def _meets(bench: Bench, fault: Fault) -> Attempt:
    async with bench.entered() as (adapter, _):
        await bench.fault(fault)
        attempt = await bench.attempt(adapter)
    _ended(attempt, *bench.subject.ending(fault))
    return attempt


@check("unreachable-not-sent")
async def _unreachable(bench: Bench) -> None:
    await _meets(bench, Fault.UNREACHABLE)


@check("refused-rejected")
async def _refused(bench: Bench) -> None:
    attempt = await _meets(bench, Fault.REFUSED)
    expect(getattr(attempt.error, "code", None), "the error has no code: pass the remote's own on, as code=")


@check("account-refused")
async def _account(bench: Bench) -> None:
    await _meets(bench, Fault.ACCOUNT)


@check("throttled-says-when", fault=[Fault.THROTTLED, Fault.THROTTLED_DATE, Fault.THROTTLED_UNSAID])
async def _throttled(bench: Bench, fault: Fault) -> None:
    attempt = await _meets(bench, fault)
    if isinstance(attempt.error, ThrottledError) and fault is not Fault.THROTTLED_UNSAID:
        said = attempt.error.retry_after
        # A little later is polite, where many wait, and needed, where a medium tells it in whole seconds.
        expect(6 <= said <= 10, f"the far side asked for 7 s, and retry_after is {said:g}")


@check("lost-answer-uncertain", fault=[Fault.ANSWER_LOST, Fault.RESET])
async def _lost(bench: Bench, fault: Fault) -> None:
    await _meets(bench, fault)


@check("server-error-uncertain", fault=[Fault.SERVER_ERROR, Fault.ERROR_PAGE])
async def _failed(bench: Bench, fault: Fault) -> None:
    await _meets(bench, fault)


@check("malformed-answer-uncertain", fault=[Fault.NONSENSE, Fault.EMPTY])
async def _malformed(bench: Bench, fault: Fault) -> None:
    async with bench.entered() as (adapter, _):
        usual = await bench.attempt(adapter)
        await bench.fault(fault)
        attempt = await bench.attempt(adapter)
    _ended(attempt, *bench.subject.ending(fault))
    if attempt.receipt is not None and usual.receipt is not None:
        expect(
            len(attempt.receipt.ids) == len(usual.receipt.ids), "the receipt lacks the ids that the answer should have"
        )


@check("only-our-errors", fault=[fault for fault in Fault if fault is not Fault.SILENT])
async def _only_ours(bench: Bench, fault: Fault) -> None:
    async with bench.entered() as (adapter, _):
        await bench.fault(fault)
        is_ours(await bench.attempt(adapter))


def is_ours(attempt: Attempt) -> None:
    """Expect that no error but one of the contract came out."""
    error = attempt.error
    expect(error is None or isinstance(error, DeliveryError), f"{type(error).__name__} came out")


@check("one-attempt", fault=[Fault.ANSWER_LOST, Fault.RESET, Fault.SERVER_ERROR, Fault.NONSENSE])
async def _once(bench: Bench, fault: Fault) -> None:
    async with bench.entered() as (adapter, _):
        await bench.fault(fault)
        await bench.attempt(adapter)
    times = len(bench.subject.received())
    expect(times <= 1, f"the far side got it {times} times")


def _ended(attempt: Attempt, *endings: type) -> None:
    names = listed(ending.__name__ for ending in endings)
    expect(attempt.ending in endings, f"it ended with {attempt}, and not with {names}")
