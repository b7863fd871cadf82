"""All that may be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from . import _directs, _media, _posts, _users, _webhooks
from ._answers import ok
from ._asked import APP, Asked, Route

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES"]


def _token(server: XServer, asked: Asked) -> httpx.Response:
    return server.oauth.token(asked.request)


def _revoke(server: XServer, asked: Asked) -> httpx.Response:
    return server.oauth.revoke(asked.request)


def _usage(server: XServer, asked: Asked) -> httpx.Response:
    asked.number("days", 1, 90, 7)
    return ok(
        {
            "data": {
                "project_id": "1",
                "project_cap": 3_000_000,
                "project_usage": server.posts_read,
                "cap_reset_day": 1,
            }
        }
    )


def _description(server: XServer, asked: Asked) -> httpx.Response:
    """Only which routes there are: the description itself is X'."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.template, {})[route.method.lower()] = {"responses": {}}
    version = "2.159" if server.dialect == "tweet" else "2.167"
    return ok({"openapi": "3.0.0", "info": {"title": "X API v2", "version": version}, "paths": paths})


ROUTES: Final[tuple[Route, ...]] = (
    *_users.ROUTES,
    *_posts.ROUTES,
    *_directs.ROUTES,
    *_media.ROUTES,
    *_webhooks.ROUTES,
    Route("POST", "/2/oauth2/token", _token, ways=frozenset()),
    Route("POST", "/2/oauth2/revoke", _revoke, ways=frozenset()),
    Route("GET", "/2/usage/tweets", _usage, frozenset({"days", "usage.fields"}), APP),
    Route("GET", "/2/openapi.json", _description, ways=frozenset()),
)
