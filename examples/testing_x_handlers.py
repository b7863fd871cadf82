"""How an application tests what it does on X, without a server: `pytest testing_x_handlers.py`."""

# [x]
import pytest

from convergekit import Conversation, Hub, MessageReceived, Router
from convergekit.adapters.x import X
from convergekit.model import ConversationRef
from convergekit.testing import Inbound, Medium, RecordingHub

pytestmark = pytest.mark.anyio

ANN = "x:12"
IN_PUBLIC = ConversationRef(channel="x", address=ANN, kind="public", thread="1234567890")
desk = Router("desk")


@desk.on_message(channel="x", kind="public")
async def in_public(message: MessageReceived, conversation: Conversation) -> None:
    await conversation.hand_over("Please write to us here:")


@desk.on_message(channel="x", kind="direct")
async def in_private(message: MessageReceived) -> str:
    return "Which order is it?" if X.of(message).handed_over else "How can we help?"


@pytest.fixture
def convergekit_hub() -> Hub:
    return RecordingHub(router=desk, channels={"x": "x"})  # or the application's own hub


async def test_who_mentions_us_is_led_to_where_nobody_else_reads(inbound: Inbound, captured: Medium) -> None:
    await inbound("x", ANN, "@shop where is my order?", conversation=IN_PUBLIC)

    assert captured.only(to=ANN).text == "Please write to us here:"
    assert captured.only().out.conversation == IN_PUBLIC


async def test_who_comes_from_there_is_known_by_it(inbound: Inbound, captured: Medium) -> None:
    came_by = X(handed_over="1234567891", handed_over_from=IN_PUBLIC.key)
    await inbound("x", ANN, "Here I am.", details=came_by.to_details())

    assert captured.texts() == ["Which order is it?"]


async def test_a_handle_is_looked_up(hub: RecordingHub, captured: Medium) -> None:
    await hub.send("Your order is on its way.", to=await hub.channel("x").find("@ann"))

    assert captured.only(to="x:@ann").text == "Your order is on its way."  # of whom nobody knows the id here


# [x end]
