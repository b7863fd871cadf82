"""Letter by letter: what is said arrives as it was said, on its way out and on its way in."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Final

from convergekit.abc import Outgoing
from convergekit.model import Attachment, Capabilities, Event, Message, Part, TextLimit

from .._bench import WAYS, Bench, Way
from .._subject import Cannot
from .._wire import LETTERS, filled
from ._registry import check, expect
from ._sent import arrived, conversation
from .content import kind_of_file

__all__: list[str] = []

#: What is tried where no limit is declared, and the most that is tried coming in.
_LONG: Final = 1000
_SPACED: Final = "  word8601  two   words\n\n    word8602 and  more"
_READ: Final = "word8605 & <b>one</b> \"two\" 'three' 100%25 a+b \\n C:\\new &amp; {four}"
_SPOKEN: Final = f"Word8603 {LETTERS} Ñandú ŽLUŤOUČKÝ"


@check("text-whole", of=["letters", "spaces"])
async def _as_it_was(bench: Bench, of: str) -> None:
    async with bench.entered() as (adapter, _):
        limits: Capabilities = adapter.capabilities_for(conversation(bench))
        text = _spaced(limits) if of == "spaces" else filled(_most(limits), LETTERS)
        attempt, wire = await arrived(bench, adapter, bench.outgoing(text))
    lines = [line for line in text.split("\n") if line] if of == "spaces" else text.split()
    lacks = wire.lacks(lines) if attempt.receipt is not None and not wire.holds(text) else []
    what = "lines came with other spaces" if of == "spaces" else "words, of letters outside of ASCII, did not arrive"
    expect(not lacks, f"a text of {len(text)} characters was taken, and of its {len(lines)} {what}: {len(lacks)}")


def _spaced(limits: Capabilities) -> str:
    if limits.markup.format != "plain":
        raise Cannot("in its markup spaces have a meaning of their own")
    return _SPACED[: _most(limits).max].rstrip()


def _most(limits: Capabilities) -> TextLimit:
    limit = limits.text or TextLimit(max=_LONG)
    return limit.model_copy(update={"max": min(limit.max, _LONG)})


@check("text-whole", of=["reading"])
async def _as_it_is_read(bench: Bench, of: str) -> None:
    """Whoever escapes a text for a page, where there is none, has all of it arrive, and nobody can read it."""
    async with bench.entered() as (adapter, _):
        limits: Capabilities = adapter.capabilities_for(conversation(bench))
        if limits.markup.format != "plain":
            raise Cannot("in its markup these characters are marks")
        text = _READ[: _most(limits).max].rstrip()
        attempt, wire = await arrived(bench, adapter, bench.outgoing(text))
    if attempt.receipt is not None:
        shown = "".join(bench.subject.text_of(each) for each in wire.received)
        expect(shown == text, "what its reader sees is another text than was sent: is it escaped twice, or not at all?")


@check("text-whole", beside=["files", "subject"])
async def _beside(bench: Bench, beside: str) -> None:
    async with bench.entered() as (adapter, _):
        out = _with(bench, beside, adapter.capabilities_for(conversation(bench)))
        attempt, wire = await arrived(bench, adapter, out)
    expect(attempt.receipt is None or wire.holds(out.text), f"beside {beside}, the text did not arrive")


def _with(bench: Bench, beside: str, limits: Capabilities) -> Outgoing:
    text, allowed = bench.words(8604), limits.attachments
    if not (allowed.count if beside == "files" else limits.subject):
        raise Cannot(f"it declares no {beside}")
    if beside == "subject":
        message = Message(text, subject="A subject")
        return bench.outgoing(text, message=message, part=Part(text=text, subject="A subject"))
    kind = kind_of_file(allowed)
    where: Any = {"url": "https://files.example/file.bin"} if allowed.by_url else {"data": b"file"}
    files = (Attachment(**where, name="file.bin", media_type=kind),)
    return bench.outgoing(text, message=Message(text, attachments=files), part=Part(text=text, attachments=files))


@check("says-what-came", way=list(WAYS), what=["letters", "length"])
async def _as_it_came(bench: Bench, way: Way, what: str) -> None:
    async with bench.hearing(way) as ear:
        text = _SPOKEN if what == "letters" else filled(_most(ear.adapter.capabilities))
        heard = await ear.hear(bench.said(1, text=text))
    expect(not heard.trouble, heard.trouble)
    expect(heard.events, "what was said did not come in")
    expect(_holds(heard.events, text), f"what was said, {len(text)} characters, came in as another text")


def _holds(events: Sequence[Event], text: str) -> bool:
    """Long ones may come in parts, as they do where a medium has no long ones."""
    told = " ".join(html.unescape(f"{_part(each)}") for each in events)
    return text in told or all(word in told for word in text.split())


def _part(event: Any) -> str:
    return " ".join(getattr(event, name, None) or "" for name in ("text", "markdown", "html"))
