"""Templates of a profile, taken apart once: what the account says stands in them, what a message says is left open.

Whatever has no value is None, and what needs something that has no value has none itself: a field, an entry of a list,
a header. A table or a list of which nothing is left is none either, nor is a table of which only that is left which is
always the same: {amount = "{validity}", unit = "SECONDS"} says nothing without an amount.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from .profile import pieces_of

__all__ = ["Template", "Values", "compiled", "compiled_url", "written"]

#: What a message says, by placeholder; all of `Template.names` are in it.
Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """A template that is ready to be filled.

    Args:
        names: The placeholders that are open.
        fill: Gives the value, or None where there is none. What it gives is not to be changed.
    """

    names: frozenset[str]
    fill: Callable[[Values], Any]


def _constant(value: Any) -> Template:
    return Template(frozenset(), lambda values: value)


_NONE: Final = _constant(None)


def compiled(value: Any, settings: Mapping[str, str]) -> Template:
    """Take *value* apart: a text, or lists and tables with texts in them; anything else stands for itself.

    Args:
        value: As the profile has it; its placeholders are known to be good. Names in tables are templates, too.
        settings: What the account says, "" for what it does not.
    """
    if isinstance(value, str):
        return _text(value, settings, str)
    if isinstance(value, Mapping):
        return _table([(_text(name, settings, str), compiled(each, settings)) for name, each in value.items()])
    if isinstance(value, list | tuple):
        return _list([compiled(each, settings) for each in value])
    return _constant(value)


def compiled_url(template: str, settings: Mapping[str, str]) -> Template:
    """Take a URL apart: what is filled in is percent-encoded, but for a setting that the URL begins with."""
    first = next((name for literal, name in pieces_of(template) if not literal), None)
    if first is not None and template.startswith("{") and first in settings:
        base = settings[first].rstrip("/").replace("{", "{{").replace("}", "}}")
        template = base + template.removeprefix(f"{{{first}}}") if base else ""
    return _text(template, settings, partial(quote, safe=""))


def written(value: Any) -> str:
    """A value as text, where text is all that there can be; a list with commas between."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(written, value))
    return str(value)


def _text(template: str, settings: Mapping[str, str], encode: Callable[[str], str]) -> Template:
    text, parts = "", list[tuple[str, str]]()  # what stands before an open placeholder, and its name
    for literal, name in pieces_of(template):
        text += literal
        if name is None:
            continue
        if name not in settings:
            parts.append((text, name))
            text = ""
        elif settings[name]:
            text += encode(settings[name])
        else:
            return _NONE
    if not parts:
        return _constant(text or None)
    if len(parts) == 1 and not parts[0][0] and not text and encode is str:
        return _single(parts[0][1])
    return _joined(tuple(parts), text, encode)


def _single(name: str) -> Template:
    """A placeholder and nothing else: its value as it is."""

    def fill(values: Values) -> Any:
        value = values[name]
        return value if value or not _is_nothing(value) else None

    return Template(frozenset((name,)), fill)


def _joined(parts: tuple[tuple[str, str], ...], end: str, encode: Callable[[str], str]) -> Template:
    def fill(values: Values) -> str | None:
        pieces: list[str] = []
        for before, name in parts:
            if _is_nothing(value := values[name]):
                return None
            pieces += (before, encode(written(value)))
        return "".join((*pieces, end))

    return Template(frozenset(name for _, name in parts), fill)


def _table(entries: Sequence[tuple[Template, Template]]) -> Template:
    """Of names and what stands under them; a name may be a template, too."""
    names = frozenset[str]().union(*(name.names | each.names for name, each in entries))
    always = sum(not name.names and not each.names and each.fill({}) is not None for name, each in entries)
    fills = [(None if name.names else name.fill({}), name.fill, each.fill) for name, each in entries]

    def fill(values: Values) -> dict[str, Any] | None:
        found = {
            name or name_in(values): value
            for name, name_in, value_in in fills
            if (value := value_in(values)) is not None
        }
        return found if len(found) > (always if names else 0) else None

    return Template(names, fill)


def _list(entries: list[Template]) -> Template:
    names = frozenset[str]().union(*(each.names for each in entries))
    fills = [each.fill for each in entries]

    def fill(values: Values) -> list[Any] | None:
        return [found for fill in fills if (found := fill(values)) is not None] or None

    return Template(names, fill)


def _is_nothing(value: Any) -> bool:
    return value is None or value == "" or value == []
