"""What X answers with: JSON, and problems (RFC 7807) in the shapes that it has for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

__all__ = ["Problem", "invalid", "missing", "ok"]

_TITLES: Final = {
    400: "Invalid Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class Problem(Exception):
    """An answer that is a refusal.

    Args:
        status: Of HTTP.
        detail: What X says.
        type: The last part of the problem's type; without it, `about:blank`.
        title: Where it is not the usual one of *status*.
        more: What stands beside.
    """

    def __init__(
        self, status: int, detail: str, type: str | None = None, *, title: str | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.type, self.more = status, detail, type, more
        self.title = title or _TITLES.get(status, "Error")

    def body(self, host: str) -> dict[str, Any]:
        """The problem, whose type is under *host*."""
        kind = f"https://{host}/2/problems/{self.type}" if self.type else "about:blank"
        return {**self.more, "title": self.title, "detail": self.detail, "type": kind, "status": self.status}

    def answer(self, host: str) -> httpx.Response:
        """The same as an answer."""
        return _response(self.status, self.body(host), "application/problem+json")


def invalid(message: str, **parameters: str) -> Problem:
    """The request makes no sense: which parameter, and its value."""
    given = {name: [value] for name, value in parameters.items()}
    return Problem(
        400,
        "One or more parameters to your request was invalid.",
        "invalid-request",
        errors=[{"message": message, "parameters": given}],
    )


def missing(kind: str, parameter: str, value: str, host: str) -> dict[str, Any]:
    """What stands under `errors` where something that was asked for is not there."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"https://{host}/2/problems/resource-not-found",
    }


def ok(body: Mapping[str, Any], status: int = 200) -> httpx.Response:
    """*body* as JSON."""
    return _response(status, body, "application/json")


def _response(status: int, body: Mapping[str, Any], kind: str) -> httpx.Response:
    # As X writes it: without spaces, and in UTF-8.
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return httpx.Response(status, headers={"content-type": f"{kind}; charset=utf-8"}, content=content)
