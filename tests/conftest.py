"""What every test stands on: both event loops, and the same examples on every run."""

import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: Fixtures that start a real server where a test asks for them.
pytest_plugins = ["tests.kannel", "tests.mail", "tests.nginx", "tests.postgres", "tests.xmpp"]

# The suite proves the same thing each time it runs; looking for new examples is asked for by name.
# A machine that has much to do makes examples slowly, and that is no finding.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# Tests that run pytest in a process of its own: loading these would take longer than most of what is run there.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:schemathesis -p no:faker")

# What is proven is not how long a disk takes.
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


#: What takes longest, the longest first: begun last, each would keep one process busy while the others have ended.
LONG = (
    "tests/torture/test_torture.py",
    "tests/adapters/x/test_killed.py",
    "tests/adapters/webhook/test_killed.py",
    "tests/cli/test_new_adapter.py",
    "tests/test_examples.py",
    "tests/torture/test_frozen.py",
    "tests/bench/",
    "tests/test_xmpp_peers.py",
    "tests/test_irc.py",
    "tests/torture/",
    "tests/fuzz/",
    "tests/asgi/test_hostile.py",
    "tests/adapters/xmpp/attack/",
    "tests/adapters/xmpp/live/",
    "tests/test_mail_peers.py",
    "tests/test_kannel_peer.py",
    "tests/adapters/x/reading/test_hostile.py",
    "tests/adapters/email/round_trip/",
    "tests/adapters/email/test_reports_end_to_end.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; after it the files that have most tests."""
    tests = Counter(_file(item) for item in items)

    def turn(item: pytest.Item) -> tuple[int, int]:
        file = _file(item)
        return next((place for place, long in enumerate(LONG) if file.startswith(long)), len(LONG)), -tests[file]

    items.sort(key=turn)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]  # and not where the test is written, which may be a class of ours


def pytest_collection_finish() -> None:
    """What was collected stays until the end: to look through it again and again for garbage takes a tenth of a run.

    What is really garbage is found somewhat later; pytest looks for it once more at the end, and tells of it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run each async test on asyncio and on Trio."""
    return request.param


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory where the machine has one: what is proven there is not how long a disk takes."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
