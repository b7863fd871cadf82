"""What tests need: of the library, of adapters, and of applications that use it."""

from __future__ import annotations

from .clock import FakeClock

__all__ = ["FakeClock"]
