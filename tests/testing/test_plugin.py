"""The pytest plugin as a host meets it: real runs of pytest over a real application, in each way that hosts have.

To start pytest takes longer than all that is tried by it, so there is one run for each set of plugins, and a file in it
for each case.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.inner import run_pytest

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

#: The same application behind a blocking hub.
KIOSK = "from convergekit.sync import Hub\n" + (
    SHOP.replace("import Hub, MessageReceived", "import MessageReceived")
    .replace('await tell("asked")', "...")
    .replace("async def tell", "def tell")
    .replace("return await hub.send", "return hub.send")
)
TEST_KIOSK = (
    SYNC.replace("import shop", "import kiosk").replace("{answers}", '["It is on its way."]')
    + """
@pytest.fixture
def convergekit_hub():
    return kiosk.hub

def test_the_hub_is_the_applications_own(hub, captured):
    assert hub is kiosk.hub
    kiosk.tell("one")
    assert captured.texts() == ["one"]

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_async(inbound, captured):
    inbound("partner", THEM, "Where is it?")
    assert captured.texts() == ["It is on its way."]
"""
)

#: An application that opens its hub itself, here in the event loop of Starlette's test client.
WEB = """
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
TEST_WEB = """
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

TEST_BROKEN = """
import pytest
from convergekit.testing import RecordingHub

class Broken(RecordingHub):
    async def __aenter__(self):
        raise OSError("no ledger")

@pytest.fixture
def convergekit_hub():
    return Broken()

async def test_it(hub): pass
"""

TEST_BOTH = """
import pytest

pytestmark = pytest.mark.anyio

async def test_it(inbound):
    await inbound("partner", "https://them.example/", "Where is it?")

async def test_that(hub):
    await hub.send("hello", to="https://them.example/")
"""

TEST_NO_HUB = """
import pytest
from convergekit import Router

@pytest.fixture(params=[Router(), None])
def convergekit_hub(request):
    return request.param

def test_it(hub): pass
"""

APPLICATION = {"app/shop.py": SHOP, "app/conftest.py": CONFTEST, "convergekit.toml": SETTINGS}


@dataclass(frozen=True)
class Ran:
    """One run of pytest: what became of the tests of each file, and all that was said."""

    outcomes: Mapping[str, Mapping[str, int]]
    said: str

    def of(self, file: str) -> Mapping[str, int]:
        return self.outcomes.get(file, {})


def run(folder: Path, files: Mapping[str, str], *options: str) -> Ran:
    """Run pytest in *folder* over the application and *files*, with warnings as errors."""
    for name, text in (APPLICATION | files).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = run_pytest(folder, "-v", "-W", "error", *options)
    outcomes: dict[str, Counter[str]] = {}
    for file, outcome in re.findall(r"^(\S+\.py)::\S+ ([A-Z]+)", done.stdout, re.MULTILINE):
        outcomes.setdefault(Path(file).name, Counter())[outcome] += 1
    assert outcomes, done.stdout + done.stderr
    assert not list(folder.rglob("never-made.db")), "the real ledger was opened"
    return Ran(outcomes, done.stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """With anyio's plugin, as whoever has convergekit has it."""
    files = {
        "test_silent.py": "def test_it(inbound): pass",
        "app/test_anyio.py": ASYNC.format(head="pytestmark = pytest.mark.anyio", fixture="@pytest.fixture"),
        "app/test_sync.py": SYNC.replace("{answers}", '["asked", "It is on its way."]'),
        "app/kiosk.py": KIOSK,
        "app/test_kiosk.py": TEST_KIOSK,
        "app/web.py": WEB,
        "app/test_web.py": TEST_WEB,
        "app/test_unmarked.py": "async def test_it(inbound): pass",
        "app/test_no_hub.py": TEST_NO_HUB,
    }
    return run(tmp_path_factory.mktemp("plain"), files, "-p", "no:asyncio")


