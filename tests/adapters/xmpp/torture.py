"""`make torture-xmpp`: messages go both ways while Prosody is killed and lines are cut; says figures and what is wrong.

Two hubs, each with a ledger on disk: one with a single account, the other with several, so that there are several
conversations, each with its own order. And one conversation with a client that knows nothing of XEP-0198: it says
everything again, under the same id, until the server has answered behind it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from xml.etree.ElementTree import Element

import anyio

from convergekit import Hub, MessageReceived
from convergekit.stores import SqlStore
from tools.mail import CutProxy
from tools.xmpp import Account, Ejabberd, Peer, Prosody, XmppServer, body

__all__ = ["Outcome", "Size", "judged", "tortured"]

_AFLOAT: Final = 200  # messages of one conversation, one way, that are submitted and have not arrived
_SERVERS: Final[dict[str, type[XmppServer]]] = {"prosody": Prosody, "ejabberd": Ejabberd}


@dataclass(frozen=True, slots=True)
class Size:
    """How much.

    Args:
        seed: Of everything that is chance.
        messages: Each way between the hubs, all conversations together.
        peer_messages: Each way with the client that knows nothing.
        kills: How often the server is killed, and started again.
        cuts: How often the lines of one of the hubs are cut.
        accounts: Of the second hub.
        patience: Seconds without anything happening, after which it is stuck.
    """

    seed: int = 0
    messages: int = 2000
    peer_messages: int = 500
    kills: int = 10
    cuts: int = 30
    accounts: int = 4
    patience: float = 60.0


@dataclass(slots=True)
class Outcome:
    """What has become of it.

    Args:
        wrong: What does not hold, in words.
        figures: How it went.
    """

    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


class _Quick(Random):
    """Chance for a hub: between two tries it waits for a small part of the time."""

    def random(self) -> float:
        return super().random() / 200


class _Side:
    """A hub, its accounts, and the line to the server that can be cut.

    Attributes:
        heard: Texts for which a handler has finished, in order, by the sender and the channel.
        begun: Runs of handlers.
        at: When something was heard last.
    """

    def __init__(self, name: str, accounts: Sequence[Account], server: XmppServer, folder: Path, seed: int) -> None:
        self.name, self.accounts = name, accounts
        self.heard: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.begun = 0
        self.at = time.monotonic()
        self._server = server
        self.proxy = CutProxy(server.port)
        self.hub = Hub(store=SqlStore(f"sqlite:///{folder / name}.db"), random=_Quick(seed))
        self.hub.on_message(self._handle)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """It is there."""
        async with self.hub:
            for account in self.accounts:
                await self.hub.add_channel(account.user, self._settings(account))
            yield

    def _settings(self, account: Account) -> dict[str, Any]:
        return {
            "adapter": "xmpp",
            "jid": account.jid,
            "password": account.password,
            "host": self._server.host,
            "port": self.proxy.port,
            "ca": str(self._server.ca),
            "ping_timeout": 5,
        }

    async def _handle(self, message: MessageReceived) -> None:
        self.begun += 1
        sender = "" if message.sender is None else message.sender.value
        self.heard[sender, message.channel].append(message.text or "")
        self.at = time.monotonic()

    async def say(self, account: Account, to: Account, count: int, other: _Side | None = None) -> None:
        """Submit *count* messages, not too many ahead of what has arrived at *other*."""
        heard = [] if other is None else other.heard[account.jid, to.user]
        for number in range(count):
            if other is not None:
                await _until(lambda number=number: number - len(heard) <= _AFLOAT)  # type: ignore[misc]
            text = str(number)
            await self.hub.submit(text, to=f"xmpp:{to.jid}", via=account.user, key=f"{account.user}:{to.user}:{text}")


class _Client:
    """The client that knows nothing: it connects again by itself, and says again what may not have come."""

    def __init__(self, server: XmppServer, account: Account) -> None:
        self._server, self.account = server, account

    async def say(self, to: Account, count: int) -> None:
        said = 0
        while said < count:
            try:
                async with Peer(self._server, self.account) as peer:
                    while said < count:
                        batch = range(said, min(said + 10, count))
                        for number in batch:
                            await peer.say(to.jid, str(number), id=f"n{number}")
                        await peer.synced()
                        said = batch.stop
            except (OSError, ExceptionGroup, anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                await anyio.sleep(0.1)

    async def archived(self) -> list[str]:
        """What has come, as the archive has it: the first of each id, in order."""
        async with Peer(self._server, self.account, present=False) as peer:
            found: dict[str, str] = {}
            for result in await peer.archived():
                message = next(each for each in result.iter() if each.tag.endswith("}message"))
                if _is_to(message, self.account):
                    found.setdefault(message.get("id", ""), body(message) or "")
        return list(found.values())


def _is_to(message: Element, account: Account) -> bool:
    return message.get("to", "").partition("/")[0] == account.jid


class _Torture:
    def __init__(self, size: Size, server: XmppServer, folder: Path) -> None:
        self.size, self.server = size, server
        self.chance = Random(size.seed)
        self.outcome = Outcome()
        one = [server.fresh_account("one")]
        many = [server.fresh_account("many") for _ in range(size.accounts)]
        self.one = _Side("one", one, server, folder, size.seed)
        self.many = _Side("many", many, server, folder, size.seed + 1)
        self.client = _Client(server, server.fresh_account("client"))
        self.share = size.messages // size.accounts
        self.kills = self.cuts = 0

    async def run(self) -> Outcome:
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            for side in (self.one, self.many):
                stack.callback(side.proxy.close)
                await stack.enter_async_context(side.open())
            async with anyio.create_task_group() as tasks:
                self._say_all(tasks)
                await self._trouble()
                await self._settled()
                tasks.cancel_scope.cancel()
            took = time.monotonic() - began
            await self._sum_up()
        self.outcome.figures |= {
            "messages": sum(side.begun for side in (self.one, self.many)),
            "kills of the server": self.kills,
            "cuts of lines": self.cuts,
            "connections": self.one.proxy.connections + self.many.proxy.connections,
            "seconds": round(took, 1),
        }
        return self.outcome

    def _say_all(self, tasks: anyio.abc.TaskGroup) -> None:
        one, client = self.one.accounts[0], self.client.account
        for account in self.many.accounts:
            tasks.start_soon(self.one.say, one, account, self.share, self.many)
            tasks.start_soon(self.many.say, account, one, self.share, self.one)
        tasks.start_soon(self.one.say, one, client, self.size.peer_messages)
        tasks.start_soon(self.client.say, one, self.size.peer_messages)

    # --- trouble --------------------------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        """Kills and cuts, spread over how far they are."""
        whats = ["kill"] * self.size.kills + ["cut"] * self.size.cuts
        self.chance.shuffle(whats)
        moments = sorted(self.chance.uniform(0.02, 0.9) for _ in whats)
        for what, moment in zip(whats, moments, strict=True):
            await _until(lambda moment=moment: self._progress() >= moment or self._is_stuck())  # type: ignore[misc]
            if self._is_stuck():
                return
            if what == "kill":
                await self._kill()
            else:
                self.chance.choice((self.one, self.many)).proxy.cut()
                self.cuts += 1
            await anyio.sleep(self.chance.uniform(0, 0.3))

    async def _kill(self) -> None:
        await self.server.kill()
        await anyio.sleep(self.chance.uniform(0, 0.5))
        await self.server.start()
        self.kills += 1

    # --- how far --------------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> int:
        return 2 * self.share * self.size.accounts + self.size.peer_messages

    def _progress(self) -> float:
        return (self.one.begun + self.many.begun) / self._wanted

    def _is_stuck(self) -> bool:
        return time.monotonic() - max(self.one.at, self.many.at) > self.size.patience

    async def _settled(self) -> None:
        await _until(lambda: self._progress() >= 1 or self._is_stuck())
        with anyio.move_on_after(self.size.patience):
            for side in (self.one, self.many):
                while await _open_of(side.hub):  # noqa: ASYNC110 - the ledger tells nobody
                    await anyio.sleep(0.1)
        await anyio.sleep(1)  # what is doubled may still come

    # --- sums -----------------------------------------------------------------------------------------------------

    async def _sum_up(self) -> None:
        one, client = self.one.accounts[0], self.client.account
        for account in self.many.accounts:
            self._judge(f"{one.user} to {account.user}", self.many.heard[one.jid, account.user], self.share)
            self._judge(f"{account.user} to {one.user}", self.one.heard[account.jid, one.user], self.share)
        self._judge("client to hub", self.one.heard[client.jid, one.user], self.size.peer_messages)
        self._judge("hub to client", await self.client.archived(), self.size.peer_messages)
        for side in (self.one, self.many):
            if left := await _open_of(side.hub):
                self.outcome.wrong.append(f"{side.name}: {left} deliveries are not settled")

    def _judge(self, what: str, heard: Sequence[str], count: int) -> None:
        if wrong := judged(heard, count):
            self.outcome.wrong.append(f"{what}: {wrong}")


def judged(heard: Sequence[str], count: int) -> str:
    """What is wrong with having *heard* that, where the numbers below *count* were said in order; empty if nothing."""
    wanted = [str(number) for number in range(count)]
    if list(heard) == wanted:
        return ""
    lost, doubled = [each for each in wanted if each not in heard], len(heard) - len(set(heard))
    if lost or doubled:
        return f"{len(lost)} lost ({', '.join(lost[:10])}), {doubled} doubled"
    return "out of order" if set(heard) == set(wanted) else "what nobody said"


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - there are many who change it
        await anyio.sleep(0.01)


async def _open_of(hub: Hub) -> int:
    """Deliveries whose end is not known."""
    counts = await hub.store.counts()
    return sum(number for (_, state), number in counts.deliveries.items() if state in ("waiting", "queued", "sending"))


async def tortured(size: Size, server: XmppServer, folder: Path) -> Outcome:
    """Do it, with *server*, which is killed, and ledgers in *folder*."""
    return await _Torture(size, server, folder).run()


def main() -> int:
    """Do it at full size; returns the exit code."""
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m tests.adapters.xmpp.torture", description=__doc__)
    for name, value in ((each, getattr(Size(), each)) for each in Size.__slots__):
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--server", choices=_SERVERS, default="prosody")
    given = vars(parser.parse_args())
    kind, size = _SERVERS[given.pop("server")], Size(**given)
    if why := kind.missing():
        print(why)
        return 1
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="convergekit-torture-"))
        server = stack.enter_context(kind())
        outcome = anyio.run(tortured, size, server, Path(folder))
    for figure, value in outcome.figures.items():
        print(f"| {figure:24} | {value!s:>12} |")
    print("\n".join(outcome.wrong) or "every sum holds")
    return int(bool(outcome.wrong))


if __name__ == "__main__":
    sys.exit(main())
