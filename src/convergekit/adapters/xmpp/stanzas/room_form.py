"""The settings of a room: a form (XEP-0004) that each server fills with fields of its own (XEP-0045 §10.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.errors import ConfigurationError

from ..jids import address_of, jid_of
from .namespaces import NS, tag

__all__ = ["OPTIONS", "Field", "fields_for", "form_cancel", "form_query", "form_submit", "read_form"]

_PREFIX: Final = "muc#roomconfig_"

#: Options by our names, and what they are on the wire: the first that the form has.
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "archive": (f"{_PREFIX}enablearchiving", "mam", f"{_PREFIX}mam"),
    "description": (f"{_PREFIX}roomdesc",),
    "logged": (f"{_PREFIX}enablelogging",),
    "max_users": (f"{_PREFIX}maxusers",),
    "members_only": (f"{_PREFIX}membersonly",),
    "moderated": (f"{_PREFIX}moderatedroom",),
    "password": (f"{_PREFIX}roomsecret",),
    "persistent": (f"{_PREFIX}persistentroom",),
    "public": (f"{_PREFIX}publicroom",),
    "title": (f"{_PREFIX}roomname",),
}
_PROTECTED: Final = f"{_PREFIX}passwordprotectedroom"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Args:
        var: Its name on the wire.
        kind: "boolean", "text-single", "list-single" ...
        options: What a list has to choose from.
    """

    var: str
    kind: str = "text-single"
    options: tuple[str, ...] = ()


def form_query(room: str) -> Element:
    """Ask for the settings of *room*."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "get", "to": jid_of(address_of(room))})
    SubElement(iq, tag(NS.MUC_OWNER, "query"))
    return iq


def read_form(iq: Element) -> dict[str, Field]:
    """The fields of the answer to `form_query`, by their names on the wire."""
    form = iq.find(f"{tag(NS.MUC_OWNER, 'query')}/{tag(NS.DATA, 'x')}")
    fields = () if form is None else form.findall(tag(NS.DATA, "field"))[:200]
    found = (_field(each) for each in fields if each.get("type") not in ("fixed", "hidden"))
    return {field.var: field for field in found if field.var and field.var != "FORM_TYPE"}


def _field(element: Element) -> Field:
    values = element.findall(f"{tag(NS.DATA, 'option')}/{tag(NS.DATA, 'value')}")
    options = tuple(value.text or "" for value in values)
    return Field(element.get("var", ""), element.get("type", "text-single"), options)


def fields_for(options: Mapping[str, Any], form: Mapping[str, Field]) -> dict[str, tuple[str, ...]]:
    """What to submit, for *options* by our names, or by those of the form with or without their prefix.

    Raises:
        ConfigurationError: The form has no such field, or the field does not take the value; with what it does have.
    """
    wanted: dict[str, tuple[str, ...]] = {}
    for name, value in options.items():
        field = _found(name, form)
        wanted[field.var] = _written(name, value, field)
    if wanted.get(f"{_PREFIX}roomsecret") and _PROTECTED in form:
        wanted.setdefault(_PROTECTED, ("1",))
    return wanted


def _found(name: str, form: Mapping[str, Field]) -> Field:
    for var in (*OPTIONS.get(name, ()), name, _PREFIX + name):
        if var in form:
            return form[var]
    raise ConfigurationError(f"this server's rooms have no option {name!r}; they have {', '.join(_names(form))}")


def _names(form: Mapping[str, Field]) -> list[str]:
    ours = {var: name for name, candidates in OPTIONS.items() for var in candidates}
    return sorted(ours.get(var, var.removeprefix(_PREFIX)) for var in form)


def _written(name: str, value: Any, field: Field) -> tuple[str, ...]:
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if not all(isinstance(each, str | int) for each in many):
        raise ConfigurationError(f"the option {name!r} of a room is a string, a number, a boolean or a list of strings")
    if field.kind == "boolean" and not all(isinstance(each, bool) for each in many):
        raise ConfigurationError(f"the option {name!r} of a room is True or False")
    # True and False stand in a form as 1 and 0 (XEP-0004 §3.3).
    values = tuple(str(int(each) if isinstance(each, bool) else each) for each in many)
    if field.kind.startswith("list") and field.options and not set(values) <= set(field.options):
        raise ConfigurationError(f"the option {name!r} of a room is one of {', '.join(field.options)}")
    return values


def form_submit(room: str, fields: Mapping[str, Sequence[str]]) -> Element:
    """Set *fields*; with none of them the room opens as its server makes them (§10.1.2)."""
    iq, form = _form(room, "submit")
    for var, values in (
        {"FORM_TYPE": ("http://jabber.org/protocol/muc#roomconfig",), **fields}.items() if fields else ()
    ):
        field = SubElement(form, tag(NS.DATA, "field"), {"var": var})
        for value in values:
            SubElement(field, tag(NS.DATA, "value")).text = value
    return iq


def form_cancel(room: str) -> Element:
    """Do not make a room that is not open yet: the server forgets it (§10.1.3)."""
    return _form(room, "cancel")[0]


def _form(room: str, kind: str) -> tuple[Element, Element]:
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "set", "to": jid_of(address_of(room))})
    query = SubElement(iq, tag(NS.MUC_OWNER, "query"))
    return iq, SubElement(query, tag(NS.DATA, "x"), {"type": kind})
