"""What a rule of a mapping says: data, and nothing that moves.

Words:

- A *path* leads to a value: `body.comment.user.login`, `header.x-github-event`, `query.token`, and with `each`
  `entry.labels.severity`. Behind `body` and `entry` a number picks out of a list and `*` takes all of it; `body` alone
  is all of it.
- A *template* is text with paths in braces: `"{body.sender.login}: {body.comment.body}"`. A path without braces is a
  template of one; a brace that is meant as such is written twice.
- Of several templates the first counts in which no value is missing.
- A *condition* is a path and what has to be there: a text or several, or `{ matches = "^v" }`, `{ present = false }`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from convergekit.http.bodies import Condition, pieces_of

__all__ = ["PLACES", "Conditions", "Expected", "Ids", "Rule", "Templates", "Texts", "paths_in", "place_of"]

#: Where a path can begin, and what is there.
PLACES: Final[Mapping[str, str]] = {
    "body": "what came: JSON, a form, or plain text",
    "entry": "one entry of the list that `each` names",
    "header": "a header field, without regard to case",
    "query": "a field of the URL's query",
}

_START: Final = re.compile(r"(body|entry)(\.[^.{}\s^]+)*|(header|query)\.[^{}\s]+")
#: What somebody may have meant as a path: a constant of this form is hardly what people write to each other.
_LOOKS_LIKE: Final = re.compile(r"[A-Za-z_$][\w$-]*(\.[\w*#-]+)+")


def place_of(path: str) -> tuple[str, str]:
    """Where *path* begins, and the rest of it.

    Raises:
        ValueError: It is no path; says why.
    """
    place, _, rest = path.partition(".")
    if not _START.fullmatch(path):
        raise ValueError(f"{path[:80]!a} is no path: it begins with {', '.join(PLACES)}, such as body.message.text")
    if place in ("body", "entry") and rest:
        try:
            Condition(path=rest, present=True)
        except ValidationError:
            raise ValueError(f"{path[:80]!a} is no path: names, numbers or * with dots between") from None
    return place, rest


def paths_in(template: str) -> Iterator[tuple[str, str | None]]:
    """The pieces of *template*: the text before each path, and the path; the text at its end has None behind it.

    Raises:
        ValueError: It is no template, or has something in it that is no path.
    """
    if _START.fullmatch(template):
        yield "", template
        return
    for literal, path in pieces_of(template):
        if path is not None:
            place_of(path)
        yield literal, path


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


_ONE_OR_MORE: Final = BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])


def _is_template(value: str) -> str:
    list(paths_in(value))
    return value


def _is_text(value: str) -> str:
    if _LOOKS_LIKE.fullmatch(value) and not _START.fullmatch(value):
        raise ValueError(f"{value[:80]!a} looks like a path, which begins with {', '.join(PLACES)}: body.message.text")
    return _is_template(value)


def _is_id(value: str) -> str:
    return value if value in ("digest", "none") else _has_path(value)


def _has_path(value: str) -> str:
    if all(path is None for _, path in paths_in(_is_text(value))):
        raise ValueError(f"{value[:80]!a} would be the same of everything: it needs a path, such as body.id")
    return value


def _is_path(value: str) -> str:
    place_of(value)
    return value


def _is_list(value: str) -> str:
    if place_of(value)[0] != "body":
        raise ValueError(f"{value[:80]!a} is no list: each begins with body")
    return value


def _as_conditions(value: Any) -> Any:
    """`{path = "word"}` is `{path = {equals = "word"}}`; one table stands for a list of it."""
    if not isinstance(value, Mapping):
        return value if isinstance(value, list | tuple) and value else [value]
    return [value]


def _as_condition(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    words = [_word(each) for each in (value if isinstance(value, list | tuple) else (value,))]
    return {"equals": words}


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class Expected(BaseModel):
    """What has to be so of what a path leads to: all that is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    equals: Annotated[tuple[str, ...], _ONE_OR_MORE] | None = Field(
        default=None,
        description="It is one of these, as text, without regard to case. "
        'A JSON true is "true", a number as it is written.',
    )
    matches: Annotated[str, Field(max_length=500)] | None = Field(
        default=None, description="A regular expression finds something in it."
    )
    present: bool | None = Field(
        default=None, description="Whether it is there at all (an empty text, null and an empty list are not)."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.of("x")
        return self

    def of(self, path: str) -> Condition:
        """The same as a condition about *path*."""
        try:
            return Condition(path=path, equals=self.equals, matches=self.matches, present=self.present)
        except ValidationError as exc:
            raise ValueError(str(exc.errors()[0]["msg"]).removeprefix("Value error, ")) from None


_Word: TypeAlias = str | bool | int | float
_Template: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]
_Path: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(_is_path)]
Texts: TypeAlias = Annotated[tuple[Annotated[_Template, AfterValidator(_is_text)], ...], _ONE_OR_MORE]
Templates: TypeAlias = Annotated[tuple[Annotated[_Template, AfterValidator(_is_template)], ...], _ONE_OR_MORE]
#: Templates, "digest" or "none".
Ids: TypeAlias = Annotated[tuple[Annotated[_Template, AfterValidator(_is_id)], ...], _ONE_OR_MORE]
_Telling: TypeAlias = Annotated[tuple[Annotated[_Template, AfterValidator(_has_path)], ...], _ONE_OR_MORE]
_Paths: TypeAlias = Annotated[tuple[_Path, ...], _ONE_OR_MORE]
_Table: TypeAlias = dict[
    _Path,
    Annotated[Expected, BeforeValidator(_as_condition, json_schema_input_type=_Word | list[_Word] | Expected)],
]
#: Tables of path to what has to be there: all of one table, any of several.
Conditions: TypeAlias = Annotated[
    tuple[_Table, ...], BeforeValidator(_as_conditions, json_schema_input_type=_Table | list[_Table])
]


