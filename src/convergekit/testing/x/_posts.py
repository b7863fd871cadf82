"""`/2/tweets`, mentions, timelines and search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from ._answers import Problem, invalid, missing, ok
from ._asked import APP, USER, Asked, Route, page
from ._media import attached
from ._model import Poll, Post
from ._search import matches
from ._text import MAX_WEIGHT, weight

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES"]

_FIELDS: Final = frozenset({"tweet.fields", "expansions", "media.fields", "poll.fields", "user.fields", "place.fields"})
_PAGED: Final = _FIELDS | {"since_id", "until_id", "max_results", "pagination_token", "start_time", "end_time"}
#: Further back mentions are not shown, and further back own posts are not.
_MENTIONS_BACK: Final = 800
_TIMELINE_BACK: Final = 3_200
_SEARCH_BACK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_LONG: Final = 25_000

_BODY: Final[Mapping[str, Any]] = {
    "card_uri": "string",
    "community_id": "string",
    "direct_message_deep_link": "string",
    "edit_options": {"previous_post_id": "string"},
    "for_super_followers_only": "boolean",
    "geo": {"place_id": "string"},
    "made_with_ai": "boolean",
    "media": {"media_ids": "array", "tagged_user_ids": "array"},
    "nullcast": "boolean",
    "paid_partnership": "boolean",
    "poll": {"options": "array", "duration_minutes": "integer", "reply_settings": "string"},
    "quote_tweet_id": "string",
    "reply": {
        "in_reply_to_tweet_id": "string",
        "exclude_reply_user_ids": "array",
        "auto_populate_reply_metadata": "boolean",
    },
    "reply_settings": "string",
    "share_with_followers": "boolean",
    "text": "string",
}


def _create(server: XServer, asked: Asked) -> httpx.Response:
    body = asked.body(_BODY)
    text = body.get("text", "")
    # What excludes each other: a post shows one thing below its text.
    if sum(name in body for name in ("media", "poll", "quote_tweet_id", "card_uri")) > 1:
        raise invalid("media, poll, quote_tweet_id and card_uri are mutually exclusive")
    if not text and "media" not in body:
        raise invalid("One of text, attachments or poll must be specified")
    if weight(text) > (_LONG if asked.account.is_premium else MAX_WEIGHT):
        raise Problem(403, "Your Tweet text is too long.")
    reply_to = _replied_to(server, asked, body)
    quotes = _quoted(server, body)
    media = attached(server, asked, body["media"].get("media_ids", []), "tweet_") if "media" in body else ()
    poll = _poll(server, body["poll"]) if "poll" in body else None
    key = (asked.account.id, text, reply_to)
    if server.refuses_duplicates and _is_duplicate(server, key):
        raise Problem(403, "You are not allowed to create a Tweet with duplicate content.")
    if "edit_options" in body:
        post = server.edit_post(_own(server, asked, body["edit_options"].get("previous_post_id", "")), text)
    else:
        post = server.add_post(asked.account, text, reply_to=reply_to, quotes=quotes, media=media, poll=poll, body=body)
    server.said[key] = post
    server.pay_for_post(post)
    shown = server.view().post(post)
    return ok(server.told({"data": {name: shown[name] for name in ("edit_history_tweet_ids", "id", "text")}}), 201)


def _replied_to(server: XServer, asked: Asked, body: Mapping[str, Any]) -> Post | None:
    if "reply" not in body:
        return None
    if "in_reply_to_tweet_id" not in body["reply"]:
        raise invalid("$.reply.in_reply_to_tweet_id: is missing but it is required")
    parent = server.all_posts.get(body["reply"]["in_reply_to_tweet_id"])
    if parent is None or parent.is_deleted:
        raise Problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
    if server.is_self_serve and not server.summons(parent, asked.account):
        raise Problem(
            403,
            "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by "
            "the author of the post you are replying to.",
        )
    return parent


def _quoted(server: XServer, body: Mapping[str, Any]) -> Post | None:
    if "quote_tweet_id" not in body:
        return None
    quoted = server.all_posts.get(body["quote_tweet_id"])
    if quoted is None or quoted.is_deleted:
        raise Problem(403, "You attempted to quote a Tweet that is deleted or not visible to you.")
    if server.is_self_serve:
        raise Problem(403, "Quoting is not permitted for your access level.")
    return quoted


def _poll(server: XServer, said: Mapping[str, Any]) -> Poll:
    options, minutes = said.get("options", []), said.get("duration_minutes", 0)
    fits = all(isinstance(each, str) and 1 <= len(each) <= 25 for each in options)
    if not 2 <= len(options) <= 4 or not fits or not 5 <= minutes <= 10_080:
        raise invalid("A poll has 2 to 4 options of 1 to 25 characters, and lasts 5 to 10080 minutes")
    return Poll(server.next_id(), tuple(options), minutes)


def _is_duplicate(server: XServer, key: tuple[str, str, Post | None]) -> bool:
    """Of the same account within a day; in front of what answers somebody stands a name, which makes it another."""
    same = server.said.get(key)
    return bool(key[1]) and same is not None and not same.is_deleted and same.at > server.now() - _DAY


def _own(server: XServer, asked: Asked, id: str) -> Post:
    post = server.all_posts.get(id)
    if post is None or post.is_deleted:
        raise Problem(404, f"Could not find tweet with id: [{id}].", "resource-not-found")
    if post.author is not asked.account:
        raise Problem(403, "You are not authorized to change or delete this Tweet.")
    return post


def _delete(server: XServer, asked: Asked) -> httpx.Response:
    server.delete_post(_own(server, asked, asked.args["id"]))
    server.pay("delete")
    return ok({"data": {"deleted": True}})


def _get(server: XServer, asked: Asked) -> httpx.Response:
    view = server.view(asked.shown())
    id = asked.args["id"]
    post = server.all_posts.get(id)
    if post is None or post.is_deleted:
        return ok({"errors": [missing("tweet", "id", id, server.host)]})
    return _answer(server, asked, {"data": view.post(post)}, [post], view)


def _get_several(server: XServer, asked: Asked) -> httpx.Response:
    view = server.view(asked.shown())
    ids = asked.query.get("ids", "").split(",")
    if not 1 <= len(ids) <= 100 or not all(each.isdigit() for each in ids):
        raise invalid("The `ids` query parameter names 1 to 100 ids", ids=asked.query.get("ids", ""))
    found = {id: server.all_posts.get(id) for id in ids}
    posts = [post for post in found.values() if post is not None and not post.is_deleted]
    view.errors += [
        missing("tweet", "ids", id, server.host) for id, post in found.items() if post is None or post.is_deleted
    ]
    data = [view.post(post) for post in posts]
    return _answer(server, asked, {"data": data} if data else {}, posts, view)


def _mentions(server: XServer, asked: Asked) -> httpx.Response:
    person = server.people.get(asked.args["id"])
    if person is None:
        return ok({"errors": [missing("user", "id", asked.args["id"], server.host)]})
    return _listed(server, asked, server.mentions_of(person)[-_MENTIONS_BACK:])


def _timeline(server: XServer, asked: Asked) -> httpx.Response:
    person = server.people.get(asked.args["id"])
    if person is None:
        return ok({"errors": [missing("user", "id", asked.args["id"], server.host)]})
    posts = [post for post in server.posts if post.author is person][-_TIMELINE_BACK:]
    if "replies" in asked.query.get("exclude", "").split(","):
        posts = [post for post in posts if post.reply_to is None]
    return _listed(server, asked, posts)


def _search(server: XServer, asked: Asked) -> httpx.Response:
    since = server.now() - _SEARCH_BACK
    oldest = server.id_at(since)
    since_id = asked.id("since_id")
    if since_id is not None and int(since_id) < oldest:
        raise invalid(f"'since_id' must be a tweet id created after {since}", since_id=since_id)
    query = asked.query.get("query", "")
    posts = [post for post in server.posts if post.at >= since and matches(post, query, server.person)]
    return _listed(server, asked, posts, low=10)


def _listed(server: XServer, asked: Asked, posts: Sequence[Post], *, low: int = 5) -> httpx.Response:
    """A page of *posts*, which are in order; it shows them newest first."""
    size = asked.number("max_results", low, 100, 10)
    since_id, until_id = asked.id("since_id"), asked.id("until_id")
    begin, end = asked.time("start_time"), asked.time("end_time")
    view = server.view(asked.shown())
    found = [
        post
        for post in reversed(posts)
        if (since_id is None or int(post.id) > int(since_id))
        and (until_id is None or int(post.id) < int(until_id))
        and (begin is None or post.at >= begin)
        and (end is None or post.at < end)
    ]
    part = page(asked, found, size, by_offset=server.pages_shift, key=lambda post: post.id)
    ends = {"newest_id": part.items[0].id, "oldest_id": part.items[-1].id} if part.items else {}
    data = [view.post(post) for post in part.items]
    body: dict[str, Any] = {**({"data": data} if data else {}), "meta": {**part.meta, **ends}}
    return _answer(server, asked, body, part.items, view)


def _answer(server: XServer, asked: Asked, body: Mapping[str, Any], posts: Sequence[Post], view: Any) -> httpx.Response:
    server.read_by(asked, posts=posts)
    beside = {name: value for name, value in (("includes", view.includes), ("errors", view.errors)) if value}
    return ok(server.told({**body, **beside}))


_READ: Final = frozenset({"tweet.read", "users.read"})
_WRITE: Final = _READ | {"tweet.write"}

ROUTES: Final = (
    Route("POST", "/2/tweets", _create, frozenset(), USER, _WRITE),
    Route("GET", "/2/tweets", _get_several, _FIELDS | {"ids"}, USER | APP, _READ),
    Route("GET", "/2/tweets/search/recent", _search, _PAGED | {"query", "next_token", "sort_order"}, USER | APP, _READ),
    Route("GET", "/2/tweets/{id}", _get, _FIELDS, USER | APP, _READ),
    Route("DELETE", "/2/tweets/{id}", _delete, frozenset(), USER, _WRITE),
    Route("GET", "/2/users/{id}/mentions", _mentions, _PAGED, USER | APP, _READ),
    Route("GET", "/2/users/{id}/tweets", _timeline, _PAGED | {"exclude"}, USER | APP, _READ),
)
