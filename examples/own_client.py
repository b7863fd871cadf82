"""An adapter with an HTTP client of its own, and its far side: a server on loopback. `pytest own_client.py`."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.abc import Adapter, Outgoing
from convergekit.errors import NotSentError, UncertainError
from convergekit.http import error_for, outcome_for, parse_retry_after
from convergekit.model import Capabilities, Receipt, Status, TextLimit
from convergekit.testing import AdapterContract
from convergekit.testing.adapter import HttpSubject


class BottleConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: str = Field(description="Where bottles are thrown in.")
    token: SecretStr = Field(description="Lets us onto the beach.")


# [adapter]
class BottleAdapter(Adapter[BottleConfig]):
    name = "bottle"
    schemes = frozenset({"bottle"})
    backends = frozenset({"asyncio"})  # this client runs on Trio, too, but leaves a generator behind when it is cut off
    Config = BottleConfig
    capabilities = Capabilities(text=TextLimit(max=500))

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        async with httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as self._client:
            yield self

    async def send(self, out: Outgoing) -> Receipt:
        channel, letter = self.context.channel, {"to": out.to.value, "text": out.text, **(out.native or {})}
        out.started()
        try:
            answer = await self._client.post(self.config.url, json=letter)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise NotSentError("there is no connection", channel=channel) from None
        except httpx.HTTPError as error:
            raise UncertainError(f"it ended with {type(error).__name__}", channel=channel) from None
        wait = parse_retry_after(answer.headers.get("retry-after"), self.context.clock.now())
        outcome, code = outcome_for(answer.status_code, retry_after=wait), str(answer.status_code)
        if error := error_for(outcome, "the sea said no", code=code, retry_after=wait, channel=channel):
            raise error
        return Receipt(Status.ACCEPTED, ids=(out.key,))


# [adapter end]


# [subject]
class BottleSubject(HttpSubject):
    adapter = BottleAdapter
    on_loopback = True
    to = "bottle:ann"

    def settings_at(self, url: str) -> Mapping[str, Any]:
        return {"url": f"{url}/bottles", "token": "t0ken-of-the-beach"}

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(201)


class TestBottle(AdapterContract):
    @pytest.fixture
    def subject(self) -> BottleSubject:
        return BottleSubject()


# [subject end]
