"""The email channel: a letter is built, handed over, and what comes in is read."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Self

from anyio import TASK_STATUS_IGNORED, create_task_group, move_on_after, to_thread
from anyio.abc import TaskStatus

from convergekit.abc import Adapter, ChannelContext, Health, Outgoing
from convergekit.errors import ConfigurationError, NotSentError, UnsupportedContentError
from convergekit.http import TokenProvider
from convergekit.model import AttachmentLimit, Capabilities, Event, Markup, Receipt, Status

from . import translator
from ._both import listen_both
from .arrival import Envelope, to_events
from .building import File, Signer
from .config import EmailConfig
from .identifiers import Identifiers
from .lmtp import LmtpListener
from .oauth import to_provider
from .smtp import Extensions, Pool

if TYPE_CHECKING:
    from .imap import Mailbox

__all__ = ["EmailAdapter"]

_LARGE: Final = 262_144  # octets: what takes longer than a moment to build is built in a thread
_KEY: Final = "identifier-key"
_PATIENCE: Final = 20.0  # seconds for each side to say how it is; `convergekit check` waits for 30
_NEEDED: Final = ("aiosmtplib", "imapclient", "flufl.bounce")  # of the extra; imported where they are used


class EmailAdapter(Adapter[EmailConfig]):
    """Sends by SMTP; receives by IMAP, by LMTP, or by both.

    Enter it once; inside, `send` may be called from any number of tasks.

    Args:
        config: The mailbox.
        context: What the engine lends. Its `parts` may have `token`: an asynchronous function that gives an access
            token for XOAUTH2, called with `fresh=True` when the last one was refused.
    """

    name = "email"
    schemes = frozenset({"mailto"})
    backends = frozenset({"asyncio"})
    Config = EmailConfig
    capabilities = Capabilities(
        markup=Markup(format="plain", html_alternative=True),
        attachments=AttachmentLimit(count=100, total=50_000_000),
        subject=True,
        cc=True,
        threads=True,
        replies=True,
        receipts=frozenset({Status.ACCEPTED, Status.RELAYED, Status.FAILED, Status.DELIVERED, Status.READ}),
    )
    calls_started = True
    send_timeout: ClassVar[float] = 110.0  # below the shortest lease

    @classmethod
    def schemes_for(cls, config: EmailConfig) -> frozenset[str]:
        """None where there is no `smtp`: such a channel only receives."""
        return cls.schemes if config.smtp is not None else frozenset()

    def __init__(self, config: EmailConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        if not all(map(_is_installed, _NEEDED)):
            raise ConfigurationError("the email channel needs an extra: pip install 'convergekit[email]'")
        self._identifiers: Identifiers | None = None
        self._pool: Pool | None = None
        self._signer = Signer(config.dkim, config.address.rpartition("@")[2]) if config.dkim is not None else None
        given: TokenProvider | None = context.parts.get("token")
        account = config.imap_account
        self._smtp_tokens = to_provider(config.smtp.oauth if config.smtp else None, context, given)
        self._imap_tokens = to_provider(account.oauth if account else None, context, given)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Connections are made when they are needed: a mail server that is away keeps no channel from opening."""
        self._identifiers = Identifiers(await self._identifier_key(), self.config.domain)
        if self.config.smtp is None:
            yield self
            return
        async with Pool(
            self.config.smtp, clock=self.context.clock, log=self.context.log, tokens=self._smtp_tokens
        ) as self._pool:
            yield self

    async def send(self, out: Outgoing) -> Receipt:
        """Hand *out* to the submission server; a 250 means that it has it."""
        if self._pool is None or self._identifiers is None:
            # Nothing that takes the channel down: what comes in is to go on coming in.
            raise NotSentError("this channel only receives: set `smtp`, or send by another one: via(...)")
        files = await self._files(out)
        letter = translator.to_letter(
            out, files, config=self.config, identifiers=self._identifiers, now=self.context.clock.now()
        )
        size = len(out.part.text) + len(out.part.html or "") + sum(len(each.content) for each in files)

        async def content(extensions: Extensions) -> bytes:
            # What is signed is 7-bit: a server that could not send it on otherwise would break the signature.
            make = partial(letter.to_bytes, eight_bit=extensions.eight_bit and self._signer is None)
            built = make() if size < _LARGE else await to_thread.run_sync(make)
            return built if self._signer is None else await self._signer.sign(built)

        accepted = await self._pool.deliver(letter.envelope, content, out.started)
        return translator.to_receipt(out, letter, accepted)

    async def check(self) -> Health:
        """Whether each side of the mailbox lets us in."""
        probes: dict[str, Callable[[], Awaitable[Health]]] = {}
        if self._pool is not None:
            probes["smtp"] = self._pool.probe
        if (mailbox := self._mailbox()) is not None:
            probes["imap"] = mailbox.probe
        found: dict[str, Health] = {}

        async def ask(side: str) -> None:
            found[side] = await _answer(side, probes[side])

        async with create_task_group() as tasks:
            for side in probes:
                tasks.start_soon(ask, side)
        told = [f"{side}: {found[side].detail.removeprefix(f'{side}: ')}" for side in probes]
        if self.config.lmtp is not None:  # who receives may be listening there already, so this does not
            told.append(f"lmtp: listens at {self.config.lmtp.place}, which is not tried here")
        return Health(ok=all(health.ok for health in found.values()), detail="; ".join(told))

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit what comes in by IMAP and by LMTP, until cancelled."""
        mailbox, listener = self._mailbox(), self._listener()
        if mailbox is not None and listener is not None:
            await listen_both(mailbox, listener, self.context, task_status=task_status)
        elif (side := mailbox or listener) is not None:
            await side.listen(task_status=task_status)
        else:
            task_status.started()  # a mailbox that is only written from

    def _mailbox(self) -> Mailbox | None:
        account = self.config.imap_account
        if account is None:
            return None
        from .imap import Mailbox  # here, so that who lacks the extra is told which

        return Mailbox(account, self.context, self._to_events, self._imap_tokens, self.config.max_size)

    def _listener(self) -> LmtpListener | None:
        if self.config.lmtp is None:
            return None
        return LmtpListener(self.config.lmtp, self.context, self._to_events, self.config.max_size)

    def _to_events(self, raw: bytes, envelope: Envelope) -> Sequence[Event]:
        assert self._identifiers is not None, "listening comes after entering"
        return to_events(raw, envelope, config=self.config, identifiers=self._identifiers)

    async def _files(self, out: Outgoing) -> list[File]:
        found, left = [], self.capabilities.attachments.total or 0
        for each in out.part.attachments:
            if each.url is not None:
                raise UnsupportedContentError("an attachment is only a URL: mail carries what is in it")
            content = await self.context.read(each, limit=left)
            left -= len(content)
            found.append(File(content, each.media_type, each.name, each.content_id))
        return found

    async def _identifier_key(self) -> bytes:
        """That of the settings, or one that all processes on this ledger share, from when the first of them made it."""
        if self.config.identifier_key is not None:
            return self.config.identifier_key.get_secret_value().encode()
        kept, version = await self.context.state.get(_KEY)
        while not isinstance(kept, str):
            await self.context.state.put(_KEY, secrets.token_hex(32), version=version)
            kept, version = await self.context.state.get(_KEY)
        return kept.encode()


async def _answer(side: str, probe: Callable[[], Awaitable[Health]]) -> Health:
    with move_on_after(_PATIENCE):
        return await probe()
    where = f"{side}.host, {side}.port and {side}.security"
    return Health(ok=False, detail=f"nothing is answered within {_PATIENCE:g} seconds: see {where}")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
