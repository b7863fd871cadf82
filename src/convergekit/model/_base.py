"""What all values share: frozen, strict about names, silent about content in errors."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

__all__ = ["CONTROL", "HeaderName", "HeaderValue", "Line", "Moment", "Tagged", "Text", "Value"]

#: C0, DEL and C1: what must never reach a header, a stanza or a log line.
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Value(BaseModel):
    """A frozen value. Its JSON form is documented and versioned (`convergekit.model.wire`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # A validation error is printed and logged by everybody; a message body must not be in it.
        hide_input_in_errors=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class Tagged(Value):
    """A member of a union that its field `kind` tells apart. It is written even where fields with their default are left out."""

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": getattr(self, "kind"), **handler(self)}  # noqa: B009 - each member narrows it to its own


#: Text of any length that every store and every medium can hold: no lone surrogates, no NUL.
#: The pattern is what makes pydantic look at the characters at all (a bare `str` is passed on unseen).
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


def _one_line(value: str) -> str:
    if CONTROL.search(value):
        raise ValueError("must not contain control characters or line breaks")
    return value


#: One line of text: subjects, names, identifiers.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=8192), AfterValidator(_one_line)]

#: RFC 9110 §5.6.2 token, which is within RFC 5322's field-name.
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$")]
HeaderValue = Line

#: A point in time: aware; UTC by convention.
Moment = AwareDatetime
