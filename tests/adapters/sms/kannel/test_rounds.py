"""Messages go out and come in while the network and our endpoint come and go, and afterwards every sum is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from convergekit import MemoryStore
from tools.kannel import Kannel

from .rounds import Round, compared, run, token


@pytest.mark.anyio
async def test_messages_out_and_in_while_the_network_and_our_endpoint_come_and_go(
    start_kannel: Callable[..., Kannel], anyio_backend_name: str
) -> None:
    """`make torture-sms` does 500 and 200 of them."""
    secret = token()
    kannel = start_kannel(f"/phone/{secret}", joined=False)
    rounded = await run(Round(), kannel, secret, MemoryStore(), anyio_backend_name)
    print(rounded.figures, kannel.logs()[-5000:])  # shown when it fails

    assert rounded.wrong == []


@pytest.mark.anyio
async def test_what_is_lost_is_noticed(start_kannel: Callable[..., Kannel], anyio_backend_name: str) -> None:
    """A Kannel that calls once only, as it does unless it is told otherwise."""
    secret = token()
    kannel = start_kannel(f"/phone/{secret}", joined=False, retries=0)
    rounded = await run(Round(20, 10, patience=2.0), kannel, secret, MemoryStore(), anyio_backend_name)
    assert any("a message ends as" in each for each in rounded.wrong)


def test_what_is_lost_or_doubled_is_told() -> None:
    assert compared("there", Counter("abb"), "abc") == ["not there: 'c'", "there once more: 'b'"]
