"""Clients of others, as they are, find in the server what they expect of X: tweepy in the names before 2.167, X' own
library in those since.
"""

import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio.to_thread
import httpx
import pytest
import requests
import tweepy
import tweepy.asynchronous
from requests.adapters import HTTPAdapter
from yarl import URL

from convergekit.testing.x import Account, Limit, Person, XServer
from tests.oracles import oracle
from tests.testing.x.kit import App
from tests.testing.x.openapi import validated

pytestmark = pytest.mark.anyio

API = "https://api.twitter.com"


@pytest.fixture
def x() -> XServer:
    return XServer()


@pytest.fixture
def support(x: XServer) -> Account:
    return x.account("support")


@pytest.fixture
def ann(x: XServer, support: Account) -> Person:
    return x.user("ann")


class Elsewhere:
    """Leads a client whose host is fixed to our server, and changes nothing else."""

    closed = False

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session, self._origin = session, origin

    def request(self, method: str, url: str | URL, **more: Any) -> Any:
        return self._session.request(method, URL(str(url).replace(API, self._origin), encoded=True), **more)


class ElsewhereToo(HTTPAdapter):
    """The same for a client that blocks."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        request.url = str(request.url).replace(API, self._origin)
        return super().send(request, *args, **more)


@pytest.fixture(params=["oauth1", "oauth2"])
def keys(request: pytest.FixtureRequest, support: Account) -> dict[str, Any]:
    if request.param == "oauth1":
        return {**support.oauth1, "user_auth": True}
    return {"bearer_token": support.access_token, "user_auth": False}


class TestTweepy:
    """Unmodified, over HTTP, with both ways to say who one is."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"  # it knows no other

    @asynccontextmanager
    async def client(self, x: XServer, **keys: Any) -> AsyncGenerator[tweepy.asynchronous.AsyncClient]:
        async with x.serving() as url, aiohttp.ClientSession() as session:
            api = tweepy.asynchronous.AsyncClient(**keys)
            api.session = Elsewhere(session, url)
            with validated(x):
                yield api

    async def test_it_posts_answers_and_deletes(self, x: XServer, ann: Person, keys: dict[str, Any]) -> None:
        asked, user_auth = ann.mention("help"), keys.pop("user_auth")
        async with self.client(x, **keys) as api:
            assert (await api.get_me(user_auth=user_auth)).data.username == "support"
            made = await api.create_tweet(text="Héllo & welcome", in_reply_to_tweet_id=asked.id, user_auth=user_auth)
            found = await api.get_tweet(made.data["id"], expansions=["author_id"], user_auth=user_auth)
            assert found.includes["users"][0].username == "support"
            assert (x.posts[-1].text, x.posts[-1].reply_to) == ("Héllo & welcome", asked)
            await api.delete_tweet(made.data["id"], user_auth=user_auth)
            assert x.posts == [asked]
            await api.create_tweet(text="again", user_auth=user_auth)
            with pytest.raises(tweepy.Forbidden, match="duplicate"):
                await api.create_tweet(text="again", user_auth=user_auth)

    async def test_it_walks_through_mentions(self, x: XServer, ann: Person, keys: dict[str, Any]) -> None:
        made = [ann.mention(f"number {number}") for number in range(23)]
        user_auth = keys.pop("user_auth")
        async with self.client(x, **keys) as api:
            pages = tweepy.asynchronous.AsyncPaginator(
                api.get_users_mentions,
                x.only_account.id,
                since_id=made[2].id,
                max_results=5,
                tweet_fields=["created_at", "conversation_id", "entities", "referenced_tweets"],
                expansions=["author_id"],
                user_auth=user_auth,
            )
            found = [each async for each in pages.flatten()]
        assert [str(each.id) for each in found] == [each.id for each in made[:2:-1]]
        assert found[-1].created_at.replace(microsecond=0) == made[3].at.replace(microsecond=0)

    async def test_it_writes_and_reads_messages(self, x: XServer, ann: Person, keys: dict[str, Any]) -> None:
        bob, user_auth = x.user("bob"), keys.pop("user_auth")
        ann.direct("hello")
        async with self.client(x, **keys) as api:
            await api.create_direct_message(participant_id=ann.id, text="one", user_auth=user_auth)
            group = await api.create_direct_message_conversation(
                participant_ids=[ann.id, bob.id], text="all", user_auth=user_auth
            )
            where = group.data["dm_conversation_id"]
            await api.create_direct_message(dm_conversation_id=where, text="two", user_auth=user_auth)
            found = await api.get_direct_message_events(
                dm_event_fields=["sender_id", "dm_conversation_id", "created_at"],
                expansions=["sender_id"],
                user_auth=user_auth,
            )
            assert [each.text for each in found.data] == ["two", "all", "one", "hello"]
            assert {each.username for each in found.includes["users"]} == {"support", "ann"}
            found = await api.get_direct_message_events(participant_id=ann.id, user_auth=user_auth)
            assert [each.text for each in found.data] == ["one", "hello"]

    async def test_its_errors_are_those_of_x(self, x: XServer, support: Account) -> None:
        async with self.client(x, bearer_token="wrong") as api:
            with pytest.raises(tweepy.Unauthorized):
                await api.get_me(user_auth=False)
        async with self.client(x, bearer_token=support.access_token) as api:
            with pytest.raises(tweepy.BadRequest):
                await api.get_users_mentions(support.id, max_results=4)
            x.limits.table["GET", "/2/dm_events"] = Limit(user=0)
            with pytest.raises(tweepy.TooManyRequests) as caught:
                await api.get_direct_message_events(user_auth=False)
            assert caught.value.reset_time is not None

    async def test_it_blocks_as_well(self, x: XServer, ann: Person, keys: dict[str, Any]) -> None:
        user_auth = keys.pop("user_auth")
        ann.mention("help")

        def talk(url: str) -> None:
            api = tweepy.Client(**keys)
            with api.session as session:
                session.mount(API, ElsewhereToo(url))
                api.create_tweet(text="hello", user_auth=user_auth)
                (found,) = api.get_users_mentions(x.only_account.id, user_auth=user_auth).data
                assert found.text == "@support help"

        async with x.serving() as url:
            with validated(x):
                await anyio.to_thread.run_sync(talk, url)
        assert x.posts[-1].text == "hello"


