"""What a mailbox promises, against a server that can be told to say anything."""

from collections.abc import Sequence

import anyio
import pytest

from convergekit.adapters.email.arrival import Envelope
from convergekit.errors import AuthenticationError, ConfigurationError, NotSentError, StoreError
from convergekit.model import CustomReceived, Event
from convergekit.testing import FakeContext

from .kit import Far, letter, listening, reading, texts, time_passes, to_events, until

pytestmark = pytest.mark.anyio


async def listens(far: Far, context: FakeContext, **more: object) -> None:
    """Until it raises."""
    with anyio.fail_after(10):
        await reading(far.config(**more), context).listen()


# --- reading --------------------------------------------------------------------------------------------------------


async def test_what_is_there_is_admitted_in_order_and_then_marked() -> None:
    context = FakeContext()
    async with Far(letter("one"), letter("two")).serving() as far, listening(reading(far.config(), context)):
        await until(far.idles)
    assert texts(context) == ["one", "two"]
    assert far.flags == {1: {b"\\SEEN"}, 2: {b"\\SEEN"}}
    assert await context.cursor("INBOX") == {"uidvalidity": 7, "uid": 2, "unsettled": [1, 2]}


async def test_reading_changes_nothing() -> None:
    context = FakeContext()
    async with Far(letter("one")).serving() as far:
        await far.read(reading(far.config(after="nothing"), context))
    assert all(b"PEEK" in each for each in far.commands("UID FETCH") if b"BODY" in each)
    assert far.commands('EXAMINE "INBOX"')
    assert not far.commands("SELECT")
    assert not far.commands("UID STORE")


async def test_the_envelope_says_where_a_mail_was_found() -> None:
    context = FakeContext()
    async with Far(letter("one")).serving() as far:
        await far.read(reading(far.config(), context))
    (event,) = context.admitted
    assert event.details == {"folder": "INBOX", "uid": 1, "size": 59, "is_partial": False, "octets": 59}
    assert str(event.at) == "2026-02-08 05:52:25+00:00"


async def test_what_comes_while_it_idles_is_admitted() -> None:
    context = FakeContext()
    async with Far().serving() as far, listening(reading(far.config(), context)):
        await until(far.idles)
        await far.deliver(letter("news"))
        await until(lambda: texts(context) == ["news"])


async def test_news_that_comes_with_the_answer_to_idle_is_not_overlooked() -> None:
    """They are one packet: who waits for the socket after that waits for the next mail."""
    context = FakeContext()
    far = Far()

    def idle(_: bytes) -> bytes:
        far.says.pop("IDLE")
        far.mails[1], far.next = letter("news"), 2
        far.says["DONE"] = b"TAG OK done\r\n"
        return b"* 9 FETCH (FLAGS ())\r\n+ idling\r\n* 1 EXISTS\r\nTAG OK done\r\n"

    far.says["IDLE"] = idle
    async with far.serving(), listening(reading(far.config(), context)):
        await until(lambda: texts(context) == ["news"])


async def test_news_that_comes_while_it_looks_is_not_overlooked() -> None:
    """The server says it once, with the answer to the search that did not find it."""
    context = FakeContext()
    far = Far()

    def search(_: bytes) -> bytes:
        far.says.pop("UID SEARCH")
        far.mails[1], far.next = letter("news"), 2
        return b"* SEARCH\r\n* 1 EXISTS\r\n"

    far.says["UID SEARCH"] = search
    async with far.serving(), listening(reading(far.config(), context)):
        await until(lambda: texts(context) == ["news"])


@pytest.mark.parametrize("offers", ["MOVE", "UIDPLUS", ""])
async def test_news_that_comes_while_it_fetches_is_not_overlooked(offers: str) -> None:
    context = FakeContext()
    far = Far(letter("one"), offers=f"IMAP4rev1 IDLE AUTH=PLAIN {offers}")

    def fetch(arguments: bytes) -> bytes:
        far.says.pop("UID FETCH")
        told = far._answer("UID FETCH", arguments) + b"* 2 EXISTS\r\n"
        far.mails[2], far.next = letter("news"), 3
        return told

    far.says["UID FETCH"] = fetch
    async with far.serving(), listening(reading(far.config(after="move", move_to="Done"), context)):
        await until(lambda: texts(context) == ["one", "news"])


