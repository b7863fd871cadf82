"""A `Stream` without a network: it does what the test says, and writes down what it was told.

stream = FakeStream(incoming=inflow)
stream.answers[tag(NS.PING, "ping")] = ""            # <iq type="result"/>
stream.answers[tag(NS.MAM, "query")] = archive       # a function of the question
stream.push("<message from='ann@example.org/phone'><body>hi</body></message>")
stream.drop()                                        # the connection is lost; `open` makes another
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Final, NoReturn
from xml.etree.ElementTree import Element, fromstring

import anyio
import anyio.lowlevel

from convergekit.adapters.xmpp.stream import Bound, StanzaError
from convergekit.errors import NotSentError, UncertainError

__all__ = ["HANGS", "SILENT", "FakeStream", "element", "iq"]

#: Answers: none comes, which is noticed at once, as if the time was over; and: none comes, and the time is never over.
SILENT: Final = NotSentError("no answer in time")
HANGS: Final = object()

Answer = str | Element | Exception | Callable[[Element], "Answer"] | object


def element(xml: str) -> Element:
    """The stanza that *xml* is; without a namespace of its own it is in `jabber:client`."""
    head, _, rest = xml.partition(">")
    if "xmlns=" not in head:
        name, space, attributes = head.partition(" ")
        slash = name.endswith("/")
        xml = f"{name.removesuffix('/')} xmlns='jabber:client'{space}{attributes}{'/' * slash}>{rest}"
    return fromstring(xml)


def iq(type: str, payload: str, *, to: str | None = None) -> Element:
    """A request, such as `Stream.request` takes."""
    found = element(f"<iq type='{type}'>{payload}</iq>")
    if to is not None:
        found.set("to", to)
    return found


class FakeStream:
    """A scripted `Stream`.

    Args:
        incoming: What is called with what is pushed; may be set later.
        jid: Ours.
        timeout: Seconds that `deliver` waits for a session.

    Attributes:
        opens: What `open` does, one after the other: a `Bound`, or an exception; when they are used up a fresh session.
        answers: Of a request, by the tag of its payload: XML of the answer's payload, an element, an exception, a
            function of the request that gives one of these, `SILENT` or `HANGS`. Without one: service-unavailable.
        acknowledges: Whether what is delivered is acknowledged at once; else by `acknowledge()`.
        asked: The requests.
        written: Messages, as often as they were written.
        delivered: Messages that were acknowledged.
        posted: What nobody waits for.
        safe: How many stanzas were said to be safe (`handled`).
        pushed: How many have been given to `incoming`.
        paused: Whether reading stands still; what is pushed meanwhile comes after `resume`.
        pauses: How often it has been made to.
        flowing: Whether `flow` was called in this session.
        opened: How often `open` has succeeded.
        aborted: How often it was cut by us.
        closed: Whether it was closed for good.
    """

    def __init__(
        self,
        incoming: Callable[[Element], None] | None = None,
        *,
        jid: str = "bot@example.org/here",
        timeout: float = 0.0,
    ) -> None:
        self.incoming: Callable[[Element], None] = incoming or (lambda _: None)
        self.jid, self.timeout = jid, timeout
        self.bound: Bound | None = None
        self.limit = 250_000
        self.opens: list[Bound | Exception] = []
        self.answers: dict[str, Answer] = {}
        self.acknowledges = True
        self.asked: list[Element] = []
        self.written: list[Element] = []
        self.delivered: list[Element] = []
        self.posted: list[Element] = []
        self.safe = self.pushed = self.pauses = self.opened = self.aborted = 0
        self.paused = self.flowing = self.closed = False
        self._held: list[Element] = []
        self._window: list[Element] = []
        self._why: Exception = NotSentError("not connected")
        self._over = anyio.Event()
        self._changed = anyio.Event()

    # --- what the test does ---------------------------------------------------------------------------------------

    def push(self, *stanzas: Element | str, at_once: bool = False) -> None:
        """Have *stanzas* come in; while reading is paused they wait, unless they were read *at_once* with others."""
        for stanza in stanzas:
            each = element(stanza) if isinstance(stanza, str) else stanza
            if self.paused and not at_once:
                self._held.append(each)
            else:
                self.pushed += 1
                self.incoming(each)

    def drop(self, why: Exception | None = None) -> None:
        """Lose the connection; *why* is what `ended` raises."""
        self._why = why or NotSentError("the connection was lost")
        self.bound, self.flowing, self.paused = None, False, False
        self._held.clear()
        self._over.set()
        self._news()

    def acknowledge(self, count: int | None = None) -> None:
        """Let the server have the oldest *count* of what is under way; by default all."""
        count = len(self._window) if count is None else count
        self.delivered += self._window[:count]
        del self._window[:count]
        self._news()

    async def until(self, condition: Callable[[], object], *, seconds: float = 5.0) -> None:
        """Let others run until *condition* holds."""
        with anyio.fail_after(seconds):
            while not condition():
                await anyio.lowlevel.checkpoint()

    # --- Stream ---------------------------------------------------------------------------------------------------

    async def open(self) -> Bound:
        await anyio.lowlevel.checkpoint()
        outcome = self.opens.pop(0) if self.opens else Bound(self.jid)
        if isinstance(outcome, Exception):
            raise outcome
        self.bound, self._over = outcome, anyio.Event()
        self.opened += 1
        return outcome

    async def ended(self) -> NoReturn:
        await self._over.wait()
        raise self._why

    async def close(self) -> None:
        self.closed = True
        self.drop(NotSentError("closed"))
        await anyio.lowlevel.checkpoint()

    def abort(self) -> None:
        self.aborted += 1
        self.drop()

    def flow(self) -> None:
        self.flowing = True
        self.written += self._window
        if self.acknowledges:
            self.acknowledge()
        self._news()

    async def deliver(self, elements: Sequence[Element], *, started: Callable[[], None]) -> None:
        await anyio.lowlevel.checkpoint()
        if not await self._wait(lambda: self.flowing):
            raise NotSentError("there is no session")
        started()
        self.written += elements
        self._window += elements
        if self.acknowledges:
            self.acknowledge()
        try:
            while self._under_way(elements):
                await self._changed.wait()
                if self.bound is None and self._under_way(elements) and not await self._wait(lambda: self.flowing):
                    raise UncertainError("written, and not acknowledged")
        finally:
            self._window = [each for each in self._window if not any(each is mine for mine in elements)]

    def post(self, element: Element) -> None:
        if self.bound is None:
            raise NotSentError("there is no session")
        self.posted.append(element)

    async def request(self, iq: Element, *, timeout: float | None = None) -> Element:
        await anyio.lowlevel.checkpoint()
        if self.bound is None:
            raise NotSentError("there is no session")
        self.asked.append(deepcopy(iq))
        answer = self.answers.get(iq[0].tag, StanzaError("cancel", "service-unavailable"))
        while callable(answer):
            answer = answer(iq)
        if answer is HANGS:
            await self._over.wait()
        await anyio.lowlevel.checkpoint()
        if self._over.is_set():
            raise NotSentError("the connection was lost")
        if isinstance(answer, Exception):
            raise answer
        result = element("<iq type='result'/>")
        if (whom := iq.get("to")) is not None:
            result.set("from", whom)
        if isinstance(answer, str):
            result.extend(fromstring(f"<iq xmlns='jabber:client'>{answer}</iq>"))
        elif isinstance(answer, Element):
            result.append(answer)
        return result

    def handled(self, count: int) -> None:
        self.safe += count
        assert self.safe <= self.pushed, "more stanzas are safe than have come"

    def pause(self) -> None:
        self.pauses += not self.paused
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        while self._held and not self.paused:
            self.push(self._held.pop(0))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _under_way(self, elements: Sequence[Element]) -> bool:
        return any(each is mine for each in self._window for mine in elements)

    async def _wait(self, condition: Callable[[], bool]) -> bool:
        with anyio.move_on_after(self.timeout):
            while not condition():
                await self._changed.wait()
        return condition()

    def _news(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
