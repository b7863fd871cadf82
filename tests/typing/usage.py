"""Typical user code, read by the type checkers and run by nobody.

What is wrong here on purpose carries an ignore with its code;
a checker that stops complaining about it fails the check.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, assert_type

from convergekit import (
    Address,
    Attachment,
    Contact,
    Conversation,
    ConversationRef,
    Depends,
    DispatchHandle,
    Hub,
    Importance,
    MemoryStore,
    Message,
    MessageReceived,
    Receipt,
    Retention,
    Router,
    Status,
    all_of,
    first_of,
    preferred,
    same_thread,
    via,
)
from convergekit.abc import Adapter, Health, Outgoing, Request
from convergekit.adapters.webhook import WebhookConfig
from convergekit.asgi import WebhookApp, compose
from convergekit.errors import RejectedError
from convergekit.hub import DeadLetter, Left, Redelivered
from convergekit.model import DeliveryChanged, Event
from convergekit.router import Plan
from convergekit.sync import DispatchHandle as BlockingHandle
from convergekit.sync import Hub as BlockingHub

hub = Hub(store=MemoryStore())
Hub(retention=Retention(days=365, channels={"alerts-*": 30}))
router = Router()


def user_of(message: MessageReceived) -> str:
    return str(message.sender)


@hub.on_message(channel="support-*", text="help*")
async def answer(
    message: MessageReceived, conversation: Conversation, user: Annotated[str, Depends(user_of)]
) -> str | None:
    assert_type(message.text, str | None)
    assert_type(message.sender, Address | None)
    for attachment in message.attachments:
        assert_type(await hub.read(attachment, limit=1_000_000), bytes)
        assert_type(await hub.fetch(attachment), Attachment)
        async with hub.open(attachment) as chunks:
            async for chunk in chunks:
                assert_type(chunk, bytes)
    handle = await conversation.reply(f"Thanks, {user}")
    assert_type(handle, DispatchHandle)
    return None


async def know(contact: Contact) -> None:
    await hub.contacts.put(contact)
    assert_type(await hub.contacts.by_address(contact.addresses[0]), Contact | None)
    with BlockingHub() as blocking:
        assert_type(blocking.contacts.get(contact.id), Contact | None)


def serve() -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    door = hub.asgi(health=True, details=True, max_waiting=2**20)
    assert_type(door, WebhookApp)
    site = Starlette(routes=[Mount("/hooks", app=door)])
    Starlette(routes=[Mount("/", app=compose(site, {"/more": door}, lifespan=hub))])


async def decide() -> None:
    async for letter in hub.dead_letters:
        assert_type(letter, DeadLetter)
        assert_type(await hub.dead_letters.resend(letter.id, "other words"), DispatchHandle)
    assert_type(await hub.dead_letters.list(state="unknown", limit=5), list[DeadLetter])
    assert_type(await hub.redeliver("id", expires_at=datetime.now(UTC)), DispatchHandle)
    assert_type(await hub.redeliver(channel="hooks", only="all"), Redelivered)
    async for each in hub.redeliveries("hooks", to="https://example.org/hook", limit=10):
        assert_type(each.handle, DispatchHandle | None)
        assert_type(each.left, Left | None)
    with BlockingHub(store="sqlite:///ledger.db") as blocking:
        assert_type(blocking.redeliver("id"), BlockingHandle)
        assert_type([each.handle for each in blocking.redeliveries("hooks")], list[BlockingHandle | None])
        assert_type([letter.id for letter in blocking.dead_letters], list[str])
        assert_type(blocking.conversation("x:1").send("hello"), BlockingHandle)


@router.on_event(DeliveryChanged)
async def told(event: DeliveryChanged) -> None:
    assert_type(event.status, Status)


@router.on_message
def blocking_handlers_may_be_plain_functions(message: MessageReceived) -> Message:
    return Message(message.text, importance=Importance.URGENT)


async def send(contact: Contact, ref: ConversationRef) -> None:
    async with hub:
        one = await hub.send("hello", to="sms:+4915112345678", key="order-42", timeout=5)
        assert_type(one, DispatchHandle)
        assert_type(await one.wait(until=Status.DELIVERED, timeout=60), Status)
        several = await hub.send(Message(markdown="**hello**"), to=["sms:+4915112345678", "mailto:ann@example.org"])
        assert_type(several, list[DispatchHandle])
        mixed = await hub.submit("hello", to=(contact, ref, Address("x:12345")))
        assert_type(mixed, list[DispatchHandle])
        assert_type(await hub.plan("hello", to=contact, via=first_of(preferred(), via("alerts"), within=60)), Plan)
        assert_type(await hub.dispatch("id"), DispatchHandle | None)
        assert_type(await hub.dispatches(recipient=contact), list[DispatchHandle])
        await hub.submit("hello", to=contact, via=all_of(same_thread(), "mailto:ann@example.org"))
        try:
            await hub.send(Message("hello", attachments=[Attachment(data=b"x", name="x.bin")]), to=ref)
        except RejectedError as error:
            assert_type(error.code, str | None)
        await hub.add_channel("hook", WebhookConfig(url="https://example.org/hook"))


def block() -> None:
    with BlockingHub() as blocking:
        assert_type(blocking.send("hello", to="x:12345"), BlockingHandle)
        assert_type(blocking.send("hello", to=["x:12345"]), list[BlockingHandle])


class Mini(Adapter[WebhookConfig]):
    name = "mini"
    schemes = frozenset({"mini"})
    Config = WebhookConfig

    async def send(self, out: Outgoing) -> Receipt:
        assert_type(self.config, WebhookConfig)
        answer = await self.context.http.request("POST", "https://example.org", out=out, json={"text": out.text})
        return Receipt(Status.ACCEPTED, ids=(str(answer.status),))

    async def check(self) -> Health:
        return Health(ok=True)

    async def verify(self, request: Request) -> None:
        assert_type(request.body, bytes)

    def parse(self, request: Request) -> Sequence[Event]:
        return [MessageReceived(key="1", text="hello")]


async def wrong(conversation: Conversation, handle: DispatchHandle) -> None:
    await hub.send("hello")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await hub.send("hello", to=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await hub.send("hello", to={"x:1"})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await hub.send("hello", to=via("alerts"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await hub.send("hello", "x:1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await hub.send(b"hello", to="x:1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await hub.send("hello", to="x:1", via=["alerts"])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await hub.submit("hello", to="x:1", timeout=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    print((await hub.send("hello", to=["x:1"])).status)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    print((await hub.send("hello", to="x:1"))[0])  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    await handle.wait("delivered")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await conversation.reply(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await conversation.edit("hello")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    first_of(preferred(), within="60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Hub(store=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await hub.dead_letters.settle("1", True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await hub.dead_letters.list(state="lost")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Hub(role="sender")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Message("hello", impotance="urgent")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Receipt("accepted")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hub.on_message(chanel="support-*")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


@hub.on_message  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
async def answers_a_number(message: MessageReceived) -> int:
    return 5


class WithoutSend(Adapter[WebhookConfig]):
    name = "without-send"


WithoutSend(WebhookConfig(url="https://example.org"), None)  # type: ignore[abstract, arg-type]  # pyright: ignore[reportAbstractUsage, reportArgumentType]
