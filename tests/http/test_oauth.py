"""Access tokens: one refresh for all, and none lost."""

import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import anyio
import httpx
import pytest

from convergekit.errors import AuthenticationError, NotSentError, StoreError, ThrottledError
from convergekit.http import OAuthClient, RefreshingTokens
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

BY_REFRESH = OAuthClient(
    token_url="https://id.example.org/token",
    client_id="client",
    client_secret="client-secret",
    refresh_token="first-refresh",
    scope="mail offline",
)
BY_CLIENT = OAuthClient(token_url="https://id.example.org/token", client_id="client", client_secret="client-secret")


class Provider:
    """Gives access-1, access-2 ... for an hour each.

    Attributes:
        asked: The forms that it was sent.
        authorizations: The `Authorization` that came with each.
        rotates: Whether it gives a new refresh token each time, and takes the old one back.
        loses_answers: Whether its answers do not arrive, though it has done what was asked.
        answer: What it says in place of a token.
    """

    def __init__(self, *, rotates: bool = False, **more: Any) -> None:
        self.asked: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.rotates, self.more = rotates, more
        self.loses_answers = False
        self.answer: httpx.Response | Exception | None = None
        self.good = "first-refresh"

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        form = {name: values[0] for name, values in parse_qs((await request.aread()).decode()).items()}
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        self.asked.append(form)
        self.authorizations.append(request.headers.get("authorization"))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.good:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": form["refresh_token"]})
        said = {"access_token": f"access-{len(self.asked)}", "token_type": "Bearer", "expires_in": 3600, **self.more}
        if self.rotates:
            said["refresh_token"] = self.good = f"refresh-{len(self.asked)}"
        if self.loses_answers:
            raise httpx.ReadError("gone")
        return httpx.Response(200, json=said)

    def context(self) -> FakeContext:
        return FakeContext(transport=httpx.MockTransport(self))


async def test_a_refresh_token_is_changed_into_an_access_token() -> None:
    provider = Provider()
    assert await RefreshingTokens(BY_REFRESH, provider.context())() == "access-1"
    assert provider.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "first-refresh",
            "client_id": "client",
            "client_secret": "client-secret",
            "scope": "mail offline",
        }
    ]


async def test_without_one_the_client_asks_for_itself() -> None:
    provider = Provider()
    assert await RefreshingTokens(BY_CLIENT, provider.context())() == "access-1"
    assert provider.asked == [
        {"grant_type": "client_credentials", "client_id": "client", "client_secret": "client-secret"}
    ]


async def test_a_token_is_used_until_shortly_before_its_end() -> None:
    provider = Provider()
    context = provider.context()
    tokens = RefreshingTokens(BY_REFRESH, context)
    assert await tokens() == "access-1"
    context.clock.advance(3600 - 121)
    assert await tokens() == "access-1"
    context.clock.advance(2)
    assert await tokens() == "access-2"


@pytest.mark.parametrize("life", [None, "soon", -1, 0, True, [], 1e300])
async def test_a_token_of_unknown_life_is_used_until_it_is_refused(life: Any) -> None:
    provider = Provider(expires_in=life)
    context = provider.context()
    tokens = RefreshingTokens(BY_REFRESH, context)
    await tokens()
    if life is not True:
        context.clock.advance(1e6)
        assert await tokens() == "access-1"
    context.clock.advance(11)
    assert await tokens(fresh=True) == "access-2"


async def test_many_who_ask_at_once_have_it_refreshed_once() -> None:
    provider = Provider()
    tokens = RefreshingTokens(BY_REFRESH, provider.context())
    found: list[str] = []

    async def ask(fresh: bool) -> None:
        found.append(await tokens(fresh=fresh))

    for fresh in (False, True):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask, fresh)
    assert found == ["access-1"] * 10, "a token that was given just now is not what the refusal was about"


async def test_many_whose_token_was_refused_have_it_refreshed_once() -> None:
    provider = Provider()
    context = provider.context()
    tokens = RefreshingTokens(BY_REFRESH, context)
    await tokens()
    context.clock.advance(60)
    found: list[str] = []

    async def ask() -> None:
        found.append(await tokens(fresh=True))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert found == ["access-2"] * 5
    assert await tokens(fresh=True) == "access-2", "one who comes late had the old one in hand"


