"""Prosody and ejabberd, private and on loopback: made, started, killed, looked into, and removed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, Self

from anyio import to_thread

from tools.kannel import guard
from tools.mail.processes import eventually, free_ports, is_listening

from ._register import register
from .settings import FEATURES, ejabberd_yml, prosody_lua

__all__ = ["Account", "Ejabberd", "Prosody", "XmppServer"]

_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")  # is not on everybody's PATH
_LIBRARIES: Final = ("lib/*", "lib/erlang/lib", "local/lib/erlang/lib")
_MEMORY: Final = Path("/dev/shm")
_NUMBERS: Final = count(1)


class Account(NamedTuple):
    """Somebody who can log in.

    Args:
        jid: Without a resource.
        password: Theirs.
    """

    jid: str
    password: str

    @property
    def user(self) -> str:
        """What stands before the @."""
        return self.jid.partition("@")[0]


class XmppServer(ABC):
    """One server, running until it is closed.

    Args:
        hibernation: Seconds for which a stream may be resumed, XEP-0198.
        stanza_limit: Bytes of the largest stanza that it takes from a client.
        page: How many messages it gives at most for one question to an archive.
        file_limit: Bytes of the largest file.
        without: Which features are left out, by their names in `FEATURES`.
        more: Settings that the server has, over ours.
        accounts: Who can log in from the beginning; their password is their name.
        where: In which folder its own one is made; None for memory where there is enough, or temporary files.

    Attributes:
        folder: Where all of it is.
        port, tls_port: For clients, with STARTTLS and with TLS from the first byte; like all ports on `host`, and the
            same over a restart.
        component_port: For `component`, with `component_secret`.
        http_port, https_port: Where files are sent to, and fetched.
        ca: The certificate of the authority that the server's own one (localhost and its parts, 127.0.0.1) is from,
            as PEM.
    """

    kind: ClassVar[str]
    host: Final = "127.0.0.1"
    domain: Final = "localhost"
    rooms: Final = "conference.localhost"
    uploads: Final = "upload.localhost"
    pubsub: Final = "pubsub.localhost"
    component: Final = "gw.localhost"
    component_secret: Final = "sekrit"

    def __init__(
        self,
        *,
        hibernation: int = 60,
        stanza_limit: int = 262_144,
        page: int = 50,
        file_limit: int = 10_485_760,
        without: Collection[str] = (),
        more: Mapping[str, object] = MappingProxyType({}),
        accounts: Collection[str] = ("alice", "bob", "carol"),
        where: Path | None = None,
    ) -> None:
        if unknown := set(without) - set(FEATURES):
            raise ValueError(f"there is no feature {sorted(unknown)}; there are {sorted(FEATURES)}")
        self.hibernation, self.stanza_limit = hibernation, stanza_limit
        self.page, self.file_limit = page, file_limit
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix=f"convergekit-{self.kind}-", dir=where or _place())).resolve()
        command = [sys.executable, guard.__file__, str(self.folder)]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        ports = free_ports(5)
        self.port, self.tls_port, self.component_port, self.http_port, self.https_port = ports
        self.ca = self.folder / "tls" / "ca.pem"
        try:
            self._make_certificates()
            self._configure(frozenset(without), more)
            self._start()
            for user in accounts:
                self.register(user, user)
        except BaseException as exc:
            exc.add_note(self.logs()[-4000:])
            self.close()
            raise

    # --- making ---------------------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Why there can be none here; empty where there can."""

    @abstractmethod
    def _configure(self, without: Collection[str], more: Mapping[str, object]) -> None: ...

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """What starts it, and what its environment has besides ours."""

    def _make_certificates(self) -> None:
        for name in ("tls", "data", "log"):
            (self.folder / name).mkdir()
        import trustme  # takes a tenth of a second, and most tests need no server

        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        authority.cert_pem.write_to_path(self.ca)
        names = (self.domain, self.rooms, self.uploads, self.pubsub, self.component, self.host)
        # ejabberd sets itself an alarm for the end of it, and fails where that is further away than its clock reaches.
        end = datetime.now(UTC) + timedelta(days=30)
        own = authority.issue_cert(*names, not_after=end, key_type=trustme.KeyType.ECDSA)
        chain = b"".join(blob.bytes() for blob in own.cert_chain_pems)
        key = own.private_key_pem.bytes()
        for name, content in (("localhost.crt", chain), ("localhost.key", key), ("all.pem", chain + key)):
            (self.folder / "tls" / name).write_bytes(content)

    def _make_database(self, tables: str = "") -> None:
        """What is archived outlives a crash of the server, if not one of the machine."""
        with closing(sqlite3.connect(self.folder / "data" / "archive.sqlite")) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(tables)

    def _values(self) -> Mapping[str, object]:
        names = ("host", "domain", "rooms", "uploads", "pubsub", "component", "component_secret")
        return {**vars(self), **{name: getattr(self, name) for name in names}}

    # --- running --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, unless it runs; return when it listens."""
        await to_thread.run_sync(self._start)

    async def stop(self) -> None:
        """Stop it, unless it is stopped: it says good-bye to everybody."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                await to_thread.run_sync(self._process.wait, 5)
        await self.kill()

    async def kill(self) -> None:
        """End it at once, as a crash does: SIGKILL."""
        self._kill()

    def freeze(self) -> None:
        """Have it stand still until `thaw`: lines stay, and nothing is read or said. SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        if self.running:
            return
        command, environment = self._command()
        with (self.folder / "log" / "out").open("ab") as out:
            # The guard knows it by the folder that it runs in.
            self._process = process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ports = (self.port, self.tls_port, self.component_port, self.https_port)
        eventually(lambda: all(map(is_listening, ports)) or process.poll() is not None, seconds=30)
        if process.returncode is not None:
            raise RuntimeError(f"{self.kind} ended with {process.returncode}: {self.logs()[-2000:]}")

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove all of it."""
        self._kill()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- using ----------------------------------------------------------------------------------------------------

    def register(self, user: str, password: str) -> Account:
        """Let *user* log in with *password* (XEP-0077)."""
        register(self.host, self.tls_port, self.ssl_context(), self.domain, user, password)
        return Account(f"{user}@{self.domain}", password)

    def fresh_account(self, name: str = "user") -> Account:
        """Somebody new, in whose archive is nothing; *name* and a number."""
        return self.register(f"{name}{next(_NUMBERS)}", "pw")

    def fresh_room(self, name: str = "room") -> str:
        """The address of a room where nobody has been."""
        return f"{name}{next(_NUMBERS)}@{self.rooms}"

    def ssl_context(self) -> ssl.SSLContext:
        """One that trusts this server, and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca))

    def logs(self) -> str:
        """What it has said."""
        found = sorted(path for path in (self.folder / "log").glob("*") if path.is_file())
        return "\n".join(path.read_text("utf-8", "replace") for path in found)


