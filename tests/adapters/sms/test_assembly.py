"""Longer messages that come in parts: whatever the order, the doubles and the crashes, each is handled once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergekit.abc import Request
from convergekit.adapters.sms import SmsConfig
from convergekit.adapters.sms.assembly import Assembly
from convergekit.adapters.sms.callbacks import Callbacks, Piece
from convergekit.adapters.sms.details import Sms
from convergekit.engine.context import StoredState
from convergekit.errors import StoreError
from convergekit.model import Address, Attachment, ConversationRef, Event, MessageReceived
from convergekit.stores import SqlStore
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

DEADLINE = 1800.0
ANN = "sms:+4915112345678"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def piece(number: int, total: int, text: str = "", *, reference: str = "7", key: str = "", **more: Any) -> Piece:
    key = key or f"in:{reference}.{number}"
    more.setdefault("sender", Address(more.pop("by", ANN)))
    message = MessageReceived(
        key=key,
        message_id=key.removeprefix("in:"),
        conversation=ConversationRef(address=more["sender"]),
        text=text or f"<{reference}.{number}>",
        to=(Address(more.pop("to", "sms:12345")),),
        native={"n": number},
        **more,
    )
    return Piece(message=message, reference=reference, number=number, total=total)


def kannel() -> Callbacks:
    account = {"url": "http://127.0.0.1:13013", "username": "alerts", "password": "secret"}
    return Callbacks(SmsConfig.model_validate({"gateway": "kannel", "account": account}), "alerts")


class Worker:
    """A process that hears one channel: what `add` gives is admitted, as the webhook's caller does it."""

    def __init__(self, context: FakeContext, state: Any = None) -> None:
        self.context = context
        if state is not None:
            context.state = state
        self.assembly = Assembly(context, deadline=DEADLINE)

    async def hear(self, *pieces: Piece) -> None:
        for each in pieces:
            if (message := await self.assembly.add(each)) is not None:
                await self.context.admit(message)


def messages(context: FakeContext) -> list[MessageReceived]:
    return [event for event in context.admitted if isinstance(event, MessageReceived)]


def texts(context: FakeContext) -> list[str | None]:
    return [event.text for event in messages(context)]


async def kept(context: FakeContext) -> list[dict[str, Any]]:
    """All sets that are in the ledger."""
    values = [(await context.state.get(f"parts/{number}"))[0] for number in range(32)]
    return [each for value in values for each in (value or {}).values()]


class TestAWhole:
    async def test_parts_become_one_message_in_their_order(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(2, 3, "wor"), piece(3, 3, "ld"), piece(1, 3, "Hello "))

        (message,) = messages(context)
        assert message.text == "Hello world"
        assert message.message_id == "7.1"
        assert message.native == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert message.conversation == ConversationRef(channel="fake", address=Address(ANN))
        assert Sms.of(message) == Sms(ids=("7.1", "7.2", "7.3"), total=3)

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
    async def test_a_character_that_was_cut_in_two_is_whole_again(self, order: tuple[int, ...]) -> None:
        """UCS-2 is cut by code units, and many a handset does not look where (TS 23.040 §9.2.3.24.1)."""
        text = "a" * 66 + "\U0001f600" + "b" * 65 + "\U0001f601" + "c"
        callbacks = kannel()
        octets = text.encode("utf-16-be")
        context = FakeContext()
        for number in order:
            query = urlencode(
                {"from": "4915112345678", "to": "12345", "id": f"i{number}", "charset": "UTF-16BE"}
                | {"text": octets[number * 134 : (number + 1) * 134], "udh": bytes([5, 0, 3, 7, 3, number + 1])}
            )
            read = callbacks.read(Request("GET", query=query), now=NOON)
            await Worker(context).hear(*read.pieces)

        assert texts(context) == [text]

    async def test_half_a_character_that_nothing_completes_is_no_character(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(replace(piece(1, 3, "a\ufffd"), halves=("", "d83d")))
        await worker.hear(replace(piece(3, 3, "\ufffdb"), halves=("de00", "")))
        context.clock.advance(DEADLINE + 1)
        await worker.assembly.overdue()

        assert texts(context) == ["a\ufffd\ufffdb"]

    async def test_media_subject_and_time_come_from_whichever_part_has_them(self) -> None:
        context = FakeContext()
        file = Attachment(url="https://example.org/a.jpg", media_type="image/jpeg")
        later = NOON.replace(minute=1)
        await Worker(context).hear(
            piece(1, 2, at=later, details={"gateway": "vonage"}),
            piece(2, 2, at=NOON, attachments=(file,), subject="Hi", reply_to="out1", details={"medium": "mms"}),
        )

        (message,) = messages(context)
        assert (message.attachments, message.subject, message.reply_to, message.at) == ((file,), "Hi", "out1", NOON)
        assert (Sms.of(message).gateway, Sms.of(message).medium) == ("vonage", "mms")

    async def test_what_is_no_part_goes_through(self) -> None:
        """One of one, and what a gateway numbers as nobody can."""
        context = FakeContext()
        await Worker(context).hear(
            piece(1, 1, "one"), piece(3, 2, "three of two"), piece(1, 10**6, "of a million", key="in:m")
        )

        assert texts(context) == ["one", "three of two", "of a million"]
        assert await kept(context) == []

    @pytest.mark.parametrize("other", [{"by": "sms:+4915187654321"}, {"reference": "8"}, {"to": "sms:54321"}])
    async def test_parts_of_different_messages_are_not_mixed(self, other: dict[str, Any]) -> None:
        context = FakeContext()
        await Worker(context).hear(piece(1, 2, "a"), piece(2, 2, "B", key="in:x", **other))

        assert messages(context) == []

    async def test_a_repeat_gives_the_same_whole_again(self) -> None:
        """The gateway repeats the last part where we failed before the whole was admitted."""
        context = FakeContext()
        first = Assembly(context, deadline=DEADLINE)
        await first.add(piece(1, 2))
        lost = await first.add(piece(2, 2))
        again = await Assembly(context, deadline=DEADLINE).add(piece(2, 2))

        assert lost is not None
        assert lost == again

    async def test_a_part_that_the_network_delivers_twice_is_one_part(self) -> None:
        """The gateway gives it another id."""
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 2, "a"), piece(1, 2, "a", key="in:other"), piece(2, 2, "b"))
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()

        assert texts(context) == ["ab"]


