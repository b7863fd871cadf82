"""How often one may ask, what it costs, and the headers in which X says so."""

from decimal import Decimal

import httpx
import pytest

from convergekit.testing import FakeClock
from convergekit.testing.x import Account, Limit, XServer

pytestmark = pytest.mark.anyio


async def call(x: XServer, method: str, path: str, token: str | None = None, **more: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token or x.only_account.access_token}"}
    async with httpx.AsyncClient(transport=x.transport, base_url="https://api.x.com", headers=headers) as api:
        return await api.request(method, path, **more)  # type: ignore[arg-type]


def families(answer: httpx.Response) -> dict[str, tuple[int, int]]:
    """What each family of headers says of the limit and of what remains."""
    found = {name.rpartition("-")[0] for name in answer.headers if name.startswith("x-")}
    return {
        name: (int(answer.headers[f"{name}-limit"]), int(answer.headers[f"{name}-remaining"])) for name in sorted(found)
    }


async def test_each_answer_says_what_is_left_and_until_when(x: XServer, clock: FakeClock) -> None:
    first = await call(x, "POST", "/2/tweets", json={"text": "one"})
    assert families(first) == {"x-app-limit-24hour": (10_000, 9_999), "x-rate-limit": (100, 99)}
    assert int(first.headers["x-rate-limit-reset"]) == clock.now().timestamp() + 900
    clock.advance(60)
    second = await call(x, "POST", "/2/tweets", json={"text": "two"})
    assert second.headers["x-rate-limit-reset"] == first.headers["x-rate-limit-reset"]


async def test_one_too_many_is_refused_until_the_window_ends(x: XServer, support: Account, clock: FakeClock) -> None:
    codes = [(await call(x, "GET", "/2/dm_events")).status_code for _ in range(16)]
    assert codes == [200] * 15 + [429]
    assert (await call(x, "GET", "/2/users/me")).status_code == 200
    clock.advance(900)
    assert (await call(x, "GET", "/2/dm_events")).status_code == 200


async def test_a_day_is_counted_by_account_and_by_app(x: XServer, support: Account, clock: FakeClock) -> None:
    x.limits.table["POST", "/2/tweets"] = Limit(user=100, user_day=2, app_day=3)
    other = x.account("other")
    codes = []
    for number, account in enumerate([support, support, support, other, other]):
        answer = await call(x, "POST", "/2/tweets", account.access_token, json={"text": str(number)})
        codes.append(answer.status_code)
    assert codes == [201, 201, 429, 201, 429]
    assert families(answer)["x-app-limit-24hour"] == (3, 0)


async def test_an_account_and_the_app_are_counted_apart(x: XServer, support: Account) -> None:
    path = f"/2/users/{support.id}/mentions"
    assert families(await call(x, "GET", path)) == {"x-rate-limit": (300, 299)}
    assert families(await call(x, "GET", path, x.bearer_token)) == {"x-rate-limit": (450, 449)}


async def test_what_is_refused_counts_as_well_and_costs_nothing(x: XServer) -> None:
    assert (await call(x, "POST", "/2/tweets", json={"bogus": 1})).status_code == 400
    assert families(await call(x, "POST", "/2/tweets", json={"bogus": 1}))["x-rate-limit"] == (100, 98)
    assert x.spent == 0


async def test_a_price_is_paid_for_each_thing(x: XServer, support: Account) -> None:
    ann = x.user("ann")
    asked = ann.mention("help")
    ann.direct("hello")
    steps = [
        ("POST", "/2/tweets", {"text": "hello"}, "0.015"),
        ("POST", "/2/tweets", {"text": "see https://example.org"}, "0.200"),
        ("POST", "/2/tweets", {"text": "see example.org, or write to ann@example.org"}, "0.200"),
        ("POST", "/2/tweets", {"text": "write to ann@example.org, version 1.2.3"}, "0.015"),
        ("POST", "/2/tweets", {"text": "here", "reply": {"in_reply_to_tweet_id": asked.id}}, "0.010"),
        ("POST", f"/2/dm_conversations/with/{ann.id}/messages", {"text": "hi"}, "0.015"),
        ("GET", f"/2/users/{ann.id}", None, "0.010"),
        ("GET", "/2/dm_events", None, "0.020"),
        ("GET", f"/2/users/{support.id}/mentions", None, "0.001"),
        ("GET", f"/2/tweets/{ann.post('other').id}", None, "0.005"),
    ]
    for method, path, body, price in steps:
        before = x.spent
        await call(x, method, path, json=body)
        assert x.spent - before == Decimal(price), path


async def test_the_same_thing_is_paid_for_once_a_day(x: XServer, support: Account, clock: FakeClock) -> None:
    x.user("ann").mention("help")
    for _ in range(3):
        await call(x, "GET", f"/2/users/{support.id}/mentions")
    assert x.spent == Decimal("0.001")
    clock.advance(86_400)
    await call(x, "GET", f"/2/users/{support.id}/mentions")
    assert x.spent == Decimal("0.002")


async def test_without_money_nothing_is_done_though_the_headers_show_plenty(x: XServer) -> None:
    x.credit = Decimal("0.01")
    codes = [(await call(x, "POST", "/2/tweets", json={"text": text})).status_code for text in ("one", "two")]
    refused = await call(x, "POST", "/2/tweets", json={"text": "three"})
    assert (codes, len(x.posts)) == ([201, 402], 1)
    assert refused.json()["type"].endswith("/problems/credits-depleted")
    assert families(refused)["x-rate-limit"] == (100, 97)
