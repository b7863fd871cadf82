"""From what a caller wants to what the ledger holds: legs, content kept by the store, gates asked twice, keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from convergekit import Attachment, Contact, MemoryStore, Message, MessageReceived, Status, first_of, via
from convergekit.adapters.loopback import Medium
from convergekit.engine.blobs import INLINE
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    KeyConflictError,
    NotSentError,
    RejectedError,
    SuppressedError,
    UnsupportedContentError,
)
from convergekit.model import ConsentChanged, DeliveryState, DispatchState
from convergekit.router import STANDARD, Allow, Decision, Defer, Drop, GateInput, divert, loop_guard
from tests.engine.kit import ANN, BOB, ProbeConfig

pytestmark = pytest.mark.anyio


# To whom


async def test_a_contact_is_reached_the_way_they_prefer(bench: Any) -> None:
    """Their preferred medium first, whatever the order of their addresses; a refusal moves on."""
    contact = Contact(id="42", addresses=("loopback:one", "probe:two"), preferred="probe")
    sent: list[str] = []

    async def refuses(out: Any) -> None:
        sent.append(str(out.to))
        raise RejectedError("moved")

    async with bench() as b:
        medium = await b.add()
        await b.hub.add_channel("probe", ProbeConfig(), sending=refuses)
        handle = await b.hub.send("hello", to=contact)

        assert sent == ["probe:two"]
        assert medium.texts("loopback:one") == ["hello"]
        assert handle.status is Status.ACCEPTED
        assert handle.dispatch.recipient == "contact:42"


async def test_a_contact_without_a_way_is_wrong_usage(bench: Any) -> None:
    """It names what is missing, and nothing is stored."""
    async with bench() as b:
        await b.add()
        with pytest.raises(InvalidInputError, match="no address at all"):
            await b.hub.send("hello", to=Contact(id="1"))
        with pytest.raises(ConfigurationError, match="no channel serves fax"):
            await b.hub.send("hello", to=Contact(id="2", addresses=("fax:1",)))
        assert await b.store.dispatches() == []


async def test_a_plan_warns_of_who_is_shown_and_not_sent_to(bench: Any) -> None:
    """To be named in `cc` sends to nobody; whoever looks at the plan sees that before anything goes out."""
    seen = Message("When do we meet?", to=[ANN], cc=[BOB])
    async with bench() as b:
        await b.add()
        (only_ann,) = (await b.hub.plan(seen, to=ANN)).recipients
        both = (await b.hub.plan(seen, to=[Contact(id="1", addresses=(ANN,)), BOB])).recipients

    assert [warning for warning in only_ann.warnings if "not sent to" in warning] == [
        f"{BOB} is shown as a recipient and not sent to; to= of the send says who is"
    ]
    assert not any("not sent to" in warning for each in both for warning in each.warnings)


async def test_of_several_channels_the_default_or_the_named_one(bench: Any) -> None:
    """Nobody guesses; the error names the candidates."""
    async with bench() as b:
        first, second = await b.add("first"), await b.add("second")
        with pytest.raises(ConfigurationError, match=r"first, second and none is the default"):
            await b.hub.send("hello", to=ANN)
        await b.hub.send("hello", to=ANN, via="second")
        await b.hub.send("hello", to=ANN, via=first_of(via("first"), via("second")))

        assert (first.texts(), second.texts()) == (["hello"], ["hello"])


# What the store keeps


async def test_large_content_streams_and_files_are_in_the_store_before_the_message(bench: Any, tmp_path: Path) -> None:
    """A copy: what becomes of the file after `submit` does not matter; and adapters read it in chunks."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"first version")
    drained = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal drained
        drained += 1
        for _ in range(3):
            yield b"x" * 50_000

    message = Message(
        "see the files",
        attachments=[
            Attachment(path=path, media_type="application/pdf"),
            Attachment(stream=stream, name="log.txt"),
            Attachment(data=b"y" * (INLINE + 1), name="big.bin"),
            Attachment(data=b"z" * INLINE, name="small.bin"),
        ],
    )
    async with bench() as b:
        medium = await b.add("loop", Medium(refuses_login=OSError("not yet")))
        await b.hub.submit(message, to=ANN)
        path.write_bytes(b"second version")
        path.unlink()
        medium.refuses_login = None
        await b.pass_time(5)

        adapter = b.hub.channel("loop").adapter
        attachments = [each for sent in medium.sent for each in sent.part.attachments]
        assert [each.name for each in attachments] == ["report.pdf", "log.txt", "big.bin", "small.bin"]
        assert [each.claim is not None for each in attachments] == [True, True, True, False]
        assert [each.size for each in attachments] == [13, 150_000, INLINE + 1, INLINE]
        contents = [await adapter.context.read(each) for each in attachments]
        assert contents[0] == b"first version"
        assert [len(each) for each in contents[1:]] == [150_000, INLINE + 1, INLINE]
        assert drained == 1
        async with adapter.context.open(attachments[1]) as chunks:
            assert max([len(chunk) async for chunk in chunks]) <= INLINE
        with pytest.raises(UnsupportedContentError, match="exceeds 100 bytes"):
            await adapter.context.read(attachments[1], limit=100)


