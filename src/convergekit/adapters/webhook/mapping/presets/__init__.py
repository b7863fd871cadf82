"""The systems that are known by name: TOML files beside this module, and how they are read."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from convergekit.errors import ConfigurationError

from ..rules import Ids, Rule, Templates

__all__ = ["Preset", "load", "names"]

_HERE: Final = Path(__file__).parent


class Preset(BaseModel):
    """What one system sends.

    Args:
        title: What it is called.
        documentation: Where the provider tells what it sends; None where there is no provider.
        scheme: How it signs, as the setting has it; None where that is for whoever sets it up to choose.
        call_id: What tells its calls from each other; none where the scheme knows.
        call_name: What its events are called that no rule maps.
        messages: Its rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    documentation: str | None = None
    scheme: str | dict[str, str] | None = None
    call_id: Ids = ()
    call_name: Templates = ()
    messages: tuple[Rule, ...] = ()


def names() -> list[str]:
    """Every system that is known by name; reads none of them."""
    return sorted(path.stem for path in _HERE.glob("*.toml"))


@cache
def load(name: str) -> Preset:
    """The preset called *name*.

    Raises:
        ConfigurationError: There is none; names the nearest.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        raise ConfigurationError(f"no preset is called {name[:80]!a}; {hint} Rules of your own are `messages`")
    return Preset.model_validate(tomllib.loads((_HERE / f"{name}.toml").read_text("utf-8")))
