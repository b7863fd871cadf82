"""An answer is lost, and X is asked what became of it: nothing is taken for something else, and nothing sent twice."""

from __future__ import annotations

import time
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from convergekit.abc import Reconciliation
from convergekit.adapters.x import XAdapter, XConfig
from convergekit.adapters.x.outbound.sameness import is_like, is_same
from convergekit.errors import StoreError, ThrottledError, UncertainError
from convergekit.model import Receipt
from convergekit.testing import FakeClock, FakeContext, outgoing
from convergekit.testing.x import LostAnswer, Reset, XServer

pytestmark = pytest.mark.anyio

SEND = "/2/dm_conversations/with/:id/messages"


class Here:
    """An account, and Ann; X' clock is *behind* ours by so much."""

    def __init__(self, behind: timedelta = timedelta(0)) -> None:
        self.clock = FakeClock()
        self.server = XServer(now=lambda: self.clock.now() - behind, sleep=self.clock.sleep)
        self.server.checks_time = False
        self.server.observers.append(self._dates)
        self.support, self.ann = self.server.account("support", id="7"), self.server.user("ann", id="12")
        self.context = FakeContext(channel="x", transport=self.server.transport, clock=self.clock)
        self.adapter = XAdapter(XConfig.model_validate({"oauth1": self.support.oauth1, "user_id": "7"}), self.context)

    def _dates(self, request: Any, response: Any) -> None:
        response.headers["date"] = format_datetime(self.server.now(), usegmt=True)

    def direct(self, text: str, key: str) -> Any:
        return outgoing("x:12", text, key=key, first_attempt_at=self.clock.now(), maybe_sent=True)

    async def lost(self, out: Any, *, taken: bool) -> None:
        self.server.script("POST", SEND, LostAnswer() if taken else Reset())
        with pytest.raises(UncertainError):
            await self.adapter.send(out)

    async def became(self, out: Any) -> Any:
        """What the engine is told in the end."""
        for _ in range(5):
            try:
                return await self.adapter.reconcile(out)
            except ThrottledError as later:
                self.clock.advance(later.retry_after)
        raise AssertionError("it does not come to an end")

    @property
    def said(self) -> list[str]:
        return [each.text for each in self.server.directs]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_message_that_ends_with_a_link_is_not_the_one_without_it(restarted: bool) -> None:
    here = Here()
    async with here.adapter:
        await here.adapter.send(here.direct("See it https://example.org/x", "a/0"))
        second = here.direct("See it", "b/0")
        await here.lost(second, taken=False)
        if not restarted:
            assert await here.became(second) is Reconciliation.NOT_TAKEN
    if restarted:  # nobody knows any more whose the first one is: a person decides, and nothing is believed to be sent
        async with here.adapter:
            assert await here.became(second) is Reconciliation.DONT_KNOW


async def test_of_two_equal_messages_the_second_is_not_taken_for_the_first_that_could_not_be_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Here()
    async with here.adapter:

        async def put(*_: Any, **__: Any) -> bool:
            raise StoreError("away")

        with monkeypatch.context() as away:
            away.setattr(type(here.context.state), "put", put)
            await here.adapter.send(here.direct("Yes.", "a/0"))
        second = here.direct("Yes.", "b/0")
        await here.lost(second, taken=False)

        assert await here.became(second) is Reconciliation.NOT_TAKEN


async def test_what_could_not_be_noted_is_noted_once_the_ledger_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here()
    put, times = type(here.context.state).put, 0

    async def seldom(self: Any, *args: Any, **more: Any) -> bool:
        nonlocal times
        times += 1
        if times <= 7:  # each note is tried five times
            raise StoreError("away")
        return await put(self, *args, **more)

    monkeypatch.setattr(type(here.context.state), "put", seldom)
    async with here.adapter:
        await here.adapter.send(here.direct("Yes.", "a/0"))
        await here.adapter.send(here.direct("Something else.", "b/0"))
        third = here.direct("Yes.", "c/0")
        await here.lost(third, taken=False)
    async with here.adapter:  # another life, which knows what the ledger knows
        assert await here.became(third) is Reconciliation.NOT_TAKEN


async def test_what_x_has_made_something_else_of_is_not_sent_again() -> None:
    here = Here()
    async with here.adapter:
        out = here.direct("Look: ex\u00e4mple.com/\u00fc now", "a/0")
        await here.lost(out, taken=True)
        here.server.directs[-1].text = "Look: http://xn--exmple-cua.com/%C3%BC now"

        assert await here.became(out) is Reconciliation.DONT_KNOW


@pytest.mark.parametrize(
    ("sent", "shown", "is_it"),
    [
        ("AT&amp;T", "AT&T", True),
        ("\uff21 1\u20e3 ok", "A 1 ok", True),
        ("at https://a.example/1", "at https://b.example/2", True),
        ("Yes", "No", False),
        ("on the 2nd", "on the 3rd", False),
    ],
)
def test_what_is_like_it_could_be_it(sent: str, shown: str, is_it: bool) -> None:
    assert is_like(sent, shown) is is_it


def test_a_text_of_links_takes_no_more_time_than_it_is_long() -> None:
    began = time.perf_counter()
    assert not is_same("Yes.", "https://t.co/a " * 10_000)
    assert time.perf_counter() - began < 5  # it was 85


@pytest.mark.parametrize("hours", [-3, 3])
@pytest.mark.parametrize("taken", [True, False])
async def test_a_clock_that_is_set_meanwhile_loses_nothing_and_doubles_nothing(hours: int, taken: bool) -> None:
    here = Here()
    async with here.adapter:
        out = here.direct("Yes.", "a/0")
        await here.lost(out, taken=taken)
        here.clock._start += timedelta(hours=hours)
        if not taken:
            with pytest.raises(ThrottledError):  # X has had no minute yet
                await here.adapter.reconcile(out)
        became = await here.became(out)

    assert isinstance(became, Receipt) if taken else became is Reconciliation.NOT_TAKEN


@pytest.mark.parametrize("date", ["", "x", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_date_that_makes_no_sense_harms_nobody(date: str) -> None:
    here = Here()
    here.server.observers.append(lambda _, response: response.headers.update({"date": date}))
    async with here.adapter:
        out = here.direct("Yes.", "a/0")
        await here.lost(out, taken=True)

        assert isinstance(await here.became(out), Receipt)


@pytest.mark.parametrize("minutes", [-30, 30])
async def test_our_clock_may_be_wrong_all_the_time(minutes: int) -> None:
    here = Here(behind=timedelta(minutes=minutes))
    async with here.adapter:
        out = here.direct("Yes.", "a/0")
        await here.lost(out, taken=True)

        assert isinstance(await here.became(out), Receipt)
    assert here.said == ["Yes."]
