"""How an application tests what it does with mail, without a server: `pytest testing_mail.py`."""

# [mail]
import pytest

from convergekit import Hub, Message, MessageReceived, Receipt, Router, Status
from convergekit.adapters.email import Mail, MailKind
from convergekit.model import Failure, ReceiptReceived
from convergekit.testing import Inbound, Medium, RecordingHub

pytestmark = pytest.mark.anyio

ANN = "mailto:ann@example.net"
desk = Router("desk")


@desk.on_message(automated=False)
async def answer(message: MessageReceived) -> str:
    return f"You wrote: {message.visible_text or message.text}"


@pytest.fixture
def convergekit_hub() -> Hub:
    return RecordingHub(router=desk, channels={"support-mail": "email"})  # or the application's own hub


async def test_what_is_quoted_is_not_repeated(inbound: Inbound, captured: Medium) -> None:
    await inbound("support-mail", ANN, "It works.\n\n> Does it?", visible_text="It works.")

    assert captured.only(to=ANN).text == "You wrote: It works."


async def test_an_absence_is_not_answered(inbound: Inbound, captured: Medium) -> None:
    absence = Mail(kind=MailKind.AUTO_REPLY, may_auto_answer=False)
    await inbound("support-mail", ANN, "I am away.", automated=True, details=absence.to_details())

    assert captured.texts() == []


async def test_a_mail_that_comes_back(inbound: Inbound, captured: Medium, hub: RecordingHub) -> None:
    sent = await hub.send(Message("We have moved.", subject="News"), to=ANN)
    gone = Receipt(Status.FAILED, ids=(captured.only().id,), failure=Failure(code="5.1.1", text="no such person"))
    await inbound("support-mail", event=ReceiptReceived(receipt=gone))

    assert (sent.status, sent.reason) == (Status.FAILED, "no such person")


# [mail end]
