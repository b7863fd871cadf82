"""Sessions, what is written in them, and what becomes of it: against a server that says what the test wants."""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import anyio
import anyio.lowlevel
import pytest

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import CUT, Bound, StanzaError
from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.adapters.xmpp.window import OCTETS
from convergekit.errors import AccountError, NotSentError, UncertainError
from tests.adapters.xmpp.transport.far_side import BIND, SM, FarSide, Line, begun, until

pytestmark = pytest.mark.anyio
MakeStream = Callable[..., XmppStream]

A = f"<a xmlns='{SM}' h='{{}}'/>"
R = f"<r xmlns='{SM}'/>"


def message(ident: str, text: str = "hi") -> Element:
    found = Element(tag(NS.CLIENT, "message"), {"to": "ann@example.org", "id": ident})
    SubElement(found, tag(NS.CLIENT, "body")).text = text
    return found


def ping(to: str | None = None) -> Element:
    found = Element(tag(NS.CLIENT, "iq"), {"type": "get"} if to is None else {"type": "get", "to": to})
    SubElement(found, tag(NS.PING, "ping"))
    return found


def presence(**attributes: str) -> Element:
    return Element(tag(NS.CLIENT, "presence"), attributes)


class Sending:
    """Calls of `deliver` in a task group."""

    def __init__(self, stream: XmppStream, group: Any) -> None:
        self._stream, self._group = stream, group
        self.started: list[str] = []
        self.done: list[str] = []
        self.failed: dict[str, BaseException] = {}
        self.scopes: dict[str, anyio.CancelScope] = {}

    async def __call__(self, *idents: str) -> None:
        """Hand over; it is under way, or waits for room, once this returns."""
        self._group.start_soon(self._deliver, idents)
        await anyio.wait_all_tasks_blocked()

    async def _deliver(self, idents: tuple[str, ...]) -> None:
        name = idents[0]
        with anyio.CancelScope() as self.scopes[name]:
            try:
                await self._stream.deliver(list(map(message, idents)), started=lambda: self.started.append(name))
            except Exception as exc:
                self.failed[name] = exc
            else:
                self.done.append(name)


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_session_begins_with_a_login_a_resource_and_stream_management(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream(resource="desk")
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await line.login()
        iq = await line.next()
        assert iq.findtext(f"{{{BIND}}}bind/{{{BIND}}}resource") == "desk"
        await line.send(
            f"<iq type='result' id='{iq.get('id')}'><bind xmlns='{BIND}'><jid>bot@example.org/d</jid></bind></iq>"
        )
        enable = await line.next()
        assert enable.get("resume") == "true"
        assert stream.bound is None
        await line.send(f"<enabled xmlns='{SM}' id='s1' resume='true'/>")
    assert stream.bound == Bound("bot@example.org/d", resumed=False)


async def test_how_large_a_stanza_may_be_is_what_the_server_says_less_some(
    far: FarSide, make_stream: MakeStream
) -> None:
    features = f"<bind xmlns='{BIND}'/><limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>50000</max-bytes></limits>"
    stream = make_stream()
    assert 255_000 < stream.limit < 262_144
    await begun(stream, far, after=features)
    assert 45_000 < stream.limit < 50_000


async def test_a_session_that_is_to_be_established_is(far: FarSide, make_stream: MakeStream) -> None:
    """RFC 3921 §3: some servers still ask for it, and do not call it optional."""
    stream = make_stream()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await line.login(after=f"<bind xmlns='{BIND}'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")
        await line.bind()
        iq = await line.next()
        assert iq[0].tag == "{urn:ietf:params:xml:ns:xmpp-session}session"
        await line.send(f"<iq type='result' id='{iq.get('id')}'/>")


async def test_a_lost_connection_is_told(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.close()
    with pytest.raises(NotSentError):
        await stream.ended()
    assert stream.bound is None
    with pytest.raises(NotSentError):
        await stream.ended()
    with pytest.raises(NotSentError):
        stream.post(presence())
    with pytest.raises(NotSentError):
        await stream.request(ping())


async def test_it_is_resumed_with_the_count_of_what_was_handled(far: FarSide, make_stream: MakeStream) -> None:
    came: list[Element] = []
    stream = make_stream(came)
    line = await begun(stream, far)
    await line.send("<message id='1'/><message id='2'/><message id='3'/>")
    await until(lambda: len(came) == 3)
    stream.handled(2)
    await line.close()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        asked = await line.resumed(0, behind="<message id='3'/>")
        assert (asked.get("h"), asked.get("previd")) == ("2", "s1")
    assert stream.bound == Bound("bot@example.org/here", resumed=True)
    await until(lambda: len(came) == 4)
    await line.send(R)
    assert (await line.next()).get("h") == "2"
    stream.handled(1)
    assert (await line.next()).get("h") == "3"


async def test_a_resume_that_fails_leads_to_a_fresh_session(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.close()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await line.login()
        assert (await line.next()).tag == f"{{{SM}}}resume"
        await line.send(f"<failed xmlns='{SM}'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
        await line.bind()
        assert (await line.next()).tag == f"{{{SM}}}enable"
        await line.send(f"<enabled xmlns='{SM}' id='s2' resume='true'/>")
    assert stream.bound == Bound("bot@example.org/here", resumed=False)


async def test_one_that_may_not_be_resumed_is_not(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far, enabled=f"<enabled xmlns='{SM}'/>")
    await line.close()
    line = await begun(stream, far)
    assert stream.bound is not None
    assert not stream.bound.resumed


async def test_of_two_connections_only_one_is_there(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    first = await begun(stream, far)
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        await first.closed()
        await (await far.line()).resumed(0)
    assert stream.bound is not None


@pytest.mark.parametrize("steps", range(5))
async def test_a_login_that_is_cancelled_leaves_nothing_and_may_be_tried_again(
    far: FarSide, make_stream: MakeStream, steps: int
) -> None:
    stream = make_stream()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        if steps == 1:
            await line.header()
        elif steps == 2:
            await line.login()
        elif steps == 3:
            await line.login()
            await line.bind()
        elif steps == 4:
            await line.session()
            await line.send(R)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await line.closed() if steps < 4 else None
    stream.abort()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await (line.resumed(0) if steps == 4 else line.session())
    assert stream.bound is not None


async def test_a_server_that_says_nothing_is_given_up(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(timeout=0.3)
    with pytest.raises(NotSentError, match="`timeout`"):
        await stream.open()
    await (await far.line()).closed()


async def test_goodbye_is_said_and_it_is_for_good(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.send("<message/>")
    stream.pause()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.close)
        assert (await line.next()).get("type") == "unavailable"
        assert (await line.next()).tag == f"{{{SM}}}a"
        with suppress(Exception):
            await line.next(0.05)
        assert line.raw.endswith(b"</stream:stream>")
        await line.send("</stream:stream>")
    with pytest.raises(NotSentError, match="closed"):
        await stream.open()
    with pytest.raises(NotSentError, match="closed"):
        await stream.deliver([message("1")], started=lambda: None)


async def test_a_server_that_does_not_say_goodbye_is_left_after_two_seconds(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream()
    await begun(stream, far)
    with anyio.fail_after(4):
        await stream.close()


async def test_closing_what_was_never_open_is_nothing(make_stream: MakeStream) -> None:
    stream = make_stream()
    stream.flow()
    stream.abort()
    stream.resume()
    await stream.close()
    await stream.close()


# --- delivering -------------------------------------------------------------------------------------------------------


async def test_it_returns_once_the_server_has_it(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1", "2")
        assert await line.names(3) == ["1", "2", "r"]
        await line.send(A.format(1))
        assert await line.names(1) == ["r"]
        assert send.done == []
        await line.send(A.format(2))
        await until(lambda: send.done == ["1"])
    assert await line.silent()


async def test_what_is_written_together_is_asked_about_once(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        for number in range(3):
            group.start_soon(send._deliver, (str(number),))
        assert await line.names(4) == ["0", "1", "2", "r"]
        await send("3")  # while the answer is under way
        assert await line.names(1) == ["3"]
        assert await line.silent()
        await line.send(A.format(3))
        assert await line.names(1) == ["r"]
        await line.send(A.format(4))


async def test_nothing_is_written_before_it_flows(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far, flow=False)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        assert await line.silent()
        assert send.started == []
        stream.flow()
        assert await line.names(2) == ["1", "r"]
        await line.send(A.format(1))


async def test_there_is_a_window(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(window=2)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        for number in range(4):
            await send(str(number))
        assert (await line.names(3))[:2] == ["0", "r"]
        assert await line.silent()
        assert send.started == ["0", "1"]
        await line.send(A.format(1))
        assert sorted(await line.names(2)) == ["2", "r"]
        await line.send(A.format(3))
        assert sorted(await line.names(2)) == ["3", "r"]
        await line.send(A.format(4))


async def lost_and_resumed(far: FarSide, stream: XmppStream, h: int) -> Line:
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await line.resumed(h)
    return line


async def test_after_a_resume_what_the_server_has_is_not_written_twice(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        stream.post(presence())
        for ident in "123":
            await send(ident)
        await line.close()
        line = await lost_and_resumed(far, stream, 2)
        await until(lambda: send.done == ["1"])
        await send("4")
        assert await line.silent()
        stream.flow()
        assert await line.names(4) == ["2", "3", "4", "r"]
        await line.send(A.format(5))
        await until(lambda: sorted(send.done) == ["1", "2", "3", "4"])
    assert send.started == ["1", "2", "3", "4"]


async def test_in_a_fresh_session_all_is_written_again_before_what_is_newer(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream()
    line = await begun(stream, far, enabled=f"<enabled xmlns='{SM}'/>")
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        for ident in "12":
            await send(ident)
        await line.close()
        await send("3")
        line = await begun(stream, far)
        assert await line.names(4) == ["1", "2", "3", "r"]
        await line.send(A.format(3))


async def test_what_a_failed_resume_says_of_its_count_is_believed(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        for ident in "12":
            await send(ident)
        await line.close()
        group.start_soon(stream.open)
        line = await far.line()
        await line.login()
        await line.next()
        await line.send(f"<failed xmlns='{SM}' h='1'/>")
        await until(lambda: send.done == ["1"])
        await line.bind()
        await line.next()
        await line.send(f"<enabled xmlns='{SM}'/>")
        await until(lambda: stream.bound)
        stream.flow()
        assert await line.names(2) == ["2", "r"]
        await line.send(A.format(1))


async def test_without_a_session_nothing_is_sent_and_nobody_waits_for_ever(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream(timeout=0.05)
    started: list[int] = []
    with pytest.raises(NotSentError, match="no session"):
        await stream.deliver([message("1")], started=lambda: started.append(1))
    assert started == []


async def test_written_and_without_a_session_for_so_long_is_uncertain(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(timeout=1.5)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        await line.close()
        await until(lambda: stream.bound is None)
        await send("2")
        await until(lambda: len(send.failed) == 2)
        assert isinstance(send.failed["1"], UncertainError)
        assert isinstance(send.failed["2"], NotSentError)
        assert send.started == ["1"]
    async with anyio.create_task_group() as group:  # they have left the window
        group.start_soon(stream.open)
        line = await far.line()
        await line.resumed(0)
    stream.flow()
    assert await line.silent()


async def test_while_a_session_is_set_up_what_was_written_waits(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(timeout=1.0)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        await line.close()
        line = await lost_and_resumed(far, stream, 0)
        await anyio.sleep(1.2)  # in rooms, say
        assert send.failed == {}
        stream.flow()
        assert await line.names(2) == ["1", "r"]
        await line.send(A.format(1))


async def test_who_is_cancelled_leaves_the_window(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(window=1)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        await send("2")
        send.scopes["1"].cancel()
        await send("3")
        assert await line.names(3) == ["1", "r", "2"]
        await line.send(A.format(1))
        assert await line.names(1) == ["r"]
        await line.send(A.format(2))
        await until(lambda: send.done == ["2"])
        assert sorted(await line.names(2)) == ["3", "r"]
        await line.send(A.format(3))


async def test_a_start_that_is_refused_is_told_to_who_asked(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)

    def started() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await stream.deliver([message("1")], started=started)
    assert await line.silent()


async def test_closing_tells_what_has_become_of_it(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(window=1)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        await send("2")
        await line.close()
        await stream.close()
    assert isinstance(send.failed["1"], UncertainError)
    assert isinstance(send.failed["2"], NotSentError)


async def test_a_server_that_acknowledges_more_than_there_is_is_left(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.send(A.format(7))
    with pytest.raises(NotSentError, match="acknowledged more"):
        await stream.ended()


@pytest.mark.parametrize("h", ["-1", "x", "", "99999999999"])
async def test_a_count_that_is_none_ends_it(far: FarSide, make_stream: MakeStream, h: str) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.send(A.format(h))
    with pytest.raises(NotSentError):
        await stream.ended()


async def test_an_acknowledgement_that_does_not_come_means_a_dead_peer(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(ping_timeout=0.05)
    await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        with pytest.raises(NotSentError, match="`ping_timeout`"):
            await stream.ended()
        group.cancel_scope.cancel()


async def test_while_we_do_not_read_none_can_come(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(ping_timeout=0.5)
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        stream.pause()
        await line.names(2)
        await line.send(A.format(1))
        await anyio.sleep(0.7)  # so long that it would be dead
        assert send.done == []
        assert stream.bound is not None
        stream.resume()
        await until(lambda: send.done == ["1"])


async def test_a_server_that_does_not_read_cannot_fill_our_memory(far: FarSide, make_stream: MakeStream) -> None:
    stream, started = make_stream(window=10_000), list[int]()
    await begun(stream, far)
    async with anyio.create_task_group() as group:
        for number in range(3000):
            whole = [message(str(number), "x" * 5000)]
            group.start_soon(partial(stream.deliver, whole, started=partial(started.append, number)))
        await anyio.wait_all_tasks_blocked()
        assert 5000 * len(started) < OCTETS

        async def post() -> None:  # what nobody waits for is not kept either
            for _ in range(10_000):
                stream.post(message("post", "x" * 10_000))
                await anyio.lowlevel.checkpoint()

        with pytest.raises(NotSentError, match="does not read"):
            await post()
        assert stream._wire is not None
        assert stream._wire.unwritten < 2 * OCTETS
        group.cancel_scope.cancel()


async def test_in_the_midst_of_much_it_is_asked_so_that_the_server_has_no_pause(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        for number in range(40):
            group.start_soon(send._deliver, (str(number),))
        names = await line.names(41)
        assert 10 < names.index("r") < 30
        await line.send(A.format(names.index("r")))
        assert await line.names(1) == ["r"]
        await line.send(A.format(40))


async def test_without_stream_management_a_ping_behind_it_tells_that_it_is_done(
    far: FarSide, make_stream: MakeStream
) -> None:
    """RFC 6120 §10.1: a server does what it is told in order."""
    stream = make_stream()
    line = await begun(stream, far, after=f"<bind xmlns='{BIND}'/>")
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        assert await line.names(1) == ["1"]
        asked = await line.next()
        stream.post(presence())
        assert (asked.get("to"), asked[0].tag) == ("example.org", tag(NS.PING, "ping"))
        await send("2")
        assert await line.names(2) == ["presence", "2"]
        forged = f"<iq type='result' id='{asked.get('id')}' from='mallory@example.org/x'/>"
        await line.send(forged)
        assert await line.silent()
        await line.send(f"<iq type='error' id='{asked.get('id')}' from='example.org'/>")
        await until(lambda: send.done == ["1"])
        again = await line.next()
        await line.send(f"<iq type='result' id='{again.get('id')}' from='example.org'/>")
        await until(lambda: send.done == ["1", "2"])


# --- asking -----------------------------------------------------------------------------------------------------------


async def asked(stream: XmppStream, line: Line, answer: str, *, to: str | None = None, **settings: Any) -> Element:
    """What `request` gives, for *answer* with the id in it."""
    found: list[Element] = []
    async with anyio.create_task_group() as group:

        async def ask() -> None:
            found.append(await stream.request(ping(to), **settings))

        group.start_soon(ask)
        question = await line.next()
        await line.send(answer.format(id=question.get("id")))
    return found[0]


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        (None, None),
        (None, "bot@example.org"),
        (None, "bot@example.org/here"),
        (None, "example.org"),
        ("example.org", "example.org"),
        ("example.org", None),
        ("bot@example.org", None),
        ("room@conf.example.org", "room@conf.example.org"),
        ("Ann@Example.ORG/Phone", "ann@example.org/Phone"),
    ],
)
async def test_an_answer_from_whom_was_asked_is_one(
    far: FarSide, make_stream: MakeStream, to: str | None, sender: str | None
) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    said = "" if sender is None else f" from='{sender}'"
    assert (await asked(stream, line, f"<iq type='result' id='{{id}}'{said}><x/></iq>", to=to))[0].tag.endswith("x")


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        (None, "mallory@example.org"),
        (None, "bot@example.org/other"),
        (None, "evil.example.net"),
        ("ann@example.org/phone", "ann@example.org"),
        ("ann@example.org/phone", "ann@example.org/desk"),
        ("room@conf.example.org", "room@conf.example.org/nick"),
        ("room@conf.example.org", None),
        ("example.org", "mallory@example.org"),
        (None, "@@@"),
    ],
)
async def test_one_from_anybody_else_is_none(
    far: FarSide, make_stream: MakeStream, to: str | None, sender: str | None
) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    said = "" if sender is None else f" from='{sender}'"
    with pytest.raises(BaseExceptionGroup) as caught:
        await asked(stream, line, f"<iq type='result' id='{{id}}'{said}/>", to=to, timeout=0.05)
    assert caught.group_contains(NotSentError, match="no answer within")


async def test_an_error_is_raised_with_its_condition(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    answer = (
        "<iq type='error' id='{id}'><ping xmlns='urn:xmpp:ping'/><error type='wait'>"
        f"<resource-constraint xmlns='{NS.STANZAS}'/><text xmlns='{NS.STANZAS}'>not\nnow</text></error></iq>"
    )
    with pytest.raises(BaseExceptionGroup) as caught:
        await asked(stream, line, answer)
    (error,) = caught.value.exceptions
    assert isinstance(error, StanzaError)
    assert (error.type, error.condition, error.text) == ("wait", "resource-constraint", "not now")


async def test_an_answer_that_was_cut_is_none(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    with pytest.raises(BaseExceptionGroup) as caught:
        await asked(stream, line, "<iq type='result' id='{id}'>" + "<a>" * 99 + "</a>" * 99 + "</iq>")
    assert caught.group_contains(NotSentError, match="too large")


async def test_a_lost_connection_ends_the_wait_for_an_answer(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    async with anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(NotSentError):
                await stream.request(ping())

        group.start_soon(ask)
        await line.next()
        await line.close()


async def test_questions_are_not_counted_as_messages_and_count_for_the_server(
    far: FarSide, make_stream: MakeStream
) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await asked(stream, line, "<iq type='result' id='{id}'/>")
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        await line.names(2)
        await line.send(A.format(1))
        await line.next()
        assert send.done == []
        await line.send(A.format(2))


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_messages_presence_and_roster_pushes_are_given_in_order(far: FarSide, make_stream: MakeStream) -> None:
    came: list[Element] = []
    stream = make_stream(came)
    line = await begun(stream, far)
    push = "<iq type='set' id='{}'{}><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>"
    await line.send(
        "<message id='1'/><presence id='2'/>"
        + push.format("3", " from='bot@example.org'")
        + push.format("4", "")
        + push.format("forged", " from='mallory@example.org'")
        + "<message id='5'/>"
    )
    answers = [await line.next() for _ in range(3)]
    assert [each.get("id") for each in came] == ["1", "2", "3", "4", "5"]
    assert [(each.get("id"), each.get("type")) for each in answers] == [
        ("3", "result"),
        ("4", "result"),
        ("forged", "error"),
    ]


async def test_the_server_is_told_only_of_what_is_handled(far: FarSide, make_stream: MakeStream) -> None:
    came: list[Element] = []
    stream = make_stream(came)
    line = await begun(stream, far)
    await line.send(f"<message/><iq type='get' id='p' from='x@y'><ping xmlns='urn:xmpp:ping'/></iq><message/>{R}")
    assert (await line.next()).get("id") == "p"
    assert (await line.next()).get("h") == "0"
    stream.handled(1)
    assert (await line.next()).get("h") == "2"
    stream.handled(1)
    assert (await line.next()).get("h") == "3"
    await line.send("<message/>")
    stream.handled(1)
    assert await line.silent()


async def test_every_stanza_counts_be_it_sense_or_not(far: FarSide, make_stream: MakeStream) -> None:
    """The server counts all that it writes, and both have to come to the same."""
    stream = make_stream()
    line = await begun(stream, far)
    await line.send(f"<iq type='nonsense' id='1'/><iq id='2'/><iq type='result' id='3'/><x xmlns='urn:x'/>{R}")
    assert (await line.next()).get("h") == "3"


async def test_a_stanza_that_is_too_deep_or_long_is_a_husk_and_the_stream_goes_on(
    far: FarSide, make_stream: MakeStream
) -> None:
    came: list[Element] = []
    stream = make_stream(came, max_stanza=10_000)
    line = await begun(stream, far)
    await line.send("<message id='1'>" + "<a>" * 1000 + "</a>" * 1000 + "</message>")
    await line.send("<message id='2'><body>" + "x" * 100_000 + "</body></message>")
    await line.send(f"<message id='3'/>{R}")
    assert (await line.next()).get("h") == "0"
    stream.handled(3)
    assert (await line.next()).get("h") == "3"
    assert [(each.get("id"), each.get(CUT)) for each in came] == [("1", "depth"), ("2", "size"), ("3", None)]


@pytest.mark.parametrize("xml", ["<!-- c -->", "<?php x?>", "<message>", "\x01"])
async def test_what_is_no_xmpp_ends_the_stream(far: FarSide, make_stream: MakeStream, xml: str) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    await line.send(f"{xml}</presence>")
    with pytest.raises(NotSentError, match="no XMPP"):
        await stream.ended()
    assert (await line.next()).tag == "{http://etherx.jabber.org/streams}error"


async def test_what_fails_in_our_own_hands_ends_the_session_and_shows_no_content(
    far: FarSide, make_stream: MakeStream, caplog: pytest.LogCaptureFixture
) -> None:
    stream = make_stream()

    def incoming(element: Element) -> None:
        raise RuntimeError("secret content")

    stream._incoming = incoming
    line = await begun(stream, far)
    await line.send("<message/>")
    with pytest.raises(NotSentError, match="RuntimeError"):
        await stream.ended()
    assert "secret" not in caplog.text
    assert "test_stream:" in caplog.text


async def test_reading_stands_still_and_goes_on(far: FarSide, make_stream: MakeStream) -> None:
    came: list[Element] = []
    stream = make_stream(came)
    line = await begun(stream, far)
    stream.pause()
    await line.send("<message/>")
    await anyio.sleep(0.05)
    assert came == []
    stream.resume()
    await until(lambda: came)


async def test_who_does_not_read_does_not_read_in_the_next_session_either(
    far: FarSide, make_stream: MakeStream
) -> None:
    """But a login is read: nobody would get further without."""
    came: list[Element] = []
    stream = make_stream(came)
    stream.pause()
    line = await begun(stream, far)
    await line.send("<message/>")
    await anyio.sleep(0.05)
    assert came == []
    stream.resume()
    await until(lambda: came)


# --- what others ask --------------------------------------------------------------------------------------------------


async def test_others_are_told_what_we_can_do_and_nothing_else(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    stream.post(presence())
    caps = (await line.next())[0]
    node = f"{caps.get('node')}#{caps.get('ver')}"
    for payload in (
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>",
    ):
        await line.send(f"<iq type='get' id='d' from='x@y/z' to='bot@example.org/here'>{payload}</iq>")
        answer = await line.next()
        assert (answer.get("to"), answer.get("type")) == ("x@y/z", "result")
        assert answer[0].get("node") == (node if "node" in payload else None)
        assert {each.get("var") for each in answer[0]} >= {"urn:xmpp:receipts", NS.PING, NS.DISCO_INFO}
    for payload in (
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info' node='secret'/>",
        "",
    ):
        await line.send(f"<iq type='get' id='d' from='x@y/z'>{payload}</iq>")
        assert (await line.next()).get("type") == "error"
    await line.send("<iq type='result' id='nobody'/><iq type='error' id='nobody'/><iq type='nonsense' id='nobody'/>")
    assert await line.silent()


async def test_only_what_says_that_we_are_there_says_what_we_can_do(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream()
    line = await begun(stream, far)
    stream.post(presence(to="room@conf.example.org/us"))
    stream.post(presence(type="unavailable"))
    stream.post(message("1"))
    assert [len(await line.next()) for _ in range(3)] == [1, 0, 1]


async def test_slixmpp_answers_nothing_by_itself(far: FarSide, make_stream: MakeStream) -> None:
    """No subscription is accepted, no receipt sent, and no excuse made."""
    stream = make_stream([])
    line = await begun(stream, far)
    await line.send(
        "<presence type='subscribe' from='mallory@example.org'/><presence type='probe' from='mallory@example.org'/>"
        "<message from='mallory@example.org' id='1'><body>x</body><request xmlns='urn:xmpp:receipts'/></message>"
        "<message from='&lt;no JID&gt;' type='error'><body>x</body></message>"
    )
    assert await line.silent()


async def test_nothing_that_slixmpp_logs_is_heard(
    far: FarSide, make_stream: MakeStream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.basicConfig(level=logging.DEBUG)
    stream = make_stream(password="unheard-of")
    async with anyio.create_task_group() as group:

        async def open_() -> None:
            with suppress(NotSentError, AccountError):
                await stream.open()

        group.start_soon(open_)
        line = await far.line()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await line.login(password="another")
    assert not [each for each in caplog.records if each.name.startswith("slixmpp")]
    assert "unheard-of" not in caplog.text


# --- a component ------------------------------------------------------------------------------------------------------


async def component(
    far: FarSide, make_stream: MakeStream, came: list[Element] | None = None
) -> tuple[XmppStream, Line]:
    stream = make_stream(came, jid="gw.example.org", account="component")
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        proof = await line.component()
    assert proof == hashlib.sha1(b"spw").hexdigest()
    return stream, line


async def test_a_component_speaks_its_own_namespace_and_is_read_as_a_client(
    far: FarSide, make_stream: MakeStream
) -> None:
    came: list[Element] = []
    stream, line = await component(far, make_stream, came)
    assert stream.bound == Bound("gw.example.org", resumed=False)
    stream.flow()
    async with anyio.create_task_group() as group:
        send = Sending(stream, group)
        await send("1")
        written = await line.next()
        assert (written.tag, written.get("from")) == ("{jabber:component:accept}message", "gw.example.org")
        asked_for = await line.next()
        assert (asked_for.get("from"), asked_for.get("to")) == ("gw.example.org", "gw.example.org")
        await line.send(f"<iq type='result' id='{asked_for.get('id')}' from='gw.example.org'/>")
        await line.send("<message to='x@gw.example.org'><body>hi</body></message>")
        await until(lambda: came)
        assert came[0].findtext(tag(NS.CLIENT, "body")) == "hi"


async def test_a_component_is_asked_as_any_of_its_addresses(far: FarSide, make_stream: MakeStream) -> None:
    _, line = await component(far, make_stream)
    await line.send("<iq type='get' id='p' from='a@b/c' to='x@gw.example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
    answer = await line.next()
    assert (answer.get("from"), answer.get("to"), answer.get("type")) == ("x@gw.example.org", "a@b/c", "result")
