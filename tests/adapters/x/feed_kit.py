"""An account whose X is a few lines: feeds as lists, and answers that are said beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from convergekit.adapters.x import XConfig
from convergekit.adapters.x.memory import Memory
from convergekit.adapters.x.session import Session
from convergekit.adapters.x.snowflakes import first_id
from convergekit.testing import FakeContext

OWN = "50"
SETTINGS: dict[str, Any] = {
    "oauth1": {
        "consumer_key": "consumer-key",
        "consumer_secret": "consumer-secret",
        "access_token": f"{OWN}-access-token",
        "access_token_secret": "access-secret",
    },
    "bearer_token": "bearer-token-of-the-app",
    "user_id": OWN,
}


class Asked:
    """One request."""

    def __init__(self, method: str, route: str, params: Mapping[str, Any], json: Any, identity: str) -> None:
        self.method, self.route, self.params, self.json, self.identity = method, route, dict(params), json, identity

    def __repr__(self) -> str:
        return f"{self.method} {self.route}"


class FakeClient:
    """Answers by `answer`, or by what `next` says; an exception is raised.

    Attributes:
        requests: All that was asked, in order.
        next: Answers of the next requests.
    """

    def __init__(self, answer: Callable[[Asked], Any]) -> None:
        self.answer = answer
        self.requests: list[Asked] = []
        self.next: list[Any] = []

    def acting(self, *, identity: str = "user", **_: Any) -> _Acting:
        return _Acting(self, identity)

    async def request(
        self, method: str, route: str, params: Mapping[str, Any] | None = None, json: Any = None, identity: str = "user"
    ) -> Any:
        asked = Asked(method, route, params or {}, json, identity)
        self.requests.append(asked)
        said = self.next.pop(0) if self.next else None
        said = self.answer(asked) if said is None else said
        if isinstance(said, Exception):
            raise said
        return said

    async def signed(self, method: str, route: str) -> tuple[str, str]:
        return f"https://api.test{route}", "Bearer bearer-token-of-the-app"


class _Acting:
    def __init__(self, client: FakeClient, identity: str) -> None:
        self._client, self._identity = client, identity

    async def request(self, method: str, route: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        return await self._client.request(method, route, params, json, self._identity)

    async def signed(self, method: str, route: str) -> tuple[str, str]:
        return await self._client.signed(method, route)


class FakeBudgets:
    """Allows everything.

    Attributes:
        told: What was said to have come by itself.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.least = 0.0

    def wait(self, route: str, interval: float, **_: Any) -> float:
        return max(interval, self.least)

    async def received(self, items: Any) -> None:
        self.told += items

    async def before(self, *args: Any, **named: Any) -> Any:
        return None

    async def after(self, *args: Any, **named: Any) -> float:
        return 0.0


class Account:
    """One account, open, at this X.

    Attributes:
        mentions, directs: Ids, the newest last.
    """

    def __init__(self, *, context: FakeContext | None = None, **settings: Any) -> None:
        self.context = context or FakeContext()
        self.config = XConfig.model_validate({**SETTINGS, **settings})
        self.mentions: list[str] = []
        self.directs: list[str] = []
        self.client = FakeClient(self._answer)
        self.budgets = FakeBudgets()
        self.session = Session(
            config=self.config,
            context=self.context,
            client=cast("Any", self.client),
            budgets=cast("Any", self.budgets),
            own=OWN,
            memory=Memory(),
        )

    def now(self) -> datetime:
        return self.context.clock.now()

    def id(self, ago: float = 0.0, number: int = 0) -> str:
        """An id that was given out so many seconds ago."""
        return str(int(first_id(self.now() - timedelta(seconds=ago))) + number)

    def mention(self, ago: float = 0.0, number: int = 0) -> str:
        self.mentions.append(self.id(ago, number))
        return self.mentions[-1]

    def direct(self, ago: float = 0.0, number: int = 0) -> str:
        self.directs.append(self.id(ago, number))
        return self.directs[-1]

    def _answer(self, asked: Asked) -> Any:
        if asked.route.endswith("/mentions"):
            return self._page(self.mentions, _post, asked)
        if asked.route == "/2/dm_events":
            return self._page(self.directs, _direct, asked)
        raise AssertionError(asked)

    def _page(self, ids: list[str], make: Callable[[str], Any], asked: Asked) -> Any:
        since = int(asked.params.get("since_id", 0))
        found = sorted((each for each in ids if int(each) > since), key=int, reverse=True)[:800]
        start = int(asked.params.get("pagination_token", "t0")[1:])
        end = start + int(asked.params["max_results"])
        meta = {"next_token": f"t{end}"} if end < len(found) else {}
        return {"data": [make(each) for each in found[start:end]], "meta": {"result_count": len(found), **meta}}


def _post(id: str) -> dict[str, Any]:
    text = f"@support {id}"
    return {"id": id, "author_id": "7", "text": text, "conversation_id": id, "edit_history_tweet_ids": [id]}


def _direct(id: str) -> dict[str, Any]:
    return {"id": id, "event_type": "MessageCreate", "sender_id": "7", "text": id, "dm_conversation_id": f"7-{OWN}"}
