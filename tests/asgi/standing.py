"""A hub behind a server, in a process of its own: `python -m tests.asgi.standing uvicorn`. It prints its port."""

from __future__ import annotations

import logging
import signal
import sys

import anyio

from convergekit import Hub, MemoryStore
from tests.asgi.servers import backend_of, serving
from tests.asgi.test_mounts import SECRET

#: Little, so that the callers of one machine can fill it.
LIMITS = {"body_timeout": 5.0, "max_waiting": 4 * 2**20}


async def _stand(server: str) -> None:
    hub = Hub(store=MemoryStore())
    await hub.add_channel("shop", {"adapter": "webhook", "secrets": [SECRET]})
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with hub, serving(server, hub.asgi(**LIMITS)) as origin:
            print(origin, flush=True)
            await anext(signals)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # a server has much to say of such callers
    anyio.run(_stand, sys.argv[1], backend=backend_of(sys.argv[1]))
