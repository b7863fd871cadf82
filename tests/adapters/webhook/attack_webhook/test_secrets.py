"""What must be read nowhere: not in errors either."""

from __future__ import annotations

import pytest

from convergekit import Hub, MemoryStore
from convergekit.errors import ConfigurationError
from tests.adapters.webhook.kit import NEW

pytestmark = pytest.mark.anyio


async def test_a_url_that_is_none_is_not_shown_for_its_path_may_be_a_secret() -> None:
    async with Hub(store=MemoryStore()) as hub:
        for url in (
            "https://h.example/\nT0KEN-T0KEN",
            "https://h.example/T0KEN-T0KEN/%zz",
            "http://h.example/T0KEN-T0KEN",
        ):
            with pytest.raises(ConfigurationError) as caught:
                await hub.add_channel("hooks", {"adapter": "webhook", "url": url, "secrets": [NEW]})
            assert "url" in str(caught.value)
            assert "T0KEN" not in str(caught.value)