async def test_idle_is_said_again_and_the_folder_looked_at_then() -> None:
    """Some servers forget whom they have to tell after ten minutes, and others close the line."""
    context = FakeContext()
    async with Far().serving() as far, listening(reading(far.config(), context)):
        await until(far.idles)
        far.mails[1] = letter("untold")
        await time_passes(context, 541, lambda: len(far.commands("IDLE")) >= 2)
    assert texts(context) == ["untold"]


async def test_what_is_no_news_does_not_end_idle() -> None:
    context = FakeContext()
    async with Far(letter("one")).serving() as far, listening(reading(far.config(), context)):
        await until(far.idles)
        await far.tell(b"* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 0 EX")
        await far.tell(b"PUNGE\r\n")
        await far.deliver(letter("two"))
        await until(lambda: texts(context) == ["one", "two"])
    assert len(far.commands("DONE")) == 1


async def test_a_server_that_does_not_want_to_be_listened_to_is_not_asked_without_pause() -> None:
    context = FakeContext()
    async with (
        Far(says={"IDLE": b"+ idling\r\nTAG OK that is enough\r\n"}).serving() as far,
        listening(reading(far.config(), context)),
    ):
        await until(lambda: far.commands("IDLE"))
        far.mails[1] = letter("later")
        times = await time_passes(context, 61, lambda: texts(context) == ["later"])
    assert len(far.commands("IDLE")) <= times + 1


@pytest.mark.parametrize(("offers", "idle"), [("IMAP4rev1 AUTH=PLAIN", True), ("IMAP4rev1 IDLE AUTH=PLAIN", False)])
async def test_without_idle_it_looks_every_so_often(offers: str, idle: bool) -> None:
    context = FakeContext()
    async with Far(offers=offers).serving() as far, listening(reading(far.config(idle=idle), context)):
        await until(lambda: far.commands("UID SEARCH"))
        far.mails[1] = letter("later")
        await time_passes(context, 61, lambda: texts(context) == ["later"])
    assert not far.commands("IDLE")
    assert far.commands("NOOP")


async def test_mail_that_is_gone_when_it_is_fetched_is_passed_over() -> None:
    """Whoever took it away had a right to."""
    context = FakeContext()
    far = Far(letter("one"), letter("two"), letter("three"))

    def search(arguments: bytes) -> bytes:
        found = far._answer("UID SEARCH", arguments)
        far.mails.pop(2 if b"SMALLER" in arguments else 1, None)
        return found

    far.says["UID SEARCH"] = search
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert texts(context) == ["three"]
    assert (await context.cursor("INBOX"))["uid"] == 3


async def test_what_the_server_cannot_give_does_not_stand_in_the_way() -> None:
    context = FakeContext()
    far = Far(letter("one"), letter("two"), letter("three"))

    def fetch(arguments: bytes) -> bytes:
        if b"BODY" in arguments and b"2" in arguments.split()[0].split(b","):
            return b"TAG NO it cannot be read\r\n"
        return far._answer("UID FETCH", arguments)

    far.says["UID FETCH"] = fetch
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one", "three"]
    (odd,) = [event for event in context.admitted if isinstance(event, CustomReceived)]
    assert odd.name == "mail.unreadable"
    assert odd.data == {"folder": "INBOX", "uid": 2, "reason": "fetch failed: it cannot be read"}
    assert "mail 2 of 'INBOX' cannot be read" in context.logged
    assert 2 not in far.flags


