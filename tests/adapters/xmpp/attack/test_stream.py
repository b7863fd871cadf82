"""A server that lies, and lines that go dead, at any point: the stream comes back, and what was to be sent is sent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from xml.etree.ElementTree import Element, SubElement

import anyio
import pytest

from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.errors import DeliveryError
from tests.adapters.xmpp.transport.far_side import SM, FarSide, Line, begun, until

pytestmark = pytest.mark.anyio

MakeStream = Callable[..., XmppStream]


def message(id: str) -> Element:
    element = Element("{jabber:client}message", {"to": "ann@example.org", "id": id})
    SubElement(element, "{jabber:client}body").text = "hi"
    return element


async def serve(line: Line, answer: str | None) -> None:
    """Answer a resume with *answer*, or not at all; give any other session."""
    await line.login()
    asked = await line.next()
    if asked.tag == f"{{{SM}}}resume":
        await (line.close() if answer is None else line.send(answer))
        return
    bound = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>bot@example.org/here</jid></bind>"
    await line.send(f"<iq type='result' id='{asked.get('id')}'>{bound}</iq>")
    assert (await line.next()).tag == f"{{{SM}}}enable"
    await line.send(f"<enabled xmlns='{SM}' id='s2' resume='true'/>")


@pytest.mark.parametrize(
    "answer",
    [
        f"<resumed xmlns='{SM}' previd='s1' h='999'/>",
        f"<resumed xmlns='{SM}' previd='s1' h='no'/>",
        f"<resumed xmlns='{SM}' previd='s1'/>",
        f"<failed xmlns='{SM}' h='999'/>",
        f"<enabled xmlns='{SM}' id='s1'/><enabled xmlns='{SM}'/>",
        "<what xmlns='is:this'/>",
        "</stream:stream>",
        None,
    ],
)
async def test_a_server_that_cannot_resume_and_does_not_say_so_is_left_alone_with_it(
    far: FarSide, make_stream: MakeStream, answer: str | None
) -> None:
    """It would go on so for ever; and what was under way is written again."""
    stream = make_stream(timeout=1.5)  # a busy machine logs in, too
    line = await begun(stream, far)
    delivered = anyio.Event()

    async def deliver() -> None:
        for _ in range(5):  # the engine tries again
            try:
                await stream.deliver([message("1")], started=lambda: None)
            except DeliveryError:
                continue
            delivered.set()
            return

    async with anyio.create_task_group() as group:
        group.start_soon(deliver)
        assert await line.names(2) == ["1", "r"]
        await line.close()
        for _ in range(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_opened, stream)
                line = await far.line()
                await serve(line, answer)
            if stream.bound is not None:
                break
        assert stream.bound is not None
        stream.flow()
        assert await line.names(2) == ["1", "r"]
        await line.send(f"<a xmlns='{SM}' h='1'/>")
        with anyio.fail_after(5):
            await delivered.wait()


async def _opened(stream: XmppStream) -> None:
    with suppress(DeliveryError):
        await stream.open()


async def test_many_that_wait_are_cancelled_in_no_time(far: FarSide, make_stream: MakeStream) -> None:
    """A hub that closes while thousands of messages wait for a server that does not answer."""
    stream = make_stream(window=200)
    await begun(stream, far)
    count, began = 0, 0.0

    async def deliver(number: int) -> None:
        nonlocal count
        count += 1
        await stream.deliver([message(str(number))], started=lambda: None)

    async with anyio.create_task_group() as group:
        for number in range(3000):
            group.start_soon(deliver, number)
        await until(lambda: count == 3000)
        began = anyio.current_time()
        group.cancel_scope.cancel()
    assert anyio.current_time() - began < 2.0


async def test_a_question_that_has_an_answer_too_long_for_the_server_has_none(
    far: FarSide, make_stream: MakeStream
) -> None:
    """The server would end our stream for it, for good."""
    stream = make_stream()
    line = await begun(stream, far)
    long = "x" * (stream.limit - 300)
    asked = (
        "<iq type='get' id='{}' from='eve@example.org/x'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    )
    await line.send(asked.format(long) + asked.format("short"))
    assert (await line.next()).get("id") == "short"


async def test_questions_without_end_take_no_memory(far: FarSide, make_stream: MakeStream) -> None:
    """Each answer is counted until the server has it, which it has to be asked for."""
    stream = make_stream()
    line = await begun(stream, far)
    asked = 0
    for _ in range(20):
        await line.send("<iq type='get' id='1' from='eve@example.org/x'><ping xmlns='urn:xmpp:ping'/></iq>" * 200)
        answers = 0
        while answers < 200:
            if (await line.next()).tag == f"{{{SM}}}r":
                asked += 1
                await line.send(f"<a xmlns='{SM}' h='{stream._window.written}'/>")
            else:
                answers += 1
    assert asked > 0
    assert len(stream._window._sent) < 2000
