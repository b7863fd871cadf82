"""The channel, broken on purpose in one place: the contract notices, or a test of the channel's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import anyio
import pytest

from convergekit.abc import Reconciliation
from convergekit.adapters.x import adapter, addresses, client
from convergekit.adapters.x.adapter import XAdapter
from convergekit.adapters.x.budgets import breaker, limits
from convergekit.adapters.x.feeds import feeds
from convergekit.adapters.x.outbound import outbound, permission, reconcile
from convergekit.adapters.x.reading import envelopes
from convergekit.adapters.x.reading.directs import direct_events
from convergekit.adapters.x.subject import PublicXSubject, XSubject
from convergekit.errors import NotSentError, SignatureError, UncertainError
from convergekit.http.signatures import X, _challenging, hmac_signature
from convergekit.model import Receipt, Status, TextLimit
from convergekit.testing.adapter import Subject, Verdict, verify
from convergekit.testing.x import LostAnswer
from tests.adapters.x import test_addresses, test_going_out
from tests.adapters.x.budgets import test_storm
from tests.adapters.x.feeds import test_at_the_server, test_feeds
from tests.http.signatures import test_x

Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class ByRule:
    """Who notices is a rule of the contract."""

    rule: str
    subject: type[Subject]


@dataclass(frozen=True)
class ByTest:
    """Who notices is a test."""

    test: Callable[..., Any]
    arguments: Sequence[Any] = ()

    def run(self) -> None:
        if not inspect.iscoroutinefunction(self.test):
            self.test(*self.arguments)
            return

        async def within() -> None:
            with anyio.fail_after(60):
                await self.test(*self.arguments)

        try:
            anyio.run(within)
        except ExceptionGroup as group:
            raise _first_of(group) from None


def _first_of(error: Exception) -> Exception:
    return _first_of(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


MUTANTS: Final[list[tuple[ByRule | ByTest, Break]]] = []


def breaks(rule: str, subject: type[Subject] = XSubject) -> Callable[[Break], Break]:
    return _noting(ByRule(rule, subject))


def fails(test: Callable[..., Any], *arguments: Any) -> Callable[[Break], Break]:
    return _noting(ByTest(test, arguments))


def _noting(by: ByRule | ByTest) -> Callable[[Break], Break]:
    def note(mutant: Break) -> Break:
        MUTANTS.append((by, mutant))
        return mutant

    return note


# Who calls


@breaks("forged-refused")
def believes_any_signature(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(X, "verify", lambda *_: None)


@breaks("compares-in-constant-time")
def compares_letter_by_letter(patch: pytest.MonkeyPatch) -> None:
    def verify(self: Any, request: Any, now: Any) -> None:
        made = [hmac_signature(secret, request.body, encoding="base64").decode() for secret in self._secrets]
        if request.headers.get("x-twitter-webhooks-signature", "").removeprefix("sha256=") not in made:
            raise SignatureError("no")

    patch.setattr(X, "verify", verify)


@fails(test_x.test_a_hostile_token_is_refused_and_nothing_is_signed, "crc_token=%7B%22data%22%3A%7B%7D%7D%20%20%20")
def signs_whatever_it_is_given(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_challenging, "_CRC_TOKEN", re.compile(rb".+", re.DOTALL))
    patch.setattr(_challenging, "_LONGEST_CRC", 100_000)


# What comes in


@breaks("poll-goes-on")
def moves_on_before_it_has_handed_over(patch: pytest.MonkeyPatch) -> None:
    """The cursor is the newest of the walk, of which only a page was handed on."""
    whole = feeds.Feeds._handed_on

    async def handed_on(self: Any, source: Any, place: Any, walk: Any, events: Any) -> Any:
        polled = await whole(self, source, place, walk, events)
        everything = place.after(item.id for item in walk.new(place.is_new, 10_000))
        return replace(polled, cursor=everything.to_cursor(), more=False)

    patch.setattr(feeds.Feeds, "_handed_on", handed_on)


@fails(test_feeds.test_a_walk_that_is_held_up_goes_on_and_asks_for_no_page_twice)
def begins_anew_after_a_429(patch: pytest.MonkeyPatch) -> None:
    whole = feeds.Feeds._step

    async def step(self: Any, source: Any, walk: Any) -> None:
        try:
            await whole(self, source, walk)
        except NotSentError:  # ThrottledError is one
            del self._walks[source.feed]
            raise

    patch.setattr(feeds.Feeds, "_step", step)


@fails(test_at_the_server.test_of_more_than_x_shows_a_gap_is_told_once)
def says_nothing_of_a_gap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(feeds.Walk, "_is_full", lambda self: False)


@fails(test_at_the_server.test_what_was_told_by_webhook_and_is_polled_again_is_there_once)
def knows_a_message_by_the_number_of_its_delivery(patch: pytest.MonkeyPatch) -> None:
    whole, numbers = envelopes.activity, count()

    def activity(envelope: Any, reading: Any) -> Any:
        return [each.model_copy(update={"key": f"{next(numbers)}"}) for each in whole(envelope, reading)]

    patch.setattr(envelopes, "activity", activity)
    patch.setattr("convergekit.adapters.x.reading.envelope_events", activity)


@breaks("keys-stable")
def gives_a_message_another_key_each_time(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def events(*arguments: Any, **more: Any) -> Any:
        return [each.model_copy(update={"key": f"dm:{next(numbers)}"}) for each in direct_events(*arguments, **more)]

    patch.setattr("convergekit.adapters.x.reading.direct_events", events)
    patch.setattr(envelopes, "direct_events", events)


@breaks("own-messages-ignored")
def hears_itself(patch: pytest.MonkeyPatch) -> None:
    def events(*arguments: Any, **more: Any) -> Any:
        return direct_events(*(replace(each, own="1") if hasattr(each, "own") else each for each in arguments), **more)

    patch.setattr("convergekit.adapters.x.reading.direct_events", events)


@breaks("poll-tells-failure")
def takes_a_failure_for_silence(patch: pytest.MonkeyPatch) -> None:
    whole = XAdapter.poll

    async def poll(self: Any, feed: str, cursor: Any) -> Any:
        try:
            return await whole(self, feed, cursor)
        except NotSentError:
            return feeds.Polled(cursor=cursor)

    patch.setattr(XAdapter, "poll", poll)


@breaks("nonsense-does-not-stop")
def stops_where_it_understands_nothing(patch: pytest.MonkeyPatch) -> None:
    def page(items: Any, read: Any) -> Any:
        return [event for item in items for event in read(item)]

    patch.setattr("convergekit.adapters.x.reading.each", page)


# What goes out


LOST = test_going_out.test_an_answer_that_is_lost_after_the_post_was_made_is_found_and_not_made_twice


@fails(LOST, LostAnswer(), False)
def posts_again_what_may_have_been_posted(patch: pytest.MonkeyPatch) -> None:
    async def became(*_: Any) -> Any:
        return Reconciliation.NOT_TAKEN

    patch.setattr(reconcile.Lookup, "became", became)


@breaks("lost-answer-uncertain")
def takes_a_lost_answer_for_not_sent(patch: pytest.MonkeyPatch) -> None:
    whole = client.XClient._sent

    async def sent(self: Any, call: Any, **more: Any) -> Any:
        try:
            return await whole(self, call, **more)
        except UncertainError as error:
            raise NotSentError(error.reason) from None

    patch.setattr(client.XClient, "_sent", sent)


@fails(test_addresses.test_a_direct_message_names_no_post_even_where_it_answers_one)
def answers_a_direct_message_in_public(patch: pytest.MonkeyPatch) -> None:
    whole = addresses.destination

    def destination(out: Any) -> Any:
        return addresses._post(out, out.conversation) if out.message.reply_to else whole(out)

    patch.setattr(test_addresses, "destination", destination)


@breaks("throttled-says-when")
def ignores_when_a_limit_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits.Limits, "pause", lambda *_: 60.0)


@fails(test_storm.test_429_to_everything_is_met_by_a_request_a_window, False)
def knocks_at_once_where_no_end_is_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits.Limits, "_shut", lambda *_, **__: None)
    patch.setattr(limits.Limits, "pause", lambda *_: 1.0)


@fails(test_going_out.test_without_credit_the_message_waits_and_the_channel_is_down)
def asks_again_and_again_where_there_is_no_credit(patch: pytest.MonkeyPatch) -> None:
    async def enter(self: Any) -> bool:
        return False

    async def leave(self: Any, status: Any, *, asked: bool) -> None:
        return None

    patch.setattr(breaker.Breaker, "enter", enter)
    patch.setattr(breaker.Breaker, "leave", leave)


@fails(test_going_out.test_whoever_did_not_summon_us_is_answered_where_they_take_it)
def answers_whoever_it_is(patch: pytest.MonkeyPatch) -> None:
    async def demand(*_: Any) -> None:
        return None

    patch.setattr(permission.Permissions, "demand", demand)


@fails(test_going_out.test_a_long_text_is_a_thread_in_which_each_post_follows_the_one_before)
def hangs_each_part_below_the_first_post(patch: pytest.MonkeyPatch) -> None:
    whole = outbound.destination
    patch.setattr(outbound, "destination", lambda out: whole(replace(out, earlier=())))


async def links_are_whole() -> None:
    """Also where there is no space at which a text could be cut before them, and without a scheme."""
    link = "example.org/parcel/42?shown=all"
    async with test_going_out.world() as x:
        await x.settled(await x.answer("漢" * 120 + link + "漢" * 100))
        assert len(x.ours) == 2
        assert sum(link in post.text for post in x.ours) == 1


@fails(links_are_whole)
def counts_letters_and_not_what_x_counts(patch: pytest.MonkeyPatch) -> None:
    def capabilities(config: Any) -> Any:
        return whole(config).model_copy(update={"text": TextLimit(max=140, unit="codepoint")})

    whole = adapter.public_capabilities
    patch.setattr(adapter, "public_capabilities", capabilities)


@breaks("started-before-first-byte")
def says_too_late_that_something_leaves(patch: pytest.MonkeyPatch) -> None:
    whole = outbound.Outbound.send

    async def send(self: Any, out: Any) -> Any:
        receipt = await whole(self, replace(out, started=lambda: None))
        out.started()
        return receipt

    patch.setattr(outbound.Outbound, "send", send)


@breaks("verbs-work", PublicXSubject)
def calls_deleted_what_is_still_there(patch: pytest.MonkeyPatch) -> None:
    async def retract(self: Any, out: Any) -> Any:
        return Receipt(Status.ACCEPTED)

    patch.setattr(outbound.Outbound, "retract", retract)


@breaks("no-secret-shown")
def quotes_the_request_in_an_error(patch: pytest.MonkeyPatch) -> None:
    whole = client.XClient._answered

    async def answered(self: Any, call: Any, route: str) -> Any:
        try:
            return await whole(self, call, route)
        except NotSentError as error:
            secret = self._config.oauth1.access_token.get_secret_value()
            raise NotSentError(f"{error.reason} with {secret}") from None

    patch.setattr(client.XClient, "_answered", answered)


@breaks("no-content-logged")
def logs_what_was_said(patch: pytest.MonkeyPatch) -> None:
    whole = outbound.Outbound.send

    async def send(self: Any, out: Any) -> Any:
        self._session.context.log.debug("sends %s", out.text)
        return await whole(self, out)

    patch.setattr(outbound.Outbound, "send", send)


@pytest.mark.parametrize(("by", "mutant"), MUTANTS, ids=lambda each: getattr(each, "__name__", None))
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_noticed(by: ByRule | ByTest, mutant: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    if isinstance(by, ByRule):
        impatient = type("Impatient", (by.subject,), {"patience": 0.5})  # what does not come is waited for in vain
        results = [*verify(impatient, backends=["asyncio"], rules=[by.rule])]
        assert any(each.verdict is Verdict.BROKEN for each in results), [
            f"{each.verdict} {each.text}" for each in results
        ]
        return
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        by.run()


@pytest.mark.parametrize("by", [by for by, _ in MUTANTS if isinstance(by, ByTest)], ids=lambda by: by.test.__name__)
def test_whoever_notices_has_nothing_to_say_of_the_channel_as_it_is(by: ByTest) -> None:
    by.run()