async def test_one_whose_size_the_server_cannot_tell_does_not_stand_in_the_way_either() -> None:
    context = FakeContext()
    far = Far(letter("one"), letter("two"))

    def fetch(arguments: bytes) -> bytes:
        if b"1" in arguments.split()[0].split(b","):
            return b"TAG NO [SERVERBUG] it is broken\r\n"
        return far._answer("UID FETCH", arguments)

    far.says["UID FETCH"] = fetch
    far.says["UID SEARCH"] = lambda arguments: (
        b"TAG NO [SERVERBUG] it is broken\r\n" if b"SMALLER" in arguments else far._answer("UID SEARCH", arguments)
    )
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert [event.type for event in context.admitted] == ["custom.received", "message.received"]


async def test_a_server_that_gives_nothing_is_broken_and_not_the_mail() -> None:
    """Its disk, say; and then everything would be passed over."""
    context = FakeContext()
    far = Far(letter("one"), letter("two"))
    far.says["UID FETCH"] = lambda arguments: (
        b"TAG NO [SERVERBUG] look into the log\r\n" if b"BODY" in arguments else far._answer("UID FETCH", arguments)
    )
    async with far.serving():
        with pytest.raises(NotSentError, match="look into the log"):
            await listens(far, context)
        assert not context.admitted
        far.says.clear()
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one", "two"]


async def test_what_the_server_lists_and_does_not_give_is_not_passed_over_in_silence() -> None:
    context = FakeContext()
    far = Far(letter("one"), letter("two"), letter("three", 70_000), letter("four"))
    far.says["UID FETCH"] = lambda arguments: b"".join(
        far._fetched(uid, arguments) for uid in far._among(arguments) if uid not in (2, 3)
    )
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one", "four"]
    assert [event.data["uid"] for event in context.admitted if isinstance(event, CustomReceived)] == [2, 3]
    assert not {2, 3} & far.flags.keys()


async def test_a_server_that_gives_nothing_of_anything_is_broken_though_it_says_ok() -> None:
    context = FakeContext()
    far = Far(letter("one"), letter("two"))
    far.says["UID FETCH"] = b""
    async with far.serving():
        with pytest.raises(NotSentError, match="gives nothing"):
            await listens(far, context)
        assert not context.admitted
        far.says.clear()
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one", "two"]


@pytest.mark.parametrize(
    ("when", "news"), [("IDLE", b"+ idling\r\n* 0 EXISTS\r\n"), ("UID SEARCH", b"* 0 EXISTS\r\n* SEARCH\r\n")]
)
async def test_news_that_are_none_are_looked_at_less_and_less_often(when: str, news: bytes) -> None:
    """Some servers tell of what has long been there whenever they are listened to."""
    context = FakeContext()
    async with Far(says={when: news}).serving() as far, listening(reading(far.config(), context)):
        await until(lambda: len(far.commands("UID SEARCH")) > 3)
        with anyio.move_on_after(0.3):  # in which there could be a hundred
            await until(lambda: len(far.commands("UID SEARCH")) > 20)
        assert len(far.commands("UID SEARCH")) <= 20
        far.says.clear()
        far.mails[1] = letter("real")
        await time_passes(context, 61, lambda: texts(context) == ["real"])


async def test_what_others_do_to_a_mail_meanwhile_is_not_what_it_says() -> None:
    context = FakeContext()
    far = Far(letter("one"))
    unasked = b"* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n"
    far.says["UID FETCH"] = lambda arguments: unasked + far._answer("UID FETCH", arguments) + unasked
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one"]


async def test_what_cannot_be_translated_is_kept_as_it_is() -> None:
    context = FakeContext()

    def broken(raw: bytes, envelope: object) -> list[CustomReceived]:
        raise KeyError(raw)

    raw = letter("a word that is nobody's business")
    async with Far(raw).serving() as far:
        await far.read(reading(far.config(after="delete"), context, events=broken))
    (event,) = context.admitted
    assert event.native == raw
    assert 1 in far.mails
    assert "business" not in context.logged


