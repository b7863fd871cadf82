"""The pytest plugin as a host meets it: real runs of pytest over a real application, in each way that hosts have."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

#: An application with a hub of its own, an adapter that would talk over the network, and a function that sends.
SHOP = """
from convergekit import Hub, MessageReceived

hub = Hub.from_toml("convergekit.toml")

@hub.on_message(channel="partner*", text="Where is it?")
async def answer(message: MessageReceived) -> str:
    await tell("asked")
    return "It is on its way."

@hub.on_message(text="boom")
async def fails(message: MessageReceived) -> None:
    raise LookupError("no such order")

@hub.on_message(text="thread")
def plain(message: MessageReceived) -> str:
    return "from a thread"

async def tell(text):
    return await hub.send(text, to="https://log.example/", key=None)
"""
SETTINGS = """
[channels.partner]
adapter = "webhook"
url = "https://partner.example/hook"
secrets = ["whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="]
rate = { count = 1, per = 60 }

[store]
url = "sqlite:///never-made.db"
"""
CONFTEST = """
import pytest
import shop

@pytest.fixture
def convergekit_hub():
    return shop.hub
"""

#: What every async test may do; twice, for nothing is left over from the test before.
ASYNC = """
import pytest
import shop
from convergekit import Status
from convergekit.errors import RejectedError
from convergekit.testing import RecordingHub

{head}
THEM = "https://them.example/"

@pytest.mark.parametrize("time", [1, 2])
async def test_a_question_is_answered(inbound, captured, time):
    asked = await inbound("partner", THEM, "Where is it?")
    assert asked.text == "Where is it?"
    assert captured.texts() == ["asked", "It is on its way."]
    assert captured.only(THEM).channel == "partner"

async def test_the_hub_is_the_applications_own(hub, captured):
    assert hub is shop.hub
    assert isinstance(hub, RecordingHub)
    captured.script(RejectedError("gone"))
    with pytest.raises(RejectedError, match="gone"):
        await shop.tell("one")
    assert (await shop.tell("two")).status is Status.ACCEPTED
    assert captured.texts() == ["two"]

async def test_what_a_handler_raises_is_raised(inbound, hub):
    with pytest.raises(LookupError, match="no such order"):
        await inbound("partner", THEM, "boom")
    await hub.advance(1)
    assert [str(error) for error in hub.failures] == ["no such order"] * 2

async def test_handlers_in_threads(inbound, captured):
    await inbound("partner", THEM, "thread")
    assert captured.texts() == ["from a thread"]

{fixture}
async def told(hub):
    await shop.tell("first")
    yield
    await shop.tell("last")

async def test_fixtures_use_it(told, captured):
    assert captured.texts() == ["first"]
"""

SYNC = """
import pytest
import shop
from convergekit.testing.sync import RecordingHub

THEM = "https://them.example/"

@pytest.mark.parametrize("time", [1, 2])
def test_a_question_is_answered(inbound, captured, time):
    assert inbound("partner", THEM, "Where is it?").text == "Where is it?"
    assert captured.texts() == {answers}

def test_the_hub_is_open(hub, captured):
    assert isinstance(hub, RecordingHub)
    hub.send("one", to=THEM)
    assert captured.texts(channel="partner") == ["one"]

def test_what_a_handler_raises_is_raised(inbound, hub):
    with pytest.raises(LookupError, match="no such order"):
        inbound("partner", THEM, "boom")
    hub.advance(1)
    assert len(hub.failures) == 2
"""

ASYNCIO = "[pytest]\nasyncio_default_fixture_loop_scope = function\nasyncio_mode = {mode}\n"


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the application, its settings and its `conftest.py`."""
    pytester.makepyfile(shop=SHOP)
    pytester.makefile(".toml", convergekit=SETTINGS)
    pytester.makeconftest(CONFTEST)
    return pytester


def run(folder: pytest.Pytester, *options: str, **outcomes: int) -> pytest.RunResult:
    """Run pytest there, with warnings as errors; all has to pass unless *outcomes* say otherwise."""
    ran = folder.runpytest_subprocess("-q", "-W", "error", "-p", "no:cacheprovider", *options)
    if outcomes:
        ran.assert_outcomes(**outcomes)
    else:
        assert ran.ret == 0
    assert not (folder.path / "never-made.db").exists(), "the real ledger was opened"
    return ran


def test_under_anyio_on_both_loops(shop: pytest.Pytester) -> None:
    shop.makepyfile(ASYNC.format(head="pytestmark = pytest.mark.anyio", fixture="@pytest.fixture"))
    run(shop, "-p", "no:asyncio", passed=12)


def test_under_pytest_asyncio_where_all_is_marked(shop: pytest.Pytester) -> None:
    shop.makeini(ASYNCIO.format(mode="strict"))
    head = "import pytest_asyncio\npytestmark = pytest.mark.asyncio"
    shop.makepyfile(ASYNC.format(head=head, fixture="@pytest_asyncio.fixture"))
    run(shop, passed=6)


def test_under_pytest_asyncio_where_nothing_is_marked(shop: pytest.Pytester) -> None:
    shop.makeini(ASYNCIO.format(mode="auto"))
    shop.makepyfile(ASYNC.format(head="", fixture="@pytest.fixture"))
    run(shop, passed=6)


