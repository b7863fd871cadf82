"""One round: messages out and in at the same time, through what goes wrong, and what was wrong at its end."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from anyio import to_thread

from convergekit import DispatchHandle, Hub, MessageReceived, Status
from convergekit.abc import Store
from convergekit.errors import DeliveryError
from convergekit.model import DeliveryChanged
from tests.asgi_kit import served
from tools.kannel import Kannel, header

__all__ = ["OURS", "Endpoint", "Round", "Rounded", "channel_settings", "compared", "run", "token"]

OURS: Final = "+4930123456"
#: Where no network of this Kannel's leads.
_NOWHERE: Final = "+66612345678"
#: How many phones there are: what goes to one is sent one by one.
_PHONES: Final = 50
#: Seconds until all is to be over, on a machine that has much to do.
_LONGEST: Final = 240.0


def token() -> str:
    """A new unguessable piece of path."""
    return secrets.token_hex(16)


def channel_settings(kannel: Kannel, path_token: str) -> dict[str, Any]:
    """Of a channel `phone` that talks through *kannel*, which was started with the path `/phone/<token>`."""
    return {
        "adapter": "sms",
        "gateway": "kannel",
        "account": {
            "url": f"http://127.0.0.1:{kannel.http}",
            "username": kannel.username,
            "password": kannel.password,
        },
        "from": OURS,
        "callback_url": f"http://127.0.0.1:{kannel.app}/phone",
        "callback_token": path_token,
    }


@dataclass(frozen=True)
class Round:
    """How large it is.

    Args:
        sends: Messages out.
        says: Messages in.
        refused: Further messages out, to where no network leads.
        at_once: How many sends are under way at the same time.
        patience: Seconds for which reports and messages are waited for, once all is sent and said.
    """

    sends: int = 60
    says: int = 30
    refused: int = 2
    at_once: int = 16
    patience: float = 120.0


class Endpoint:
    """Our app, as Kannel finds it: down for a while with 500, and later taking what comes, and yet answering 500.

    Args:
        app: The real one.
        down: Which calls, counted from 0, it is down for.
        deaf: Which calls it takes, and answers with 500 all the same.
    """

    def __init__(self, app: Any, *, down: range, deaf: range) -> None:
        self._app, self.down, self.deaf = app, down, deaf
        self.calls = 0
        self.answers: Counter[int] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number, self.calls = self.calls, self.calls + 1

        async def answered(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answers[message["status"]] += 1
                if number in self.deaf:
                    message = {**message, "status": 500}
            await send(message)

        if number not in self.down:
            await self._app(scope, receive, answered)
            return
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Rounded:
    """What came of it.

    Args:
        figures: For people, in order.
        wrong: What is not as it must be.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


async def run(size: Round, kannel: Kannel, path_token: str, store: Store, backend: str) -> Rounded:
    """Do it.

    Args:
        size: How much of it.
        kannel: Just started; it joins no parts, so that we do.
        path_token: In the URL that it brings what phones say to.
        store: An empty ledger.
        backend: Of this event loop.
    """
    async with _Running(size, kannel, path_token, store, backend).open() as running:
        with anyio.fail_after(_LONGEST):
            await running.through()
    return running.result


