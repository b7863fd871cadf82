"""What the client says of an answer is what limits and money go by."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from convergekit.abc import Outgoing
from convergekit.adapters.x.budgets import Budgets, Priority
from convergekit.adapters.x.client import XClient, make
from convergekit.adapters.x.config import BudgetConfig, OAuth1Config, XConfig
from convergekit.adapters.x.inbound import Inbound
from convergekit.adapters.x.session import Session
from convergekit.errors import CreditError, NotSentError, ThrottledError, UncertainError
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio


class X:
    """Answers everything in one way, and counts."""

    def __init__(self, status: int, body: Any = None, **settings: Any) -> None:
        self.status, self.body, self.asked = status, body, 0
        self.config = config = XConfig(
            oauth1=OAuth1Config(
                consumer_key="k",
                consumer_secret=SecretStr("s"),
                access_token=SecretStr("9-t"),
                access_token_secret=SecretStr("ts"),
            ),
            user_id="9",
            **settings,
        )
        self.context = FakeContext(transport=httpx.MockTransport(self._answer))
        self.budgets = Budgets(config, self.context, random=lambda: 0.0)
        self.client: XClient = make(config, self.context, self.budgets)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if isinstance(self.body, Exception):
            raise self.body
        return httpx.Response(self.status, content=b"" if self.body is None else json.dumps(self.body).encode())

    async def post(self, text: str = "hi", out: Outgoing | None = None) -> Any:
        return await self.client.acting(out=out, priority=Priority.REPLY).create_tweet(text=text)

    async def posts(self, number: int, error: type[Exception]) -> int:
        """How many of so many in a row were requests."""
        for _ in range(number):
            with pytest.raises(error):
                await self.post()
        return self.asked


TOO_MANY = {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}
CAPPED = {"type": "https://api.x.com/2/problems/usage-capped", "title": "Usage capped", "status": 429}
DEPLETED = {"type": "https://api.x.com/2/problems/credits-depleted", "title": "Payment Required", "status": 402}


@pytest.mark.parametrize(("status", "body"), [(429, TOO_MANY), (429, None), (400, TOO_MANY), (403, TOO_MANY)])
async def test_too_many_requests_are_that_in_whatever_way_x_says_so(status: int, body: Any) -> None:
    x = X(status, body)

    assert await x.posts(50, ThrottledError) == 1
    with pytest.raises(ThrottledError) as caught:
        await x.post()
    assert caught.value.retry_after >= 60


@pytest.mark.parametrize(("status", "body"), [(402, DEPLETED), (402, None), (429, CAPPED), (403, DEPLETED)])
async def test_an_account_without_credit_is_that_in_whatever_way_x_says_so(status: int, body: Any) -> None:
    x = X(status, body)

    assert await x.posts(50, CreditError) == 1
    with pytest.raises(CreditError):
        await x.budgets.open()


async def test_a_server_that_fails_is_asked_twice_and_then_less() -> None:
    x = X(503)

    for error in (UncertainError, UncertainError):
        with pytest.raises(error):
            await x.post()
        x.context.clock.advance(0.1)
    assert await x.posts(50, ThrottledError) == 2


async def test_a_post_is_paid_for_by_what_it_says() -> None:
    x = X(201, {"data": {"id": "1", "text": "hi"}}, budget=BudgetConfig(day=Decimal(1)))

    await x.post("hi")
    await x.post("see https://example.org")

    assert x.budgets.spent.total["day"] == Decimal("0.215")


async def test_a_page_is_paid_for_by_what_is_in_it() -> None:
    page = {
        "data": [{"id": "1", "author_id": "7"}, {"id": "2", "author_id": "7"}],
        "includes": {"users": [{"id": "7"}, {"id": "9"}]},
    }
    x = X(200, page, budget=BudgetConfig(day=Decimal(1)))

    for _ in range(2):
        await x.client.acting(priority=Priority.BACKGROUND).get_users_mentions("9", user_auth=True)

    assert x.budgets.spent.total["day"] == Decimal("0.021"), "two posts, an account, and our own"


async def test_what_did_not_leave_us_costs_nothing() -> None:
    x = X(201, httpx.ConnectError("no"), budget=BudgetConfig(day=Decimal(1)))

    with pytest.raises(NotSentError):
        await x.client.request("GET", "/2/users/me", params={})

    assert x.budgets.spent.total.get("day", 0) == 0


async def test_a_message_that_is_new_stands_behind_those_that_wait() -> None:
    x = X(201, {"data": {"id": "1", "text": "hi"}})
    client = x.client.acting(out=outgoing("x:7"))
    for _ in range(40):
        await client.create_tweet(text="hi")
    waits = []
    for _ in range(5):
        with pytest.raises(ThrottledError) as caught:
            await client.create_tweet(text="hi")
        waits.append(round(caught.value.retry_after))

    assert waits == sorted(set(waits))
    x.context.clock.advance(waits[0])
    await x.client.acting(out=outgoing("x:7", attempt=2)).create_tweet(text="hi")
    with pytest.raises(ThrottledError):
        await x.client.acting(out=outgoing("x:7")).create_tweet(text="hi")


async def test_polls_are_polls_where_money_is_counted() -> None:
    """Who reads the feeds says so; else answers would go without what polls have spent."""
    x = X(200, {"data": [{"id": "1", "author_id": "7"}]}, budget=BudgetConfig(day=Decimal("0.01")))
    session = Session(config=x.config, context=x.context, client=x.client, budgets=x.budgets, own="9")
    await Inbound(session).feeds.poll("mentions", None)

    assert x.budgets.spent.polling["day"] == Decimal("0.005")
