"""Which way a message goes: routes, gates, and a plan before anything is sent. `python examples/routing.py`."""

from dataclasses import dataclass

import anyio

from convergekit import Contact, Hub, Message, Status, all_of, first_of, preferred, same_thread, via, when
from convergekit.router import STANDARD, Allow, Decision, Drop, GateInput, has_importance, has_scheme

# [routes]
by_text = via("alerts")  # the recipient's first address that the channel "alerts" serves
to_her = via("mailto:ann@example.org")  # this address, over the channel that serves it

# Text her; if no delivery is reported within five minutes, write as well.
make_sure = first_of("alerts", "mailto:ann@example.org", until=Status.DELIVERED, within=300)

# Answer where she wrote; where there is no such thread, the way she likes best.
answer = first_of(same_thread(), preferred())

# What is urgent goes both ways at once.
urgent = when(has_importance("urgent") & has_scheme("sms"), all_of("alerts", preferred()), otherwise=preferred())
# [routes end]


# [gate]
@dataclass(frozen=True)
class NotToTheBoard:
    """A gate is a value with a name and a pure decision; it is asked before each leg."""

    domain: str
    name: str = "not_to_the_board"

    def decide(self, leg: GateInput) -> Decision:
        if leg.automatic and leg.address.uri.endswith("@" + self.domain):
            return Drop(reason="programs do not write to the board")
        return Allow()


GATES = (*STANDARD, NotToTheBoard("board.example.org"))
# [gate end]


# [plan]
async def main() -> None:
    ann = Contact(id="ann", addresses=("loopback:ann-at-work", "loopback:ann-at-home"))

    async with Hub(store="memory:", gates=GATES) as hub:
        await hub.add_channel("chat", "loopback://")
        message = Message("Two for one, this week only!", category="offers")
        plan = await hub.plan(message, to=ann)
        print(plan)  # she never agreed to offers, so nothing would be sent; the plan says so


# [plan end]

if __name__ == "__main__":
    anyio.run(main)
