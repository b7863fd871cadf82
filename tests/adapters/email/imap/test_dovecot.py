"""The same against a real server."""

import imaplib
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from convergekit.abc import Admission, Cursor
from convergekit.adapters.email.imap import Mailbox
from convergekit.errors import AuthenticationError, ConfigurationError, DeliveryError
from convergekit.model import Event
from convergekit.testing import FakeContext
from tools.mail import Account, CutProxy, MailServers

from .kit import at_dovecot, in_thread, left_behind, letter, listening, reading, texts, time_passes, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The servers are slow, and which loop waits for them does not matter to them."""
    return "asyncio"


def flags(mail: MailServers, account: Account, folder: str = "INBOX") -> list[bytes]:
    """Of each mail, as the server says them to somebody else."""
    with imaplib.IMAP4_SSL("localhost", mail.imaps, ssl_context=mail.ssl_context()) as client:
        client.login(*account)
        client.select(folder, readonly=True)
        return [line for line in client.uid("FETCH", "1:*", "(FLAGS)")[1] if isinstance(line, bytes)]


async def keeps_listening(mailbox: Mailbox) -> None:
    """As the engine has it: what fails is begun again."""
    while True:
        try:
            await mailbox.listen()
        except* DeliveryError:
            await anyio.sleep(0.05)


async def while_listening(mailbox: Mailbox, work: Callable[[], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeps_listening, mailbox)
        await work()
        tasks.cancel_scope.cancel()


async def test_idle_delivers_at_once(mail: MailServers, account: Account) -> None:
    """Dovecot takes half a second by itself; ours is a tenth of one at most."""
    context = FakeContext()
    async with listening(reading(at_dovecot(mail, account), context)):
        await in_thread(mail.deliver, letter("one"), account.user)
        await until(lambda: texts(context) == ["one"])
        begun = anyio.current_time()
        await in_thread(mail.deliver, letter("two"), account.user)
        await until(lambda: texts(context) == ["one", "two"])
        assert anyio.current_time() - begun < 3, "0.65 s on a machine that has nothing else to do"


async def test_starttls_is_spoken(mail: MailServers, account: Account) -> None:
    context = FakeContext()
    mail.deliver(letter("one"), account.user)
    async with listening(reading(at_dovecot(mail, account, port=mail.imap, security="starttls"), context)):
        await until(lambda: context.admitted)

    def logins() -> list[str]:
        return [line for line in mail.logs().splitlines() if f"Login: user=<{account.user}>" in line]

    await until(logins)
    assert all(", TLS," in line for line in logins()), "Dovecot lets in whoever comes over loopback, without TLS too"


@pytest.mark.parametrize("crash", [False, True])
async def test_idle_survives_a_restart_of_the_server(mail: MailServers, account: Account, crash: bool) -> None:
    context = FakeContext()

    async def work() -> None:
        await in_thread(mail.deliver, letter("before"), account.user)
        await until(lambda: texts(context) == ["before"])
        await in_thread(lambda: mail.restart_imap(crash=crash))
        await in_thread(mail.deliver, letter("after"), account.user)
        await until(lambda: texts(context) == ["before", "after"], 20)

    await while_listening(reading(at_dovecot(mail, account), context), work)


async def test_a_line_that_is_cut_anywhere_loses_nothing(mail: MailServers, account: Account) -> None:
    """Each mail once, wherever in the conversation it happened."""
    subjects = [str(number) for number in range(12)]
    for subject in subjects:
        mail.deliver(letter(subject, 20_000), account.user)
    context = FakeContext()
    config = at_dovecot(mail, account)
    for octets in (100, 2_000, 5_000, 6_000, 7_000, 100_000, 250_000):
        with CutProxy(mail.imaps, after_answer=octets, times=1) as proxy:
            broken = config.model_copy(update={"port": proxy.port})
            with anyio.move_on_after(0.5):  # where it is not cut
                await keeps_once(reading(broken, context))
    async with listening(reading(config, context)):
        await until(lambda: len(context.admitted) == len(subjects))
    assert texts(context) == subjects


async def keeps_once(mailbox: Mailbox) -> None:
    try:
        await mailbox.listen()
    except* DeliveryError:
        pass


@pytest.mark.parametrize("change", ["recreate_folder", "renumber_folder"])
async def test_other_uids_neither_lose_nor_double(mail: MailServers, account: Account, change: str) -> None:
    context = FakeContext()

    async def work() -> None:
        for subject in ("one", "two"):
            await in_thread(mail.deliver, letter(subject), account.user)
        await until(lambda: texts(context) == ["one", "two"])
        await in_thread(getattr(mail, change), account.user)
        await in_thread(mail.deliver, letter("three"), account.user)
        await until(lambda: len(context.admitted) >= 3)

    await while_listening(reading(at_dovecot(mail, account), context), work)
    assert texts(context) == ["one", "two", "three"]


class Crashing(FakeContext):
    """Dies once, just after something was stored."""

    crashes = 1

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        admissions = await super().admit(*events, cursor=cursor)
        if events and self.crashes:
            self.crashes -= 1
            raise KeyboardInterrupt
        return admissions


@pytest.mark.parametrize("after", ["seen", "flag", "move", "delete"])
async def test_what_a_crash_left_undone_is_done_at_the_next_start(
    mail: MailServers, account: Account, after: str
) -> None:
    await in_thread(mail.uid_validity, account.user, "Done")
    for subject in ("one", "two"):
        mail.deliver(letter(subject), account.user)
    context = Crashing()
    config = at_dovecot(mail, account, after=after, move_to="Done" if after == "move" else None)
    with pytest.raises(KeyboardInterrupt):
        await reading(config, context).listen()
    assert not any(b"\\Seen" in each or b"$Convergekit" in each for each in await in_thread(flags, mail, account))
    assert len(mail.mailbox(account.user)) == 2

    def is_settled() -> bool:
        left = flags(mail, account)
        if after in ("move", "delete"):
            return not any(b"FETCH" in each or b"UID" in each for each in left)
        return all((b"\\Seen" if after == "seen" else b"$Convergekit") in each for each in left)

    async with listening(reading(config, context)):
        with anyio.fail_after(10):
            while not await in_thread(is_settled):  # noqa: ASYNC110  # what is waited for is in the server
                await anyio.sleep(0.05)
    assert texts(context) == ["one", "two"]
    if after == "move":
        assert len(mail.mailbox(account.user, "Done")) == 2


async def test_several_folders_are_read_each_from_where_it_was(mail: MailServers, account: Account) -> None:
    await in_thread(mail.uid_validity, account.user, "Other")
    context = FakeContext()
    config = at_dovecot(mail, account, folders=("INBOX", "Other"))
    mail.deliver(letter("one"), account.user)
    async with listening(reading(config, context)):
        await until(lambda: texts(context) == ["one"])
        await in_thread(append, mail, account, "Other", letter("two"))
        await until(lambda: sorted(filter(None, texts(context))) == ["one", "two"])
    assert [event.details["folder"] for event in context.admitted] == ["INBOX", "Other"]
    for folder in config.folders:
        assert (await context.cursor(folder))["uid"] > 0


def append(mail: MailServers, account: Account, folder: str, raw: bytes) -> None:
    with imaplib.IMAP4_SSL("localhost", mail.imaps, ssl_context=mail.ssl_context()) as client:
        client.login(*account)
        client.append(folder, "", "", raw)


async def test_a_folder_may_have_any_name(mail: MailServers, account: Account) -> None:
    """On the wire it is modified UTF-7 (RFC 3501 §5.1.3)."""
    await in_thread(mail.uid_validity, account.user, 'Erledigt & "Gelöscht"')
    mail.deliver(letter("one"), account.user)
    config = at_dovecot(mail, account, after="move", move_to='Erledigt & "Gelöscht"')
    async with listening(reading(config, FakeContext())):
        await until(lambda: not mail.mailbox(account.user))


async def test_a_folder_that_is_not_there_is_named(mail: MailServers, account: Account) -> None:
    with pytest.raises(ConfigurationError, match=r"'Nowhere' of imap\.folders"):
        await reading(at_dovecot(mail, account, folders=("Nowhere",)), FakeContext()).listen()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"folders": ("INBOX", "Nowhere")}, "'Nowhere' of imap.folders cannot be opened"),
        ({"after": "move", "move_to": "Nowhere"}, "'Nowhere' of imap.move_to cannot be opened"),
        ({"password": "not-this-one"}, "see imap.username, and imap.password"),
        ({"username": None}, "without imap.username"),
        ({"port": 9}, "see imap.host and imap.port"),
        ({"security": "starttls"}, "see imap.host, imap.port and imap.security"),
    ],
)
async def test_a_check_names_the_setting(mail: MailServers, account: Account, wrong: dict[str, Any], told: str) -> None:
    """The last one: a port where nobody speaks before TLS."""
    config = at_dovecot(mail, account, **{"timeout": 2.0, **wrong})
    health = await reading(config, FakeContext()).probe()
    assert not health.ok
    assert told in health.detail


async def test_tls_where_there_is_none_names_the_setting(mail: MailServers, account: Account) -> None:
    health = await reading(at_dovecot(mail, account, port=mail.imap, security="tls"), FakeContext()).probe()
    assert "see imap.host, imap.port and imap.security" in health.detail


async def test_only_what_nobody_has_seen_is_read_at_first(mail: MailServers, account: Account) -> None:
    for subject in ("old", "unread"):
        mail.deliver(letter(subject), account.user)
    await in_thread(see_first, mail, account)
    context = FakeContext()
    async with listening(reading(at_dovecot(mail, account, first="unseen"), context)):
        await until(lambda: context.admitted)
        await in_thread(mail.deliver, letter("new"), account.user)
        await until(lambda: len(context.admitted) == 2)
    assert texts(context) == ["unread", "new"]


def see_first(mail: MailServers, account: Account) -> None:
    with imaplib.IMAP4_SSL("localhost", mail.imaps, ssl_context=mail.ssl_context()) as client:
        client.login(*account)
        client.select()
        client.store("1", "+FLAGS", "\\Seen")


async def test_of_a_mail_that_is_too_large_there_is_the_header(mail: MailServers, account: Account) -> None:
    mail.deliver(letter("large", 300_000), account.user)
    context = FakeContext()
    async with listening(reading(at_dovecot(mail, account), context, max_size=65_536)):
        await until(lambda: context.admitted)
    (event,) = context.admitted
    assert event.details["is_partial"]
    assert event.details["size"] > 300_000 > event.details["octets"]


async def test_without_idle_it_looks_again_and_again(mail: MailServers, account: Account) -> None:
    context = FakeContext()
    async with listening(reading(at_dovecot(mail, account, idle=False), context)):
        await in_thread(mail.deliver, letter("one"), account.user)
        await time_passes(context, 60, lambda: context.admitted)


class Tokens:
    """A provider whose first token has expired."""

    def __init__(self, mail: MailServers, account: Account, *, second: float = 3600) -> None:
        self._given = [mail.token(account.user, expires=-10), mail.token(account.user, expires=second)]
        self.asked: list[bool] = []

    async def __call__(self, *, fresh: bool = False) -> str:
        self.asked.append(fresh)
        return self._given[int(fresh)]


async def test_a_token_that_is_refused_is_renewed_once(mail: MailServers, account: Account) -> None:
    tokens, context = Tokens(mail, account), FakeContext()
    mail.deliver(letter("one"), account.user)
    async with listening(reading(at_dovecot(mail, account, password=None), context, tokens)):
        await until(lambda: context.admitted)
    assert tokens.asked == [False, True]


async def test_and_not_twice(mail: MailServers, account: Account) -> None:
    tokens = Tokens(mail, account, second=-10)
    with pytest.raises(AuthenticationError) as caught:
        await reading(at_dovecot(mail, account, password=None), FakeContext(), tokens).listen()
    assert tokens.asked == [False, True]
    assert "eyJ" not in repr(caught.value)


async def test_a_wrong_password_takes_the_channel_down(mail: MailServers, account: Account) -> None:
    with pytest.raises(AuthenticationError, match="AUTHENTICATIONFAILED") as caught:
        await reading(at_dovecot(mail, account, password="not-this-one"), FakeContext()).listen()
    assert "not-this-one" not in repr(caught.value)


async def test_who_is_not_known_is_not_talked_to(mail: MailServers, account: Account) -> None:
    with pytest.raises(ConfigurationError, match=r"imap\.ca"):
        await reading(at_dovecot(mail, account, ca=None), FakeContext()).listen()


@pytest.mark.parametrize("seconds", [0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
async def test_it_can_be_cancelled_at_any_time(mail: MailServers, account: Account, seconds: float) -> None:
    """And what was not done then is done afterwards."""
    for number in range(3):
        mail.deliver(letter(str(number)), account.user)
    context = FakeContext()
    with anyio.move_on_after(seconds):
        await reading(at_dovecot(mail, account), context).listen()
    begun = anyio.current_time()
    async with listening(reading(at_dovecot(mail, account), context)):
        await until(lambda: len(context.admitted) == 3)
    assert anyio.current_time() - begun < 5
    assert texts(context) == ["0", "1", "2"]


async def test_two_readers_of_one_folder_do_not_disturb_each_other(mail: MailServers, account: Account) -> None:
    """What one removes is gone for the other, which is no trouble."""
    contexts = [FakeContext(), FakeContext()]
    config = at_dovecot(mail, account, after="delete")
    async with listening(reading(config, contexts[0])), listening(reading(config, contexts[1])):
        for number in range(5):
            await in_thread(mail.deliver, letter(str(number)), account.user)
        await until(lambda: {*texts(contexts[0]), *texts(contexts[1])} == set("01234"))
        await until(lambda: not mail.mailbox(account.user))


async def test_no_thread_waits_with_it(mail: MailServers, account: Account) -> None:
    """Mailboxes that nothing comes into take no thread from anybody."""
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(reading(at_dovecot(mail, account), FakeContext()).listen)
        await until(lambda: mail.connections(account.user) >= 5)
        await until(lambda: not left_behind())
        tasks.cancel_scope.cancel()
