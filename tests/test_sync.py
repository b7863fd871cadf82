"""The same hub behind blocking code: plain threads, any number of them, on either event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

import convergekit
import convergekit.sync
from convergekit import Contact, Conversation, MemoryStore, MessageReceived, Status
from convergekit import Hub as AsyncHub
from convergekit.adapters.loopback import Medium
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    KeyConflictError,
    NotRunningError,
    NotSentError,
    RejectedError,
    UncertainError,
)
from convergekit.model import ConsentChanged, DispatchState
from convergekit.sync import Hub

ANN = "loopback:ann"
BOB = "loopback:bob"


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Literal["asyncio", "trio"]:
    chosen: Literal["asyncio", "trio"] = request.param
    return chosen


@pytest.fixture
def medium() -> Medium:
    return Medium()


@pytest.fixture
def hub(backend: Literal["asyncio", "trio"], medium: Medium) -> Iterator[Hub]:
    with Hub(backend=backend, store=MemoryStore()) as hub:
        hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        yield hub


def test_three_lines_send_a_message(hub: Hub, medium: Medium) -> None:
    """The handle says what became of it, and waits where it is asked to."""
    sent = hub.send("hello", to=ANN, key="order-42")

    assert sent.status is Status.ACCEPTED
    assert sent.wait(Status.ACCEPTED, timeout=60) is Status.ACCEPTED
    assert (sent.key, sent.state, sent.reason, sent.error) == ("order-42", DispatchState.SATISFIED, None, None)
    assert sent.dispatch.id == sent.id
    assert sent.id in repr(sent)
    assert str(sent.deliveries[0].address) == ANN
    assert medium.texts() == ["hello"]


def test_several_recipients_and_a_plan(hub: Hub, medium: Medium) -> None:
    """The same overloads as the asynchronous hub."""
    handles = hub.send("hello", to=[ANN, BOB])
    assert [handle.status for handle in handles] == [Status.ACCEPTED] * 2
    assert [handle.wait() for handle in hub.submit("again", to=(ANN, BOB))] == [Status.ACCEPTED] * 2
    assert ANN in str(hub.plan("hello", to=ANN))
    assert len(medium.sent) == 4


def test_any_number_of_threads_may_send(hub: Hub, medium: Medium) -> None:
    """Each waits for its own."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: hub.send(f"{number}", to=f"loopback:p{number % 5}").status, range(40)))

    assert statuses == [Status.ACCEPTED] * 40
    assert sorted(medium.texts(), key=int) == [str(number) for number in range(40)]


def test_errors_come_out_as_they_are(hub: Hub, medium: Medium) -> None:
    """Typed, un-grouped, with what they know."""
    medium.script(RejectedError("no such user", code="550"))
    with pytest.raises(RejectedError) as refused:
        hub.send("hello", to=ANN)
    assert refused.value.code == "550"
    with pytest.raises(ConfigurationError, match="no channel serves fax"):
        hub.send("hello", to="fax:1")
    hub.submit("hello", to=ANN, key="k")
    with pytest.raises(KeyConflictError):
        hub.submit("other", to=ANN, key="k")
    with pytest.raises(TimeoutError):
        hub.submit("hello", to=ANN).wait(Status.READ, timeout=0.01)


def test_an_error_inside_the_block_comes_out_as_it_is(backend: Literal["asyncio", "trio"]) -> None:
    """And the hub is closed all the same."""
    error = ValueError("mine")
    hub = Hub(backend=backend, store=MemoryStore())

    def host() -> None:
        with hub:
            hub.add_channel("loop", {"adapter": "loopback"})
            raise error

    with pytest.raises(ValueError, match="mine") as caught:
        host()
    assert caught.value is error
    assert {each.state for each in hub.health().channels.values()} == {"closed"}


def test_handlers_run_in_the_hubs_own_loop(hub: Hub, medium: Medium) -> None:
    """Asynchronous ones in it, plain ones in threads beside it; the caller's thread is free."""
    threads: list[threading.Thread] = []
    done = threading.Event()

    @hub.on_message(sender="loopback:ann")
    async def answer(message: MessageReceived, conversation: Conversation) -> str:
        threads.append(threading.current_thread())
        await conversation.reply("one moment")
        return "yes"

    @hub.on_message
    def plain(message: MessageReceived) -> str:
        threads.append(threading.current_thread())
        done.set()
        return "plainly"

    said(hub, medium, text="hello?", sender=ANN)
    said(hub, medium, text="hello?", sender=BOB)
    assert done.wait(60)
    until(lambda: len(medium.sent) == 3)

    assert medium.texts(ANN) == ["one moment", "yes"]
    assert medium.texts(BOB) == ["plainly"]
    assert threading.current_thread() not in threads


