"""What waits for a channel whose account was just refused takes its next way, where its route has one.

Nothing is claimed for a channel that is down, so nobody would look at what is in its queue before it is probed: of a
hundred alerts the first few would go by the spare gateway, and the others minutes later.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from convergekit.abc import Lease, Store
from convergekit.errors import StoreError

from .lanes import give_back

if TYPE_CHECKING:
    from .channels import ChannelRuntime
    from .ledger import Ledger

__all__ = ["detour"]

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 100
_MOST: Final = 1000  # lanes that are held meanwhile, whose messages have no other way


async def detour(channel: ChannelRuntime, store: Store, ledger: Ledger, seconds: float) -> None:
    """Go through the lanes of *channel* while it is down. What has no other way stays in its place.

    Args:
        channel: It is down.
        store: The ledger.
        ledger: Where dispatches change.
        seconds: For which lanes are leased meanwhile.
    """
    held: dict[int, Lease] = {}  # a lane that is given back at once would be found again
    try:
        while channel.is_down and len(held) < _MOST:
            claim = await store.claim("out", limit=_AT_ONCE, seconds=seconds, slots={channel.name: _AT_ONCE})
            held |= {id(lease): lease for lease in claim.leases}
            if not claim.leases:
                break
            for lease in claim.leases:
                if await ledger.pass_on(lease):
                    del held[id(lease)]
    except StoreError as error:
        _log.warning("what waits for channel %s was not looked through: %s", channel.name, error)
    finally:
        for lease in held.values():
            await give_back(store, lease)
