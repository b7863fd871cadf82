"""The environment's say: `{ env = "NAME" }` in the file, and `CONVERGEKIT_CHANNELS__NAME__FIELD` over it.

A variable spells a name in capitals, with "_" for whatever else stands in it, and "__" between levels:
`SUPPORT_MAIL` is `support-mail`. Two names that are spelt alike cannot be told apart, and that is an error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ._problems import FromEnvironment, Path, Problems, nearest

__all__ = ["overridden", "resolved"]

_PREFIX: Final = "CONVERGEKIT_"
_UNSET: Final = object()


def resolved(value: Any, environ: Mapping[str, str], problems: Problems, path: Path = ()) -> Any:
    """*value* with every `{ env = "NAME" }` in it replaced by that variable; what is not set is noted and left out."""
    if isinstance(value, Mapping):
        if value.keys() == {"env"} and isinstance(name := value["env"], str):
            return _looked_up(name, environ, problems, path)
        items = {str(key): resolved(item, environ, problems, (*path, str(key))) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _UNSET}
    if isinstance(value, list | tuple):
        found = [resolved(item, environ, problems, (*path, index)) for index, item in enumerate(value)]
        return [item for item in found if item is not _UNSET]
    return value


def _looked_up(name: str, environ: Mapping[str, str], problems: Problems, path: Path) -> Any:
    if name in environ:
        return FromEnvironment(environ[name])
    near = difflib.get_close_matches(name, environ, n=1, cutoff=0.8)
    hint = f"; is {near[0]} meant?" if near else "; set it"
    problems.add(path, f"the environment variable {name} is not set{hint}")
    return _UNSET


def overridden(document: Mapping[str, Any], environ: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    """*document* with the values that `CONVERGEKIT_CHANNELS__...` and `CONVERGEKIT_STORE__...` put into it."""
    result = dict(document)
    for variable, text in sorted(environ.items()):
        if variable.startswith(f"{_PREFIX}CHANNELS__"):
            _override_channel(result, variable, FromEnvironment(text), problems)
        elif variable.startswith(f"{_PREFIX}STORE__"):
            result["store"] = _put(result.get("store", {}), _levels(variable)[1:], FromEnvironment(text))
    return result


def _override_channel(result: dict[str, Any], variable: str, text: str, problems: Problems) -> None:
    channels = result.get("channels")
    names = list(channels) if isinstance(channels, Mapping) else []
    rest = variable.removeprefix(f"{_PREFIX}CHANNELS__")
    meant = [name for name in names if re.match(re.escape(_spelt(name)) + "_{2}[^_]", rest)]
    if len(meant) != 1:
        problems.add((), f"the environment variable {variable} {_why(rest, meant, names)}")
        return
    levels = [level for level in rest.removeprefix(_spelt(meant[0])).split("__") if level]
    result["channels"] = {**result["channels"], meant[0]: _put(result["channels"][meant[0]], levels, text)}


def _why(rest: str, meant: list[str], names: Iterable[str]) -> str:
    if meant:
        return f"could mean the channels {' and '.join(map(repr, sorted(meant)))}; rename one of them"
    wanted = rest.partition("__")[0].lower()
    return f"names no channel and field of it{nearest(wanted, names)}"


def _put(table: Any, levels: list[str], text: str) -> dict[str, Any]:
    """*table* with *text* at *levels*; a key that is there under another spelling is the one that is meant."""
    result = dict(table) if isinstance(table, Mapping) and table.keys() != {"env"} else {}
    name = next((key for key in result if _spelt(str(key)) == levels[0]), levels[0].lower())
    result[name] = _put(result.get(name, {}), levels[1:], text) if levels[1:] else text
    return result


def _levels(variable: str) -> list[str]:
    return [level for level in variable.removeprefix(_PREFIX).split("__") if level]


def _spelt(name: str) -> str:
    """*name* as a variable spells it."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
