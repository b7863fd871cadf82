"""LMTP: what is taken is safe, what cannot be taken now stays with the mail server, and nobody can stop the others."""

from __future__ import annotations

import errno
import smtplib
import socket
import stat
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit.adapters.email.config import LmtpConfig
from convergekit.adapters.email.lmtp import LmtpListener
from convergekit.errors import ConfigurationError, LeaseLostError, NotRunningError, StoreError
from convergekit.model import Event
from convergekit.testing import FakeClock, FakeContext

from .kit import MAIL, Office, Talk, office, to_event

pytestmark = pytest.mark.anyio
BOB, EVE = "bob@app.test", "eve@app.test"
TAKEN = "250 2.0.0 "


async def hand_over(talk: Talk, raw: bytes, *replies: str) -> None:
    await talk.ask("DATA", "354 ")
    await talk.ask(raw + b".\r\n", *replies)


class TestMail:
    async def test_a_mail_is_admitted_with_its_envelope(self) -> None:
        async with office() as here, here.talk(BOB) as talk:
            await hand_over(talk, MAIL, TAKEN)

        ((raw, envelope),) = here.mails
        assert raw == MAIL
        assert (envelope.sender, envelope.recipients, envelope.size) == ("ann@elsewhere.test", (BOB,), len(MAIL))
        assert envelope.received_at == FakeClock().now()
        assert [event.key for event in here.context.admitted] == [to_event(MAIL).key]

    async def test_250_comes_after_the_ledger_has_it(self) -> None:
        """RFC 2033 §5: with the 250 the mail is ours, and nobody else has it any more."""
        stored = anyio.Event()

        class Slow(FakeContext):
            async def admit(self, *events: Event, cursor: Any = None) -> Any:
                await stored.wait()
                return await super().admit(*events, cursor=cursor)

        async with office(Slow()) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            await talk.say(MAIL + b".\r\n")
            with anyio.move_on_after(0.1) as waiting:
                await talk.reply()
            assert waiting.cancelled_caught
            stored.set()
            await talk.hear(TAKEN)

    async def test_each_recipient_has_an_answer_in_their_order(self) -> None:
        """RFC 2033 §4.2."""
        async with office(recipients=(BOB, EVE)) as here, here.talk(BOB) as talk:
            await talk.ask("RCPT TO:<nobody@app.test>", "550 5.1.1 ")
            await talk.ask(f"RCPT TO:<{EVE}>", "250 2.1.5 ")
            await hand_over(talk, MAIL, TAKEN, TAKEN)
            await talk.ask("NOOP", "250 ")

        assert [envelope.recipients for _, envelope in here.mails] == [(BOB, EVE)]
        assert len(here.context.admitted) == 1

    @pytest.mark.parametrize(
        "trouble", [StoreError("full"), NotRunningError("closing"), ValueError("a bug"), OSError()]
    )
    async def test_what_cannot_be_stored_stays_with_the_mail_server(self, trouble: Exception) -> None:
        """It is told 451 for each recipient, and the next mail is taken as if nothing had been."""
        async with office() as here, here.talk(BOB, EVE) as talk:
            here.context.refuses_admission = trouble
            await hand_over(talk, MAIL, "451 4.3.0 ", "451 4.3.0 ")
            here.context.refuses_admission = None
            await talk.ask("MAIL FROM:<>", "250 ")
            await talk.ask(f"RCPT TO:<{BOB}>", "250 ")
            await hand_over(talk, MAIL, TAKEN)

        assert len(here.context.admitted) == 1
        assert here.mails[-1][1].sender == ""
        assert type(trouble).__name__ in here.context.logged

    async def test_a_ledger_that_hangs_is_trouble_too(self) -> None:
        class Hanging(FakeContext):
            async def admit(self, *events: Event, cursor: Any = None) -> Any:
                await anyio.sleep_forever()

        async with office(Hanging(), timeout=0.2) as here, here.talk(BOB) as talk:
            await hand_over(talk, MAIL, "451 4.3.0 ")

    async def test_a_reader_that_fails_loses_no_mail(self) -> None:
        def fails(raw: bytes) -> list[Event]:
            raise RecursionError

        async with office(to_events=fails) as here, here.talk(BOB) as talk:
            await hand_over(talk, MAIL, "451 4.3.0 ")

    async def test_a_mail_of_our_own_is_taken_and_not_stored(self) -> None:
        """The ledger is not even asked."""
        async with office(to_events=lambda raw: []) as here, here.talk(BOB) as talk:
            here.context.refuses_admission = StoreError("full")
            await hand_over(talk, MAIL, TAKEN)

        assert here.context.admitted == []

    async def test_another_process_hears_the_channel_now(self) -> None:
        """It is told, since only it can stop us; the mail server keeps the mail, and finds the other process."""
        context = FakeContext()
        context.refuses_admission = LeaseLostError("lost")
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with office(context) as here, here.talk(BOB) as talk:
                await hand_over(talk, MAIL, "451 4.3.0 ")
                await anyio.sleep(10)

        assert [type(error) for error in caught.value.exceptions] == [LeaseLostError]

    async def test_large_mail_is_read_beside_the_loop(self) -> None:
        """What takes longer does not keep others waiting."""
        threads: list[bool] = []

        def notes(raw: bytes) -> list[Event]:
            threads.append(threading.current_thread() is threading.main_thread())
            return []

        async with office(to_events=notes) as here, here.talk(BOB) as talk:
            await hand_over(talk, b"x" * 70 + b"\r\n", TAKEN)
            await talk.ask("MAIL FROM:<>", "250 ")
            await talk.ask(f"RCPT TO:<{BOB}>", "250 ")
            await hand_over(talk, 5000 * (70 * b"x" + b"\r\n"), TAKEN)

        assert threads == [True, False]


