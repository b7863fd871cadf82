"""The SMS channel and a real Kannel, through a hub: what is sent, said and reported, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.abc import SocketAttribute, SocketStream

from convergekit import DispatchHandle, Hub, MemoryStore, MessageReceived, Status
from convergekit.abc import Adapter
from convergekit.errors import DeliveryError, SuppressedError, UncertainError
from convergekit.model import DeliveryState, FailureKind
from tests.asgi_kit import served
from tools.kannel import Kannel, eventually, header

from .rounds import OURS, channel_settings, token

pytestmark = pytest.mark.anyio

ANN = "+491701234567"
#: Seconds, on a machine that has much to do.
_LONGEST = 60.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One of them: both go through `test_rounds.py`."""
    return "asyncio"


class Line:
    """A hub with one channel, `phone`, and the Kannel that it talks through."""

    def __init__(self, hub: Hub, kannel: Kannel, secret: str) -> None:
        self.hub, self.kannel, self.token = hub, kannel, secret
        self.heard: list[MessageReceived] = []

    async def until(self, look: Callable[[], Any]) -> Any:
        return await to_thread.run_sync(partial(eventually, look, seconds=_LONGEST))

    async def at_phones(self, number: int = 1) -> list[tuple[str, str, str]]:
        """Who has written what to whom, once there is so much."""
        await self.until(lambda: len(self.kannel.phones.messages()) >= number)
        return [(sms.sender, sms.to, sms.text) for sms in self.kannel.phones.messages()]

    async def hears(self, number: int = 1) -> list[MessageReceived]:
        await self.until(lambda: len(self.heard) >= number)
        return self.heard

    async def send(self, text: str, to: str = ANN, **more: Any) -> DispatchHandle:
        return await self.hub.send(text, to=f"sms:{to}", timeout=_LONGEST, **more)


def adapter_of(hub: Hub, channel: str) -> Adapter[Any]:
    adapter = hub.channel(channel).adapter
    assert adapter is not None
    return adapter


@pytest.fixture
def line(start_kannel: Callable[..., Kannel], anyio_backend_name: str) -> Any:
    @asynccontextmanager
    async def opened(answer: str | None = None, **settings: Any) -> AsyncGenerator[Line]:
        secret = token()
        options = {name: settings.pop(name) for name in ("joined", "recoded") if name in settings}
        kannel = start_kannel(f"/phone/{secret}", **options)
        hub = Hub(store=MemoryStore())
        here = Line(hub, kannel, secret)

        @hub.on_message
        async def hear(message: MessageReceived) -> str | None:
            here.heard.append(message)
            return answer

        async with hub:
            await hub.add_channel("phone", {**channel_settings(kannel, secret), **settings})
            async with served(hub.asgi(), anyio_backend_name, port=kannel.app):
                yield here

    return opened


async def test_a_message_is_delivered(line: Any) -> None:
    async with line() as here:
        sent = await here.send("grüße {€}")
        assert await sent.wait(Status.DELIVERED, timeout=_LONGEST) is Status.DELIVERED
        assert await here.at_phones() == [(OURS, ANN, "grüße {€}")]


async def test_an_account_is_looked_at_and_nothing_is_sent(line: Any) -> None:
    async with line() as here:
        assert (await adapter_of(here.hub, "phone").check()).ok
        settings = channel_settings(here.kannel, here.token)
        settings["account"] = {**settings["account"], "password": "another"}
        await here.hub.add_channel("wrong", settings)
        assert "403" in (await adapter_of(here.hub, "wrong").check()).detail
        assert here.kannel.phones.messages() == []


async def test_a_phone_is_answered(line: Any) -> None:
    async with line("Hello, phone.") as here:
        here.kannel.phones.say(ANN, OURS, "Hello + welcome")
        (message,) = await here.hears()
        assert (str(message.sender), message.text) == (f"sms:{ANN}", "Hello + welcome")
        assert [str(each) for each in message.to] == [f"sms:{OURS}"]
        assert message.at is not None
        assert await here.at_phones() == [(OURS, ANN, "Hello, phone.")]


@pytest.mark.parametrize("recoded", [False, True])
async def test_what_a_phone_says_in_ucs2_is_read(line: Any, recoded: bool) -> None:
    async with line(recoded=recoded) as here:
        here.kannel.phones.say(ANN, OURS, "здравствуйте 😀\nAB", ucs2=True)
        (message,) = await here.hears()
        assert message.text == "здравствуйте 😀\nAB"


@pytest.mark.parametrize("wide", [False, True])
async def test_parts_that_come_by_themselves_are_one_message(line: Any, wide: bool) -> None:
    async with line(joined=False) as here:
        for number, text in ((3, " three"), (1, "one "), (2, "two")):
            here.kannel.phones.say(ANN, OURS, text, udh=header(7, 3, number, wide=wide))
        (message,) = await here.hears()
        assert message.text == "one two three"


async def test_letters_that_gsm_has_not_arrive(line: Any) -> None:
    """Kannel makes `?` of them unless it is told; a text with any of them goes in UCS-2."""
    texts = ["测试 😀", "kırık", "ç", "x" * 60 + "😀" * 40]
    async with line() as here:
        for text in texts:
            await here.send(text)
        assert sorted(text for *_, text in await here.at_phones(len(texts))) == sorted(texts)


async def test_a_text_beyond_what_kannel_takes_goes_as_several(line: Any) -> None:
    """It would cut it off without a word."""
    text = " ".join(f"word{number}" for number in range(400))
    async with line() as here:
        sent = await here.send(text)
        await sent.wait(Status.DELIVERED, timeout=_LONGEST)
        found = [text for *_, text in await here.at_phones(2)]
    assert " ".join(" ".join(found).split()) == text