@pytest.fixture(scope="module")
def auto(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """With pytest-asyncio, which takes every async test for its own."""
    longer = "import pytest_asyncio\npytestmark = pytest.mark.asyncio(loop_scope='session')"
    files = {
        "app/test_unmarked.py": ASYNC.format(head="", fixture="@pytest.fixture"),
        "app/test_longer.py": ASYNC.format(head=longer, fixture="@pytest_asyncio.fixture(loop_scope='session')"),
        "app/test_broken.py": TEST_BROKEN,
        "app/test_both.py": TEST_BOTH,
    }
    return run(tmp_path_factory.mktemp("auto"), files, *_asyncio("auto"))


def _asyncio(mode: str) -> list[str]:
    return ["-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"]


def test_under_anyio_on_both_loops(plain: Ran) -> None:
    assert plain.of("test_anyio.py") == {"PASSED": 12}, plain.said


def test_under_pytest_asyncio_where_nothing_is_marked(auto: Ran) -> None:
    assert auto.of("test_unmarked.py") == {"PASSED": 6}, auto.said


def test_under_pytest_asyncio_with_a_loop_that_lives_longer(auto: Ran) -> None:
    assert auto.of("test_longer.py") == {"PASSED": 6}, auto.said


def test_under_pytest_asyncio_where_all_is_marked(tmp_path: Path) -> None:
    head = "import pytest_asyncio\npytestmark = pytest.mark.asyncio"
    marked = ASYNC.format(head=head, fixture="@pytest_asyncio.fixture")
    ran = run(tmp_path, {"app/test_marked.py": marked}, *_asyncio("strict"))
    assert ran.of("test_marked.py") == {"PASSED": 6}, ran.said


def test_in_tests_that_are_not_async(plain: Ran) -> None:
    """The hub is in a thread of its own, and so is what the handlers send through the application's hub."""
    assert plain.of("test_sync.py") == {"PASSED": 4}, plain.said


def test_an_application_with_a_blocking_hub(plain: Ran) -> None:
    """Its tests block, async ones too: there is one way to call such a hub."""
    assert plain.of("test_kiosk.py") == {"PASSED": 6}, plain.said


def test_an_application_that_opens_its_hub_itself(plain: Ran) -> None:
    """In whatever loop it does: the fixtures find it there."""
    assert plain.of("test_web.py") == {"PASSED": 2}, plain.said


def test_whoever_says_nothing_is_told_what_to_say(plain: Ran) -> None:
    assert plain.of("test_silent.py") == {"ERROR": 1}, plain.said
    assert "write a fixture convergekit_hub in conftest.py" in plain.said


def test_an_async_test_that_nobody_runs_is_told_so(plain: Ran) -> None:
    assert plain.of("test_unmarked.py") == {"ERROR": 1}, plain.said
    assert "mark it with pytest.mark.anyio or .asyncio" in plain.said


def test_what_is_no_hub_is_told_so(plain: Ran) -> None:
    assert plain.of("test_no_hub.py") == {"ERROR": 2}, plain.said
    assert "TypeError: your fixture convergekit_hub returned a Router: RecordingHub(router=router, " in plain.said
    assert "TypeError: your fixture convergekit_hub returned a NoneType: it has to return a Hub" in plain.said


def test_a_test_in_another_loop_than_its_hub_is_told_so_at_once(auto: Ran) -> None:
    """A mark of anyio's plugin, and pytest-asyncio, which takes the test all the same."""
    outcomes = auto.of("test_both.py")
    assert outcomes.get("FAILED", 0) >= 2, auto.said
    assert "PASSED" not in outcomes, auto.said
    assert "opened in another event loop" in auto.said
    assert "still being handled" not in auto.said


def test_a_hub_that_does_not_open_fails_the_test(auto: Ran) -> None:
    assert auto.of("test_broken.py") == {"ERROR": 1}, auto.said
    assert "OSError: no ledger" in auto.said


def test_a_pytest_asyncio_that_is_too_old_harms_only_who_asks(tmp_path: Path) -> None:
    old = {
        "pytest_asyncio/__init__.py": "def fixture(function=None, *, scope=None, params=None, name=None): ...",
        "pytest_asyncio/plugin.py": (
            "def pytest_configure(config): config.addinivalue_line('markers', 'asyncio: as it was')"
        ),
    }
    tests = "import pytest\n\ndef test_a(inbound): pass\n\n@pytest.mark.asyncio\nasync def test_b(inbound): pass\n"
    ran = run(tmp_path, {**old, "app/test_old.py": tests})
    assert ran.of("test_old.py") == {"PASSED": 1, "ERROR": 1}, ran.said
    assert "need pytest-asyncio 0.24 or newer" in ran.said


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