async def test_when_the_server_is_only_busy_nothing_is_passed_over() -> None:
    context = FakeContext()
    says = {"UID FETCH": b"TAG NO [UNAVAILABLE] later\r\n"}
    async with Far(letter("one"), says=says).serving() as far:
        with pytest.raises(NotSentError):
            await listens(far, context)
    assert not context.admitted
    assert (await context.cursor("INBOX"))["uid"] == 0


async def test_of_what_is_too_large_the_header_is_handed_on() -> None:
    context = FakeContext()
    async with Far(letter("small"), letter("large", 70_000), letter("next")).serving() as far:
        await far.read(reading(far.config(after="delete"), context, max_size=65_536))
    assert texts(context) == ["small", "large", "next"]
    large = context.admitted[1].details
    assert (large["is_partial"], large["octets"]) == (True, len(b"Subject: large\r\n\r\n"))
    assert large["size"] > 70_000
    assert not [each for each in far.commands("UID FETCH 2") if b"BODY.PEEK[]" in each]
    assert list(far.mails) == [2], "what we have no more than the header of is not ours to delete"


async def test_a_few_are_fetched_at_a_time() -> None:
    """The memory that a full mailbox takes does not depend on how full it is."""
    context = FakeContext()
    async with Far(*[letter(str(number), 700_000) for number in range(9)]).serving() as far:
        await far.read(reading(far.config(), context))
    fetches = [each for each in far.commands("UID FETCH") if b"BODY" in each]
    assert [len(each.split()[2].split(b",")) for each in fetches] == [5, 4]
    assert texts(context) == [str(number) for number in range(9)]


async def test_many_small_ones_are_admitted_together() -> None:
    context = FakeContext()
    async with Far(*[letter(str(number)) for number in range(120)]).serving() as far:
        await far.read(reading(far.config(), context))
    assert len(far.commands("UID STORE")) == 3


# --- which mail -----------------------------------------------------------------------------------------------------


async def test_what_comes_between_the_first_look_and_the_next_start_is_new_to_us() -> None:
    """Also where a person has read it meanwhile."""
    context = FakeContext()
    async with Far(says={"UID SEARCH": b"* SEARCH\r\n"}).serving() as far:
        async with listening(reading(far.config(first="new"), context)):
            await until(far.idles)
        far.says.clear()
        far.mails[1], far.next = letter("meanwhile"), 2
        await far.read(reading(far.config(first="new"), context))
    assert texts(context) == ["meanwhile"]


async def test_first_new_leaves_what_is_there() -> None:
    context = FakeContext()
    async with Far(letter("old")).serving() as far, listening(reading(far.config(first="new"), context)):
        await until(far.idles)
        await far.deliver(letter("new"))
        await until(lambda: context.admitted)
    assert texts(context) == ["new"]
    assert 1 not in far.flags


async def test_other_uids_have_all_read_again_and_nothing_admitted_twice() -> None:
    context = FakeContext()
    async with Far(letter("one"), letter("two")).serving() as far:
        await far.read(reading(far.config(), context))
        far.uidvalidity, far.mails, far.next = 8, {1: letter("two"), 2: letter("three"), 3: letter("one")}, 4
        await far.read(reading(far.config(), context))
    assert texts(context) == ["one", "two", "three"]
    assert (await context.cursor("INBOX"))["uidvalidity"] == 8


async def test_a_server_without_uidnext_is_asked_what_there_is() -> None:
    context = FakeContext()
    says = {"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK [READ-WRITE] x\r\n"}
    async with Far(letter("old"), says=says).serving() as far, listening(reading(far.config(first="new"), context)):
        await until(far.idles)
        await far.deliver(letter("new"))
        await until(lambda: context.admitted)
    assert texts(context) == ["new"]


# --- settling -------------------------------------------------------------------------------------------------------


