"""What `search` and `export` ask the archive for."""

from __future__ import annotations

import argparse
from typing import Any

from convergekit.abc import Found
from convergekit.errors import ConfigurationError, InvalidInputError
from convergekit.model import Address

__all__ = ["addresses", "line", "query"]

_BEFORE, _LENGTH = 30, 100


def query(args: argparse.Namespace) -> dict[str, Any]:
    """The filters, as `Archive.search` takes them."""
    return {
        "contact": addresses(args.contact) if args.contact else None,
        "conversation": args.conversation,
        "channel": args.channel,
        "since": args.since,
        "until": args.until,
        "direction": args.direction,
    }


def addresses(uris: list[str]) -> list[Address]:
    """Raises `ConfigurationError` for what is no address: it was typed."""
    try:
        return [Address.parse(uri) for uri in uris]
    except InvalidInputError as exc:
        raise ConfigurationError(str(exc)) from None


def line(found: Found) -> str:
    """One line for a person: when, which way, by what channel, who, and the text around the first hit."""
    arrow = "<-" if found.direction == "in" else "->"
    who = "-" if found.address is None else str(found.address)
    at = found.at.astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    return f"{at}  {arrow} {found.channel}  {who}  {_excerpt(found)}"


def _excerpt(found: Found) -> str:
    start = max(0, found.highlights[0][0] - _BEFORE) if found.highlights else 0
    text = found.text[start : start + _LENGTH]
    shown = ("…" if start else "") + text + ("…" if start + _LENGTH < len(found.text) else "")
    # A terminal obeys control characters, and what others wrote is not for it to obey.
    return "".join(char if char.isprintable() else " " for char in shown).strip()
