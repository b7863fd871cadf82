"""The ways of a gateway: `send` of its profile with each of the variants laid over it, made ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from convergekit.errors import ConfigurationError
from convergekit.http import origin_of

from .media import WayName
from .profile import Send, Validity, Variant
from .templates import Template, compiled, compiled_url

__all__ = ["Way", "laid_over", "ready_url", "ways_of"]

#: Over which way another one is laid.
_INSTEAD: Final[Mapping[WayName, WayName]] = {"mms": "sms", "whatsapp-media": "whatsapp", "rcs-media": "rcs"}


@dataclass(frozen=True, slots=True)
class Way:
    """How one kind of message goes.

    Args:
        url: Where to.
        fields: What is said.
        to: How the recipient is written, or None for as it is.
        sender: How we are, likewise.
        validity: How the time that is left is written.
        names: All placeholders that are open, those of headers included.
    """

    url: Template
    fields: Template
    to: Template | None
    sender: Template | None
    validity: Validity | None
    names: frozenset[str]


def ways_of(send: Send, settings: Mapping[str, str], opened: frozenset[str]) -> Mapping[WayName, Way]:
    """The ways of *send*; placeholders of *opened* are filled in beside it, in headers."""
    own: dict[WayName, Variant] = {"sms": Variant(), "whatsapp": Variant(), "rcs": Variant()}
    own.update(send.variants.items())
    ways: dict[WayName, Way] = {}
    for name, variant in own.items():
        laid = _laid(variant, own.get(_INSTEAD.get(name) or name, variant))
        ways[name] = _way(send, laid, settings, opened)
    for name, instead in _INSTEAD.items():
        ways.setdefault(name, ways[instead])
    return ways


def ready_url(url: str, settings: Mapping[str, str], where: str) -> Template:
    """*url* as a template; raises `ConfigurationError` where it is none with what the account says."""
    template = compiled_url(url, settings)
    if origin_of(template.fill(dict.fromkeys(template.names, "0")) or "") is None:
        raise ConfigurationError(f"{where}: with what the account says, {url!r} is no http or https URL")
    return template


def laid_over(fields: Mapping[str, Any], over: Mapping[str, Any], *, gone: str | None) -> dict[str, Any]:
    """*fields* with *over* laid over them; *gone* takes a field away.

    Tables are laid into tables, and lists of as many tables one by one.
    """
    merged = dict(fields)
    for name, value in over.items():
        below = merged.get(name)
        if value == gone:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[name] = laid_over(below, value, gone=gone)
        elif _are_tables(value) and _are_tables(below) and len(value) == len(below):
            merged[name] = [laid_over(one, other, gone=gone) for one, other in zip(below, value, strict=True)]
        else:
            merged[name] = value
    return merged


def _way(send: Send, variant: Variant, settings: Mapping[str, str], opened: frozenset[str]) -> Way:
    url = ready_url(variant.url or send.url, settings, "send.url")
    fields = compiled(laid_over(send.fields, variant.fields, gone=""), settings)
    to = compiled(variant.to, settings) if variant.to else None
    sender = compiled(variant.sender, settings) if variant.sender else None
    inner = [each.names for each in (url, fields, to, sender) if each is not None]
    return Way(url, fields, to, sender, variant.validity or send.validity, opened.union(*inner))


def _laid(over: Variant, under: Variant) -> Variant:
    """*over* laid over *under*: what a file is sent with over what a text of the same medium is."""
    if over is under:
        return over
    fields = laid_over(under.fields, over.fields, gone=None)
    said = {name: getattr(over, name) for name in over.model_fields_set - {"fields"}}
    return under.model_copy(update={**said, "fields": fields})


def _are_tables(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)