async def test_what_no_ledger_could_hold_does_not_stand_in_the_way() -> None:
    """Otherwise one mail would be offered for ever, and nothing behind it be heard."""
    context = FakeContext()

    def events(raw: bytes, envelope: Envelope) -> Sequence[Event]:
        (event,) = to_events(raw, envelope)
        is_odd = b"odd" in raw
        return [event.model_copy(update={"key": ""} if is_odd else {})]

    async with Far(letter("one"), letter("odd"), letter("three")).serving() as far:
        await far.read(reading(far.config(), context, events=events))
    assert texts(context) == ["one", "three"]
    (odd,) = [event for event in context.admitted if isinstance(event, CustomReceived)]
    assert (odd.name, odd.data["uid"]) == ("mail.unreadable", 2)
    assert far.flags.keys() == {1, 3}
    assert (await context.cursor("INBOX"))["uid"] == 3


async def test_what_the_ledger_did_not_take_is_not_marked_and_offered_again() -> None:
    context = FakeContext()
    async with Far(letter("one")).serving() as far:
        async with listening(reading(far.config(first="new"), context)):
            await until(far.idles)  # the cursor is stored
        await far.deliver(letter("two"))
        context.refuses_admission = StoreError("the disk is full")
        with pytest.raises(StoreError):
            await listens(far, context)
        assert not far.flags
        context.refuses_admission = None
        await far.read(reading(far.config(), context))
    assert texts(context) == ["two"]
    assert far.flags == {2: {b"\\SEEN"}}


@pytest.mark.parametrize(
    ("after", "more", "left"),
    [("seen", {}, {1: {b"\\SEEN"}}), ("flag", {}, {1: {b"$CONVERGEKIT"}}), ("delete", {}, {1: {b"\\DELETED"}})],
)
async def test_a_crash_between_admission_and_settling_leaves_nothing_undone(
    after: str, more: dict[str, str], left: dict[int, set[bytes]]
) -> None:
    context = FakeContext()
    async with Far(letter("one"), says={"UID STORE": b"* BYE\r\n"}).serving() as far:
        with pytest.raises(NotSentError):
            await listens(far, context, after=after, **more)
        assert texts(context) == ["one"]
        assert not far.flags
        far.says.clear()
        async with listening(reading(far.config(after=after, **more), context)):
            await until(far.idles)
    assert texts(context) == ["one"]
    assert far.flags == left


async def test_nothing_is_done_to_mail_that_was_never_admitted() -> None:
    """With `first` = "new" there may be ten thousand unread ones, and they are not ours."""
    context = FakeContext()
    async with Far(letter("old"), letter("older")).serving() as far:
        for _ in range(2):
            async with listening(reading(far.config(first="new", after="delete"), context)):
                await until(far.idles)
            far.heard.clear()
    assert list(far.mails) == [1, 2]
    assert not far.flags


async def test_somebody_who_takes_a_mail_away_does_not_keep_the_others_from_being_settled() -> None:
    """RFC 5530: the whole command is refused then."""
    context = FakeContext()
    far = Far(letter("one"), letter("two"))

    def move(arguments: bytes) -> bytes:
        return far._answer("UID MOVE", arguments) if far.mails.pop(1, None) is None else b"TAG NO [EXPUNGEISSUED] x\r\n"

    far.says["UID MOVE"] = move
    async with far.serving():
        await far.read(reading(far.config(after="move", move_to="Done"), context))
    assert texts(context) == ["one", "two"]
    assert far.commands("UID MOVE") == [b'UID MOVE 1,2 "Done"', b'UID MOVE 2 "Done"']
    assert not context.logged


async def test_mail_that_goes_while_it_is_fetched_is_not_told_of() -> None:
    """Dovecot says NIL then, and has no such mail at the next look."""
    context = FakeContext()
    far = Far(letter("one"), letter("two"))

    def fetch(arguments: bytes) -> bytes:
        del far.mails[1]
        return b"* 1 FETCH (UID 1 BODY[] NIL)\r\n" + far._answer("UID FETCH", arguments)

    far.says["UID FETCH"] = fetch
    async with far.serving():
        await far.read(reading(far.config(), context))
    assert [event.type for event in context.admitted] == ["message.received"]


