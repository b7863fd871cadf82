"""What is declared arrives; what cannot be carried is refused, and not dropped in silence."""

from __future__ import annotations

from typing import Any

from convergekit.abc import Outgoing
from convergekit.errors import InvalidInputError, UnsupportedContentError
from convergekit.model import Address, Attachment, Capabilities, Message, Part

from .._bench import Bench
from .._subject import Cannot
from .._wire import LETTERS
from ._registry import check, expect
from ._sent import arrived, conversation, is_refused

__all__: list[str] = []

_WORD = "word8100"
_URL = f"https://files.example/{_WORD}.pdf"


@check("declared-is-carried", what=["subject", "cc", "thread", "its-thread", "reply-to", "html"])
async def _declared(bench: Bench, what: str) -> None:
    async with bench.entered() as (adapter, _):
        out, sign = _declaring(bench, what, adapter.capabilities_for(conversation(bench)))
        attempt, wire = await arrived(bench, adapter, out)
        expect(attempt.receipt is not None, f"a message with what is declared ended with {attempt}")
        expect(wire.holds(sign), f"{what} is declared, and did not arrive")


def _declaring(bench: Bench, what: str, can: Capabilities) -> tuple[Outgoing, str]:
    """A message that has *what*, and by which text it is known."""
    text, names = bench.words(8101), {"thread": "threads", "its-thread": "threads", "reply-to": "replies"}
    if not (can.markup.html_alternative if what == "html" else getattr(can, names.get(what, what))):
        raise Cannot(f"it does not declare {names.get(what, what)}")
    match what:
        case "subject":
            message = Message(text, subject=_WORD)
            return bench.outgoing(text, message=message, part=Part(text=text, subject=_WORD)), _WORD
        case "cc":
            copied = _second(bench)
            return bench.outgoing(text, message=Message(text, cc=[copied])), copied.value
        case "thread":
            return bench.outgoing(text, message=Message(text, thread=_WORD)), _WORD
        case "its-thread":  # an answer, which goes where its question came from
            return bench.outgoing(text, conversation=conversation(bench, thread=_WORD)), _WORD
        case "reply-to":
            return bench.outgoing(text, message=Message(text, reply_to=_WORD)), _WORD
        case _:
            html = f"<p>{_WORD}</p>"
            return bench.outgoing(text, message=Message(html=html), part=Part(text=text, html=html)), html


def _second(bench: Bench) -> Address:
    """Somebody else than `subject.to`."""
    for each in bench.subject.senders or ():
        try:
            found = Address.parse(each)
        except InvalidInputError:
            continue
        if found.uri != Address(bench.subject.to).uri:
            return found
    raise Cannot("there is no second address: `senders` are to be URIs")


@check("unsupported-refused", what=["letters", "url", "native"])
async def _unsupported(bench: Bench, what: str) -> None:
    """What the engine cannot know of, and so leaves to the adapter: the medium's alphabet, a file that is elsewhere,
    and what the host wrote for this adapter alone.
    """
    async with bench.entered() as (adapter, _):
        out, sign = _demanding(bench, what, adapter)
        attempt, wire = await arrived(bench, adapter, out)
        expect(attempt.receipt is None or wire.holds(sign), f"{what}: the message was taken, and this is not in it")
        too_late = isinstance(attempt.error, UnsupportedContentError) and wire.received
        expect(not too_late, f"{what}: it says that it cannot carry this, and the far side got it")
        expect(attempt.receipt is not None or is_refused(attempt), f"{what}: it ended with {attempt}")


def _demanding(bench: Bench, what: str, adapter: Any) -> tuple[Outgoing, str]:
    text = bench.words(8102)
    if what == "letters":
        text = f"{text} {LETTERS}"
        return bench.outgoing(text), text
    if what == "url":
        if not adapter.capabilities_for(conversation(bench)).attachments.count:
            raise Cannot("it declares no attachments, and so gets none")
        files = (Attachment(url=_URL, name=f"{_WORD}.pdf"),)
        return bench.outgoing(
            text, message=Message(text, attachments=files), part=Part(text=text, attachments=files)
        ), _URL
    native = {"no_such_word": _WORD}
    return bench.outgoing(text, message=Message(text, native={adapter.name: native}), native=native), _WORD
