"""What an SMS costs, before it is sent. `python examples/sms_cost.py`."""

from decimal import Decimal

import anyio

from convergekit import Hub
from convergekit.content import segmentation, split_segments

PRICE = Decimal("0.0075")  # of one segment, by your contract


# [plan]
async def main() -> None:
    async with Hub(store="memory:") as hub:
        await hub.add_channel("alerts", {"adapter": "sms", "dsn": "twilio://AC0123:token@default?from=%2B15005550006"})
        plan = await hub.plan("“Your parcel is on its way.” " * 8, to="sms:+4915112345678")
        print(plan)

        (leg,) = plan.recipients[0].legs
        print("costs:", (leg.segments or 0) * PRICE)


# [plan end]


# [count]
def count() -> None:
    plain = segmentation("Your parcel is on its way.")
    print(plain.alphabet, plain.count, "segment,", plain.left, "septets left")

    long = "Ваша посылка уже в пути. " * 5
    print(segmentation(long).alphabet, segmentation(long).count, "segments:", segmentation(long).cost(PRICE))
    print([len(segment) for segment in split_segments(long)])


# [count end]

if __name__ == "__main__":
    anyio.run(main)
    count()
