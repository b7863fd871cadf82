"""Any value of the model, made from what its fields say of themselves."""

import typing
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

from hypothesis import strategies as st
from pydantic import AwareDatetime, StringConstraints

from convergekit import model
from convergekit.model import Event, Line, Native, Text, Value

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
texts = st.text(CHARACTERS, max_size=12)
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
names = lines.filter(lambda name: name.strip() not in {"", ".", ".."} and "/" not in name and "\\" not in name)
#: RFC 3339 writes offsets in whole minutes.
moments = st.datetimes(
    datetime(1972, 1, 1),  # noqa: DTZ001 - the time zone is drawn beside it
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.one_of(st.just(UTC), st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))),
)
plain = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
#: What a medium may have given us; the keys are those that the JSON form uses for itself, among others.
natives = st.recursive(
    plain | st.binary(max_size=12) | st.builds(model.ClaimCheck, ref=lines, size=st.integers(0, 9)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$", "$bytes", "$claim", "ref", "size", "a", ""]) | texts, inner, max_size=3)
    ),
    max_leaves=8,
)
addresses = st.builds(
    model.Address,
    st.sampled_from(
        [
            "mailto:ann@example.org",
            "xmpp:room@chat.example/Ann%20B",
            "sms:+4915112345678",
            "https://example.org/hook",
            "tg:1#2",
        ]
    ),
    display_name=st.none() | lines,
)
steps = st.recursive(
    st.builds(model.LegStep, leg=st.integers(0, 9), goal=st.sampled_from(model.Status)),
    lambda inner: (
        st.builds(
            model.SequenceStep,
            steps=st.lists(inner, min_size=1, max_size=3),
            within=st.none() | st.floats(0, 1e6),
            tries=st.integers(1, 9),
        )
        | st.builds(model.ParallelStep, steps=st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=5,
)
places = st.one_of(
    st.fixed_dictionaries({"data": st.binary(max_size=40)}),
    st.fixed_dictionaries({"path": names.map(Path)}),
    st.fixed_dictionaries({"url": lines}),
    st.fixed_dictionaries({"claim": st.builds(model.ClaimCheck, ref=lines, size=st.integers(0, 9))}),
)
originals = st.dictionaries(
    texts.filter(lambda key: key not in {"v", "type", "key", "channel", "lane"}), plain, max_size=3
)

#: Fields whose values are bound by more than their type.
BOUND: dict[tuple[type[Value], str], st.SearchStrategy[Any]] = {
    (model.Receipt, "status"): st.sampled_from([status for status in model.Status if status >= model.Status.ACCEPTED]),
    (model.Evidence, "status"): st.sampled_from(model.Status),
}


@cache
def values(kind: type[Value]) -> st.SearchStrategy[Any]:
    """Values of *kind*; fields are left out as often as they may be."""
    if kind is model.Address:
        return addresses
    if kind in (model.SequenceStep, model.ParallelStep):
        return steps.filter(lambda step: type(step) is kind)
    if kind is model.Attachment:
        return attachments()
    if kind is model.UnknownEvent:
        return originals.map(lambda fields: model.UnknownEvent(original={"type": "from.the.future", **fields}))
    required = {}
    optional = {}
    for name, field in kind.model_fields.items():
        strategy = BOUND[kind, name] if (kind, name) in BOUND else of(field.rebuild_annotation())
        (required if field.is_required() else optional)[name] = strategy
    return st.fixed_dictionaries(required, optional=optional).map(kind.model_validate)


def attachments() -> st.SearchStrategy[model.Attachment]:
    more = st.fixed_dictionaries(
        {},
        optional={
            "media_type": st.sampled_from(["text/plain", "image/svg+xml"]),
            "name": names,
            "content_id": lines,
            "kept_as": lines,
        },
    )
    return st.builds(lambda place, rest: model.Attachment(**place, **rest), places, more)


def of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values that fit *annotation*."""
    if annotation == Line:
        return lines
    if annotation == Native:
        return natives
    if annotation is AwareDatetime:
        return moments
    if annotation is Any:
        return plain
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return annotated(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        return steps if model.LegStep in arguments else st.one_of([of(each) for each in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(of(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(of(arguments[0]), of(arguments[1]), max_size=2)
    return of_class(annotation)


def annotated(base: Any, rules: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    for rule in rules:
        if isinstance(rule, StringConstraints):
            return st.sampled_from(["X-A", "x-b!", "a"])
    if Annotated[base, rules] == Native:  # type: ignore[valid-type]
        return natives
    if Annotated[base, rules] == Text:  # type: ignore[valid-type]
        return texts
    if Annotated[base, rules] == Line:  # type: ignore[valid-type]
        return lines
    least = max(
        [rule.ge for rule in rules if getattr(rule, "ge", None) is not None]
        + [rule.gt + 1 for rule in rules if getattr(rule, "gt", None) is not None],
        default=0,
    )
    if base is int:
        return st.integers(least, least + 10)
    if base is float:
        return st.floats(least, 1e9)
    # The bounds of `int | None` stand outside of the union, and hold for the number in it.
    if typing.get_origin(base) in (Union, UnionType):
        return st.one_of([annotated(each, rules) for each in typing.get_args(base)])
    return of(base)


def of_class(kind: Any) -> st.SearchStrategy[Any]:
    match kind:
        case _ if kind in (None, NoneType):
            return st.none()
        case _ if kind is bool:
            return st.booleans()
        case _ if kind is int:
            return st.integers(0, 2**40)
        case _ if kind is float:
            return st.floats(0.1, 1e9)
        case _ if kind is str:
            return lines
        case _ if issubclass(kind, Enum):
            return st.sampled_from(kind)
        case _ if issubclass(kind, Value):
            return st.deferred(lambda: values(kind))
        case _:
            raise TypeError(f"no strategy for {kind}")


#: Every public class of the model.
KINDS = [
    kind
    for kind in map(model.__dict__.get, model.__all__)
    if isinstance(kind, type) and issubclass(kind, Value) and kind is not model.Tagged  # a base without a `kind`
]  # fmt: skip
EVENTS = [kind for kind in KINDS if issubclass(kind, Event)]