def test_a_message_can_be_cancelled(backend: Literal["asyncio", "trio"]) -> None:
    """From any thread."""
    medium = Medium(refuses_login=OSError("away"))
    with Hub(backend=backend, store=MemoryStore()) as hub:
        hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        handle = hub.submit("hello", to=ANN)
        assert not hub.health().ok
        assert handle.cancel()
        assert handle.state is DispatchState.CANCELLED
        hub.remove_channel("loop")
        assert hub.health().channels == {}
    assert medium.sent == []


def test_leaving_drains(backend: Literal["asyncio", "trio"], medium: Medium) -> None:
    """What was submitted goes out first."""
    with Hub(backend=backend, store=MemoryStore()) as hub:
        hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        for number in range(50):
            hub.submit(f"{number}", to=ANN)

    assert medium.texts() == [str(number) for number in range(50)]


def test_channels_may_be_added_before_it_is_open(backend: Literal["asyncio", "trio"], medium: Medium) -> None:
    """They are opened with it."""
    hub = Hub(backend=backend, store=MemoryStore())
    hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
    with pytest.raises(NotRunningError, match="with hub"):
        hub.send("hello", to=ANN)
    with hub:
        assert hub.health().ok
        handle = hub.send("hello", to=ANN)
    with pytest.raises(NotRunningError):
        hub.submit("hello", to=ANN)
    assert handle.status is Status.ACCEPTED
    with pytest.raises(NotRunningError):
        handle.cancel()


def test_a_hub_is_entered_once(backend: Literal["asyncio", "trio"]) -> None:
    """No loop is left running by the second try."""
    before = threading.active_count()
    hub = Hub(backend=backend, store=MemoryStore())
    with hub:
        pass
    with pytest.raises(ConfigurationError, match="entered once"):
        hub.__enter__()
    until(lambda: threading.active_count() <= before)


def test_from_toml(backend: Literal["asyncio", "trio"], tmp_path: Path) -> None:
    """The same file as the asynchronous hub's."""
    path = tmp_path / "convergekit.toml"
    path.write_text('[channels.one]\nadapter = "loopback"\n')
    with Hub.from_toml(path, backend=backend, store=MemoryStore()) as hub:
        assert hub.send("hello", to=ANN).status is Status.ACCEPTED
        assert list(hub.health().channels) == ["one"]


def test_a_conversation_has_its_verbs(hub: Hub, medium: Medium) -> None:
    """What was sent through it can be named in the next call."""
    conversation = hub.conversation(ANN)
    sent = conversation.send("helo")
    assert conversation.edit(sent, "hello").wait() is Status.ACCEPTED
    assert conversation.react(sent, "+1").wait() is Status.ACCEPTED
    assert conversation.reply("and again").wait() is Status.ACCEPTED
    assert conversation.retract(sent).wait() is Status.ACCEPTED
    assert conversation.mark_read("in-1").wait() is Status.ACCEPTED
    assert conversation.typing()
    assert [each.operation.value for each in medium.sent] == ["send", "edit", "react", "send", "retract", "read"]
    assert conversation.channel == "loop"
    assert hub.send("hello", to=conversation.ref).status is Status.ACCEPTED
    assert "loop" in repr(conversation)
    assert hub.channel("loop").state == "up"


def test_dead_letters_are_decided_on(backend: Literal["asyncio", "trio"], medium: Medium) -> None:
    """From a plain script."""
    with Hub(backend=backend, store="memory:") as hub:
        hub.add_channel("loop", {"adapter": "loopback", "attempts": 1}, medium=medium)
        medium.script(NotSentError("down"), UncertainError("lost"), UncertainError("lost"), NotSentError("down"))
        for _ in range(4):
            with pytest.raises((NotSentError, UncertainError)):
                hub.send("hello", to=ANN)
        assert [each.state for each in hub.dispatches(recipient=ANN)] == [
            "exhausted",
            "pending",
            "pending",
            "exhausted",
        ]
        assert hub.dispatches(limit=1)[0].id == hub.dispatches()[0].id
        first, second, third, fourth = hub.dead_letters
        assert first.delivery is not None
        found = hub.dispatch(first.delivery.dispatch)
        assert found is not None
        assert isinstance(found.error, NotSentError)
        assert hub.dispatch("nobody") is None
        assert [each.state for each in (first, second, third, fourth)] == ["dead", "dead", "unknown", "unknown"]
        assert hub.dead_letters.list(state="dead", limit=1) == [first]
        assert hub.dead_letters.get(first.id) == first
        assert hub.dead_letters.resend(first.id, "again").wait() is Status.ACCEPTED
        assert hub.dead_letters.discard(second.id)
        assert hub.dead_letters.settle(third.id, sent=True)
        assert hub.dead_letters.settle(fourth.id, sent=False)
        assert not hub.dead_letters.retry(first.id)
        assert hub.dead_letters.list() == []


