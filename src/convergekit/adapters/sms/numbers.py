"""Numbers as gateways write them, and as we do.

Rules kept here:

- An E.164 number, that is one with a +, is kept as it was given: no table of ours knows better than who owns it.
- Digits without a + are a short code (up to eight), a number of the channel's region, or an international one, in the
  order that the gateway's own style suggests. What is none of them for certain is refused rather than guessed.
- Names are senders only (TS 23.040 §9.1.2.5, up to eleven characters): nobody can answer them.
- National numbers need the tables of `phonenumberslite` (the extra `convergekit[sms]`); everything else does without.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from convergekit.errors import InvalidInputError, RejectedError
from convergekit.model import Address, FailureKind

from .profile import Medium

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

__all__ = ["NumberKind", "Style", "can_receive", "kind_of", "read_number", "recipient", "written"]

#: How a gateway writes numbers: "e164" is +4915112345678, "digits" the same without +, "national" as it is dialled
#: inside its country.
Style: TypeAlias = Literal["e164", "digits", "national"]

_E164: Final = re.compile(r"\+[1-9][0-9]{4,14}")  # ITU-T E.164 §6.1: fifteen digits at most
_DIGITS: Final = re.compile(r"[0-9]{2,15}")
_SHORT: Final = 8
_SHORTEST_NATIONAL: Final = 7  # what has less is a short code, even where the tables know a landline like it
_SEPARATORS: Final = re.compile(r"[-.()/ \u00a0]")  # RFC 3966 §5.1.1, and the slash that Germany writes
_PREFIX: Final = re.compile(r"(sms|mms|tel|whatsapp|rcs):", re.IGNORECASE)
_SCHEMES: Final = {"whatsapp": "whatsapp", "rcs": "rcs"}


class NumberKind(StrEnum):
    """What kind of address a number is."""

    E164 = "e164"
    """An international number: + and up to fifteen digits."""
    SHORT_CODE = "short_code"
    """Up to eight digits, which mean something in one country only."""
    NATIONAL = "national"
    """More digits without a +: of some country, which has to be known from elsewhere."""
    ALPHANUMERIC = "alphanumeric"
    """A name of up to eleven characters; it sends, and cannot receive."""


def kind_of(number: str) -> NumberKind:
    """What *number* is, as it stands behind `sms:`.

    Raises:
        InvalidInputError: It is none of them.
    """
    if _E164.fullmatch(number):
        return NumberKind.E164
    if _DIGITS.fullmatch(number):
        return NumberKind.SHORT_CODE if len(number) <= _SHORT else NumberKind.NATIONAL
    if len(number) <= 11 and number.isprintable() and any(map(str.isalpha, number)):
        return NumberKind.ALPHANUMERIC
    raise InvalidInputError(f"{_shown(number)} is neither a number like +4915112345678, nor a short code, nor a name")


def can_receive(number: str) -> bool:
    """Whether somebody can be written to at *number*: not at a name, and not at what is no number."""
    try:
        return kind_of(number) is not NumberKind.ALPHANUMERIC
    except InvalidInputError:
        return False


def written(number: str, style: Style = "e164", region: str | None = None) -> str:
    """*number* as a gateway wants it: of a recipient, or of ours.

    Args:
        number: As it stands behind `sms:`. Short codes and names stay as they are.
        style: How this gateway writes international numbers.
        region: Whose national numbers are meant (ISO 3166, "DE"), or None where all have a +.

    Raises:
        RejectedError: Of the kind `invalid_address`: it cannot be written so. The text says what to do about it.
    """
    number = _without_00(number)
    try:
        kind = kind_of(number)
    except InvalidInputError as exc:
        raise _rejected(str(exc)) from None
    if kind in (NumberKind.SHORT_CODE, NumberKind.NATIONAL):
        number = _international(number, kind, region)
    if style == "e164" or not number.startswith("+"):
        return number
    return number[1:] if style == "digits" else _dialled_at_home(number, region)


def recipient(number: str, style: Style = "e164", region: str | None = None) -> str:
    """The same for whom a message goes to; a name is refused.

    Raises:
        RejectedError: As `written`, and for a name.
    """
    plain = written(number, style, region)
    if not can_receive(plain):
        raise _rejected(f"{_shown(number)} is a sender's name, which cannot receive; write to a number")
    return plain


def read_number(raw: str, *, medium: Medium = "sms", style: Style = "e164", region: str | None = None) -> Address:
    """The address that a gateway means by *raw*: "whatsapp:+4915112345678", "004915112345678", "12345", "O2-Info".

    Args:
        raw: As it came, with or without a prefix that says the medium, a + and separators.
        medium: By which it came where a prefix does not say; MMS has the addresses of SMS.
        style: How this gateway writes international numbers, which settles what digits without a + are.
        region: Whose national numbers may come (ISO 3166), or None.

    Raises:
        InvalidInputError: It is no number and no name; the text shows at most the beginning of it.
    """
    text = raw.strip()
    if prefix := _PREFIX.match(text):
        text, medium = text[prefix.end() :].strip(), prefix[1].lower()  # type: ignore[assignment]  # one of `Medium`, or a synonym of sms  # pyright: ignore[reportAssignmentType]
    scheme = _SCHEMES.get(medium, "sms")
    plain = _without_00(_SEPARATORS.sub("", text))
    if not _DIGITS.fullmatch(plain):
        kind_of(plain if plain.startswith("+") else text)  # a name stays as it is: "O2-Info"
        return Address.build(scheme, plain if plain.startswith("+") else text)
    return Address.build(scheme, _completed(plain, style, region))


def _completed(digits: str, style: Style, region: str | None) -> str:
    """*digits* with what they lack, as far as that is known."""
    as_it_is = digits if len(digits) <= _SHORT or digits[0] == "0" else "+" + digits
    national = _valid(digits, region) if region and len(digits) >= _SHORTEST_NATIONAL else None
    if national is None or style == "national":
        return national or as_it_is
    if style == "digits":
        return as_it_is if _valid(as_it_is, None) == as_it_is else national
    # Whoever leaves out the 0 of 0151... has left out a + instead.
    return national if _dialled_at_home(national, None) == digits else as_it_is


def _international(number: str, kind: NumberKind, region: str | None) -> str:
    if region and len(number) >= _SHORTEST_NATIONAL and (found := _valid(number, region)):
        return found
    if kind is NumberKind.SHORT_CODE:
        return number
    if region is None:
        raise _rejected(f"{_shown(number)} has no +, and the channel no `region` to say whose number it is")
    if not _has_tables():
        raise _rejected(f"{_shown(number)} has no +; national numbers need `pip install convergekit[sms]`")
    raise _rejected(f"{_shown(number)} has no +, and is no number of {region}")


def _dialled_at_home(number: str, region: str | None) -> str:
    """As it is dialled inside its country, with the 0 that some put in front."""
    if not _has_tables():
        raise _rejected("this gateway takes national numbers, which need `pip install convergekit[sms]`")
    import phonenumbers

    parsed = _parsed(number, None)
    if parsed is None or (region and phonenumbers.country_code_for_region(region) != parsed.country_code):
        raise _rejected(f"{_shown(number)} is no number of {region or 'any country'}, and this gateway takes no other")
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.sub(r"[^0-9]", "", national)


def _valid(number: str, region: str | None) -> str | None:
    """*number* in E.164, where the tables know it for certain."""
    if (parsed := _parsed(number, region)) is None:
        return None
    import phonenumbers

    if not phonenumbers.is_valid_number(parsed) or parsed.extension:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _parsed(number: str, region: str | None) -> PhoneNumber | None:
    if not _has_tables():
        return None
    import phonenumbers

    try:
        return phonenumbers.parse(number, region and region.upper())
    except phonenumbers.NumberParseException:
        return None


def _has_tables() -> bool:
    try:
        import phonenumbers  # noqa: F401 - an extra; imported only where a number needs it
    except ModuleNotFoundError:
        return False
    return True


def _without_00(number: str) -> str:
    """ITU-T E.123: 00 is what most countries dial for the +."""
    return "+" + number[2:] if _E164.fullmatch("+" + number[2:]) and number.startswith("00") else number


def _rejected(why: str) -> RejectedError:
    return RejectedError(why, kind=FailureKind.INVALID_ADDRESS)


def _shown(number: str) -> str:
    return ascii(number if len(number) <= 20 else number[:17] + "...")
