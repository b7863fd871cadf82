"""What happens is told: over webhooks that are challenged and signed for, and over streams."""

import json
from typing import Any

import anyio
import httpx
import pytest

from convergekit.testing import FakeClock
from convergekit.testing.x import Account, ClosesAtOnce, Person, XServer
from tests.testing.x.kit import App, client
from tests.testing.x.openapi import needs_specification, specification

pytestmark = pytest.mark.anyio

URL = "https://hooks.example.org/x"


@pytest.fixture(params=["tweet", "post"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(x: XServer) -> App:
    made = App(x.consumer_secret)
    x.activity.callbacks = httpx.ASGITransport(made)
    return made


async def register(x: XServer, url: str = URL) -> httpx.Response:
    async with client(x, x.bearer_token) as api:
        return await api.post("/2/webhooks", json={"url": url})


async def subscribe(x: XServer, kind: str, user: Person, webhook: str | None = None, **more: Any) -> httpx.Response:
    body = {"event_type": kind, "filter": {"user_id": user.id}, **more}
    if webhook is not None:
        body["webhook_id"] = webhook
    async with client(x, x.only_account.access_token) as api:
        return await api.post("/2/activity/subscriptions", json=body)


async def registered(x: XServer, *kinds: str) -> str:
    body = (await register(x)).json()
    id: str = (body if x.dialect == "tweet" else body["data"])["id"]
    for kind in kinds:
        assert (await subscribe(x, kind, x.only_account, id, tag=f"tag of {kind}")).status_code == 200
    return id


class TestWebhooks:
    async def test_one_is_registered_challenged_listed_and_removed(self, x: XServer, app: App) -> None:
        id = await registered(x)
        async with client(x, x.bearer_token) as api:
            (listed,) = (await api.get("/2/webhooks")).json()["data"]
            assert (listed["id"], listed["url"], listed["valid"]) == (id, URL, True)
            told = {"attempted": True} if x.dialect == "tweet" else {"valid": True}
            assert (await api.put(f"/2/webhooks/{id}")).json() == {"data": told}
            assert (await api.delete(f"/2/webhooks/{id}")).json() == {"data": {"deleted": True}}
            assert (await api.get("/2/webhooks")).json()["meta"] == {"result_count": 0}

    async def test_who_does_not_know_the_secret_gets_none(self, x: XServer, app: App) -> None:
        app.secret = "another"
        assert ((await register(x)).status_code, x.activity.webhooks) == (400, {})

    async def test_one_that_fails_a_later_challenge_gets_nothing_until_it_passes(
        self, x: XServer, app: App, ann: Person
    ) -> None:
        id = await registered(x, "dm.received")
        for secret, valid in (("another", False), (x.consumer_secret, True)):
            app.secret = secret
            async with client(x, x.bearer_token) as api:
                await api.put(f"/2/webhooks/{id}")
            ann.direct("hello")
            assert (x.activity.webhooks[id].is_valid, len(await x.activity.deliver())) == (valid, int(valid))

    @pytest.mark.parametrize(
        "url", ["http://hooks.example.org/x", "https://hooks.example.org:8443/x", "https://h.example/" + "x" * 190]
    )
    async def test_an_address_that_x_would_not_call_is_refused(self, x: XServer, app: App, url: str) -> None:
        assert (await register(x, url)).status_code == 400

    async def test_there_is_one_and_no_second(self, x: XServer, app: App) -> None:
        await registered(x)
        assert (await register(x, "https://hooks.example.org/y")).status_code == 403

    async def test_a_challenge_can_be_hostile(self, x: XServer, app: App) -> None:
        """What an app signs for whoever asks is seen; whether it is valid does not hang on it."""
        webhook = x.activity.webhooks[await registered(x)]
        answer = await x.activity.challenge(webhook, '{"data": {}}')
        assert answer is not None
        assert answer.json()["response_token"] == x.activity.sign(b'{"data": {}}')
        assert webhook.is_valid

    async def test_the_app_is_called_over_http_as_well(self, x: XServer) -> None:
        """An origin on loopback takes the place of the public one."""
        other = XServer()  # any server will do: it knows no such path
        async with other.serving() as url:
            x.activity.callbacks = url
            assert (await register(x)).status_code == 400
        assert [(each.method, each.route) for each in other.requests] == [("GET", "/x")]

    async def test_nobody_is_called_as_long_as_it_is_not_said_who(self, x: XServer) -> None:
        """It is told as X would refuse it: the channel that registers shows X' words, and a bug's it would not."""
        answer = await register(x)
        assert answer.status_code == 400
        assert "server.activity.callbacks has to say what leads to the app under test" in answer.text


class TestSubscriptions:
    async def test_they_are_listed_changed_and_removed(self, x: XServer, app: App, support: Account) -> None:
        await registered(x, "post.mention.create", "post.reply.create", "dm.received")
        async with client(x, x.bearer_token) as api:
            path = "/2/activity/subscriptions"
            listed = (await api.get(path, params={"max_results": 2})).json()
            rest = (await api.get(path, params={"pagination_token": listed["meta"]["next_token"]})).json()
            ids = [each["subscription_id"] for each in listed["data"] + rest["data"]]
            assert len(set(ids)) == 3
            changed = await api.put(f"{path}/{ids[0]}", json={"tag": "other"})
            assert changed.json()["data"]["subscription"]["tag"] == "other"
            assert (await api.delete(f"{path}/{ids[0]}")).json()["meta"]["total_subscriptions"] == 2
            assert (await api.delete(path, params={"ids": ",".join(ids[1:])})).json()["meta"][
                "total_subscriptions"
            ] == 0

    async def test_what_is_private_is_told_only_with_the_persons_own_word(
        self, x: XServer, app: App, support: Account, ann: Person
    ) -> None:
        body = {"event_type": "dm.received", "filter": {"user_id": support.id}}
        async with client(x, x.bearer_token) as api:
            assert (await api.post("/2/activity/subscriptions", json=body)).status_code == 403
        assert (await subscribe(x, "dm.received", ann)).status_code == 403
        x.activity.private_needs_oauth1 = True
        assert (await subscribe(x, "dm.received", support)).status_code == 403
        assert (await subscribe(x, "post.delete", ann)).status_code == 200

    async def test_the_same_one_is_not_made_twice(self, x: XServer, support: Account) -> None:
        assert [(await subscribe(x, "dm.received", support)).status_code for _ in range(2)] == [200, 409]
        assert (await subscribe(x, "no.such", support)).status_code == 400

    async def test_a_new_one_is_answered_in_one_of_two_shapes(self, x: XServer, support: Account) -> None:
        one = (await subscribe(x, "dm.received", support)).json()["data"]["subscription"]
        x.activity.answers_with_list = True
        x.observers.clear()  # the description knows the other one only
        (other,) = (await subscribe(x, "dm.sent", support)).json()["data"]
        assert one.keys() == other.keys()


class TestEvents:
    async def test_each_is_signed_and_told_to_whom_it_concerns(
        self, x: XServer, app: App, support: Account, ann: Person
    ) -> None:
        await registered(x, "post.mention.create", "post.reply.create", "dm.received", "dm.read", "dm.indicate_typing")
        await subscribe(x, "chat.received", support, next(iter(x.activity.webhooks)))
        own = support.post("news")
        ann.mention("help")
        ann.reply(own, "thanks", naming=False)
        ann.direct("one", "two")
        ann.typing()
        ann.read(x.directs[-1])
        ann.encrypted()
        ann.post("nothing to do with it")
        assert await x.activity.deliver() == [200] * 6
        assert all(is_signed for _, is_signed in app.heard)
        assert app.types == [
            "post.mention.create",
            "post.reply.create",
            "dm.received",
            "dm.indicate_typing",
            "dm.read",
            "chat.received",
        ]
        mention, reply, direct, typing, read, chat = (each for each, _ in app.heard)
        assert (mention["tag"], mention["filter"]) == ("tag of post.mention.create", {"user_id": support.id})
        assert (mention["payload"]["text"], mention["includes"]["users"][0]["id"]) == ("@support help", ann.id)
        assert ("edit_history_tweet_ids" in mention["payload"]) == (x.dialect == "tweet")
        assert reply["payload"]["conversation_id"] == own.id
        texts = [each["message_create"]["message_data"]["text"] for each in direct["payload"]["direct_message_events"]]
        assert texts == ["one", "two"]
        assert direct["payload"]["users"][ann.id]["data"]["username"] == "ann"
        assert typing["payload"]["direct_message_indicate_typing_events"][0]["sender_id"] == ann.id
        assert read["payload"]["direct_message_mark_read_events"][0]["last_read_event_id"] == x.directs[-1].id
        assert "encoded_event" in chat["payload"]

    @needs_specification
    async def test_what_is_told_is_as_x_describes_it(self, x: XServer, app: App, support: Account, ann: Person) -> None:
        await registered(x, "post.mention.create", "dm.received", "oauth.revoke")
        await subscribe(x, "post.delete", ann)
        ann.delete(ann.mention("help"))
        ann.direct("see https://example.org/a and #tag $CASH @support", media=[ann.upload(b"a")])
        support.revoke()
        assert len(x.activity.told) == 4
        for _, _, body in x.activity.told:
            assert specification().violations_of("ActivityStreamingResponse", json.loads(body)) == []
        for _, to, body in x.activity.told:
            if to.event_type == "post.mention.create":
                assert specification().violations_of("Tweet", json.loads(body)["data"]["payload"]) == []

    async def test_what_is_posted_by_a_request_is_told_too(self, x: XServer, app: App, support: Account) -> None:
        await registered(x, "post.create", "post.delete")
        async with client(x, support.access_token) as api:
            id = (await api.post("/2/tweets", json={"text": "hello"})).json()["data"]["id"]
            await api.delete(f"/2/tweets/{id}")
        await x.activity.deliver()
        assert [(each["event_type"], each["payload"]["id"]) for each, _ in app.heard] == [
            ("post.create", id),
            ("post.delete", id),
        ]

    async def test_protected_posts_and_groups_are_told_to_nobody(
        self, x: XServer, app: App, support: Account, ann: Person
    ) -> None:
        await registered(x, "post.mention.create", "dm.received")
        ann.group(x.user("bob"))
        ann.is_protected = True
        ann.mention("help")
        assert x.activity.pending == []

    async def test_a_revoked_account_has_no_tokens_and_the_app_is_told(
        self, x: XServer, app: App, support: Account
    ) -> None:
        await registered(x, "oauth.revoke")
        async with client(x, support.access_token) as api:
            support.revoke()
            assert (await api.get("/2/users/me")).status_code == 401
        await x.activity.deliver()
        assert app.heard[0][0]["payload"]["user_id"] == support.id

    async def test_they_come_twice_and_in_any_order_if_the_test_says_so(
        self, x: XServer, app: App, ann: Person
    ) -> None:
        await registered(x, "dm.received")
        said = [ann.direct(str(number)).text for number in range(20)]
        await x.activity.deliver(times=2, shuffled=True, together=4)
        heard = [
            each["payload"]["direct_message_events"][0]["message_create"]["message_data"]["text"]
            for each, _ in app.heard
        ]
        assert sorted(heard) == sorted(said * 2)
        assert heard[:20] != said

    async def test_what_was_not_taken_comes_again_by_a_replay(
        self, x: XServer, app: App, ann: Person, clock: FakeClock
    ) -> None:
        id = await registered(x, "dm.received")
        ann.direct("hello")
        app.status = 503
        assert (await x.activity.deliver(), x.activity.pending) == ([503], [])
        app.status = 200
        clock.advance(120)
        async with client(x, x.bearer_token) as api:
            said = {"webhook_id": id, "from_date": "202601010000", "to_date": "202601010001"}
            assert (await api.post("/2/webhooks/replay", json=said)).status_code == 200
        assert await x.activity.deliver() == [200]

    async def test_they_go_out_by_themselves_inside_delivering(self, x: XServer, app: App, ann: Person) -> None:
        await registered(x, "dm.received")
        async with x.activity.delivering():
            ann.direct("hello")
            with anyio.fail_after(5):
                while not app.heard:
                    await anyio.lowlevel.checkpoint()
        assert app.types == ["dm.received"]


class TestStreams:
    async def test_events_come_line_by_line_and_empty_lines_between(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        await subscribe(x, "dm.received", support)
        x.activity.heartbeat = 0.01
        heard: list[str] = []
        async with x.serving() as url, httpx.AsyncClient() as api:
            headers = {"authorization": f"Bearer {x.bearer_token}"}
            async with api.stream("GET", f"{url}/2/activity/stream", headers=headers) as answer:
                async for line in answer.aiter_lines():
                    heard.append(line)
                    if len(heard) == 2:
                        ann.direct("hello")
                    elif line:
                        x.activity.close_streams()
        assert heard[:2] == ["", ""]
        assert json.loads(next(filter(None, heard)))["data"]["event_type"] == "dm.received"

    async def test_that_nobody_reads_any_more_is_noticed(self, x: XServer) -> None:
        async with x.serving() as url:
            host, port = url.removeprefix("http://").split(":")
            async with await anyio.connect_tcp(host, int(port)) as stream:
                head = f"GET /2/activity/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {x.bearer_token}\r\n\r\n"
                await stream.send(head.encode())
                assert (await stream.receive()).startswith(b"HTTP/1.1 200")
                assert x.activity.streams == 1
            with anyio.fail_after(5):
                while x.activity.streams:
                    await anyio.lowlevel.checkpoint()

    async def test_what_came_before_is_told_once_more(
        self, x: XServer, support: Account, ann: Person, clock: FakeClock
    ) -> None:
        await subscribe(x, "dm.received", support)
        ann.direct("hello")
        clock.advance(60)
        async with client(x, x.bearer_token) as api:
            backfill = {"backfill_minutes": "5"}
            async with api.stream("GET", "/2/activity/stream", params=backfill) as answer:
                x.activity.close_streams()
                assert [json.loads(line)["data"]["event_type"] async for line in answer.aiter_lines() if line] == [
                    "dm.received"
                ]

    async def test_no_third_one_is_opened(self, x: XServer) -> None:
        async with client(x, x.bearer_token) as api:
            async with api.stream("GET", "/2/activity/stream"), api.stream("GET", "/2/activity/stream"):
                refused = await api.get("/2/activity/stream")
            assert (refused.status_code, refused.json()["connection_issue"]) == (429, "TooManyConnections")
            assert x.activity.streams == 0

    async def test_one_can_close_at_once_again_and_again(self, x: XServer) -> None:
        x.script("GET", "/2/activity/stream", then=ClosesAtOnce())
        async with x.serving() as url, httpx.AsyncClient() as api:
            headers = {"authorization": f"Bearer {x.bearer_token}"}
            for _ in range(3):
                answer = await api.get(f"{url}/2/activity/stream", headers=headers)
                assert (answer.status_code, answer.content) == (200, b"")
