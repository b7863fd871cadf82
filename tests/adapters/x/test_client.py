"""The client of X: tweepy's endpoint methods, and none of tweepy's traps.

Those are numbered as the notes on tweepy 4.17 number them; each of these tests fails with an unmodified client.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from tweepy.asynchronous import AsyncClient

import convergekit.adapters.x as package
from convergekit.adapters.x import XConfig
from convergekit.adapters.x.budgets import Budgets, Cost, Priority
from convergekit.adapters.x.client import Answer, XClient, make
from convergekit.errors import (
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.testing import FakeContext, outgoing
from convergekit.testing.x import HtmlError, LostAnswer, XServer
from tests.http.raw import closed_port

pytestmark = pytest.mark.anyio

OAUTH1 = {
    "consumer_key": "consumer-key",
    "consumer_secret": "consumer-secret-of-the-app",
    "access_token": "50-access-token-of-the-account",
    "access_token_secret": "token-secret-of-the-account",
}
TEXT = "Your order is on its way to you"
MADE = {"data": {"id": "1445880548472328192", "text": TEXT}}


class X:
    """Answers as it is told, and remembers what it was asked.

    Attributes:
        asked: The requests, but for those for a token.
        next: Answers of the next ones; then it is `usual`.
    """

    def __init__(self, *answers: httpx.Response | Exception, usual: Any = MADE) -> None:
        self.asked: list[httpx.Request] = []
        self.next, self.usual = list(answers), usual
        self.tokens = 0
        self.context = FakeContext(transport=httpx.MockTransport(self.answer))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        if request.url.path == "/2/oauth2/token":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"access-{self.tokens}", "expires_in": 7200})
        self.asked.append(request)
        said = self.next.pop(0) if self.next else httpx.Response(200, json=self.usual)
        if isinstance(said, Exception):
            raise said
        return said

    def client(self, way: str = "oauth1", budgets: Any = None, **more: Any) -> XClient:
        keys = {"oauth1": OAUTH1} if way == "oauth1" else {"oauth2": {"client_id": "app", "refresh_token": "refresh-0"}}
        config = XConfig.model_validate({**keys, **more})
        return make(config, self.context, budgets or Budgets(config, self.context, random=lambda: 0.0))


async def raised(call: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await call
    return caught.value


# tweepy's methods, over our transport


@pytest.mark.parametrize("way", ["oauth1", "oauth2"])
async def test_tweepy_s_methods_name_the_route_and_the_body(way: str) -> None:
    x = X()
    client = x.client(way)
    assert await client.create_tweet(text=TEXT, in_reply_to_tweet_id=7) == MADE
    await client.create_direct_message(participant_id="9", text=TEXT)
    await client.delete_tweet("8")
    await client.get_user(username="ann")
    await client.get_users_mentions("50", since_id="7", max_results=100, tweet_fields=["id", "text"])
    assert [(each.method, each.url.path) for each in x.asked] == [
        ("POST", "/2/tweets"),
        ("POST", "/2/dm_conversations/with/9/messages"),
        ("DELETE", "/2/tweets/8"),
        ("GET", "/2/users/by/username/ann"),
        ("GET", "/2/users/50/mentions"),
    ]
    assert x.asked[0].content == f'{{"reply":{{"in_reply_to_tweet_id":"7"}},"text":"{TEXT}"}}'.encode()
    assert dict(x.asked[4].url.params) == {"since_id": "7", "max_results": "100", "tweet.fields": "id,text"}
    assert {each.url.host for each in x.asked} == {"api.x.com"}, "tweepy's own host is a literal, and another"


def test_what_is_declared_of_tweepy_is_there() -> None:
    declared = re.findall(
        r"^        (\w+): Callable\[\.\.\., Awaitable\[Answer\]\]$", source("client.py"), re.MULTILINE
    )
    assert "create_tweet" in declared
    assert [name for name in declared if not callable(getattr(AsyncClient, name, None))] == []


async def test_the_host_is_a_setting() -> None:
    x = X()
    await x.client(api="http://127.0.0.1:8080").create_tweet(text=TEXT)
    assert str(x.asked[0].url) == "http://127.0.0.1:8080/2/tweets"


async def test_values_of_the_query_are_as_x_wants_them() -> None:
    x = X()
    zone = timezone(timedelta(hours=2))
    params = {
        "expansions": ["author_id", "attachments.media_keys"],
        "start_time": datetime(2026, 11, 12, 22, 10, 39, 5, zone),
        "end_time": datetime(2026, 11, 12, 21, 0, tzinfo=UTC),
        "query": "from:ann & +1",
        "max_results": 5,
        "user.fields": None,
    }
    await x.client().request("GET", "/2/tweets/search/recent", params=params)
    assert dict(x.asked[0].url.params) == {
        "expansions": "author_id,attachments.media_keys",
        "start_time": "2026-11-12T20:10:39Z",
        "end_time": "2026-11-12T21:00:00Z",
        "query": "from:ann & +1",
        "max_results": "5",
    }
    assert b"query=from%3Aann%20%26%20%2B1" in x.asked[0].url.query


async def test_a_path_is_a_path() -> None:
    """A name from outside cannot lead elsewhere."""
    x = X()
    await x.client().request("GET", "/2/users/by/username/a?b#c d")
    assert x.asked[0].url.raw_path == b"/2/users/by/username/a%3Fb%23c%20d"


async def test_the_answer_is_a_dict_with_its_status() -> None:
    x = X(httpx.Response(201, json=MADE), httpx.Response(204))
    client = x.client()
    made, gone = await client.create_tweet(text=TEXT), await client.request("DELETE", "/2/webhooks/1")
    assert isinstance(made, Answer)
    assert (made, made.status, gone, gone.status) == (MADE, 201, {}, 204)


async def test_a_piece_of_a_file_is_a_form_of_several_parts() -> None:
    """Trap 14: tweepy's upload is of an API that has ended, and blocks."""
    x = X()
    content = bytes(range(256)) * 64 + b"\r\n--\r\n"
    await x.client("oauth2").append_media("77", 3, content)
    (request,) = x.asked
    assert (request.method, request.url.path) == ("POST", "/2/media/upload/77/append")
    kind = request.headers["content-type"].encode()
    form = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + request.content)
    index, media = form.get_payload()  # type: ignore[misc]
    assert index.get_param("name", header="content-disposition") == "segment_index"
    assert index.get_payload() == "3"
    assert media.get_param("name", header="content-disposition") == "media"
    assert media.get_filename()
    assert media.get_content_type() == "application/octet-stream"
    assert request.content.count(content) == 1