async def test_settling_that_is_refused_is_told_and_mail_goes_on_coming_in() -> None:
    context = FakeContext()
    async with (
        Far(letter("one"), says={"UID MOVE": b"TAG NO [OVERQUOTA] full\r\n"}).serving() as far,
        listening(reading(far.config(after="move", move_to="Done"), context)),
    ):
        await until(far.idles)
        await far.deliver(letter("two"))
        await until(lambda: len(context.admitted) == 2)
    assert "imap.after = 'move' was refused for 1 mails in 'INBOX'" in context.logged


@pytest.mark.parametrize(
    ("offers", "commands"),
    [
        ("MOVE UIDPLUS", [b'UID MOVE 1 "Done"']),
        ("UIDPLUS", [b'UID COPY 1 "Done"', b"UID STORE 1 +FLAGS.SILENT (\\Deleted)", b"UID EXPUNGE 1"]),
        ("", [b'UID COPY 1 "Done"', b"UID STORE 1 +FLAGS.SILENT (\\Deleted)"]),
    ],
)
async def test_moving_never_removes_what_others_have_marked(offers: str, commands: list[bytes]) -> None:
    """A plain EXPUNGE would."""
    context = FakeContext()
    async with (
        Far(letter("one"), offers=f"IMAP4rev1 IDLE AUTH=PLAIN {offers}").serving() as far,
        listening(reading(far.config(after="move", move_to="Done"), context)),
    ):
        await until(far.idles)
    settling = [b"MOVE", b"COPY", b"STORE", b"EXPUNGE"]
    assert [each for each in far.heard if any(word in each for word in settling)] == commands


async def test_what_was_copied_before_a_crash_is_not_copied_again() -> None:
    context = FakeContext()
    says = {"UID EXPUNGE": b"* BYE\r\n"}
    async with Far(letter("one"), says=says, offers="IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN").serving() as far:
        with pytest.raises(NotSentError):
            await listens(far, context, after="move", move_to="Done")
        far.says.clear()
        async with listening(reading(far.config(after="move", move_to="Done"), context)):
            await until(far.idles)
    assert len(far.commands("UID COPY")) == 1
    assert not far.mails


# --- several folders ------------------------------------------------------------------------------------------------


async def test_one_folder_that_breaks_is_tried_again_and_the_others_do_not_notice() -> None:
    context = FakeContext()
    far = Far()
    says: list[bytes] = []

    def select(arguments: bytes) -> bytes:
        return says.pop() if says and arguments == b'"B"' else far._answer("SELECT", arguments)

    far.says["SELECT"] = select
    async with far.serving(), listening(reading(far.config(folders=("A", "B")), context)):
        await until(lambda: far.idles(2))
        says.append(b"* BYE\r\n")
        await far._idlers[-1].send(b"* BYE\r\n")
        await until(lambda: "'B' is not read now" in context.logged)
        await far.deliver(letter("news"))
        await until(lambda: texts(context) == ["news"])
        await time_passes(context, 1, lambda: not says and far.idles(2))


async def test_when_no_folder_is_read_any_more_the_engine_hears_of_it() -> None:
    context = FakeContext()
    async with Far().serving() as far:
        with pytest.raises(ExceptionGroup) as caught, anyio.fail_after(10):  # noqa: PT012
            async with listening(reading(far.config(folders=("A", "B")), context)):
                await until(lambda: far.idles(2))
                far.server.drop()
                await anyio.sleep_forever()
    assert caught.group_contains(NotSentError, depth=None)


async def test_all_folders_have_to_be_there_at_first() -> None:
    context = FakeContext()
    far = Far()

    def select(arguments: bytes) -> bytes:
        return b"TAG NO [NONEXISTENT] no\r\n" if arguments == b'"B"' else far._answer("SELECT", arguments)

    far.says["SELECT"] = select
    async with far.serving():
        with pytest.raises(ExceptionGroup) as caught:
            await listens(far, context, folders=("A", "B"))
    assert caught.group_contains(ConfigurationError, match="'B' of imap.folders", depth=None)


