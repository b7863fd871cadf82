"""Every promise of an adapter, asked in one test: what is wrong is told whole, and what is not is not counted.

A test of its own for each promise is `AdapterContract`; for the thirteenth adapter of one kind that is thousands of
tests more, half of them skipped.
"""

from collections.abc import Callable

from convergekit.testing.adapter import Subject, Verdict, verify

__all__ = ["broken_promises"]


def broken_promises(make: Callable[[], Subject], backend: str) -> list[str]:
    """What an adapter does not keep on the event loop *backend*; something must have been kept."""
    results = list(verify(make, backends=[backend]))
    assert any(result.verdict is Verdict.KEPT for result in results)
    return [str(result) for result in results if not result.is_good]
