"""What the ledger names stays, and what it names no more goes."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine

from convergekit import Hub, Message
from convergekit.adapters.loopback import Medium
from convergekit.errors import StoreError
from convergekit.model import Attachment, ClaimCheck, CustomReceived, MessageReceived
from convergekit.stores._refs import DAY
from convergekit.stores.sql import SqlStore
from convergekit.testing import FakeClock

from ..kit import stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite", "folder", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    if request.param == "sqlite":
        return SqlStore(f"sqlite:///{tmp_path}/ledger.db")
    url = request.getfixturevalue("postgres_url")
    blobs = tmp_path / "blobs" if request.param == "folder" else None
    return SqlStore(url, create=True, database_clock=False, blobs=blobs)


async def read(store: SqlStore, claim: Any) -> bytes:
    assert isinstance(claim, ClaimCheck)
    async with store.open(claim) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_sweep_leaves_what_messages_name(store: SqlStore, clock: FakeClock) -> None:
    """Of what came in and of what goes out: attachments and originals alike."""
    content = os.urandom(70_000)
    hub = Hub(store=store, clock=clock, random=Random(7))
    async with hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=Medium())
        adapter = hub.channel("loop").adapter
        assert adapter is not None
        file = Attachment(data=content, name="a")
        await adapter.context.admit(
            MessageReceived(key="1", sender="loopback:ann", attachments=[file], native={"raw": content}),
            CustomReceived(key="2", sender="loopback:ann", name="n", native=content),
        )
        sent = await hub.submit(Message("x", attachments=[file], native={"loopback": content}), to="loopback:ann")
        unnamed = await store.keep(stream(b"nobody's"))
        await hub.idle()

        clock.advance(DAY + 1)
        await store.sweep()  # or the hub has done so by itself
        with pytest.raises(StoreError, match=unnamed.ref):
            await read(store, unnamed)
        assert await read(store, sent.dispatch.message.attachments[0].claim) == content
        assert await store.sweep(older_than=0) == 0


@pytest.mark.parametrize("how", ["erasure", "retention"])
async def test_what_was_forgotten_is_swept_at_once_and_what_others_name_is_not(
    store: SqlStore, clock: FakeClock, how: str
) -> None:
    """The same file, sent to two, is there for as long as one of them is."""
    hub = Hub(store=store, clock=clock, random=Random(7))
    async with hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=Medium())
        adapter = hub.channel("loop").adapter
        assert adapter is not None
        ours, hers = (Attachment(data=os.urandom(70_000), name=name) for name in "ab")
        sent = await hub.submit(Message("x", attachments=[ours, hers]), to="loopback:ann")
        here, gone = (each.claim for each in sent.dispatch.message.attachments)  # the handle learns what was erased
        await adapter.context.admit(
            MessageReceived(key="1", sender="loopback:ann", text="y", native=os.urandom(70_000))
        )
        await hub.idle()
        clock.advance(DAY + 1)
        await hub.submit(Message("z", attachments=[ours]), to="loopback:bob")
        await hub.idle()
        clock.advance(DAY + 1)
        assert await store.sweep() == 0

        if how == "erasure":
            await hub.archive.erase("loopback:ann")
        else:
            await hub.archive.retain(DAY + 2)
        assert await store.sweep() == 0  # it has been, with the words
        assert await read(store, here) == ours.data
        with pytest.raises(StoreError, match="is not in this store"):
            await read(store, gone)


async def test_what_a_hosts_own_transaction_names_stays(tmp_path: Path, clock: FakeClock) -> None:
    """Also while no worker has placed the message yet; and what it rolled back is swept."""
    store = SqlStore(f"sqlite:///{tmp_path}/ledger.db")
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db")
    hub = Hub(store=store, clock=clock, random=Random(7), role="submit")
    async with hub:
        await hub.add_channel("loop", {"adapter": "loopback"})
        claims = []
        for number, end in enumerate(("commit", "rollback")):
            with engine.connect() as connection:
                message = Message("x", attachments=[Attachment(data=bytes([number]) * 100_000)])
                handle = await hub.submit(message, to="loopback:ann", connection=connection)
                getattr(connection, end)()
            claims.append(handle.dispatch.message.attachments[0].claim)

        clock.advance(DAY + 1)
        assert await store.sweep() == 1
        assert await read(store, claims[0]) == bytes(100_000)
        with pytest.raises(StoreError):
            await read(store, claims[1])
    engine.dispose()


async def test_what_was_never_submitted_is_swept(store: SqlStore, clock: FakeClock) -> None:
    """As when the process died between the content and its row."""
    async with store.opened(clock):
        claim = await store.keep(stream(b"x" * 100_000))
        assert await store.sweep() == 0
        clock.advance(DAY + 1)
        assert await store.sweep() == 1
        with pytest.raises(StoreError):
            await read(store, claim)
