"""The gateway that tests talk with: what may be relied on, and what Kannel does that an adapter has to know."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.peers import lacking
from tools.kannel import Kannel, eventually, guard, header, missing, server
from tools.mail.processes import is_listening

ROOT = Path(__file__).parent.parent
FAKE = "/usr/lib/kannel/test/fakesmsc"


class App(ThreadingHTTPServer):
    """What Kannel calls; it notes each call, and fails as many of them as it is told to."""

    request_queue_size = 500

    def __init__(self, kannel: Kannel) -> None:
        super().__init__(("127.0.0.1", kannel.app), Handler)
        self.calls: list[dict[str, str]] = []
        self.failing = 0

    def called(self, number: int) -> list[dict[str, str]]:
        """The calls there were, once there are so many."""
        eventually(lambda: len(self.calls) >= number)
        return list(self.calls)

    def reported(self, number: int) -> list[tuple[str, str]]:
        """Which message was reported as what, once there were so many calls."""
        return sorted((call["n"], call["status"]) for call in self.called(number))


class Handler(BaseHTTPRequestHandler):
    server: App

    def do_GET(self) -> None:
        self.server.calls.append(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))
        self.server.failing -= 1
        self.send_response(500 if self.server.failing >= 0 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(kannel: Kannel) -> Iterator[App]:
    with App(kannel) as found:
        threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield found
        finally:
            found.shutdown()


@pytest.fixture
def app(kannel: Kannel) -> Iterator[App]:
    with listening(kannel) as found:
        yield found


def send(kannel: Kannel, text: str, *, n: object = "", **fields: str) -> tuple[int, str]:
    report = f"http://127.0.0.1:{kannel.app}/report?n={n}&status=%d&foreign=%F&from=%p&to=%P"
    form = {
        "username": kannel.username,
        "password": kannel.password,
        "from": "12345",
        "to": "+491701",
        "text": text,
        "charset": "UTF-8",
        "dlr-mask": "31",
        "dlr-url": report,
        **fields,
    }
    try:
        with urlopen(f"{kannel.send_url}?{urlencode(form)}") as answer:
            return answer.status, answer.read().decode()
    except HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def arrived(kannel: Kannel, number: int = 1) -> list[str]:
    eventually(lambda: len(kannel.phones.messages()) >= number)
    return [sms.text for sms in kannel.phones.messages()]


ACCEPTED = (202, "0: Accepted for delivery")
QUEUED = (202, "3: Queued for later delivery")


# --- being there ------------------------------------------------------------------------------------------------------


def test_without_it_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server, "_SBIN", ())
    assert "make peers" in missing()


def test_it_listens_on_loopback_only(kannel: Kannel) -> None:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    where = {int(fields[1][9:], 16): fields[1][:8] for fields in lines if fields[3] == "0A"}
    for port in (kannel.http, kannel.admin, kannel.smsc, kannel.box):
        assert where[port] == "0100007F"


def test_when_it_is_closed_nothing_is_left(start_kannel: Callable[..., Kannel]) -> None:
    kannel = start_kannel()
    ours = guard.running_in(kannel.folder)
    assert len(ours) == 2
    kannel.close()
    assert not kannel.folder.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in ours)


@pytest.mark.usefixtures("kannel")
def test_a_killed_run_leaves_nothing_behind() -> None:
    code = "from tools.kannel import Kannel; k = Kannel(); print(k.folder, k.http, k.smsc, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, *ports = run.stdout.readline().split()
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(folder).exists())
    eventually(lambda: not any(is_listening(int(port)) for port in ports))


def test_a_start_that_fails_leaves_nothing_behind_and_says_why(
    start_kannel: Callable[..., Kannel], quick_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="ended with"):
        start_kannel("nonsense\ngroup = nonsense", where=quick_path)
    assert not list(quick_path.iterdir())


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_message_goes_out_and_two_reports_come_back(kannel: Kannel, app: App) -> None:
    assert send(kannel, "grüße {€}", n=1) == ACCEPTED
    assert arrived(kannel) == ["grüße {€}"]
    assert app.reported(2) == [("1", "1"), ("1", "8")]
    for call in app.calls:
        assert (call["from"], call["to"]) == ("+491701", "12345"), "as in a message of theirs"
    assert next(call for call in app.calls if call["status"] == "1")["foreign"]


def test_of_many_sent_at_once_each_has_both_reports_in_either_order(kannel: Kannel, app: App) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda n: send(kannel, str(n), n=n), range(200))) == {ACCEPTED}
    assert app.reported(400) == sorted((str(n), status) for n in range(200) for status in ("1", "8"))
    assert sorted(arrived(kannel, 200)) == sorted(map(str, range(200)))


def test_letters_beyond_gsm_want_a_coding(kannel: Kannel) -> None:
    send(kannel, "wörld 测试😀", coding="2")
    send(kannel, "wörld 测试 ç")
    assert arrived(kannel, 2) == ["wörld 测试😀", "wörld ?? Ç"]


@pytest.mark.parametrize(("text", "coding"), [("x" * 200 + "{", "0"), ("grüße 测试 " * 20 + "😀" * 30, "2")])
def test_a_long_text_is_cut_and_has_one_pair_of_reports(kannel: Kannel, app: App, text: str, coding: str) -> None:
    send(kannel, text, coding=coding, n=1)
    assert arrived(kannel) == [text]
    assert len(kannel.phones.parts) > 1
    app.called(2)
    send(kannel, "after it", n=2)
    assert app.reported(4) == [("1", "1"), ("1", "8"), ("2", "1"), ("2", "8")]


def test_what_is_longer_than_it_may_be_is_cut_off_and_nobody_is_told(kannel: Kannel, app: App) -> None:
    assert send(kannel, "x" * 1530 + "the end", n=1) == ACCEPTED
    assert arrived(kannel) == ["x" * 1530]
    assert app.reported(2) == [("1", "1"), ("1", "8")]


def test_a_text_arrives_as_it_is(kannel: Kannel) -> None:
    texts = ["two\nlines", "two\r\nlines", " at both ends ", "1 2 text 3"]
    for text in texts:
        send(kannel, text)
    assert sorted(arrived(kannel, len(texts))) == sorted(texts)


def test_a_sender_is_taken_as_it_is(kannel: Kannel) -> None:
    senders = {"Alpha Corp", "+4917", "12345", "AlphaSenderTooLong"}
    for sender in senders:
        send(kannel, "hello", **{"from": sender})
    arrived(kannel, len(senders))
    assert {(sms.sender, sms.to) for sms in kannel.phones.messages()} == {(sender, "+491701") for sender in senders}


def test_several_recipients_have_one_answer_and_a_message_each(kannel: Kannel, app: App) -> None:
    assert send(kannel, "hello", to="1 2", n=1) == ACCEPTED
    arrived(kannel, 2)
    assert sorted(sms.to for sms in kannel.phones.messages()) == ["1", "2"]
    assert sorted((call["from"], call["status"]) for call in app.called(4)) == [
        ("1", "1"),
        ("1", "8"),
        ("2", "1"),
        ("2", "8"),
    ]


REFUSED = [
    ({"password": "wrong"}, 403, "Authorization failed for sendsms"),
    ({"to": ""}, 400, "Empty receiver number not allowed, rejected"),
    ({"to": "abc"}, 400, "Number(s) has/have been denied by white- and/or black-lists."),
    ({"from": ""}, 400, "Sender missing and no global set, rejected"),
    ({"charset": "nonsense"}, 400, "Charset or body misformed, rejected"),
    ({"coding": "7"}, 400, "Coding field misformed, rejected"),
    ({"to": "6661"}, 403, "Not routable. Do not try again."),
]


def test_what_it_says_when_it_refuses(kannel: Kannel) -> None:
    for fields, status, words in REFUSED:
        assert send(kannel, "hello", **fields) == (status, words)


def test_where_no_network_leads_it_is_refused_and_reported_too(kannel: Kannel, app: App) -> None:
    assert send(kannel, "hello", to="6661", n=1)[0] == 403
    assert app.reported(1) == [("1", "16")]


# --- from phones ------------------------------------------------------------------------------------------------------


def test_a_phone_says_something(kannel: Kannel, app: App) -> None:
    kannel.phones.say("+4917", "12345", "hällo + {€}")
    (call,) = app.called(1)
    assert {name: call[name] for name in ("from", "to", "text", "charset", "coding", "udh")} == {
        "from": "+4917",
        "to": "12345",
        "text": "hällo + {€}",
        "charset": "UTF-8",
        "coding": "0",
        "udh": "",
    }
    assert call["id"]
    assert call["ts"].isdigit()


def test_a_phone_says_something_in_ucs2(kannel: Kannel, app: App) -> None:
    kannel.phones.say("+4917", "12345", "测试😀\ntwo", ucs2=True)
    (call,) = app.called(1)
    assert (call["text"], call["charset"], call["coding"]) == ("测试😀\ntwo", "UTF-8", "0")


def test_where_it_does_not_recode_ucs2_comes_as_it_is(start_kannel: Callable[..., Kannel]) -> None:
    kannel = start_kannel(recoded=False)
    with listening(kannel) as app:
        kannel.phones.say("+4917", "12345", "AB", ucs2=True)
        (call,) = app.called(1)
        assert (call["text"], call["charset"], call["coding"]) == ("\0A\0B", "UTF-16BE", "2")


def test_parts_are_joined(kannel: Kannel, app: App) -> None:
    for number, text in ((2, "two"), (1, "one "), (3, " three")):
        kannel.phones.say("+4917", "12345", text, udh=header(7, 3, number))
    (call,) = app.called(1)
    assert (call["text"], call["udh"]) == ("one two three", "")


@pytest.mark.parametrize("wide", [False, True])
def test_where_it_does_not_join_them_parts_come_with_their_headers(
    start_kannel: Callable[..., Kannel], wide: bool
) -> None:
    kannel = start_kannel(joined=False)
    with listening(kannel) as app:
        for number in (2, 1):
            kannel.phones.say("+4917", "12345", f"part {number}", udh=header(7, 2, number, wide=wide))
        assert sorted((call["text"], call["udh"].encode()) for call in app.called(2)) == [
            (f"part {number}", header(7, 2, number, wide=wide)) for number in (1, 2)
        ]


def test_a_burst_comes_through(kannel: Kannel, app: App) -> None:
    for number in range(500):
        kannel.phones.say(f"+49{number}", "12345", str(number))
    calls = app.called(500)
    assert sorted(call["text"] for call in calls) == sorted(map(str, range(500)))
    assert len({call["id"] for call in calls}) == 500


def test_kannels_own_fake_network_speaks_as_ours_does(kannel: Kannel, app: App) -> None:
    if not Path(FAKE).exists():
        lacking("kannel-extras is not installed, which on Debian has Kannel's own fake network")
    kannel.phones.drop()
    for number, line in enumerate(("1 2 text hello", "3 4 ucs2 %4E%2D", "5 6 udh-text %05%00%03%01%01%01 part")):
        command = [FAKE, "-H", "127.0.0.1", "-r", str(kannel.smsc), "-m", "1", "-i", "0.01", line]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as network:
            app.called(number + 1)
            network.kill()
    assert [(call["from"], call["text"]) for call in app.calls] == [("1", "hello"), ("3", "中"), ("5", "part")]


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_what_is_sent_while_the_link_is_down_goes_out_once_it_is_up(kannel: Kannel, app: App) -> None:
    kannel.phones.drop()
    with pytest.raises(ConnectionError):
        kannel.phones.say("+4917", "12345", "hello")
    assert {send(kannel, str(n), n=n) for n in range(3)} == {QUEUED}
    assert not app.calls
    kannel.phones.connect()
    assert sorted(arrived(kannel, 3)) == ["0", "1", "2"]
    assert app.reported(6) == sorted((str(n), status) for n in range(3) for status in ("1", "8"))


@pytest.mark.parametrize("end", [Kannel.stop, Kannel.kill])
def test_what_waits_for_the_link_outlives_it(kannel: Kannel, app: App, end: Callable[[Kannel], None]) -> None:
    kannel.phones.drop()
    assert send(kannel, "hello", n=1) == QUEUED
    end(kannel)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", kannel.http)):
        pass
    kannel.start()
    assert arrived(kannel) == ["hello"]
    assert app.reported(2) == [("1", "1"), ("1", "8")]


def test_a_url_that_fails_is_called_again_with_the_same_id(kannel: Kannel, app: App) -> None:
    app.failing = 4
    kannel.phones.say("+4917", "12345", "hello")
    send(kannel, "hello", n=1)
    calls = app.called(7)
    assert len({call["id"] for call in calls if "id" in call}) == 1
    assert {call["status"] for call in calls if "status" in call} == {"1", "8"}


def test_it_gives_up_when_it_has_called_as_often_as_it_may(start_kannel: Callable[..., Kannel]) -> None:
    kannel = start_kannel(retries=1)
    with listening(kannel) as app:
        app.failing = 100
        kannel.phones.say("+4917", "12345", "hello")
        app.called(2)
        app.failing = 0
        kannel.phones.say("+4917", "12345", "another")
        assert [call["text"] for call in app.called(3)] == ["hello", "hello", "another"]
