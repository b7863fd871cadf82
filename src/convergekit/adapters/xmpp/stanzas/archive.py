"""Questions to an archive (XEP-0313) and its answers, page by page (XEP-0059). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from .namespaces import NS, tag
from .times import moment, stamp

__all__ = ["Fin", "Query", "Result", "to_fin", "to_iq", "to_result"]

_RESULT: Final = tag(NS.MAM, "result")
_FORWARDED: Final = tag(NS.FORWARD, "forwarded")
_MESSAGE: Final = tag(NS.CLIENT, "message")
_LONGEST: Final = 1024  # characters of an archive's id; real ones have less than 40


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Args:
        room: Whose archive, a room's bare JID; None for our own.
        max: Messages at most; the archive may have a lower limit of its own.
        after: Those behind this id, the oldest first; None for no such limit.
        before: Those before this id, the newest page; "" for the very newest.
        start: Those archived then or later.
        peer: Those from or to this JID; a bare one means all its resources.
    """

    room: str | None = None
    max: int = 50
    after: str | None = None
    before: str | None = None
    start: datetime | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One message of an archive, as it is sent to who has asked.

    Args:
        sender: Who sends it to us, as the stanza says; None for the server on behalf of our account.
        queryid: Of the question.
        id: Of the message in the archive.
        at: When it was archived; None where that is not said, or makes no sense.
        message: What was archived.
    """

    sender: str | None
    queryid: str
    id: str
    at: datetime | None
    message: Element


@dataclass(frozen=True, slots=True)
class Fin:
    """The end of a page.

    Args:
        complete: Whether there is no page behind it, in the direction that was asked for.
        first: Id of its oldest message, or None where it is empty.
        last: Id of its newest message.
    """

    complete: bool
    first: str | None
    last: str | None


def to_iq(query: Query, queryid: str) -> Element:
    """*query* as a request; its results are to carry *queryid*."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "set"})
    if query.room is not None:
        iq.set("to", query.room)
    asked = SubElement(iq, tag(NS.MAM, "query"), {"queryid": queryid})
    form = SubElement(asked, tag(NS.DATA, "x"), {"type": "submit"})
    _field(form, "FORM_TYPE", NS.MAM, {"type": "hidden"})
    if query.peer is not None:
        _field(form, "with", query.peer)
    if query.start is not None:
        _field(form, "start", stamp(query.start))
    page = SubElement(asked, tag(NS.RSM, "set"))
    SubElement(page, tag(NS.RSM, "max")).text = str(query.max)
    if query.after is not None:
        SubElement(page, tag(NS.RSM, "after")).text = query.after
    if query.before is not None:
        SubElement(page, tag(NS.RSM, "before")).text = query.before
    return iq


def to_result(message: Element) -> Result | None:
    """The archived message that *message* carries; None where it carries none, or not as XEP-0313 says.

    Whether it may be believed is another question: anybody can send such.
    """
    found = message.find(_RESULT)
    if found is None:
        return None
    id, forwarded = found.get("id"), found.findall(_FORWARDED)
    if not id or len(id) > _LONGEST or len(forwarded) != 1:
        return None
    kept = forwarded[0].findall(_MESSAGE)
    if len(kept) != 1:
        return None
    delay = forwarded[0].find(tag(NS.DELAY, "delay"))
    at = moment(delay.get("stamp")) if delay is not None else None
    return Result(message.get("from"), found.get("queryid", ""), id, at, kept[0])


def to_fin(iq: Element) -> Fin:
    """The end of the page, of what `Stream.request` gives; where it is not as XEP-0313 says, there is no more."""
    fin = iq.find(tag(NS.MAM, "fin"))
    if fin is None:
        return Fin(complete=True, first=None, last=None)
    first, last = (_id(fin.findtext(f"{tag(NS.RSM, 'set')}/{tag(NS.RSM, name)}")) for name in ("first", "last"))
    return Fin(fin.get("complete") in ("true", "1"), first, last)


def _id(text: str | None) -> str | None:
    """*text*, if it is one: it is sent back to who said it, and what is too long would end our stream."""
    return text if text and len(text) <= _LONGEST else None


def _field(form: Element, name: str, value: str, more: dict[str, str] | None = None) -> None:
    field = SubElement(form, tag(NS.DATA, "field"), {"var": name, **(more or {})})
    SubElement(field, tag(NS.DATA, "value")).text = value