class Rule(BaseModel):
    """What becomes of calls, or of entries of a list in them, that are of one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    when: Conditions = Field(default=(), description="What has to be so, all of it; of several tables one is enough.")
    each: Annotated[_Path, AfterValidator(_is_list)] | None = Field(
        default=None,
        description="A list in the body, every entry of which is an event of its own. What no rule takes of it "
        "arrives as an event that nothing maps.",
    )
    kind: Literal["message", "edited", "retracted", "event", "ignored"] = Field(
        default="message",
        description='What it becomes: "message", "edited" and "retracted" (of the message that `message_id` names), '
        '"event" (a `CustomReceived`), or "ignored": nothing.',
    )
    id: Ids = Field(
        default=(),
        description="What tells it from everything else that this channel receives, and is the same when it is sent "
        'again; "digest" takes a digest of the body, "none" takes every call as new. Where it is not said, or not '
        "there, `call_id` counts, then the id that the signature scheme knows.",
    )
    text: Texts = Field(
        default=(),
        description="What is said. A value that is missing leaves its place empty; without any it is no message.",
    )
    subject: Texts = Field(default=(), description="About what; likewise.")
    sender: Texts = Field(default=(), description="Who: a URI, or any name, which becomes one.")
    sender_name: Texts = Field(default=(), description="How they are called.")
    conversation: Texts = Field(
        default=(),
        description="In which conversation; it is the thread of ours. Where it is not said, everybody has one.",
    )
    message_id: _Telling = Field(default=(), description="The system's own id of the message, which answers refer to.")
    at: _Paths = Field(default=(), description="When: ISO 8601, or seconds or milliseconds since 1970.")
    name: Templates = Field(default=(), description="Of an event.")
    data: _Path | None = Field(
        default=None, description="Of an event: a path; all of the body, or of the entry, where it is not said."
    )
    automated: bool | Conditions = Field(
        default=False,
        description="Whether a program sent it, so that no program answers: true, or conditions as in `when`.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind in ("message", "edited") and not self.text:
            raise ValueError(f"text is missing, which a rule of kind {self.kind!r} is for")
        if self.kind in ("edited", "retracted") and not self.message_id:
            raise ValueError(f"message_id is missing: a rule of kind {self.kind!r} has to say which message")
        if self.each is None and (path := next(self._about_entries(), None)):
            raise ValueError(f"{path} leads into an entry of a list: say which by each, such as body.alerts")
        return self

    def _about_entries(self) -> Iterator[str]:
        tables = (*self.when, *(() if isinstance(self.automated, bool) else self.automated))
        fields = [self.id, self.text, self.subject, self.sender, self.sender_name, self.name]
        fields += [self.conversation, self.message_id]
        yield from (path for table in tables for path in table if place_of(path)[0] == "entry")
        yield from (path for path in (*self.at, self.data) if path and place_of(path)[0] == "entry")
        yield from (
            path
            for template in (each for field in fields for each in field)
            if template not in ("digest", "none")
            for _, path in paths_in(template)
            if path and place_of(path)[0] == "entry"
        )
