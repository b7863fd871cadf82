"""The host's own handlers, named on the command line as other tools name an `app`."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from convergekit import Hub, Router
from convergekit.errors import ConfigurationError

__all__ = ["imported"]


def imported(name: str) -> Hub | Router:
    """What `MODULE:NAME` names; modules of the current folder are found as `python -m` finds them.

    Raises:
        ConfigurationError: There is no such module or name, or it is neither a `Hub` nor a `Router`.
    """
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        raise ConfigurationError(f'{name!r} is no MODULE:NAME, such as "shop.messages:router"')
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
    except Exception as exc:
        raise ConfigurationError(f"{module} cannot be imported: {type(exc).__name__}: {exc}") from exc
    for part in path.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, [name for name in dir(found) if name[:1] != "_"], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"there is no {path!r} in {module}{hint}")
        found = getattr(found, part)
    if not isinstance(found, Hub | Router):
        raise ConfigurationError(f"{name} is a {type(found).__name__}; a worker serves a Hub or a Router")
    return found