async def test_a_file_that_is_not_there_is_said_and_nothing_is_stored(bench: Any, tmp_path: Path) -> None:
    """By its name, without the folder."""
    async with bench() as b:
        await b.add()
        with pytest.raises(InvalidInputError, match=r"'gone\.pdf' cannot be read: No such file"):
            await b.hub.submit(Message("see", attachments=[Attachment(path=tmp_path / "gone.pdf")]), to=ANN)
        assert await b.store.dispatches() == []


# Keys


async def test_a_key_knows_its_content(bench: Any, tmp_path: Path) -> None:
    """The same content finds what is there, wherever it is read from; anything else is a conflict."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"a" * 100_000)
    async with bench() as b:
        medium = await b.add()
        now = b.clock.now()
        message = Message("see", attachments=[Attachment(path=path, name="a.bin")])
        first = await b.hub.send(message, to=ANN, key="k")
        again = await b.hub.send(message, to=ANN, key="k")
        assert again.id == first.id
        other_ways: list[tuple[Any, Any]] = [
            ("other text", None),
            (Message("see", not_before=now), None),
            (Message("see", attachments=[Attachment(data=b"b" * 100_000, name="a.bin")]), None),
            (message, via("loop")),
        ]
        for content, route in other_ways:
            with pytest.raises(KeyConflictError, match="'k' was used before"):
                await b.hub.send(content, to=ANN, via=route, key="k")
        conversation = b.hub.conversation(ANN)
        await conversation.edit(first, "new", key="e")
        with pytest.raises(KeyConflictError):
            await conversation.edit(first, "newer", key="e")
        await b.settle()

        assert [each.operation.value for each in medium.sent] == ["send", "edit"]


# Gates


async def test_no_more_than_twenty_automatic_messages_an_hour_to_one_person(bench: Any) -> None:
    """Two programs that answer each other come to an end; a person in the next room does not notice."""
    async with bench() as b:

        @b.hub.on_message
        async def parrot(message: MessageReceived) -> str:
            return f"you said {message.text}"

        medium = await b.add()
        for number in range(25):
            medium.say(text=str(number), sender=ANN)
        await b.settle()
        medium.say(text="hello", sender=BOB)
        await b.settle()
        assert len(medium.texts(ANN)) == 20
        assert len(medium.texts(BOB)) == 1
        suppressed = [each for each in await b.store.dispatches() if each.state is DispatchState.SUPPRESSED]
        assert len(suppressed) == 5
        assert "20 automatic messages" in (suppressed[0].reason or "")
        await b.hub.send("a person", to=ANN)  # no program speaks
        await b.pass_time(3601, step=600)
        medium.say(text="and now", sender=ANN)
        await b.settle()

        assert medium.texts(ANN)[20:] == ["a person", "you said and now"]


async def test_a_repeated_run_is_not_counted_twice(bench: Any) -> None:
    """The cap counts messages, not attempts."""
    runs = 0
    async with bench(gates=[loop_guard(limit=2)]) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> str:
            nonlocal runs
            runs += 1
            await b.hub.conversation(message).reply("once")
            if runs < 3:
                raise RuntimeError("again")
            return "twice"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        await b.pass_time(30)

        assert medium.texts() == ["once", "twice"]


@dataclass
class Says:
    """A gate of the host's that says what it is told to."""

    answers: list[Decision]
    name: str = "host"
    asked: int = 0

    def decide(self, leg: GateInput) -> Decision:
        self.asked += 1
        return self.answers.pop(0) if self.answers else Allow()