async def test_what_is_read_in_another_way_is_signed_as_well() -> None:
    x = X()
    client = x.client(bearer_token="token-of-the-app").acting(identity="app")
    assert await client.signed("GET", "/2/activity/stream", {"backfill_minutes": 1}) == (
        "https://api.x.com/2/activity/stream?backfill_minutes=1",
        "Bearer token-of-the-app",
    )


async def test_a_copy_acts_for_itself() -> None:
    x = X()
    client = x.client(bearer_token="token-of-the-app")
    app = client.acting(identity="app")
    await client.request("GET", "/2/webhooks")
    await app.request("GET", "/2/webhooks")
    assert [each.headers["authorization"][:8] for each in x.asked] == ["OAuth oa", "Bearer t"]


def test_tweepy_is_loaded_when_a_channel_opens() -> None:
    """Whoever only configures one, or has no X at all, does not pay for it."""
    code = (
        "import sys, convergekit.adapters.x, convergekit.adapters.x.client, convergekit.adapters.x.session\n"
        "print(*{'tweepy', 'aiohttp', 'async_lru', 'requests', 'oauthlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


# Who asks, for whom, and how urgently


class Ledger:
    """Stands in for the budgets, and writes down what they are told."""

    def __init__(self) -> None:
        self.before_: list[tuple[Any, ...]] = []
        self.after_: list[dict[str, Any]] = []
        self.refuses: Exception | None = None

    async def before(self, method: str, route: str, **more: Any) -> str:
        if self.refuses is not None:
            raise self.refuses
        self.before_.append((method, route, more))
        return "ticket"

    async def after(self, ticket: str, **more: Any) -> float:
        assert ticket == "ticket"
        self.after_.append({**more, "items": list(more.get("items", ()))})
        return 77.0


async def test_each_request_is_announced_and_settled() -> None:
    x, ledger = X(httpx.Response(201, json=MADE, headers={"x-rate-limit-remaining": "9"})), Ledger()
    out, cost = outgoing("x:1", attempt=1), Cost("dm.create")
    client = x.client(budgets=ledger).acting(out=out, priority=Priority.REPLY, cost=cost)
    await client.create_direct_message(participant_id="9", text=TEXT)
    more = {"priority": Priority.REPLY, "cost": cost, "json": {"text": TEXT}, "identity": "user", "first": True}
    assert ledger.before_ == [("POST", "/2/dm_conversations/with/:id/messages", more)]
    (after,) = ledger.after_
    assert (after["status"], after["headers"]["x-rate-limit-remaining"], after["items"]) == (201, "9", [])


async def test_what_was_read_is_counted() -> None:
    page = {
        "data": [{"id": "5", "author_id": "50"}, {"id": "6", "author_id": "1"}],
        "includes": {"users": [{"id": "1"}]},
    }
    x, ledger = X(usual=page), Ledger()
    client = x.client(budgets=ledger)
    client.own = "50"
    await client.get_users_mentions("50")
    assert ledger.after_[0]["items"] == [("own.read", "5"), ("post.read", "6"), ("user.read", "1")]


async def test_who_has_no_turn_is_not_heard_by_x() -> None:
    x, ledger = X(), Ledger()
    ledger.refuses = ThrottledError("not now", retry_after=5)
    assert await raised(x.client(budgets=ledger).create_tweet(text=TEXT)) is ledger.refuses
    assert x.asked == []


async def test_what_ends_without_an_answer_is_settled_too() -> None:
    ledger = Ledger()
    await raised(X(httpx.ReadTimeout("late")).client(budgets=ledger).create_tweet(text=TEXT))
    with closed_port() as port:
        x = X()
        x.context = FakeContext()
        error = await raised(x.client(budgets=ledger, api=f"http://127.0.0.1:{port}").create_tweet(text=TEXT))
        await x.context.aclose()
    assert type(error) is NotSentError
    assert [(each["status"], each["sent"]) for each in ledger.after_] == [(None, True), (None, False)]


async def test_and_so_is_what_never_left() -> None:
    ledger, x = Ledger(), X()
    client = x.client(budgets=ledger).acting(identity="app")  # without a token of the app
    assert type(await raised(client.create_tweet(text=TEXT))) is AuthenticationError
    assert [(each["status"], each["sent"]) for each in ledger.after_] == [(None, False)]


async def test_and_what_was_cancelled() -> None:
    ledger = Ledger()
    x = X()
    client = x.client(budgets=ledger)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.create_tweet(text=TEXT)
    assert len(ledger.after_) == 1


async def test_the_message_is_told_that_it_leaves_once() -> None:
    told = count()
    out = outgoing("x:1", text=TEXT, started=lambda: next(told))
    x = X()
    await x.client().acting(out=out).create_tweet(text=TEXT)
    assert next(told) == 1
    await x.client("oauth2").acting(out=out).request("GET", "/2/users/me")
    assert next(told) == 2, "what is only read tells nobody"


# Tokens that are refused


async def test_a_refused_token_is_changed_once_and_the_same_is_asked_again() -> None:
    x = X()
    client = x.client("oauth2")
    await client.request("GET", "/2/webhooks")
    x.context.clock.advance(60)
    x.asked, x.next = [], [httpx.Response(401), httpx.Response(201, json=MADE)]
    assert await client.create_tweet(text=TEXT) == MADE
    assert [each.content for each in x.asked] == [x.asked[0].content] * 2


async def test_and_then_it_is_the_account_that_is_refused() -> None:
    x = X(usual=MADE)
    client = x.client("oauth2")
    await client.create_tweet(text=TEXT)
    x.context.clock.advance(60)
    x.next = [httpx.Response(401), httpx.Response(401)]
    assert type(await raised(client.create_tweet(text=TEXT))) is AuthenticationError
    assert (x.tokens, len(x.asked)) == (2, 3)
    assert [each.headers["authorization"] for each in x.asked] == ["Bearer access-1"] * 2 + ["Bearer access-2"]


async def test_many_whose_token_is_refused_change_it_once() -> None:
    x = X()
    client = x.client("oauth2")
    await client.request("GET", "/2/webhooks")
    x.context.clock.advance(60)
    x.next = [httpx.Response(401)] * 20

    async def ask() -> None:
        await client.request("GET", "/2/webhooks")

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert x.tokens == 2
    assert len(x.asked) <= 41


async def test_by_oauth_1_there_is_no_other_token() -> None:
    x = X(httpx.Response(401))
    assert type(await raised(x.client().create_tweet(text=TEXT))) is AuthenticationError
    assert len(x.asked) == 1


# The traps


async def test_1_and_2_a_limit_is_an_error_and_no_storm() -> None:
    """With `wait_on_rate_limit` tweepy asks again with another request, or a thousand times in a row."""
    x = X()
    client = x.client()
    x.next = [httpx.Response(429, json={"title": "Too Many Requests"})]
    for _ in range(100):
        assert type(await raised(client.create_tweet(text=TEXT))) is ThrottledError
    assert len(x.asked) == 1, "who was told to wait does not ask X again"


async def test_a_limit_lasts_as_long_as_x_says() -> None:
    x = X()
    reset = int(x.context.clock.now().timestamp()) + 300
    headers = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    x.next = [httpx.Response(429, json={"title": "Too Many Requests"}, headers=headers)]
    client = x.client()
    error = await raised(client.create_tweet(text=TEXT))
    assert isinstance(error, ThrottledError)
    assert 290 <= error.retry_after <= 320
    assert error.scope == "conversation"
    x.context.clock.advance(error.retry_after + 1)
    assert await client.create_tweet(text=TEXT) == MADE


@pytest.mark.parametrize(
    ("answer", "write", "read"),
    [
        (httpx.Response(503, html="<html>Over capacity</html>"), UncertainError, NotSentError),
        (httpx.Response(401), AuthenticationError, AuthenticationError),
        (httpx.Response(200, content=b"<html>"), UncertainError, NotSentError),
        (httpx.Response(200, content=b'{"data":'), UncertainError, NotSentError),
        (httpx.Response(200, content=b'{"data":"' + b"a" * 5_000_000 + b'"}'), UncertainError, NotSentError),
        (httpx.ReadError("gone"), UncertainError, NotSentError),
        (httpx.ReadTimeout("late"), UncertainError, NotSentError),
    ],
)
async def test_3_what_is_no_json_is_an_error_of_ours(
    answer: Any, write: type[DeliveryError], read: type[DeliveryError]
) -> None:
    """Tweepy lets aiohttp's ContentTypeError out."""
    assert type(await raised(X(answer).client().create_tweet(text=TEXT))) is write
    assert type(await raised(X(answer).client().get_users_mentions("50"))) is read


def test_4_5_13_14_what_is_broken_in_tweepy_is_not_used() -> None:
    """Its stream reconnects thousands of times a second and swallows cancellation; its refresh and upload block."""
    broken = r"wait_on_rate_limit|AsyncStreamingClient|media_upload|OAuth2UserHandler|StreamingClient|AsyncPaginator"
    used = {
        path.name
        for path in Path(package.__file__).parent.rglob("*.py")
        if re.search(broken, re.sub(r'"""(?s:.*?)"""', "", path.read_text("utf-8")))
    }
    assert used == set()


@pytest.mark.parametrize("way", ["oauth1", "oauth2"])
async def test_6_no_log_has_a_credential_or_a_message(way: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    x = X()
    client = x.client(way)
    await client.create_tweet(text=TEXT)
    x.next = [httpx.Response(403, json={"title": "Forbidden", "detail": f"no: {TEXT}"})]
    error = await raised(client.create_tweet(text=TEXT))
    shown = f"{caplog.text} {x.context.logged} {error!r} {error} {client!r} {vars(client)!r}"
    for secret in (TEXT, "access-1", "refresh-0", "of-the-account", "of-the-app", "oauth_signature"):
        assert secret not in shown


async def test_7_a_time_without_fractions_is_read() -> None:
    page = {"data": [{"id": "5", "text": "a", "created_at": "2026-11-12T20:10:39Z"}]}
    assert await X(usual=page).client().get_users_mentions("50") == page


async def test_8_ids_stay_as_they_are_on_the_wire() -> None:
    answer = await X().client().create_tweet(text=TEXT)
    assert answer["data"]["id"] == "1445880548472328192"


async def test_9_names_that_tweepy_does_not_know_are_there() -> None:
    page = {"data": [{"id": "5", "referenced_posts": [{"type": "replied_to", "id": "4"}], "note_post": {"text": "a"}}]}
    assert await X(usual=page).client().get_users_mentions("50") == page


async def test_10_a_request_needs_no_parameters() -> None:
    x = X()
    await x.client().request("GET", "/2/users/me", user_auth=True)
    assert x.asked[0].url.query == b""


async def test_11_a_truth_value_is_a_word() -> None:
    x = X()
    await x.client().request("GET", "/2/tweets/search/recent", params={"a": True, "b": False})
    assert x.asked[0].url.query == b"a=true&b=false"


async def test_12_errors_tell_their_code_in_whatever_shape_it_came() -> None:
    credits = {"title": "Payment Required", "type": "https://api.x.com/2/problems/credits-depleted"}
    error = await raised(X(httpx.Response(402, json=credits)).client().create_tweet(text=TEXT))
    assert (type(error), error.code) == (CreditError, "credits-depleted")
    hidden = {"errors": [{"title": "Invalid", "detail": "no", "type": "https://api.x.com/2/problems/invalid-request"}]}
    error = await raised(X(httpx.Response(400, json=hidden)).client().create_tweet(text=TEXT))
    assert (type(error), error.code) == (RejectedError, "invalid-request")


def test_15_one_event_loop_after_another(anyio_backend_name: str) -> None:
    """Tweepy's memory of own ids belongs to the loop that first asked."""
    x = X()
    client = x.client()

    async def ask() -> None:
        await client.create_tweet(text=TEXT)

    for _ in range(2):
        anyio.run(ask, backend=anyio_backend_name)
    assert len(x.asked) == 2


@pytest.mark.parametrize("name", ["like", "retweet", "remove_bookmark"])
async def test_16_nothing_is_asked_behind_one_s_back(name: str) -> None:
    """Whose account it is costs money to ask, and is asked anew for each token."""
    x = X()
    with pytest.raises(TypeError):
        await getattr(x.client("oauth2"), name)("5")
    assert x.asked == []


# Against the server that plays X, over HTTP


@asynccontextmanager
async def playing(way: str) -> AsyncGenerator[tuple[XServer, XClient, FakeContext]]:
    context = FakeContext()
    server = XServer(now=context.clock.now)
    account = server.account("support")
    async with server.serving() as url:
        config = XConfig.model_validate({way: getattr(account, way), "api": url})
        try:
            yield server, make(config, context, Budgets(config, context, random=lambda: 0.0)), context
        finally:
            await context.aclose()


@pytest.mark.parametrize("way", ["oauth1", "oauth2"])
async def test_x_understands_what_we_write_and_sign(way: str) -> None:
    async with playing(way) as (server, client, _):
        made = await client.create_tweet(text=TEXT)
        shown = await client.request("GET", f"/2/tweets/{made['data']['id']}", params={"tweet.fields": ["id", "text"]})
        assert shown["data"]["text"] == TEXT
        assert (made.status, server.count("POST", "/2/tweets")) == (201, 1)


async def test_many_at_once_have_their_token_changed_once_at_x() -> None:
    """A refresh token that is used twice ends all that came of it, and with it the account."""
    async with playing("oauth2") as (server, client, context):
        await client.request("GET", "/2/users/me")
        (account,) = server.people.values()
        server.oauth.expire(account)  # type: ignore[arg-type]
        context.clock.advance(60)

        async def ask() -> None:
            await client.request("GET", "/2/users/me")

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)
        assert (server.oauth.refreshed, server.oauth.reused) == (2, 0)


@pytest.mark.parametrize("step", [LostAnswer(), HtmlError()])
async def test_an_answer_that_is_lost_leaves_it_open(step: Any) -> None:
    async with playing("oauth1") as (server, client, _):
        server.script("POST", "/2/tweets", step)
        assert type(await raised(client.create_tweet(text=TEXT))) is UncertainError
        assert server.count("POST", "/2/tweets") == 1, "nobody has sent it twice"


def source(name: str) -> str:
    return (Path(package.__file__).parent / name).read_text("utf-8")


async def test_keys_that_are_refused_are_named_with_what_to_do() -> None:
    server = XServer()
    keys = {**server.account("shop").oauth1, "access_token": "1001-another"}
    context = FakeContext(transport=server.transport)
    settings = XConfig.model_validate({"oauth1": keys})
    client = make(settings, context, Budgets(settings, context))
    with pytest.raises(AuthenticationError, match="Unauthorized; oauth1 has to have the keys in X' developer"):
        await client.request("GET", "/2/users/me")
