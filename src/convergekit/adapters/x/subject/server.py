"""The server that plays X, with files, and with a hand for what makes no sense."""

from __future__ import annotations

import json
from typing import Any

import httpx

from convergekit.testing.x import XServer

__all__ = ["SubjectServer"]


class SubjectServer(XServer):
    """Slips things into its lists, and serves files.

    Attributes:
        slipped_in: What stands in lists of messages beside what is there.
        files: What is served, by its URL.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.slipped_in: list[Any] = []
        self.files: dict[str, bytes] = {}

    async def respond(self, request: httpx.Request) -> httpx.Response:
        """See `XServer.respond`."""
        if request.url.host in ("ton.twitter.com", "pbs.twimg.com", "video.twimg.com"):
            found = self.files.get(str(request.url))
            return httpx.Response(404) if found is None else httpx.Response(200, content=found)
        answer = await super().respond(request)
        if self.slipped_in and request.method == "GET" and answer.status_code == 200 and _is_list(request.url.path):
            whole = answer.json()
            whole["data"] = [*self.slipped_in, *whole.get("data", ())]
            return httpx.Response(200, headers=_without_length(answer.headers), content=json.dumps(whole).encode())
        return answer


def _is_list(path: str) -> bool:
    return path.endswith(("/mentions", "/dm_events"))


def _without_length(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "content-length"}
