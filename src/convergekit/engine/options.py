"""What the engine, rather than the adapter, wants to know about a channel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from convergekit.model import Value

__all__ = ["ChannelOptions", "Rate"]


class Rate(Value):
    """At most `count` parts in any `per` seconds, spread evenly."""

    count: int = Field(ge=1)
    per: float = Field(default=1.0, gt=0)


class ChannelOptions(Value):
    """Settings that every channel has, whatever its medium.

    Args:
        default: Whether this channel is taken where several serve an address.
        on_uncertain: What to do after an outcome that stays unknown: "stop" keeps it for a person; "resend" accepts
            a possible double (alerts).
        degrade: What cannot be carried as it was written is degraded silently ("allow"), degraded and reported
            ("warn"), or refused when something would be lost ("refuse").
        rate: Limit on parts, or None.
        concurrency: Deliveries under way at the same time.
        hold: Seconds for which a waiting message holds up its lane; None takes the adapter's.
        attempts: Tries before a message goes to the dead letters; None takes the adapter's.
        fetch_media: Bytes up to which an attachment that comes in as a URL is fetched and kept; None fetches none.
            Needs an adapter that can (`SupportsMedia`), or `media_hosts`.
        media_hosts: From where it is fetched: host names, "*.example.org" for any below. Whoever writes to us chooses
            the URL, so only what you know; without credentials, and redirects only to one of them.
    """

    default: bool = False
    on_uncertain: Literal["stop", "resend"] = "stop"
    degrade: Literal["allow", "warn", "refuse"] = "warn"
    rate: Rate | None = None
    concurrency: int = Field(default=16, ge=1)
    hold: float | None = Field(default=None, ge=0)
    attempts: int | None = Field(default=None, ge=1)
    fetch_media: int | None = Field(default=None, ge=1)
    media_hosts: tuple[Annotated[str, StringConstraints(pattern=r"^(\*\.)?[0-9A-Za-z_.:-]+$")], ...] = ()
