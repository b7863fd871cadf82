"""A real IRC server for the tests: private, on loopback, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

__all__ = ["Ngircd", "missing"]

PROGRAM = shutil.which("ngircd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def missing() -> str:
    """Why there can be no server here; empty where there can."""
    return "" if PROGRAM else "ngircd is not installed (Debian: the package `ngircd`)"


_SETTINGS = """\
[Global]
Name = irc.test
Info = for tests
Listen = 127.0.0.1
MotdPhrase = hello
{global_}
[Limits]
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxPenaltyTime = 0
# It ends by itself when the tests did not end it.
IdleTimeout = 300
[Options]
DNS = no
Ident = no
PAM = no
{ssl}
"""


# [server]
class Ngircd:
    """One server, from `with` to its end.

    Args:
        password: What clients have to know, or None.
        certificate: PEM file with certificate and key, for TLS in place of plain connections.

    Attributes:
        port: On 127.0.0.1; stays the same over a restart.
    """

    def __init__(self, *, password: str | None = None, certificate: Path | None = None) -> None:
        self.port = _free_port()
        self._password, self._certificate = password, certificate
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="ngircd-"))
        (self._folder / "ngircd.conf").write_text(self._settings(), "utf-8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, unless it runs; return once it listens."""
        if self._process is not None:
            return
        assert PROGRAM is not None, missing()
        command = [PROGRAM, "--nodaemon", "--config", str(self._folder / "ngircd.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        said = []
        with self._process.stdout as output:  # afterwards nobody reads what it says, and it goes on all the same
            for line in output:
                said.append(line)
                if " ready." in line:
                    return
        raise RuntimeError("ngircd did not start: " + "".join(said))

    def stop(self) -> None:
        """Stop it: people are told, and then cut off."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.kill() if kill else process.terminate()

    # [server end]

    def _settings(self) -> str:
        global_ = [] if self._certificate else [f"Ports = {self.port}"]
        ssl = []
        if self._password is not None:
            global_.append(f"Password = {self._password}")
        if os.geteuid() == 0:
            global_ += ["ServerUID = nobody", "ServerGID = nogroup"]
        if self._certificate is not None:
            global_.append(f"Ports = {_free_port()}")
            ssl = ["[SSL]", f"CertFile = {self._certificate}", f"KeyFile = {self._certificate}", f"Ports = {self.port}"]
        return _SETTINGS.format(global_="\n".join(global_), ssl="\n".join(ssl))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
