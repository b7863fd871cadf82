"""The examples for those who test an application or write an adapter, run as their readers would run them."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import anyio
import httpx
import pytest

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.config import adapter_class
from convergekit.errors import DeliveryError, RejectedError, UncertainError
from convergekit.http import hmac_signature
from convergekit.testing import FakeClock
from tests.inner import run_pytest

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[1] / "examples"
ANN = "pigeon:ann"
SECRET = b"how the loft signs"


@pytest.mark.parametrize(
    ("name", "count"),
    [("testing_handlers.py", 19), ("testing_mail.py", 6), ("testing_x.py", 6), ("testing_x_handlers.py", 6)],
)
def test_the_tests_of_an_application_pass_on_both_loops(tmp_path: Path, name: str, count: int) -> None:
    """In a process of its own, without this project's settings for pytest."""
    settings = ["-c", os.devnull, "--rootdir", str(tmp_path), "-W", "error", "-p", "no:asyncio"]
    ran = run_pytest(tmp_path, "-q", *settings, str(EXAMPLES / name))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{count} passed" in ran.stdout


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pigeons = _load("minimal_adapter")


@asynccontextmanager
async def _loft(
    answer: Callable[[httpx.Request], httpx.Response], clock: FakeClock | None = None
) -> AsyncGenerator[Hub]:
    """A hub whose only channel is the example's, over *answer* in place of the network."""
    settings = pigeons.PigeonConfig(url="https://loft.example/notes", token="t0ken", secret=SECRET.decode())
    async with Hub(store=MemoryStore(), clock=clock or FakeClock()) as hub:
        await hub.add_channel("loft", settings, transport=httpx.MockTransport(answer))
        yield hub


async def _post(hub: Hub, body: bytes, signature: str | None = None) -> int:
    headers = {"pigeon-signature": hmac_signature(SECRET, body).decode() if signature is None else signature}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.asgi()), base_url="https://us.example") as client:
        return (await client.post("/loft", content=body, headers=headers)).status_code


class TestTheMinimalAdapter:
    """Through a hub, as a host meets it."""

    def test_it_has_at_most_thirty_lines(self) -> None:
        text = (EXAMPLES / "minimal_adapter.py").read_text("utf-8")
        adapter = text.partition("# [adapter]\n")[2].partition("# [adapter end]")[0]
        assert sum(bool(line.strip()) for line in adapter.splitlines()) <= 30

    async def test_a_note_is_carried(self) -> None:
        requests = list[httpx.Request]()

        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(202)

        async with _loft(answer) as hub:
            sent = await hub.send("Six o'clock.", to=ANN)
            assert sent.status is Status.ACCEPTED

        (request,) = requests
        note = json.loads(request.content)
        assert request.headers["authorization"] == "Bearer t0ken"
        assert (note["to"], note["text"]) == ("ann", "Six o'clock.")
        assert note["id"] in sent.deliveries[0].report.ids

    @pytest.mark.parametrize(("status", "error"), [(422, RejectedError), (500, UncertainError)])
    async def test_an_answer_is_an_outcome(self, status: int, error: type[DeliveryError]) -> None:
        async with _loft(lambda request: httpx.Response(status)) as hub:
            with pytest.raises(error) as raised:
                await hub.send("Six o'clock.", to=ANN)
        assert raised.value.code == str(status)

    async def test_a_loft_that_is_away_is_tried_again(self) -> None:
        answers = [
            httpx.ConnectError("refused"),
            httpx.Response(429, headers={"retry-after": "7"}),
            httpx.Response(200),
        ]

        def answer(request: httpx.Request) -> httpx.Response:
            match answers.pop(0):
                case httpx.Response() as response:
                    return response
                case error:
                    raise error

        clock = FakeClock()
        async with _loft(answer, clock) as hub:
            sent = await hub.send("Six o'clock.", to=ANN)
            for seconds, left in ((1, 1), (6, 1), (1, 0)):
                assert sent.status is Status.QUEUED
                clock.advance(seconds)
                await _settled(hub)
                assert len(answers) == left
            assert sent.status is Status.ACCEPTED

    async def test_a_refused_token_takes_the_channel_down_and_loses_nothing(self) -> None:
        async with _loft(lambda request: httpx.Response(401)) as hub:
            sent = await hub.send("Six o'clock.", to=ANN)
            assert sent.status is Status.QUEUED
            assert hub.channel("loft").state == "down"
            assert "t0ken" not in (sent.reason or "")

    async def test_a_signed_note_comes_in_once_and_is_answered(self) -> None:
        requests, body = list[httpx.Request](), json.dumps({"id": "n1", "from": "ann", "text": "When?"}).encode()

        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(202)

        async with _loft(answer) as hub:

            @hub.on_message
            async def reply(message: MessageReceived) -> str:
                return f"You asked: {message.text}"

            assert [await _post(hub, body) for _ in range(2)] == [204, 204]
            await _settled(hub)

        (request,) = requests
        assert json.loads(request.content)["to"] == "ann"
        assert json.loads(request.content)["text"] == "You asked: When?"

    async def test_a_note_that_is_not_the_lofts_is_refused(self) -> None:
        async with _loft(lambda request: httpx.Response(202)) as hub:
            body = json.dumps({"id": "n1", "from": "ann", "text": "When?"}).encode()
            assert await _post(hub, body, signature="00" * 32) == 401

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"null", b"{}", b"\xff", b'"x"', b"[" * 100_000]
        + [
            json.dumps({"id": "n1", "from": "ann", "text": "x"} | wrong).encode()
            for wrong in (
                {"id": ""},
                {"id": 7},
                {"from": ""},
                {"from": "a\nb"},
                {"text": ["x"]},
                {"text": "\0"},
            )
        ],
        ids=lambda body: repr(body[:50]),
    )
    async def test_what_makes_no_sense_is_told_so(self, body: bytes) -> None:
        async with _loft(lambda request: httpx.Response(202)) as hub:
            assert await _post(hub, body) == 400

    def test_its_entry_point_is_taken(self) -> None:
        """As a package would announce it."""
        from importlib.metadata import EntryPoint

        point = EntryPoint("pigeon", f"{pigeons.__name__}:PigeonAdapter", "convergekit.adapters")
        sys.modules[pigeons.__name__] = pigeons
        try:
            assert adapter_class("pigeon", lambda: [point]) is pigeons.PigeonAdapter
        finally:
            del sys.modules[pigeons.__name__]


async def _settled(hub: Hub) -> None:
    await anyio.wait_all_tasks_blocked()
    await hub.idle()
