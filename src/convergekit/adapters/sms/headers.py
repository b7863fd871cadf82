"""The headers of a request, as far as a profile says them. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from convergekit.errors import ConfigurationError, UnsupportedContentError
from convergekit.http import is_header

from .profile import Fetch, Send
from .templates import Template, compiled

__all__ = ["Headers"]

_EMPTY: Final = Template(frozenset(), lambda values: "")


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers that are ready to be filled; names in lower case.

    Args:
        fixed: Those that are the same for every message.
        open: The others.
    """

    fixed: Mapping[str, str]
    open: Mapping[str, Template]

    @classmethod
    def of(cls, part: Send | Fetch, settings: Mapping[str, str], where: str) -> Headers:
        """Those of a *part* of a profile, which stands at *where*.

        Raises:
            ConfigurationError: With what the account says, one of them is none.
        """
        fixed, opened = dict[str, str](), dict[str, Template]()
        for name, value in part.headers.items():
            template = compiled(value, settings)
            if template.names:
                opened[name.lower()] = template
            elif (said := template.fill({})) is not None:
                fixed[name.lower()] = said
        if part.basic is not None and (basic := _basic(part.basic, settings, where)) is not None:
            fixed["authorization"] = basic
        for name, value in fixed.items():
            if not is_header(name, value):
                raise ConfigurationError(
                    f"{where}.headers.{name}: with what the account says, it is no header: one line of ASCII"
                )
        return cls(fixed, opened)

    @property
    def names(self) -> frozenset[str]:
        """The placeholders that are open."""
        return frozenset[str]().union(*(each.names for each in self.open.values()))

    def filled(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Those of `open` that have a value; raises `UnsupportedContentError` where one would not be one line."""
        headers = {name: value for name, each in self.open.items() if (value := each.fill(values)) is not None}
        if not all(is_header(name, value) for name, value in headers.items()):
            raise UnsupportedContentError("a header of this message would not be one line of ASCII")
        return headers


def _basic(pair: tuple[str, str], settings: Mapping[str, str], where: str) -> str | None:
    """RFC 7617 §2; None where the account does not say both."""
    user, password = (compiled(each, settings) if each else _EMPTY for each in pair)
    if user.names or password.names:
        raise ConfigurationError(f"{where}.basic: user name and password are settings of the account")
    name, secret = user.fill({}), password.fill({})
    if name is None or secret is None:
        return None
    if ":" in name:
        raise ConfigurationError(f"{where}.basic: a user name has no colon in it")
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode("ascii")
