"""What is known about us and around us in a session: the `Facts` that reading asks."""

from __future__ import annotations

from collections.abc import Callable

from convergekit.errors import NotSentError

from . import jids
from .config import XmppConfig
from .identities import Identities
from .rooms import Room
from .stanzas.disco import disco_query, read_features
from .stanzas.namespaces import NS
from .stream import Bound, StanzaError, Stream

__all__ = ["Surroundings"]


class Surroundings:
    """See `Facts`; what servers say of themselves is asked once in a session.

    Args:
        config: The channel's settings.
        identities: What names which message.
        room: Gives the room with a bare JID, where we are in it or are about to be.

    Attributes:
        own: Our bare JID; of a component its domain.
        full: Our full JID, as it was bound; of a component its domain.
    """

    def __init__(
        self, config: XmppConfig, identities: Identities, room: Callable[[str], Room | None] = lambda _: None
    ) -> None:
        self.own = self.full = config.jid
        self.is_component = config.is_component
        self.receipts = config.receipts
        self.identities = identities
        self._room = room
        self._features: dict[str, frozenset[str]] = {}

    def begin(self, bound: Bound) -> None:
        """A session has begun."""
        self.full = jids.address_of(bound.jid).value
        if not bound.resumed:
            self._features.clear()

    async def features(self, stream: Stream, jid: str) -> frozenset[str]:
        """What *jid* says it can do; nothing where it does not say. A session asks once."""
        if (known := self._features.get(jid)) is None:
            try:
                known = read_features(await stream.request(disco_query(jid)))
            except StanzaError as error:
                if error.type == "wait":
                    return frozenset()
                known = frozenset()
            except NotSentError:  # maybe the connection was lost, and another time it answers
                return frozenset()
            self._features[jid] = known
        return known

    def knows(self, jid: str) -> bool:
        """Whether *jid* has answered `features` in this session."""
        return jid in self._features

    def trusts_ids(self, by: str) -> bool:
        """Whether *by*, our own bare JID or a room's, says that it removes forged stanza-ids (XEP-0359)."""
        if by == self.own:
            return NS.SID in self._features.get(by, ())
        room = self._room(by)
        return room is not None and NS.SID in (room.features or ())

    def room(self, bare: str) -> Room | None:
        """The room *bare*, where we are in it or are about to be."""
        return self._room(bare)
