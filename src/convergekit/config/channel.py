"""The settings of one channel: a table, a DSN or a `Config`, as the class that serves it wants them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from pydantic import BaseModel, ValidationError

from convergekit.abc import Adapter
from convergekit.engine.options import ChannelOptions
from convergekit.errors import ConfigurationError

from ._environ import resolved
from ._problems import Path, Problems, masked_url, validated
from .discovery import EntryPoints, adapter_class, adapter_entries, installed
from .flaws import RESERVED, class_flaw, settings_flaw

__all__ = ["ChannelSettings", "channel_settings", "from_table"]

#: A name stands in URLs, globs and environment variables; what would be read differently there is refused.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BAD_NAME: Final = "a channel's name is made of letters, digits and . _ - (64 at most)"
_BAD_DSN: Final = "must be a text like scheme://user:password@host?name=value"
_OPTIONS: Final = frozenset(ChannelOptions.model_fields)


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One channel, ready to be opened.

    Args:
        name: What the host calls it.
        adapter: The class that serves it.
        config: The adapter's own settings, an `adapter.Config`.
        options: What every channel has.
    """

    name: str
    adapter: type[Adapter[Any]]
    config: BaseModel = field(repr=False)
    options: ChannelOptions


def channel_settings(
    name: str,
    config: Mapping[str, Any] | str | BaseModel,
    *,
    adapter: str | type[Adapter[Any]] | None = None,
    options: ChannelOptions | None = None,
    environ: Mapping[str, str] = os.environ,
    entry_points: EntryPoints = installed,
) -> ChannelSettings:
    """The settings of one channel, from code.

    Args:
        name: What to call it.
        config: A mapping like a table of the TOML file (`{ "env": "NAME" }` included), a DSN, or an instance of an
            adapter's `Config`, whose class tells the adapter.
        adapter: Its name or class, where *config* does not tell.
        options: What every channel has, where *config* is not a mapping that says it.
        environ: Where `{ "env": "NAME" }` is looked up. `CONVERGEKIT_...` variables do not reach into code.
        entry_points: Looks up installed adapters.

    Raises:
        ConfigurationError: As `load`.
    """
    problems = Problems(f"channel {name!r}")
    table: Any = {"dsn": config} if isinstance(config, str) else config
    found: ChannelSettings | None
    if isinstance(config, BaseModel):
        found = _from_instance(name, config, adapter, options, problems)
    else:
        table = resolved(table, environ, problems)
        found = from_table(name, table, (), problems, entry_points, adapter=adapter, options=options)
    problems.raise_if_any()
    assert found is not None
    return found


def from_table(
    name: str,
    table: Any,
    path: Path,
    problems: Problems,
    entry_points: EntryPoints,
    *,
    adapter: str | type[Adapter[Any]] | None = None,
    options: ChannelOptions | None = None,
) -> ChannelSettings | None:
    """The channel *name* from a resolved *table*; or None, with every problem noted under *path*."""
    before = len(problems)
    if not _NAME.fullmatch(name):
        problems.add(path, _BAD_NAME)
    if not isinstance(table, Mapping):
        problems.add(path, 'must be a table: adapter = "...", or dsn = "...", and the adapter\'s settings')
        return None
    shared = {key: item for key, item in table.items() if key in _OPTIONS}
    if options is None:
        options = validated(ChannelOptions, shared, path, problems)
    elif shared:
        problems.add((*path, min(shared)), "is said twice: in the table and in options=; keep one of them")
    kind = _adapter(table, path, problems, entry_points, adapter)
    config = _config(kind, table, path, problems) if kind is not None else None
    if len(problems) > before or kind is None or config is None or options is None:
        return None
    return ChannelSettings(name=name, adapter=kind, config=config, options=options)


def _adapter(
    table: Mapping[str, Any],
    path: Path,
    problems: Problems,
    entry_points: EntryPoints,
    given: str | type[Adapter[Any]] | None,
) -> type[Adapter[Any]] | None:
    """The adapter that *table* names, or its DSN does, or the caller did."""
    if isinstance(given, type):
        return _whole(given, path, problems)
    said, at, dsn = given or table.get("adapter"), "adapter", table.get("dsn")
    if said is None and isinstance(dsn, str):
        # "webhook+https://..." is webhook's, as in SQLAlchemy's dialect+driver.
        if (scheme := re.match(r"([a-z][a-z0-9.-]*)(\+[a-z0-9.+-]*)?://", dsn, re.IGNORECASE)) is None:
            problems.add((*path, "dsn"), _BAD_DSN)
            return None
        said, at = scheme[1].lower(), "dsn"
    if not isinstance(said, str) or not said:
        if problems.knows((*path, "dsn")):
            return None
        problems.add((*path, at), _no_adapter(said, entry_points))
        return None
    try:
        return adapter_class(said, entry_points)
    except ConfigurationError as exc:
        hint = '; with a dsn of another scheme, add adapter = "..."' if at == "dsn" else ""
        problems.add((*path, at), f"{exc}{hint}")
        return None


