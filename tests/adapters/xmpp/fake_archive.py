"""An archive (XEP-0313) behind a `FakeStream`: it answers questions, by the rules or as a test wants it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element, SubElement

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.times import moment, stamp
from convergekit.adapters.xmpp.stream import StanzaError
from tests.adapters.xmpp.fake_stream import Answer, FakeStream, element

__all__ = ["BEGAN", "QUERY", "FakeArchive", "field_of", "rsm"]

QUERY = tag(NS.MAM, "query")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def rsm(iq: Element, name: str) -> str | None:
    """What the question says about its page: "max", "after", "before"; None where it does not."""
    found = iq[0].find(f"{tag(NS.RSM, 'set')}/{tag(NS.RSM, name)}")
    return None if found is None else found.text or ""


def field_of(iq: Element, name: str) -> str | None:
    """What a field of the question's form says."""
    for each in iq[0].iterfind(f"{tag(NS.DATA, 'x')}/{tag(NS.DATA, 'field')}"):
        if each.get("var") == name:
            return each.findtext(tag(NS.DATA, "value"))
    return None


@dataclass
class FakeArchive:
    """Put it into `stream.answers[QUERY]`.

    Args:
        stream: By which the results come.
        sender: Whose archive it is, and whom its results are from; None for nobody said.
        limit: Messages of a page at most, whatever is asked for.

    Attributes:
        kept: Ids, moments and messages, the oldest first.
        asked: The questions.
        mangles: Given each result before it is sent; what it gives is sent.
        after_page: Called once a page has been sent.
    """

    stream: FakeStream
    sender: str | None = None
    limit: int = 1000
    kept: list[tuple[str, datetime, Element]] = field(default_factory=list)
    asked: list[Element] = field(default_factory=list)
    mangles: Callable[[Element], list[Element]] = lambda each: [each]
    after_page: Callable[[], None] = lambda: None

    def keep(self, message: str, *, id: str | None = None) -> str:
        """Put *message* behind the others, a minute later; returns its id."""
        number = len(self.kept) + 1
        id = id or f"a{number}"
        self.kept.append((id, BEGAN + timedelta(minutes=number), element(message)))
        return id

    def forget(self, count: int) -> None:
        """The oldest *count* are too old."""
        del self.kept[:count]

    def __call__(self, iq: Element) -> Answer:
        self.asked.append(iq)
        found = self._found(iq)
        if isinstance(found, Exception):
            return found
        most, goes_back = min(int(rsm(iq, "max") or 1000), self.limit), rsm(iq, "before") is not None
        page = found[-most:] if goes_back else found[:most]
        for id, at, message in page:
            for each in self.mangles(self._result(iq[0].get("queryid", ""), id, at, message)):
                self.stream.push(each, at_once=True)
        self.after_page()
        fin = Element(tag(NS.MAM, "fin"))
        if len(page) == len(found):
            fin.set("complete", "true")
        ends = SubElement(fin, tag(NS.RSM, "set"))
        if page:
            SubElement(ends, tag(NS.RSM, "first")).text = page[0][0]
            SubElement(ends, tag(NS.RSM, "last")).text = page[-1][0]
        return fin

    def _found(self, iq: Element) -> list[tuple[str, datetime, Element]] | StanzaError:
        ids = [id for id, _, _ in self.kept]
        after, before, start = rsm(iq, "after"), rsm(iq, "before"), moment(field_of(iq, "start"))
        if any(id and id not in ids for id in (after, before)):
            return StanzaError("cancel", "item-not-found")
        found = self.kept[ids.index(after) + 1 if after else 0 : ids.index(before) if before else None]
        peer = field_of(iq, "with")
        return [
            (id, at, message)
            for id, at, message in found
            if (start is None or at >= start) and (peer is None or peer in (message.get("from"), message.get("to")))
        ]

    def _result(self, queryid: str, id: str, at: datetime, message: Element) -> Element:
        outer = element("<message to='bot@example.org/here'/>")
        if self.sender is not None:
            outer.set("from", self.sender)
        result = SubElement(outer, tag(NS.MAM, "result"), {"queryid": queryid, "id": id})
        forwarded = SubElement(result, tag(NS.FORWARD, "forwarded"))
        SubElement(forwarded, tag(NS.DELAY, "delay"), {"stamp": stamp(at)})
        forwarded.append(message)
        return outer
