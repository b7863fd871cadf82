"""The stream that the other tests stand on does what they believe."""

import anyio
import pytest

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import Bound, StanzaError, Stream
from convergekit.errors import NotSentError, UncertainError
from tests.adapters.xmpp.fake_stream import HANGS, SILENT, FakeStream, element, iq

pytestmark = pytest.mark.anyio

PING = tag(NS.PING, "ping")
MESSAGE = "<message id='1'><body>hi</body></message>"


async def test_it_is_a_stream() -> None:
    stream: Stream = FakeStream()

    assert await stream.open() == Bound("bot@example.org/here")


async def test_what_is_pushed_waits_while_reading_is_paused() -> None:
    heard: list[object] = []
    stream = FakeStream(heard.append)
    stream.pause()
    stream.push(MESSAGE)
    assert not heard

    stream.resume()

    assert len(heard) == 1


@pytest.mark.parametrize(("answer", "error"), [(SILENT, NotSentError), (StanzaError("wait", "x"), StanzaError)])
async def test_a_request_is_answered_as_it_is_told(answer: Exception, error: type[Exception]) -> None:
    stream = FakeStream()
    await stream.open()
    stream.answers[PING] = lambda asked: "<pong xmlns='x'/>" if asked.get("to") else answer

    found = await stream.request(iq("get", "<ping xmlns='urn:xmpp:ping'/>", to="example.org"))

    assert (found.get("from"), found[0].tag) == ("example.org", "{x}pong")
    with pytest.raises(error):
        await stream.request(iq("get", "<ping xmlns='urn:xmpp:ping'/>"))


async def test_a_lost_connection_ends_what_waits_for_it() -> None:
    stream = FakeStream()
    await stream.open()
    stream.answers[PING] = HANGS

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, stream)
        await stream.until(lambda: stream.asked)
        stream.drop()

    with pytest.raises(NotSentError):
        await stream.ended()


async def _ask(stream: FakeStream) -> None:
    with pytest.raises(NotSentError):
        await stream.request(iq("get", "<ping xmlns='urn:xmpp:ping'/>"))


async def test_what_is_not_acknowledged_is_written_again() -> None:
    stream = FakeStream(timeout=5)
    stream.acknowledges = False
    await stream.open()
    stream.flow()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: stream.deliver([element(MESSAGE)], started=lambda: None))
        await stream.until(lambda: stream.written)
        stream.drop()
        await stream.open()
        stream.flow()
        stream.acknowledge()

    assert (len(stream.written), len(stream.delivered)) == (2, 1)


async def test_without_a_session_in_time_nothing_is_written_or_all_is_uncertain() -> None:
    stream = FakeStream()
    with pytest.raises(NotSentError):
        await stream.deliver([element(MESSAGE)], started=lambda: None)
    stream.acknowledges = False
    await stream.open()
    stream.flow()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_deliver_in_vain, stream)
        await stream.until(lambda: stream.written)
        stream.drop()


async def _deliver_in_vain(stream: FakeStream) -> None:
    with pytest.raises(UncertainError):
        await stream.deliver([element(MESSAGE)], started=lambda: None)
