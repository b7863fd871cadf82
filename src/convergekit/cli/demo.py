"""`convergekit demo`: the main job, on real sockets of this machine, without any account.

A partner's server posts a signed webhook, a handler answers it, and a contact is reached at the second address after
the first has refused. What is told is what the partner really got: each step is checked, and one that did not happen
ends the demonstration with a failure.
"""

from __future__ import annotations

import argparse
import base64
import secrets
from contextlib import closing
from typing import Any

import anyio

from convergekit import Address, Contact, Conversation, DispatchHandle, Hub, MemoryStore, MessageReceived, preferred
from convergekit.errors import DeliveryError
from convergekit.model import Delivery, Dispatch, DispatchState, Status

from ._console import Console, aligned
from ._partner import Got, Partner
from ._serving import server_installed, serving

__all__ = ["run"]

_PATIENCE = 60.0
_QUESTION = "Where is my order?"
_NEWS = "Your parcel is on its way."


def run(args: argparse.Namespace, console: Console) -> int:
    """Play it; return 1 when any step did not happen."""
    server_installed()
    return anyio.run(_play, args.backend, console, backend=args.backend)


async def _play(backend: str, console: Console) -> int:
    theirs, ours = _secret(), _secret()
    with closing(Partner(signs=theirs, verifies=ours, answers={"/ann/old": 410})) as partner:
        hub = Hub(store=MemoryStore())
        story = _Story(hub, partner, console)
        try:
            with anyio.fail_after(_PATIENCE):
                # Left from the inside out: our server, then the hub, and the partner's server last.
                async with (
                    serving(partner, backend=backend) as there,
                    hub,
                    serving(hub.asgi(), backend=backend) as here,
                ):
                    settings = {"url": f"{there}/inbox", "secrets": [ours], "inbound_secrets": [theirs]}
                    await hub.add_channel("shop", {"adapter": "webhook", **settings})
                    await story.play(here, there)
        except TimeoutError:
            console.warn(f"the demonstration did not end within {_PATIENCE:g} seconds")
            return 1
        story.ends()
    return int(bool(story.missed))


