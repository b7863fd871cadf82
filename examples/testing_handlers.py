"""How an application tests its handlers, without a network and without waiting: `pytest testing_handlers.py`."""

# [imports]
from dataclasses import dataclass
from pathlib import Path

import pytest

from convergekit import DispatchHandle, Hub, MessageReceived, Receipt, Router, Status
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import ReceiptReceived
from convergekit.testing import Inbound, Medium, RecordingHub, sync

pytestmark = pytest.mark.anyio
# [imports end]

ANN, BOB = "loopback:ann", "loopback:bob"


# [application]
@dataclass
class Orders:
    """Stands in for the host's database."""

    is_away: bool = False

    async def where_is(self, order: str) -> str:
        if self.is_away:
            raise ConnectionError("the database is away")
        return f"Order {order} is on its way."


orders = Orders()
hub = Hub.from_toml(Path(__file__).with_name("convergekit.toml"))


@hub.on_message(command="where", automated=False)
async def where(message: MessageReceived) -> str:
    return await orders.where_is((message.text or "").removeprefix("/where").strip())


async def tell_shipped(order: str, customer: str) -> DispatchHandle:
    return await hub.send(f"Order {order} has left us.", to=customer, key=f"{order}:shipped")


# [application end]


# [conftest]
@pytest.fixture
def convergekit_hub() -> Hub:
    return hub  # the application's own, as `from shop import hub` gives it


# [conftest end]
# [handlers]
async def test_a_question_is_answered(inbound: Inbound, captured: Medium) -> None:
    await inbound("support-chat", ANN, "/where 42")

    assert captured.texts() == ["Order 42 is on its way."]


async def test_what_is_shipped_is_told_once(hub: RecordingHub, captured: Medium) -> None:
    sent = await tell_shipped("42", ANN)
    again = await tell_shipped("42", ANN)

    assert (sent.status, sent.id) == (Status.ACCEPTED, again.id)
    assert captured.only(to=ANN, channel="support-chat").text == "Order 42 has left us."


# [handlers end]


# [failures]
async def test_a_repeated_question_is_answered_once(inbound: Inbound, captured: Medium) -> None:
    for _ in range(2):
        await inbound("support-chat", ANN, "/where 42", key="m1")  # media repeat what they think was lost

    assert len(captured.sent) == 1


async def test_an_answer_waits_for_the_database(
    inbound: Inbound, captured: Medium, hub: RecordingHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(orders, "is_away", True)
        with pytest.raises(ConnectionError):
            await inbound("support-chat", ANN, "/where 42")

    await hub.advance(1)  # a handler that failed runs again within a second, then within four, and so on
    assert captured.texts() == ["Order 42 is on its way."]


# [failures end]


# [outcomes]
async def test_a_busy_medium_is_asked_again(hub: RecordingHub, captured: Medium) -> None:
    captured.script(NotSentError("busy"), ThrottledError("slow down", retry_after=30))
    sent = await tell_shipped("42", ANN)
    assert (sent.status, sent.reason) == (Status.QUEUED, "support-chat: busy")

    await hub.advance(1)
    await hub.advance(29)
    assert captured.texts() == []

    await hub.advance(1)
    assert (sent.status, captured.texts()) == (Status.ACCEPTED, ["Order 42 has left us."])


async def test_a_refusal_is_told_and_not_repeated(hub: RecordingHub, captured: Medium) -> None:
    captured.script(RejectedError("no such person", code="550"), to=BOB)
    ann, bob = await hub.send("We close at six.", to=[ANN, BOB])

    assert ann.status is Status.ACCEPTED
    assert isinstance(bob.error, RejectedError)
    assert bob.error.code == "550"


async def test_what_may_have_gone_out_is_not_sent_again(hub: RecordingHub, captured: Medium) -> None:
    captured.script(UncertainError("the answer is lost"))
    with pytest.raises(UncertainError):
        await tell_shipped("42", ANN)
    await hub.advance(3600)

    assert len(captured.sent) == 1  # it had arrived, which only the test can know


async def test_a_report_moves_the_status(inbound: Inbound, captured: Medium, hub: RecordingHub) -> None:
    sent = await tell_shipped("42", ANN)
    read = Receipt(Status.READ, ids=(captured.only().id,))
    await inbound("support-chat", event=ReceiptReceived(receipt=read))

    assert sent.status is Status.READ


# [outcomes end]


# [router]
def make_router(orders: Orders) -> Router:
    router = Router("shop")

    @router.on_message(channel="partner-*")
    async def state(message: MessageReceived) -> str:
        return await orders.where_is(message.text or "")

    return router


class TestARouterAlone:
    @pytest.fixture
    def convergekit_hub(self) -> Hub:
        return RecordingHub(router=make_router(Orders()), channels={"partner-hook": "webhook"})

    async def test_it_answers_partners(self, inbound: Inbound, captured: Medium) -> None:
        await inbound("partner-hook", "https://partner.example/", "42")

        assert captured.texts() == ["Order 42 is on its way."]


# [router end]


# [blocking]
def test_a_question_is_answered_in_a_test_that_is_not_async(inbound: sync.Inbound, captured: Medium) -> None:
    inbound("support-chat", ANN, "/where 42")

    assert captured.texts() == ["Order 42 is on its way."]


# [blocking end]
