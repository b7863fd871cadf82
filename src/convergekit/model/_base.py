"""What all values share: frozen, strict about names, silent about content in errors."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["CONTROL", "ClaimCheck", "HeaderName", "HeaderValue", "Line", "Moment", "Native", "Tagged", "Text", "Value"]

#: C0, DEL and C1: what must never reach a header, a stanza or a log line.
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


_put: Final = object.__setattr__  # that of a frozen value refuses


class Value(BaseModel):
    """A frozen value. Its JSON form is documented and versioned (`convergekit.model.wire`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # A validation error is printed and logged by everybody; a message body must not be in it.
        hide_input_in_errors=True,
        allow_inf_nan=False,  # JSON has no way to write them
        ser_json_inf_nan="constants",  # where one got in all the same: `wire` refuses it, and no null takes its place
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )

    def __copy__(self) -> Self:
        """What pydantic does for each `model_copy`, at half the cost: every step of a message makes copies."""
        copied = self.__class__.__new__(self.__class__)
        extra, private = self.__pydantic_extra__, self.__pydantic_private__  # of a plugin's classes; ours have none
        _put(copied, "__dict__", self.__dict__.copy())
        _put(copied, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        _put(copied, "__pydantic_extra__", extra and extra.copy())
        _put(copied, "__pydantic_private__", private and private.copy())
        return copied


class Tagged(Value):
    """A member of a union that its field `kind` tells apart; written even where fields with their default are not."""

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": getattr(self, "kind"), **handler(self)}  # noqa: B009 - each member narrows it to its own


class _AnyLines:
    """No lone surrogates and no NUL; a pattern that says so reads a thousand characters in the time of ten fields."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # A pattern, even an empty one, makes pydantic ask for the UTF-8, which a bare `str` may not have.
        return core_schema.no_info_after_validator_function(_without_nul, core_schema.str_schema(pattern="^"))


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("text", "Input should be text without NUL characters")
    return text


#: Text of any length that every store and every medium can hold.
Text = Annotated[str, _AnyLines()]


class _OneLine:
    """What `CONTROL` forbids, judged without a call into Python: every event has several such fields."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=8192),
            custom_error_type="line",
            custom_error_message="Input should be one line of at most 8192 characters without control characters",
        )


#: One line of text: subjects, names, identifiers.
Line = Annotated[str, _OneLine()]

#: RFC 9110 §5.6.2 token, which is within RFC 5322's field-name.
HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$")]
HeaderValue = Line

#: A point in time: aware; UTC by convention.
Moment = AwareDatetime


class ClaimCheck(Value):
    """Content by reference (EIP Claim Check): the store holds the bytes.

    Args:
        ref: What the store calls it: "sha256:<hex>".
        size: In bytes.
    """

    ref: Line
    size: int = Field(ge=0)


_BYTES: Final = "$bytes"
_CLAIM: Final = "$claim"
_QUOTED: Final = "$"
_OURS: Final = frozenset({_BYTES, _CLAIM, _QUOTED})
_DEEPEST: Final = 180  # pydantic reads JSON of 200 levels, and a document has a few of its own


class _Foreign:
    """What a medium gave us: any JSON with bytes anywhere inside, or a claim check in place of it.

    Python values pass unseen; only JSON has a form.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(_unpacked, core_schema.any_schema()),
            python_schema=core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(_packed, when_used="json-unless-none"),
        )


#: The untouched original of a medium, or what only a medium knows: JSON-able, or bytes.
Native = Annotated[Any, _Foreign()]


def _packed(native: Any, level: int = 0) -> Any:
    if native is None or isinstance(native, str | int):  # a bool is an int
        return native
    if isinstance(native, float):
        if not math.isfinite(native):
            raise ValueError("native holds a number that JSON cannot write")
        return native
    if isinstance(native, bytes | bytearray | memoryview):
        return {_BYTES: base64.b64encode(native).decode("ascii")}
    if level > _DEEPEST:
        raise ValueError(f"native is nested more than {_DEEPEST} levels deep")
    if isinstance(native, Mapping):
        # An object with a key of ours goes two levels down: "$" around it says that its "$bytes" is its own.
        packed = {str(key): _packed(value, level + 2) for key, value in native.items()}
        return packed if packed.keys().isdisjoint(_OURS) else {_QUOTED: packed}
    if isinstance(native, list | tuple):
        return [_packed(item, level + 1) for item in native]
    if isinstance(native, ClaimCheck):
        return {_CLAIM: {"ref": native.ref, "size": native.size}}
    raise ValueError(f"native holds a {type(native).__name__}, which is neither JSON nor bytes")


def _unpacked(native: Any) -> Any:
    if isinstance(native, dict):
        if native.keys() == {_BYTES}:
            return _decoded(native[_BYTES])
        if native.keys() == {_CLAIM}:
            return ClaimCheck.model_validate(native[_CLAIM], extra="ignore")
        inner = native[_QUOTED] if native.keys() == {_QUOTED} else native
        if not isinstance(inner, dict):
            raise ValueError(f"the value of {_QUOTED!r} is an object")
        return {key: _unpacked(value) for key, value in inner.items()}
    if isinstance(native, list):
        return [_unpacked(item) for item in native]
    if isinstance(native, float) and not math.isfinite(native):  # 1e999
        raise ValueError("a number is too great")
    return native


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"the value of {_BYTES!r} is base64 in a string")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"the value of {_BYTES!r} is not base64") from exc
