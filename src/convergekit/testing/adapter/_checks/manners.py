"""What is sent does no harm on its way, and comes to none."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import fields, replace
from itertools import product
from typing import Final

from convergekit.abc import Outgoing
from convergekit.errors import DeliveryError, InvalidInputError
from convergekit.model import Address, Message

from .._bench import Bench
from .._subject import Cannot
from ._registry import check, expect, listed
from ._sent import arrived, outgoing_for, verbs_of

__all__: list[str] = []

#: What would be a header, an end of the headers, a command, an end of the text (RFC 5321 §4.1.1.4), or a stanza.
_TEXTS: Final = {
    "line": "word8201\r\nX-Injected: word8202",
    "bare-line-feed": "word8201\nX-Injected: word8202",
    "blank-line": "word8201\r\n\r\nX-Injected: word8202\r\n\r\nword8203",
    "end-of-text": "word8201\r\n.\r\nX-Injected: word8202",
    "controls": "word8201\x01\x1b[2J\x7f\x85word8202",
    "stanza": "word8201</body></message><x-injected>word8202</x-injected>",
}
_INJECTED: Final = re.compile(rb"^(X-Injected:|<x-injected>)", re.MULTILINE)
_BLANK: Final = re.compile(rb"\r?\n\r?\n")


@check("hostile-text-harmless", how=[*_TEXTS, "address"])
async def _hostile(bench: Bench, how: str) -> None:
    async with bench.entered() as (adapter, _):
        out = _to_hostile_address(bench) if how == "address" else bench.outgoing(_TEXTS[how])
        attempt, wire = await arrived(bench, adapter, out)
        understood = attempt.error is None or isinstance(attempt.error, DeliveryError)
        expect(understood, f"it ended with {type(attempt.error).__name__}")
        expect(not any(map(_is_injected, wire.received)), "what was text became a header, or a frame of its own")
        if attempt.receipt is not None and how != "address":
            lacks = wire.lacks(re.findall(r"word\d{4}", out.text))
            expect(not lacks, f"it was taken, and what stands behind the hostile characters is gone: {listed(lacks)}")
        following, after = await arrived(bench, adapter, bench.outgoing("word8299"))
        whole = following.receipt is not None and after.holds("word8299")
        expect(whole, f"the next message did not arrive as it should: {following}")


def _is_injected(message: bytes) -> bool:
    """Whether what we put in is a line of the head of *message*, a message of its own, or a tag."""
    head, *body = _BLANK.split(message, maxsplit=1)
    lines = _INJECTED.search(head) if body else _INJECTED.match(message)
    is_xml = (body or [head])[0].lstrip().startswith(b"<")
    return bool(lines) or (is_xml and b"<x-injected>" in message)


def _to_hostile_address(bench: Bench) -> Outgoing:
    """To somebody whose address has an escaped line break; a strict scheme has no such address."""
    hostile = f"{bench.subject.to}%0D%0AX-Injected:%20word8202"
    try:
        address = Address.parse(hostile)
    except InvalidInputError:
        raise Cannot("its scheme has no address that could do harm") from None
    out = bench.outgoing()
    return replace(out, to=address, conversation=out.conversation.model_copy(update={"address": address}))


@check("input-untouched")
async def _untouched(bench: Bench) -> None:
    native = dict(bench.subject.native or {"note": {"of": ["many", "words"]}})
    message = Message("word8301", headers={"X-Note": "word8302"}, native={bench.adapter_class.name: native})
    async with bench.entered() as (adapter, _):
        for verb, given in product(("send", *verbs_of(bench.adapter_class)), (None, native)):
            out = await outgoing_for(bench, adapter, verb, message.text, message=message, native=given)
            before = deepcopy(out)
            await bench.attempt(adapter, out, verb=verb)
            expect(out == before, f"`{verb}` changed what it was given: {_changed(before, out)}")


def _changed(before: Outgoing, after: Outgoing) -> str:
    names = (field.name for field in fields(before))
    return listed(name for name in names if getattr(before, name) != getattr(after, name))
