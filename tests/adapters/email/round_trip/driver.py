"""The driver: starts workers, kills them, and waits until everything is settled."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import anyio

from convergekit.abc import LedgerCounts
from convergekit.engine.clock import SystemClock
from convergekit.model import Dispatch
from convergekit.stores.sql import SqlStore
from tools.mail import Account, MailServers

from .record import Record
from .terms import Terms

__all__ = ["Outcome", "Torture", "tortured"]

_ROOT: Final = Path(__file__).parents[4]
_TURN: Final = 0.01


@dataclass(frozen=True, slots=True)
class Torture:
    """How much.

    Args:
        seed: Of everything that is chance.
        way: By which mail comes in again: "imap", out of Dovecot, or "lmtp", from Postfix to our own listener.
        messages: How many.
        kills: How often.
        handlers: Runs of handlers at the same time: what a kill can cut off.
        sends: Transactions at the same time: what a kill can leave unknown.
        lease: Seconds, after which the work of a dead worker is taken over.
        patience: Seconds without anything happening, after which it is stuck.
    """

    seed: int
    way: Literal["imap", "lmtp"] = "imap"
    messages: int = 1000
    kills: int = 50
    handlers: int = 8
    sends: int = 4
    lease: float = 6.0
    patience: float = 90.0


@dataclass(slots=True)
class Outcome:
    """What is left to be summed up.

    Args:
        torture: What was asked for.
        kills: How many there were.
        young: How many of them before the worker had opened its channels.
        began: Runs of the handler, by message.
        ended: Those that came to their end.
        finished: What the handler wrote together with *done*, by message.
        mailbox: Mails, by subject; by LMTP there is none but what was finished.
        dispatches: What the ledger says of each message ...
        counts: ... and its own sums.
        stuck: Why it did not come to its end, or "".
        seconds: How long it took.
    """

    torture: Torture
    kills: int = 0
    young: int = 0
    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    mailbox: Counter[str] = field(default_factory=Counter)
    dispatches: Sequence[Dispatch] = ()
    counts: LedgerCounts = field(default_factory=lambda: LedgerCounts({}, {}))
    stuck: str = ""
    seconds: float = 0.0


class _StuckError(Exception):
    pass


class _Driver:
    def __init__(self, torture: Torture, mail: MailServers, account: Account, folder: Path) -> None:
        self.outcome = Outcome(torture)
        self._torture = torture
        self._mail = mail
        self._account = account
        self._chance = Random(torture.seed)
        self._terms = _terms(torture, mail, account, folder)
        self._record = Record(self._terms.record)
        self._log = folder / "log"
        self._submitted: set[str] = set()
        self._opened: set[int] = set()
        self._open: dict[int, int] = {}
        self._starts = 0
        self._moved = time.monotonic()

    def run(self) -> None:
        """From the first worker to the last."""
        began = time.monotonic()
        worker = self._start()
        try:
            for moment in self._moments():
                self._await(lambda moment=moment: self._progress() >= moment, worker)
                time.sleep(self._chance.random() * 0.1)
                worker = self._killed(worker)
            self._await(lambda: self._is_settled(worker), worker)
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
        except (_StuckError, subprocess.TimeoutExpired) as error:
            self.outcome.stuck = str(error)
        finally:
            worker.kill()
            worker.wait()
        self._look()
        self.outcome.seconds = time.monotonic() - began
        self._sum()
        self._record.close()

    # Workers

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        terms = {**asdict(self._terms), "seed": f"{self._torture.seed} {self._starts}"}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "tests.adapters.email.round_trip.worker", json.dumps(terms)]
            return subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)

    def _killed(self, worker: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """Another one takes its place; one of ten dies while it is being born."""
        if self._chance.random() >= 0.1:
            self._await(lambda: worker.pid in self._opened, worker)
            time.sleep(self._chance.random() * 0.3)
        worker.kill()
        worker.wait()
        self._look()
        self.outcome.kills += 1
        self.outcome.young += worker.pid not in self._opened
        return self._start()

    def _moments(self) -> list[float]:
        """When it is killed: so much is submitted and handled."""
        whole = 2 * self._torture.messages
        return sorted(self._chance.uniform(0.01, 0.9) * whole for _ in range(self._torture.kills))

    def _progress(self) -> int:
        return len(self._submitted) + len(self.outcome.ended)

    # Looking

    def _await(self, holds: Any, worker: subprocess.Popen[bytes]) -> None:
        while True:
            self._look()
            if holds():
                return
            if worker.poll() is not None:
                raise _StuckError(f"a worker ended by itself, with {worker.returncode}")
            if time.monotonic() - self._moved > self._torture.patience:
                raise _StuckError(f"nothing has happened for {self._torture.patience:g} s")
            time.sleep(_TURN)

    def _look(self) -> None:
        for note in self._record.news():
            if note.did == "open":
                self._open[note.pid] = int(note.what)
                continue
            self._moved = time.monotonic()
            match note.did:
                case "opened":
                    self._opened.add(note.pid)
                case "submitted":
                    self._submitted.add(note.what)
                case "began":
                    self.outcome.began[note.what] += 1
                case "ended":
                    self.outcome.ended[note.what] += 1

    def _is_settled(self, worker: subprocess.Popen[bytes]) -> bool:
        if self._open.get(worker.pid) != 0:
            return False
        self._open.pop(worker.pid)  # the next look waits for what the worker says next
        return not self._mail.queue() and len(self._finished()) == len(self._mailbox())

    def _mailbox(self) -> Counter[str]:
        if self._torture.way == "lmtp":
            return Counter(set(self._finished()))
        while True:
            try:
                return Counter(map(_subject, self._mail.mailbox(self._account.user)))
            except FileNotFoundError:
                continue  # Dovecot has moved a mail from "new" to "cur" meanwhile

    def _finished(self) -> Counter[str]:
        with closing(sqlite3.connect(self._terms.ledger, timeout=30)) as database:
            return Counter(what for (what,) in database.execute("SELECT what FROM finished"))

    def _sum(self) -> None:
        self.outcome.mailbox, self.outcome.finished = self._mailbox(), self._finished()
        anyio.run(self._read_ledger)

    async def _read_ledger(self) -> None:
        store = SqlStore(f"sqlite:///{self._terms.ledger}")
        async with store.opened(SystemClock()):
            self.outcome.dispatches = await store.dispatches(limit=10**9)
            self.outcome.counts = await store.counts()


def _subject(raw: bytes) -> str:
    lines: Iterable[bytes] = raw.partition(b"\n\n")[0].split(b"\n")
    return next((line[9:].decode() for line in lines if line.startswith(b"Subject: ")), "?")


def _terms(torture: Torture, mail: MailServers, account: Account, folder: Path) -> Terms:
    def server(port: int, security: str, who: Account) -> dict[str, Any]:
        return {
            "host": "localhost",
            "port": port,
            "security": security,
            "ca": str(mail.ca),
            "username": who.user,
            "password": who.password,
        }

    smtp = {**server(mail.submission, "starttls", mail.alice), "pool_size": torture.sends}
    mailbox = account.user if torture.way == "imap" else "desk@app.test"
    way_in = server(mail.imaps, "tls", account) if torture.way == "imap" else {"port": mail.app_lmtp}
    return Terms(
        folder=str(folder),
        out={"address": mail.alice.user, "smtp": smtp},
        into={"address": mailbox, torture.way: way_in},
        mailbox=mailbox,
        messages=torture.messages,
        addresses=40,
        lease=torture.lease,
        send_timeout=torture.lease - 1,
        handlers=torture.handlers,
        sends=torture.sends,
        seed="",
    )


def tortured(torture: Torture, mail: MailServers, account: Account, folder: Path) -> Outcome:
    """Do it; what workers log is then in *folder*."""
    driver = _Driver(torture, mail, account, folder)
    driver.run()
    return driver.outcome
