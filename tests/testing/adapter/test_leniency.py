"""What looks like a broken promise and is none: what is asked later, what is not for everybody, some patience."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.adapters.loopback.subject import LoopbackSubject
from convergekit.errors import RejectedError, ThrottledError, UnsupportedContentError
from convergekit.model import Receipt
from convergekit.testing.adapter import Verdict, verify


class ShownLater(LoopbackAdapter):
    async def reconcile(self, out: Outgoing) -> Any:
        raise ThrottledError("it may not show it yet", retry_after=60, scope="conversation")


class ForgetsAndSays(LoopbackAdapter):
    async def reconcile(self, out: Outgoing) -> Any:
        raise RejectedError("who knows")


class NotToThem(LoopbackAdapter):
    async def retract(self, out: Outgoing) -> Receipt:
        raise UnsupportedContentError("what was said in private stays said")


class NeverAtAll(LoopbackAdapter):
    async def send(self, out: Outgoing) -> Receipt:
        raise UnsupportedContentError("no")


def verdicts(kind: type[LoopbackAdapter], rule: str) -> set[Verdict]:
    subject: Any = type("Changed", (LoopbackSubject,), {"adapter": kind, "patience": 0.5})
    return {each.verdict for each in verify(subject, backends=["asyncio"], rules=[rule])}


def test_what_is_shown_later_is_asked_for_later() -> None:
    """Another refusal than that is no answer."""
    assert Verdict.BROKEN not in verdicts(ShownLater, "verbs-work")
    assert Verdict.BROKEN in verdicts(ForgetsAndSays, "verbs-work")


def test_a_verb_may_be_for_some_conversations_only() -> None:
    """Sending is for all of them."""
    assert verdicts(NotToThem, "started-before-first-byte") <= {Verdict.KEPT}
    assert verdicts(NeverAtAll, "started-before-first-byte") & {Verdict.BROKEN, Verdict.FAILED}


@pytest.mark.parametrize(("seconds", "is_kept"), [(7.0, True), (9.5, True), (5.0, False), (12.0, False)])
def test_a_wait_may_be_a_little_longer_than_was_asked_for(seconds: float, is_kept: bool) -> None:
    class Waits(LoopbackAdapter):
        async def send(self, out: Outgoing) -> Receipt:
            try:
                return await super().send(out)
            except ThrottledError as error:
                raise ThrottledError(error.reason, retry_after=seconds) from None

    assert (Verdict.BROKEN not in verdicts(Waits, "throttled-says-when")) is is_kept
