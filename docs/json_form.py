"""Write the tables of docs/concepts/json-form.md from the classes and their docstrings."""

import re
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from convergekit import model
from convergekit.model import Content, Event, Native, UnknownEvent, Value

PAGE = Path(__file__).parent / "concepts" / "json-form.md"
BEGIN = "<!-- Written by docs/json_form.py; do not edit below. -->\n"

# Sections of the page, in its order.
_PARTS = ("Address", "ConversationRef", "Attachment", "ClaimCheck", "Receipt", "Failure")
_STORED = ("Message", "Contact", "Dispatch", "Delivery", "Part", "Report", "PartReport", "Attempt", "Degradation")
_STEPS = ("LegStep", "SequenceStep", "ParallelStep")
_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def page(text: str) -> str:
    """*text* with the tables as they should be."""
    head, _, _ = text.partition(BEGIN)
    return head + BEGIN + "".join(_tables())


def _tables() -> Iterator[str]:
    yield "\n## Events\n\nEvery event has these fields:\n\n" + _table(Event, Event.model_fields)
    yield "\nEvents with content have these as well:\n\n" + _table(Content, Content.model_fields)
    for kind in sorted(_events(), key=lambda each: each.type):
        own = {name: field for name, field in kind.model_fields.items() if not _inherited(kind, name)}
        content = " Has content." if issubclass(kind, Content) else ""
        yield f"\n### `{kind.type}`\n\n`{kind.__name__}`: {_summary(kind)}{content}\n"
        yield "\n" + _table(kind, own) if own else ""
    for title, names in (
        ("Values inside events", _PARTS),
        ("Values of the ledger", _STORED),
        ("Steps of a plan", _STEPS),
    ):
        yield f"\n## {title}\n"
        for name in names:
            kind = getattr(model, name)
            yield f"\n### {name}\n\n{_summary(kind)}\n\n" + _table(kind, kind.model_fields)


def _events() -> list[type[Event]]:
    named = (getattr(model, name) for name in model.__all__)
    kinds = [each for each in named if isinstance(each, type) and issubclass(each, Event)]
    return [kind for kind in kinds if kind not in (Event, UnknownEvent)]


def _inherited(kind: type[Event], name: str) -> bool:
    return name in Event.model_fields or (issubclass(kind, Content) and name in Content.model_fields)


def _summary(kind: type[Value]) -> str:
    first = cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    return " ".join(first.split())


def _table(kind: type[Value], fields: dict[str, FieldInfo]) -> str:
    rows = [f"| `{name}` | {_form(field)} | {_meaning(kind, name)} |\n" for name, field in fields.items()]
    return "| Field | JSON | Meaning |\n|---|---|---|\n" + "".join(rows)


def _meaning(kind: type[Value], name: str) -> str:
    for each in (kind, model.Message):  # the fields of content are told of where people write them
        found = dict(_ARGUMENT.findall(cleandoc(each.__doc__ or ""))) if name in each.model_fields else {}
        if name in found:
            return " ".join(found[name].split()).replace("|", "\\|")
    return ""


def _form(field: FieldInfo) -> str:
    required = ", required" if field.is_required() else ""
    return _name(field.rebuild_annotation()) + required


def _name(annotation: Any) -> str:
    if annotation == Native:
        return "any, with bytes as `$bytes`"
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{each}"`' for each in arguments)
    if origin in (tuple, frozenset):
        return f"array of {_name(arguments[0])}"
    if origin is dict:
        return "object" if arguments[1] is Any else f"object of {_name(arguments[1])}"
    if origin is Callable:
        return "none"
    if arguments:
        return " or ".join(_name(each) for each in arguments if each is not NoneType)
    return _simple(annotation)


def _simple(annotation: Any) -> str:
    names = {
        AwareDatetime: "time",
        Any: "any",
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        bytes: "base64",
    }
    if annotation in names:
        return names[annotation]
    if annotation is Path:
        return "string"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f'`"{member.value}"`' for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return "none"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
