"""What tests need: of the library, of adapters and stores, and of applications that use it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .clock import FakeClock

if TYPE_CHECKING:
    from .store import StoreContract

__all__ = ["FakeClock", "StoreContract"]

#: What needs pytest, and where it is: loaded when it is asked for.
_CONTRACTS = {"StoreContract": "store"}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    module = f"{__name__}.{_CONTRACTS[name]}"
    if module not in sys.modules:
        pytest.register_assert_rewrite(module)  # so that a broken promise shows its values
    found = globals()[name] = getattr(import_module(module), name)
    return found
