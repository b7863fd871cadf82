"""`/2/webhooks` and `/2/activity`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from ._answers import Problem, invalid, ok
from ._asked import APP, Asked, Route, page
from ._fields import words
from ._model import Subscription, Webhook
from ._shown import moment

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES"]

_LONGEST: Final = 200
_MOST: Final = 1_500
_FIVE_DAYS: Final = timedelta(days=5)
_PUBLIC: Final = words(
    "profile.update.bio profile.update.profile_picture profile.update.banner_picture profile.update.screenname"
    " profile.update.geo profile.update.url profile.update.verified_badge profile.update.affiliate_badge"
    " profile.update.handle news.new follow.follow follow.unfollow spaces.start spaces.end post.create post.delete"
    " oauth.revoke"
)
_PRIVATE: Final = words(
    "post.mention.create post.reply.create post.quote.create dm.received dm.sent dm.read dm.indicate_typing"
    " chat.received chat.sent chat.conversation_join like.create mute.mute mute.unmute block.block block.unblock"
)


# Webhooks


async def _register(server: XServer, asked: Asked) -> httpx.Response:
    url = asked.body({"url": "string"}, ("url",))["url"]
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme != "https" or not parts.host or parts.port is not None or len(url) > _LONGEST:
        raise invalid("The webhook URL has to be https, without a port, and of at most 200 characters", url=url)
    activity = server.activity
    if any(each.url == url for each in activity.webhooks.values()):
        raise invalid("DuplicateUrlFailed: there is a webhook with this URL", url=url)
    if len(activity.webhooks) >= activity.max_webhooks:
        raise Problem(403, "WebhookConfigLimitExceeded: there are as many webhooks as there may be.")
    made = Webhook(server.next_id(), url, server.now())
    try:
        await activity.challenge(made)
    except LookupError as error:  # told where the test's author looks: by the channel that registers it
        raise invalid(f"CrcValidationFailed: {error}", url=url) from None
    if not made.is_valid:
        raise invalid("CrcValidationFailed: the challenge was not answered, or not well", url=url)
    activity.webhooks[made.id] = made
    # Until 2.159 it stands by itself, and since 2.167 under "data".
    return ok(_shown(made) if server.dialect == "tweet" else {"data": _shown(made)})


def _list(server: XServer, asked: Asked) -> httpx.Response:
    found = [_shown(each) for each in server.activity.webhooks.values()]
    return ok({**({"data": found} if found else {}), "meta": {"result_count": len(found)}})


async def _validate(server: XServer, asked: Asked) -> httpx.Response:
    found = _webhook(server, asked.args["webhook_id"])
    await server.activity.challenge(found)
    # How it went is told since 2.167; before, only that it was tried.
    return ok({"data": {"attempted": True} if server.dialect == "tweet" else {"valid": found.is_valid}})


def _unregister(server: XServer, asked: Asked) -> httpx.Response:
    gone = _webhook(server, asked.args["webhook_id"])
    del server.activity.webhooks[gone.id]
    return ok({"data": {"deleted": True}})


def _replay(server: XServer, asked: Asked) -> httpx.Response:
    names = ("webhook_id", "from_date", "to_date")
    body = asked.body(dict.fromkeys(names, "string"), names)
    webhook = _webhook(server, body["webhook_id"])
    since, until = _minute(body["from_date"]), _minute(body["to_date"])
    if since >= until or since < server.now() - _FIVE_DAYS:
        raise invalid("from_date is before to_date, and not more than five days ago", from_date=body["from_date"])
    server.activity.replay(webhook, since, until)
    job = {"job_id": server.next_id(), "created_at": moment(server.now())}
    return ok(job if server.dialect == "tweet" else {"data": job})


def _minute(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        raise invalid("a date is written as yyyymmddhhmm", from_date=text) from None


def _webhook(server: XServer, id: str) -> Webhook:
    found = server.activity.webhooks.get(id)
    if found is None:
        raise Problem(404, f"Could not find webhook with id: [{id}].", "resource-not-found")
    return found


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "valid": webhook.is_valid,
        "created_at": moment(webhook.at),
    }


# Subscriptions


def _subscribe(server: XServer, asked: Asked) -> httpx.Response:
    allowed = {
        "event_type": "string",
        "filter": {"user_id": "string", "keyword": "string"},
        "tag": "string",
        "webhook_id": "string",
    }
    body = asked.body(allowed, ("event_type", "filter"))
    kind, wanted = body["event_type"], body["filter"]
    if kind not in _PUBLIC | _PRIVATE:
        raise invalid(f"$.event_type: [{kind}] is not one of them", event_type=kind)
    if "webhook_id" in body:
        _webhook(server, body["webhook_id"])
    if kind in _PRIVATE:
        _may(server, asked, wanted)
    activity = server.activity
    same = (kind, dict(wanted), body.get("webhook_id"))
    if any((each.event_type, dict(each.filter), each.webhook_id) == same for each in activity.subscriptions.values()):
        raise Problem(409, "There is such a subscription.", "conflict")
    if len(activity.subscriptions) >= _MOST:
        raise Problem(403, "There are as many subscriptions as there may be.")
    made = Subscription(server.next_id(), kind, wanted, server.now(), body.get("tag"), body.get("webhook_id"))
    activity.subscriptions[made.id] = made
    total = len(activity.subscriptions)
    if activity.answers_with_list:
        return ok({"data": [_seen(made)], "meta": {"total_subscriptions": total}})
    return ok({"data": {"subscription": _seen(made), "total_subscriptions_for_instance_id": total}})


def _may(server: XServer, asked: Asked, wanted: Mapping[str, str]) -> None:
    """What is private is told of whoever has allowed it."""
    way = asked.who.way
    is_own = asked.who.account is not None and wanted.get("user_id") == asked.who.account.id
    if not is_own or (way == "oauth2" and server.activity.private_needs_oauth1):
        raise Problem(403, "The user of the filter has to authorize private events.")


def _subscriptions(server: XServer, asked: Asked) -> httpx.Response:
    size = asked.number("max_results", 1, 100, 100)
    newest = sorted(server.activity.subscriptions.values(), key=lambda each: int(each.id), reverse=True)
    part = page(asked, newest, size, by_offset=False, key=lambda each: each.id)
    meta: dict[str, Any] = {"result_count": len(part.items)}
    if part.token is not None:
        meta["next_token"] = part.token
    return ok({"data": [_seen(each) for each in part.items], "meta": meta})


def _update(server: XServer, asked: Asked) -> httpx.Response:
    body = asked.body({"tag": "string", "webhook_id": "string"})
    found = _subscription(server, asked.args["subscription_id"])
    if "webhook_id" in body:
        found.webhook_id = _webhook(server, body["webhook_id"]).id
    found.tag = body.get("tag", found.tag)
    return ok({"data": {"subscription": _seen(found), "total_subscriptions": len(server.activity.subscriptions)}})


def _unsubscribe(server: XServer, asked: Asked) -> httpx.Response:
    del server.activity.subscriptions[_subscription(server, asked.args["subscription_id"]).id]
    left = len(server.activity.subscriptions)
    return ok({"data": {"deleted": True}, "meta": {"total_subscriptions": left}})


def _unsubscribe_several(server: XServer, asked: Asked) -> httpx.Response:
    ids = asked.query.get("ids", "").split(",")
    gone = [_subscription(server, id).id for id in ids]
    for id in gone:
        server.activity.subscriptions.pop(id, None)
    left = len(server.activity.subscriptions)
    data = [{"subscription_id": id, "deleted": True} for id in gone]
    return ok({"data": data, "meta": {"total_subscriptions": left}})


def _subscription(server: XServer, id: str) -> Subscription:
    found = server.activity.subscriptions.get(id)
    if found is None:
        raise Problem(404, f"Could not find subscription with id: [{id}].", "resource-not-found")
    return found


def _seen(each: Subscription) -> dict[str, Any]:
    shown = {
        "subscription_id": each.id,
        "event_type": each.event_type,
        "filter": dict(each.filter),
        "tag": each.tag,
        "webhook_id": each.webhook_id,
        "created_at": moment(each.at),
        "updated_at": moment(each.at),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _stream(server: XServer, asked: Asked) -> httpx.Response:
    if server.activity.streams >= server.activity.max_streams:
        raise Problem(
            429,
            "This stream is currently at the maximum allowed connection limit.",
            "streaming-connection",
            title="ConnectionException",
            connection_issue="TooManyConnections",
        )
    minutes = asked.number("backfill_minutes", 0, 5, 0)
    since = server.now() - timedelta(minutes=minutes) if minutes else None
    headers = {"content-type": "application/json; charset=utf-8"}
    return httpx.Response(200, headers=headers, stream=server.activity.stream(since))


_ANY: Final = frozenset({"oauth1", "oauth2", "app"})
_OAUTH1_OR_APP: Final = frozenset({"oauth1", "app"})

ROUTES: Final = (
    Route("GET", "/2/webhooks", _list, frozenset({"webhook_config.fields"}), APP),
    Route("POST", "/2/webhooks", _register, frozenset(), _OAUTH1_OR_APP),
    Route("POST", "/2/webhooks/replay", _replay, frozenset(), APP),
    Route("PUT", "/2/webhooks/{webhook_id}", _validate, frozenset(), _OAUTH1_OR_APP),
    Route("DELETE", "/2/webhooks/{webhook_id}", _unregister, frozenset(), _OAUTH1_OR_APP),
    Route("GET", "/2/activity/subscriptions", _subscriptions, frozenset({"max_results", "pagination_token"}), APP),
    Route("POST", "/2/activity/subscriptions", _subscribe, frozenset(), _ANY, frozenset({"dm.read", "tweet.read"})),
    Route("DELETE", "/2/activity/subscriptions", _unsubscribe_several, frozenset({"ids"}), APP),
    Route("PUT", "/2/activity/subscriptions/{subscription_id}", _update, frozenset(), APP),
    Route("DELETE", "/2/activity/subscriptions/{subscription_id}", _unsubscribe, frozenset(), APP),
    Route("GET", "/2/activity/stream", _stream, frozenset({"backfill_minutes", "start_time", "end_time"}), APP),
)
