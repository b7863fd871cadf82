"""The words that tables about bodies are made of: templates, paths, patterns and conditions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .._templates import names_in, pieces_of

__all__ = ["Condition", "Path", "Paths", "Pattern", "Strings", "Template", "names_in", "pieces_of"]

_SEGMENT: Final = re.compile(r"\*|[^.*#^]+#?")


def _one_or_more(value: Any) -> Any:
    """A list may be written as its only element."""
    return value if isinstance(value, list | tuple) else (value,)


def _is_template(value: str) -> str:
    list(names_in(value))
    return value


def _is_path(value: str) -> str:
    rest = value.removeprefix("^")
    if rest.startswith("$.") or not all(_SEGMENT.fullmatch(each) for each in rest.split(".")):
        raise ValueError(f"{value[:80]!a} is no path: names, numbers or * with dots between, such as messages.0.id")
    return value


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as exc:
        raise ValueError(f"{value[:80]!a} is no regular expression: {exc.msg}") from None
    return value


Template: TypeAlias = Annotated[str, Field(max_length=4096), AfterValidator(_is_template)]
Path: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_is_path)]
Paths: TypeAlias = Annotated[tuple[Path, ...], BeforeValidator(_one_or_more)]
Strings: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Pattern: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(_is_pattern)]


class Condition(BaseModel):
    """Whether something that came is of a kind: all that is given has to hold.

    Args:
        path: What is looked at.
        equals: It is one of these, as text, without regard to case. A JSON true is "true", a number as it is written.
        matches: A regular expression finds something in it.
        present: Whether it is there at all (an empty text, null and an empty list are not).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Path
    equals: Strings | None = None
    matches: Pattern | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.equals is None and self.matches is None and self.present is None:
            raise ValueError("a condition says equals, matches or present")
        return self
