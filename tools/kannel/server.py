"""Kannel itself: its settings, its two processes, and how they are started, stopped and looked into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

from tools.mail.processes import eventually, free_ports, is_listening

from . import guard
from .phones import Phones

__all__ = ["Kannel", "missing"]

_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")  # is not on everybody's PATH
_MEMORY: Final = Path("/dev/shm")

# Comments stand on lines of their own, and groups end with an empty line.
_SETTINGS: Final = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
log-file = "{folder}/bearerbox.log"
store-type = file
store-location = "{folder}/store"
dlr-storage = internal
sms-combine-concatenated-mo = {joined}

group = smsc
smsc = fake
smsc-id = fake
port = {smsc}
our-host = 127.0.0.1
denied-prefix = "666;+666"
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {http}
sendsms-interface = 127.0.0.1
log-file = "{folder}/smsbox.log"
mo-recode = {recoded}
http-request-retry = {retries}
http-queue-delay = {delay}

group = sendsms-user
username = {username}
password = {password}
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{callback_url}?from=%p&to=%P&text=%b&id=%I&ts=%T&charset=%C&coding=%c&udh=%u"

"""


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN)))


def missing() -> str:
    """Why there can be no Kannel here; empty where there can."""
    there = _program("bearerbox") and _program("smsbox")
    return "" if there else "Kannel is not installed (as root on Debian, `make peers` does it)"


class Kannel:
    """One gateway, running until it is closed.

    Args:
        callback_url: Where it brings what phones say; a path is one on a free port, `app`.
        retries: How often more it calls a URL that fails, its own default being not once more.
        delay: Seconds between.
        joined: Whether it joins the parts of a message from a phone itself.
        recoded: Whether it brings UCS-2 as UTF-8, where it can.
        where: In which folder its own one is made; None for memory where there is enough, or temporary files.

    Attributes:
        folder: Where all of it is.
        http, app, admin, smsc, box: Ports on 127.0.0.1; the same over a restart.
        send_url: What a message is sent with, by GET or POST.
        callback_url: Where it brings what phones say.
        username, password: For `send_url`.
        phones: The phone network; connected when Kannel has started.
    """

    username: Final = "tester"
    password: Final = "foobar"

    def __init__(
        self,
        callback_url: str = "/hooks",
        *,
        retries: int = 60,
        delay: int = 1,
        joined: bool = True,
        recoded: bool = True,
        where: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergekit-kannel-", dir=where or _place())).resolve()
        command = [sys.executable, guard.__file__, str(self.folder)]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self.http, self.app, self.admin, self.smsc, self.box = free_ports(5)
        here = f"http://127.0.0.1:{self.app}" if callback_url.startswith("/") else ""
        self.callback_url = here + callback_url
        self.send_url = f"http://127.0.0.1:{self.http}/cgi-bin/sendsms"
        self.phones = Phones(self.smsc, self._is_linked)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._configure(retries=retries, delay=delay, joined=joined, recoded=recoded)
            self.start()
        except BaseException as exc:
            exc.add_note(self.logs()[-4000:])
            self.close()
            raise

    def _configure(self, **settings: int) -> None:
        ours = {**vars(self), "username": self.username, "password": self.password}
        (self.folder / "kannel.conf").write_text(_SETTINGS.format(**ours, **settings), "utf-8")

    def start(self) -> None:
        """Start it, unless it runs, and connect the phones; return when it takes messages."""
        if self._running:
            return
        self._run("bearerbox", self.box, self.smsc)
        self.phones.connect()
        self._run("smsbox", self.http)
        eventually(lambda: "smsbox:" in self.status())

    def _run(self, name: str, *ports: int) -> None:
        program = _program(name)
        assert program is not None, missing()
        # The guard knows them by the folder that they run in.
        self._running[name] = process = subprocess.Popen(
            [program, "-v", "4", "kannel.conf"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(lambda: all(map(is_listening, ports)) or process.poll() is not None)
        if process.returncode is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}: {self.logs()[-2000:]}")

    def stop(self) -> None:
        """Stop it, unless it is stopped: what waits in it is kept on disk, what it knows of reports is not."""
        for name in ("smsbox", "bearerbox"):  # without the second, the first would wait for it to come back
            if process := self._running.get(name):
                process.terminate()
                # Once in a while one of them hears it and goes on for ever.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._running.clear()
        self.phones.drop()

    def restart(self) -> None:
        """Stop it and start it."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove all of it."""
        self.kill()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Kannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def status(self) -> str:
        """What it says of itself: its boxes, its links, and how many messages it has seen."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/status.txt?password={self.password}") as page:
            return str(page.read().decode())

    def _is_linked(self) -> bool:
        with suppress(OSError):
            return "(online" in self.status()
        return False

    def logs(self) -> str:
        """What it has said."""
        found = sorted(self.folder.glob("*.log"))
        return "\n".join(path.read_text("utf-8", "replace") for path in found)


def _place() -> Path | None:
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    return _MEMORY if enough else None
