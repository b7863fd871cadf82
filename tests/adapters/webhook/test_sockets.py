"""The webhook channel over real sockets: our adapter against our app, and against servers that misbehave."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import NotSentError, RejectedError, UncertainError
from convergekit.http import StandardWebhooks
from convergekit.model import Message, MessageReceived, Status
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import OLD, START, channel, config
from tests.asgi_kit import served
from tests.http import raw

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def sender(**more: object) -> AsyncGenerator[WebhookAdapter]:
    context = FakeContext()
    async with WebhookAdapter(config(allow_networks="127.0.0.0/8", **more), context) as adapter:
        yield adapter
    await context.http.aclose()


class Mark:
    times = 0

    def __call__(self) -> None:
        self.times += 1


async def test_what_one_channel_sends_another_receives(anyio_backend_name: str) -> None:
    async with (
        channel() as (app, context),
        served(app, anyio_backend_name) as origin,
        sender(sender="mailto:us@example.org") as adapter,
    ):
        message = Message("grüße", reply_to="m1", language="de")
        for attempt in (1, 2):  # the second is a repeat, which the other side knows by its id
            out = outgoing(f"{origin}/hooks", message=message, attempt=attempt)
            receipt = await adapter.send(out)
            assert receipt.status is Status.DELIVERED
    (event,) = context.admitted
    assert isinstance(event, MessageReceived)
    assert (event.reply_to, event.language, str(event.sender)) == ("m1", "de", "mailto:us@example.org")


async def test_a_stranger_with_httpx_and_the_secret_is_heard_and_one_without_is_not(anyio_backend_name: str) -> None:
    body = b'{"type":"message.created","data":{"text":"hi"}}'
    good = StandardWebhooks([SecretStr(OLD)]).sign("msg1", START, body)
    async with (
        channel() as (app, context),
        served(app, anyio_backend_name) as origin,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        url = f"{origin}/hooks"
        assert (await client.post(url, content=body, headers=good)).status_code == 204
        assert (await client.post(url, content=body + b" ", headers=good)).status_code == 401
        assert (await client.post(url, content=body)).status_code == 401
        assert (await client.get(url)).status_code == 405
        assert (await client.post(f"{origin}/other", content=body, headers=good)).status_code == 404
    assert len(context.admitted) == 1


async def test_another_secret_is_a_refusal(anyio_backend_name: str) -> None:
    stranger = "whsec_" + "QUJD" * 8
    async with (
        channel() as (app, _),
        served(app, anyio_backend_name) as origin,
        sender(secrets=(stranger,)) as adapter,
    ):
        with pytest.raises(RejectedError) as caught:
            await adapter.send(outgoing(f"{origin}/hooks"))
    assert caught.value.code == "401"


@pytest.mark.parametrize("script", [raw.resets, raw.closes, raw.stalls], ids=["reset", "closed", "no answer"])
async def test_an_answer_that_is_lost_is_uncertain_and_had_started(script: raw.Script) -> None:
    started = Mark()
    # Without an answer the time has to run out, and not before the request was written.
    timeout = 1.0 if script is raw.stalls else 60.0
    async with raw.serving(script) as origin, sender(timeout=timeout) as adapter:
        with pytest.raises(UncertainError):
            await adapter.send(outgoing(origin, started=started))
    assert started.times == 1


async def test_no_connection_is_not_sent_and_had_not_started() -> None:
    started = Mark()
    with raw.closed_port() as port:
        async with sender() as adapter:
            with pytest.raises(NotSentError):
                await adapter.send(outgoing(f"http://127.0.0.1:{port}/", started=started))
    assert started.times == 0
