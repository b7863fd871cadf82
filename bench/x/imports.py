"""X costs nothing until it is used."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Effort, Line
from ..without import lines

__all__ = ["run"]


async def run(effort: Effort) -> Iterator[Line]:
    """What a host loads that has another channel."""
    foreign = ("convergekit.adapters.x", "/adapters/x/", "/twitter_text/", "/tweepy/", "/aiohttp/")
    return await lines(effort, "x", "modules of X, of its rules of text and of tweepy", foreign)