async def test_a_deferred_message_is_asked_about_again_when_it_wakes(bench: Any) -> None:
    """Consent may be gone by then; until its time it holds nobody up."""
    async with bench() as b:
        medium = await b.add()
        news = Message("news", not_before=b.clock.now() + timedelta(seconds=100))
        deferred = await b.hub.send(news, to=ANN)
        assert deferred.state is DispatchState.WAITING
        assert "not before" in (deferred.reason or "")
        await b.hub.consents.record(ConsentChanged(address=ANN, granted=False))
        await b.pass_time(110, step=10)

        assert medium.texts() == []
        assert deferred.state is DispatchState.SUPPRESSED
        assert isinstance(deferred.error, SuppressedError)
        assert "opted out" in str(deferred.error)


async def test_nothing_is_read_for_somebody_of_whom_nothing_is_known(bench: Any) -> None:
    """Each question costs a ledger on disk more than the whole message; a contact of the caller's own asks none."""

    class Asked(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.questions: list[str] = []

        async def get(self, scope: str, key: str) -> tuple[Any, int]:
            self.questions.append(scope)
            return await super().get(scope, key)

    async with bench(store=Asked()) as b:
        medium = await b.add()
        b.store.questions.clear()
        await b.hub.send("hello", to=ANN)
        await b.hub.send("hello", to=Contact(id="bob", addresses=(BOB,)))

        assert b.store.questions == []
        assert medium.texts() == ["hello", "hello"]


async def test_what_becomes_known_in_the_last_moment_counts(bench: Any) -> None:
    """Of several recipients one said STOP while the message was on its way into the ledger; a file is copied once."""

    class LastMoment(MemoryStore):
        hub: Any = None

        async def submit(self, dispatches: Any, **options: Any) -> Any:
            hub, self.hub = self.hub, None
            if hub is not None:
                await hub.consents.record(ConsentChanged(address=BOB, granted=False))
            return await super().submit(dispatches, **options)

    drained = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal drained
        drained += 1
        yield b"x"

    async with bench(store=LastMoment()) as b:
        medium = await b.add()
        b.store.hub = b.hub
        message = Message("hello", attachments=[Attachment(stream=stream)])
        ann, bob = await b.hub.send(message, to=[ANN, BOB], key="k")

        assert (ann.state, bob.state) == (DispatchState.SATISFIED, DispatchState.SUPPRESSED)
        assert medium.texts() == ["hello"]
        assert len(await b.store.dispatches()) == 2
        assert drained == 1


async def test_a_stored_contact_that_said_no_is_believed_of_an_address_too(bench: Any) -> None:
    """Also where the content, asked about first, would be refused."""
    async with bench() as b:
        medium = await b.add()
        await b.hub.contacts.put(Contact(id="ann", addresses=(ANN,), consents={"marketing": False}))
        for message in (Message("news", category="marketing"), Message("", category="marketing")):
            handle = await b.hub.submit(message, to=ANN)
            assert handle.state is DispatchState.SUPPRESSED
        await b.hub.consents.record(ConsentChanged(address=ANN, granted=False))
        assert (await b.hub.submit("", to=ANN)).state is DispatchState.SUPPRESSED
        assert medium.texts() == []


async def test_an_agreement_that_only_the_caller_knew_is_not_forgotten(bench: Any) -> None:
    """A contact that is handed over and stored nowhere; but a later no counts."""
    async with bench() as b:
        medium = await b.add()
        news = Message("news", category="marketing", not_before=b.clock.now() + timedelta(seconds=100))
        for name in ("ann", "bob"):
            contact = Contact(id=name, addresses=(f"loopback:{name}",), consents={"marketing": True})
            await b.hub.send(news, to=contact)
        await b.hub.consents.record(ConsentChanged(address=BOB, granted=False, category="marketing"))
        await b.pass_time(110, step=10)

        assert medium.texts(ANN) == ["news"]
        assert medium.texts(BOB) == []


async def test_what_has_waited_for_its_channel_is_asked_about_again(bench: Any) -> None:
    """STOP means stop, also for what was queued while the channel was away."""
    async with bench() as b:
        medium = await b.add("loop", Medium(refuses_login=OSError("away")))
        waiting = await b.hub.submit("news", to=ANN)
        other = await b.hub.submit("news", to=BOB)
        await b.hub.consents.record(ConsentChanged(address=ANN, granted=False))
        b.clock.advance(3600)
        medium.refuses_login = None
        await b.pass_time(1)

        assert waiting.state is DispatchState.SUPPRESSED
        assert other.status is Status.ACCEPTED
        assert medium.texts() == ["news"]


async def test_a_gate_may_defer_again_and_again(bench: Any) -> None:
    """Quiet hours that were changed meanwhile."""
    gate = Says([])
    async with bench(gates=[*STANDARD, gate]) as b:
        start = b.clock.now()
        gate.answers = [
            Defer(until=start + timedelta(seconds=100 * (number + 1)), reason="quiet") for number in range(3)
        ]
        medium = await b.add()
        sent = await b.hub.send("hello", to=ANN)
        for number in range(3):
            assert sent.status is Status.QUEUED, number
            assert sent.next_attempt == start + timedelta(seconds=100 * (number + 1))
            await b.pass_time(100, step=50)

        assert medium.texts() == ["hello"]
        assert gate.asked == 4


async def test_a_gate_may_divert_when_planned(bench: Any) -> None:
    """The plan says so, and the gates are asked about the new way as well."""
    gate = Says([divert("second", "the first is for emergencies")])
    async with bench(gates=[gate]) as b:
        first, second = await b.add("first", default=True), await b.add("second")
        plan = await b.hub.plan("hello", to=ANN)
        assert "the first is for emergencies" in str(plan)
        assert gate.asked == 2
        gate.answers = [divert("second", "the first is for emergencies")]
        await b.hub.send("hello", to=ANN)

        assert (first.texts(), second.texts()) == ([], ["hello"])


async def test_a_gate_may_divert_what_wakes(bench: Any) -> None:
    """It goes the other way as a message of its own, once, and the ledger says which."""
    gate = Says([])
    async with bench(gates=[*STANDARD, gate]) as b:
        first, second = await b.add("first", default=True), await b.add("second")
        late = await b.hub.send(Message("hello", not_before=b.clock.now() + timedelta(seconds=50)), to=ANN)
        gate.answers = [divert("second", "the first is for emergencies")]
        await b.pass_time(60, step=10)

        assert (first.texts(), second.texts()) == ([], ["hello"])
        assert late.state is DispatchState.SUPPRESSED
        (other,) = [each for each in await b.store.dispatches() if each.id != late.id]
        assert other.state is DispatchState.SATISFIED
        assert f"diverted to dispatch {other.id}" in (late.reason or "")


async def test_a_diversion_to_nowhere_suppresses_and_says_so(bench: Any) -> None:
    """It is not tried for ever."""
    gate = Says([])
    async with bench(gates=[*STANDARD, gate]) as b:
        medium = await b.add()
        late = await b.hub.send(Message("hello", not_before=b.clock.now() + timedelta(seconds=50)), to=ANN)
        gate.answers = [divert("nowhere", "over there")]
        await b.pass_time(300, step=10)

        assert medium.texts() == []
        assert late.state is DispatchState.SUPPRESSED
        assert "cannot be diverted" in (late.reason or "")
        assert gate.asked == 2


async def test_a_leg_that_a_gate_drops_leaves_the_others(bench: Any) -> None:
    """Of a `first_of`, the next one goes; when it wakes as when it is planned."""
    gate = Says([Drop(reason="not there")])
    async with bench(gates=[gate]) as b:
        first, second = await b.add("first"), await b.add("second")
        sent = await b.hub.send("hello", to=ANN, via=first_of("first", "second"))

        assert (first.texts(), second.texts()) == ([], ["hello"])
        assert sent.status is Status.ACCEPTED


async def test_a_second_leg_is_asked_about_when_its_turn_comes(bench: Any) -> None:
    """Hours after it was planned."""

    async def busy(out: Any) -> None:
        raise NotSentError("busy")

    async with bench() as b:
        first = await b.add("first")
        second = await b.add("second")
        first.script(*[busy] * 100)
        sent = await b.hub.send("hello", to=ANN, via=first_of("first", "second", tries=8))
        await b.hub.consents.record(ConsentChanged(address=ANN, granted=False))
        await b.pass_time(600, step=5)

        assert second.texts() == []
        assert sent.state.is_final
        assert [each.state for each in sent.deliveries].count(DeliveryState.CANCELLED) == 2