def test_under_pytest_asyncio_with_a_loop_that_lives_longer(shop: pytest.Pytester) -> None:
    shop.makeini(ASYNCIO.format(mode="auto"))
    head = "import pytest_asyncio\npytestmark = pytest.mark.asyncio(loop_scope='session')"
    shop.makepyfile(ASYNC.format(head=head, fixture="@pytest_asyncio.fixture(loop_scope='session')"))
    run(shop, passed=6)


def test_in_tests_that_are_not_async(shop: pytest.Pytester) -> None:
    """The hub is in a thread of its own, and so is what the handlers send through the application's hub."""
    shop.makepyfile(SYNC.replace("{answers}", '["asked", "It is on its way."]'))
    run(shop, "-p", "no:asyncio", passed=4)


def test_an_application_with_a_blocking_hub(shop: pytest.Pytester) -> None:
    """Its tests block, async ones too: there is one way to call such a hub."""
    blocking = SHOP.replace("import Hub, MessageReceived", "import MessageReceived")
    blocking = blocking.replace('await tell("asked")', "...").replace("async def tell", "def tell")
    blocking = "from convergekit.sync import Hub\n" + blocking.replace("return await hub.send", "return hub.send")
    shop.makepyfile(shop=blocking)
    mine = """
def test_the_hub_is_the_applications_own(hub, captured):
    assert hub is shop.hub
    shop.tell("one")
    assert captured.texts() == ["one"]

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_async(inbound, captured):
    inbound("partner", THEM, "Where is it?")
    assert captured.texts() == ["It is on its way."]
"""
    shop.makepyfile(SYNC.replace("{answers}", '["It is on its way."]') + mine)
    run(shop, "-p", "no:asyncio", passed=6)


def test_an_application_that_opens_its_hub_itself(shop: pytest.Pytester) -> None:
    """Here in the event loop of Starlette's test client, in which the fixtures then find it."""
    shop.makepyfile(
        web="""
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
import shop

@asynccontextmanager
async def lifespan(app):
    async with shop.hub:
        yield

async def order(request):
    sent = await shop.tell("ordered")
    return JSONResponse({"status": sent.status.name})

app = Starlette(routes=[Route("/order", order, methods=["POST"])], lifespan=lifespan)
"""
    )
    shop.makepyfile(
        test_web="""
import pytest
from starlette.testclient import TestClient
from web import app

@pytest.fixture
def client(recording_hub):
    with TestClient(app) as client:
        yield client

@pytest.fixture
def hub(client, recording_hub):
    return recording_hub

def test_an_order(client, captured, inbound):
    assert client.post("/order").json() == {"status": "ACCEPTED"}
    inbound("partner", "https://them.example/", "Where is it?")
    assert captured.texts() == ["ordered", "asked", "It is on its way."]

def test_another(client, captured):
    assert captured.texts() == []
"""
    )
    run(shop, "-p", "no:asyncio", passed=2)


def test_whoever_says_nothing_is_told_what_to_say(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(inbound): pass")
    run(pytester, "-p", "no:asyncio", errors=1).stdout.fnmatch_lines(
        ["*write a fixture convergekit_hub in conftest.py*"]
    )


def test_an_async_test_that_nobody_runs_is_told_so(shop: pytest.Pytester) -> None:
    shop.makepyfile("async def test_it(inbound): pass")
    ran = run(shop, "-p", "no:asyncio", errors=1)
    ran.stdout.fnmatch_lines(["*mark it with pytest.mark.anyio or .asyncio*"])


def test_a_hub_that_does_not_open_fails_the_test(shop: pytest.Pytester) -> None:
    shop.makeini(ASYNCIO.format(mode="auto"))
    shop.makeconftest(
        """
import pytest
from convergekit.testing import RecordingHub

class Broken(RecordingHub):
    async def __aenter__(self):
        raise OSError("no ledger")

@pytest.fixture
def convergekit_hub():
    return Broken()
"""
    )
    shop.makepyfile("async def test_it(hub): pass")
    run(shop, errors=1).stdout.fnmatch_lines(["*OSError: no ledger*"])


def test_a_pytest_asyncio_that_is_too_old_harms_only_who_asks(shop: pytest.Pytester) -> None:
    old = shop.mkpydir("pytest_asyncio")
    (old / "__init__.py").write_text("def fixture(function=None, *, scope=None, params=None, name=None): ...")
    (old / "plugin.py").write_text(
        "def pytest_configure(config): config.addinivalue_line('markers', 'asyncio: as it was')"
    )
    shop.makepyfile(
        """
import pytest

def test_a(inbound): pass

@pytest.mark.asyncio
async def test_b(inbound): pass
"""
    )
    run(shop, passed=1, errors=1).stdout.fnmatch_lines(["*need pytest-asyncio 0.24 or newer*"])


def test_it_costs_nothing_where_nobody_asks() -> None:
    """Pytest loads the plugin in every run of whoever has convergekit installed."""
    code = (
        "import sys, pytest, anyio; before = {*sys.modules}; import convergekit.testing.plugin; "
        "print(*({*sys.modules} - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert {name for name in ran.stdout.split() if not name.startswith("convergekit")} <= {"__future__"}
    assert {name for name in ran.stdout.split() if name.startswith("convergekit")} == {
        "convergekit",
        "convergekit._version",
        "convergekit.testing",
        "convergekit.testing.plugin",
    }
