"""What is wrong with a subject, looked at before any rule: else each rule would fail of it, in a way of its own."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from inspect import getattr_static
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from convergekit.abc import Adapter, Polls, SupportsBatch
from convergekit.config.flaws import class_flaw, settings_flaw
from convergekit.errors import ConfigurationError
from convergekit.model import Address

from ._rules import RULES
from ._subject import Cannot, Subject
from ._verbs import PROTOCOLS

__all__ = ["SHORTEST_SECRET", "SubjectError", "look_at", "misspelt", "misspelt_verbs", "secrets_of", "settings_of"]

#: Characters; what is shorter stands anywhere by chance, and the rules about secrets would look at nothing.
SHORTEST_SECRET: Final = 6
#: How alike two names are, of 1, where one may be meant for the other; short ones are alike by chance.
_ALIKE, _ALIKE_IF_SHORT = 0.7, 0.79
_SHORT: Final = 5


class SubjectError(ConfigurationError):
    """The subject cannot be used; the text says why, on one line."""


def look_at(subject: object) -> None:
    """Look at what can be told of *subject* while its far side is not there.

    Raises:
        SubjectError: It cannot be used.
    """
    if isinstance(subject, type):
        raise SubjectError(
            f"the subject is the class {subject.__name__}, and not an instance: say {subject.__name__}()"
        )
    if not isinstance(subject, Subject):
        raise SubjectError(f"the subject is a {type(subject).__name__}, and no convergekit.testing.adapter.Subject")
    for flaw in _flaws(subject):
        raise SubjectError(f"{type(subject).__name__}{flaw}")


def settings_of(subject: Subject) -> None:
    """Look at the settings of *subject*, whose far side is there.

    Raises:
        SubjectError: The adapter does not take them, or a secret is too short to be looked for.
    """
    name = type(subject).__name__
    if class_flaw(subject.adapter) or settings_flaw(subject.adapter.Config):
        return  # a rule says so
    try:
        config = subject.adapter.Config.model_validate(dict(subject.settings))
    except Cannot:
        return
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in found)
        raise SubjectError(f"{name}.settings are not valid: {' '.join(said.split())}") from None
    secrets = secrets_of(config) | ({subject.secret} if subject.secret else set())
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise SubjectError(
            f"{name} has a secret of fewer than {SHORTEST_SECRET} characters, which stands anywhere by chance: take a"
            " longer one, so that it can be looked for in logs and errors"
        )


def secrets_of(config: BaseModel) -> set[str]:
    """Every secret in the settings."""
    found: set[str] = set()
    _collect(config, found)
    return {secret for secret in found if secret}


def _collect(value: object, found: set[str]) -> None:
    get = getattr(value, "get_secret_value", None)
    if get is not None:
        secret = get()
        found.add(secret.decode("latin-1") if isinstance(secret, bytes) else str(secret))
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            _collect(getattr(value, name), found)
    elif isinstance(value, dict):
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _collect(each, found)


def misspelt(found: type[Any], base: type[Any], known: Iterable[str]) -> str | None:
    """What *found*, and not *base*, has under a name that is almost one of *known*, which it leaves out itself."""
    own = {name for each in found.__mro__ if each not in base.__mro__ for name in vars(each) if name[0] != "_"}
    known = set(known)
    for name in sorted(own - known):
        meant = max(known - own, key=lambda other: _likeness(name, other), default="")
        if _likeness(name, meant) > (_ALIKE_IF_SHORT if len(name) <= _SHORT else _ALIKE):
            return f"{name}: did you mean {meant}? If not, call it _{name}"
    return None


def misspelt_verbs(adapter: type[Any]) -> str | None:
    """As `misspelt`, of an adapter."""
    known = {name for each in (Adapter, *PROTOCOLS) for name in _names(each)}
    return misspelt(adapter, Adapter, known | _names(Polls) | _names(SupportsBatch))


def _names(kind: Any) -> set[str]:
    return {name for name in (*vars(kind), *inspect.get_annotations(kind)) if name[0] != "_"}


def _likeness(one: str, other: str) -> float:
    return 1.0 if sorted(one) == sorted(other) else SequenceMatcher(None, one, other).ratio()


def _flaws(subject: Subject) -> Iterator[str]:
    """Each with the class's name to stand in front of it."""
    yield from _flaws_of(type(subject))  # type: ignore[arg-type]  # mypy takes a class for unhashable
    if unknown := sorted(subject.cannot.keys() - RULES.keys()):
        yield f".cannot names no rule: {', '.join(unknown)}"
    if class_flaw(subject.adapter) is None:
        yield from _addresses(subject)


@cache  # it is asked for each check
def _flaws_of(kind: type[Any]) -> Sequence[str]:
    if not hasattr(kind, "adapter"):
        return [".adapter is not said: the class of the adapter"]
    lacks = [name for name in dir(kind) if getattr(getattr_static(kind, name), "__isabstractmethod__", False)]
    if lacks:
        return [f" does not implement {', '.join(lacks)}"]
    ours = next(each for each in kind.__mro__ if each.__module__.startswith(Subject.__module__.rpartition(".")[0]))
    known = {name for each in ours.__mro__ if issubclass(each, Subject) for name in _names(each)}
    if (flaw := misspelt(kind, ours, known)) is not None:
        return [f".{flaw}"]
    return [f".{wrong}" for name in sorted(known) if (wrong := _uncallable(kind, ours, name)) is not None]


def _uncallable(kind: type[Any], ours: type[Any], name: str) -> str | None:
    """Why the method *name* cannot be called as the contract calls it."""
    promised, found = getattr_static(ours, name, None), getattr_static(kind, name, None)
    if not inspect.isfunction(promised) or found is promised or not inspect.isfunction(found):
        return None
    if inspect.iscoroutinefunction(promised) != inspect.iscoroutinefunction(found):
        return f"{name} is {'' if inspect.iscoroutinefunction(promised) else 'not '}to be awaited"
    _, *parameters = inspect.signature(promised).parameters.values()
    by_place = [None for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    by_name = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    try:
        inspect.signature(found).bind(None, *by_place, **by_name)
    except TypeError as error:
        return f"{name} cannot be called as {name}{inspect.signature(promised)}: {error}"
    return None


def _addresses(subject: Subject) -> Iterator[str]:
    try:
        to, senders = getattr(subject, "to", None), subject.senders
    except Cannot:  # there is no subject, and this stands for it
        return
    if (wrong := _no_address(to)) is not None:
        yield f".to is {to!r}: {wrong}"
    if senders is None:
        return
    if len(set(senders)) < 2:
        yield ".senders are to be two people: a rule is about who of them wrote"
        return
    yield from (f".senders names {each!r}: {wrong}" for each in senders if (wrong := _no_address(each)) is not None)


def _no_address(uri: Any) -> str | None:
    try:
        Address.parse(uri)
    except ValueError as error:
        return str(error)
    return None
