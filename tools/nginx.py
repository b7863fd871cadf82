"""An nginx of one's own, for tests and measurements: private, on loopback, gone when its user is.

It takes whatever is posted, on keep-alive connections, answers 204, and writes nothing down; only its count of requests
is kept. One process answers, so what it takes of a machine is known.

Run as a script, this is the guard: it starts the server, waits until its standard input ends, which happens however the
process that started it ends, and stops the server.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.request import urlopen

__all__ = ["Nginx", "missing"]

_SBIN: Final = "/usr/sbin"  # is not on everybody's PATH
_COUNT: Final = "/-/count"
_SETTINGS: Final = """
user {user};
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    reset_timedout_connection on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        {listens}
        location / {{ return 204; }}
        location = {count} {{ stub_status; }}
    }}
}}
"""


def missing() -> str:
    """Why there can be no nginx here; empty where there can."""
    return "" if _program() else "nginx is not installed (as root on Debian, `make peers` does it)"


def _program() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), _SBIN)))


class Nginx:
    """One server, running until it is closed.

    Args:
        hosts: At how many addresses more it can be reached, from 127.0.1.1 on: up to 250.

    Attributes:
        folder: Where all of it is.
        port: The same at each address.
    """

    def __init__(self, hosts: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergekit-nginx-"))
        self.folder.chmod(0o755)  # where we are root, who answers is somebody else
        self.port = _free_port()
        self._addresses = [f"127.0.1.{number}" for number in range(1, hosts + 1)]
        (self.folder / "nginx.conf").write_text(self._settings(), "utf-8")
        guard = [sys.executable, __file__, _program() or "nginx", str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _settings(self) -> str:
        listens = " ".join(f"listen {address}:{self.port};" for address in ("127.0.0.1", *self._addresses))
        return _SETTINGS.format(user="nobody nogroup", folder=self.folder, listens=listens, count=_COUNT)

    @property
    def url(self) -> str:
        """Where it takes what is posted."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def urls(self) -> Sequence[str]:
        """The same at each of its further addresses: a host of its own each."""
        return [f"http://{address}:{self.port}/hook" for address in self._addresses]

    @property
    def requests(self) -> int:
        """How many it has had, this question among them."""
        with urlopen(f"http://127.0.0.1:{self.port}{_COUNT}", timeout=10) as answer:
            found = re.search(rb"requests\s+\d+ \d+ (\d+)", answer.read())
        assert found is not None
        return int(found[1])

    def _wait(self) -> None:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                if self._guard.poll() is not None or time.monotonic() > until:
                    log = self.folder / "error.log"
                    told = log.read_text("utf-8", "replace") if log.exists() else ""
                    raise RuntimeError(f"nginx did not start: {told}") from None
            time.sleep(0.01)

    def close(self) -> None:
        """Stop it and remove all of it."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_port() -> int:
    """One that is free at every address of this machine."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port


def _guarded(program: str, folder: str) -> None:
    log = f"{folder}/error.log"
    server = subprocess.Popen(
        [program, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", log], stdin=subprocess.DEVNULL
    )
    try:
        sys.stdin.read()
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    _guarded(*sys.argv[1:])
