"""The border to the transport: what the rest of the adapter asks of an XML stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol
from xml.etree.ElementTree import Element

__all__ = ["CUT", "Bound", "StanzaError", "Stream"]

#: The attribute that a stanza has of which no more than its tag and attributes were kept: too much "depth" or "size".
CUT: Final = "{urn:convergekit:xmpp}cut"


class StanzaError(Exception):
    """The answer to a request is an error (RFC 6120 §8.3).

    Attributes:
        type: "cancel", "wait", "modify", "auth" or "continue".
        condition: The defined condition: "item-not-found".
        text: What is said about it, or None; the remote's words.
    """

    def __init__(self, type: str, condition: str, text: str | None = None) -> None:
        super().__init__(f"{type}/{condition}")
        self.type, self.condition, self.text = type, condition, text


@dataclass(frozen=True, slots=True)
class Bound:
    """A session.

    Args:
        jid: Our full JID; of a component its domain.
        resumed: Whether it is the one from before the connection was lost (XEP-0198 §5).
    """

    jid: str
    resumed: bool = False


class Stream(Protocol):
    """One account's stream over any number of connections, one after the other.

    Its maker gives it `incoming`, which is called synchronously and in order with each message, each presence, and
    each roster push from our own account. Each counts as one for `handled`.

    Attributes:
        bound: The session, or None where there is none now.
        limit: Octets of the largest stanza that the server takes, as it is written (XEP-0478, else the setting).
    """

    bound: Bound | None
    limit: int

    async def open(self) -> Bound:
        """Connect and log in; one try.

        Raises:
            AuthenticationError: The credentials are refused.
            AccountError: The server does not prove who it is, or does not serve this account.
            NotSentError: Everything else: it is worth another try.
        """
        ...

    async def ended(self) -> NoReturn:
        """Wait until the session is over, and raise why.

        Raises:
            NotSentError: The connection was lost.
            AccountError: The server wants us to stay away: another has our resource, say.
        """
        ...

    async def close(self) -> None:
        """Say goodbye, in bounded time. For good."""
        ...

    def abort(self) -> None:
        """Cut the connection: the peer is dead. `ended` raises then."""
        ...

    def flow(self) -> None:
        """From now on what is to be delivered is written, first what earlier sessions have left unacknowledged."""
        ...

    async def deliver(self, elements: Sequence[Element], *, started: Callable[[], None]) -> None:
        """Write *elements*, in the order of the calls, and return once the server has acknowledged all of them.

        What a lost connection leaves unacknowledged is written again in the next session, as it is, ids and all.

        Args:
            elements: Stanzas with an id.
            started: Called just before the first is written.

        Raises:
            NotSentError: There was no session in time; nothing has been written.
            UncertainError: It was written, and there was no session in time to have it acknowledged.
        """
        ...

    def post(self, element: Element) -> None:
        """Write a stanza that nobody waits for: presence, a chat state. Raises `NotSentError` without a session."""
        ...

    async def request(self, iq: Element, *, timeout: float | None = None) -> Element:
        """Ask (RFC 6120 §8.2.3).

        Args:
            iq: With its type, its addressee and its payload; the id is ours.
            timeout: Seconds; None for the setting.

        Returns:
            The whole answer, from whom was asked, of type "result".

        Raises:
            StanzaError: The answer is an error.
            NotSentError: There is no session, or no answer in time.
        """
        ...

    def handled(self, count: int) -> None:
        """*count* more of the stanzas that `incoming` was given are safe; the server is told of no more than these.

        What is not safe when `open` is called again is to be forgotten: it comes again, by a resume or from an archive.
        """
        ...

    def pause(self) -> None:
        """Read nothing from the connection until `resume`."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...
