"""A worker: a hub with a channel that submits mail and one that reads the mailbox that it goes to."""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import ClassVar, Final

import anyio
from sqlalchemy import text

from convergekit import Hub, Message, MessageReceived, Transaction
from convergekit.abc import EntryState, RetryPolicy
from convergekit.adapters.email import EmailAdapter
from convergekit.engine.options import ChannelOptions
from convergekit.model import ConversationRef

from .record import Record
from .terms import Terms

__all__: list[str] = []

_WINDOW: Final = 60
_SUBMITTERS: Final = 8
_OPEN: Final = ("waiting", "queued", "sending")
_TABLE: Final = "CREATE TABLE IF NOT EXISTS finished (what TEXT)"
_FINISHED: Final = text("INSERT INTO finished VALUES (:what)")


class _Worker:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._record = Record(terms.record)
        self._chance = Random(terms.seed)
        before = list(self._record.news())
        submitted = {note.what for note in before if note.did == "submitted"}
        self._waiting = [what for what in map(str, range(terms.messages)) if what not in submitted]
        self._submitted, self._handled = submitted, {note.what for note in before if note.did == "ended"}
        # What went out under the others' hands may never come in, and must not keep us waiting.
        self._window = _WINDOW + terms.sends * sum(note.did == "opened" for note in before)
        self.hub = Hub(store=f"sqlite:///{terms.ledger}", handlers=terms.handlers, sends=terms.sends, lease=terms.lease)

    async def run(self) -> None:
        """Work until signal 15, which is a polite one."""
        self._make_table()
        self.hub.on_message(channel="into")(self._handle)
        async with self._channels(), anyio.create_task_group() as tasks:
            self._record.note("opened")
            for _ in range(_SUBMITTERS):
                tasks.start_soon(self._submit)
            tasks.start_soon(self._look)
            with anyio.open_signal_receiver(signal.SIGTERM) as signals:
                async for _ in signals:
                    tasks.cancel_scope.cancel()
                    break
        self._record.note("left")

    @asynccontextmanager
    async def _channels(self) -> AsyncGenerator[None]:
        terms = self._terms

        class Quick(EmailAdapter):
            send_timeout: ClassVar[float] = terms.send_timeout  # a lease is longer, and is waited for after each kill
            retry: ClassVar[RetryPolicy] = RetryPolicy(base=0.1, cap=1.0)

        options = ChannelOptions(concurrency=terms.sends)
        async with self.hub:
            await self.hub.add_channel("out", terms.out, adapter=Quick, options=options)
            await self.hub.add_channel("into", terms.into, adapter=Quick, options=options)
            yield

    def _make_table(self) -> None:
        with sqlite3.connect(self._terms.ledger, timeout=30) as database:
            database.execute(_TABLE)
        database.close()

    async def _submit(self) -> None:
        while self._waiting:
            if len(self._submitted) - len(self._handled) >= self._window:
                await anyio.sleep(0.01)
                continue
            what = self._waiting.pop(0)
            local, _, domain = self._terms.mailbox.partition("@")
            address = f"mailto:{local}+{int(what) % self._terms.addresses}@{domain}"
            to = ConversationRef(channel="out", address=address)
            message = Message(f"This is number {what}.", subject=what)
            for _ in range(2 if self._chance.random() < 0.02 else 1):  # some are not sure, and ask again
                await self.hub.submit(message, to=to, key=what)
            self._record.note("submitted", what)
            self._submitted.add(what)

    async def _handle(self, message: MessageReceived, transaction: Transaction) -> None:
        what = message.subject or ""
        self._record.note("began", what)
        await anyio.sleep(self._chance.random() * 0.05)
        transaction.add(lambda connection: connection.execute(_FINISHED, {"what": what}))
        self._handled.add(what)
        self._record.note("ended", what)

    async def _look(self) -> None:
        """Say how much there is still to do."""
        while True:
            counts = await self.hub.store.counts()
            entries = sum(number for (_, state), number in counts.entries.items() if state is EntryState.READY)
            deliveries = sum(number for (_, state), number in counts.deliveries.items() if state in _OPEN)
            self._record.note("open", str(entries + deliveries + len(self._waiting)))
            await anyio.sleep(0.25)


def _main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(asctime)s %(name)s %(message)s")
    anyio.run(_Worker(Terms(**json.loads(sys.argv[1]))).run)


if __name__ == "__main__":
    _main()
