"""Each way in which a transaction can go wrong ends in the right one of the four outcomes."""

from typing import Any

import anyio
import pytest

from convergekit.adapters.email.smtp import Extensions, SmtpEnvelope, transaction
from convergekit.errors import (
    AuthenticationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)

from .kit import ALL, ENVELOPE, MAIL, Answer, Do, FakeServer, Tries, pool_on

pytestmark = pytest.mark.anyio

BEFORE = ("MAIL", "RCPT", "DATA")


@pytest.fixture(params=[True, False], ids=["pipelined", "step by step"])
def pipelining(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_what_is_taken_is_accepted_with_what_the_server_said(pipelining: bool) -> None:
    async with FakeServer().serving() as server, pool_on(server.port, pipelining=pipelining) as pool:
        tries = Tries(pool)
        accepted = await tries.send()
    assert (accepted.code, accepted.enhanced, accepted.text) == (250, "2.0.0", "Ok: queued as 4F2C1")
    assert accepted.queue_id == "4F2C1"
    assert server.mails == [MAIL]
    assert server.heard[1:4] == [f"MAIL FROM:<ann@example.test> SIZE={len(MAIL)}", "RCPT TO:<bob@example.test>", "DATA"]
    assert tries.started == 1


@pytest.mark.parametrize("verb", BEFORE)
@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ("451 4.3.0 Come back later", NotSentError, "451 4.3.0"),
        ("450 4.7.1 Rate limit exceeded", ThrottledError, "450 4.7.1"),
        ("550 5.7.1 No", RejectedError, "550 5.7.1"),
        ("550 No", RejectedError, "550"),
        ("530 5.7.0 Authentication required", AuthenticationError, "530 5.7.0"),
        ("421 4.3.2 Shutting down", NotSentError, "421 4.3.2"),
        ("199 What?", NotSentError, None),
        ("299-What?\r\n300 Why?", NotSentError, None),
        (b"<html>\r\n", NotSentError, None),
        (b"25", NotSentError, None),
        (Do.CLOSE, NotSentError, None),
        (Do.RESET, NotSentError, None),
        (Do.HANG, NotSentError, None),
    ],
)
async def test_before_the_end_of_the_data_nothing_is_taken(
    verb: str, answer: Answer, error: type[DeliveryError], code: str | None, pipelining: bool
) -> None:
    server = FakeServer({verb: [answer]})
    settings = {"pipelining": pipelining, "timeout": 0.3 if answer in (Do.HANG, b"25") else 30.0}
    async with server.serving(), pool_on(server.port, **settings) as pool:
        tries = Tries(pool)
        with pytest.raises(DeliveryError) as caught:
            await tries.send()
        assert type(caught.value) is error
        assert caught.value.code == code
        assert tries.started == 0
        assert not any(server.mails)
        await tries.send(content=b"second\r\n")
    assert [each for each in server.mails if each] == [b"second\r\n"]


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ("451 4.3.0 Come back later", NotSentError, "451 4.3.0"),
        ("421 4.3.2 Shutting down", NotSentError, "421 4.3.2"),
        ("550 5.7.1 Looks like spam", RejectedError, "550 5.7.1"),
        ("354 Go on", UncertainError, None),
        (b"<html>\r\n", UncertainError, None),
        (b"250 never ends", UncertainError, None),
        (Do.CLOSE, UncertainError, None),
        (Do.RESET, UncertainError, None),
        (Do.HANG, UncertainError, None),
    ],
)
async def test_after_the_end_of_the_data_only_an_answer_tells(
    answer: Answer,
    error: type[DeliveryError],
    code: str | None,
    pipelining: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServer({".": [answer]})
    if answer in (Do.HANG, b"250 never ends"):
        monkeypatch.setattr(transaction, "_END_TIMEOUT", 0.3)
    async with server.serving(), pool_on(server.port, pipelining=pipelining) as pool:
        tries = Tries(pool)
        with pytest.raises(DeliveryError) as caught:
            await tries.send(content=b"first\r\n")
        assert type(caught.value) is error
        assert caught.value.code == code
        assert tries.started == 1
        await tries.send(content=b"second\r\n")
    assert server.mails == [b"first\r\n", b"second\r\n"]
    clean = isinstance(answer, str) and answer[0] in "45" and not answer.startswith("421")
    assert server.connections == (1 if clean else 2)  # what went wrong in any other way is never used again


async def test_the_end_of_the_data_is_waited_for_longer_than_other_answers() -> None:
    """RFC 5321 §4.5.3.2.6: ten minutes; to give up is to not know."""
    assert transaction._END_TIMEOUT == 600


@pytest.mark.parametrize("verb", BEFORE)
@pytest.mark.parametrize("answer", ["450 4.2.0 Later", "550 5.1.1 Nobody"])
async def test_after_a_clean_refusal_the_connection_is_used_again(verb: str, answer: str, pipelining: bool) -> None:
    later = BEFORE[BEFORE.index(verb) + 1 :] if pipelining else ()
    answers = {verb: [answer], **{each: ["503 5.5.1 That comes too early"] for each in later}}
    async with FakeServer(answers).serving() as server, pool_on(server.port, pipelining=pipelining) as pool:
        tries = Tries(pool)
        with pytest.raises(DeliveryError):
            await tries.send(content=b"first\r\n")
        await tries.send(content=b"second\r\n")
        await tries.send(content=b"third\r\n")
    assert [each for each in server.mails if each] == [b"second\r\n", b"third\r\n"]
    assert server.connections == 1
    assert server.verbs.count("RSET") == 1  # ahead of the second; after a mail that was taken, it is not needed


@pytest.mark.parametrize("answer", [Do.CLOSE, Do.HANG, "500 What?", "421 Bye"])
async def test_where_the_reset_fails_the_mail_goes_over_another_connection(answer: Answer, pipelining: bool) -> None:
    server = FakeServer({"RCPT": ["550 5.1.1 Nobody"], "RSET": [answer]})
    async with server.serving(), pool_on(server.port, pipelining=pipelining, timeout=0.3) as pool:
        tries = Tries(pool)
        with pytest.raises(RejectedError):
            await tries.send()
        if answer is Do.HANG:
            with pytest.raises(NotSentError):
                await tries.send(content=b"second\r\n")
        await tries.send(content=b"second\r\n")
    assert [each for each in server.mails if each] == [b"second\r\n"]
    assert server.connections == 2


async def test_nobody_gets_a_mail_whose_data_is_wanted_though_its_recipient_was_refused() -> None:
    """RFC 2920 §3.1: only the end of the data is sent."""
    async with FakeServer({"RCPT": ["550 5.1.1 Nobody"]}).serving() as server, pool_on(server.port) as pool:
        tries = Tries(pool)
        with pytest.raises(RejectedError):
            await tries.send()
        assert tries.started == 0
    assert server.mails == [b""]
    assert server.heard[-2:] == [".", "QUIT"]


async def test_not_even_its_end_is_sent_where_a_recipient_may_be_there() -> None:
    async with FakeServer({"MAIL": ["550 5.7.1 Not you"]}).serving() as server, pool_on(server.port) as pool:
        with pytest.raises(RejectedError, match="MAIL"):
            await Tries(pool).send()
    assert server.mails == []
    assert "." not in server.heard


@pytest.mark.parametrize("answer", [Do.CLOSE, Do.HANG, "421 4.3.2 Bye", b"421 4.3.2 Bye\r\n"])
async def test_what_was_refused_stays_refused_where_the_connection_then_breaks(answer: Answer) -> None:
    server = FakeServer({"RCPT": ["550 5.1.1 Nobody"], "DATA": [answer]})
    async with server.serving(), pool_on(server.port, timeout=0.3) as pool:
        with pytest.raises(RejectedError) as caught:
            await Tries(pool).send()
        assert caught.value.code == "550 5.1.1"
        await Tries(pool).send()
    assert server.connections == 2


LARGE = b"x" * 998 + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("552 5.3.4 Too large", RejectedError),
        ("451 4.3.1 Disk full", NotSentError),
        ("421 4.4.2 Too slow", NotSentError),
        ("250 2.0.0 Ok", NotSentError),
        ((b"552 5.3.4 Too large\r\n", Do.HANG), RejectedError),
        (Do.CLOSE, NotSentError),
        (b"<html>\r\n", NotSentError),
    ],
)
async def test_an_answer_on_the_way_ends_the_mail_before_its_end(answer: Answer, error: type[DeliveryError]) -> None:
    server = FakeServer({"CONTENT": [answer, answer]}, offers=("PIPELINING",))
    async with server.serving(), pool_on(server.port) as pool:
        tries = Tries(pool)
        with pytest.raises(error) as caught:
            await tries.send(content=LARGE * 20_000)
        assert type(caught.value) is error
        assert tries.started == 0
        server.next("CONTENT")
        await tries.send()
    assert server.mails == [MAIL]
    assert server.connections == 2


