"""Several apps behind one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from convergekit.asgi import App, compose
from convergekit.errors import ConfigurationError
from tests.asgi_kit import scope_of, silence

pytestmark = pytest.mark.anyio


def noting(seen: list[Any], name: str) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((name, scope.get("root_path"), scope.get("path")))

    return app


async def nothing(message: Any) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize(
    ("path", "root", "taken"),
    [
        ("/", "", ("main", "", "/")),
        ("/hooks", "", ("hooks", "/hooks", "/hooks")),
        ("/hooks/", "", ("hooks", "/hooks", "/hooks/")),
        ("/hooks/a/b", "", ("hooks", "/hooks", "/hooks/a/b")),
        ("/hooks/x/a", "", ("longer", "/hooks/x", "/hooks/x/a")),
        ("/hookss", "", ("main", "", "/hookss")),
        ("/api/hooks/a", "/api", ("hooks", "/api/hooks", "/api/hooks/a")),
        ("/hooks/a", "/api", ("hooks", "/api/hooks", "/api/hooks/a")),  # stripped by whoever is in front
        ("/api/else", "/api", ("main", "/api", "/api/else")),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_longest_prefix_wins_and_is_named(path: str, root: str, taken: Any, kind: str) -> None:
    seen: list[Any] = []
    app = compose(noting(seen, "main"), {"/hooks": noting(seen, "hooks"), "/hooks/x/": noting(seen, "longer")})
    scope = {**scope_of(path, root_path=root), "type": kind}
    before = dict(scope)
    await app(scope, silence, nothing)
    assert seen == [taken]
    assert scope == before, "what others may hold is not changed"


@pytest.mark.parametrize("prefix", ["", "/", "hooks", "//", "/a//b", "/a?b", "/a%20b"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        compose(noting([], ""), {prefix: noting([], "")})


class Server:
    """Says what servers say of lifespan, and notes what is answered."""

    def __init__(self) -> None:
        self.says = ["lifespan.startup", "lifespan.shutdown"]
        self.heard: list[str] = []

    async def receive(self) -> Any:
        self.heard.append(f"> {self.says[0]}")
        return {"type": self.says.pop(0)}

    async def send(self, message: Any) -> None:
        self.heard.append(message["type"])

    async def runs(self, app: App) -> list[str]:
        await app({"type": "lifespan"}, self.receive, self.send)
        return self.heard


WHOLE = ["> lifespan.startup", "lifespan.startup.complete", "> lifespan.shutdown", "lifespan.shutdown.complete"]


async def speaks(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await send({"type": "lifespan.shutdown.complete"})


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")


async def returns(scope: Any, receive: Any, send: Any) -> None:
    return


@pytest.mark.parametrize("app", [speaks, raises, returns])
async def test_the_server_hears_that_all_is_well_whether_or_not_the_app_speaks_lifespan(app: App) -> None:
    assert await Server().runs(compose(app, {})) == WHOLE


async def test_an_app_that_fails_to_start_is_not_answered_for() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no database")

    server = Server()
    with pytest.raises(RuntimeError, match="no database"):
        await server.runs(compose(fails, {}))
    assert server.heard == ["> lifespan.startup"]


@pytest.mark.parametrize("app", [speaks, raises])
async def test_what_lives_as_long_as_the_server_is_there_before_the_app_and_gone_before_it_has_stopped(
    app: App,
) -> None:
    server = Server()

    @asynccontextmanager
    async def living() -> AsyncGenerator[None]:
        server.heard.append("entered")
        yield
        server.heard.append("left")

    assert await server.runs(compose(app, {}, lifespan=living())) == ["entered", *WHOLE[:3], "left", WHOLE[3]]


async def test_what_cannot_be_entered_is_told_to_the_server(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def living() -> AsyncGenerator[None]:
        raise OSError("the disk is full")
        yield

    server = Server()
    assert await server.runs(compose(speaks, {}, lifespan=living())) == [WHOLE[0], "lifespan.startup.failed"]
    assert "OSError" in caplog.text
