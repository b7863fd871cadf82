"""The gateways that are known by name, and how a profile is read.

Ours are TOML files beside this module; others come in through the entry-point group `convergekit.sms_profiles`: a dict,
a `Profile`, the path of a TOML file, or a function without arguments that gives one of these.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from convergekit.errors import ConfigurationError

from ..profile import Profile
from ..profile.flaws import told
from ..verify import problems

__all__ = ["GROUP", "Source", "load", "names", "read"]

GROUP: Final = "convergekit.sms_profiles"

#: What a profile can be given as.
Source: TypeAlias = Profile | Mapping[str, Any] | str | os.PathLike[str]

_HERE: Final = Path(__file__).parent
_LARGEST: Final = 262_144  # bytes of a file


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def names(installed: Callable[[], Iterable[EntryPoint]] = _installed) -> list[str]:
    """Every gateway that is known by name: ours, and those that are installed. Reads none of them."""
    return sorted({path.stem for path in _HERE.glob("*.toml")} | {point.name for point in installed()})


def load(name: str, installed: Callable[[], Iterable[EntryPoint]] = _installed) -> Profile:
    """The profile of the gateway that is called *name*.

    Raises:
        ConfigurationError: There is none, two distributions bring one, or it is broken. Says which, and the way out.
    """
    if "/" not in name and (_HERE / f"{name}.toml").is_file():
        return _ours(name)
    found = {point.value: point for point in installed() if point.name == name}
    if len(found) > 1:
        raise ConfigurationError(f"two SMS profiles are called {name!r}: {' and '.join(sorted(found))}; uninstall one")
    if not found:
        raise ConfigurationError(_unknown(name, names(installed)))
    return _named(name, *found.values())


def read(source: Source) -> Profile:
    """The profile that *source* says: a table, or the path of a TOML file that holds one.

    Raises:
        ConfigurationError: It cannot be read, or does not fit; names the file and the key.
    """
    if isinstance(source, Profile):
        return _sound(source, f"the profile {source.name!r}")
    if isinstance(source, Mapping):
        return _validated(source, f"the profile {str(source.get('name', '?'))[:80]!a}")
    path = Path(source)
    return _validated(_parsed(path), str(path))


@cache
def _ours(name: str) -> Profile:
    return read(_HERE / f"{name}.toml")


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigurationError(f"{path}: a profile has at most {_LARGEST} bytes")
        return tomllib.loads(content.decode())
    except OSError as exc:
        raise ConfigurationError(f"{path}: the profile cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ConfigurationError(f"{path}: the profile is not TOML: {exc}") from None


def _validated(data: Mapping[str, Any], where: str) -> Profile:
    try:
        profile = Profile.model_validate(dict(data))
    except ValidationError as exc:
        raise ConfigurationError(f"{where}: {'; '.join(map(told, exc.errors()))}") from None
    except RecursionError:
        raise ConfigurationError(f"{where}: it has tables or lists in one another by the hundred") from None
    return _sound(profile, where)


def _sound(profile: Profile, where: str) -> Profile:
    if flaws := problems(profile):
        raise ConfigurationError(f"{where}: {'; '.join(flaws)}")
    return profile


def _named(name: str, point: EntryPoint) -> Profile:
    bringer = point.dist.name if point.dist is not None else "an unnamed distribution"
    try:
        found: Source | Callable[[], Any] = point.load()
        profile = read(found() if callable(found) else found)
    except KeyboardInterrupt:
        raise
    except ConfigurationError as exc:
        raise ConfigurationError(f"the SMS profile {name!r} ({bringer}) is broken: {exc}") from exc
    except BaseException as exc:  # whatever somebody else's module does when it is imported
        raise ConfigurationError(f"the SMS profile {name!r} ({bringer}) is broken: {type(exc).__name__}") from exc
    if profile.name != name:
        raise ConfigurationError(
            f"the SMS profile {name!r} ({bringer}) calls itself {profile.name!r}; the entry point must say the same"
        )
    return profile


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
    return f"no SMS gateway is called {name[:80]!a}; {hint} A profile of your own is given as `profile`"
