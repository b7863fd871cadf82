"""The activity API: who is told what, over webhooks that are challenged and signed for, and over streams."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ._model import Subscription, Webhook
from ._people import Person

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["Activity", "Delivery"]

#: Seconds in which a challenge and an event have to be answered.
_CHALLENGE: Final = 3.0
_EVENT: Final = 10.0


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to a webhook.

    Attributes:
        webhook: Where.
        event_type: What.
        body: What is signed and sent.
        at: When it happened.
        status: What came back; None as long as nothing has.
    """

    webhook: Webhook
    event_type: str
    body: bytes
    at: datetime
    status: int | None = None


class Activity:
    """Who is told what.

    What happens waits in `pending` until `deliver` is called, so that a test decides when, how often and in which
    order it comes; inside `delivering` it goes out by itself.

    Attributes:
        callbacks: What leads to the app under test: a transport, as `httpx.ASGITransport(app)`, or the origin of a
            server on loopback. X itself calls only https without a port, so that is what webhooks are registered with.
        webhooks: By their ids.
        subscriptions: By their ids.
        pending: What is to be delivered.
        delivered: What went out, each time with what came back.
        told: All that was told, in order: what a replay and a backfill draw on.
        heartbeat: Seconds of silence after which a stream has an empty line.
        max_webhooks: How many there may be.
        max_streams: How many streams there may be at once.
        private_needs_oauth1: Whether private subscriptions are made with OAuth 1.0a only.
        answers_with_list: Whether a new subscription is answered with a list, as some pages of X' documentation say.
    """

    def __init__(self, server: XServer) -> None:
        self._server = server
        self.callbacks: httpx.AsyncBaseTransport | str | None = None
        self.webhooks: dict[str, Webhook] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.pending: list[Delivery] = []
        self.delivered: list[Delivery] = []
        self.told: list[tuple[datetime, Subscription, bytes]] = []
        self.heartbeat = 20.0
        self.max_webhooks, self.max_streams = 1, 2
        self.private_needs_oauth1 = False
        self.answers_with_list = False
        self._streams: list[MemoryObjectSendStream[bytes]] = []
        self._news = anyio.Event()

    # What happens

    def tell(
        self,
        event_type: str,
        user: Person | None,
        payload: Mapping[str, Any],
        includes: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell whoever has subscribed to *event_type* of *user*; to any of that type, where it is nobody's."""
        for each in self.subscriptions.values():
            is_theirs = user is None or each.filter.get("user_id") in (None, user.id)
            if each.event_type == event_type and is_theirs:
                self._tell(each, payload, includes)

    def _tell(self, to: Subscription, payload: Mapping[str, Any], includes: Mapping[str, Any] | None) -> None:
        data: dict[str, Any] = {
            "event_uuid": str(self._server.random.getrandbits(63) - 2**62),  # negative as often as not
            "filter": dict(to.filter),
            "event_type": to.event_type,
            **({"tag": to.tag} if to.tag is not None else {}),
            "payload": payload,
            **({"includes": includes} if includes else {}),
        }
        body = json.dumps({"data": self._server.told(data)}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        self.told.append((self._server.now(), to, body))
        self._server.pay_for_event(to.event_type)
        self._queue(to, body, self._server.now())
        for stream in self._streams:
            stream.send_nowait(body + b"\r\n")

    def _queue(self, to: Subscription, body: bytes, at: datetime) -> None:
        webhook = self.webhooks.get(to.webhook_id or "")
        if webhook is not None:
            self.pending.append(Delivery(webhook, to.event_type, body, at))
            self._news.set()

    def replay(self, webhook: Webhook, since: datetime, until: datetime) -> int:
        """Deliver once more what was told from *since* to *until*.

        Returns:
            How much that is.
        """
        again = [(to, body, at) for at, to, body in self.told if since <= at <= until and to.webhook_id == webhook.id]
        for to, body, at in again:
            self._queue(to, body, at)
        return len(again)

    # Webhooks

    async def deliver(self, *, times: int = 1, shuffled: bool = False, together: int = 1) -> list[int | None]:
        """Deliver what is pending; a webhook that is not valid gets nothing, and what it does not take is gone.

        Args:
            times: How often each, as X does now and then.
            shuffled: In any order, instead of the one in which it happened.
            together: How many at once.

        Returns:
            What came back; None is that nobody answered in time.
        """
        due, self.pending = self.pending * times, []
        if shuffled:
            self._server.random.shuffle(due)
        copies = [Delivery(each.webhook, each.event_type, each.body, each.at) for each in due if each.webhook.is_valid]
        self.delivered += copies
        limiter = anyio.CapacityLimiter(together)
        async with anyio.create_task_group() as tasks:
            for each in copies:
                await limiter.acquire_on_behalf_of(each)
                tasks.start_soon(self._deliver, each, limiter)
        return [each.status for each in copies]

    @asynccontextmanager
    async def delivering(self) -> AsyncGenerator[None]:
        """Deliver what happens by itself, meanwhile."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._go_on_delivering)
            yield
            tasks.cancel_scope.cancel()

    async def challenge(self, webhook: Webhook, token: str | None = None) -> httpx.Response | None:
        """Ask *webhook* to prove that it knows the secret, as X does now and then; it is valid if it does.

        Args:
            webhook: Which one.
            token: Instead of one as X makes them: to see what an app signs for whoever asks. What comes back then does
                not count.

        Returns:
            What came back; None where nobody answered in time.
        """
        made = token if token is not None else base64.urlsafe_b64encode(self._server.random.randbytes(32)).decode()
        url = httpx.URL(webhook.url).copy_merge_params({"crc_token": made})
        answer = await self._call(httpx.Request("GET", url), _CHALLENGE)
        if token is None:
            webhook.is_valid = answer is not None and self._is_answer(answer, made)
        return answer

    def sign(self, content: bytes) -> str:
        """What proves that *content* is of X."""
        made = hmac.new(self._server.consumer_secret.encode("utf-8"), content, hashlib.sha256).digest()
        return "sha256=" + base64.b64encode(made).decode("ascii")

    def _is_answer(self, answer: httpx.Response, token: str) -> bool:
        try:
            said = answer.json()["response_token"]
        except (ValueError, KeyError, TypeError):
            return False
        return answer.status_code == 200 and said == self.sign(token.encode("ascii"))

    async def _go_on_delivering(self) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            await self.deliver()

    async def _deliver(self, each: Delivery, limiter: anyio.CapacityLimiter) -> None:
        try:
            headers = {"content-type": "application/json", "x-twitter-webhooks-signature": self.sign(each.body)}
            answer = await self._call(
                httpx.Request("POST", each.webhook.url, headers=headers, content=each.body), _EVENT
            )
            each.status = answer.status_code if answer is not None else None
        finally:
            limiter.release_on_behalf_of(each)

    async def _call(self, request: httpx.Request, seconds: float) -> httpx.Response | None:
        """Call the app under test, and nobody else."""
        try:
            with anyio.fail_after(seconds):
                if isinstance(self.callbacks, httpx.AsyncBaseTransport):
                    return await _whole(self.callbacks, request)
                if self.callbacks is None:
                    raise LookupError("server.activity.callbacks has to say what leads to the app under test")
                origin = httpx.URL(self.callbacks)
                request.url = request.url.copy_with(scheme=origin.scheme, host=origin.host, port=origin.port)
                # Reading the well-known certificates takes longer than the call, and nobody needs them on loopback.
                async with httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as transport:
                    return await _whole(transport, request)
        except (httpx.HTTPError, TimeoutError):
            return None

    # Streams

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def stream(self, since: datetime | None = None) -> httpx.AsyncByteStream:
        """What is told from now on, line by line; what was told from *since* on, before that."""
        send, receive = anyio.create_memory_object_stream[bytes](math.inf)
        self._streams.append(send)
        if since is not None:
            for at, _, body in self.told:
                if at >= since:
                    send.send_nowait(body + b"\r\n")
        return _Stream(self, send, receive)

    def line(self, content: bytes) -> None:
        """Put *content*, whatever it is, into each stream that is open."""
        for each in self._streams:
            each.send_nowait(content + b"\r\n")

    def close_streams(self) -> None:
        """End those that are open, as X does when it moves them elsewhere."""
        for each in self._streams:
            each.close()
        self._streams.clear()

    def forget(self, stream: MemoryObjectSendStream[bytes]) -> None:
        """Nobody reads *stream* any more."""
        if stream in self._streams:
            self._streams.remove(stream)


class _Stream(httpx.AsyncByteStream):
    def __init__(
        self, activity: Activity, send: MemoryObjectSendStream[bytes], receive: MemoryObjectReceiveStream[bytes]
    ) -> None:
        self._activity, self._send, self._receive = activity, send, receive

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with anyio.move_on_after(self._activity.heartbeat):
            try:
                return await self._receive.receive()
            except anyio.EndOfStream:
                raise StopAsyncIteration from None
        return b"\r\n"  # something has to come, so that whoever reads knows that we are there

    async def aclose(self) -> None:
        self._activity.forget(self._send)
        self._send.close()
        self._receive.close()


async def _whole(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    request.extensions["timeout"] = httpx.Timeout(_EVENT).as_dict()
    response = await transport.handle_async_request(request)
    await response.aread()
    await response.aclose()
    return response
