"""Names that lead where a test says, and servers that notice whoever comes."""

from __future__ import annotations

import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

#: A stranger's server, in these tests: `AddressGuard([ALLOWED])` lets it pass, and every other address as usual.
ALLOWED = "127.0.0.2"


class Names:
    """Stands in for the resolver of the system; what it does not know is asked there.

    Attributes:
        leads: Name to the answers that are given, one after the other, the last for ever; each is several addresses.
        asked: Names that were asked for.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.leads: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []
        self._system = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        flags = (args[3] if len(args) > 3 else 0) | more.get("flags", 0)
        if name not in self.leads or flags & socket.AI_NUMERICHOST:
            return self._system(host, port, *args, **more)
        self.asked.append(name)
        answers = self.leads[name]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for address in addresses for found in self._system(address, port, type=socket.SOCK_STREAM)]


@contextmanager
def watched(*hosts: str) -> Generator[tuple[int, list[socket.socket]]]:
    """Listen at each of *hosts*, on one port."""
    with ExitStack() as stack:
        listeners = _listening(hosts, stack)
        yield listeners[0].getsockname()[1], listeners


def _listening(hosts: Sequence[str], stack: ExitStack) -> list[socket.socket]:
    """A port that is free at the first may be somebody's at the next: then it is another one."""
    for _ in range(50):
        with ExitStack() as tried:
            listeners, port = list[socket.socket](), 0
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                listener = tried.enter_context(socket.socket(family))
                try:
                    listener.bind((host, port))
                except OSError:
                    if not port:
                        raise
                    break
                listener.listen()
                listener.setblocking(False)
                port = listener.getsockname()[1]
                listeners.append(listener)
            else:
                stack.push(tried.pop_all())
                return listeners
    raise RuntimeError("no port is free at all of these hosts")


def nobody_came(*listeners: socket.socket) -> bool:
    """Whether no connection was made to any of them; the system has made it whether it was accepted or not."""
    for listener in listeners:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            continue
        return False
    return True


def has_ipv6() -> bool:
    """Whether this machine can listen at ::1."""
    try:
        with watched("::1"):
            return True
    except OSError:
        return False
