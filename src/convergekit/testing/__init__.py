"""What tests need: of the library, of adapters and stores, and of applications that use it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .adapter._contract import AdapterContract
    from .clock import FakeClock
    from .context import FakeContext, outgoing
    from .recording import Inbound, LoopbackAdapter, Medium, RecordingHub, Sent
    from .store import StoreContract
    from .x import XServer

__all__ = [
    "AdapterContract",
    "FakeClock",
    "FakeContext",
    "Inbound",
    "LoopbackAdapter",
    "Medium",
    "RecordingHub",
    "Sent",
    "StoreContract",
    "XServer",
    "outgoing",
]

#: Where each name is: loaded when it is asked for. Contracts need pytest.
_WHERE: Final = {
    "AdapterContract": "adapter._contract",
    "StoreContract": "store",
    "FakeClock": "clock",
    "XServer": "x",
    **dict.fromkeys(("FakeContext", "outgoing"), "context"),
    **dict.fromkeys(("Inbound", "LoopbackAdapter", "Medium", "RecordingHub", "Sent"), "recording"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = f"{__name__}.{_WHERE[name]}"
    if name.endswith("Contract") and module not in sys.modules:
        import pytest

        pytest.register_assert_rewrite(module)  # so that a broken promise shows its values
    found = globals()[name] = getattr(import_module(module), name)
    return found
