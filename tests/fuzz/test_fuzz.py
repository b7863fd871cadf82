"""The door holds, whatever comes: a bounded look with a fixed seed; `make fuzz` looks for longer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.calls import Site, call_of, seeds, written

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What is read, is read alike on either loop."""
    return "asyncio"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.mark.parametrize("seed", [pytest.param(each, id=each.split(b"\n")[0].decode()) for each in seeds()])
async def test_what_it_begins_with_is_right(site: Site, seed: bytes) -> None:
    """Otherwise it would look only at what is refused."""
    assert (await site.call(seed)).status in {200, 204}


def test_each_channel_is_begun_with(site: Site) -> None:
    begun = {str(call_of(seed)[0]["path"]).split("/")[1] for seed in seeds()}
    assert begun == set(site.channels)


def test_a_call_is_read_as_it_was_written() -> None:
    scope, body = call_of(written("/a/b", b"\n\nx", {"X-A": "b: c"}, query="d=e"))
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a/b", b"d=e")
    assert (scope["headers"], body) == ([(b"x-a", b"b: c")], b"\n\nx")


def test_atheris_finds_nothing(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not built for this Python or this machine")
    command = [sys.executable, "-m", "tests.fuzz", "--runs", "1000", "--found", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert ran.returncode == 0, [each.read_bytes() for each in tmp_path.iterdir()] + [ran.stderr[-3000:]]
    assert "Done 1000 runs" in ran.stderr