class TestTheDeadline:
    async def test_what_is_there_is_given_with_gaps(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(3, 3, "end"), piece(1, 3, "start "))
        context.clock.advance(DEADLINE - 1)
        assert await worker.assembly.overdue() == 0
        context.clock.advance(1)
        assert await worker.assembly.overdue() == 1

        (message,) = messages(context)
        assert message.text == "start end"
        assert Sms.of(message) == Sms(ids=("7.1", "7.3"), missing=(2,), total=3)

    async def test_a_part_that_comes_too_late_is_a_message_of_its_own(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 3, "a"), piece(3, 3, "c"))
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()
        await worker.hear(piece(2, 3, "b"), piece(2, 3, "b"), piece(1, 3, "a"))

        assert texts(context) == ["ac", "b"]
        assert Sms.of(messages(context)[1]).missing == (1, 3)

    async def test_what_was_completed_but_not_admitted_is_given_once_more(self) -> None:
        """The process ends before the whole is admitted, and the gateway never repeats the part."""
        context = FakeContext()
        assembly = Assembly(context, deadline=DEADLINE)
        await assembly.add(piece(1, 2, "a"))
        await assembly.add(piece(2, 2, "b"))  # given, and lost
        context.clock.advance(60)
        assert await Assembly(context, deadline=DEADLINE).overdue() == 1

        assert texts(context) == ["ab"]

    async def test_it_is_told_what_a_late_message_means(self) -> None:
        context = FakeContext()

        def told(message: MessageReceived) -> Sequence[Event]:
            return (message.model_copy(update={"language": "de"}),)

        assembly = Assembly(context, deadline=DEADLINE, told=told)
        await assembly.add(piece(1, 2, "a"))
        context.clock.advance(DEADLINE)
        await assembly.overdue()

        assert [message.language for message in messages(context)] == ["de"]

    async def test_nothing_is_forgotten_while_the_ledger_fails(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 2, "a"))
        context.clock.advance(DEADLINE)
        context.refuses_admission = StoreError("away")
        with pytest.raises(StoreError):
            await worker.assembly.overdue()
        context.refuses_admission = None
        await worker.assembly.overdue()

        assert texts(context) == ["a"]

    async def test_in_the_end_nothing_is_left(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 2), piece(2, 2), piece(1, 2, reference="8"))
        for _ in range(3):
            context.clock.advance(DEADLINE)
            await worker.assembly.overdue()

        assert await kept(context) == []