def said(hub: Hub, medium: Medium, **fields: Any) -> None:
    """Say something on the medium: it belongs to the hub's own thread."""

    async def say() -> None:
        medium.say(**fields)

    hub._call(say)


def until(holds: Any) -> None:
    """Threads have no other clock than the machine's."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_what_failed_goes_again(backend: Literal["asyncio", "trio"]) -> None:
    """One message, or all of a channel; one after another where that is wanted."""
    medium = Medium(idempotent=True)
    with Hub(backend=backend, store=MemoryStore()) as hub:
        hub.add_channel("loop", {"adapter": "loopback", "attempts": 1}, medium=medium)
        medium.script(*[RejectedError("refused")] * 3)
        handles = [hub.submit(str(number), to=ANN) for number in range(3)]
        for handle in handles:
            with pytest.raises(RejectedError):
                handle.wait(timeout=60)
        assert hub.redeliver(handles[0]).wait(timeout=60) is Status.ACCEPTED
        for each in hub.redeliveries("loop"):
            assert each.handle is not None
            assert each.handle.wait(timeout=60) is Status.ACCEPTED
            break
        done = hub.redeliver(channel="loop")
        assert (done.again, done.left) == (1, {})
        assert handles[2].wait(timeout=60) is Status.ACCEPTED
        assert medium.texts() == ["0", "1", "2"]
        with pytest.raises(InvalidInputError, match="one message, or channel="):
            hub.redeliver()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def test_an_adapter_class_is_said_where_the_settings_do_not_tell_it() -> None:
    """Before the hub is entered and inside, as with `convergekit.Hub`."""
    from convergekit.adapters.loopback import LoopbackAdapter

    class Shouting(LoopbackAdapter):
        pass

    hub = Hub(store=MemoryStore())
    hub.add_channel("before", {}, adapter=Shouting)
    with hub:
        hub.add_channel("inside", {}, adapter=Shouting)
        assert all(isinstance(hub.channel(name).adapter, Shouting) for name in ("before", "inside"))


def test_people_and_channels_are_known_there_too(hub: Hub) -> None:
    """By the same names as in the asynchronous hub."""
    ann = Contact(id="ann", addresses=[ANN])
    hub.contacts.put(ann)
    assert hub.contacts.by_address(ann.addresses[0]) == hub.contacts.get("ann") == ann
    hub.consents.record(ConsentChanged(key="k", address=ann.addresses[0], granted=False))
    assert hub.consents.consents(ann.addresses[0], ann) == {None: False}
    assert hub.contacts.remove("ann")
    assert [each.name for each in hub.channels] == ["loop"]


def test_whatever_the_asynchronous_hub_can_do_this_one_can() -> None:
    """But for what only makes sense in an event loop."""
    asynchronous = {"asgi", "idle", "open", "receiver", "run", "clock", "random", "router", "store"}
    names = {name for name in (*dir(AsyncHub), *vars(AsyncHub(store="memory:"))) if not name.startswith("_")}
    assert names - asynchronous <= {*dir(Hub), *vars(Hub(store="memory:"))}


@pytest.mark.parametrize("name", ["DispatchHandle", "Channel", "Conversation"])
def test_so_can_what_it_hands_out(name: str) -> None:
    """`sent` is how `Hub.send` waits."""
    names = {each for each in dir(getattr(convergekit, name)) if not each.startswith("_")}
    assert names - {"sent"} <= set(dir(getattr(convergekit.sync, name)))


def test_what_waits_for_a_retry_has_settled_and_says_when_it_goes(hub: Hub, medium: Medium) -> None:
    handle = hub.send("Order 1", to="loopback:ann")
    medium.script(NotSentError("the line is down"))
    later = hub.submit("Order 2", to="loopback:ann")
    later.settled(60)
    assert later.status is Status.QUEUED
    assert later.next_attempt is not None
    assert handle.next_attempt is None
