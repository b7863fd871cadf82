"""What is said arrives: all of it, in order, and as long as the limits allow."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, Final

from convergekit.abc import Outgoing
from convergekit.model import Attachment, AttachmentLimit, Message, Part, TextLimit

from .._bench import Attempt, Bench, eventually
from .._subject import Cannot, Fault
from .._wire import LETTERS, Wire, filled
from ._registry import broken, check, expect, listed
from ._sent import arrived, conversation, is_refused

__all__ = ["kind_of_file"]

#: What is tried where no limit is declared, and the most that is tried at all, in code points.
_LONG: Final = 20_000
_MOST: Final = 300_000
#: What has a meaning in JSON, in forms, in XML, in URLs, in shells, in printf and in regular expressions.
_MARKS: Final = """<b>"one" & 'two'</b> C:\\new\\table %41+%s {three} $four `five` #six=7;"""


@check("text-whole", of=["words", "lines", "marks"])
async def _text_whole(bench: Bench, of: str) -> None:
    async with bench.entered() as (adapter, _):
        for text in _texts(adapter, of):
            attempt, wire = await arrived(bench, adapter, bench.outgoing(text))
            if attempt.receipt is not None:
                _is_whole(wire, text, of)


def _texts(adapter: Any, of: str) -> Iterable[str]:
    limit: TextLimit = adapter.capabilities.text or TextLimit(max=_LONG)
    whole = filled(limit.model_copy(update={"max": min(limit.max, _LONG)}))
    if of == "words":
        return "yes", whole
    if of == "lines":
        return ("\n".join(whole.split(" ")[:20]),)
    if adapter.capabilities.markup.format != "plain":
        raise Cannot("in its markup these characters are marks")
    return (_MARKS[: limit.max],)


def _is_whole(wire: Wire, text: str, of: str) -> None:
    if wire.holds(text):
        return
    words = [text] if of == "marks" else text.split()
    lacks = wire.lacks(words)
    what = f"of {len(words)} words, {len(lacks)} did not arrive" if of != "marks" else "it arrived as another text"
    expect(not lacks, f"a text of {len(text)} characters was taken, and {what}")


@check("limits-hold", of=["text", "letters", "files", "size"])
async def _limits_hold(bench: Bench, of: str) -> None:
    async with bench.entered() as (adapter, _):
        capabilities = adapter.capabilities_for(conversation(bench))
        if of in ("text", "letters"):
            await _takes_text(bench, adapter, capabilities.text, LETTERS if of == "letters" else "")
        else:
            await _takes_files(bench, adapter, capabilities.attachments, of)


async def _takes_text(bench: Bench, adapter: Any, limit: TextLimit | None, letters: str) -> None:
    if limit is None or limit.max > _MOST:
        raise Cannot("it declares no limit of text" if limit is None else "its limit is too high to be tried")
    attempt = await bench.attempt(adapter, bench.outgoing(filled(limit, letters)))
    if letters and is_refused(attempt):
        short = await bench.attempt(adapter, bench.outgoing(letters))
        if is_refused(short):
            raise Cannot("these letters are refused at any length")
    _taken(attempt, f"a text as long as the limit, {limit.max} in the unit {limit.unit!r}")


async def _takes_files(bench: Bench, adapter: Any, limit: AttachmentLimit, of: str) -> None:
    files = list(_files_for(limit, limit.count if of == "files" else 1))
    if of == "size":
        size = min((each for each in (limit.size, limit.total) if each is not None), default=None)
        if size is None or size > 16 * _MOST:
            raise Cannot("it declares no size" if size is None else "the size is too large to be tried")
        data = None if limit.by_url else bytes(size)
        files = [files[0].model_copy(update={"data": data, "size": size})]
    attempt = await bench.attempt(adapter, _with_files(bench, files))
    what = f"{len(files)} attachments" if of == "files" else f"an attachment of {files[0].size} bytes"
    _taken(attempt, f"{what}, as many as the limit allows")