class _Running:
    def __init__(self, size: Round, kannel: Kannel, path_token: str, store: Store, backend: str) -> None:
        self.size, self.kannel, self.backend = size, kannel, backend
        self.result = Rounded()
        self._settings = channel_settings(kannel, path_token)
        self._hub = Hub(store=store)
        calls = 2 * size.sends + _said_parts(size.says)
        self._endpoint = Endpoint(
            self._hub.asgi(),
            down=range(calls // 8, calls // 4),
            deaf=range(calls * 3 // 8, calls // 2),
        )
        self._handles: list[DispatchHandle] = []
        self._heard: list[MessageReceived] = []
        self._changes: list[DeliveryChanged] = []
        self._all_heard = anyio.Event()
        self._link = anyio.Lock()  # whoever has it may use the link, or has taken it down

        @self._hub.on_message
        async def hear(message: MessageReceived) -> None:
            self._heard.append(message)
            if len({each.text for each in self._heard}) >= size.says:
                self._all_heard.set()

        @self._hub.on_event(DeliveryChanged)
        async def change(event: DeliveryChanged) -> None:
            self._changes.append(event)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[_Running]:
        async with self._hub:
            await self._hub.add_channel("phone", self._settings)
            async with served(self._endpoint, self.backend, port=self.kannel.app):
                yield self

    async def through(self) -> None:
        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_all)
            tasks.start_soon(self._say_all)
        self.result.figures["seconds until all was sent"] = round(time.monotonic() - began, 1)
        with anyio.move_on_after(self.size.patience):
            for handle in self._handles:
                with suppress(DeliveryError):
                    await handle.wait(Status.DELIVERED)
            await self._all_heard.wait()
        self.result.figures["seconds until all was over"] = round(time.monotonic() - began, 1)
        await self._hub.idle()
        self._sum_up()

    async def _send_all(self) -> None:
        sends, free = self.size.sends, anyio.Semaphore(self.size.at_once)
        async with anyio.create_task_group() as tasks:
            for number in range(sends):
                await free.acquire()
                if number == sends * 2 // 5:
                    await self._link.acquire()
                    await to_thread.run_sync(self.kannel.phones.drop)
                elif number == sends * 3 // 5:
                    await to_thread.run_sync(self.kannel.phones.connect)
                    self._link.release()
                tasks.start_soon(self._send, number, free)
            for number in range(self.size.refused):
                tasks.start_soon(self._send_nowhere, number)

    async def _send(self, number: int, free: anyio.Semaphore) -> None:
        to, text = f"sms:+4917{number % _PHONES:08}", _sent_text(number)
        self._handles.append(await self._hub.send(text, to=to, timeout=None))
        free.release()

    async def _send_nowhere(self, number: int) -> None:
        try:
            await self._hub.send(f"to nowhere {number}", to=f"sms:{_NOWHERE}", timeout=None)
        except DeliveryError as exc:
            if "routable" not in str(exc):
                self._note(f"a refusal says something else: {exc}")
        else:
            self._note("what was refused counts as sent")

    async def _say_all(self) -> None:
        for number in range(self.size.says):
            for said in _said(number, _said_text(number)):
                async with self._link:
                    self.kannel.phones.say(_sayer(number), OURS, **said)
                await anyio.sleep(0.002)

    def _note(self, wrong: str) -> None:
        self.result.wrong.append(wrong)

    def _sum_up(self) -> None:
        arrived = Counter(sms.text for sms in self.kannel.phones.messages())
        heard = Counter(message.text or "" for message in self._heard)
        wrong = self.result.wrong
        wrong += compared("at the phones", arrived, map(_sent_text, range(self.size.sends)))
        wrong += compared("heard", heard, map(_said_text, range(self.size.says)))
        said_by = {f"sms:{_sayer(number)}": _said_text(number) for number in range(self.size.says)}
        for message in self._heard:
            if said_by.get(str(message.sender)) != message.text:
                wrong.append(f"{message.sender} is not who said {(message.text or '')[:40]!r}")
        for handle in self._handles:
            known = handle.deliveries[0].report.part(0).at.keys()
            if handle.status is not Status.DELIVERED or not known >= {Status.SENT, Status.DELIVERED}:
                wrong.append(f"a message ends as {handle.status}, having been {', '.join(map(str, known))}")
        if self._endpoint.calls < self._endpoint.deaf.stop:
            wrong.append("our endpoint has not been called often enough to fail as it should")
        self._tell()

    def _tell(self) -> None:
        jumps = [each for each in self._changes if each.status is Status.DELIVERED and each.previous < Status.SENT]
        self.result.figures |= {
            "messages sent": len(self._handles),
            "... parts at the phones": len(self.kannel.phones.parts),
            "... while the link was down": self.size.sends * 3 // 5 - self.size.sends * 2 // 5,
            "... delivered before they were sent": len(jumps),
            "messages heard": len(self._heard),
            "... parts said": _said_parts(self.size.says),
            "calls of our endpoint": self._endpoint.calls,
            "... while it was down": len(self._endpoint.down),
            "... taken, and answered with 500": len(self._endpoint.deaf),
            "... put off with 429": self._endpoint.answers[429],
        }


def compared(where: str, found: Counter[str], wanted: Iterable[str]) -> list[str]:
    """What of *wanted* is not in *found*, and what is there once more than that."""
    expected = Counter(wanted)
    return [
        *(f"not {where}: {text[:40]!r}" for text in expected - found),
        *(f"{where} once more: {text[:40]!r}" for text in found - expected),
    ]


def _sent_text(number: int) -> str:
    """Of all kinds: short, long, in UCS-2, and with what must not be cut at the end of a segment."""
    match number % 10:
        case 0:
            return f"{number}: " + "a long one. " * 25 + "{€}"
        case 1:
            return f"{number}: grüße 测试 😀"
        case 2:
            return f"{number}: " + "длинный 😀 " * 12
        case 3:
            return f"{number}: " + "x" * (151 - len(str(number))) + "[€]"
        case _:
            return f"{number}: hello, ünï {{}}"


def _sayer(number: int) -> str:
    return f"+4916{number:08}"


def _said_text(number: int) -> str:
    match number % 5:
        case 0:
            return f"{number}: здравствуйте 😀\nи до свидания"
        case 1:
            return f"{number}: " + "in three parts, " * 20
        case _:
            return f"{number}: hello, ünï {{}}"


def _said(number: int, text: str) -> list[dict[str, Any]]:
    """How a phone says *text*: its parts come in another order."""
    if number % 5 == 0:
        return [{"text": text, "ucs2": True}]
    if number % 5 == 1:
        pieces = [text[:110], text[110:220], text[220:]]
        return [{"text": pieces[index], "udh": header(number % 256, 3, index + 1)} for index in (2, 0, 1)]
    return [{"text": text}]


def _said_parts(says: int) -> int:
    return sum(len(_said(number, _said_text(number))) for number in range(says))
