"""What every test stands on: both event loops, and the same examples on every run."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: Fixtures that start a real server where a test asks for them.
pytest_plugins = ["tests.postgres"]

# The suite proves the same thing each time it runs; looking for new examples is asked for by name.
# A machine that has much to do makes examples slowly, and that is no finding.
settings.register_profile(
    "suite", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run each async test on asyncio and on Trio."""
    return request.param


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory where the machine has one: what is proven there is not how long a disk takes."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
