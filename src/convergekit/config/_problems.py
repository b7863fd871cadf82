"""What is wrong with settings: all of it at once, by key path, and never with a secret in it.

Three nets keep secrets out, since any one of them has holes: a value is not shown when its key smells, when its
field is a `SecretStr`, when it came from the environment, or when its key is unknown (a misspelt "password");
and whatever text is left is dropped when it repeats a stretch of a value that is known to be secret.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from convergekit.errors import ConfigurationError

__all__ = ["MASK", "FromEnvironment", "Path", "Problems", "masked_url", "nearest", "validated"]

MASK: Final = "***"
Path = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)

_SMELL: Final = re.compile(r"secret|passw|passphrase|pwd|token|key|credential|dsn", re.IGNORECASE)
#: A message that repeats so many characters of a secret gives it away; fewer may be a public prefix ("whsec_").
_TELLING: Final = 8
#: What pydantic says of these speaks of Python.
_NO_TABLE: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
_TABLE: Final = "must be a table of settings, { NAME = VALUE, ... }"


class FromEnvironment(str):
    """Text that came from the environment, by reference or by override: never shown."""

    __slots__ = ()


class Problems:
    """What is wrong with one source of settings.

    Args:
        source: The file, or the call; stands in front of every line.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[tuple[Path, str]] = []
        self._secrets: set[str] = set()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, text: str) -> None:
        """Note what is wrong at *path*, and the way out."""
        if not path or not self.knows(path):  # what is not there is not missing as well
            self._found.append((path, text))

    def knows(self, path: Path) -> bool:
        """Whether something is wrong at *path*."""
        return any(known == path for known, _ in self._found)

    def conceal(self, secrets: Iterable[str]) -> None:
        """Never show these, whatever the text says."""
        self._secrets.update(secret for secret in secrets if len(secret) >= 4)

    def raise_if_any(self) -> None:
        """Raise one `ConfigurationError` with a line for each problem."""
        if self._found:
            told = [
                ": ".join(filter(None, (self._source, _dotted(path), self._clean(text)))) for path, text in self._found
            ]
            raise ConfigurationError("\n".join(dict.fromkeys(told)))

    def _clean(self, text: str) -> str:
        leaks = any(_gives_away(text, secret) for secret in self._secrets)
        return f"not valid, and {MASK} is all that may be shown of it" if leaks else text


def _gives_away(text: str, secret: str) -> bool:
    width = min(len(secret), _TELLING)
    return any(secret[at : at + width] in text for at in range(len(secret) - width + 1))


def validated(
    kind: type[ModelT], values: Mapping[str, Any], path: Path, problems: Problems, *, also: Iterable[str] = ()
) -> ModelT | None:
    """Make a *kind* from *values*; or note every problem under *path* and return None.

    Args:
        kind: The model.
        values: Its fields, as TOML and the environment have them.
        path: Where they stand.
        problems: Gathers what is wrong.
        also: Names that are settings too, just not of this model: for "did you mean".
    """
    problems.conceal(_secrets(kind, values))
    errors: Sequence[ErrorDetails] = ()
    for attempt in (values, None):
        candidate = attempt if attempt is not None else _decoded(values, errors)
        if candidate is None:
            break
        try:
            return kind.model_validate(candidate)
        except ValidationError as exc:
            errors, values = exc.errors(include_url=False), candidate
    for error in errors:
        problems.add(*_told(kind, values, error, path, also))
    return None


