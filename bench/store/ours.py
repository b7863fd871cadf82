"""Our side: hubs on a ledger, and an adapter as a plugin author would write it. Public names only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from anyio import TASK_STATUS_IGNORED, sleep_forever
from anyio.abc import TaskStatus
from pydantic import BaseModel, ConfigDict

from convergekit import Hub, Receipt, Status
from convergekit.abc import Adapter, ChannelContext, LedgerCounts, Outgoing, Store
from convergekit.stores.sql import SqlStore

from .drive import LANES, Submit, checked, text

__all__ = ["CHANNEL", "Medium", "MediumConfig", "at", "store_at", "submits_into", "submitting"]

CHANNEL = "bench"


class MediumConfig(BaseModel):
    """None."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Medium:
    """Gives its channel's context to whoever wants to admit something."""

    context: ChannelContext


class MediumAdapter(Adapter[MediumConfig]):
    """Takes texts of any length; a `Medium` among its parts may admit events."""

    name = "bench-medium"
    schemes: ClassVar[frozenset[str]] = frozenset({"bench"})
    Config = MediumConfig

    async def send(self, out: Outgoing) -> Receipt:
        """Take anything."""
        return Receipt(Status.ACCEPTED)

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Let the medium admit."""
        medium: Medium | None = self.context.parts.get("medium")
        if medium is not None:
            medium.context = self.context
        task_status.started()
        await sleep_forever()


def at(file: Path) -> str:
    """The URL of the ledger in *file*."""
    return f"sqlite:///{file}"


def store_at(url: str) -> Store:
    """A ledger as everybody opens it."""
    return SqlStore(url, create=True)


@asynccontextmanager
async def submitting(store: Store) -> AsyncGenerator[Submit]:
    """`hub.submit` of one text to one of many, by a hub that does nothing else."""
    async with Hub(store=store, role="submit") as hub:
        await hub.add_channel(CHANNEL, MediumConfig())

        async def submit(number: int) -> None:
            await hub.submit(text(number), to=f"bench:person-{number % LANES}")

        yield submit


@asynccontextmanager
async def submits_into(file: Path) -> AsyncGenerator[Submit]:
    """The same into *file*; at the end all of it has to be there."""
    store, count = store_at(at(file)), 0
    async with submitting(store) as submit:

        async def counted(number: int) -> None:
            nonlocal count
            await submit(number)
            count += 1

        yield counted
        checked(open_deliveries(await store.counts()), count, "ours")


def open_deliveries(counts: LedgerCounts) -> int:
    """How many there are that have not been handed over."""
    return sum(number for (_, state), number in counts.deliveries.items() if state == "queued")
