"""Contacts: a person, however they are reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from ._base import Line, Value
from .address import Address

__all__ = ["Contact"]


class Contact(Value):
    """A person.

    Args:
        id: The host's own id for this person.
        addresses: Where they can be reached, the best first.
        name: How they are called.
        preferred: Scheme of the medium that they prefer ("sms"), or None for the order of `addresses`.
        locale: BCP 47, such as "de-AT".
        time_zone: IANA name, such as "Europe/Vienna".
        consents: Per category, whether they agreed; what is missing was never asked.
    """

    id: Line
    addresses: tuple[Address, ...] = ()
    name: Line | None = None
    preferred: Line | None = None
    locale: Line | None = None
    time_zone: Line | None = None
    consents: dict[Line, bool] = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            id: str,
            addresses: Sequence[Address | str] = (),
            name: str | None = None,
            preferred: str | None = None,
            locale: str | None = None,
            time_zone: str | None = None,
            consents: dict[str, bool] = ...,
        ) -> None: ...

    def ordered(self) -> tuple[Address, ...]:
        """The addresses, those of the preferred medium first."""
        return tuple(sorted(self.addresses, key=lambda address: address.scheme != self.preferred))