class TestXdk:
    """X' own library, over HTTP, in the names since 2.167."""

    @pytest.fixture
    def x(self) -> XServer:
        return XServer(dialect="post")

    async def talk(self, x: XServer, talk: Callable[[Any, Any], None]) -> None:
        """Have *talk* speak as the account, and as the app."""
        xdk = oracle("xdk")
        async with x.serving() as url:
            user = xdk.Client(base_url=url, access_token=x.only_account.access_token)
            app = xdk.Client(base_url=url, bearer_token=x.bearer_token)
            with validated(x), user.session, app.session:
                await anyio.to_thread.run_sync(talk, user, app)

    async def test_it_posts_answers_and_deletes(self, x: XServer, ann: Person) -> None:
        asked = ann.mention("help")

        def talk(user: Any, app: Any) -> None:
            assert user.users.get_me(user_fields=["created_at", "public_metrics"]).data.username == "support"
            made = user.posts.create({"text": "here", "reply": {"in_reply_to_tweet_id": asked.id}})
            found = user.posts.get_by_id(
                made.data.id,
                post_fields=["conversation_id", "created_at", "entities"],
                expansions=["author_id", "referenced_posts", "referenced_posts.author_id"],
            )
            assert found.data.conversation_id == asked.id
            assert found.data.referenced_posts[0].id == asked.id
            assert [each.id for each in found.includes.posts] == [asked.id]
            assert app.users.get_by_username("ann").data.id == ann.id
            assert user.posts.delete(made.data.id).data.deleted

        await self.talk(x, talk)
        assert x.posts == [asked]

    async def test_it_walks_through_mentions_and_searches(self, x: XServer, support: Account, ann: Person) -> None:
        made = [ann.mention(f"number {number}") for number in range(12)]

        def talk(user: Any, app: Any) -> None:
            pages = list(user.users.get_mentions(support.id, max_results=5, since_id=made[0].id))
            assert [each.id for page in pages for each in page.data or ()] == [each.id for each in made[:0:-1]]
            (page,) = app.posts.search_recent(f"conversation_id:{made[3].id}", max_results=10)
            assert [each.id for each in page.data] == [made[3].id]

        await self.talk(x, talk)

    async def test_it_writes_and_reads_messages(self, x: XServer, ann: Person) -> None:
        said = ann.direct("hello")

        def talk(user: Any, app: Any) -> None:
            made = user.direct_messages.create_by_participant_id(ann.id, {"text": "one"})
            (page,) = user.direct_messages.get_events(dm_event_fields=["sender_id", "dm_conversation_id"])
            assert [each.id for each in page.data] == [made.data.dm_event_id, said.id]
            assert user.direct_messages.delete_events(said.id).data.deleted

        await self.talk(x, talk)
        assert [each.text for each in x.directs] == ["hello", "one"]

    async def test_it_uploads_a_file_and_describes_it(self, x: XServer, support: Account) -> None:
        def talk(user: Any, app: Any) -> None:
            content = base64.b64encode(b"\x00\x01\x02").decode()
            said = {"media_category": "tweet_video", "media_type": "video/mp4", "total_bytes": 3}
            id = user.media.initialize_upload(said).data.id
            user.media.append_upload(id, {"media": content, "segment_index": 0})
            assert user.media.finalize_upload(id).data.processing_info.state == "pending"
            states = [user.media.get_upload_status(id).data.processing_info.state for _ in range(2)]
            assert states == ["in_progress", "succeeded"]
            user.media.create_metadata({"id": id, "metadata": {"alt_text": {"text": "A film"}}})
            user.posts.create({"text": "look", "media": {"media_ids": [id]}})

        await self.talk(x, talk)
        assert [(each.content, each.alt_text) for each in x.posts[0].media] == [(b"\x00\x01\x02", "A film")]

    async def test_it_registers_a_webhook_and_subscribes(self, x: XServer, support: Account, ann: Person) -> None:
        app_under_test = App(x.consumer_secret)
        x.activity.callbacks = httpx.ASGITransport(app_under_test)

        def talk(user: Any, app: Any) -> None:
            webhook = app.webhooks.create({"url": "https://hooks.example.org/x"}).data
            assert [each.valid for each in app.webhooks.get().data] == [True]
            assert app.webhooks.validate(webhook.id).data.valid
            wanted = {"event_type": "chat.received", "filter": {"user_id": support.id}, "webhook_id": webhook.id}
            made = user.activity.create_subscription(wanted).data.subscription
            (page,) = app.activity.get_subscriptions()
            assert [each.subscription_id for each in page.data] == [made.subscription_id]
            app.activity.update_subscription(made.subscription_id, {"tag": "private"})

        await self.talk(x, talk)
        ann.encrypted()
        assert await x.activity.deliver() == [200]
        assert app_under_test.heard[0][0]["tag"] == "private"

    async def test_it_reads_the_stream(self, x: XServer, support: Account, ann: Person) -> None:
        x.activity.heartbeat = 0.01
        heard: list[str] = []

        def talk(user: Any, app: Any) -> None:
            user.activity.create_subscription({"event_type": "chat.received", "filter": {"user_id": support.id}})
            ann.encrypted()
            for each in app.stream.activity(backfill_minutes=5):
                heard.append(each.data.event_type)
                break

        await self.talk(x, talk)
        assert heard == ["chat.received"]