class Prosody(XmppServer):
    """A Prosody, running until it is closed."""

    kind = "prosody"

    @classmethod
    def missing(cls) -> str:
        """Why there can be none here; empty where there can."""
        there = _program("prosody") and next(Path("/usr").glob("lib/*/lua/5.4/dbd/sqlite3.so"), None)
        return "" if there else "Prosody with SQLite is not installed (as root on Debian, `make peers` does it)"

    def _configure(self, without: Collection[str], more: Mapping[str, object]) -> None:
        (self.folder / "data").chmod(0o700)
        self._make_database()
        text = prosody_lua(self._values(), without=without, more=more)
        (self.folder / "prosody.cfg.lua").write_text(text, "utf-8")

    def _command(self) -> tuple[list[str], dict[str, str]]:
        return [_program("prosody") or "prosody", "--config", str(self.folder / "prosody.cfg.lua"), "-F"], {}


class Ejabberd(XmppServer):
    """An ejabberd, running until it is closed.

    It is started without the package's script, for that starts Erlang's port mapper, a server for the whole machine,
    which stays.
    """

    kind = "ejabberd"

    @classmethod
    def missing(cls) -> str:
        """Why there can be none here; empty where there can."""
        there = _program("erl") and _library("ejabberd") and _library("p1_sqlite3")
        return "" if there else "ejabberd with SQLite is not installed (as root on Debian, `make peers` does it)"

    def _configure(self, without: Collection[str], more: Mapping[str, object]) -> None:
        text = ejabberd_yml(self._values(), without=without, more=more)
        (self.folder / "ejabberd.yml").write_text(text, "utf-8")
        self._make_database((self._library() / "priv" / "sql" / "lite.sql").read_text("utf-8"))

    def _library(self) -> Path:
        library = _library("ejabberd")
        assert library is not None, self.missing()
        return library

    def _command(self) -> tuple[list[str], dict[str, str]]:
        # Without a name of its own the node talks with no other, and needs no port mapper.
        command = [_program("erl") or "erl", "-noinput", "-mnesia", "dir", f'"{self.folder}/data"', "-s", "ejabberd"]
        environment = {
            "ERL_LIBS": str(self._library().parent),
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "log" / "ejabberd.log"),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "HOME": str(self.folder),
        }
        return command, environment


def _library(name: str) -> Path | None:
    """The folder of *name* among Erlang's libraries, where the distribution has put it."""
    return next((path for place in _LIBRARIES for path in Path("/usr").glob(f"{place}/{name}-[0-9]*")), None)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN)))


def _place() -> Path | None:
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    return _MEMORY if enough else None