class TestData:
    """RFC 5321 §4.5.2, and what is known as SMTP smuggling: only CR LF . CR LF ends a mail."""

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            (b"", b""),
            (b"..\r\n", b".\r\n"),
            (b"a\r\n..\r\n..b\r\n", b"a\r\n.\r\n.b\r\n"),
            (b".a\r\n", b"a\r\n"),
            (b"a..b\r\n", b"a..b\r\n"),
            (b"\r\n\r\n", b"\r\n\r\n"),
            (b"a\n.\nMAIL FROM:<x@y.test>\r\n", b"a\n.\nMAIL FROM:<x@y.test>\r\n"),
            (b"a\n.\r\nb\r\n", b"a\n.\r\nb\r\n"),
            (b"a\r.\rb\r\n", b"a\r.\rb\r\n"),
            (b"a\r.\r\nb\r\n", b"a\r.\r\nb\r\n"),
            (b"a\r\n..\nb\r\n", b"a\r\n.\nb\r\n"),
            (b"a\n..b\r\n", b"a\n..b\r\n"),
            (b"\0\xff\xfe8-bit: \xc3\xbc\r\n", b"\0\xff\xfe8-bit: \xc3\xbc\r\n"),
        ],
    )
    async def test_octets_arrive_as_they_were(self, sent: bytes, kept: bytes) -> None:
        """At once, and octet by octet."""
        async with office() as here:
            async with here.talk(BOB) as talk:
                await hand_over(talk, sent, TAKEN)
            async with here.talk(BOB) as talk:
                await talk.ask("DATA", "354 ")
                for octet in sent + b".\r\n":
                    await talk.say(bytes([octet]))
                await talk.hear(TAKEN)

        assert here.raw == [kept, kept]

    @pytest.mark.parametrize(
        "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n"]
    )
    async def test_nothing_else_ends_a_mail(self, end: bytes) -> None:
        smuggled = b"a" + end + b"MAIL FROM:<boss@app.test>\r\nRCPT TO:<bob@app.test>\r\nDATA\r\nsend money\r\n"
        async with office() as here, here.talk(BOB) as talk:
            await hand_over(talk, smuggled, TAKEN)
            await talk.ask("NOOP", "250 ")

        assert len(here.mails) == 1

    async def test_what_comes_before_the_354_is_the_mail_all_the_same(self) -> None:
        async with office() as here, here.talk(BOB) as talk:
            await talk.ask(b"DATA\r\nRSET\r\nQUIT\r\n.\r\nNOOP\r\n", "354 ", TAKEN, "250 ")

        assert here.raw == [b"RSET\r\nQUIT\r\n"]

    async def test_a_mail_without_its_end_never_was(self) -> None:
        async with office() as here:
            async with here.talk(BOB) as talk:
                await talk.ask("DATA", "354 ")
                await talk.say(MAIL)
            async with here.talk(BOB) as talk:
                await hand_over(talk, b"another\r\n", TAKEN)

        assert here.raw == [b"another\r\n"]


