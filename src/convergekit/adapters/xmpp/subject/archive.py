"""An archive in memory (XEP-0313), that is read page by page (XEP-0059)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, fromstring

from ..stanzas.namespaces import NS, tag
from ..stanzas.times import moment, stamp
from .reading import element

__all__ = ["Archive", "ForgottenError", "Kept"]


class ForgottenError(Exception):
    """There is no message of this id."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message.

    Args:
        id: In the archive.
        at: When it was said.
        peer: With whom, a bare JID.
        text: As it was said.
    """

    id: str
    at: datetime
    peer: str
    text: str


class Archive:
    """What was said, the oldest first.

    Args:
        name: The ids of its messages begin with it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: list[Kept] = []

    def next_id(self) -> str:
        """What the next message will be called."""
        return f"{self._name}-{len(self._kept) + 1}"

    def keep(self, text: str, *, at: datetime, peer: str) -> None:
        """Put it behind all others."""
        self._kept.append(Kept(self.next_id(), at, peer, text))

    def stanzas(self) -> list[Element]:
        """All of it, as it was said."""
        return [fromstring(each.text) for each in self._kept]

    def results(self, query: Element) -> tuple[list[str], str]:
        """What *query* asks for: each as a <result/>, and the <fin/> behind them.

        Raises:
            ForgottenError: It asks for what stands before or behind an unknown id.
        """
        wanted = [each for each in self._kept if _fits(each, query)]
        page = f"{tag(NS.RSM, 'set')}/"
        most = int(query.findtext(page + tag(NS.RSM, "max")) or 50)
        after, before = (query.findtext(page + tag(NS.RSM, name)) for name in ("after", "before"))
        if after:
            wanted = [each for each in wanted if self._place(each.id) > self._place(after)]
        if before:
            wanted = [each for each in wanted if self._place(each.id) < self._place(before)]
        found = wanted[-most:] if before is not None else wanted[:most]
        queryid = query.get("queryid")
        return [_result(each, queryid) for each in found], _fin(found, len(wanted))

    def _place(self, id: str) -> int:
        for number, each in enumerate(self._kept):
            if each.id == id:
                return number
        raise ForgottenError(id)


def _fits(kept: Kept, query: Element) -> bool:
    asked = {
        field.get("var"): field.findtext(tag(NS.DATA, "value"))
        for field in query.iterfind(f"{tag(NS.DATA, 'x')}/{tag(NS.DATA, 'field')}")
    }
    start, peer = moment(asked.get("start") or ""), asked.get("with")
    return (start is None or kept.at >= start) and (not peer or kept.peer == peer.partition("/")[0])


def _result(kept: Kept, queryid: str | None) -> str:
    delay = element("delay", xmlns=NS.DELAY, stamp=stamp(kept.at))
    forwarded = element("forwarded", delay + kept.text, xmlns=NS.FORWARD)
    return element("result", forwarded, xmlns=NS.MAM, queryid=queryid, id=kept.id)


def _fin(found: list[Kept], count: int) -> str:
    ends = element("first", found[0].id) + element("last", found[-1].id) if found else ""
    page = element("set", f"{ends}<count>{count}</count>", xmlns=NS.RSM)
    return element("fin", page, xmlns=NS.MAM, complete="true" if len(found) == count else None)
