"""Gateways cost nothing until one is used."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Effort, Line
from ..without import lines

__all__ = ["run"]


async def run(effort: Effort) -> Iterator[Line]:
    """What a host loads that has another channel."""
    foreign = ("convergekit.adapters.sms", "/adapters/sms/", ".toml")
    return await lines(effort, "sms", "modules and profiles of SMS", foreign)