async def test_one_who_shares_the_ledger_shares_the_token() -> None:
    provider = Provider()
    context = provider.context()
    first, second = RefreshingTokens(BY_REFRESH, context), RefreshingTokens(BY_REFRESH, context)
    assert await first() == await second() == "access-1"
    context.clock.advance(60)
    assert await first(fresh=True) == "access-2"
    assert await second(fresh=True) == "access-2"
    assert len(provider.asked) == 2


async def test_a_new_refresh_token_takes_the_place_of_the_old_one() -> None:
    provider = Provider(rotates=True)
    context = provider.context()
    for number in range(1, 4):
        assert await RefreshingTokens(BY_REFRESH, context)() == f"access-{number}"
        context.clock.advance(4000)


async def test_it_is_in_the_ledger_before_the_access_token_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider has taken the old one back; a crash now must not lose the only one that works."""
    provider = Provider(rotates=True)
    context = provider.context()

    async def full(*args: Any, **more: Any) -> bool:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(context.state, "put", full)
        with pytest.raises(StoreError):
            await RefreshingTokens(BY_REFRESH, context)()


async def test_what_could_not_be_stored_is_stored_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full for a moment; the old refresh token is worth nothing, and the new one is in memory only."""
    provider = Provider(rotates=True)
    context = provider.context()
    tokens = RefreshingTokens(BY_REFRESH, context)

    async def full(*args: Any, **more: Any) -> bool:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(context.state, "put", full)
        for _ in range(2):
            with pytest.raises(StoreError):
                await tokens()
    assert len(provider.asked) == 1, "nothing is asked while what came is not safe"
    assert await tokens() == await RefreshingTokens(BY_REFRESH, context)() == "access-1"


async def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    """It may not have got as far as that."""
    provider = Provider()
    tokens = RefreshingTokens(BY_REFRESH, provider.context())
    provider.answer = httpx.ReadError("gone")
    with pytest.raises(NotSentError):
        await tokens()
    provider.answer = None
    assert await tokens() == "access-2"
    assert [form["refresh_token"] for form in provider.asked] == ["first-refresh"] * 2


async def test_where_the_next_refresh_token_was_in_it_a_person_is_told() -> None:
    provider = Provider(rotates=True)
    context = provider.context()
    provider.loses_answers = True
    with pytest.raises(NotSentError):
        await RefreshingTokens(BY_REFRESH, context)()
    provider.loses_answers = False
    with pytest.raises(AuthenticationError, match=r"answer to an earlier request was lost.*has to authorise again"):
        await RefreshingTokens(BY_REFRESH, context)()  # after a restart, too
    again = replace(BY_REFRESH, refresh_token=provider.good)
    assert await RefreshingTokens(again, context)() == "access-3"


async def test_a_refresh_token_that_was_taken_back_says_who_has_to_act() -> None:
    provider = Provider()
    provider.good = "another"
    with pytest.raises(AuthenticationError, match="a person has to authorise again") as caught:
        await RefreshingTokens(BY_REFRESH, provider.context())()
    assert "lost" not in str(caught.value)


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
async def test_where_the_client_is_another_nobody_is_sent_to_authorise_again(code: str) -> None:
    """It would be in vain."""
    provider = Provider()
    provider.answer = httpx.Response(401, json={"error": code})
    with pytest.raises(AuthenticationError, match="client_id and client_secret have to be those") as caught:
        await RefreshingTokens(BY_REFRESH, provider.context())()
    assert "authorise" not in str(caught.value)


async def test_a_confidential_client_may_say_who_it_is_by_http_basic() -> None:
    """RFC 6749 §2.3.1: both are form-encoded first."""
    provider = Provider()
    client = replace(BY_REFRESH, client_id="the client", client_secret="a:b%c", basic=True)
    await RefreshingTokens(client, provider.context())()
    assert provider.asked == [
        {"grant_type": "refresh_token", "refresh_token": "first-refresh", "scope": "mail offline"}
    ]
    assert provider.authorizations == [f"Basic {base64.b64encode(b'the+client:a%3Ab%25c').decode()}"]


async def test_a_public_client_says_who_it_is_in_the_body() -> None:
    provider = Provider()
    await RefreshingTokens(replace(BY_REFRESH, client_secret="", basic=True), provider.context())()
    assert provider.asked[0]["client_id"] == "client"
    assert provider.authorizations == [None]


