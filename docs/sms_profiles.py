"""Write the reference of docs/adapters/sms_profiles.md from the schema of a profile and its docstrings."""

import re
import typing
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from convergekit.adapters.sms import profile
from convergekit.adapters.sms.profile import PLACEHOLDERS, Paths
from convergekit.adapters.sms.verify import SCHEMES

PAGE = Path(__file__).parent / "adapters" / "sms_profiles.md"
BEGIN = "<!-- Written by docs/sms_profiles.py; do not edit below. -->\n"

#: Tables of the schema, where a reader meets them; the heading is the key that holds it.
TABLES: Mapping[str, str] = {
    "Profile": "The profile",
    "Setting": "`settings`",
    "Dsn": "`dsn`",
    "Send": "`send`",
    "Validity": "`send.validity`",
    "Idempotent": "`send.idempotency`",
    "Variant": "`send.variants`",
    "Reply": "`reply`",
    "Wait": "`reply.wait`",
    "Condition": "Conditions",
    "Callbacks": "`callbacks`",
    "Inbound": "`callbacks.inbound`",
    "Decoding": "`decode`",
    "Media": "`media` of a message",
    "Parts": "`parts`",
    "Keyword": "`keyword`",
    "MediumWord": "`medium`",
    "StatusRule": "`callbacks.status`",
    "Segments": "`segments`",
    "ConsentRule": "`callbacks.consent`",
    "Ack": "`callbacks.ack`",
    "Verification": "`verify`",
    "Limits": "`limits`",
    "Attachments": "`limits.attachments`",
    "Fetch": "`fetch`",
    "Check": "`check`",
}
_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
#: What a text is, by what looks at it.
_TEXTS: Mapping[str, str] = {"_is_path": "path", "_is_template": "template", "_is_pattern": "regular expression"}
#: What has a name of its own.
_NAMED: tuple[tuple[Any, str], ...] = (
    (Paths, "path, or several"),
    (profile.Strings, "text, or several"),
    (profile.Verdict, "verdict"),
    (profile.Word, "word"),
)
_IN_PYTHON = re.compile(r" \(in TOML: `\w+`\)")


def page(text: str) -> str:
    """*text* with the reference as it should be."""
    head, begin, _ = text.partition(BEGIN)
    if not begin:
        raise ValueError(f"{PAGE.name} has lost its marker: {BEGIN.strip()}")
    return head + BEGIN + "".join(_sections())


def _sections() -> Iterator[str]:
    for name, heading in TABLES.items():
        kind = getattr(profile, name)
        yield f"\n### {heading}\n\n{_summary(kind)}\n\n{_table(kind)}"
        if name == "Verification":
            yield from _schemes()
    yield "\n### Placeholders\n\nBeside the settings of the profile's own account:\n\n| Placeholder | Is |\n|---|---|\n"
    yield from (f"| `{{{name}}}` | {meaning} |\n" for name, meaning in PLACEHOLDERS.items())
    yield "\n### Words\n\n"
    yield f"A *verdict* is one of {_listed(profile.Verdict)}.\n\nA *word* is one of {_listed(profile.Word)}.\n"


def _schemes() -> Iterator[str]:
    yield "\n### Schemes\n\n| Scheme | Is | Covers |\n|---|---|---|\n"
    yield from (f"| `{name}` | {_in_one_line(_summary(each))} | {each.covers} |\n" for name, each in SCHEMES.items())
    yield "\n| Scheme | Option | Value | Meaning |\n|---|---|---|---|\n"
    yield from (f"| `{name}` {row}" for name, each in SCHEMES.items() for row in _rows(each))


def _in_one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _listed(kind: Any) -> str:
    return ", ".join(f"`{each}`" for each in typing.get_args(kind))


def _summary(kind: type[BaseModel]) -> str:
    """All that stands above the arguments."""
    text, _, _ = cleandoc(kind.__doc__ or "").partition("\nArgs:")
    return "\n\n".join(" ".join(each.split()) for each in text.strip().split("\n\n"))


def _table(kind: type[BaseModel]) -> str:
    return "| Key | Value | Meaning |\n|---|---|---|\n" + "".join(_rows(kind))


def _rows(kind: type[BaseModel]) -> Iterator[str]:
    told = _IN_PYTHON.sub("", cleandoc(kind.__doc__ or ""))
    meanings = {name: _in_one_line(text) for name, text in _ARGUMENT.findall(told)}
    for name, field in kind.model_fields.items():
        yield f"| `{field.alias or name}` | {_form(field)} | {meanings[name]} |\n"


def _form(field: FieldInfo) -> str:
    kind = _name(field.rebuild_annotation())
    return f"{kind}, required" if field.is_required() else kind + _default(field.get_default())


def _default(value: Any) -> str:
    plain = isinstance(value, str | int | float) and value != "" and not isinstance(value, bool)
    shown = f"{value:g}" if isinstance(value, float) else value
    return f"; `{shown}`" if plain else "; true" if value is True else ""


def _name(annotation: Any) -> str:
    for known, name in _NAMED:
        if annotation == known:
            return name
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        looks = [each.func.__name__ for each in arguments[1:] if isinstance(each, AfterValidator)]
        return next((_TEXTS[each] for each in looks if each in _TEXTS), None) or _name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        several = arguments[-1] is Ellipsis
        return f"list of {_name(arguments[0])}" if several else f"list of {len(arguments)} {_name(arguments[0])}s"
    if origin is dict:
        return "table" if arguments[1] is Any else f"table of {_name(arguments[1])}"
    if arguments:
        return " or ".join(_name(each) for each in arguments if each is not NoneType)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        heading = TABLES[annotation.__name__]
        return f"[{heading}](#{re.sub(r'[^a-z -]', '', heading.lower()).replace(' ', '-')})"
    return {bool: "true or false", int: "integer", float: "number", str: "text"}[annotation]


def missing() -> set[str]:
    """Tables of the schema that the page does not have."""
    kinds = {name for name, each in vars(profile).items() if isinstance(each, type) and issubclass(each, BaseModel)}
    return {name for name in kinds - TABLES.keys() if name[0] != "_" and name != "BaseModel"}


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
