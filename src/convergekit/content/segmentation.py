"""What a text takes up as SMS, before it is sent: how many segments, how much room is left, what it costs.

`split_segments` cuts as a gateway does, between characters and not between words, since the handset puts the segments
together again. Parts that are to be read one by one are cut by `convergekit.content.split`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from . import gsm7
from .gsm7 import ReferenceBits

__all__ = ["Segmentation", "segmentation", "split_segments"]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a text takes up.

    Args:
        alphabet: "gsm7", or "ucs2" where one character is outside of it.
        count: Segments; at least 1. More than 255 are no one message any more (TS 23.040 §9.2.3.24.1).
        used: Septets, or UTF-16 code units.
        room: How many that many segments hold.
        left: How many can be added before there is another segment; less than `room - used` where the end of a
            segment was too small for what came next.
    """

    alphabet: Literal["gsm7", "ucs2"]
    count: int
    used: int
    room: int
    left: int

    def cost(self, price: Decimal | int | str) -> Decimal:
        """What sending it costs.

        Args:
            price: Of one segment, in any currency; a `float` is refused, since it is no amount of money.
        """
        if isinstance(price, float):
            raise TypeError("a price is a Decimal, or the same as text: '0.0075'")
        return self.count * Decimal(price)


def segmentation(text: str, *, reference_bits: ReferenceBits = 8) -> Segmentation:
    """Count what *text* takes up as one SMS, concatenated where it has to be. Linear in the text.

    Args:
        text: As it is sent; nothing is replaced.
        reference_bits: Of the number that the segments share: 8 is what gateways use, 16 takes one octet more.

    Source:
        3GPP TS 23.038 §6.2, TS 23.040 §9.2.3.24.1 and §9.2.3.24.8; `convergekit.content.gsm7` has the rules.
    """
    ends = gsm7.segment_ends(text, reference_bits=reference_bits)
    is_gsm = gsm7.is_gsm7(text)
    each = (gsm7.SINGLE if len(ends) == 1 else gsm7.CONCATENATED[reference_bits])[0 if is_gsm else 1]
    last = text[ends[-2] if len(ends) > 1 else 0 :]
    return Segmentation(
        alphabet="gsm7" if is_gsm else "ucs2",
        count=len(ends),
        used=_size(text, is_gsm),
        room=each * len(ends),
        left=each - _size(last, is_gsm),
    )


def split_segments(text: str, *, reference_bits: ReferenceBits = 8) -> tuple[str, ...]:
    """The segments of *text*; joined together they are *text* again.

    Neither the two septets of a character of the extension table, nor a surrogate pair, nor a grapheme cluster that
    fits into a segment is divided. In the GSM alphabet every character is a cluster, CR and LF too.

    Args:
        text: As it is sent.
        reference_bits: As for `segmentation`.

    Returns:
        At least one, as many as `segmentation` counts. All of them are in one alphabet, that of the whole text.
    """
    ends = gsm7.segment_ends(text, reference_bits=reference_bits)
    return tuple(text[start:end] for start, end in pairwise((0, *ends)))


def _size(text: str, is_gsm: bool) -> int:
    return (gsm7.septets(text) or 0) if is_gsm else len(text.encode("utf-16-le")) // 2
