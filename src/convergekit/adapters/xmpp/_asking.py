"""What is asked of others, and what their errors mean to who asked: `DeliveryError`s."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.errors import DeliveryError, NotSentError, RejectedError

from .stanzas.guard import check_stanza
from .stream import StanzaError, Stream

__all__ = ["ask", "post", "refusal"]

#: They say that something is not there just now (RFC 6120 §8.3.3), whatever type stands beside them.
_PASSING: Final = frozenset(
    {
        "internal-server-error",
        "recipient-unavailable",
        "remote-server-not-found",
        "remote-server-timeout",
        "resource-constraint",
        "service-unavailable",
    }
)


def refusal(error: StanzaError, what: str, *, channel: str, passing: Collection[str] = ()) -> DeliveryError:
    """*error* as ours: `NotSentError` where it is worth another try, else `RejectedError`.

    Args:
        error: As it came.
        what: What was asked, in words: "the room refused us".
        channel: Ours.
        passing: Further conditions that pass.
    """
    passes = error.type == "wait" or error.condition in _PASSING or error.condition in passing
    kind = NotSentError if passes else RejectedError
    return kind(what, channel=channel, code=str(error))


async def ask(stream: Stream, iq: Element, what: str, *, channel: str) -> Element:
    """The answer to *iq*; *what* says what a refusal means.

    Raises:
        UnsupportedContentError: XML cannot carry something in it.
        RejectedError: The answer is an error.
        NotSentError: It is an error that passes, or there is no answer, or no session.
    """
    check_stanza(iq, stream.limit)
    try:
        return await stream.request(iq)
    except StanzaError as exc:
        raise refusal(exc, what, channel=channel) from exc


def post(stream: Stream, element: Element) -> None:
    """Write what nobody waits for; raises `UnsupportedContentError` or `NotSentError`."""
    check_stanza(element, stream.limit)
    stream.post(element)
