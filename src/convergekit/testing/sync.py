"""The same recording hub behind blocking code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, Self, cast

from convergekit import sync
from convergekit.model import Address, Event

from . import recording as _asynchronous
from .recording import Medium

__all__ = ["Inbound", "RecordingHub", "recording"]


class Inbound(Protocol):
    """What the fixture `inbound` is in a test that is not async: see `convergekit.testing.RecordingHub.inbound`."""

    def __call__(
        self,
        channel: str,
        sender: Address | str | None = None,
        text: str | None = None,
        *,
        event: Event | None = None,
        timeout: float = 10.0,
        **fields: Any,
    ) -> Event:
        """See `convergekit.testing.RecordingHub.inbound`."""
        ...


class RecordingHub(sync.Hub):
    """See `convergekit.testing.RecordingHub`. Enter it with a plain `with`.

    Args:
        backend: Event loop: "asyncio" or "trio".
        options: As for `convergekit.testing.RecordingHub`.
    """

    def __init__(self, *, backend: Literal["asyncio", "trio"] = "asyncio", **options: Any) -> None:
        self._adopt(_asynchronous.RecordingHub(**options), backend)

    @classmethod
    def from_toml(cls, path: str | Path, *, backend: Literal["asyncio", "trio"] = "asyncio", **options: Any) -> Self:
        """See `convergekit.testing.RecordingHub.from_toml`."""
        return cls.around(_asynchronous.RecordingHub.from_toml(path, **options), backend)

    @classmethod
    def around(cls, hub: _asynchronous.RecordingHub, backend: Literal["asyncio", "trio"] = "asyncio") -> Self:
        """The same as *hub*, for threads."""
        blocking = cls.__new__(cls)
        blocking._adopt(hub, backend)
        return blocking

    @property
    def _recorder(self) -> _asynchronous.RecordingHub:
        return cast(_asynchronous.RecordingHub, self._hub)

    @property
    def captured(self) -> Medium:
        """What has gone out, to be looked at, and to be given scripts; `say` and `post` are not for threads."""
        return self._recorder.captured

    @property
    def failures(self) -> list[Exception]:
        """What handlers have failed with, in order."""
        return self._recorder.failures

    @property
    def unhandled(self) -> list[Event]:
        """What came in and no handler took, in order."""
        return self._recorder.unhandled

    def idle(self) -> None:
        """See `convergekit.testing.RecordingHub.idle`."""
        self._call(self._recorder.idle)

    def advance(self, seconds: float) -> None:
        """See `convergekit.testing.RecordingHub.advance`."""
        self._call(lambda: self._recorder.advance(seconds))

    def inbound(
        self, channel: str, sender: Address | str | None = None, text: str | None = None, **fields: Any
    ) -> Event:
        """See `convergekit.testing.RecordingHub.inbound`."""
        return self._call(lambda: self._recorder.inbound(channel, sender, text, **fields))


@contextmanager
def recording(hub: sync.Hub) -> Generator[RecordingHub]:
    """See `convergekit.testing.recording.recording`."""
    if isinstance(hub, RecordingHub):
        yield hub
        return
    with _asynchronous.recording(hub._hub) as recorder:
        kind, before = type(hub), dict(vars(hub))
        hub.__class__ = RecordingHub if kind is sync.Hub else type(kind.__name__, (RecordingHub, kind), {})
        blocking = cast(RecordingHub, hub)
        blocking._adopt(recorder, hub._backend)
        try:
            yield blocking
        finally:
            hub.__class__ = kind
            vars(hub).clear()
            vars(hub).update(before)
