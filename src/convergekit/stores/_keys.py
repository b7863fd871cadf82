"""A caller's key is unique with the recipient, for good: what every store says to other content under it."""

from __future__ import annotations

from convergekit.errors import KeyConflictError
from convergekit.model import Dispatch

__all__ = ["check_content"]


def check_content(dispatch: Dispatch, there: str) -> None:
    """Let *dispatch* find what is stored under its key, with the fingerprint *there*, if that is the same content.

    What a handler submits finds what an earlier run of it has said, whatever that was.

    Raises:
        KeyConflictError: It is not.
    """
    if dispatch.origin is None and there != dispatch.fingerprint:
        raise KeyConflictError(f"the key {dispatch.key!r} was used before, to the same recipient, for other content")
