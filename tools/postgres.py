"""A PostgreSQL of one's own, for tests and measurements: in a temporary folder, on loopback, gone when its user is.

It is as careful with data as a real one (fsync stays on), and it sorts text as people do, as the databases of most
hosts do: what leans on the order of bytes is found out here.

Run as a script, this is the guard: it waits until its standard input ends, which happens however the process that
started it ends, then stops the server and removes the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["Postgres", "missing"]

_USER: Final = "convergekit"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_INITDB: Final = ("--auth=trust", f"--username={_USER}", "--encoding=UTF8", "--locale=C", "--no-sync")
_SORTED: Final = ("--locale-provider=icu", "--icu-locale=en-US")


def missing() -> str:
    """Why there can be no PostgreSQL here; empty where there can."""
    return "" if _program("initdb") else "PostgreSQL is not installed (as root on Debian, `make peers` does it)"


class Postgres:
    """One cluster, running until it is closed; where we are root it belongs to somebody else, for it refuses root.

    Args:
        settings: For the server, over its own and ours.
        where: In which folder its own one is made; None for where temporary files are.

    Attributes:
        folder: Where all of it is.
        port: On 127.0.0.1; stays the same over a restart.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, where: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergekit-pg-", dir=where)).resolve()
        self.port = _free_port()
        if os.geteuid() == 0:
            shutil.chown(self.folder, *_somebody_else())
        guard = [sys.executable, __file__, str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        try:
            _run(self.folder, "initdb", *_INITDB, *_SORTED)
            self._configure(settings or {})
            self.start()
        except BaseException:
            self.close()
            raise

    def _configure(self, settings: Mapping[str, str]) -> None:
        ours = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
        }
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in {**ours, **settings}.items())

    @property
    def is_running(self) -> bool:
        """Whether its first process is there."""
        return _is_running(self.folder)

    def url(self, database: str = "postgres") -> str:
        """What SQLAlchemy reaches *database* by."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str = "postgres") -> str:
        """What libpq and asyncpg reach *database* by."""
        return self.url(database).replace("+psycopg", "")

    def start(self) -> None:
        """Start it, unless it runs; return when it answers."""
        if not self.is_running:
            _run(self.folder, "pg_ctl", "start", "--wait", "--silent", "--log", str(self.folder / "log"))

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it, unless it is stopped: "fast" ends all connections, "immediate" is a crash."""
        if self.is_running:
            _stop(self.folder, mode)

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it and start it."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop it and remove all of it."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _program(name: str) -> str | None:
    """Version 15 before others: it is what the tests ran with."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda path: (path.parent.name != "15", path))
    return shutil.which(name, path=os.pathsep.join(map(str, folders))) or shutil.which(name)


def _run(folder: Path, name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's on the cluster in *folder*, as the one whom it belongs to."""
    program = _program(name)
    assert program is not None, missing()
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = folder.stat()
        options = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    done = subprocess.run(
        [program, "--pgdata", str(folder / "data"), *arguments],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **options,
    )
    if done.returncode:
        log = folder / "log"
        told = log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""
        raise RuntimeError(f"{name} failed: {done.stdout}{done.stderr}{told}")


def _stop(folder: Path, mode: str) -> None:
    _run(folder, "pg_ctl", "stop", "--wait", "--silent", "--mode", mode)


def _is_running(folder: Path) -> bool:
    try:
        os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), 0)
    except PermissionError:
        return True  # it is there, and not ours
    except (FileNotFoundError, IndexError, ProcessLookupError):
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _somebody_else() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise RuntimeError("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`")


def _guarded(folder: Path) -> None:
    """Wait until nobody needs it any more; then stop it at once, for nothing in it is worth keeping."""
    sys.stdin.buffer.read()
    try:
        if _is_running(folder):
            _stop(folder, "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guarded(Path(sys.argv[1]))
