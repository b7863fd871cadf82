"""`/2/users`: who somebody is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from ._answers import missing, ok
from ._asked import APP, USER, Asked, Route
from ._people import Person

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES"]

_QUERY: Final = frozenset({"user.fields", "expansions", "tweet.fields"})


def _me(server: XServer, asked: Asked) -> httpx.Response:
    return _one(server, asked, asked.account, "id", asked.account.id)


def _by_id(server: XServer, asked: Asked) -> httpx.Response:
    return _one(server, asked, server.people.get(asked.args["id"]), "id", asked.args["id"])


def _by_username(server: XServer, asked: Asked) -> httpx.Response:
    name = asked.args["username"]
    return _one(server, asked, server.person(name), "username", name)


def _by_ids(server: XServer, asked: Asked) -> httpx.Response:
    return _several(server, asked, "ids", {id: server.people.get(id) for id in asked.query["ids"].split(",")})


def _by_usernames(server: XServer, asked: Asked) -> httpx.Response:
    names = asked.query["usernames"].split(",")
    return _several(server, asked, "usernames", {name: server.person(name) for name in names})


def _one(server: XServer, asked: Asked, found: Person | None, parameter: str, value: str) -> httpx.Response:
    view = server.view(asked.shown())
    if found is None:
        return ok({"errors": [missing("user", parameter, value, server.host)]})
    server.read_by(asked, users=[found])
    return ok(server.told({"data": view.user(found)}))


def _several(server: XServer, asked: Asked, parameter: str, found: dict[str, Person | None]) -> httpx.Response:
    view = server.view(asked.shown())
    people = [each for each in found.values() if each is not None]
    lost = [missing("user", parameter, value, server.host) for value, each in found.items() if each is None]
    server.read_by(asked, users=people)
    data = [view.user(each) for each in people]
    return ok(server.told({**({"data": data} if data else {}), **({"errors": lost} if lost else {})}))


_READ: Final = frozenset({"tweet.read", "users.read"})

ROUTES: Final = (
    Route("GET", "/2/users/me", _me, _QUERY, USER, _READ),
    Route("GET", "/2/users/by/username/{username}", _by_username, _QUERY, USER | APP, _READ),
    Route("GET", "/2/users/by", _by_usernames, _QUERY | {"usernames"}, USER | APP, _READ),
    Route("GET", "/2/users/{id}", _by_id, _QUERY, USER | APP, _READ),
    Route("GET", "/2/users", _by_ids, _QUERY | {"ids"}, USER | APP, _READ),
)
