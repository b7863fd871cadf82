"""Comments as GitHub tells of them, signed as it signs; for what reads them by rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from pydantic import SecretStr

from convergekit.adapters.webhook import WebhookConfig
from convergekit.http.signatures import GitHub

__all__ = ["CONFIG", "Comments"]

SECRET = SecretStr("a secret that GitHub knows")
CONFIG = WebhookConfig(preset="github", secrets=(SECRET,))


def _user(name: str) -> dict[str, Any]:
    """With the dozen URLs that each user has, there."""
    api = f"https://api.github.com/users/{name}"
    ways = ("followers", "following{/other_user}", "gists{/gist_id}", "starred{/owner}{/repo}", "subscriptions")
    ways += ("orgs", "repos", "events{/privacy}", "received_events")
    urls = {f"{way.partition('{')[0]}_url": f"{api}/{way}" for way in ways}
    return {"login": name, "id": 1, "type": "User", "url": api, "html_url": f"https://github.com/{name}", **urls}


def _comment(number: int) -> dict[str, Any]:
    """About six kilobytes, as most of them are."""
    ann = _user(f"ann{number % 500}")
    issue = f"https://github.com/lamp/parcel/issues/{number % 500}"
    at = "2026-01-01T12:00:00Z"
    comment = {"id": number, "node_id": f"IC_{number}", "html_url": f"{issue}#issuecomment-{number}", "user": ann}
    comment |= {"created_at": at, "updated_at": at, "body": f"Is order {number} on its way?"}
    api = "https://api.github.com/repos/lamp/parcel"
    repository = {"id": 7, "full_name": "lamp/parcel", "html_url": "https://github.com/lamp/parcel", "owner": ann}
    repository |= {f"way{each}_url": f"{api}/way{each}{{/sha}}" for each in range(40)}
    about = {"number": number % 500, "title": "Orders", "html_url": issue, "user": ann, "body": "All of them."}
    return {"action": "created", "issue": about, "comment": comment, "repository": repository, "sender": ann}


class Comments:
    """Makes calls that are all different, of five hundred senders in turn."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._scheme = GitHub((SECRET,))

    def __call__(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The next one: its header fields, as a server hands them on, and its body."""
        number = next(self._numbers)
        body = json.dumps(_comment(number)).encode()
        fields = {
            "host": "hooks.example.org",
            "user-agent": "GitHub-Hookshot/1",
            "accept": "*/*",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "x-github-event": "issue_comment",
            **self._scheme.sign(f"delivery-{number:012}", datetime.now(UTC), body),
        }
        return [(name.encode(), value.encode()) for name, value in fields.items()], body
