"""A file of settings, with what the environment adds to it: all of it right, or every problem told at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from convergekit.errors import ConfigurationError

from ._environ import overridden, resolved
from ._problems import Path, Problems, nearest
from .channel import ChannelSettings, from_table
from .discovery import EntryPoints, installed
from .store import StoreSettings, store_settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Settings", "load", "load_store"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file and the environment say together.

    Args:
        channels: By name, in the order of the file.
        store: Where the ledger is.
        source: The file.
    """

    channels: Mapping[str, ChannelSettings]
    store: StoreSettings
    source: FilePath


def load(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] = os.environ,
    *,
    entry_points: EntryPoints = installed,
) -> Settings:
    """Read the TOML file *path*, with what *environ* adds to it; imports the adapters that it names and no others.

    Args:
        path: The file.
        environ: Where `{ env = "NAME" }` and `CONVERGEKIT_...` are looked up.
        entry_points: Looks up installed adapters.

    Raises:
        ConfigurationError: The file cannot be read, or is not right. One line for each problem: file, key path,
            value seen, way out; never a secret.
    """
    source = FilePath(path)
    try:
        return _load(source, environ, entry_points)
    except RecursionError:  # dotted keys, and lists in the environment, cost their writer nothing
        raise ConfigurationError(f"{source}: tables or lists are nested too deep, here or in the environment") from None


def load_store(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> StoreSettings:
    """Only where the ledger is, of the TOML file *path*: whoever looks after it need not have the channels' secrets.

    Raises:
        ConfigurationError: As `load` does.
    """
    source = FilePath(path)
    problems = Problems(str(source))
    raw = overridden(_read(source), environ, problems)
    store = store_settings(resolved(raw.get("store", {}), environ, problems, ("store",)), problems)
    problems.raise_if_any()
    assert store is not None
    return store


def _load(source: FilePath, environ: Mapping[str, str], entry_points: EntryPoints) -> Settings:
    document = _read(source)
    problems = Problems(str(source))
    raw = overridden(document, environ, problems)
    for unknown in raw.keys() - {"store", "channels"}:
        problems.add((unknown,), "unknown setting" + nearest(unknown, ("store", "channels")))
    store = store_settings(resolved(raw.get("store", {}), environ, problems, ("store",)), problems)
    channels = _channels(raw.get("channels", {}), environ, problems, _once(entry_points))
    problems.raise_if_any()
    assert store is not None
    return Settings(channels=channels, store=store, source=source)


def _read(source: FilePath) -> dict[str, Any]:
    try:
        text = source.read_bytes().decode("utf-8")
    except FileNotFoundError:
        problem = "there is no such file; name another one, or write it (examples/convergekit.toml shows how)"
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror}"
    except UnicodeDecodeError as exc:
        problem = f"is not UTF-8 at byte {exc.start}; TOML is"
    except ValueError:  # a NUL
        problem = "is not the name of a file"
    else:
        try:
            return tomllib.loads(text)
        except RecursionError:
            problem = "is not TOML: nested too deep"
        except ValueError as exc:  # tomllib's own are such, and so is an integer of thousands of digits
            problem = f"is not TOML: {exc}"
    raise ConfigurationError(f"{source}: {problem}")


def _once(entry_points: EntryPoints) -> Callable[[], Sequence[EntryPoint]]:
    """One scan for all channels of a file."""
    return cache(lambda: tuple(entry_points()))


def _channels(
    tables: Any, environ: Mapping[str, str], problems: Problems, entry_points: EntryPoints
) -> Mapping[str, ChannelSettings]:
    found: dict[str, ChannelSettings] = {}
    if not isinstance(tables, Mapping):
        problems.add(("channels",), "must be a table of tables: [channels.NAME]")
        return found
    for name, table in tables.items():
        path: Path = ("channels", name)
        channel = from_table(name, resolved(table, environ, problems, path), path, problems, entry_points)
        if channel is not None:
            found[name] = channel
    _check_defaults(found.values(), problems)
    return found


def _check_defaults(channels: Iterable[ChannelSettings], problems: Problems) -> None:
    """Two defaults for one scheme are none."""
    first: dict[str, str] = {}
    for channel in channels:
        for scheme in sorted(channel.adapter.schemes_for(channel.config) if channel.options.default else ()):
            if (other := first.setdefault(scheme, channel.name)) != channel.name:
                text = f"channel {other!r} is the default for {scheme}: addresses already; keep one of them"
                problems.add(("channels", channel.name, "default"), text)
