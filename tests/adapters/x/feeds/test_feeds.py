"""What is polled: nothing is lost, nothing skipped, and no more asked than needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from convergekit.abc import Polled
from convergekit.adapters.x.activity import Pulse
from convergekit.adapters.x.arrivals import Arrivals
from convergekit.adapters.x.feeds import DIRECTS, MENTIONS, Feeds
from convergekit.errors import NotSentError, RejectedError, ThrottledError
from convergekit.model import Event, GapDetected
from convergekit.testing import FakeContext
from tests.adapters.x.feed_kit import Account

pytestmark = pytest.mark.anyio

_DAY = 86_400.0


class Polling:
    """What the engine does with one feed."""

    def __init__(self, account: Account, feed: str = MENTIONS) -> None:
        self.account, self.feed = account, feed
        self.pulse = Pulse(account.context)
        self.feeds = self.anew()
        self.cursor: Any = None
        self.events: list[Event] = []
        self.last = Polled()

    def anew(self) -> Feeds:
        """As after a restart."""
        self.feeds = Feeds(self.account.session, Arrivals(self.account.session), self.pulse)
        return self.feeds

    async def begin(self) -> None:
        """The channel is there, and knows something of long ago."""
        add = self.account.mention if self.feed == MENTIONS else self.account.direct
        add(ago=9000)
        await self.poll()

    async def poll(self) -> Sequence[Event]:
        """Until there is no more; what was found is admitted."""
        found: list[Event] = []
        while True:
            self.last = await self.feeds.poll(self.feed, self.cursor)
            found += self.last.events
            self.cursor = self.last.cursor
            if not self.last.more:
                self.events += found
                return found

    @property
    def requests(self) -> int:
        return len(self.account.client.requests)


def keys(events: Sequence[Event]) -> list[str]:
    return [event.key for event in events]


def posts(ids: Sequence[str]) -> list[str]:
    return [f"post:{each}" for each in ids]


async def test_a_new_channel_begins_with_what_comes_from_now_on() -> None:
    account = Account()
    old = account.mention(ago=60)
    polling = Polling(account)

    assert await polling.poll() == []
    assert polling.cursor["since"] == old

    new = account.mention()
    assert keys(await polling.poll()) == posts([new])


async def test_an_account_that_nobody_ever_mentioned_begins_now_too() -> None:
    """What X finds later on of years before is not what came from now on."""
    account = Account()
    polling = Polling(account)
    await polling.poll()

    account.mention(ago=3600)
    new = account.mention()

    assert keys(await polling.poll()) == posts([new])


async def test_a_new_channel_may_begin_with_what_x_still_shows() -> None:
    account = Account(start="recent")
    ids = [account.mention(ago=1000 - each) for each in range(250)]

    assert keys(await Polling(account).poll()) == posts(ids)


@pytest.mark.parametrize("feed", [MENTIONS, DIRECTS])
async def test_pages_are_walked_back_and_handed_on_oldest_first_in_slices(feed: str) -> None:
    account = Account()
    add = account.mention if feed == MENTIONS else account.direct
    polling = Polling(account, feed)
    await polling.begin()
    ids = [add(ago=1000 - each) for each in range(230)]

    slices = []
    while not slices or polling.last.more:
        polling.last = await polling.feeds.poll(feed, polling.cursor)
        polling.cursor = polling.last.cursor
        slices.append(polling.last.events)

    prefix = "post" if feed == MENTIONS else "dm"
    assert [keys(each) for each in slices] == [
        [f"{prefix}:{each}" for each in ids[:100]],
        [f"{prefix}:{each}" for each in ids[100:200]],
        [f"{prefix}:{each}" for each in ids[200:]],
    ]
    assert polling.cursor["since"] == ids[-1]
    assert polling.requests == 1 + 3


async def test_x_is_told_from_where_on() -> None:
    account = Account()
    known = account.mention(ago=600)
    polling = Polling(account)
    await polling.poll()
    await polling.poll()

    assert account.client.requests[-1].params["since_id"] == known


@pytest.mark.parametrize("feed", [MENTIONS, DIRECTS])
async def test_what_is_shown_late_with_a_smaller_id_is_not_lost(feed: str) -> None:
    """Ids are given out on many machines."""
    account = Account()
    add = account.mention if feed == MENTIONS else account.direct
    polling = Polling(account, feed)
    await polling.begin()
    first = add(ago=10)
    assert len(await polling.poll()) == 1
    polling.anew()
    late, new = add(ago=12), add()

    found = await polling.poll()

    assert [key.partition(":")[2] for key in keys(found)] == [late, new]
    assert first not in keys(found)
    assert await polling.poll() == []


async def test_what_is_known_is_not_asked_for_again_once_nothing_can_be_late() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    new = account.mention()
    await polling.poll()
    account.context.clock.advance(121)
    await polling.poll()

    assert account.client.requests[-1].params["since_id"] == new


async def test_a_walk_that_is_held_up_goes_on_and_asks_for_no_page_twice() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    ids = [account.mention(ago=1000 - each) for each in range(250)]
    account.client.next = [None, None, NotSentError("away")]
    with pytest.raises(NotSentError):
        await polling.poll()
    account.client.next = [NotSentError("away")]
    with pytest.raises(NotSentError):
        await polling.poll()

    assert keys(await polling.poll()) == posts(ids)
    asked = [each.params.get("pagination_token") for each in account.client.requests[1:]]
    assert asked == [None, "t100", "t200", "t200", "t200"]


async def test_a_limit_on_the_way_is_waited_for_and_is_no_failure() -> None:
    account = Account()
    polling = Polling(account, DIRECTS)
    await polling.begin()
    ids = [account.direct(ago=1000 - each) for each in range(150)]
    before = polling.cursor
    account.client.next = [None, ThrottledError("later", retry_after=77.0, code="429")]

    assert await polling.poll() == []
    assert (polling.last.wait, polling.cursor) == (77.0, before)
    assert keys(await polling.poll()) == [f"dm:{each}" for each in ids]


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_limit_of_our_own_is_waited_for_and_is_no_failure(is_new: bool) -> None:
    polling = Polling(Account())
    if not is_new:
        await polling.begin()
    before = polling.cursor
    polling.account.client.next = [ThrottledError("it is not its turn", retry_after=77.0)]

    assert await polling.poll() == []
    assert (polling.last.wait, polling.cursor) == (77.0, before)


async def test_a_limit_of_x_before_the_first_page_is_told() -> None:
    polling = Polling(Account())
    polling.account.client.next = [ThrottledError("later", retry_after=77.0, code="429")]

    with pytest.raises(ThrottledError):
        await polling.poll()


async def test_what_could_not_be_admitted_is_handed_on_again_without_asking() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    ids = [account.mention(ago=1000 - each) for each in range(150)]

    first = await polling.feeds.poll(MENTIONS, polling.cursor)
    again = await polling.feeds.poll(MENTIONS, polling.cursor)

    assert keys(first.events) == keys(again.events) == posts(ids[:100])
    assert polling.requests == 1 + 2


async def test_a_restart_between_two_slices_goes_on_from_the_cursor() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    ids = [account.mention(ago=1000 - each) for each in range(150)]
    polling.cursor = (await polling.feeds.poll(MENTIONS, polling.cursor)).cursor
    polling.anew()

    assert keys(await polling.poll()) == posts(ids[100:])


async def test_the_post_at_the_cursor_may_have_been_deleted() -> None:
    account = Account()
    known = account.mention(ago=60)
    polling = Polling(account)
    await polling.poll()
    account.mentions.remove(known)
    new = account.mention()

    assert keys(await polling.poll()) == posts([new])


async def test_the_message_at_the_cursor_may_have_been_deleted() -> None:
    account = Account()
    older, known = account.direct(ago=120), account.direct(ago=60)
    polling = Polling(account, DIRECTS)
    await polling.poll()
    account.directs.remove(known)
    new = account.direct()

    assert keys(await polling.poll()) == [f"dm:{new}"]
    account.directs.remove(older)
    newer = account.direct(number=1)
    assert keys(await polling.poll()) == [f"dm:{newer}"]


async def test_more_than_x_shows_is_a_gap_and_told_once() -> None:
    account = Account()
    known = account.mention(ago=9000)
    polling = Polling(account)
    await polling.poll()
    ids = [account.mention(ago=5000 - each) for each in range(900)]

    events = await polling.poll()

    gap = events[0]
    assert isinstance(gap, GapDetected)
    assert gap.key == f"gap:mentions:{known}"
    assert gap.feed == MENTIONS
    assert gap.since is not None
    assert gap.until is not None
    assert gap.since < gap.until
    assert keys(events[1:]) == posts(ids[100:])
    assert await polling.poll() == []


async def test_a_feed_that_was_silent_for_long_has_no_gap_if_we_looked() -> None:
    account = Account()
    account.direct(ago=60)
    polling = Polling(account, DIRECTS)
    await polling.poll()
    account.directs.clear()
    for _ in range(40):
        account.context.clock.advance(_DAY)
        await polling.poll()
    new = account.direct()

    assert keys(await polling.poll()) == [f"dm:{new}"]


async def test_messages_are_kept_for_thirty_days_and_who_looks_later_has_a_gap() -> None:
    account = Account()
    account.direct(ago=60)
    polling = Polling(account, DIRECTS)
    await polling.poll()
    account.directs.clear()
    account.context.clock.advance(40 * _DAY)
    new = account.direct()

    events = await polling.poll()

    assert isinstance(events[0], GapDetected)
    assert keys(events[1:]) == [f"dm:{new}"]


async def test_a_cursor_in_the_future_does_not_make_deaf_and_is_told_once() -> None:
    account = Account()
    polling = Polling(account)
    polling.cursor = {"since": account.id(ago=-3 * _DAY)}

    events = await polling.poll()
    assert [type(event) for event in events] == [GapDetected]

    account.context.clock.advance(60)
    new = account.mention()
    assert keys(await polling.poll()) == posts([new])


async def test_a_place_that_x_refuses_is_walked_back_to_without_its_help() -> None:
    account = Account()
    account.mention(ago=90)
    polling = Polling(account)
    await polling.poll()
    new = account.mention(ago=5)
    account.client.next = [RejectedError("since_id is too old", code="400")]
    with pytest.raises(RejectedError):
        await polling.poll()

    assert keys(await polling.poll()) == posts([new])
    assert "since_id" not in account.client.requests[-1].params


async def test_a_page_whose_name_has_lapsed_begins_the_walk_anew() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    ids = [account.mention(ago=1000 - each) for each in range(150)]
    account.client.next = [None, RejectedError("pagination_token", code="400")]
    with pytest.raises(RejectedError):
        await polling.poll()

    assert keys(await polling.poll()) == posts(ids)
    assert account.client.requests[-2].params.get("pagination_token") is None
    assert "since_id" in account.client.requests[-2].params


async def test_mentions_that_arrive_during_the_walk_are_neither_lost_nor_doubled() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    ids = [account.mention(ago=1000 - each) for each in range(250)]
    whole = account.client.answer

    def answer(asked: Any) -> Any:
        found = whole(asked)
        ids.append(account.mention(number=len(ids)))  # pushes everything into the pages behind
        return found

    account.client.answer = answer
    first = await polling.poll()
    account.client.answer = whole

    assert keys([*first, *await polling.poll()]) == posts(ids)


async def test_an_answer_that_is_no_page_is_no_empty_feed() -> None:
    polling = Polling(Account())
    polling.account.client.next = [{"hello": "world"}]

    with pytest.raises(NotSentError):
        await polling.poll()


async def test_one_item_that_makes_no_sense_does_not_hold_up_the_others() -> None:
    account = Account()
    polling = Polling(account)
    await polling.poll()
    new = account.mention()
    page = {"data": [{"id": new, "author_id": "7", "text": "@support"}, {"no": "id"}, "?"], "meta": {}}
    account.client.next = [page]

    found = await polling.poll()

    assert f"post:{new}" in keys(found)
    assert len(found) == 3
    assert polling.cursor["since"] == new


@pytest.mark.parametrize("where", ["item", "beside"])
async def test_what_is_nested_too_deep_to_be_read_does_not_stop_the_feed(where: str) -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    older, newer = account.mention(ago=5), account.mention()
    good = {"author_id": "7", "text": "@support"}
    page: dict[str, Any] = {"data": [{"id": newer, **good}, {"id": older, **good}], "meta": {}}
    if where == "item":
        page["data"][0]["odd"] = deep
    else:
        page["includes"] = {"odd": deep}
    account.client.next = [page]

    found = await polling.poll()

    assert keys(found)[0] == f"post:{older}"
    assert len(found) == 2
    assert polling.cursor["since"] == newer
    assert await polling.poll() == []


async def test_polls_are_few_while_x_tells_by_itself_and_frequent_as_soon_as_it_does_not() -> None:
    account = Account()
    polling = Polling(account)
    polling.pulse.up()
    account.context.clock.advance(1)
    await polling.poll()
    wait = polling.last.wait
    assert wait is not None
    assert wait <= 30  # so that it is noticed in time that X does not

    for _ in range(10):
        account.context.clock.advance(wait)
        await polling.poll()
    assert polling.requests == 1

    polling.pulse.down("gone")
    await polling.poll()
    assert polling.requests == 2
    assert polling.last.wait == account.config.poll_interval


async def test_what_came_before_x_began_to_tell_is_polled_once_more() -> None:
    account = Account()
    polling = Polling(account)
    await polling.begin()
    account.context.clock.advance(5)
    between = account.mention()
    account.context.clock.advance(5)
    polling.pulse.up()
    account.context.clock.advance(5)

    assert keys(await polling.poll()) == posts([between])


async def test_while_x_tells_by_itself_there_is_a_poll_every_ten_minutes_all_the_same() -> None:
    account = Account()
    polling = Polling(account)
    polling.pulse.up()
    account.context.clock.advance(1)
    await polling.poll()
    account.context.clock.advance(601)
    await polling.poll()

    assert polling.requests == 2


async def test_limits_and_money_may_ask_for_more_time() -> None:
    account = Account()
    account.budgets.least = 300.0
    polling = Polling(account)
    await polling.poll()

    assert polling.last.wait == 300.0


async def test_it_is_there_once_whether_it_came_by_webhook_or_by_poll() -> None:
    """The key is the same, so the ledger knows it."""
    context = FakeContext()
    account = Account(context=context)
    polling = Polling(account)
    await polling.poll()
    new = account.mention()
    for _ in range(2):
        await context.admit(*await polling.poll())
        polling.cursor = {"since": str(int(new) - 1)}
        polling.anew()

    assert keys(context.admitted) == posts([new])
