"""The server that plays X answers as X' own description says."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from convergekit.testing import FakeClock
from convergekit.testing.x import Account, Person, Proceed, Step, XServer
from tests.testing.x.kit import client
from tests.testing.x.openapi import needs_specification, specification, validated

pytestmark = pytest.mark.anyio

POST_FIELDS = (
    "author_id,conversation_id,created_at,entities,referenced_tweets,in_reply_to_user_id,"
    "note_tweet,attachments,edit_controls,edit_history_tweet_ids,public_metrics,lang"
)
EXPANSIONS = (
    "author_id,referenced_tweets.id,referenced_tweets.id.author_id,"
    "in_reply_to_user_id,attachments.media_keys,attachments.poll_ids,entities.mentions.username"
)
DM_FIELDS = "id,text,event_type,created_at,dm_conversation_id,sender_id,attachments,participant_ids,referenced_tweets"


@pytest.fixture(params=["tweet", "post"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def get(x: XServer, path: str, **params: Any) -> dict[str, Any]:
    async with client(x) as api:
        answer = await api.get(path, params={name.replace("__", "."): value for name, value in params.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def post(x: XServer, path: str, **body: Any) -> httpx.Response:
    async with client(x) as api:
        return await api.post(path, json=body)


class TestUsers:
    async def test_they_are_found_by_id_and_by_name_in_any_case(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        ann.is_automated = True
        assert (await get(x, "/2/users/me"))["data"]["id"] == support.id
        assert (await get(x, f"/2/users/{ann.id}"))["data"]["username"] == "ann"
        found = await get(x, "/2/users/by/username/ANN", user__fields="affiliation,created_at,public_metrics")
        assert found["data"]["affiliation"]["description"] == "Automated"
        assert [each["id"] for each in (await get(x, "/2/users", ids=f"{ann.id},{support.id}"))["data"]] == [
            ann.id,
            support.id,
        ]

    async def test_a_handle_can_change_hands(self, x: XServer, ann: Person) -> None:
        ann.rename("anne")
        other = x.user("ann")
        found = await get(x, "/2/users/by", usernames="ann,anne")
        assert [each["id"] for each in found["data"]] == [other.id, ann.id]

    async def test_who_does_not_exist_is_an_error_beside_the_others_with_200(self, x: XServer, ann: Person) -> None:
        assert "data" not in await get(x, "/2/users/by/username/nobody")
        found = await get(x, "/2/users/by", usernames="ann,nobody")
        assert ([each["id"] for each in found["data"]], found["errors"][0]["value"]) == ([ann.id], "nobody")


class TestPosts:
    async def test_a_post_is_made_seen_and_deleted(self, x: XServer, support: Account) -> None:
        made = await post(x, "/2/tweets", text="Hello & welcome")
        id = made.json()["data"]["id"]
        assert made.status_code == 201
        assert (await get(x, f"/2/tweets/{id}", tweet__fields=POST_FIELDS))["data"]["text"] == "Hello &amp; welcome"
        async with client(x) as api:
            assert (await api.delete(f"/2/tweets/{id}")).json() == {"data": {"deleted": True}}
        assert "data" not in await get(x, f"/2/tweets/{id}")
        assert x.posts == []

    async def test_an_answer_is_in_the_thread_and_names_its_parent(self, x: XServer, ann: Person) -> None:
        asked = ann.mention("help")
        id = (await post(x, "/2/tweets", text="Here", reply={"in_reply_to_tweet_id": asked.id})).json()["data"]["id"]
        found = await get(x, f"/2/tweets/{id}", tweet__fields=POST_FIELDS, expansions=EXPANSIONS)
        referenced = "referenced_tweets" if x.dialect == "tweet" else "referenced_posts"
        beside = "tweets" if x.dialect == "tweet" else "posts"
        assert found["data"][referenced] == [{"type": "replied_to", "id": asked.id}]
        assert found["data"]["conversation_id"] == asked.id
        assert found["includes"][beside][0]["author_id"] == ann.id

    async def test_links_are_shown_short_and_told_in_entities(self, x: XServer, ann: Person) -> None:
        url = "https://example.org/a/long/path?with=query"
        ann.mention(f"see {url} & @support")
        (found,) = (await get(x, f"/2/users/{x.only_account.id}/mentions", tweet__fields="entities"))["data"]
        (link,) = found["entities"]["urls"]
        assert (link["expanded_url"], found["text"][link["start"] : link["end"]]) == (url, link["url"])
        assert [found["text"][each["start"] : each["end"]] for each in found["entities"]["mentions"]] == [
            "@support"
        ] * 2

    async def test_a_long_text_stands_in_a_note(self, x: XServer, support: Account) -> None:
        support.is_premium = True
        text = "word " * 100 + "end"
        id = (await post(x, "/2/tweets", text=text)).json()["data"]["id"]
        found = (await get(x, f"/2/tweets/{id}", tweet__fields=POST_FIELDS))["data"]
        note = found["note_tweet" if x.dialect == "tweet" else "note_post"]
        assert (note["text"], len(found["text"]) <= 280) == (text, True)

    async def test_an_edited_post_has_its_history_and_takes_the_place_of_the_first(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        first = ann.mention("helo")
        second = ann.edit(first, "@support hello")
        (found,) = (await get(x, f"/2/users/{support.id}/mentions"))["data"]
        history = found["edit_history_tweet_ids" if x.dialect == "tweet" else "edit_history_post_ids"]
        assert (found["id"], history) == (second.id, [first.id, second.id])

    async def test_a_deleted_parent_is_an_error_beside_the_data(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        parent = ann.post("first")
        ann.reply(support.post("yours", reply_to=parent), "thanks")
        ann.delete(parent)
        found = await get(x, f"/2/users/{support.id}/tweets", expansions="referenced_tweets.id")
        assert (len(found["data"]), found["errors"][0]["resource_id"]) == (1, parent.id)

    async def test_polls_are_kept_and_shown(self, x: XServer) -> None:
        made = await post(x, "/2/tweets", text="Tea?", poll={"options": ["yes", "no"], "duration_minutes": 60})
        id = made.json()["data"]["id"]
        found = await get(
            x,
            f"/2/tweets/{id}",
            expansions="attachments.poll_ids",
            poll__fields="options,duration_minutes,end_datetime",
        )
        assert [each["label"] for each in found["includes"]["polls"][0]["options"]] == ["yes", "no"]

    @pytest.mark.parametrize(
        "body",
        [
            {"text": "x", "unknown": 1},
            {"text": "x", "reply": {"in_reply_to_tweet_id": "1", "unknown": 1}},
            {"text": 1},
            {},
            {"text": "x", "poll": {"options": ["one"], "duration_minutes": 60}},
            {"text": "x", "poll": {"options": ["one", "two"], "duration_minutes": 1}},
            {"text": "x", "media": {"media_ids": ["1"]}},
            {"text": "x", "media": {"media_ids": ["1"]}, "quote_tweet_id": "1"},
        ],
    )
    async def test_what_x_does_not_know_is_refused(self, x: XServer, support: Account, body: dict[str, Any]) -> None:
        answer = await post(x, "/2/tweets", **body)
        assert (answer.status_code, answer.json()["type"].endswith("/invalid-request")) == (400, True)
        assert x.posts == []

    async def test_what_is_not_behind_the_question_mark_of_a_route_is_refused(
        self, x: XServer, support: Account
    ) -> None:
        async with client(x) as api:
            for query in ({"bogus": "1"}, {"tweet.fields": "bogus"}, {"expansions": "bogus"}, {"max_results": "4"}):
                assert (await api.get(f"/2/users/{support.id}/mentions", params=query)).status_code == 400

    async def test_a_text_that_is_too_heavy_is_refused(self, x: XServer, support: Account) -> None:
        assert (await post(x, "/2/tweets", text="€" * 141)).status_code == 403
        assert (await post(x, "/2/tweets", text="€" * 140)).status_code == 201

    async def test_the_same_text_is_refused_for_a_day(self, x: XServer, support: Account, clock: FakeClock) -> None:
        assert [(await post(x, "/2/tweets", text="again")).status_code for _ in range(2)] == [201, 403]
        clock.advance(timedelta(days=1).total_seconds() + 1)
        assert (await post(x, "/2/tweets", text="again")).status_code == 201

    async def test_only_who_was_summoned_may_answer(self, x: XServer, support: Account, ann: Person) -> None:
        unasked, named = ann.post("weather"), ann.mention("help")
        quoting = ann.quote(support.post("news"), "look")
        own = support.post("first")
        codes = [
            (await post(x, "/2/tweets", text="hi", reply={"in_reply_to_tweet_id": each.id})).status_code
            for each in (unasked, named, quoting, own)
        ]
        assert codes == [403, 201, 201, 201]
        assert (await post(x, "/2/tweets", text="see", quote_tweet_id=named.id)).status_code == 403
        x.is_self_serve = False
        assert (await post(x, "/2/tweets", text="hi", reply={"in_reply_to_tweet_id": unasked.id})).status_code == 201
        assert (await post(x, "/2/tweets", text="see", quote_tweet_id=named.id)).status_code == 201


class TestPages:
    async def walk(self, x: XServer, path: str, **params: Any) -> list[str]:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await get(x, path, **params, **token)
            found += [each["id"] for each in page.get("data", ())]
            if "next_token" not in page["meta"]:
                return found
            token = {"pagination_token": page["meta"]["next_token"]}

    async def test_mentions_come_newest_first_and_whole(self, x: XServer, support: Account, ann: Person) -> None:
        made = [ann.mention(f"number {number}").id for number in range(23)]
        path = f"/2/users/{support.id}/mentions"
        assert await self.walk(x, path, max_results=5) == made[::-1]
        assert await self.walk(x, path, max_results=10, since_id=made[4], until_id=made[20]) == made[19:4:-1]

    async def test_no_more_than_800_are_shown(self, x: XServer, support: Account, ann: Person) -> None:
        made = [ann.mention(f"number {number}").id for number in range(805)]
        assert await self.walk(x, f"/2/users/{support.id}/mentions", max_results=100) == made[:4:-1]

    async def test_pages_can_shift_while_mentions_arrive(self, x: XServer, support: Account, ann: Person) -> None:
        x.pages_shift = True
        made = [ann.mention(f"number {number}").id for number in range(10)]
        path = f"/2/users/{support.id}/mentions"
        first = await get(x, path, max_results=5)
        ann.mention("meanwhile")
        second = await get(x, path, max_results=5, pagination_token=first["meta"]["next_token"])
        assert first["data"][-1]["id"] == second["data"][0]["id"] == made[5]

    async def test_a_thread_is_found_by_search(
        self, x: XServer, support: Account, ann: Person, clock: FakeClock
    ) -> None:
        long_ago = ann.mention("long ago")
        clock.advance(timedelta(days=8).total_seconds())
        root = ann.mention("help")
        answer = support.post("here", reply_to=root)
        ann.post("something else")
        found = await get(x, "/2/tweets/search/recent", query=f"conversation_id:{root.id}", tweet__fields=POST_FIELDS)
        assert [each["id"] for each in found["data"]] == [answer.id, root.id]
        async with client(x) as api:
            params = {"query": "help", "since_id": long_ago.id}
            assert (await api.get("/2/tweets/search/recent", params=params)).status_code == 400

    async def test_messages_of_a_month_come_newest_first(
        self, x: XServer, support: Account, ann: Person, clock: FakeClock
    ) -> None:
        ann.direct("long ago")
        clock.advance(timedelta(days=31).total_seconds())
        made = [ann.direct(f"number {number}").id for number in range(7)]
        found = await self.walk(x, "/2/dm_events", max_results=3, dm_event__fields=DM_FIELDS, expansions="sender_id")
        assert found == made[::-1]
        async with client(x) as api:
            assert (await api.get("/2/dm_events", params={"since_id": made[0]})).status_code == 400


class TestDirectMessages:
    async def test_they_go_to_a_person_a_conversation_and_a_group(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        bob = x.user("bob")
        one = (await post(x, f"/2/dm_conversations/with/{ann.id}/messages", text="one")).json()["data"]
        two = (await post(x, f"/2/dm_conversations/{one['dm_conversation_id']}/messages", text="two")).json()["data"]
        group = {"conversation_type": "Group", "participant_ids": [ann.id, bob.id], "message": {"text": "all"}}
        three = (await post(x, "/2/dm_conversations", **group)).json()["data"]
        four = (await post(x, f"/2/dm_conversations/{three['dm_conversation_id']}/messages", text="four")).json()[
            "data"
        ]
        assert one["dm_conversation_id"] == two["dm_conversation_id"] == f"{support.id}-{ann.id}"
        assert [each.text for each in x.directs] == ["one", "two", "all", "four"]
        assert x.all_directs[four["dm_event_id"]].conversation.members == (support.id, ann.id, bob.id)

    async def test_they_are_read_by_conversation_by_person_and_by_id(
        self, x: XServer, support: Account, ann: Person
    ) -> None:
        said, group = ann.direct("hello @support"), ann.group(x.user("bob"))
        ann.leave(group)
        pair = said.conversation.id
        for path in (f"/2/dm_conversations/{pair}/dm_events", f"/2/dm_conversations/with/{ann.id}/dm_events"):
            assert [each["id"] for each in (await get(x, path, dm_event__fields=DM_FIELDS))["data"]] == [said.id]
        found = await get(x, f"/2/dm_events/{said.id}", dm_event__fields=DM_FIELDS, expansions="sender_id")
        assert (found["data"]["sender_id"], found["includes"]["users"][0]["username"]) == (ann.id, "ann")
        left = await get(x, f"/2/dm_conversations/{group.id}/dm_events", event_types="ParticipantsLeave")
        assert [each["event_type"] for each in left["data"]] == ["ParticipantsLeave"]

    async def test_a_deleted_one_is_gone_for_oneself(self, x: XServer, support: Account, ann: Person) -> None:
        said = ann.direct("hello")
        async with client(x) as api:
            assert (await api.delete(f"/2/dm_events/{said.id}")).json() == {"data": {"deleted": True}}
            assert (await api.get(f"/2/dm_events/{said.id}")).status_code == 404

    async def test_who_takes_none_is_not_written_to(self, x: XServer, support: Account, ann: Person) -> None:
        ann.accepts_directs = False
        assert (await post(x, f"/2/dm_conversations/with/{ann.id}/messages", text="hi")).status_code == 403
        assert (await post(x, "/2/dm_conversations/with/999/messages", text="hi")).status_code == 400
        assert (await post(x, f"/2/dm_conversations/with/{ann.id}/messages")).status_code == 400


class TestMedia:
    async def upload(self, x: XServer, category: str, kind: str, parts: list[bytes]) -> str:
        async with client(x) as api:
            said = {"media_category": category, "media_type": kind, "total_bytes": sum(map(len, parts))}
            id: str = (await api.post("/2/media/upload/initialize", json=said)).json()["data"]["id"]
            for index, part in enumerate(parts):
                data, files = {"segment_index": str(index)}, {"media": ("blob", part, "application/octet-stream")}
                answer = await api.post(f"/2/media/upload/{id}/append", data=data, files=files)
                assert "expires_at" in answer.json()["data"]
            assert (await api.post(f"/2/media/upload/{id}/finalize")).status_code == 200
        return id

    async def test_an_image_in_parts_has_a_description_and_is_posted(self, x: XServer, support: Account) -> None:
        id = await self.upload(x, "tweet_image", "image/png", [b"\x89PNG\r\n--\r\n", b"\x00\xff\r\n"])
        said = {"id": id, "metadata": {"alt_text": {"text": "A cat"}}}
        assert (await post(x, "/2/media/metadata", **said)).json()["data"]["associated_metadata"] == said["metadata"]
        made = await post(x, "/2/tweets", text="", media={"media_ids": [id]})
        found = await get(
            x,
            f"/2/tweets/{made.json()['data']['id']}",
            expansions="attachments.media_keys",
            media__fields="alt_text,type",
        )
        assert x.posts[0].media[0].content == b"\x89PNG\r\n--\r\n\x00\xff\r\n"
        assert found["includes"]["media"][0] == {"media_key": f"3_{id}", "type": "photo", "alt_text": "A cat"}

    async def test_a_video_is_processed_before_it_can_be_used(self, x: XServer, support: Account) -> None:
        id = await self.upload(x, "tweet_video", "video/mp4", [b"a" * 10, b"b" * 5])
        assert (await post(x, "/2/tweets", text="", media={"media_ids": [id]})).status_code == 400
        states = [
            (await get(x, "/2/media/upload", media_id=id, command="STATUS"))["data"]["processing_info"]["state"]
            for _ in range(2)
        ]
        assert states == ["in_progress", "succeeded"]
        assert (await post(x, "/2/tweets", text="", media={"media_ids": [id]})).status_code == 201

    async def test_processing_can_fail(self, x: XServer, support: Account) -> None:
        x.fails_processing, x.processing = True, 1
        id = await self.upload(x, "dm_video", "video/mp4", [b"a"])
        found = (await get(x, "/2/media/upload", media_id=id))["data"]["processing_info"]
        assert (found["state"], "check_after_secs" in found) == ("failed", False)

    async def test_a_message_takes_what_was_uploaded_for_messages(self, x: XServer, ann: Person) -> None:
        path = f"/2/dm_conversations/with/{ann.id}/messages"
        for category, status in (("tweet_image", 400), ("dm_image", 201)):
            id = await self.upload(x, category, "image/png", [b"a"])
            assert (await post(x, path, attachments=[{"media_id": id}])).status_code == status
        found = await get(x, "/2/dm_events", dm_event__fields=DM_FIELDS, expansions="attachments.media_keys")
        assert found["data"][0]["attachments"]["media_keys"] == [f"3_{id}"]

    async def test_what_does_not_add_up_is_refused(self, x: XServer, support: Account) -> None:
        async with client(x) as api:
            said = {"media_category": "tweet_image", "media_type": "image/png", "total_bytes": 10}
            id = (await api.post("/2/media/upload/initialize", json=said)).json()["data"]["id"]
            assert (await api.post(f"/2/media/upload/{id}/finalize")).status_code == 400
            said |= {"total_bytes": 6 * 1024**2}
            assert (await api.post("/2/media/upload/initialize", json=said)).status_code == 400

    async def test_one_piece_is_enough_for_an_image(self, x: XServer, support: Account) -> None:
        async with client(x) as api:
            files = {"media": ("a.png", b"\x89PNG", "image/png")}
            answer = await api.post("/2/media/upload", data={"media_category": "tweet_image"}, files=files)
        assert x.media[answer.json()["data"]["id"]].content == b"\x89PNG"


async def test_which_routes_there_are_and_what_was_used_is_told(x: XServer, support: Account, ann: Person) -> None:
    ann.mention("help")
    await get(x, f"/2/users/{support.id}/mentions")
    async with client(x, x.bearer_token) as api:
        usage = (await api.get("/2/usage/tweets", params={"days": "7"})).json()["data"]
        described = (await api.get("/2/openapi.json")).json()
    assert usage["project_usage"] == 1
    assert "/2/tweets" in described["paths"]


@needs_specification
def test_each_route_of_the_fake_is_described_by_x_in_the_same_words(x: XServer) -> None:
    from convergekit.testing.x._routes import ROUTES
    from tests.testing.x.openapi import ELSEWHERE

    unknown = {(route.method, route.template) for route in ROUTES} - {
        (method.upper(), path) for path, operations in specification().paths.items() for method in operations
    }
    assert unknown == ELSEWHERE


@needs_specification
def test_what_is_wrong_is_found() -> None:
    """The check itself: a number for an id, a key that is not known, a field that is not described."""
    request = httpx.Request("POST", "https://api.x.com/2/tweets", json={"text": "x", "bogus": 1})
    answer = httpx.Response(201, json={"data": {"id": 1, "text": "x"}})
    found = specification().violations(request, answer)
    assert len(found) == 2
    request = httpx.Request("GET", "https://api.x.com/2/users/me?user.fields=bogus&other=1")
    assert len(specification().violations(request, httpx.Response(200, json={}))) == 2
    assert json.loads(answer.content)["data"]["id"] == 1


@needs_specification
async def test_an_answer_that_is_wrong_fails_the_test_that_watches() -> None:
    class Wrong(Step):
        async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
            return httpx.Response(200, json={"data": {"id": 1001}})

    server = XServer()
    server.account("support")
    server.script("GET", "/2/users/me", Wrong())
    with pytest.raises(AssertionError, match="'username' is a required property"), validated(server):
        await get(server, "/2/users/me")
