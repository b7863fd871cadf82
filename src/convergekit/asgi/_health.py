"""`/-/live` and `/-/ready`, for whoever starts, stops and balances processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from convergekit.abc import Response

__all__ = ["HealthCheck", "Report"]

_LIVE: Final = Response(200, b"ok")
_READY: Final = Response(200, b"ready")
_NOT_READY: Final = Response(503, b"not ready", {"retry-after": "5"})
_UNKNOWN: Final = Response(404, b"no such check")
_NOT_ALLOWED: Final = Response(405, b"method not allowed", {"allow": "GET, HEAD"})


class _Channel(Protocol):
    @property
    def state(self) -> str: ...


class Report(Protocol):
    """How the hub is: `HubHealth`."""

    @property
    def ready(self) -> bool:
        """Whether it is open and takes in."""
        ...

    @property
    def channels(self) -> Mapping[str, _Channel]:
        """Each channel by name."""
        ...


class HealthCheck:
    """Answers what is asked below `/-`.

    Args:
        report: Asked each time.
        details: Whether the names and the states of the channels are told.
    """

    def __init__(self, report: Callable[[], Report], *, details: bool) -> None:
        self._report, self._details = report, details

    def __call__(self, path: str, method: str) -> Response:
        """The answer to *method* at *path*, which begins with a slash or is empty."""
        if path not in {"/live", "/ready"}:
            return _UNKNOWN
        if method not in {"GET", "HEAD"}:
            return _NOT_ALLOWED
        # One channel that is down is no reason to start us anew, nor to send the calls of all others elsewhere.
        return _LIVE if path == "/live" else self._ready()

    def _ready(self) -> Response:
        report = self._report()
        plain = _READY if report.ready else _NOT_READY
        if not self._details:
            return plain
        # States, and no reasons: those may tell of accounts and servers.
        channels = {name: channel.state for name, channel in report.channels.items()}
        body = json.dumps({"ready": report.ready, "channels": channels}).encode()
        return Response(plain.status, body, {**plain.headers, "content-type": "application/json"})
