"""What an adapter has, as its class shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from convergekit import abc
from convergekit.abc import Listens, Polls, ReceivesWebhooks

__all__ = ["PROTOCOLS", "implements", "lacking"]

#: Everything that an adapter may have beside `send`, and how one says that it has not.
PROTOCOLS: Final[Mapping[type[Any], str]] = {
    Listens: "does not listen",
    Polls: "does not poll",
    ReceivesWebhooks: "receives no webhooks",
    **{
        getattr(abc, name): f"has no {name.removeprefix('Supports').lower()}"
        for name in abc.__all__
        if name.startswith("Supports")
    },
}


def implements(adapter: type[Any], protocol: type[Any]) -> bool:
    """Whether *adapter* has every method of *protocol*. What is no method is looked for in instances only."""
    methods = [name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")]
    return all(callable(getattr(adapter, name, None)) for name in methods)


def lacking(adapter: type[Any], *protocols: type[Any]) -> str | None:
    """In words, which of *protocols* the adapter has not; None where it has all."""
    lacks = [PROTOCOLS[protocol] for protocol in protocols if not implements(adapter, protocol)]
    return f"the adapter {' and '.join(lacks)}" if lacks else None
