"""What is called meanwhile in C, and by whom."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["calls_in_c", "packages_of"]


@contextmanager
def calls_in_c(see: Callable[[FrameType, Any], None]) -> Generator[None]:
    """*see* gets each function of C that is called in this thread, and the frame that calls it."""

    def hook(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            see(frame, function)

    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(before)


def packages_of(adapter: type[Any]) -> Callable[[FrameType], bool]:
    """Whether a frame is of the code of *adapter*: of a module beside that of its class, or of a base of it."""
    modules = {each.__module__ for each in adapter.__mro__}
    packages = {each.rpartition(".")[0] or each for each in modules}
    packages -= {"builtins", "abc", "typing", "convergekit.abc"} | {each for each in packages if each[:6] == "anyio."}

    def is_theirs(frame: FrameType) -> bool:
        name = str(frame.f_globals.get("__name__"))
        return any(f"{name}.".startswith(f"{package}.") for package in packages)

    return is_theirs
