"""What every check of what goes out needs: one attempt, and what the far side got by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from convergekit.abc import Outgoing
from convergekit.engine.channels import VERBS
from convergekit.errors import RejectedError
from convergekit.model import Address, ConversationRef, Operation

from .._bench import CHANNEL, Attempt, Bench, eventually
from .._subject import Cannot
from .._verbs import implements
from .._wire import Wire

__all__ = ["TARGETED", "arrived", "conversation", "is_refused", "outgoing_for", "verbs_of"]

#: The verbs that go through the outbox after the message that they are about.
TARGETED: Final[Mapping[str, Operation]] = {verb: operation for operation, (_, verb) in VERBS.items()}


async def arrived(bench: Bench, adapter: Any, out: Outgoing, *, verb: str = "send") -> tuple[Attempt, Wire]:
    """Call *verb*; how that ended, and all that the far side got by it."""
    before = len(bench.subject.received())
    attempt = await bench.attempt(adapter, out, verb=verb)
    if attempt.error is None:
        await eventually(lambda: len(bench.subject.received()) > before)
    return attempt, Wire(*bench.subject.received()[before:])


def is_refused(attempt: Attempt) -> bool:
    """Whether the adapter, or the far side, said that it will not have this."""
    return isinstance(attempt.error, RejectedError)


def conversation(bench: Bench, *, thread: str | None = None) -> ConversationRef:
    """With whoever can be written to."""
    return ConversationRef(channel=CHANNEL, address=Address(bench.subject.to), thread=thread)


def verbs_of(adapter: type[Any]) -> list[str]:
    """Those of `TARGETED` that *adapter* has."""
    return [verb for verb, operation in TARGETED.items() if implements(adapter, VERBS[operation][0])]


async def outgoing_for(bench: Bench, adapter: Any, verb: str, text: str | None = None, **fields: Any) -> Outgoing:
    """What the engine would hand to *verb*; where it is about a message, that was sent before.

    Raises:
        Cannot: There is no message that could be named.
    """
    if verb == "send":
        return bench.outgoing(text, **fields)
    attempt = await bench.attempt(adapter)
    if attempt.receipt is None or not attempt.receipt.ids:
        raise Cannot(f"there is no message that `{verb}` could be about: {attempt}")
    text = "👍" if text is None and verb == "react" else text  # some media have no other reactions
    return bench.outgoing(text, operation=TARGETED[verb], target=attempt.receipt.ids, **fields)