class _Story:
    """Tells the steps in order, and remembers which did not happen."""

    def __init__(self, hub: Hub, partner: Partner, console: Console) -> None:
        self._hub, self._partner, self._console = hub, partner, console
        self._handled: list[MessageReceived] = []
        self._number = 0
        self.missed: list[str] = []
        hub.on_message(channel="shop")(self._answer)

    async def _answer(self, message: MessageReceived, conversation: Conversation) -> None:
        """The application's own code: all that a user of the library would write."""
        self._handled.append(message)
        await conversation.reply(f"You asked: {message.text!r} It ships today.")

    async def play(self, here: str, there: str) -> None:
        """All steps."""
        self._opens(here, there)
        await self._forgery(here)
        await self._way_in(here)
        await self._way_out()
        await self._repeat(here)
        await self._fallback(there)
        await self._ledger()

    def _opens(self, here: str, there: str) -> None:
        say = self._console.say
        say("Two parties on this machine, over real sockets; nothing leaves it, and no account is needed.")
        say()
        say(f"  we        {here}  a hub with one channel, the webhook channel 'shop'")
        say(f"  partner   {there}  somebody else's server, with code of its own and two shared secrets")
        say()

    async def _forgery(self, here: str) -> None:
        status = await self._partner.post(f"{here}/shop", _QUESTION, id="msg_forged", forged=True)
        stored = (await self._hub.store.counts()).entries
        self._step(
            "forgery",
            f"A webhook whose signature does not fit is refused ({status}), and nothing of it is stored.",
            status == 401 and not stored,
            status=status,
        )

    async def _way_in(self, here: str) -> None:
        status = await self._partner.post(f"{here}/shop", _QUESTION, id="msg_1")
        self._step(
            "taken",
            f"A signed webhook comes in and is taken ({status}): it was stored before the partner was told so.",
            status == 204,
            status=status,
        )

    async def _way_out(self) -> None:
        got = await self._partner.next()  # the handler has run when its reply is there
        texts = [message.text for message in self._handled]
        self._step(
            "handled",
            f"The router gives it to the handler, which reads {texts[0]!r}." if texts else "No handler got it.",
            texts == [_QUESTION],
            texts=texts,
        )
        self._step(
            "replied",
            f"The reply goes out signed; the partner got {got.text!r}, and the signature fits."
            if got is not None and got.genuine
            else "The partner got no reply whose signature fits.",
            _is(got, "/inbox", f"You asked: {_QUESTION!r} It ships today."),
            **_facts(got),
        )

    async def _repeat(self, here: str) -> None:
        status = await self._partner.post(f"{here}/shop", _QUESTION, id="msg_1")
        await self._hub.idle()
        self._step(
            "repeat",
            f"The same webhook comes in again and is answered alike ({status}); the handler has run once, and "
            "one reply has gone out.",
            status == 204 and len(self._handled) == 1 and len(self._partner.received) == 1,
            status=status,
            handled=len(self._handled),
            replies=len(self._partner.received),
        )

    async def _fallback(self, there: str) -> None:
        ann = Contact(id="ann", name="Ann", addresses=(Address(f"{there}/ann/old"), Address(f"{there}/ann/new")))
        handle, error = await self._sent(ann)
        first, second = await self._partner.next(), await self._partner.next()
        self._step(
            "refused",
            f"Ann has two addresses. The first refuses ({first.answer if first else 'it was never asked'}).",
            first is not None and first.path == "/ann/old" and first.genuine and first.answer == 410,
            **_facts(first),
        )
        self._step(
            "reached",
            f"She is reached at the second: the partner got {second.text!r}, and the signature fits."
            if second is not None and second.genuine
            else f"She was not reached at the second: {error or 'nothing arrived'}.",
            handle is not None and handle.state is DispatchState.SATISFIED and _is(second, "/ann/new", _NEWS),
            **_facts(second),
        )

    async def _sent(self, ann: Contact) -> tuple[DispatchHandle | None, DeliveryError | None]:
        try:
            return await self._hub.send(_NEWS, to=ann, via=preferred(), key="order-42:shipped"), None
        except DeliveryError as exc:
            return None, exc

    async def _ledger(self) -> None:
        dispatches = list(reversed(await self._hub.store.dispatches()))
        legs = [(dispatch, leg) for dispatch in dispatches for leg in dispatch.deliveries]
        ends = [(leg.address.uri.rpartition("/")[2], leg.status, len(leg.history)) for _, leg in legs]
        expected = [("inbox", Status.DELIVERED, 1), ("old", Status.FAILED, 1), ("new", Status.DELIVERED, 1)]
        rows = [_row(dispatch, leg) for dispatch, leg in legs]
        self._step("ledger", "The ledger says the same:", ends == expected, legs=rows)
        self._console.say()
        for line in _lines(rows):
            self._console.say(f"  {line}")
        self._console.say()

    def _step(self, name: str, text: str, ok: bool, /, **facts: Any) -> None:
        self._number += 1
        if not ok:
            self.missed.append(name)
        mark = "ok  " if ok else "MISS"
        self._console.tell(f"{self._number} {mark} {text}", step=self._number, name=name, ok=ok, text=text, **facts)

    def ends(self) -> None:
        """The last line: what became of it all."""
        if self.missed:
            self._console.warn(f"these steps did not happen: {', '.join(self.missed)}")
        else:
            self._console.say("All of it happened, and the partner's own check of each signature agrees.")


def _secret() -> str:
    """As Standard Webhooks writes them: `whsec_` and base64 of 24 to 64 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _is(got: Got | None, path: str, text: str) -> bool:
    return got is not None and got.genuine and (got.path, got.text) == (path, text)


def _facts(got: Got | None) -> dict[str, Any]:
    if got is None:
        return {"received": False}
    return {"received": True, "path": got.path, "genuine": got.genuine, "body_text": got.text, "answer": got.answer}


def _row(dispatch: Dispatch, leg: Delivery) -> dict[str, Any]:
    tries = [f"{attempt.outcome} {attempt.code or ''}".strip() for attempt in leg.history]
    return {
        "to": dispatch.recipient if dispatch.recipient.startswith("contact:") else "the one who asked",
        "leg": leg.leg + 1,
        "address": leg.address.uri,
        "channel": leg.channel,
        "attempts": ", ".join(tries),
        "status": leg.status.value,
        "message": dispatch.state.value,
    }


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows for people: which message, each way it was tried, and what is known of that."""
    columns = ("to", "leg", "address", "attempts", "status", "message")
    heads = [column.upper() for column in columns]
    return aligned([heads, *([str(row[column]) for column in columns] for row in rows)])