# --- trouble that a person has to look at ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"SELECT": b"TAG NO [NONEXISTENT] Mailbox doesn't exist\r\n"}, "'INBOX' of imap.folders"),
        ({"SELECT": b"* OK [READ-ONLY] x\r\nTAG OK [READ-ONLY] x\r\n"}, 'imap.after = "nothing"'),
        ({"STATUS": b"TAG NO [NONEXISTENT] Mailbox doesn't exist\r\n"}, "'Done' of imap.move_to"),
    ],
)
async def test_a_folder_that_cannot_be_used_is_named(says: dict[str, bytes], words: str) -> None:
    async with Far(letter("one"), says=dict(says)).serving() as far:
        with pytest.raises(ConfigurationError, match=words):
            await listens(far, FakeContext(), after="move", move_to="Done")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", AuthenticationError),
        (b"TAG NO no secret-word here\r\n", AuthenticationError),
        (b'TAG BAD not understood: "AGFubgBzZWNyZXQtd29yZA=="\r\n', AuthenticationError),
        (b"TAG NO [ALERT] Application-specific password required\r\n", AuthenticationError),
        (b"TAG NO [UNAVAILABLE] The user database is away\r\n", NotSentError),
        (b"TAG NO [LIMIT] enough\r\n", NotSentError),
        (b"TAG NO [ALERT] Too many simultaneous connections. (Failure)\r\n", NotSentError),
        (b"TAG NO Too many simultaneous connections.\r\n", NotSentError),
        (b"* BYE Shutting down\r\n", NotSentError),
        (b"nonsense\r\n", NotSentError),
    ],
)
async def test_a_refused_login_takes_the_channel_down_and_a_busy_server_does_not(
    refusal: bytes, error: type[Exception]
) -> None:
    async with Far(says={"LOGIN": refusal}, offers="IMAP4rev1").serving() as far:
        with pytest.raises(error) as caught:
            await listens(far, FakeContext())
    assert "secret-word" not in repr(caught.value)
    assert "AGFubgBzZWNyZXQtd29yZA" not in repr(caught.value)


@pytest.mark.parametrize("command", ["LOGIN", "AUTHENTICATE"])
async def test_a_connection_that_is_lost_at_the_login_is_no_refusal(command: str) -> None:
    """A restart of the mail server must not take the channel down until a person acts."""
    offers = "IMAP4rev1" if command == "LOGIN" else "IMAP4rev1 AUTH=PLAIN"
    far = Far(offers=offers)

    def vanish(_: bytes) -> bytes:
        far.server.drop()
        return b""

    far.says[command] = vanish
    async with far.serving():
        with pytest.raises(NotSentError, match="is lost"):
            await listens(far, FakeContext())


async def test_a_name_with_quotes_does_not_end_the_command() -> None:
    async with (
        Far(offers="IMAP4rev1 IDLE").serving() as far,
        listening(reading(far.config(username='a"b c', password='p\\"w'), FakeContext())),
    ):
        pass
    assert far.commands("LOGIN") == [rb'LOGIN "a\"b c" "p\\\"w"']


async def test_a_server_that_takes_no_login_in_the_clear_is_not_told_the_password() -> None:
    async with Far(offers="IMAP4rev1 LOGINDISABLED").serving() as far:
        with pytest.raises(AuthenticationError, match="no way to log in"):
            await listens(far, FakeContext())
    assert not any(b"secret-word" in each for each in far.heard)


async def test_nobody_logs_in_without_a_password() -> None:
    async with Far().serving() as far:
        with pytest.raises(ConfigurationError, match=r"imap\.password or imap\.oauth"):
            await listens(far, FakeContext(), password=None)


async def test_a_probe_says_what_is_wrong_and_what_is_there() -> None:
    async with Far().serving() as far:
        health = await reading(far.config(), FakeContext()).probe()
        assert health.ok
        assert "INBOX" in health.detail
        far.says["STATUS"] = b"TAG NO no such folder\r\n"
        health = await reading(far.config(), FakeContext()).probe()
        assert not health.ok
        assert "no such folder" in health.detail
