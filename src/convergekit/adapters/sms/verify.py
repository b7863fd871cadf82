"""Proof that a gateway's call is genuine: named schemes."""

from __future__ import annotations

from .profile import Profile

__all__ = ["problems"]


def problems(profile: Profile) -> list[str]:
    """What is wrong with how *profile* says that its calls are verified, each with its key."""
    return []
