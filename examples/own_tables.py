"""A shop's orders and our messages in one database: both commit, or neither does.

An order that is taken and a confirmation that is not sent, or the other way round, cannot come of it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, create_engine, insert, select

from convergekit import Hub, MessageReceived, Transaction
from convergekit.adapters.loopback import Medium

tables = MetaData()
orders = Table("orders", tables, Column("id", Integer, primary_key=True), Column("what", Text))


async def sell(hub: Hub, engine: Engine, what: str, *, fails: bool = False) -> None:
    """The message is a row of the shop's own transaction; it goes out once that has committed."""
    with engine.begin() as connection:
        order = connection.execute(insert(orders).values(what=what).returning(orders.c.id)).scalar_one()
        key = f"order-{order}:taken"
        await hub.submit(f"Your order: {what}.", to="loopback:ann", key=key, connection=connection)
        if fails:
            raise RuntimeError("the shop has changed its mind")


async def main() -> None:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'shop.db'}"
        engine = create_engine(url)
        tables.create_all(engine)
        medium, hub = Medium(), Hub(store=url)
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)

        @hub.on_message
        async def ordered(message: MessageReceived, transaction: Transaction) -> str:
            """What a handler writes is there together with *done*: a second run writes it no second time."""

            def take(connection: Connection) -> None:
                connection.execute(insert(orders).values(what=message.text))

            transaction.add(take)
            return f"We have ordered {message.text}."

        async with hub:
            await sell(hub, engine, "a book")
            try:
                await sell(hub, engine, "a boat", fails=True)
            except RuntimeError as error:
                print("not sold:", error)
            medium.say(text="a lamp", sender="loopback:ann")
            with anyio.fail_after(10):
                while len(medium.sent) < 2:  # noqa: ASYNC110 - the medium is a world of its own
                    await anyio.sleep(0.01)

        with engine.connect() as connection:
            print("orders:", ", ".join(connection.execute(select(orders.c.what)).scalars()))
        print("messages:", *sorted(medium.texts()))
        engine.dispose()


anyio.run(main)
