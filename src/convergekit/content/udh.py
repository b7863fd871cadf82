"""The user data header of an SMS: which part of a longer message it is, and which national tables it is written in.

Rules kept here (3GPP TS 23.040 §9.2.3.24):

- A header whose elements do not fill its length exactly is ignored as a whole; nothing raises.
- An element that makes no sense is ignored: a part 0, a part beyond the last one.
- Of an element that is there twice the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .gsm7 import ReferenceBits

__all__ = ["Concatenation", "UserDataHeader", "read_header"]

_CONCATENATED_8: Final = 0x00  # §9.2.3.24.1
_CONCATENATED_16: Final = 0x08  # §9.2.3.24.8
_SINGLE_SHIFT: Final = 0x24  # §9.2.3.24.15
_LOCKING_SHIFT: Final = 0x25  # §9.2.3.24.16


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of a longer message something is.

    Args:
        reference: What its parts share: 0 to 255, or 65535.
        total: How many there are, 1 to 255.
        number: Which it is, from 1.
        reference_bits: Of `reference`.
    """

    reference: int
    total: int
    number: int
    reference_bits: ReferenceBits = 8

    def __post_init__(self) -> None:
        if not 0 <= self.reference < 1 << self.reference_bits or not 1 <= self.number <= self.total <= 255:
            raise ValueError(
                f"there is no part {self.number} of {self.total} with the reference {self.reference}: parts are "
                f"counted from 1 to at most 255, and a reference has {self.reference_bits} bits"
            )

    def to_header(self) -> bytes:
        """As a user data header with nothing else in it, its length in front: six octets, or seven."""
        size = self.reference_bits // 8
        kind = _CONCATENATED_8 if size == 1 else _CONCATENATED_16
        content = self.reference.to_bytes(size, "big") + bytes((self.total, self.number))
        return bytes((len(content) + 2, kind, len(content))) + content


@dataclass(frozen=True, slots=True)
class UserDataHeader:
    """What a header says.

    Args:
        size: Of the header in octets, its length octet included; the text begins behind it.
        concatenation: Which part it is, or None for a message of its own.
        single_shift: Number of the national language whose extension table is meant (TS 23.038 §6.2.1.2.4), or 0.
        locking_shift: Likewise for the basic table.
    """

    size: int = 0
    concatenation: Concatenation | None = None
    single_shift: int = 0
    locking_shift: int = 0


def read_header(data: bytes) -> UserDataHeader:
    """Read the header at the beginning of *data*; what cannot be read says nothing.

    Args:
        data: From the length octet on; what lies behind the header is not looked at.
    """
    if not data or len(data) <= data[0]:
        return UserDataHeader()
    size = data[0] + 1
    elements = dict(_elements(data[1:size]))
    return UserDataHeader(
        size=size,
        concatenation=_concatenation(elements),
        single_shift=_octet(elements.get(_SINGLE_SHIFT)),
        locking_shift=_octet(elements.get(_LOCKING_SHIFT)),
    )


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each with its identifier; none of them, where they do not come out even."""
    found, at = [], 0
    while at + 2 <= len(content):
        end = at + 2 + content[at + 1]
        found.append((content[at], content[at + 2 : end]))
        at = end
    yield from found if at == len(content) else ()


def _concatenation(elements: dict[int, bytes]) -> Concatenation | None:
    for kind, bits in ((_CONCATENATED_16, 16), (_CONCATENATED_8, 8)):
        content = elements.get(kind, b"")
        if len(content) == bits // 8 + 2 and 1 <= content[-1] <= content[-2]:
            return Concatenation(int.from_bytes(content[:-2], "big"), content[-2], content[-1], 16 if bits == 16 else 8)
    return None


def _octet(content: bytes | None) -> int:
    return content[0] if content is not None and len(content) == 1 else 0
