"""`/2/dm_events` and `/2/dm_conversations`: what is said in private."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from ._answers import Problem, invalid, ok
from ._asked import USER, Asked, Route, page
from ._media import attached
from ._model import Direct, Group

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES"]

_FIELDS: Final = frozenset({"dm_event.fields", "expansions", "media.fields", "user.fields", "tweet.fields"})
_PAGED: Final = _FIELDS | {"max_results", "pagination_token", "event_types"}
_BACK: Final = timedelta(days=30)
_LONGEST: Final = 10_000
_KINDS: Final = ("MessageCreate", "ParticipantsJoin", "ParticipantsLeave")
_MESSAGE: Final[Mapping[str, Any]] = {"text": "string", "attachments": "array"}


def _to_person(server: XServer, asked: Asked) -> httpx.Response:
    body = asked.body(_MESSAGE)
    person = server.people.get(asked.args["participant_id"])
    if person is None:
        raise invalid("The participant does not exist", participant_id=asked.args["participant_id"])
    return _sent(server, asked, server.pair(asked.account.id, person.id), body)


def _to_conversation(server: XServer, asked: Asked) -> httpx.Response:
    body = asked.body(_MESSAGE)
    id = asked.args["dm_conversation_id"]
    members = id.split("-")
    if len(members) == 2 and asked.account.id in members and all(each in server.people for each in members):
        return _sent(server, asked, server.pair(*members), body)
    return _sent(server, asked, _joined(server, asked, id), body)


def _to_group(server: XServer, asked: Asked) -> httpx.Response:
    allowed = {"conversation_type": "string", "participant_ids": "array", "message": _MESSAGE}
    body = asked.body(allowed, tuple(allowed))
    members = body["participant_ids"]
    if body["conversation_type"] != "Group" or not 2 <= len(members) <= 49:
        raise invalid("A group has 2 to 49 others")
    if any(each not in server.people for each in members):
        raise invalid("A participant does not exist")
    _check(server, asked, members, body["message"])
    group = server.add_group(*dict.fromkeys((asked.account.id, *members)))
    return _sent(server, asked, group, body["message"])


def _sent(server: XServer, asked: Asked, where: Group, body: Mapping[str, Any]) -> httpx.Response:
    _check(server, asked, where.members, body)
    ids = [each.get("media_id", "") for each in body.get("attachments", ())]
    media = attached(server, asked, ids, "dm_") if ids else ()
    (made,) = server.add_directs(asked.account, (body.get("text", ""),), where, media=media)
    server.pay("dm")
    return ok({"data": {"dm_conversation_id": where.id, "dm_event_id": made.id}}, 201)


def _check(server: XServer, asked: Asked, members: Any, body: Mapping[str, Any]) -> None:
    text, attachments = body.get("text", ""), body.get("attachments", [])
    if not text and not attachments:
        raise invalid("$.text: is missing but it is required")
    if len(text) > _LONGEST or len(attachments) > 1:
        raise invalid("A message has at most 10000 characters, and one attachment")
    if any(not server.people[each].accepts_directs for each in members if each != asked.account.id):
        raise Problem(403, "You do not have permission to DM one or more participants.")


def _joined(server: XServer, asked: Asked, id: str) -> Group:
    found = server.conversations.get(id)
    if found is None or asked.account.id not in found.members:
        raise Problem(403, "You are not a participant of this conversation.")
    return found


def _all(server: XServer, asked: Asked) -> httpx.Response:
    return _listed(server, asked, lambda each: True)


def _of_conversation(server: XServer, asked: Asked) -> httpx.Response:
    return _listed(server, asked, lambda each: each.conversation.id == asked.args["id"])


def _with_person(server: XServer, asked: Asked) -> httpx.Response:
    low, high = sorted((asked.account.id, asked.args["participant_id"]), key=lambda id: (len(id), id))
    return _listed(server, asked, lambda each: each.conversation.id == f"{low}-{high}")


def _listed(server: XServer, asked: Asked, wanted: Callable[[Direct], bool]) -> httpx.Response:
    size = asked.number("max_results", 1, 100, 100)
    kinds = asked.query.get("event_types", ",".join(_KINDS)).split(",")
    view = server.view(asked.shown())
    visible = server.visible_directs(asked.account, server.now() - _BACK)
    found = [each for each in reversed(visible) if each.kind in kinds and wanted(each)]
    part = page(asked, found, size, by_offset=server.pages_shift, key=lambda each: each.id)
    server.read_by(asked, directs=part.items)
    data = [view.direct(each) for each in part.items]
    beside = {"includes": view.includes} if view.includes else {}
    return ok(server.told({**({"data": data} if data else {}), **beside, "meta": part.meta}))


def _one(server: XServer, asked: Asked) -> httpx.Response:
    found = _found(server, asked)
    view = server.view(asked.shown())
    server.read_by(asked, directs=[found])
    body = {"data": view.direct(found)}
    return ok(server.told({**body, **({"includes": view.includes} if view.includes else {})}))


def _delete(server: XServer, asked: Asked) -> httpx.Response:
    _found(server, asked).hidden_from.add(asked.account.id)
    server.pay("delete")
    return ok({"data": {"deleted": True}})


def _found(server: XServer, asked: Asked) -> Direct:
    found = server.all_directs.get(asked.args["event_id"])
    if found is None or found not in server.visible_directs(asked.account, server.now() - _BACK):
        raise Problem(404, f"Could not find dm_event with id: [{asked.args['event_id']}].", "resource-not-found")
    return found


_READ: Final = frozenset({"dm.read", "tweet.read", "users.read"})
_WRITE: Final = frozenset({"dm.write", "tweet.read", "users.read"})

ROUTES: Final = (
    Route("POST", "/2/dm_conversations", _to_group, frozenset(), USER, _WRITE),
    Route("POST", "/2/dm_conversations/with/{participant_id}/messages", _to_person, frozenset(), USER, _WRITE),
    Route("POST", "/2/dm_conversations/{dm_conversation_id}/messages", _to_conversation, frozenset(), USER, _WRITE),
    Route("GET", "/2/dm_conversations/with/{participant_id}/dm_events", _with_person, _PAGED, USER, _READ),
    Route("GET", "/2/dm_conversations/{id}/dm_events", _of_conversation, _PAGED, USER, _READ),
    Route("GET", "/2/dm_events", _all, _PAGED, USER, _READ),
    Route("GET", "/2/dm_events/{event_id}", _one, _FIELDS, USER, _READ),
    Route("DELETE", "/2/dm_events/{event_id}", _delete, frozenset(), USER, frozenset({"dm.read", "dm.write"})),
)
