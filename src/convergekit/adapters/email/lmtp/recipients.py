"""Whose mail is taken."""

from __future__ import annotations

from collections.abc import Sequence

from convergekit.errors import InvalidInputError

from ..config import addr_spec

__all__ = ["Recipients"]


class Recipients:
    """Tells whether mail to an address is taken; upper and lower case are one, and so are both forms of a domain.

    Args:
        entries: `support@example.org`, which stands for `support+anything@example.org` too; `@example.org`. None
            at all takes everybody: then the mail server in front knows best.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = frozenset(_split(entry) for entry in entries)

    def __contains__(self, address: str) -> bool:
        if not self._entries:
            return True
        try:
            local, domain = _split(address)
        except InvalidInputError:
            return False
        return not self._entries.isdisjoint({(local, domain), (local.partition("+")[0], domain), ("", domain)})


def _split(address: str) -> tuple[str, str]:
    """Local part and domain; the first is "" for a whole domain."""
    whole = address.startswith("@")
    local, _, domain = addr_spec(f"any{address}" if whole else address).lower().rpartition("@")
    return "" if whole else local, domain