class TestReferencesWrap:
    async def test_another_text_under_the_same_number_is_another_message(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 2, "a"), piece(1, 2, "A", key="in:A"), piece(2, 2, "B", key="in:B"))
        assert texts(context) == ["AB"]
        await worker.assembly.overdue()

        assert texts(context) == ["AB", "a"]
        assert Sms.of(messages(context)[1]).missing == (2,)

    async def test_after_a_whole_the_next_one_begins(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        for generation in range(4):
            await worker.hear(*(piece(n, 2, f"{generation}{n}", key=f"in:{generation}.{n}") for n in (1, 2)))
            await worker.assembly.overdue()

        assert texts(context) == ["0102", "1112", "2122", "3132"]


class TestBounds:
    async def test_where_there_is_no_room_the_oldest_goes_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody sends first parts and never a second: nothing is lost, and the ledger does not grow."""
        monkeypatch.setattr("convergekit.adapters.sms.assembly._SETS", 3)
        context = FakeContext()
        worker = Worker(context)
        for number in range(200):
            await worker.hear(piece(1, 2, f"t{number}", reference=str(number)))
        open_sets = await kept(context)
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()

        assert len(open_sets) <= 32 * 3
        assert sorted(map(str, texts(context))) == sorted(f"t{number}" for number in range(200))
        assert all(Sms.of(message).missing == (2,) for message in messages(context))

    async def test_a_place_full_of_what_is_done_has_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What waits for its other part is not given up for the sake of marks."""
        monkeypatch.setattr("convergekit.adapters.sms.assembly._SETS", 2)
        monkeypatch.setattr("convergekit.adapters.sms.assembly._PLACES", 1)
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(piece(1, 2, "late", reference="6"))
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()
        await worker.hear(piece(1, 2, "a"), piece(1, 2, "x", reference="8"), piece(2, 2, "b"))

        assert texts(context) == ["late", "ab"]

    async def test_a_part_that_is_no_sms_is_not_kept(self) -> None:
        context = FakeContext()
        await Worker(context).hear(piece(1, 2, "x" * 100_000))

        assert await kept(context) == []
        assert Sms.of(messages(context)[0]).missing == (2,)

    async def test_large_parts_do_not_fill_a_place(self) -> None:
        context = FakeContext()
        worker = Worker(context)
        await worker.hear(*(piece(n, 100, f"{n}" + "x" * 40_000) for n in range(1, 101)))
        held = await kept(context)
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()

        assert sum(len(str(each)) for each in held) < 2_000_000
        assert sum(str(text).count("x") for text in texts(context)) == 100 * 40_000


class Crash(Exception):
    """The process ends here."""


class Failing:
    """The ledger's state, at whose *n*th call the process ends: before it is written, or behind it."""

    def __init__(self, state: Any, calls: Iterator[bool]) -> None:
        self._state, self._calls = state, calls

    async def get(self, key: str) -> tuple[Any, int]:
        if next(self._calls, False):
            raise Crash
        return await self._state.get(key)  # type: ignore[no-any-return]

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        if next(self._calls, False):
            raise Crash
        done = await self._state.put(key, value, version=version)
        if next(self._calls, False):
            raise Crash
        return done  # type: ignore[no-any-return]


STREAM = [
    *(piece(n, 3, f"[{n} of three]", reference="7") for n in (1, 2, 3)),
    *(piece(n, 2, f"[{n} of two]", reference="8") for n in (1, 2)),
    *(piece(n, 2, f"[{n} of Bob]", reference="7", key=f"in:bob{n}", by="sms:+4915187654321") for n in (1, 2)),
]
WHOLES = ["[1 of Bob][2 of Bob]", "[1 of three][2 of three][3 of three]", "[1 of two][2 of two]"]


@given(order=st.permutations(STREAM * 2), crashes=st.lists(st.booleans(), max_size=60), gives=st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_doubles_and_crashes_give_each_message_once(
    order: Sequence[Piece], crashes: list[bool], gives: st.DataObject
) -> None:
    """A gateway repeats until we say that we have it; `overdue` runs in between, and also where the process ended."""

    async def run() -> FakeContext:
        context = FakeContext()
        worker = Worker(context, Failing(context.state, iter(crashes)))
        for each in order:
            while True:
                try:
                    await worker.hear(each)
                    if gives.draw(st.booleans()):
                        context.clock.advance(30)
                        await worker.assembly.overdue()
                    break
                except Crash:
                    worker = Worker(context)  # the next process
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()
        return context

    assert sorted(map(str, texts(anyio.run(run)))) == WHOLES


@given(order=st.permutations(STREAM), late=st.integers(0, 6), crashes=st.lists(st.booleans(), max_size=30))
@settings(max_examples=100, deadline=None)
def test_whatever_comes_late_no_part_is_lost_or_doubled(order: Sequence[Piece], late: int, crashes: list[bool]) -> None:
    async def run() -> FakeContext:
        context = FakeContext()
        worker = Worker(context, Failing(context.state, iter(crashes)))
        for number, each in enumerate(order):
            while True:
                try:
                    if number == late:
                        context.clock.advance(DEADLINE)
                        await worker.assembly.overdue()
                    await worker.hear(each)
                    break
                except Crash:
                    worker = Worker(context)
        context.clock.advance(DEADLINE)
        await worker.assembly.overdue()
        return context

    said = "".join(map(str, texts(anyio.run(run))))
    assert sorted(said.replace("]", "]\n").splitlines()) == sorted(str(each.message.text) for each in STREAM)


class Yielding:
    """The ledger's state as on a disk: others run while it is asked."""

    def __init__(self, state: Any) -> None:
        self._state = state

    async def get(self, key: str) -> tuple[Any, int]:
        found = await self._state.get(key)
        await anyio.lowlevel.checkpoint()
        return found  # type: ignore[no-any-return]

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        await anyio.lowlevel.checkpoint()
        return await self._state.put(key, value, version=version)  # type: ignore[no-any-return]


class Between:
    """The ledger's state, before whose *n*th call another worker gets its turn."""

    def __init__(self, state: Any, n: int, turn: Callable[[], Awaitable[object]]) -> None:
        self._state, self.left, self._turn = state, n, turn

    async def _wait(self) -> None:
        self.left -= 1
        if self.left == -1:
            await self._turn()

    async def get(self, key: str) -> tuple[Any, int]:
        await self._wait()
        return await self._state.get(key)  # type: ignore[no-any-return]

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        await self._wait()
        return await self._state.put(key, value, version=version)  # type: ignore[no-any-return]


#: What is in the ledger, what one worker does, and what another does in the midst of it. All texts end up there once.
RACES = {
    "two parts": ([], "add 1", "add 2"),
    "the last two parts": ([3], "add 1", "add 2"),
    "the same part": ([], "add 1", "add 1"),
    "a part, as the time is over": ([1, 3], "overdue", "add 2"),
    "the time is over, as a part comes": ([1, 3], "add 2", "overdue"),
    "both find that the time is over": ([1, 3], "overdue", "overdue"),
    "another message under the reference": ([1, 3], "overdue", "add A"),
    "the time is over, as another message comes": ([1, 3], "add A", "overdue"),
}


@pytest.mark.parametrize("n", range(8))
@pytest.mark.parametrize("race", RACES)
async def test_another_worker_between_any_two_steps(race: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convergekit.adapters.sms.assembly._PLACES", 1)  # so that each step is about these parts
    there, one, other = RACES[race]
    context = FakeContext()
    second = Worker(context)
    pieces = {"1": piece(1, 3, "1"), "2": piece(2, 3, "2"), "3": piece(3, 3, "3"), "A": piece(1, 3, "A", key="in:A")}

    async def does(worker: Worker, what: str) -> None:
        if what == "overdue":
            await worker.assembly.overdue()
        else:
            await worker.hear(pieces[what.removeprefix("add ")])

    await second.hear(*(pieces[str(each)] for each in there))
    stored = context.state
    context.clock.advance(DEADLINE if "overdue" in one + other else 0)
    between = Between(stored, n, lambda: does(second, other))
    await does(Worker(context, between), one)
    context.state = stored
    if between.left >= 0:  # it was done before the other's turn came
        await does(second, other)
    for _ in range(2):
        context.clock.advance(DEADLINE)
        await Worker(context).assembly.overdue()

    wanted = {str(each) for each in there} | {each[-1] for each in (one, other) if each != "overdue"}
    assert sorted("".join(map(str, texts(context)))) == sorted(wanted)


async def test_two_workers_at_once_give_the_whole_once() -> None:
    """Each part to another worker, all at the same time."""
    context = FakeContext()
    workers = [Worker(context, Yielding(context.state)) for _ in range(6)]
    async with anyio.create_task_group() as tasks:
        for number, worker in enumerate(workers, 1):
            tasks.start_soon(worker.hear, piece(number, 6, f"{number}"))
    assert texts(context) == ["123456"]
    async with anyio.create_task_group() as tasks:
        context.clock.advance(60)
        for worker in workers:
            tasks.start_soon(worker.assembly.overdue)

    assert texts(context) == ["123456"]


async def test_parts_outlive_the_process(tmp_path: Path) -> None:
    """On a disk: the ledger is closed in between."""
    given = []
    for each in (piece(2, 2, "b"), piece(1, 2, "a")):
        store, context = SqlStore(f"sqlite:///{tmp_path}/ledger.db"), FakeContext()
        async with store.opened(context.clock):
            context.state = StoredState(store, "channel:fake")
            given.append(await Assembly(context, deadline=DEADLINE).add(each))

    assert [message and message.text for message in given] == [None, "ab"]
