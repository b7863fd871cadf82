"""Which adapters there are, and the class of one of them.

- Adapters come in through the entry-point group `convergekit.adapters`, ours like everybody's.
- The table of our own is a fast path and nothing more: a scan of what is installed costs milliseconds.
- Listing imports no adapter; loading one imports that one and no other.
- A broken plugin fails alone, and is named with its distribution.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from convergekit.abc import Adapter
from convergekit.errors import ConfigurationError

from .flaws import class_flaw, settings_flaw

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "GROUP",
    "OURS",
    "AdapterEntry",
    "EntryPoints",
    "adapter_class",
    "adapter_entries",
    "brought_by",
    "entry_point",
    "installed",
    "on_one_line",
]

GROUP: Final = "convergekit.adapters"

#: Looks up what is installed; tests and hosts with a loader of their own pass another.
EntryPoints = Callable[[], "Iterable[EntryPoint]"]

#: Our own adapters, found without a scan.
_OURS: Final[Mapping[str, str]] = {
    "email": "convergekit.adapters.email:EmailAdapter",
    "loopback": "convergekit.adapters.loopback:LoopbackAdapter",
    "sms": "convergekit.adapters.sms:SmsAdapter",
    "webhook": "convergekit.adapters.webhook:WebhookAdapter",
    "x": "convergekit.adapters.x:XAdapter",
    "xmpp": "convergekit.adapters.xmpp:XmppAdapter",
}

_LONGEST: Final = 300  # characters of somebody else's error

#: Modules in which an import fails, and which say nothing about where.
_NOT_THEIRS: Final = frozenset({"convergekit", "importlib", "pydantic"})

#: What people write, and the adapter that they mean; its extra is called like it.
_EXTRAS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("email", "e-mail", "mail", "smtp", "imap", "lmtp", "mailto"), "email"),
    **dict.fromkeys(("sms", "tel", "mms", "whatsapp", "rcs", "smpp"), "sms"),
    **dict.fromkeys(("twilio", "vonage", "telnyx", "plivo", "infobip", "sinch", "messagebird", "bandwidth"), "sms"),
    **dict.fromkeys(("clickatell", "africastalking", "kannel", "jasmin"), "sms"),
    **dict.fromkeys(("x", "twitter"), "x"),
    **dict.fromkeys(("xmpp", "jabber"), "xmpp"),
}

#: Names of adapters that are ours.
OURS: Final[frozenset[str]] = frozenset(_OURS)


@dataclass(frozen=True, slots=True)
class AdapterEntry:
    """One adapter that is installed, as its distribution announces it.

    Args:
        name: What it is called in configuration.
        distribution: Which package brings it, or None where that is not recorded.
        version: Of the distribution, or None.
        target: `module:attribute`.
        error: Why it cannot be used, as far as that shows without importing it; None when nothing shows.
    """

    name: str
    distribution: str | None
    version: str | None
    target: str
    error: str | None = None


def installed(group: str = GROUP) -> Iterable[EntryPoint]:
    """The entry points of *group*, over everything that is installed."""
    from importlib.metadata import entry_points  # tens of milliseconds, and the fast path does without

    return entry_points(group=group)


def entry_point(name: str, points: Iterable[EntryPoint], kind: str = "adapters") -> EntryPoint | None:
    """The one of *points* that is called *name*; None where there is none.

    Raises:
        ConfigurationError: Two distributions bring it; says that two *kind* are called so, and who brings them.
    """
    found = _distinct(point for point in points if point.name == name)
    if (clash := _clash(name, found, kind)) is not None:
        raise ConfigurationError(clash)
    return found[0] if found else None


def brought_by(point: EntryPoint) -> str:
    """Name and version of the distribution that announces *point*."""
    return " ".join(part for part in _origin(point) if part) or "an unnamed distribution"


def adapter_entries(entry_points: EntryPoints = installed) -> Sequence[AdapterEntry]:
    """Every adapter that is installed, by name; imports none of them."""
    by_name: dict[str, list[EntryPoint]] = {}
    for point in entry_points():
        by_name.setdefault(point.name, []).append(point)
    return [
        AdapterEntry(name, *_origin(point), point.value, error=_clash(name, points) or _malformed(point))
        for name, points in sorted(by_name.items())
        for point in _distinct(points)
    ]


def adapter_class(name: str, entry_points: EntryPoints = installed) -> type[Adapter[Any]]:
    """The adapter that configuration calls *name*; imports it and no other.

    Raises:
        ConfigurationError: Nothing of that name is installed, two distributions bring it, or the one that does is
            broken. Says which, and the way out.
    """
    if (target := _OURS.get(name)) is not None:
        module, _, attribute = target.partition(":")
        return _usable(name, "convergekit", lambda: getattr(_imported(module), attribute))
    points = list(entry_points())
    found = entry_point(name, points)
    if found is None:
        raise ConfigurationError(_unknown(name, {point.name for point in points}))
    return _usable(name, brought_by(found), found.load)


def _imported(module: str) -> Any:
    from importlib import import_module

    return import_module(module)


def _usable(name: str, origin: str, load: Callable[[], Any]) -> type[Adapter[Any]]:
    cause: BaseException | None = None
    try:
        found = load()
        flaw = _flaw(name, found)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # whatever somebody else's module does when it is imported: exit, or skip a test
        hint = f"; try: pip install 'convergekit[{_EXTRAS[name]}]'" if name in _EXTRAS else ""
        flaw, cause = f"it cannot be imported: {on_one_line(exc)}{hint}", exc
    else:
        if flaw is None:
            adapter: type[Adapter[Any]] = found
            return adapter
    raise ConfigurationError(f"the adapter {name!r} ({origin}) is broken: {flaw}") from cause


def on_one_line(exc: BaseException) -> str:
    """What went wrong in somebody else's module, and where: not too much of it, and nothing that a terminal obeys."""
    said = str(exc)
    if isinstance(exc, ValidationError):  # of what the class declares
        said = "; ".join(f"{exc.title}.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors())
    where = [frame.f_globals.get("__name__", "?") + f":{line}" for frame, line in traceback.walk_tb(exc.__traceback__)]
    theirs = [place for place in where if place.partition(".")[0].partition(":")[0] not in _NOT_THEIRS]
    said = " ".join("".join(each if each.isprintable() else " " for each in said).split())  # it may go to a terminal
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    return f"{type(exc).__name__}: {said}" + (f", at {theirs[-1]}" if theirs else "")


def _flaw(name: str, found: Any) -> str | None:
    """What keeps *found* from being an adapter called *name*, or None."""
    if (flaw := class_flaw(found) or settings_flaw(found.Config)) is not None:
        return flaw
    if found.name != name:
        return f"{found.__name__} calls itself {found.name!r}; the entry point must have the same name"
    return None


def _unknown(name: str, known: Iterable[str]) -> str:
    names = sorted({*known, *_OURS})
    if (ours := _EXTRAS.get(name.lower())) is not None:
        return f"no adapter {name!r} is installed; it is called {ours!r}"
    if near := difflib.get_close_matches(name.lower(), names, n=1):
        return f"no adapter {name!r} is installed; did you mean {near[0]!r}?"
    return f"no adapter {name!r} is installed; there are {', '.join(names)}. Install the package that brings it"


def _distinct(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Without what one distribution says twice: an editable install may be seen under two paths."""
    seen = {(point.value, *_origin(point)[:1]): point for point in points}
    return list(seen.values())


def _clash(name: str, points: Sequence[EntryPoint], kind: str = "adapters") -> str | None:
    if len(distinct := _distinct(points)) < 2:
        return None
    bringers = " and ".join(sorted(f"{brought_by(point)} ({point.value})" for point in distinct))
    return f"two {kind} are called {name!r}: by {bringers}; uninstall one of them"


def _malformed(point: EntryPoint) -> str | None:
    module, colon, attribute = point.value.partition(":")
    if module and colon and attribute and not point.extras:
        return None
    return f"its entry point {point.value!r} is not module:attribute"


def _origin(point: EntryPoint) -> tuple[str | None, str | None]:
    return (point.dist.name, point.dist.version) if point.dist is not None else (None, None)
