"""Groups of fields, as reports have them (RFC 3464 §2.1), from whoever keeps to the RFC and from whoever does not.

What is seen in the wild and read all the same: names in any case, blank lines that are missing between groups or stand
within one, lines that go on without being indented, addresses without their type, without their brackets or with both.
Whatever is read, it ends: a report has bounds on its groups, its fields and their length, beyond which nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from convergekit.errors import InvalidInputError
from convergekit.model import Address

from ..reading.headers import printable

__all__ = ["Fields", "address_in", "groups", "line", "xtext_decoded"]

#: By name, in lower case. The first of each counts.
Fields = dict[str, str]

#: One mail of ours has one recipient; only lists that pass it on report on several.
_MOST_GROUPS: Final = 100
_MOST_FIELDS: Final = 100
_LONGEST_REPORT: Final = 262_144
_LONGEST_VALUE: Final = 2_000
_LONGEST_ADDRESS: Final = 1_000

_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,60})[ \t]*:(.*)", re.DOTALL)
_RECIPIENTS: Final = frozenset({"final-recipient", "original-recipient"})
#: What is said of a recipient, and so has no meaning in a group without one (RFC 3464 §2.3).
_OF_RECIPIENT: Final = frozenset(
    {"action", "status", "remote-mta", "diagnostic-code", "last-attempt-date", "final-log-id", "will-retry-until"}
)
_COMMENT: Final = re.compile(r"\([^()]{0,200}\)")
_ROUTE: Final = re.compile(r"@[^:@,]{1,253}(?:,@[^:@,]{1,253}){0,10}:")  # RFC 5321 §4.1.1.3: to be passed over
_ADDRESS_TYPES: Final = frozenset({"rfc822", "utf-8", "smtp", "internet", "unknown", ""})
_UTF8_ADDR: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533 §3: utf-8-addr-xtext
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")  # RFC 3461 §4


def groups(text: str) -> list[Fields]:
    """The groups of fields in *text*, in order, without empty ones.

    Args:
        text: A report, decoded. What is no field, and goes on none, is passed over.

    Returns:
        At most a hundred groups and one, which stand for a mail and its recipients where the report is in order.
    """
    found: list[Fields] = []
    name, is_parted = "", False
    lines = text[:_LONGEST_REPORT].splitlines()
    margin = next((_indent(each) for each in lines if each.strip()), 0)
    for raw in lines:
        if not raw.strip():
            name, is_parted = "", True
            continue
        field = None if _indent(raw) > margin and name else _FIELD.match(raw.strip())
        if field is None:
            if name and len(found[-1][name]) < _LONGEST_VALUE:  # folded, or broken in two
                found[-1][name] += " " + raw.strip()[:_LONGEST_VALUE]
            continue
        name = field[1].lower()
        if not found or _begins(found[-1], name, is_parted=is_parted):
            if len(found) > _MOST_GROUPS:
                break
            found.append({})
        is_parted = False
        if name in found[-1] or len(found[-1]) >= _MOST_FIELDS:
            name = ""
        else:
            found[-1][name] = field[2].strip()[:_LONGEST_VALUE]
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _begins(group: Mapping[str, str], name: str, *, is_parted: bool) -> bool:
    """Whether the field *name* is of another group than the last."""
    if name in _OF_RECIPIENT:
        return name in group  # else it speaks of the recipient before it, whatever blank lines stand between
    if name in _RECIPIENTS:
        is_complete = not group.keys().isdisjoint({"action", "status"}) and not group.keys().isdisjoint(_RECIPIENTS)
        return name in group or is_complete or (is_parted and group.keys().isdisjoint(_RECIPIENTS))
    return is_parted


def line(value: str, *, longest: int = 500) -> str:
    """*value* as one line without control characters, at most *longest* characters."""
    return " ".join(printable(value[: 4 * longest]).split())[:longest]


def address_in(value: str) -> Address | None:
    """The address in a field such as `rfc822; ann@example.org`; None where it is none of mail's.

    Source:
        RFC 3464 §2.1.2, RFC 6533 §3 and §4.
    """
    kind, parted, rest = value[:_LONGEST_ADDRESS].partition(";")
    if not parted:
        kind, rest = "", value[:_LONGEST_ADDRESS]
    if kind.strip().lower() not in _ADDRESS_TYPES:
        return None
    _, opened, inner = rest.partition("<")
    rest = inner.partition(">")[0] if opened else _COMMENT.sub("", rest)
    rest = _ROUTE.sub("", _UTF8_ADDR.sub(_character, rest.strip()), count=1).removeprefix("mailto:")
    try:
        return Address.build("mailto", rest)
    except InvalidInputError:
        return None


def xtext_decoded(address: Address) -> Address:
    """*address* as it was before somebody wrote it as xtext (RFC 3461 §4); as it is where that makes no address."""
    local, _, domain = address.value.rpartition("@")
    try:
        return Address.build("mailto", f"{_XTEXT.sub(lambda code: chr(int(code[1], 16)), local)}@{domain}")
    except InvalidInputError:
        return address


def _character(code: re.Match[str]) -> str:
    number = int(code[1], 16)
    return chr(number) if number < 0x110000 else code[0]