class Vault:
    """A host's own store of tokens."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.locked: list[str] = []

    async def load(self, key: str) -> Any:
        assert self.locked[-1:] == [key], "it is looked at by one at a time"
        return self.kept.get(key)

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        self.kept[key] = json.loads(json.dumps(tokens))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None]:
        self.locked.append(key)
        yield


async def test_a_host_may_keep_the_tokens_elsewhere() -> None:
    provider, vault = Provider(rotates=True), Vault()
    assert await RefreshingTokens(BY_REFRESH, provider.context(), vault)() == "access-1"
    context = provider.context()
    assert await RefreshingTokens(BY_REFRESH, context, vault)() == "access-1"
    assert [each["refresh_token"] for each in vault.kept.values()] == ["refresh-1"]
    assert (await context.state.get(BY_REFRESH.key))[0] is None, "and nowhere else"


async def test_whoever_is_cancelled_does_not_lose_it() -> None:
    provider = Provider(rotates=True)
    context = provider.context()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(RefreshingTokens(BY_REFRESH, context))
        while not provider.asked:  # it is under way then
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert await RefreshingTokens(BY_REFRESH, context)() == "access-1"


async def test_another_refresh_token_in_the_settings_counts_at_once() -> None:
    """A person has logged in anew, since the old ones were taken back."""
    provider = Provider()
    context = provider.context()
    await RefreshingTokens(BY_REFRESH, context)()
    provider.good = "second-refresh"
    again = replace(BY_REFRESH, refresh_token="second-refresh")
    assert await RefreshingTokens(again, context)() == "access-2"


def says(status: int, body: Any, **headers: str) -> Callable[[], httpx.Response]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda: httpx.Response(status, content=content, headers=headers)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (says(400, {"error": "invalid_grant"}), AuthenticationError, "invalid_grant"),
        (says(401, {"error": "invalid_client"}), AuthenticationError, "invalid_client"),
        (says(400, {"error": "first-refresh client-secret"}), AuthenticationError, "400"),
        (says(400, b"<html>first-refresh</html>"), AuthenticationError, "400"),
        (says(404, b""), AuthenticationError, "404"),
        (says(302, b"", location="https://elsewhere.example"), NotSentError, "302"),
        (says(408, b""), NotSentError, "408"),
        (says(409, b""), NotSentError, "409"),
        (says(429, b"", **{"retry-after": "7"}), ThrottledError, "429"),
        (says(500, b"first-refresh"), NotSentError, "500"),
        (says(503, b""), NotSentError, "503"),
        (says(200, b"first-refresh"), NotSentError, None),
        (says(200, []), NotSentError, None),
        (says(200, {"access_token": 5}), NotSentError, None),
        (says(200, {"access_token": "two words\r\nA1 LOGOUT"}), NotSentError, None),
        (says(200, {"access_token": ""}), NotSentError, None),
        (lambda: httpx.ConnectError("no first-refresh"), NotSentError, None),
        (lambda: httpx.ReadError("no first-refresh"), NotSentError, None),
    ],
)
async def test_what_goes_wrong_says_who_has_to_act(
    answer: Callable[[], Any], error: type[Exception], code: Any
) -> None:
    """A message is neither refused nor uncertain because a token could not be had; and nobody reads a secret."""
    provider = Provider()
    provider.answer = answer()
    with pytest.raises(error, match=r"id\.example\.org") as caught:
        await RefreshingTokens(BY_REFRESH, provider.context())()
    assert type(caught.value) is error
    assert code is None or caught.value.code == code  # type: ignore[attr-defined]
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "first-refresh" not in repr(chain)
        assert "client-secret" not in repr(chain)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


async def test_after_trouble_it_is_asked_again() -> None:
    provider = Provider()
    tokens = RefreshingTokens(BY_REFRESH, provider.context())
    provider.answer = httpx.Response(500)
    with pytest.raises(NotSentError):
        await tokens()
    provider.answer = None
    assert await tokens() == "access-2"


def test_no_secret_is_shown() -> None:
    assert "first-refresh" not in repr(BY_REFRESH)
    assert "client-secret" not in repr(BY_REFRESH)