class TestSize:
    async def test_the_limit_is_offered_and_holds_before_the_mail_comes(self) -> None:
        async with office(max_size=100_000) as here, here.dial() as talk:
            await talk.hear("220 ")
            await talk.say("LHLO a")
            assert "250-SIZE 100000" in await talk.reply()
            await talk.ask("MAIL FROM:<> SIZE=100001", "552 5.3.4 ")
            await talk.ask("MAIL FROM:<> SIZE=100000", "250 ")

    @pytest.mark.parametrize("size", [100_001, 140_000, 200_000])
    async def test_who_said_nothing_is_told_at_the_end(self, size: int) -> None:
        """For each recipient, and the connection goes on."""
        async with office(max_size=100_000) as here, here.talk(BOB, EVE) as talk:
            await hand_over(talk, b"x" * (size - 2) + b"\r\n", "552 5.3.4 ", "552 5.3.4 ")
            await talk.ask("MAIL FROM:<>", "250 ")

        assert here.mails == []

    async def test_what_fits_just_so_is_taken(self) -> None:
        """Dots that are put in do not count (RFC 1870 §3)."""
        raw = 33_332 * b".\r\n" + b"1234"
        async with office(max_size=100_002) as here, here.talk(BOB) as talk:
            await hand_over(talk, raw.replace(b".", b"..") + b"\r\n", TAKEN)

        assert here.raw == [raw + b"\r\n"]

    async def test_what_never_ends_is_cut_off(self) -> None:
        async with office(max_size=100_000) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):  # noqa: PT012
                while True:
                    await talk.say(50_000 * b"x")
            assert here.mails == []
            async with here.talk(BOB) as other:
                await hand_over(other, MAIL, TAKEN)

    async def test_memory_is_at_most_two_mails(self) -> None:
        """10 MB with dots at the beginning of lines, which is what costs most."""
        lines = 1000 * (b"..23456789" * 10 + b"\r\n")
        async with office(max_size=20_000_000, to_events=lambda raw: []) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            tracemalloc.start()
            try:
                for _ in range(100):
                    await talk.say(lines)
                await talk.ask(b".\r\n", TAKEN)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        assert peak < 2.3 * len(here.raw[0])

    async def test_few_large_mails_are_in_memory_at_a_time(self) -> None:
        """The others wait for their turn; small ones do not."""
        go_on = anyio.Event()

        class Waiting(FakeContext):
            async def admit(self, *events: Event, cursor: Any = None) -> Any:
                await go_on.wait()
                return await super().admit(*events, cursor=cursor)

        large = 20_000 * (58 * b"x" + b"\r\n")
        async with office(Waiting(), max_size=2_000_000) as here, AsyncExitStack() as stack:
            talks = [await stack.enter_async_context(here.talk(BOB)) for _ in range(7)]
            for talk in talks:
                await talk.ask("DATA", "354 ")
            async with anyio.create_task_group() as tasks:
                for number, talk in enumerate(talks[:6]):
                    tasks.start_soon(talk.say, b"%d\r\n%b.\r\n" % (number, large))
                await _until(lambda: len(here.mails) == 4)
                await talks[6].say(MAIL + b".\r\n")
                await _until(lambda: len(here.mails) == 5)
                assert here.raw[4] == MAIL
                go_on.set()
                for talk in talks:
                    await talk.hear(TAKEN)

        assert len(here.mails) == 7


