"""What stands in the channel's state was written by another version, or by a clock that was wrong."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

import pytest

from convergekit.adapters.x import XAdapter, XConfig
from convergekit.errors import CreditError, ThrottledError
from convergekit.http import OAuthClient
from convergekit.model import Attachment, Part, Receipt
from convergekit.testing import FakeClock, FakeContext, outgoing
from convergekit.testing.x import CreditsDepleted, XServer

pytestmark = pytest.mark.anyio

OUT: Final = outgoing(
    "x:12", attempt=2, part=Part(text="hello", attachments=(Attachment(data=b"p", media_type="image/png"),))
)
FOREIGN: Final[list[Any]] = [
    5,
    True,
    "x",
    "2026-11-22T00:00:00",
    [],
    [1, None],
    [{"at": 1}],
    [{"at": "z", "digest": 1, "id": 2, "whose": 3}],
    {},
    {"at": "x"},
    {"at": 1e12, "ids": 5},
    {"at": 1e12, "ids": ["8", "9"]},
    {"at": 1e12, "ids": [{}]},
    {"access_token": "token"},
    {"access_token": "token", "since": 0, "until": "later"},
    {"refresh_token": {"a": 1}},
    {"until": "2026-01-01", "replayed": "2026-01-01"},
    {"until": "9999-12-31T23:59:59+00:00", "times": 1},
    {"until": "2026-01-01T00:00:00+00:00", "times": math.inf},
    {"day": "9999-12-31", "total": {"day": "NaN"}, "polling": {}},
    {"day": "9999-12-31", "total": {"day": "-5"}, "polling": {"day": "Infinity"}},
    {"post": "2026-01-01", "dm": "2026-11-11", "from": 8, "first": {"x": 1}},
    {"of": "x", "id": "abc"},
]


class Here:
    """An account that Ann has written to, and its channel."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.server = XServer(now=self.clock.now, sleep=self.clock.sleep)
        self.support, self.ann = self.server.account("support", id="7"), self.server.user("ann", id="12")
        self.context = FakeContext(channel="x", transport=self.server.transport, clock=self.clock)
        budget = {"day": "5", "month": "50"}
        self.config = XConfig.model_validate({"oauth2": self.support.oauth2, "budget": budget, **settings})
        self.adapter = XAdapter(self.config, self.context)

    @property
    def token_key(self) -> str:
        assert self.config.oauth2 is not None
        client = OAuthClient(
            token_url=f"{self.config.api}/2/oauth2/token",
            client_id=self.config.oauth2.client_id,
            refresh_token=self.config.oauth2.refresh_token.get_secret_value(),
        )
        return client.key


def put_back(clock: FakeClock, by: timedelta) -> None:
    """Somebody sets the time of day; what counts seconds goes on."""
    clock._start -= by


@pytest.mark.parametrize("value", FOREIGN)
async def test_what_is_of_a_foreign_form_keeps_nothing_from_going_out_or_coming_in(value: Any) -> None:
    here = Here()
    said = [f"said:{number}" for number in range(256)]
    for key in (
        *said,
        f"media:{OUT.key}",
        "handover:12",
        "own",
        here.token_key,
        "budget",
        "breaker",
        "activity",
        "heard",
    ):
        await here.context.state.put(key, value)
    here.ann.direct("anybody there?")

    async with here.adapter as adapter:
        sent = await adapter.send(OUT)
        with pytest.raises(ThrottledError):  # nothing of it is taken for a note of what was sent before
            await adapter.reconcile(outgoing("x:12", "what was never said", key="other/0"))
        polled = await adapter.poll("dms", {"since": "1"})
        mentions = await adapter.poll("mentions", {"since": "1"})

    assert isinstance(sent, Receipt)
    assert [each.text for each in here.server.directs if each.sender is here.support] == ["hello"]
    assert [event.key.partition(":")[0] for event in polled.events] == ["dm"]
    assert not mentions.events


async def test_a_token_that_is_refused_is_renewed_also_after_the_clock_was_put_back() -> None:
    here = Here()
    async with here.adapter as adapter:
        await adapter.send(outgoing("x:12", "one", key="one/0"))
        put_back(here.clock, timedelta(hours=1))
        here.support.expire()

        sent = await adapter.send(outgoing("x:12", "two", key="two/0"))

    assert isinstance(sent, Receipt)


async def test_a_stop_that_a_wrong_clock_has_written_ends() -> None:
    here = Here(user_id="7")
    here.server.script("POST", "/2/dm_conversations/with/:id/messages", CreditsDepleted())
    here.clock.advance(365 * 86_400)  # for a moment
    with pytest.raises(CreditError):
        async with here.adapter as adapter:
            await adapter.send(outgoing("x:12", "one", key="one/0"))
    put_back(here.clock, timedelta(days=365))

    async with XAdapter(here.config, here.context) as adapter:
        sent = await adapter.send(outgoing("x:12", "one", key="one/0"))

    assert isinstance(sent, Receipt)


async def test_money_that_was_spent_is_not_forgotten_because_the_clock_was_put_back() -> None:
    here = Here(user_id="7", budget={"day": "0.02"})
    async with here.adapter as adapter:
        await adapter.send(outgoing("x:12", "one", key="one/0"))
        put_back(here.clock, timedelta(days=2))

        with pytest.raises(ThrottledError, match="budget"):
            await adapter.send(outgoing("x:12", "two", key="two/0"))
