"""Processes and ports, seen as the kernel sees them; as a script, the guard of a folder with servers."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["DOVECOT_PID", "POSTFIX_PID", "eventually", "free_ports", "is_listening", "master", "stop"]

_T = TypeVar("_T")

POSTFIX_PID: Final = "queue/pid/master.pid"
DOVECOT_PID: Final = "dovecot/run/master.pid"


def master(folder: Path, pid_file: str) -> int | None:
    """The number of the first process that *pid_file* speaks of, where it is alive and is the one that is meant."""
    try:
        pid = int((folder / pid_file).read_text().strip() or 0)
        ours = Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if ours else None


def stop(folder: Path, pid_file: str, *, crash: bool = False) -> None:
    """Stop all of the group of the first process; return when they are gone."""
    if (pid := master(folder, pid_file)) is None:
        return
    group = os.getpgid(pid)
    if not crash:
        os.killpg(group, signal.SIGTERM)
        with suppress(TimeoutError):
            eventually(lambda: master(folder, pid_file) != pid, seconds=5)
    # What has not heard it, Dovecot's log for one, would wait for the next start.
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    eventually(lambda: not _group_exists(group))
    # Dovecot takes one that is dead, and not yet buried, for alive.
    (folder / pid_file).unlink(missing_ok=True)


def _group_exists(group: int) -> bool:
    """Whether one of it runs: the dead may lie about until the machine's first process has time for them."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text("ascii", "replace").rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == group and state != "Z":
            return True
    return False


def is_listening(port: int) -> bool:
    """Seen in the kernel's table, not by connecting: a sink counts its connections."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(fields[1] == wanted and fields[3] == "0A" for fields in map(str.split, lines))


def free_ports(number: int) -> list[int]:
    """Below those that connections going out are given: there they are still free when a server comes back."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    for port in random.SystemRandom().sample(range(10_000, max(low, 20_000)), k=5_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    raise RuntimeError("no free ports")


def eventually(look: Callable[[], _T], *, seconds: float = 10.0, every: float = 0.02) -> _T:
    """What *look* returns, once that is true; it is asked again and again.

    Raises:
        TimeoutError: After *seconds*.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every)
    return found


def _guarded(folder: Path) -> None:
    """Wait until nobody needs it any more; then stop it."""
    sys.stdin.buffer.read()
    try:
        for pid_file in (POSTFIX_PID, DOVECOT_PID):
            stop(folder, pid_file, crash=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guarded(Path(sys.argv[1]))
