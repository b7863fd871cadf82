"""Subjects of adapters that are installed: each package announces its own, beside its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from convergekit.abc import Adapter
from convergekit.config.discovery import brought_by, entry_point, installed, on_one_line
from convergekit.errors import ConfigurationError

from ._subject import Cannot, Subject

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["SUBJECTS", "installed_subject", "without_subject"]

#: The entry-point group: the adapter's name, and the `Subject` that plays its far side.
SUBJECTS: Final = "convergekit.subjects"


def _announced() -> Iterable[EntryPoint]:
    return installed(SUBJECTS)


def installed_subject(
    adapter: type[Adapter[Any]], entry_points: Callable[[], Iterable[EntryPoint]] = _announced
) -> type[Subject] | None:
    """The subject that is announced under the name of *adapter*, imported; None where there is none.

    Raises:
        ConfigurationError: Two distributions announce one, or it cannot be used. Says whose it is, and what is wrong.
    """
    point = entry_point(adapter.name, entry_points(), kind="subjects")
    if point is None:
        return None
    try:
        found: Any = point.load()
        flaw = _flaw(found, adapter)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # whatever somebody else's module does when it is imported: exit, or skip a test
        raise _broken(point, on_one_line(exc)) from exc
    if flaw is not None:
        raise _broken(point, flaw)
    subject: type[Subject] = found
    return subject


def _broken(point: EntryPoint, flaw: str) -> ConfigurationError:
    return ConfigurationError(f"the subject {point.name!r} ({brought_by(point)}) is broken: {flaw}")


def _flaw(found: Any, adapter: type[Adapter[Any]]) -> str | None:
    if not (isinstance(found, type) and issubclass(found, Subject)):
        return f"{found!r} is not a subclass of convergekit.testing.adapter.Subject"
    if getattr(found, "adapter", None) is not adapter:
        return f"{found.__name__}.adapter is not {adapter.__name__}"
    return None


def without_subject(adapter: type[Adapter[Any]]) -> type[Subject]:
    """A subject that says nothing about *adapter*: only what can be told from its class is checked."""
    return type("WithoutSubject", (Subject,), {"adapter": adapter, "settings": _Unsaid(), "to": _Unsaid()})


class _Unsaid:
    def __get__(self, instance: object, owner: type[Any]) -> NoReturn:
        raise Cannot("its package announces no subject, which would play the far side")