async def test_a_server_that_takes_nothing_in_is_not_waited_for() -> None:
    server = FakeServer({"CONTENT": [Do.HANG]}, offers=())
    async with server.serving(), pool_on(server.port, timeout=0.3) as pool:
        tries = Tries(pool)
        with pytest.raises(NotSentError, match="the content"):
            await tries.send(content=LARGE * 20_000)
        assert tries.started == 0


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])
async def test_mail_of_any_size_arrives_as_it_is(size: int) -> None:
    content = (LARGE * (size // 1000 + 1))[: max(0, size - 2)] + b"\r\n"
    async with FakeServer(offers=("PIPELINING",)).serving() as server, pool_on(server.port) as pool:
        tries = Tries(pool)
        await tries.send(content=content)
        assert tries.started == 1
    assert server.mails == [content]


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    """It would be taken for the answer to the next mail."""
    server = FakeServer({".": ["250 2.0.0 Ok\r\n250 2.0.0 And this one too"]})
    async with server.serving(), pool_on(server.port) as pool:
        await Tries(pool).send()
        server.next("MAIL", "550 5.7.1 Not you")
        with pytest.raises(RejectedError):
            await Tries(pool).send()
    assert server.connections == 2


@pytest.mark.parametrize("begun", [b"25", b"250-2.0.0 Ok\r\n"])
async def test_neither_is_one_that_has_only_begun_taken_for_that(begun: bytes) -> None:
    server = FakeServer({".": [b"250 2.0.0 Ok\r\n" + begun]})
    async with server.serving(), pool_on(server.port) as pool:
        await Tries(pool).send()
        await Tries(pool).send()
    assert server.connections == 2


@pytest.mark.parametrize("said", [b"250 2.0.0 Ok\r\n", b"421 4.4.2 Timeout\r\n", b"<html>\r\n", b"2"])
async def test_what_is_said_between_two_mails_is_no_answer_to_the_next(said: bytes) -> None:
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send()
        await server.say(said)
        with anyio.fail_after(10):
            await pool._idle[-1].ended
        server.next("RCPT", "550 5.1.1 Nobody")
        with pytest.raises(RejectedError, match="RCPT"):
            await Tries(pool).send()
    assert server.connections == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
async def test_an_answer_too_many_is_found_out_before_anything_is_taken(verb: str, pipelining: bool) -> None:
    """DATA has an answer that nothing else has."""
    server = FakeServer({verb: ["250 2.0.0 Ok\r\n250 2.0.0 Ok"]})
    async with server.serving(), pool_on(server.port, pipelining=pipelining) as pool:
        tries = Tries(pool)
        with pytest.raises(NotSentError):
            await tries.send()
        assert tries.started == 0
        await tries.send()
    assert server.connections == 2


@pytest.mark.parametrize("verb", ["MAIL", "CONTENT", "."])
async def test_a_server_that_has_said_its_last_word_is_not_waited_for(verb: str) -> None:
    async with FakeServer({verb: [Do.EOF]}, offers=()).serving() as server, pool_on(server.port) as pool:
        tries = Tries(pool)
        with anyio.fail_after(10), pytest.raises(UncertainError if verb == "." else NotSentError):
            await tries.send(content=LARGE * (20_000 if verb == "CONTENT" else 1))
        assert tries.started == (verb == ".")


class Transport:
    """Has no socket, and closes as soon as DATA was answered."""

    closing = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        assert b"world" not in data
        self.protocol.data_received(b"354 Go on\r\n" if data.startswith(b"DATA") else b"250 Ok\r\n")
        self.closing = data.startswith(b"DATA")

    def abort(self) -> None:
        self.closing = True


async def test_a_connection_that_is_lost_while_it_changes_hands_has_ended() -> None:
    transport = Transport()
    transport.closing = True
    session = transaction.Session(transport, Extensions(), timeout=5)  # type: ignore[arg-type]
    assert session.ended.done()
    assert not session.is_usable


async def test_a_connection_that_ends_just_before_the_end_of_the_data_has_not_carried_it() -> None:
    session = transaction.Session(Transport(), Extensions(), timeout=5)  # type: ignore[arg-type]
    with pytest.raises(NotSentError):
        await session.transact(ENVELOPE, MAIL, lambda: pytest.fail("it has not started"))


async def test_surplus_answers_ahead_of_the_content_are_no_answer_to_it() -> None:
    server = FakeServer({"DATA": ["354 Go on\r\n250 2.0.0 Ok"]})
    async with server.serving(), pool_on(server.port) as pool:
        tries = Tries(pool)
        with pytest.raises(NotSentError):
            await tries.send()
        assert tries.started == 0
    assert server.mails == []


async def test_a_flood_of_answers_ends_the_connection() -> None:
    server = FakeServer({"MAIL": [b"250 Ok\r\n" * 100_000]})
    async with server.serving(), pool_on(server.port) as pool:
        with pytest.raises(NotSentError):
            await Tries(pool).send()


async def test_the_content_is_made_for_what_the_server_offers() -> None:
    seen: list[Extensions] = []

    async def make(extensions: Extensions) -> bytes:
        seen.append(extensions)
        return MAIL

    async with FakeServer(offers=ALL).serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send(content=make)
        await Tries(pool).send(content=lambda extensions: MAIL if not seen.append(extensions) else b"")
    assert seen == [Extensions(pipelining=True, size=1_000_000, eight_bit=True, smtputf8=True, dsn=True)] * 2
    assert server.mails == [MAIL, MAIL]


async def test_where_the_content_cannot_be_made_nothing_was_said() -> None:
    def make(extensions: Extensions) -> bytes:
        raise UnsupportedContentError("it cannot be")

    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        with pytest.raises(UnsupportedContentError):
            await Tries(pool).send(content=make)
        assert server.verbs == ["EHLO"]
        await Tries(pool).send()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("envelope", "content", "offers", "code"),
    [
        (ENVELOPE, b"x" * 1001 + b"\r\n", ("SIZE 1000",), "552 5.3.4"),
        (SmtpEnvelope(reverse_path="", recipient="ünï@utf8.test"), MAIL, ("8BITMIME",), "553 5.6.7"),
        (ENVELOPE, "ü\r\n".encode(), ("SMTPUTF8",), None),
    ],
)
async def test_what_the_server_cannot_carry_is_refused_before_a_word(
    envelope: SmtpEnvelope, content: bytes, offers: tuple[str, ...], code: str | None
) -> None:
    async with FakeServer(offers=offers).serving() as server, pool_on(server.port) as pool:
        with pytest.raises(RejectedError) as caught:
            await Tries(pool).send(envelope, content)
        assert caught.value.code == code
        assert server.verbs == ["EHLO"]
        await Tries(pool).send()  # others go, over the same connection
    assert server.connections == 1


@pytest.mark.parametrize("field", ["reverse_path", "recipient", "envid", "orcpt"])
@pytest.mark.parametrize("bad", ["a@x>\r\nRCPT TO:<e@x", "a b@x", "<a@x>", "a\x00@x", "a\u2028@x", "a@x\n", "\ud800@x"])
async def test_what_cannot_stand_in_a_command_is_refused_before_a_connection(field: str, bad: str) -> None:
    fields = {"reverse_path": "ann@example.test", "recipient": "bob@example.test", field: bad}
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        with pytest.raises(UnsupportedContentError, match=field) as caught:
            await Tries(pool).send(SmtpEnvelope(**fields))
        assert bad not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize(
    "hostile",
    [
        b"a\n.\r\nMAIL FROM:<e@x>",
        b"a\r.\r\nMAIL",
        b"a\r\n.\nMAIL",
        b"a\n.\nMAIL",
        b".\r\nMAIL",
        b"a\r\n.\r\nMAIL",
        b"\r",
    ],
)
async def test_no_mail_hides_another(hostile: bytes) -> None:
    """SMTP smuggling: what some server takes for the end of the data never leaves us but at the end."""
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send(content=hostile + b"\r\nlast\r\n")
    (mail,) = server.mails
    assert b"\n." not in mail.replace(b"\r\n..", b"") or mail.startswith(b"..")
    assert mail.count(b"\r\n") == mail.count(b"\r") == mail.count(b"\n")
    assert mail.endswith(b"last\r\n")
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]
