"""What tests need: of the library, of adapters and stores, and of applications that use it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .clock import FakeClock

if TYPE_CHECKING:
    from .adapter._contract import AdapterContract
    from .context import FakeContext, outgoing
    from .store import StoreContract

__all__ = ["AdapterContract", "FakeClock", "FakeContext", "StoreContract", "outgoing"]

#: Where the rest is: loaded when it is asked for. Contracts need pytest.
_CONTRACTS = {"AdapterContract": "adapter._contract", "StoreContract": "store"}
_FAKES = {"FakeContext": "context", "outgoing": "context"}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS and name not in _FAKES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = f"{__name__}.{_CONTRACTS.get(name) or _FAKES[name]}"
    if name in _CONTRACTS and module not in sys.modules:
        import pytest

        pytest.register_assert_rewrite(module)  # so that a broken promise shows its values
    found = globals()[name] = getattr(import_module(module), name)
    return found