async def test_long_ucs2_beyond_what_kannel_takes_goes_as_several(line: Any) -> None:
    text = " ".join(f"слово{number}" for number in range(150))
    async with line() as here:
        sent = await here.send(text)
        await sent.wait(Status.DELIVERED, timeout=_LONGEST)
        found = [text for *_, text in await here.at_phones(2)]
    assert " ".join(" ".join(found).split()) == text


async def test_a_name_as_sender(line: Any) -> None:
    async with line(**{"from": "Our Shop"}) as here:
        await here.send("hello")
        assert await here.at_phones() == [("Our Shop", ANN, "hello")]


async def test_what_is_refused_fails_and_says_why(line: Any) -> None:
    """Kannel reports it, too; that changes nothing more."""
    async with line() as here:
        with pytest.raises(DeliveryError, match="routable") as caught:
            await here.send("hello", to="+66612345678")
        handle = await here.hub.dispatch(caught.value.dispatch or "")
        assert handle.status is Status.FAILED
        (delivery,) = handle.deliveries
        assert delivery.failure.kind is FailureKind.UNREACHABLE


async def test_a_wrong_password_holds_messages_back(line: Any) -> None:
    async with line() as here:
        settings = channel_settings(here.kannel, token())
        await here.hub.remove_channel("phone")
        await here.hub.add_channel("phone", {**settings, "account": {**settings["account"], "password": "wrong"}})
        handle = await here.hub.submit("hello", to=f"sms:{ANN}")
        await here.until(lambda: handle.reason)
        assert handle.deliveries[0].state is DeliveryState.QUEUED
        assert not here.kannel.phones.parts


async def test_what_waits_in_kannel_is_delivered_after_its_crash(line: Any) -> None:
    async with line() as here:
        await to_thread.run_sync(here.kannel.phones.drop)
        sent = await here.send("hello")
        assert sent.status is Status.ACCEPTED
        await to_thread.run_sync(here.kannel.kill)
        await to_thread.run_sync(here.kannel.start)
        await sent.wait(Status.DELIVERED, timeout=_LONGEST)
        assert await here.at_phones() == [(OURS, ANN, "hello")]


async def test_while_kannel_is_away_messages_wait_with_us(line: Any) -> None:
    async with line() as here:
        await to_thread.run_sync(here.kannel.stop)
        handle = await here.hub.submit("hello", to=f"sms:{ANN}")
        await here.until(lambda: handle.deliveries and handle.deliveries[0].history)
        assert handle.deliveries[0].state is DeliveryState.QUEUED
        await to_thread.run_sync(here.kannel.start)
        await handle.wait(Status.DELIVERED, timeout=_LONGEST)
        assert await here.at_phones() == [(OURS, ANN, "hello")]


@asynccontextmanager
async def deaf_to_answers(port: int) -> AsyncGenerator[int]:
    """A way to *port* on which requests arrive, and answers do not: the connection ends instead."""

    async def passes(stream: SocketStream) -> None:
        async with stream, await anyio.connect_tcp("127.0.0.1", port) as beyond:
            await beyond.send(await stream.receive())
            await beyond.receive()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, passes)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def test_an_answer_that_is_lost_is_made_good_by_the_report_and_nothing_is_sent_twice(line: Any) -> None:
    async with line() as here, deaf_to_answers(here.kannel.http) as port:
        settings = channel_settings(here.kannel, here.token)
        await here.hub.remove_channel("phone")
        account = {**settings["account"], "url": f"http://127.0.0.1:{port}"}
        await here.hub.add_channel("phone", {**settings, "account": account})
        await to_thread.run_sync(here.kannel.phones.drop)  # so that the report comes after all is known to be unknown

        with pytest.raises(UncertainError) as caught:
            await here.send("hello")
        handle = await here.hub.dispatch(caught.value.dispatch or "")
        assert handle.status is Status.UNKNOWN

        await to_thread.run_sync(here.kannel.phones.connect)
        await here.until(lambda: handle.status is Status.DELIVERED)
        await here.hub.idle()
        assert handle.deliveries[0].state is DeliveryState.CLOSED
        assert await here.at_phones() == [(OURS, ANN, "hello")]


async def test_whoever_says_stop_is_left_alone(line: Any) -> None:
    async with line() as here:
        here.kannel.phones.say(ANN, OURS, "Stop")
        await here.hears()
        await here.hub.idle()
        with pytest.raises(SuppressedError):
            await here.send("hello")
        here.kannel.phones.say(ANN, OURS, "start")
        await here.hears(2)
        await here.hub.idle()
        await here.send("hello again")
        assert await here.at_phones() == [(OURS, ANN, "hello again")]


async def test_a_stranger_who_does_not_know_the_token_is_not_heard(line: Any) -> None:
    import httpx

    async with line() as here, httpx.AsyncClient(trust_env=False) as client:
        origin = f"http://127.0.0.1:{here.kannel.app}"
        for path in ("/phone", f"/phone/{token()}"):
            answer = await client.get(f"{origin}{path}?from={ANN}&to={OURS}&text=hello&id=1")
            assert answer.status_code == 401
        assert not here.heard


async def test_what_is_no_text_is_heard_of_and_what_comes_after_it_is_heard(line: Any) -> None:
    """Bytes, as a phone sends them to a port; a part of a longer message in UCS-2, which this link makes bytes of."""
    async with line(joined=False) as here:
        here.kannel.phones.write(ANN, OURS, b"data", b"%00%01%FF%FE")
        here.kannel.phones.write(ANN, OURS, b"udh", b"%06%05%04%0B%84%23%F0", b"%01%06%04")
        here.kannel.phones.say(ANN, OURS, "after it")
        heard = await here.hears(3)
        assert "after it" in [message.text for message in heard]
