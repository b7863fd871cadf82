"""What a host hands to an adapter beside its settings."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from convergekit import Hub
from convergekit.engine.parts import check_parts
from convergekit.errors import ConfigurationError
from convergekit.http import StoredTokens
from convergekit.testing import FakeContext

TRANSPORT = httpx.MockTransport(lambda request: httpx.Response(204))


@pytest.mark.parametrize(
    ("name", "meant"), [("transprt", "transport"), ("http_clent", "http_client"), ("token_stor", "token_store")]
)
def test_a_part_that_is_misspelt_is_not_passed_over(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"channel 'hook': nobody takes {name}=; did you mean {meant}="):
        check_parts("hook", {name: TRANSPORT})


@pytest.mark.parametrize(
    "parts", [{"transport": object()}, {"transport": httpx.AsyncHTTPTransport}, {"http_client": 7}]
)
def test_a_part_of_another_kind_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"channel 'hook': (transport|http_client)= is an httpx\.Async"):
        check_parts("hook", parts)


@pytest.mark.parametrize("store", [object(), "redis://", dict])
def test_a_token_store_that_is_none_is_told_before_a_token_is_at_stake(store: object) -> None:
    with pytest.raises(TypeError, match="channel 'x': token_store= has the methods load, save and lock, not a "):
        check_parts("x", {"token_store": store})


def test_what_is_right_and_what_an_adapter_names_itself_pass() -> None:
    check_parts("hook", {"transport": TRANSPORT, "http_client": None, "medium": object(), "tokens": object()})
    check_parts("x", {"token_store": StoredTokens(FakeContext())})
    check_parts("x", {"token_store": None})


@pytest.mark.anyio
async def test_a_hub_looks_before_it_adds_the_channel() -> None:
    hub = Hub(store="memory:")
    with pytest.raises(ConfigurationError, match="did you mean transport="):
        await hub.add_channel("hook", "loopback://", transprt=TRANSPORT)
    assert not hub.channels