class TestCommands:
    async def test_what_is_offered(self) -> None:
        """RFC 2033 §4: PIPELINING and ENHANCEDSTATUSCODES must be. DSN is not: nobody here would write the reports."""
        async with office(max_size=1_000_000) as here, here.dial() as talk:
            await talk.hear("220 localhost LMTP ")
            await talk.say("LHLO mx.example.test")
            offered = await talk.reply()

        assert [line[4:].strip() for line in offered.splitlines()] == [
            "localhost",
            "PIPELINING",
            "SIZE 1000000",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]

    @pytest.mark.parametrize(
        ("command", "reply"),
        [
            ("HELO mx.example.test", "500 5.5.1 "),  # RFC 2033 §4.1
            ("EHLO mx.example.test", "500 5.5.1 "),
            ("LHLO", "501 5.5.4 "),
            ("lhlo again", "250-localhost"),
            ("NOOP", "250 2.0.0 "),
            ("noop whatever", "250 2.0.0 "),
            ("RSET", "250 2.0.0 "),
            ("VRFY bob", "252 2.0.0 "),
            ("HELP", "214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"),
            ("EXPN all", "502 5.5.1 "),
            ("STARTTLS", "502 5.5.1 "),
            ("AUTH PLAIN AGEAYg==", "502 5.5.1 "),
            ("BDAT 5 LAST", "502 5.5.1 "),
            ("WHAT IS THIS", "500 5.5.2 "),
            ("", "500 5.5.2 "),
            ("DATA", "503 5.5.1 "),
            ("RCPT TO:<bob@app.test>", "503 5.5.1 "),
            ("MAIL TO:<bob@app.test>", "501 5.5.4 "),
            ("MAIL FROM:<ann@elsewhere.test> BODY=8BITMIME SIZE=10 SMTPUTF8", "250 2.1.0 "),
            ("MAIL FROM:<ann@elsewhere.test> BODY=BINARYMIME", "501 5.5.4 "),
            ("MAIL FROM:<ann@elsewhere.test> SIZE=ten", "501 5.5.4 "),
            ("MAIL FROM:<ann@elsewhere.test> SIZE=²", "501 5.5.4 "),
            ("MAIL FROM:<ann@elsewhere.test> SIZE=999999999999999999999", "501 5.5.4 "),
            ("MAIL FROM:<ann@elsewhere.test> RET=HDRS", "555 5.5.4 "),
            ("MAIL FROM:<ünï@elsewhere.test>", "550 5.6.7 "),
            (b"MAIL FROM:<\xff@elsewhere.test> SMTPUTF8\r\n", "500 5.5.2 "),
            (b"NOOP\n", "500 5.5.2 "),
            (b"NO\0OP\r\n", "500 5.5.2 "),
            (b"NOOP " + 3000 * b"x" + b"\r\n", "500 5.5.2 "),
            (b"NOOP " + 1_000_000 * b"x" + b"\r\n", "500 5.5.2 "),
        ],
    )
    async def test_answers(self, command: str | bytes, reply: str) -> None:
        """Each has its code, and the connection goes on."""
        async with office() as here, here.talk() as talk:
            await talk.ask(command, reply)
            await talk.ask("NOOP", "250 ")

    @pytest.mark.parametrize(
        ("command", "reply"),
        [
            ("MAIL FROM:<ann@elsewhere.test>", "503 5.5.1 "),
            ("RCPT TO:<bob@app.test> NOTIFY=NEVER", "555 5.5.4 "),
            ("RCPT TO:<>", "501 5.1.3 "),
            ("RCPT TO:<ünï@app.test>", "553 5.6.7 "),
            ("DATA now", "501 5.5.4 "),
        ],
    )
    async def test_answers_within_a_mail(self, command: str, reply: str) -> None:
        """What is refused changes nothing."""
        async with office() as here, here.talk(BOB) as talk:
            await talk.ask(command, reply)
            await hand_over(talk, MAIL, TAKEN)

        assert [envelope.recipients for _, envelope in here.mails] == [(BOB,)]

    async def test_nothing_goes_before_lhlo(self) -> None:
        async with office() as here, here.talk(lhlo=False) as talk:
            await talk.ask("MAIL FROM:<>", "503 5.5.1 ")

    @pytest.mark.parametrize("command", ["RSET", "LHLO again"])
    async def test_a_mail_can_be_forgotten(self, command: str) -> None:
        async with office() as here, here.talk(BOB) as talk:
            await talk.ask(command, "250")
            await talk.ask("DATA", "503 5.5.1 ")

    async def test_no_recipient_no_data(self) -> None:
        """RFC 2033 §4.2."""
        async with office(recipients=(BOB,)) as here, here.talk() as talk:
            await talk.ask("MAIL FROM:<>", "250 ")
            await talk.ask("RCPT TO:<nobody@app.test>", "550 5.1.1 ")
            await talk.ask("DATA", "503 5.5.1 ")

    async def test_smtputf8_addresses_reach_the_envelope(self) -> None:
        async with office() as here, here.talk() as talk:
            await talk.ask("MAIL FROM:<ünï@elsewhere.test> SMTPUTF8", "250 ")
            await talk.ask("RCPT TO:<bøb@app.test>", "250 ")
            await hand_over(talk, MAIL, TAKEN)

        ((_, envelope),) = here.mails
        assert (envelope.sender, envelope.recipients) == ("ünï@elsewhere.test", ("bøb@app.test",))

    async def test_commands_that_come_together_are_answered_together(self) -> None:
        """RFC 2920: a whole mail, and the next one, with one answer to wait for."""
        start = b"MAIL FROM:<ann@elsewhere.test>\r\nRCPT TO:<bob@app.test>\r\nRCPT TO:<eve@app.test>\r\nDATA\r\n"
        taken = ("250 2.1.0 ", "250 2.1.5 ", "250 2.1.5 ", "354 ")
        async with office() as here, here.talk() as talk:
            await talk.ask(start, *taken)
            await talk.ask(MAIL + b".\r\n" + start, TAKEN, TAKEN, *taken)
            await talk.ask(b"second\r\n.\r\nQUIT\r\n", TAKEN, TAKEN, "221 2.0.0 ")
            assert await talk.is_over()

        assert here.raw == [MAIL, b"second\r\n"]

    async def test_more_recipients_than_one_mail_may_have(self) -> None:
        """RFC 5321 §4.5.3.1.10: the mail server sends to the others with the next one."""
        async with office(max_recipients=100) as here, here.talk(*(f"b{n}@app.test" for n in range(100))) as talk:
            await talk.ask("RCPT TO:<b100@app.test>", "452 4.5.3 ")
            await hand_over(talk, MAIL, *(100 * [TAKEN]))

    async def test_who_makes_no_sense_is_parted_with(self) -> None:
        async with office() as here, here.talk() as talk:
            for _ in range(19):
                await talk.ask("WHAT", "500 ")
            await talk.ask("WHAT", "500 ", "421 4.7.0 ")
            assert await talk.is_over()

    async def test_a_mail_makes_up_for_what_made_no_sense_before(self) -> None:
        async with office() as here, here.talk(BOB) as talk:
            for _ in range(19):
                await talk.ask("WHAT", "500 ")
            await hand_over(talk, MAIL, TAKEN)
            for _ in range(19):
                await talk.ask("WHAT", "500 ")
            await talk.ask("NOOP", "250 ")

    async def test_unknown_recipients_are_no_error_of_the_mail_servers(self) -> None:
        async with office(recipients=(BOB,)) as here, here.talk(BOB) as talk:
            for _ in range(30):
                await talk.ask("RCPT TO:<nobody@app.test>", "550 ")
            await hand_over(talk, MAIL, TAKEN)

    async def test_a_browser_gets_nowhere(self) -> None:
        """A page can make it speak to any port of its machine."""
        async with office() as here, here.talk(lhlo=False) as talk:
            await talk.ask(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nLHLO a\r\n", "421 4.7.0 ")
            assert await talk.is_over()


class TestLimits:
    async def test_more_connections_than_there_may_be(self) -> None:
        async with office(max_connections=2) as here:
            async with here.talk(), here.talk(), here.dial() as third:
                await third.hear("421 4.3.2 ")
                assert await third.is_over()
            await _until_there_is_room(here)

    async def test_a_thousand_connections(self) -> None:
        """Those that were there first are served, the others are told to come back."""
        async with office(max_connections=10) as here, here.talk(BOB) as talk, AsyncExitStack() as stack:
            for _ in range(9):
                await stack.enter_async_context(here.talk())
            async with anyio.create_task_group() as tasks:
                for _ in range(990):
                    tasks.start_soon(_is_refused, here)
            await hand_over(talk, MAIL, TAKEN)

    async def test_silence_ends_a_connection(self) -> None:
        async with office(timeout=0.1) as here, here.dial() as talk:
            await talk.hear("220 ", "421 4.4.2 ")
            assert await talk.is_over()

    async def test_a_slow_line_ends_a_connection(self) -> None:
        """Time is counted for the line, and not for the octet."""
        async with office(timeout=0.3) as here, here.dial() as talk:
            await talk.hear("220 ")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drips, talk)
                await talk.hear("421 4.4.2 ")
                tasks.cancel_scope.cancel()

    async def test_slow_data_ends_a_connection(self) -> None:
        async with office(timeout=0.3) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drips, talk)
                await talk.hear("421 4.4.2 ")
                tasks.cancel_scope.cancel()

        assert here.mails == []

    async def test_data_that_comes_slowly_enough_is_waited_for(self) -> None:
        """A large mail over a slow line takes longer than any command."""
        async with office(timeout=0.4) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            for _ in range(7):
                await talk.say(5000 * b"x")
                await anyio.sleep(0.1)
            await talk.ask(b"\r\n.\r\n", TAKEN)

    async def test_who_does_not_listen_is_parted_with(self, tmp_path: Path) -> None:
        """Answers that nobody takes do not pile up."""
        path = tmp_path / "lmtp"  # which the kernel gives less memory than a port
        async with office(path=path, timeout=0.3):
            async with await anyio.connect_unix(path) as deaf:
                with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):  # noqa: PT012
                    while True:
                        await deaf.send(10_000 * b"HELP\r\n")
            async with await anyio.connect_unix(path) as stream:
                await Talk(stream).hear("220 ")

    @pytest.mark.parametrize(
        "said",
        [
            b"\0" * 1000,
            b"\xff\xfe\r\n" * 100,
            b"x" * 1_000_000,
            b"MAIL FROM:<" + b'"\\' * 500 + b">\r\n",
            b"MAIL FROM:<" + b"@a," * 600 + b">\r\n",
            b"RCPT TO:<>\r\n" * 10_000,
            b"LHLO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b",
            b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@app.test>\r\nDATA\r\n.",
            b"\n\n\n\n",
            b"\r\r\r\r\n",
        ],
    )
    async def test_nothing_that_is_said_stops_the_others(self, said: bytes) -> None:
        async with office() as here:
            async with here.dial() as rude:
                with anyio.move_on_after(5), suppress(anyio.BrokenResourceError):
                    await rude.say(said)
            async with here.talk(BOB) as talk:
                await hand_over(talk, MAIL, TAKEN)

        assert "Error" not in here.context.logged