def _taken(attempt: Attempt, what: str) -> None:
    expect(attempt.receipt is not None, f"{what}, ended with {attempt}")


@check("attachments-whole", how=["with-text", "alone", "by-reference"])
async def _attachments_whole(bench: Bench, how: str) -> None:
    async with bench.entered() as (adapter, context):
        limit = adapter.capabilities_for(conversation(bench)).attachments
        files = list(_files_for(limit, min(limit.count, 3)))
        contents = [each.url or each.data or b"" for each in files]
        if how == "by-reference" and limit.by_url:
            raise Cannot("it takes attachments by URL only")
        if how == "by-reference":  # as the engine hands over what is large
            files = [await context.kept(each) for each in files]
        attempt, wire = await arrived(bench, adapter, _with_files(bench, files, "" if how == "alone" else None))
        if is_refused(attempt):
            raise Cannot(f"what is declared is refused: {attempt}")
        _taken(attempt, f"{len(files)} attachments")
        missing = [name for name, content in enumerate(contents, 1) if not wire.holds(content)]
        expect(not missing, f"of {len(files)} attachments, number {listed(missing)} did not arrive byte for byte")


def _files_for(limit: AttachmentLimit, count: int) -> Iterable[Attachment]:
    """Files that *limit* allows, *count* of them, each with a content of its own in which every byte is.

    Raises:
        Cannot: It allows none.
    """
    if not limit.count:
        raise Cannot("it declares no attachments")
    kind = kind_of_file(limit)
    most = min((each for each in (limit.size, limit.total and limit.total // count) if each), default=_LONG)
    random = Random(1)
    for number in range(1, count + 1):
        if limit.by_url:
            url = f"https://files.example/{number}/file{number}.bin"
            yield Attachment(url=url, name=f"file{number}.bin", media_type=kind, size=min(most, 3000))
            continue
        content = (bytes(range(256)) + random.randbytes(min(most, 3000)))[: min(most, 3000)]
        yield Attachment(data=content, name=f"file{number}.bin", media_type=kind)


def kind_of_file(limit: AttachmentLimit) -> str:
    """A media type that *limit* allows: a picture where it can be, for of other kinds some media take fewer at once."""
    allowed = limit.media_types or {"application/octet-stream"}
    return next((each for each in ("image/png", "image/jpeg") if each in allowed), min(allowed)).replace(
        "*", "octet-stream"
    )


def _with_files(bench: Bench, files: Iterable[Attachment], text: str | None = None) -> Outgoing:
    text = bench.words(0) if text is None else text
    part = Part(text=text, attachments=tuple(files))
    return bench.outgoing(part.text, part=part, message=Message(text, attachments=part.attachments))


@check("parts-in-order", after=["each-other", "a-failure"])
async def _parts_in_order(bench: Bench, after: str) -> None:
    words = [bench.words(number) for number in (101, 102, 103)]
    message = Message(" ".join(words))
    outs = [
        bench.outgoing(word, key=f"dispatch0/{index}", index=index, count=len(words), message=message)
        for index, word in enumerate(words)
    ]
    async with bench.entered() as (adapter, _):
        before = len(bench.subject.received())
        for out in outs:
            if after == "a-failure" and out.index == 1:
                await bench.fault(Fault.UNREACHABLE)
                if (await bench.attempt(adapter, out)).receipt is not None:
                    continue  # there was a connection to be had
            attempt = await bench.attempt(adapter, out)
            _taken(attempt, f"part {out.index + 1} of {len(outs)}")
        await eventually(lambda: len(bench.subject.received()) >= before + len(outs))
    got = [[word for word in words if Wire(each).holds(word)] for each in bench.subject.received()[before:]]
    said = "; ".join(" and ".join(each) or "nothing of it" for each in got)
    if got != [[word] for word in words]:
        broken(f"{len(words)} parts, each a word of {listed(words)}, arrived as: {said}")
