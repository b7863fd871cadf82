"""An X that takes every post, and hands out tokens, in a process of its own on loopback: `python -m bench.x.server`."""

from __future__ import annotations

import json
import time

from ..sms.gateway import serve

__all__: list[str] = []

_TAKEN = {"data": {"id": "2080765813578191303", "text": "Thank you, we are on it.", "edit_history_tweet_ids": ["1"]}}
_TOKEN = {"token_type": "bearer", "expires_in": 7200, "access_token": "A" * 90, "refresh_token": "R" * 90}


def _limits() -> list[str]:
    """Roomy ones, in the headers that X sends: to read them is a part of a call."""
    told = {"limit": 999_999_999, "remaining": 999_999_998, "reset": int(time.time()) + 80_000}
    return [f"x-rate-limit-{name}: {value}" for name, value in told.items()]


if __name__ == "__main__":
    serve(json.dumps({**_TAKEN, **_TOKEN}).encode(), *_limits())
