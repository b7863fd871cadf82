"""The pytest plugin: an application's own hub and handlers, without a network.

A host gives the fixture `convergekit_hub`, which returns its hub, in its `conftest.py`, and asks for the others in its
tests.

Where the hub lives: in the test's own event loop, for an async test; in a loop and a thread of its own for any other,
and for a `convergekit.sync.Hub`. Nothing of convergekit is loaded before a test asks for one of these fixtures.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convergekit import Hub, sync

    from .recording import Medium, RecordingHub
    from .sync import RecordingHub as SyncRecordingHub

__all__ = ["captured", "convergekit_hub", "hub", "inbound", "pytest_configure", "recording_hub"]


def pytest_configure(config: pytest.Config) -> None:
    """Know how pytest-asyncio runs fixtures, where it is there."""
    if config.pluginmanager.hasplugin("asyncio"):
        try:
            from . import _pytest_asyncio
        except TypeError:  # it knows no loop scopes; whoever does not ask for a hub is not to suffer from that
            return
        config.pluginmanager.register(_pytest_asyncio, "convergekit-asyncio")


@pytest.fixture
def convergekit_hub() -> Hub | sync.Hub:
    """The application's hub, not open: override this in `conftest.py`."""
    pytest.fail(
        "convergekit does not know your hub: write a fixture convergekit_hub in conftest.py that returns it, or one "
        'made for tests: RecordingHub(router=router, channels={"partner": "webhook"})',
        pytrace=False,
    )


@pytest.fixture
def recording_hub(convergekit_hub: Hub | sync.Hub) -> Generator[RecordingHub | SyncRecordingHub]:
    """The application's hub, with channels that lead nowhere, and not open yet.

    An application that opens its hub itself overrides `hub`: with a fixture that takes this one, starts the
    application, and yields.
    """
    from convergekit import sync

    from . import recording
    from . import sync as blocking

    _check_is_a_hub(convergekit_hub)
    if isinstance(convergekit_hub, sync.Hub):
        with blocking.recording(convergekit_hub) as silenced:
            yield silenced
    else:
        with recording.recording(convergekit_hub) as recorder:
            yield recorder


def _check_is_a_hub(given: object) -> None:
    from convergekit import Hub, Router, sync

    if isinstance(given, Hub | sync.Hub):
        return
    hint = (
        'RecordingHub(router=router, channels={"partner": "webhook"}) makes a hub of it'
        if isinstance(given, Router)
        else "it has to return a Hub"
    )
    raise TypeError(f"your fixture convergekit_hub returned a {type(given).__name__}: {hint}")


@pytest.fixture
def hub(request: pytest.FixtureRequest, recording_hub: RecordingHub | SyncRecordingHub) -> Any:
    """The application's hub, open: a `RecordingHub`, and in tests that are not async `convergekit.testing.sync`'s."""
    return request.getfixturevalue(_home(request, recording_hub))


@pytest.fixture
def captured(hub: Any, recording_hub: RecordingHub | SyncRecordingHub) -> Medium:
    """What has gone out: `captured.texts(to=..., channel=...)`; and scripts of what becomes of the next sends."""
    return recording_hub.captured


@pytest.fixture
def inbound(
    request: pytest.FixtureRequest, hub: Any, recording_hub: RecordingHub | SyncRecordingHub
) -> Callable[..., Any]:
    """`inbound(channel, sender, text)`: see `RecordingHub.inbound`; it is awaited in async tests, else it blocks."""
    from .recording import RecordingHub

    if _is_async(request) or not isinstance(recording_hub, RecordingHub):
        return recording_hub.inbound
    return partial(_elsewhere, recording_hub)


def _elsewhere(hub: RecordingHub, *args: Any, **fields: Any) -> Any:
    """Call *hub* in the loop where the test, or the application, has opened it."""
    from anyio import from_thread

    return from_thread.run(partial(hub.inbound, *args, **fields), token=hub.token)


def _is_async(request: pytest.FixtureRequest) -> bool:
    test = getattr(request.node, "obj", None)
    return iscoroutinefunction(getattr(getattr(test, "hypothesis", None), "inner_test", test))


def _home(request: pytest.FixtureRequest, hub: RecordingHub | SyncRecordingHub) -> str:
    """Name of the fixture that opens *hub* where this test can use it."""
    from .recording import RecordingHub

    if not isinstance(hub, RecordingHub) or not _is_async(request):
        return "_convergekit_in_a_thread"
    if "anyio_backend" in request.fixturenames:
        return "_convergekit_in_anyio"
    if (marker := request.node.get_closest_marker("asyncio")) is not None:
        if not request.config.pluginmanager.hasplugin("convergekit-asyncio"):
            pytest.fail("convergekit's fixtures need pytest-asyncio 0.24 or newer", pytrace=False)
        default = request.config.getini("asyncio_default_test_loop_scope")
        return f"_convergekit_in_asyncio_{marker.kwargs.get('loop_scope') or default}"
    pytest.fail("this test is async, and no plugin runs it: mark it with pytest.mark.anyio or .asyncio", pytrace=False)


@pytest.fixture
def _convergekit_in_a_thread(recording_hub: RecordingHub | SyncRecordingHub) -> Generator[SyncRecordingHub]:
    from .recording import RecordingHub
    from .sync import RecordingHub as Blocking

    blocking = Blocking.around(recording_hub) if isinstance(recording_hub, RecordingHub) else recording_hub
    with blocking:
        yield blocking


@pytest.fixture
async def _convergekit_in_anyio(recording_hub: RecordingHub) -> AsyncGenerator[RecordingHub]:
    """Anyio enters and leaves its fixtures in one task."""
    async with recording_hub:
        yield recording_hub
