"""From a public conversation into a private one, and who is behind a name: what hosts and blocking code call."""

from __future__ import annotations

import pytest

from convergekit import Conversation, Hub, MemoryStore, MessageReceived, Status, sync
from convergekit.adapters.loopback import Medium
from convergekit.errors import ConfigurationError, NotRunningError, UnsupportedContentError
from convergekit.model import Address, ConversationKind, ConversationRef
from convergekit.testing import RecordingHub

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
SECRET = "whsec_" + "A" * 43 + "="
MENTION = MessageReceived(
    key="m1",
    channel="loop",
    message_id="m1",
    sender=ANN,
    text="@us my parcel is lost",
    conversation=ConversationRef(channel="loop", address=ANN, kind=ConversationKind.PUBLIC, thread="t1"),
)


async def test_a_public_conversation_goes_on_in_private() -> None:
    """The invitation stands where all can read it, as an answer; what follows goes to the person alone."""
    medium = Medium()
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        private = await hub.conversation(MENTION).hand_over("Please write to us in private.")
        await private.send("Which number has it?")

    invitation, question = medium.sent
    assert (invitation.out.conversation.kind, invitation.out.conversation.thread) == (ConversationKind.PUBLIC, "t1")
    assert invitation.out.message.reply_to == "m1"
    assert private.ref == ConversationRef(channel="loop", address=ANN)
    assert question.out.conversation == private.ref
    assert question.out.message.reply_to is None


async def test_a_handler_that_runs_again_invites_once() -> None:
    """As with all that a handler sends, its key is made of the event's."""
    runs: list[str] = []
    async with RecordingHub(channels={"x": "x"}) as hub:

        @hub.on_message()
        async def answer(message: MessageReceived, conversation: Conversation) -> None:
            private = await conversation.hand_over("Please write to us in private.")
            runs.append(str(private.ref.address))
            if len(runs) == 1:
                raise LookupError("the first time")

        with pytest.raises(LookupError):
            await hub.inbound(
                "x",
                "x:42",
                "@us help",
                conversation=ConversationRef(address="x:42", kind=ConversationKind.PUBLIC, thread="7"),
            )
        await hub.advance(60)
        assert runs == ["x:42", "x:42"]
        assert hub.captured.texts() == ["Please write to us in private."]


async def test_where_it_is_private_already_nothing_is_sent() -> None:
    medium = Medium()
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        with pytest.raises(UnsupportedContentError, match="private already"):
            await hub.conversation(ANN).hand_over("Please write to us in private.")
        assert medium.sent == []


async def test_a_medium_without_private_conversations_says_so() -> None:
    """So does one without names; and both are known before the channel is up."""
    async with Hub(store=MemoryStore()) as hub:
        shop = await hub.add_channel(
            "shop", {"adapter": "webhook", "url": "https://example.org/hook", "secrets": [SECRET]}
        )
        with pytest.raises(UnsupportedContentError, match="webhook has no private conversations"):
            await hub.conversation("https://example.org/hook").hand_over("Hello")
        with pytest.raises(UnsupportedContentError, match="webhook has no names to look up"):
            await shop.find("@ann")
        gone = hub.conversation(ConversationRef(channel="shop", address="https://example.org/hook"))
        await hub.remove_channel("shop")
        with pytest.raises(ConfigurationError, match="there is no channel 'shop'"):
            await gone.hand_over("Hello")
    with pytest.raises(NotRunningError):
        await shop.find("@ann")


async def test_an_invitation_can_be_submitted_while_the_channel_is_down() -> None:
    """What leads into the private conversation needs no connection: a web process beside workers can say it."""
    async with Hub(store=MemoryStore(), role="submit") as hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=Medium())
        private = await hub.conversation("loopback:us", kind=ConversationKind.PUBLIC).hand_over("Write to us.")
        assert private.ref.kind is ConversationKind.DIRECT


async def test_who_has_a_name_is_found_by_it() -> None:
    async with Hub(store=MemoryStore()) as hub:
        channel = await hub.add_channel("loop", {"adapter": "loopback"}, medium=Medium())
        found = await channel.find("ann")
        assert (found, found.display_name) == (Address(ANN), "ann")


def test_blocking_code_does_both() -> None:
    medium = Medium()
    with sync.Hub(store="memory:") as hub:
        hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        assert hub.channel("loop").find("ann") == Address(ANN)
        public = hub.conversation(ANN, kind=ConversationKind.PUBLIC)
        private = public.hand_over("Please write to us in private.")
        assert isinstance(private, sync.Conversation)
        assert private.send("Hello").status is Status.ACCEPTED
        assert [each.out.conversation.kind.value for each in medium.sent] == ["public", "direct"]


async def test_a_recording_hub_has_the_verbs_of_the_adapter_that_it_stands_in_for() -> None:
    async with RecordingHub(channels={"x": "x", "hook": "webhook"}) as hub:
        assert [str(await hub.channel("x").find(name)) for name in ("@Ann", "Ann")] == ["x:@ann", "x:@ann"]
        private = await hub.conversation("x:42", kind=ConversationKind.PUBLIC).hand_over("Write to us.")
        assert private.ref == ConversationRef(channel="x", address="x:42")
        with pytest.raises(UnsupportedContentError):
            await hub.channel("hook").find("@ann")
        with pytest.raises(UnsupportedContentError):
            await hub.conversation("https://example.org/", kind=ConversationKind.PUBLIC).hand_over("Write to us.")