async def _is_refused(here: Office) -> None:
    async with here.dial() as talk:
        await talk.hear("421 4.3.2 ")


async def _drips(talk: Talk) -> None:
    while True:
        await talk.say(b"x")
        await anyio.sleep(0.02)


async def _until_there_is_room(here: Office) -> None:
    with anyio.fail_after(5):
        while True:
            async with here.dial() as talk:
                if (await talk.reply()).startswith("220 "):
                    return


async def _until_refused(here: Office) -> None:
    with anyio.fail_after(5):
        while True:
            async with here.dial() as talk:
                assert not (await talk.reply()).startswith("220 ")


async def _until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not holds():  # noqa: ASYNC110 - it happens in another thread
            await anyio.sleep(0.005)


class TestLifetime:
    async def test_a_process_without_free_descriptors_goes_on_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both event loops say it in their own way."""
        troubles: list[Exception] = [OSError(errno.EMFILE, "too many open files"), anyio.BrokenResourceError()]
        troubles[1].__cause__ = troubles[0]
        binds = anyio.create_tcp_listener

        async def bound(**where: Any) -> Any:
            found = await binds(**where)
            accepts = found.listeners[0].accept

            async def accept() -> Any:
                if troubles:
                    raise troubles.pop()
                return await accepts()

            monkeypatch.setattr(found.listeners[0], "accept", accept)
            return found

        monkeypatch.setattr(anyio, "create_tcp_listener", bound)
        async with office() as here, here.talk(BOB) as talk:
            await hand_over(talk, MAIL, TAKEN)

        assert here.context.logged.count("no connection can be taken (too many open files)") == 2

    async def test_the_port_is_free_afterwards(self) -> None:
        async with office() as first:
            port = first.listener.port
        async with office(port=port) as second, second.talk(BOB) as talk:
            await hand_over(talk, MAIL, TAKEN)

    async def test_a_port_that_is_taken_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listener = LmtpListener(LmtpConfig(port=port), FakeContext(), lambda raw, envelope: [], 1_000_000)
            with pytest.raises(ConfigurationError, match=rf"lmtp\.port.*127\.0\.0\.1:{port}"):
                await listener.listen()

    async def test_who_waits_is_told_when_it_closes(self) -> None:
        async with AsyncExitStack() as stack:
            async with office(grace=60) as here:
                talk = await stack.enter_async_context(here.talk())
            await talk.hear("421 4.3.2 ")
            assert await talk.is_over()

    async def test_a_mail_that_is_under_way_is_let_finish(self) -> None:
        """And nobody new comes in meanwhile."""
        async with office(grace=60) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            here.scope.cancel()
            with pytest.raises(OSError, match="connect"):
                await _until_refused(here)
            await talk.ask(MAIL + b".\r\n", TAKEN, "421 4.3.2 ")
            await here.closed.wait()

        assert here.raw == [MAIL]

    async def test_a_mail_that_does_not_finish_is_cut_off(self) -> None:
        async with office(grace=0.1) as here, here.talk(BOB) as talk:
            await talk.ask("DATA", "354 ")
            here.scope.cancel()
            await talk.hear("421 4.3.2 ")
            assert await talk.is_over()
            await here.closed.wait()

        assert here.mails == []


class TestUnixSocket:
    async def test_mail_comes_by_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "lmtp"
        async with office(path=path) as here, await anyio.connect_unix(path) as stream:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            talk = Talk(stream)
            await talk.hear("220 ")
            await talk.ask("LHLO a", "250-")
            await talk.ask("MAIL FROM:<>", "250 ")
            await talk.ask(f"RCPT TO:<{BOB}>", "250 ")
            await hand_over(talk, MAIL, TAKEN)

        assert here.raw == [MAIL]
        assert not path.exists()

    async def test_what_a_dead_process_left_is_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "lmtp"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        async with office(path=path), await anyio.connect_unix(path) as stream:
            await Talk(stream).hear("220 ")

    async def test_what_somebody_else_has_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("dear")
        listener = LmtpListener(LmtpConfig(path=tmp_path / "file"), FakeContext(), lambda raw, envelope: [], 1_000_000)
        with pytest.raises(ConfigurationError, match=r"lmtp\.path .*file"), anyio.fail_after(5):
            await listener.listen()
        assert (tmp_path / "file").read_text() == "dear"

        async with office(path=tmp_path / "lmtp"):
            second = LmtpListener(
                LmtpConfig(path=tmp_path / "lmtp"), FakeContext(), lambda raw, envelope: [], 1_000_000
            )
            with pytest.raises(ConfigurationError, match="another process"):
                await second.listen()
            async with await anyio.connect_unix(tmp_path / "lmtp") as stream:
                await Talk(stream).hear("220 ")


async def test_the_standard_librarys_client_hands_mail_over() -> None:
    """It knows nothing of us; it reads one answer for a mail, so it has one recipient at a time."""

    def sends(port: int) -> None:
        with smtplib.LMTP("127.0.0.1", port, local_hostname="mx.example.test") as client:
            for recipient in (BOB, EVE):
                client.sendmail("ann@elsewhere.test", [recipient, "nobody@app.test"], MAIL, ["BODY=8BITMIME"])
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("ann@elsewhere.test", ["nobody@app.test"], MAIL)

    async with office(recipients=(BOB, EVE)) as here:
        await anyio.to_thread.run_sync(sends, here.listener.port)

    assert [envelope.recipients for _, envelope in here.mails] == [(BOB,), (EVE,)]
