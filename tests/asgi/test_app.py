"""The ASGI app: its order, its limits, and what it tells whom."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, ValidationError

from convergekit import Hub
from convergekit.abc import Admission, Request, Response
from convergekit.asgi import WebhookApp
from convergekit.errors import ConfigurationError, InvalidInputError, NotRunningError, StoreError
from convergekit.model import Event
from tests.asgi_kit import REFUSED, Channels, Scripted, call, scope_of, silence

pytestmark = pytest.mark.anyio


def app_for(hooks: Scripted | None = None, **more: Any) -> WebhookApp:
    return WebhookApp(Channels(hooks=hooks or Scripted()), **more)


async def test_the_order_is_challenge_signature_translation_admission_answer() -> None:
    hooks = Scripted()
    answer = await call(app_for(hooks), body=b"hello", headers={"X-A": "b"}, query_string=b"q=1")
    assert hooks.steps == ["challenge", "verify", "parse", "admit", "reply"]
    assert (answer.status, answer.body) == (200, b"taken")
    assert answer.headers == {
        "x-content-type-options": "nosniff",
        "content-length": "5",
        "content-type": "text/plain; charset=utf-8",
    }
    request = hooks.requests[0]
    assert (request.method, request.path, request.query, request.body) == ("POST", "", "q=1", b"hello")
    assert request.headers["x-a"] == "b"
    assert request.url is None


def invalid() -> ValidationError:
    class Model(BaseModel):
        number: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"number": "SECRET"})
    return caught.value


@pytest.mark.parametrize(
    ("hooks", "status", "last"),
    [
        (Scripted(verify=REFUSED), 401, "verify"),
        (Scripted(parse=REFUSED), 401, "parse"),
        (Scripted(parse=InvalidInputError("SECRET")), 400, "parse"),
        (Scripted(parse=invalid()), 400, "parse"),
        (Scripted(parse=ValueError("SECRET")), 400, "parse"),
        (Scripted(parse=UnicodeDecodeError("utf-8", b"SECRET", 0, 1, "SECRET")), 400, "parse"),
        (Scripted(parse=KeyError("SECRET")), 500, "parse"),
        (Scripted(verify=RuntimeError("SECRET")), 500, "verify"),
        (Scripted(admit=InvalidInputError("SECRET")), 400, "admit"),
        (Scripted(admit=StoreError("SECRET")), 503, "admit"),
        (Scripted(admit=NotRunningError("SECRET")), 503, "admit"),
        (Scripted(parse=()), 200, "reply"),
    ],
)
async def test_each_failure_has_its_status_and_shows_nothing(
    hooks: Scripted, status: int, last: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await call(app_for(hooks))
    assert (answer.status, hooks.steps[-1]) == (status, last)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "SECRET" not in caplog.text
    assert b"SECRET" not in answer.body


async def test_a_challenge_is_answered_before_any_signature() -> None:
    hooks = Scripted(challenge=lambda request: Response(200, request.query.encode()))
    answer = await call(app_for(hooks), method="GET", body=b"", query_string=b"crc")
    assert (answer.status, answer.body, hooks.steps) == (200, b"crc", ["challenge"])


async def test_a_medium_that_reports_by_get_is_verified_and_heard_like_any_other() -> None:
    hooks = Scripted()
    hooks.webhook_methods = frozenset({"GET"})  # type: ignore[attr-defined]
    answer = await call(app_for(hooks), method="GET", body=b"", query_string=b"id=1")
    assert (answer.status, hooks.steps) == (200, ["challenge", "verify", "parse", "admit", "reply"])
    refused = await call(app_for(hooks), method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET")


async def test_a_translation_may_wait_for_what_was_stored() -> None:
    class Waiting(Scripted):
        async def parse(self, request: Request) -> Sequence[Event]:  # type: ignore[override]
            await anyio.lowlevel.checkpoint()
            return super().parse(request)

    hooks = Waiting()
    answer = await call(app_for(hooks))
    assert (answer.status, hooks.steps) == (200, ["challenge", "verify", "parse", "admit", "reply"])
    torn = Waiting(parse=invalid())
    assert (await call(app_for(torn))).status == 400


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused(method: str) -> None:
    hooks = Scripted()
    answer = await call(app_for(hooks), method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "verify" not in hooks.steps


@pytest.mark.parametrize("path", ["/", "", "/other", "/other/hooks", "/hook", "/hookss", "//", "/-/live", "/-/ready"])
async def test_an_unknown_channel_is_404(path: str) -> None:
    assert (await call(app_for(), path)).status == 404


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/hooks", "", ""),
        ("/hooks/", "", ""),
        ("/hooks/a/b/", "", "/a/b"),
        ("/in/hooks/a", "/in", "/a"),
        ("/in/hooks/a", "/in/", "/a"),
        ("/hooks/a", "/in", "/a"),  # stripped by the host already
        ("/hooks/hooks", "/hooks", ""),
        ("/hooks", "/hoo", ""),  # a prefix of the text and not of the path
    ],
)
async def test_the_path_is_understood_under_any_mount(path: str, root: str, rest: str) -> None:
    hooks = Scripted()
    assert (await call(app_for(hooks), path, root_path=root)).status == 200
    assert hooks.requests[0].path == rest


def test_a_public_url_that_is_none_would_fit_no_signature() -> None:
    with pytest.raises(ConfigurationError, match="public_url is such as"):
        app_for(public_url="example.org/hooks")


async def test_the_public_url_comes_from_the_configuration_and_never_from_the_host_header() -> None:
    hooks = Scripted()
    app = app_for(hooks, public_url="https://example.org/in/")
    await call(app, "/x/hooks/a b/ä", root_path="/x", query_string=b"q=%20", headers={"host": "evil.example"})
    assert hooks.requests[0].url == "https://example.org/in/hooks/a%20b/%C3%A4?q=%20"


async def test_that_nobody_has_entered_the_hub_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub(store="memory:")
    app = hub.asgi()
    for _ in range(2):
        assert (await call(app, "/shop")).status == 503
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert record.getMessage() == "webhooks are answered with 503: the hub is not open: use it inside `async with hub`"


async def test_that_it_closes_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub(store="memory:")
    app = hub.asgi()
    async with hub:
        assert (await call(app, "/shop")).status == 404
    assert (await call(app, "/shop")).status == 503
    assert "503" not in caplog.text


async def test_a_hub_that_is_not_open_is_503_and_says_when_to_come_back() -> None:
    answer = await call(WebhookApp(Channels(refuse=NotRunningError("closed"))))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 101, {}),
        ([b"x" * 60, b"x" * 41], {}),
        ([b"x"] * 101, {}),
        ([], {"content-length": "101"}),
        (b"", {"content-length": "9" * 18}),
    ],
)
async def test_a_body_that_is_too_large_is_413(body: Any, headers: dict[str, str]) -> None:
    hooks = Scripted()
    answer = await call(app_for(hooks, max_body=100), body=body, headers=headers)
    assert (answer.status, answer.headers["connection"], hooks.steps) == (413, "close", [])


async def test_a_body_that_just_fits_is_taken() -> None:
    assert (await call(app_for(max_body=100), body=b"x" * 100)).status == 200
    assert (await call(app_for(max_body=100), body=[b"x" * 50, b"x" * 50, b""])).status == 200


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "", "9" * 19, "1_0"])
async def test_a_malformed_length_is_400(length: str) -> None:
    assert (await call(app_for(), headers={"content-length": length})).status == 400


def then_silence(*chunks: bytes) -> Callable[[], Awaitable[Any]]:
    left = list(chunks)

    async def receive() -> Any:
        if not left:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    return receive


def with_scopes_of_its_own() -> Callable[[], Awaitable[Any]]:
    """As some middleware does; its scopes must lie inside of ours."""

    async def receive() -> Any:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            with anyio.fail_after(100):
                await anyio.sleep_forever()

    return receive


@pytest.mark.parametrize(
    "receive",
    [silence, then_silence(b"a"), then_silence(b"a", b"b"), with_scopes_of_its_own()],
    ids=["nothing", "one chunk", "two chunks", "middleware"],
)
async def test_a_body_that_does_not_come_in_time_is_408(receive: Callable[[], Awaitable[Any]]) -> None:
    hooks = Scripted()
    answer = await call(app_for(hooks, body_timeout=0.05), receive=receive)
    assert (answer.status, answer.headers["connection"], hooks.steps) == (408, "close", [])


async def test_over_http_2_the_connection_field_is_left_out() -> None:
    answer = await call(app_for(body_timeout=0.01), receive=silence, http_version="2")
    assert answer.status == 408
    assert "connection" not in answer.headers


async def test_a_body_that_comes_late_but_in_time_is_taken() -> None:
    """The first message has to be waited for, through middleware with scopes of its own."""
    hooks, sent = Scripted(), anyio.Event()

    async def receive() -> Any:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sent.wait)
            with anyio.fail_after(60):
                await anyio.lowlevel.checkpoint()
                await sent.wait()
        return {"type": "http.request", "body": b"late"}

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(app_for(hooks), receive=receive))
        await anyio.wait_all_tasks_blocked()
        assert hooks.steps == []
        sent.set()
    assert hooks.requests[0].body == b"late"


async def test_an_error_of_receive_comes_out_as_it_is() -> None:
    async def receive() -> Any:
        await anyio.lowlevel.checkpoint()
        raise OSError("the server is broken")

    with pytest.raises(OSError, match="broken"):
        await call(app_for(), receive=receive)


async def test_cancelling_from_outside_is_not_a_time_out() -> None:
    app = app_for()
    with anyio.move_on_after(0.02) as scope:
        await call(app, receive=silence)
    assert scope.cancelled_caught
    assert (await call(app)).status == 200


@pytest.mark.parametrize("body", [[], [b"half"]])
async def test_a_caller_who_leaves_gets_no_answer_and_nothing_happens(body: list[bytes]) -> None:
    hooks, left = Scripted(), list(body)

    async def receive() -> Any:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    answer = await call(app_for(hooks), receive=receive)
    assert (answer.status, hooks.steps) == (0, [])


async def test_only_so_many_calls_are_handled_at_once() -> None:
    stored, hooks = anyio.Event(), Scripted()

    async def admit(*events: Event) -> tuple[Admission, ...]:
        await stored.wait()
        return (Admission.NEW,)

    hooks.admit = admit  # type: ignore[method-assign]
    app = app_for(hooks, max_concurrent=2)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(lambda: call(app))
        await anyio.wait_all_tasks_blocked()
        answer = await call(app)
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")
        stored.set()
    assert (await call(app)).status == 200


async def test_a_call_that_is_cancelled_while_it_is_handled_makes_room() -> None:
    hooks = Scripted()

    async def admit(*events: Event) -> tuple[Admission, ...]:
        await anyio.sleep_forever()
        raise AssertionError

    taken, hooks.admit = hooks.admit, admit  # type: ignore[method-assign]
    app = app_for(hooks, max_concurrent=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: call(app))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    hooks.admit = taken  # type: ignore[method-assign]
    assert (await call(app)).status == 200


async def test_the_answer_to_head_has_no_body_and_the_length_that_it_would_have() -> None:
    answer = await call(app_for(), method="HEAD", body=b"")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (405, b"", "18")


@pytest.mark.parametrize(
    "options",
    [
        {"max_body": 0},
        {"body_timeout": 0},
        {"body_timeout": float("nan")},
        {"max_concurrent": -1},
        {"max_waiting": 0, "max_body": 1},
        {"max_body": 2**30},  # more than all of them may have
        {"health": True},  # of receivers that know nothing of it
    ],
)
def test_limits_that_make_no_sense_are_refused_with_the_name_of_the_setting(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        app_for(**options)


async def test_a_hub_of_another_thread_is_said_in_the_log_and_not_to_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await call(WebhookApp(Channels(refuse=ConfigurationError("another thread"))))
    assert (answer.status, answer.body) == (500, b"internal error")
    assert "another thread" in caplog.text


async def test_lifespan_is_answered() -> None:
    incoming, outgoing = ["lifespan.startup", "lifespan.shutdown"], []

    async def receive() -> Any:
        return {"type": incoming.pop(0)}

    async def send(message: Any) -> None:
        outgoing.append(message["type"])

    await app_for()({"type": "lifespan"}, receive, send)
    assert outgoing == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_websocket_is_refused_before_its_handshake() -> None:
    outgoing: list[Any] = []

    async def send(message: Any) -> None:
        outgoing.append(message["type"])

    await app_for()({**scope_of("/hooks"), "type": "websocket"}, silence, send)
    assert outgoing == ["websocket.close"]


def test_a_request_does_not_show_what_it_carries() -> None:
    request = Request("POST", "/x", "SECRET", body=b"SECRET", url="https://SECRET/")
    assert "SECRET" not in repr(request)