def _whole(adapter: type[Adapter[Any]], path: Path, problems: Problems) -> type[Adapter[Any]] | None:
    """*adapter*, which is a class that the caller has; or None, with what is wrong with it noted."""
    flaw = class_flaw(adapter) or settings_flaw(adapter.Config)
    if flaw is None:
        return adapter
    problems.add(path, f"the adapter {adapter.__name__} is broken: {flaw}")
    return None


def _no_adapter(said: Any, entry_points: EntryPoints) -> str:
    names = sorted({entry.name for entry in adapter_entries(entry_points)})
    wrong = "missing" if said is None else "must be a name"
    return f'{wrong}; say adapter = "..." ({", ".join(names)}), or dsn = "..."'


def _config(kind: type[Adapter[Any]], table: Mapping[str, Any], path: Path, problems: Problems) -> BaseModel | None:
    own = {key: item for key, item in table.items() if key not in RESERVED}
    if "dsn" in table:
        config = _from_dsn(kind, table["dsn"], (*path, "dsn"), problems)
        if config is None or not own:
            return config
        said = {
            info.alias or key: getattr(config, key)
            for key, info in kind.Config.model_fields.items()
            if key in config.model_fields_set
        }
        for key in sorted(said.keys() & own.keys()):
            problems.add((*path, key), "is said twice: here and in the dsn; keep one of them")
        own = {**said, **own}
    return validated(kind.Config, own, path, problems, also=RESERVED)


def _from_dsn(kind: type[Adapter[Any]], dsn: Any, path: Path, problems: Problems) -> BaseModel | None:
    """The settings that *dsn* holds, or None with the problem noted; shown of it are its scheme and its names."""
    read: Callable[[str], BaseModel] | None = getattr(kind.Config, "from_dsn", None)
    if read is None:
        problems.add(path, f"the adapter {kind.name!r} takes no DSN; write its settings one by one")
    elif not isinstance(dsn, str):
        problems.add(path, _BAD_DSN)
    else:
        problems.conceal(_pieces(dsn))
        try:
            return read(str(dsn))
        except ValidationError as exc:
            found = exc.errors(include_url=False, include_input=False)
            told = [(".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in found]
            said = "; ".join(": ".join(filter(None, each)) for each in told)
            problems.add(path, f"{said}, in {masked_url(dsn)}")
        except Exception as exc:  # an adapter's own parser; what it says is searched for secrets before it is shown
            problems.add(path, f"{exc}, in {masked_url(dsn)}")
    return None


def _pieces(dsn: str) -> Iterable[str]:
    """Every part of *dsn* that may be a secret: user, password, path and parameters, as written and as meant."""
    _, _, rest = dsn.partition("://")
    userinfo = rest.rpartition("@")[0]
    values = re.findall(r"[?&][^=&]*=([^&]*)", rest)
    path = re.split(r"[?#]", rest.rpartition("@")[2].partition("/")[2])[0]
    written = [userinfo, *userinfo.split(":", 1), *values, *([path] if len(path) >= 8 else [])]
    return [*written, *map(unquote, written), *map(unquote_plus, written)]


def _from_instance(
    name: str,
    config: BaseModel,
    adapter: str | type[Adapter[Any]] | None,
    options: ChannelOptions | None,
    problems: Problems,
) -> ChannelSettings | None:
    """Settings that are there already: only whose they are has to be found."""
    if not _NAME.fullmatch(name):
        problems.add((), _BAD_NAME)
    if isinstance(adapter, str):
        adapter = adapter_class(adapter)
    own = [kind for kind in _subclasses(Adapter) if vars(kind).get("Config") is type(config)]
    if adapter is None and len(own) == 1:
        (adapter,) = own
    if adapter is None:
        named = f"{len(own)} adapters have" if own else "no adapter that is loaded has"
        problems.add((), f"{named} the settings {type(config).__qualname__}; say which with adapter=")
        return None
    if _whole(adapter, (), problems) is None:
        return None
    if type(config) is not adapter.Config:
        problems.add(
            (), f"{adapter.__name__} has the settings {adapter.Config.__qualname__}, not {type(config).__qualname__}"
        )
    return ChannelSettings(name=name, adapter=adapter, config=config, options=options or ChannelOptions())


def _subclasses(kind: type[Any]) -> Iterator[type[Adapter[Any]]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)
