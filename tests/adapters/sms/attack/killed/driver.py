"""The driver: a gateway that counts, workers that are killed, and what was wrong at the end."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.killing import free_port, handled

__all__ = ["Killed", "killed"]

_ROOT: Final = Path(__file__).parents[5]
_LONG: Final = 4  # parts of a longer message

PROFILE: Final[dict[str, Any]] = {
    "name": "counter",
    "title": "Counter",
    "settings": {"url": {"description": "where"}},
    "send": {"url": "{url}", "fields": {"to": "{to}", "text": "{text}", "dlr": "{callback}"}},
    "reply": {"ids": "id"},
    "callbacks": {
        "methods": ["GET"],
        "ack": {"status": 200},
        "inbound": [
            {
                "when": [{"path": "text", "present": True}],
                "id": "id",
                "from": "from",
                "text": "text",
                "parts": {"reference": "set", "number": "number", "total": "total"},
            }
        ],
        "status": [{"when": [{"path": "status", "present": True}], "word": "status"}],
    },
    "words": {"sent": "sent", "done": "delivered", "lost": "failed"},
}


class Killed:
    """One run.

    Args:
        folder: Empty.
        backend: Of this event loop.
        seed: Of everything that is chance.
        sends: Messages out.
        says: Messages in; each third of them comes in parts.
        kills: How often.
    """

    def __init__(self, folder: Path, backend: str, *, seed: int, sends: int, says: int, kills: int) -> None:
        self._folder, self._backend, self._chance = folder, backend, Random(seed)
        self._sends, self._says, self._kills, self._seed = sends, says, kills, seed
        self.got: Counter[str] = Counter()
        self.fates: dict[str, str] = {}
        self.wrong: list[str] = []
        self.figures: dict[str, Any] = {}
        self._port = free_port()
        self._stop = threading.Event()
        self._calls = self._repeats = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(12)
        self._open = 0

    def run(self) -> None:
        began = time.monotonic()
        server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._terms = {
            "seed": self._seed,
            "port": self._port,
            "ledger": str(self._folder / "ledger.db"),
            "sends": self._sends,
            "settings": {
                "profile": PROFILE,
                "timeout": 2.0,
                "account": {"url": f"http://127.0.0.1:{server.server_port}"},
                "callback_url": f"http://127.0.0.1:{self._port}/phone",
                "callback_token": (token := secrets.token_hex(16)),
            },
        }
        self._home = f"/phone/{token}"
        try:
            self._through()
        finally:
            self._stop.set()
            self._pool.shutdown(cancel_futures=True)
            server.shutdown()
            server.server_close()
        self.figures |= {"seconds": round(time.monotonic() - began, 1), "calls": self._calls, "repeats": self._repeats}

    def _through(self) -> None:
        said = self._say()
        worker = self._start()
        try:
            for _ in range(self._kills):
                worker.await_("open", 60)
                time.sleep(self._chance.random() * 0.8)
                worker.kill()
                worker = self._start()
            worker.await_("submitted", 120)
            for _ in range(2):  # what was counted may be a moment old
                worker.await_(lambda: self._open == 0 and worker.left() == 0, 180)
                time.sleep(0.5)
            statuses = dict(worker.statuses())
        finally:
            worker.kill()
        self._compare(said, statuses)

    def _compare(self, said: set[str], statuses: dict[str, str]) -> None:
        counts = Counter(handled(self._folder / "ledger.db"))
        self.wrong += [f"{each!r} was never handled" for each in sorted(said - counts.keys())]
        self.wrong += [f"{each!r} was never said" for each in sorted(counts.keys() - said)]
        self.wrong += [f"{each!r} was handled {count} times" for each, count in counts.items() if count > 1]
        self.wrong += [f"{each!r} was sent {count} times" for each, count in self.got.items() if count > 1]
        ends = {"done": "DELIVERED", "lost": "FAILED"}
        for number in range(self._sends):
            text = f"out {number}"
            expected = ends[self.fates[text]] if text in self.got else "UNKNOWN"
            if statuses.get(text) != expected:
                self.wrong.append(f"{text!r} is {statuses.get(text)}, and not {expected}")
        self.figures |= {"sent": len(self.got), "handled": len(counts), "statuses": dict(Counter(statuses.values()))}

    def _say(self) -> set[str]:
        """Phones say something, each until it is taken."""
        said = set()
        for number in range(self._says):
            sender, text = f"+4916{number % 30:08}", f"in {number}"
            if number % 3:
                self._later(self._home, {"id": f"m{number}", "from": sender, "text": text})
            else:
                text = " ".join(f"{text} part {part}" for part in range(1, _LONG + 1))
                pieces = [f"in {number} part {part} " for part in range(1, _LONG)] + [f"in {number} part {_LONG}"]
                for part, piece in self._chance.sample([*enumerate(pieces, 1)], _LONG):
                    more = {"set": f"r{number}", "number": part, "total": _LONG}
                    self._later(self._home, {"id": f"m{number}.{part}", "from": sender, "text": piece} | more)
            said.add(text)
        return said

    def _later(self, path: str, fields: dict[str, Any]) -> None:
        with self._lock:
            self._open += 1
        self._pool.submit(self._call, path + ("&" if "?" in path else "?") + urlencode(fields))

    def _call(self, path: str) -> None:
        """Until it is taken; and now and then once more, for the answer may be lost."""
        again = 2 if hash(path) % 3 == 0 else 1
        while again and not self._stop.is_set():
            try:
                with closing(HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
                    connection.request("GET", path)
                    status = connection.getresponse().status
            except (OSError, HTTPException):
                status = 0
            with self._lock:
                self._calls += 1
                self._repeats += status != 200
                if status not in (0, 200, 503):
                    self.wrong.append(f"{path[-60:]} was answered with {status}")
            if status == 200:
                again -= 1
            else:
                time.sleep(0.05)
        with self._lock:
            self._open -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        driver = self

        class Gateway(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                text, url = said["text"][0], urlsplit(said["dlr"][0])
                with driver._lock:
                    driver.got[text] += 1
                    count = sum(driver.got.values())
                    fate = driver.fates.setdefault(text, driver._chance.choice(["done", "done", "lost"]))
                path = f"{url.path}?{url.query}"
                driver._later(path, {"status": fate})
                driver._later(path, {"status": "sent"})
                time.sleep(0.01)
                body = json.dumps({"id": f"g{count}"}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Gateway

    def _start(self) -> _Worker:
        return _Worker(self._backend, self._terms, self._folder / "log")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever called was killed."""


class _Worker:
    def __init__(self, backend: str, terms: dict[str, Any], log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            command = [sys.executable, "-m", "tests.adapters.sms.attack.killed.worker", backend, json.dumps(terms)]
            self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._notes: dict[str, Any] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._notes.update(json.loads(line))

    def has(self, note: str) -> bool:
        return note in self._notes

    def left(self) -> int:
        return int(self._notes.get("left", -1))

    def await_(self, what: str | Callable[[], bool], seconds: float) -> None:
        """Wait for a note, or until something is so."""
        end = time.monotonic() + seconds
        while not (self.has(what) if isinstance(what, str) else what()):
            if self._process.poll() is not None:
                raise RuntimeError(f"the worker has ended by itself: {self._log.read_text()[-2000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"stuck: {self._notes}")
            time.sleep(0.02)

    def statuses(self) -> list[list[str]]:
        self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 30
        while not self.has("statuses") and time.monotonic() < end:
            time.sleep(0.02)
        found: list[list[str]] = self._notes["statuses"]
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def killed(folder: Path, backend: str, **size: int) -> Killed:
    """Do it; what was wrong is in the result."""
    run = Killed(folder, backend, **size)
    run.run()
    return run
