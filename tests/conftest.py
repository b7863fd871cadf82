"""What every test stands on: both event loops, and the same examples on every run."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: Fixtures that start a real server where a test asks for them.
pytest_plugins = ["tests.kannel", "tests.mail", "tests.postgres", "tests.xmpp"]

# The suite proves the same thing each time it runs; looking for new examples is asked for by name.
# A machine that has much to do makes examples slowly, and that is no finding.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# What is proven is not how long a disk takes.
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


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
