"""What failed goes out again from the ledger, once its receiver is mended: `python examples/redelivery.py`."""

from datetime import UTC, datetime, timedelta

import anyio

from convergekit import DispatchHandle, Hub, via
from convergekit.adapters.loopback import Medium

hub = Hub(store="memory:")
WAREHOUSE = "loopback:warehouse"


# [one]
async def once_more(id: str) -> None:
    handle = await hub.redeliver(id)
    await handle.settled(30)
    for delivery in handle.deliveries:
        print("one:", delivery.status, "in place of an earlier one:", delivery.supersedes is not None)


# [one end]


# [many]
async def all_that_failed() -> None:
    await hub.channel("shop").enable(WAREHOUSE)  # where the endpoint had said that it wants no more
    since = datetime.now(UTC) - timedelta(hours=2)
    done = await hub.redeliver(channel="shop", to=WAREHOUSE, since=since)
    print("again:", done.again, "left:", dict(done.left))


# [many end]


# [each]
async def one_by_one() -> None:
    async for each in hub.redeliveries("shop", only="all", limit=1000, dry_run=True):
        print(each.delivery.address, "would go again" if each.left is None else each.why)


# [each end]


async def order(number: int) -> DispatchHandle:
    handle = await hub.submit(f"Order {number} is paid.", to=WAREHOUSE, via=via("shop"))
    await handle.settled(10)
    return handle


async def main() -> None:
    medium = Medium(idempotent=True)  # as webhooks are: a repeat has the same key, and is known by it
    async with hub:
        await hub.add_channel("shop", {"adapter": "loopback"}, medium=medium)
        first = await order(1)
        await once_more(first.id)
        print(medium.texts())
        medium.gone.add(WAREHOUSE)
        print("failed:", [(await order(number)).status.value for number in (2, 3)])
        await all_that_failed()
        await hub.idle()
        await one_by_one()
        print(medium.texts())


if __name__ == "__main__":
    anyio.run(main)
