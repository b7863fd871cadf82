"""Every file in `examples/` does what it is there to show, as a reader would run it: alone, in a process of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from convergekit.config import load
from tests.alone import Runner, runner

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py"))
SETTINGS = sorted(path.name for path in EXAMPLES.glob("*.toml"))

#: What a reader sees, where no page and no other test says it.
SHOWN = {
    "archive.py": [
        "-> chat loopback:ann Your [parcel] is on its way.",
        "<- chat loopback:ann Where is my [parcel]?",
        "lines: 2",
        "emptied: 0 erased: 2 to be erased later: 0",
        "left: 0",
    ],
    "attachments.py": ["cat.png: 18 bytes", "cat.png is in the ledger", "report.pdf: True"],
    "blocking.py": ["{'ACCEPTED'}"],
    "cloud_events.py": [
        "may call: shop.example",
        "in:  order.placed of orders/42 from https://shop.example/events",
        "out: order.noted of orders/42 from https://we.example/support",
    ],
    "contacts.py": [
        "Hello Ann, we are looking into it.",
        "It is solved.",
        "not sent: chat: consent: they never agreed to 'offers'",
        "now: ACCEPTED",
        "public: We would rather discuss orders in private; please write to us.",
        "direct: Order 42 is on its way.",
    ],
    "dead_letters.py": [
        "dead letter, out, chat: not sent in 1 attempt: the line is down",
        "not sent, as far as we know: chat: not sent in 1 attempt: the line is down",
        "not sent, as far as we know: chat: the answer was lost",
        "out dead chat 1 not sent in 1 attempt: the line is down",
        "out unknown chat 1 the answer was lost",
        "sent again: ACCEPTED",
        "left: 0",
    ],
    "fastapi_hub.py": [
        "health: {'shop': 'up'}",
        "genuine: 204",
        "again: 204",
        "forged: 401",
        "the shop gets: Thanks, we have your message: 'Where is it?'",
        "notice: 202 the same: True",
        "the shop gets: Your parcel is on its way.",
        "left over: 0",
    ],
    "five_lines.py": ["sent: ACCEPTED"],
    "mail_received.py": ["It came today.", "a program says: Automatic reply: Your parcel (auto_reply)"],
    "mail_sending.py": [
        "first: ACCEPTED",
        "  multipart/mixed",
        "  multipart/alternative",
        "  text/plain",
        "  multipart/related",
        "  text/html",
        "  image/png lamp.png",
        "  application/pdf invoice.pdf",
        "mailto:ann@example.net has not got 'Order 42': 5.2.1",
        "then: FAILED, code 5.2.1",
    ],
    "own_gateway.py": [
        "we say: 200 {}",
        "then: DELIVERED",
        "to 4915112345678: Your parcel is on its way.",
        "to 4915112345678: You wrote 'Thanks!'.",
    ],
    "redelivery.py": [
        "one: ACCEPTED in place of an earlier one: True",
        "['Order 1 is paid.']",
        "failed: ['failed', 'failed']",
        "again: 2 left: {}",
        *["loopback:warehouse would go again"] * 3,
        "['Order 1 is paid.', 'Order 2 is paid.', 'Order 3 is paid.']",
    ],
    "support_by_sms.py": [
        "a person decides about: Please stop writing to me",
        "not sent: support: consent: they opted out of everything",
        "we: Thank you. A person will write to you today.",
        "we: Lantern support. Tell us what is broken, or write STOP.",
        "we: You will hear no more of us. START takes that back.",
    ],
    "support_on_x.py": [
        "not in public: X lets this account answer only who mentions or quotes it, and that post does neither; "
        "instead: x:1004",
        "@ann in public: @shop are you open?",
        "@shop in public: We are open from nine to six.",
        "@bob in public: @shop where is my order?",
        "@shop in public: We will look into it. Please write to us here, with the number:",
        "@bob in private: It is 42.",
        "@shop in private: Thank you, Bob. A person looks into it.",
    ],
    "two_gateways.py": [
        "to sms:+4915112345678 by first_of(via('sms-main'), via('sms-spare'))",
        "  one after another:",
        "    0. sms-main to sms:+4915112345678 until ACCEPTED: 1 part, 1 segment",
        "       gates: loop_guard allows, ttl allows, consent allows, not_before allows",
        "    1. sms-spare to sms:+4915112345678 until ACCEPTED: 1 part, 1 segment",
        "       gates: loop_guard allows, ttl allows, consent allows, not_before allows",
        "+4915112345678",
        "  (the main one is asked)",
        "  ACCEPTED",
        "  sms-spare: no longer needed",
        "+254700000041",
        "  (the main one is asked)",
        "  (the spare one is asked for 'The lamp is out.')",
        "  ACCEPTED",
        "  sms-main: Permission to send has not been enabled",
        "they answer",
        "  (the spare one is asked for 'Noted, over sms-spare.')",
        "+4366412345678",
        "  (the main one is asked)",
        "  UNKNOWN, sms-main: no answer in time",
        "+33612345678",
        "  (the main one is asked)",
        "  (the spare one is asked for 'The lamp is out.')",
        "  ACCEPTED",
        "  sms-main: left: the account cannot be used; Authenticate",
        "+4915112345678",
        "  (the spare one is asked for 'The lamp is out.')",
        "  ACCEPTED",
        "  sms-main: left: the account cannot be used",
        "{'sms-main': 'down', 'sms-spare': 'up'}",
    ],
    "webhook_endpoints.py": [
        "the shop gets: The new prices are out.",
        "the shop gets: order.shipped",
        "the shop gets: Order 42 was placed.",
        "the shop gets: Order 42 was paid.",
        "the shop gets: Order 42 was shipped.",
        "the baker gets no prices: 410",
        "gone: https://baker.example/in",
        "the baker gets no holidays: disabled",
        "again: True",
    ],
    "own_tables.py": [
        "not sold: the shop has changed its mind",
        "orders: a book, a lamp",
        "messages: We have ordered a lamp. Your order: a book.",
    ],
    "mounted.py": [
        "{'support-hook': 'up'}",
        "202",
        "200",
        "401",
        "Your parcel is on its way.",
        "Thanks, we have your message: 'Where is it?'",
    ],
    "own_signature.py": ["forged: 401", "signed: 204", "2: The lamp is out."],
    "verifying.py": [
        "genuine: 72d3162e, by secret 1",
        "refused: the signature does not fit: another secret or URL, or something was changed on the way",
        "refused: the header x-hub-signature-256 is missing, or longer than it ever is",
        "stripe-signature",
    ],
    "presence_reply.py": [
        "mallory@example.net: unsubscribed",
        "desk@example.net: subscribed",
        "desk@example.net: subscribe",
        "Hello? - Thank you. Nobody is here now: you will have an answer tomorrow.",
        "And now? - Thank you. Somebody is reading this.",
        "Still? - Thank you. Nobody is here now: you will have an answer tomorrow.",
    ],
    "quickstart.py": [
        "sent: ACCEPTED",
        "Ann has got:",
        "  Your parcel is on its way.",
        "  Thanks, we have your message: 'Where is it?'",
    ],
    "room_bot.py": [
        "Ann: /who",
        "Lamp: > /who",
        "3 of us: Ann, Bob, Lamp",
        "Bob: It is dark in here.",
        "Bob: /lamp on",
        "Lamp: > /lamp on",
        "Bob, the lamp is on.",
        "Ann: /lamp",
        "Lamp: > /lamp",
        "Ann, the lamp is on.",
    ],
    "signed_webhook.py": [
        "forged: 401",
        "the partner gets: Thanks, we have your message: 'Where is it?'",
        "signed: 204",
    ],
    "support_mailbox.py": [
        "mailto:ann@example.net: The lamp is broken.",
        "  To: Ann <ann@example.net>",
        "  Subject: Re: Lamp",
        "  In-Reply-To: <1@example.net>",
        "  Auto-Submitted: auto-replied",
        "  Thank you. We have your mail, and a person will answer it.",
        "mailto:ann@example.net, auto_reply: suppressed, "
        "for support-mail: loop_guard: an automatic message is not answered automatically",
        "mailto:ann@example.net: It works again!",
        "mails that went out: 1",
    ],
    "status_words.py": ["READ disputed", "READ disputed", "not known: molting"],
    "sending.py": [
        "taken: ACCEPTED satisfied",
        "stored: QUEUED pending",
        "waited for: ACCEPTED",
        "to loopback:ann by via('loopback:ann')",
        "  0. chat to loopback:ann until ACCEPTED: 1 part",
        "     gates: loop_guard allows, ttl allows, consent allows, not_before allows",
        "to loopback:bob by via('loopback:bob')",
        "  0. chat to loopback:bob until ACCEPTED: 1 part",
        "     gates: loop_guard allows, ttl allows, consent allows, not_before allows",
        "refused for good: no such mailbox, code 550 5.1.1",
        "may have gone out, do not repeat it: the answer was lost",
        "ACCEPTED",
        "loopback:ann ACCEPTED None",
        "loopback:bob FAILED chat: no such mailbox [550 5.1.1]",
        "loopback:ann ACCEPTED",
        "loopback:bob ACCEPTED",
        "one message: True",
        "conflict: the key 'login:77' was used before, to the same recipient, for other content",
        "scheduled: waiting True",
        "cancelled: True cancelled",
        "['send', 'edit', 'react', 'retract']",
    ],
    "webhook_rules.py": [
        "code: https://github.com/ann: It has arrived.",
        "sent again: 204",
        "ignored: 204",
        "boiler: a program: k2: too hot, 96 °C",
        "boiler: reading: {'unit': 'k1', 'degrees': 61}",
        "boiler: reading: {'unit': 'k2', 'degrees': 97}",
        "forged: 401",
    ],
}


@pytest.fixture(scope="module")
def alone() -> Iterator[Runner]:
    with runner() as started:
        yield started


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs_without_a_warning_and_comes_to_its_end(name: str, alone: Runner, tmp_path: Path) -> None:
    ran = alone.run(EXAMPLES / name, cwd=tmp_path)  # what it needs lies beside it, wherever it is started
    assert ran.returncode == 0, ran.stderr
    # A warning that is raised where nobody can catch it ends no process; Python then tells of it.
    assert "Traceback" not in ran.stderr
    assert "Warning" not in ran.stderr
    if name in SHOWN:
        assert ran.stdout.splitlines() == SHOWN[name]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("async def main(): ...\nmain()", "coroutine 'main' was never awaited"),
        ("import socket\nkept = socket.socket()", "unclosed <socket"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_one_is_told(program: str, told: str, alone: Runner, tmp_path: Path) -> None:
    """Or the promise above would be kept by whoever does not look."""
    path = tmp_path / "wrong.py"
    path.write_text(program, "utf-8")

    assert told in alone.run(path, cwd=tmp_path).stderr


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_right(name: str) -> None:
    assert load(EXAMPLES / name, {}).channels


def test_nothing_lies_there_that_no_test_runs() -> None:
    left = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {*PROGRAMS, *SETTINGS}
    assert not left


def test_five_lines_are_five_lines() -> None:
    tree = ast.parse((EXAMPLES / "five_lines.py").read_text("utf-8"))
    (main,) = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno == 5
