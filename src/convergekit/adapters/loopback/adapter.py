"""Lifetime and wiring."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit.abc import (
    Adapter,
    Admission,
    ChannelContext,
    Health,
    Outgoing,
    Polled,
    Reconciliation,
    Request,
    Response,
)
from convergekit.errors import DeliveryError, RejectedError, SignatureError, UnsupportedContentError
from convergekit.http import verify_hmac
from convergekit.model import (
    Address,
    Attachment,
    AttachmentLimit,
    Capabilities,
    ConversationKind,
    ConversationRef,
    Event,
    Idempotency,
    IdempotencyKind,
    Markup,
    Message,
    PresenceChanged,
    Receipt,
    Status,
    TextLimit,
)

from . import translator
from .config import LoopbackConfig
from .medium import Medium

__all__ = ["LoopbackAdapter"]


class LoopbackAdapter(Adapter[LoopbackConfig]):
    """Sends into, and receives from, a `Medium`.

    Args:
        config: Its settings.
        context: What the engine lends. A `Medium` among its parts, under "medium", is used; else a new one.
    """

    name = "loopback"
    schemes = frozenset({"loopback"})
    Config = LoopbackConfig
    capabilities = Capabilities(
        text=TextLimit(max=1000),
        markup=Markup(format="markdown"),
        attachments=AttachmentLimit(count=10),
        subject=True,
        cc=True,
        threads=True,
        replies=True,
        receipts=frozenset({Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ, Status.ANSWERED}),
        typing_period=30.0,
    )
    batch_size = 10

    def __init__(self, config: LoopbackConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        medium = context.parts.get("medium")
        self.medium = medium if isinstance(medium, Medium) else Medium()
        self.feeds: Sequence[str] = ("inbox",)
        self.poll_interval = config.poll_interval
        if self.medium.idempotent and self.capabilities.idempotency.kind is IdempotencyKind.NONE:
            natural = {"idempotency": Idempotency(kind=IdempotencyKind.KEY)}
            self.capabilities = self.capabilities.model_copy(update=natural)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Log in."""
        self._log_in()
        yield self

    def _log_in(self) -> None:
        if self.medium.refuses_login is not None:
            raise self.medium.refuses_login

    async def send(self, out: Outgoing) -> Receipt:
        """Hand over to the medium."""
        files = [b"" if each.url is not None else await self.context.read(each) for each in out.part.attachments]
        out.started()
        return await self.medium.take(out, files)

    edit = retract = react = mark_read = send

    async def send_batch(self, outs: Sequence[Outgoing]) -> Sequence[Receipt | DeliveryError]:
        """Each by itself."""
        answers: list[Receipt | DeliveryError] = []
        for out in outs:
            try:
                answers.append(await self.send(out))
            except DeliveryError as error:
                answers.append(error)
        return answers

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        """Ask the medium what it remembers."""
        if not self.medium.remembers:
            return Reconciliation.DONT_KNOW
        return self.medium.receipt_for(out.key) or Reconciliation.NOT_TAKEN

    async def check(self) -> Health:
        """Whether the medium lets us in."""
        refused = self.medium.refuses_login
        return Health(ok=refused is None, detail="in memory" if refused is None else str(refused))

    # In, all three ways

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit what is said, in order; the medium forgets it only then."""
        self._log_in()
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            await self.context.admit(translator.to_event_or_invalid(said))
            self.medium.acknowledge()

    async def poll(self, feed: str, cursor: Any) -> Polled:
        """The feed from *cursor* on."""
        start = cursor or 0
        page = self.medium.page(start)
        events = [translator.to_event_or_invalid(fields) for fields in page]
        return Polled(events, cursor=start + len(page), more=bool(self.medium.page(start + len(page))))

    def challenge(self, request: Request) -> Response | None:
        """Answer a GET with its query."""
        return Response(200, request.query.encode()) if request.method == "GET" else None

    async def verify(self, request: Request) -> None:
        """HMAC-SHA256 of the body in `x-signature`, hexadecimal."""
        if self.config.secret is None:
            raise SignatureError("this channel has no secret, and so accepts no webhooks")
        verify_hmac(request.body, request.headers.get("x-signature"), [self.config.secret.get_secret_value().encode()])

    def parse(self, request: Request) -> Sequence[Event]:
        """The fields of one message, or a list of such."""
        return translator.to_events(request.body)

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        """How many there were, old ones included."""
        return Response(200, str(len(admitted)).encode())

    # The rest of the contract

    async def typing(self, conversation: ConversationRef, typing: bool) -> None:
        """Show, or stop showing."""
        place = (self.context.channel, conversation.key)
        (self.medium.typing.add if typing else self.medium.typing.discard)(place)

    async def set_presence(self, presence: str, text: str | None = None) -> None:
        """Show *presence*."""
        self.medium.presence[self.context.channel] = presence

    async def presence_of(self, who: Address) -> PresenceChanged:
        """What the medium has of them."""
        return PresenceChanged.model_validate({"sender": who, "presence": self.medium.presence.get(who.uri, "offline")})

    async def subscribe(self, who: Address, text: str | None = None) -> None:
        """Ask."""
        self.medium.subscriptions[self.context.channel, who.uri] = "asked"

    async def accept_subscription(self, who: Address) -> None:
        """Let them."""
        self.medium.subscriptions[self.context.channel, who.uri] = "accepted"

    async def unsubscribe(self, who: Address) -> None:
        """No more."""
        self.medium.subscriptions.pop((self.context.channel, who.uri), None)

    refuse_subscription = unsubscribe

    async def enable(self, address: Address) -> bool:
        """Whoever was gone is there again."""
        was_gone = address.uri in self.medium.gone
        self.medium.gone.discard(address.uri)
        return was_gone

    async def find(self, name: str) -> Address:
        """Whoever has this name here has it as an address."""
        return Address.parse(f"{self._scheme}:{name}", display_name=name)

    def hand_over(self, conversation: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
        """The same address, direct."""
        if conversation.kind is ConversationKind.DIRECT:
            raise UnsupportedContentError("this conversation is private already", channel=self.context.channel)
        return ConversationRef(channel=self.context.channel, address=conversation.address), message

    async def create_room(self, name: str, **options: Any) -> ConversationRef:
        """A room with nobody in it."""
        room = Address.parse(f"{self._scheme}:{name.removeprefix(f'{self._scheme}:')}")
        self.medium.rooms.setdefault(room, [])
        return self._room(room)

    async def join(self, room: Address, *, nickname: str | None = None) -> ConversationRef:
        """Enter."""
        await self.invite(room, self._own)
        return self._room(room)

    async def leave(self, room: Address) -> None:
        """Leave."""
        members = self.medium.rooms.get(room, [])
        self.medium.rooms[room] = [member for member in members if member != self._own]

    async def invite(self, room: Address, who: Address, text: str | None = None) -> None:
        """Whoever is invited is in."""
        members = self.medium.rooms.setdefault(room, [])
        if who not in members:
            members.append(who)

    async def members(self, room: Address) -> Sequence[Address]:
        """Who is in it."""
        return tuple(self.medium.rooms.get(room, ()))

    async def upload(self, attachment: Attachment, conversation: ConversationRef) -> str:
        """Keep its bytes under a URL."""
        url = f"loopback:upload/{len(self.medium.uploads) + 1}"
        self.medium.uploads[url] = await self.context.read(attachment)
        return url

    @asynccontextmanager
    async def fetch(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        """What the medium serves under that URL."""
        if attachment.url not in self.medium.uploads:
            raise RejectedError("nothing is served there", channel=self.context.channel)
        async with aclosing(_served(self.medium.uploads[attachment.url])) as chunks:
            yield chunks

    async def history(
        self, conversation: ConversationRef, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        """The feed, backwards."""
        end = self.medium.size if cursor is None else cursor
        start = max(0, end - limit)
        events = [translator.to_event(fields) for fields in self.medium.page(start, end - start)]
        return events, start or None

    @property
    def _scheme(self) -> str:
        return min(self.schemes)  # a test has this adapter stand in for others, whose rooms have addresses of theirs

    @property
    def _own(self) -> Address:
        return Address.parse(f"loopback:{self.context.channel}")

    def _room(self, room: Address) -> ConversationRef:
        return ConversationRef(channel=self.context.channel, address=room, kind=ConversationKind.GROUP)


async def _served(content: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]