def _decoded(values: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> Mapping[str, Any] | None:
    """*values* with JSON from the environment read, where a field wants a list or a table; None if there is none."""
    changed: Any = values
    for error in errors:
        if isinstance(text := error["input"], FromEnvironment) and text[:1] in {"[", "{"}:
            try:
                parsed = json.loads(text)
            except ValueError:
                continue
            changed = _replaced(changed, text, parsed)
    return None if changed is values else changed


def _replaced(value: Any, old: object, new: Any) -> Any:
    if value is old:
        return new
    if isinstance(value, Mapping):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return value


def _told(
    kind: type[BaseModel], values: Mapping[str, Any], error: ErrorDetails, path: Path, also: Iterable[str]
) -> tuple[Path, str]:
    """One of pydantic's errors in our words: where, and what to do about it."""
    where, parent = _walked(values, error["loc"])
    at = (*path, *where)
    if error["type"] == "extra_forbidden":
        names = _names(kind, where[:-1]) | (set(also) if len(where) == 1 else set())
        return at, "unknown setting" + nearest(str(where[-1]), names)
    if error["type"] == "missing":
        return at, "missing" + _misspelt(str(where[-1]), parent, _names(kind, where[:-1]))
    message = _TABLE if error["type"] in _NO_TABLE else error["msg"].removeprefix("Value error, ")
    seen = _seen(kind, where, error["input"])
    if seen is None or (isinstance(error["input"], str) and seen in message):
        return at, message
    return at, f"{message}, not {seen}" + _nearest_choice(error)


def _walked(values: Any, loc: Sequence[str | int]) -> tuple[Path, Any]:
    """*loc* without the names of union members that pydantic puts in it; and what the last key stands in."""
    where: list[str | int] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(values, Mapping) and (part in values or last):
            where.append(part)
            if last:
                return tuple(where), values
            values = values[part]
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            where.append(part)
            values = values[part]
    return tuple(where), values


def _seen(kind: type[BaseModel], where: Path, value: Any) -> str | None:
    """*value* as it may be shown: `***` for secrets, None for what is too much to show."""
    if isinstance(value, Mapping | list | tuple | BaseModel) or not where:
        return None
    if isinstance(value, FromEnvironment | SecretStr | SecretBytes) or _is_secret(kind, where):
        return MASK
    if (field := kind.model_fields.get(str(where[0]))) is not None and not field.repr:
        return None  # what its own repr does not show: a URL may have a token in its path
    shown = ascii(_bare(value) if isinstance(value, str) else value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _bare(text: str) -> str:
    """*text*; of a URL neither the user and the password, which end at the last @, nor the values of its query."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    userinfo, at, rest = rest.rpartition("@")
    return f"{scheme}{mark}{MASK if userinfo else ''}{at}" + re.sub(r"([?&#][^=&#]*=)[^&#]+", rf"\1{MASK}", rest)


def _is_secret(kind: type[BaseModel], where: Path) -> bool:
    if any(isinstance(part, str) and _SMELL.search(part) for part in where):
        return True
    *_, annotation = (None, *_annotations(kind, where))
    return any(part in {SecretStr, SecretBytes} for part in _flat(annotation))


def _secrets(kind: type[BaseModel] | None, values: Any, where: Path = (), hidden: bool = False) -> Iterator[str]:
    """Every text in *values* that must not be shown."""
    if isinstance(values, Mapping):
        for key, item in values.items():
            yield from _secrets(kind, item, (*where, str(key)), hidden or bool(_SMELL.search(str(key))))
    elif isinstance(values, list | tuple):
        for index, item in enumerate(values):
            yield from _secrets(kind, item, (*where, index), hidden)
    elif isinstance(values, SecretStr):
        yield values.get_secret_value()
    elif isinstance(values, FromEnvironment):
        if hidden or len(values) >= _TELLING or (kind is not None and _is_secret(kind, where)):
            yield str(values)
            yield from re.findall(r'"((?:[^"\\]|\\.)*)"', values)  # texts inside JSON
    elif isinstance(values, str) and (hidden or (kind is not None and _is_secret(kind, where))):
        yield values


def _annotations(kind: type[BaseModel], where: Path) -> Iterator[Any]:
    """The annotation of each named field along *where*, as far as it leads."""
    models: list[type[BaseModel]] = [kind]
    for part in where:
        if isinstance(part, int):
            continue
        info = next((found for model in models if (found := _field(model, part)) is not None), None)
        if info is None:
            return
        yield info
        models = [found for found in _flat(info) if isinstance(found, type) and issubclass(found, BaseModel)]


def _field(model: type[BaseModel], name: str) -> Any:
    for field, info in model.model_fields.items():
        if name in (field, info.alias, info.validation_alias):
            return info.annotation
    return None


def _flat(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _flat(argument)


def _names(kind: type[BaseModel], where: Path) -> set[str]:
    """What may stand at *where*."""
    *_, innermost = (kind, *_annotations(kind, where))
    models = [found for found in _flat(innermost) if isinstance(found, type) and issubclass(found, BaseModel)]
    return {info.alias or field for model in models for field, info in model.model_fields.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """A continuation of a sentence about an unknown *name*: the nearest of *known*, or all of them."""
    names = sorted(known)
    if near := difflib.get_close_matches(name.lower().replace("-", "_"), names, n=1):
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(names)}" if names else ""


def _misspelt(name: str, parent: Any, known: set[str]) -> str:
    strangers = [str(key) for key in parent if str(key) not in known] if isinstance(parent, Mapping) else []
    near = difflib.get_close_matches(name, strangers, n=1)
    return f"; is {near[0]!r} meant for it?" if near else "; it has no default"


def _nearest_choice(error: ErrorDetails) -> str:
    if error["type"] not in {"literal_error", "enum"} or not isinstance(error["input"], str):
        return ""
    choices = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    near = difflib.get_close_matches(error["input"].lower(), choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def masked_url(text: str) -> str:
    """*text*, a DSN or another URL, with nothing left in it that could be a secret: scheme and parameter names."""
    scheme, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}", scheme):
        return MASK
    # What stands before the last @ may be a password, however it looks.
    names = re.findall(r"[?&]([A-Za-z_]{1,30})=", rest.rpartition("@")[2])
    return f"{scheme}://{MASK}" + ("?" + "&".join(f"{name}={MASK}" for name in names) if names else "")


def _dotted(path: Path) -> str:
    """*path* as TOML writes it: `channels."a b".secrets[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else json.dumps(part, ensure_ascii=True))
    return text
