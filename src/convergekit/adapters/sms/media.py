"""By which medium an address is written to, and what that is to a profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from convergekit.abc import Outgoing
from convergekit.model import Address

from .profile import Medium, VariantName

__all__ = ["SCHEMES", "WayName", "medium_of", "way_of"]

#: How a profile has a message go: its `send` as it is, or with a variant laid over it.
WayName: TypeAlias = Literal["sms"] | VariantName

#: By which medium an address of a scheme is written to, without files.
SCHEMES: Final[Mapping[str, Medium]] = MappingProxyType(
    {"sms": "sms", "tel": "sms", "whatsapp": "whatsapp", "rcs": "rcs"}
)
_WITH_FILES: Final[Mapping[Medium, WayName]] = {"whatsapp": "whatsapp-media", "rcs": "rcs-media"}


def medium_of(address: Address, has_files: bool) -> Medium:
    """By which medium a message to *address* goes."""
    medium = SCHEMES.get(address.scheme, "sms")
    return "mms" if has_files and medium == "sms" else medium


def way_of(out: Outgoing) -> WayName:
    """What *out* is to a gateway: a medium, with or without files."""
    has_files = bool(out.part.attachments)
    medium = medium_of(out.to, has_files)
    return _WITH_FILES.get(medium, medium) if has_files else medium
