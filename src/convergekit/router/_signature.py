"""What can be told about a callable before it is called: its name, its kind, what its parameters ask for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from convergekit.errors import ConfigurationError

__all__ = ["Dependency", "Parameter", "bare", "function_of", "is_async", "name_of", "parameters_of"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """Stands for what its provider returns; made by `Depends`."""

    provider: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that has to be found a value for.

    Attributes:
        owner: Whose it is, for errors: "handler app.answer", "handler app.answer, dependency app.session".
        name: Its name.
        type: What is asked for, without `Annotated` and `None`; `None` where nothing was written.
        optional: Whether it may be `None`.
        dependency: What `Depends` says, in the default or in the annotation.
        keyword: Whether it must be passed by name, or None where it must not be.
        has_default: Whether it may be left out.
    """

    owner: str
    name: str
    type: Any
    optional: bool
    dependency: Dependency | None
    keyword: bool | None
    has_default: bool

    @property
    def shown(self) -> str:
        """The type as its author would write it."""
        return self.type.__qualname__ if isinstance(self.type, type) else str(self.type).replace("typing.", "")

    def error(self, reason: str) -> ConfigurationError:
        """Why no value can be found; names the handler, the parameter and its type."""
        typed = f"{self.name}: {self.shown}" if self.type is not None else self.name
        return ConfigurationError(f"{self.owner}: parameter `{typed}` cannot be injected: {reason}")


if sys.version_info >= (3, 14):
    from annotationlib import Format

    # PEP 649: an annotation is evaluated when it is asked for. One that cannot be must not hide the others.
    _signature: Callable[..., inspect.Signature] = partial(inspect.signature, annotation_format=Format.FORWARDREF)
else:
    _signature = inspect.signature


def bare(fn: Any) -> Any:
    """What a partial, or a partial of one, is of."""
    while isinstance(fn, partial):
        fn = fn.func
    return fn


def function_of(fn: Any) -> Any:
    """The function that the author wrote: behind a partial, a decorator, an object with `__call__`, a class."""
    while True:
        if isinstance(fn, type):
            return fn.__init__  # type: ignore[misc]
        if isinstance(fn, partial):
            fn = fn.func
        elif hasattr(fn, "__wrapped__"):
            fn = fn.__wrapped__
        elif inspect.isroutine(fn):
            return fn
        else:
            fn = type(fn).__call__


def is_async(fn: Any) -> bool:
    """Whether calling *fn* gives something to await: also behind a decorator, which hands on what it was given."""
    return not isinstance(fn, type) and inspect.iscoroutinefunction(function_of(fn))


def name_of(fn: Any) -> str:
    """`module.qualname`: the same in every process that runs the same code."""
    fn = bare(fn)
    named = fn if hasattr(fn, "__qualname__") else type(fn)
    return f"{named.__module__}.{named.__qualname__}"


def parameters_of(fn: Callable[..., Any], owner: str) -> list[Parameter]:
    """What *fn* asks for, in order; `*args` and `**kwargs` ask for nothing.

    Raises:
        ConfigurationError: An annotation names something that is not there at run time.
    """
    try:
        signature = _signature(fn)
    except ValueError:  # a builtin that does not tell
        return []
    return [
        _parameter(each, fn, owner)
        for each in signature.parameters.values()
        if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]


def _parameter(raw: inspect.Parameter, fn: Callable[..., Any], owner: str) -> Parameter:
    annotation, optional, dependency = None, False, None
    if isinstance(raw.default, Dependency):
        dependency = raw.default  # then the annotation is for readers, and may name what is not there at run time
    elif raw.annotation is not raw.empty:
        annotation, optional, dependency = _split(_evaluated(raw, fn, owner))
    keyword = None if raw.kind is raw.POSITIONAL_ONLY else raw.kind is raw.KEYWORD_ONLY
    has_default = raw.default is not raw.empty
    return Parameter(owner, raw.name, annotation, optional, dependency, keyword, has_default)


def _evaluated(raw: inspect.Parameter, fn: Callable[..., Any], owner: str) -> Any:
    """The annotation as a value: one at a time, so that an error names it, and what is returned is not looked at."""
    namespace = getattr(function_of(fn), "__globals__", {})
    try:
        holder = SimpleNamespace(__annotations__={raw.name: raw.annotation})
        return get_type_hints(holder, globalns=namespace, include_extras=True)[raw.name]
    except Exception as exc:  # an annotation is an expression, and can raise anything
        raise ConfigurationError(
            f"{owner}: the type of parameter {raw.name!r} cannot be read ({raw.annotation}: {exc}); "
            "what it names must be there at run time, at module level: neither under TYPE_CHECKING nor in a function"
        ) from exc


def _split(annotation: Any) -> tuple[Any, bool, Dependency | None]:
    """The bare type, whether None will do, and the dependency that `Annotated` carries."""
    annotation = getattr(annotation, "__value__", annotation)  # type X = ..., Python 3.12
    if get_origin(annotation) is Annotated:
        bare, *extras = get_args(annotation)
        found = next((each for each in extras if isinstance(each, Dependency)), None)
        inner, optional, nested = _split(bare)
        return inner, optional, found or nested
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation, False, None
    members = [each for each in get_args(annotation) if each is not NoneType]
    optional = len(members) < len(get_args(annotation))
    return Union[tuple(members)], optional, None  # noqa: UP007 - the members are known at run time only
