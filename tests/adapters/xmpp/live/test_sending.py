"""What a hub sends, as it arrives at others by a real server; and what they report comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import anyio
import pytest
from pydantic import SecretStr

from convergekit import Attachment, DispatchHandle, Hub, MemoryStore, Message, MessageReceived, Status
from convergekit.adapters.xmpp import XmppAdapter, XmppConfig
from convergekit.adapters.xmpp.identities import is_ours
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import ConversationRef
from convergekit.testing import FakeContext, outgoing
from tools.xmpp import Account, Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]
BODY = tag(NS.CLIENT, "body")


def settings(server: XmppServer, account: Account, **more: Any) -> dict[str, Any]:
    return {
        "adapter": "xmpp",
        "jid": account.jid,
        "password": account.password,
        "host": server.host,
        "port": server.port,
        "ca": str(server.ca),
        **more,
    }


def adapter(server: XmppServer, account: Account, **more: Any) -> XmppAdapter:
    """With a context of its own."""
    table = settings(server, account, **more)
    del table["adapter"]
    return XmppAdapter(XmppConfig.model_validate(table), FakeContext())


@asynccontextmanager
async def online(server: XmppServer, **more: Any) -> AsyncGenerator[tuple[Hub, Account]]:
    """A hub with a new account as its channel "im"."""
    account = server.fresh_account("bot")
    hub = Hub(store=MemoryStore())
    async with hub:
        await hub.add_channel("im", settings(server, account, **more))
        yield hub, account


def has(name: str, **attributes: str) -> Callable[[Element], bool]:
    """Whether a stanza has such a child."""

    def look(stanza: Element) -> bool:
        found = stanza.find(name)
        return found is not None and all(found.get(key) == value for key, value in attributes.items())

    return look


class Heard:
    """The messages that a hub has handled."""

    def __init__(self, hub: Hub) -> None:
        self._messages: list[MessageReceived] = []
        self._news = anyio.Event()
        hub.on_message(self._keep)

    @property
    def texts(self) -> list[str | None]:
        """What they say."""
        return [message.text for message in self._messages]

    async def _keep(self, message: MessageReceived) -> None:
        self._messages.append(message)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, text: str) -> MessageReceived:
        """The one that says *text*, once it is there."""
        with anyio.fail_after(10):
            while not (found := [each for each in self._messages if each.text == text]):
                await self._news.wait()
        return found[0]


async def reached(handle: DispatchHandle, status: Status) -> None:
    assert await handle.wait(status, timeout=10) is status


async def test_a_message_arrives_and_its_reports_come_back(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """ACCEPTED by XEP-0198, DELIVERED by XEP-0184, READ by XEP-0333, which also reads what came before."""
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, bot):
        first, second = [await hub.send(text, to=f"xmpp:{ann.bare}") for text in ("Grüße & <tea> 🎉", "second")]
        assert first.status is Status.ACCEPTED

        message = await ann.until("Grüße & <tea> 🎉")
        assert message.get("from", "").startswith(f"{bot.jid}/")
        assert message.get("type") == "chat"
        id = message.get("id", "")
        assert is_ours(id)
        assert has(tag(NS.SID, "origin-id"), id=id)(message)
        assert has(tag(NS.CHAT_STATES, "active"))(message)
        assert has(tag(NS.MARKERS, "markable"))(message)
        assert has(tag(NS.RECEIPTS, "request"))(message)

        await ann.send(f"<message to='{bot.jid}'><received xmlns='{NS.RECEIPTS}' id='{id}'/></message>")
        await reached(first, Status.DELIVERED)
        assert second.status is Status.ACCEPTED

        last = (await ann.until("second")).get("id")
        await ann.send(f"<message to='{bot.jid}' type='chat'><displayed xmlns='{NS.MARKERS}' id='{last}'/></message>")
        for handle in (first, second):
            await reached(handle, Status.READ)


async def test_a_report_by_somebody_else_counts_for_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, eve = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, bot):
        heard = Heard(hub)
        sent = await hub.send("hello", to=f"xmpp:{ann.bare}")
        id = (await ann.until("hello")).get("id")
        await eve.send(f"<message to='{bot.jid}'><received xmlns='{NS.RECEIPTS}' id='{id}'/></message>")
        await eve.say(bot.jid, "done")
        await heard.until("done")
        assert sent.status is Status.ACCEPTED


async def test_what_is_said_of_a_message_names_it(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Correction 0308, retraction 0424, reactions 0444, a marker 0333, an answer 0461, typing 0085."""
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, bot):
        heard = Heard(hub)
        conversation = hub.conversation(ConversationRef(channel="im", address=f"xmpp:{ann.bare}"))
        sent = await conversation.send("helo")
        id = (await ann.until("helo")).get("id", "")
        question = await ann.say(bot.jid, "what?")
        asked = await heard.until("what?")

        edited = await conversation.edit(sent, "hello")
        correction = await ann.until("hello")
        assert has(tag(NS.CORRECTION, "replace"), id=id)(correction)
        await reached(edited, Status.ACCEPTED)

        await conversation.react(asked, "👍", "🎉")
        reactions = (await ann.until(has(tag(NS.REACTIONS, "reactions"), id=question))).find(
            tag(NS.REACTIONS, "reactions")
        )
        assert reactions is not None
        assert [each.text for each in reactions] == ["👍", "🎉"]

        await conversation.mark_read(asked)
        await ann.until(has(tag(NS.MARKERS, "displayed"), id=question))

        await conversation.send(Message("this", reply_to=question, thread="t1", language="de"))
        answer = await ann.until("this")
        assert has(tag(NS.REPLY, "reply"), id=question, to=ann.bare)(answer)
        assert answer.findtext(tag(NS.CLIENT, "thread")) == "t1"

        assert await conversation.typing()
        await ann.until(has(tag(NS.CHAT_STATES, "composing")))

        await conversation.retract(sent)
        retraction = await ann.until(has(tag(NS.RETRACTION, "retract"), id=id))
        assert retraction.findtext(BODY)
        assert has(tag(NS.FALLBACK, "fallback"), **{"for": NS.RETRACTION})(retraction)


async def test_markdown_is_styled_and_plain_text_is_not(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """XEP-0393."""
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, _):
        await hub.send(Message(markdown="**so** it is"), to=f"xmpp:{ann.bare}")
        styled = await ann.until("*so* it is")
        assert not has(tag(NS.STYLING, "unstyled"))(styled)
        await hub.send("2 *3* 4", to=f"xmpp:{ann.bare}")
        assert has(tag(NS.STYLING, "unstyled"))(await ann.until("2 *3* 4"))


@pytest.mark.parametrize("bad", ["a\x1bb", "a\x0bb", "a\ufffeb", "x" * 300_000], ids=["ESC", "VT", "FFFE", "300 kB"])
async def test_what_would_end_the_stream_is_refused_and_the_next_message_goes_through(
    xmpp_server: XmppServer, connect_peer: Connect, bad: str
) -> None:
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, _):
        with pytest.raises(UnsupportedContentError) as caught:
            await hub.send(bad, to=f"xmpp:{ann.bare}")
        assert bad not in str(caught.value)
        after = await hub.send("next", to=f"xmpp:{ann.bare}")
        assert after.status is Status.ACCEPTED
        await ann.until("next")
        assert [message.findtext(BODY) for message in ann.messages()] == ["next"]


@pytest.mark.parametrize("bad", ["a\0b", "a\ud83db"], ids=["NUL", "half a pair"])
async def test_what_no_medium_can_carry_is_refused_before_it_is_stored(
    xmpp_server: XmppServer, connect_peer: Connect, bad: str
) -> None:
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, _):
        with pytest.raises(ValueError, match="cannot be sent"):
            await hub.send(bad, to=f"xmpp:{ann.bare}")
        await hub.send("next", to=f"xmpp:{ann.bare}")
        await ann.until("next")


async def test_a_text_just_below_the_limit_arrives(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, _):
        text = "ü" * 128_000
        await hub.send(text, to=f"xmpp:{ann.bare}")
        await ann.until(text)


async def test_nobody_of_that_name_is_a_failure(xmpp_server: XmppServer) -> None:
    """An error comes after the server has taken it, and says so by its condition."""
    async with online(xmpp_server) as (hub, _):
        sent = await hub.submit("hello", to="xmpp:nobody-at-all@localhost")
        with pytest.raises(RejectedError) as caught:
            await sent.wait(Status.DELIVERED, timeout=10)
        assert caught.value.code is not None
        assert caught.value.code.startswith("cancel/")


async def test_in_a_room_the_room_says_that_it_has_passed_it_on(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """RELAYED by its reflection, whose id corrections, retractions and reactions then know."""
    ann = await connect_peer(xmpp_server)
    room = xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server, rooms=[{"room": room}]) as (hub, _):
        sent = await hub.send("hello all", to=f"xmpp:{room}")
        await reached(sent, Status.RELAYED)
        message = await ann.until("hello all")
        assert message.get("type") == "groupchat"
        assert not has(tag(NS.RECEIPTS, "request"))(message)
        given = [each.get("id") for each in message.findall(tag(NS.SID, "stanza-id")) if each.get("by") == room]

        conversation = hub.conversation(sent.deliveries[0].conversation)
        await conversation.edit(sent, "hello, all")
        assert has(tag(NS.CORRECTION, "replace"), id=message.get("id", ""))(await ann.until("hello, all"))
        await conversation.retract(sent)
        await ann.until(has(tag(NS.RETRACTION, "retract"), id=given[-1] or ""))

        private = await hub.send("psst", to=f"xmpp:{room}/ann")
        message = await ann.until("psst")
        assert message.get("type") == "chat"
        assert message.get("from", "").startswith(f"{room}/")
        await ann.send(
            f"<message to='{message.get('from')}' type='chat'>"
            f"<received xmlns='{NS.RECEIPTS}' id='{message.get('id')}'/></message>"
        )
        await reached(private, Status.DELIVERED)


async def test_what_is_said_of_a_message_in_a_room_names_it_as_the_room_does(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    """By its stanza-id; an answer quotes it for those whose program does not show what is answered."""
    ann = await connect_peer(xmpp_server)
    room = xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server, rooms=[{"room": room}]) as (hub, _):
        heard = Heard(hub)
        await ann.say(room, "who is 🎉 there?", kind="groupchat")
        asked = await heard.until("who is 🎉 there?")
        shown = await ann.until("who is 🎉 there?")
        id = next(each.get("id") for each in shown.findall(tag(NS.SID, "stanza-id")) if each.get("by") == room) or ""
        assert asked.conversation is not None
        conversation = hub.conversation(asked.conversation)

        await conversation.react(asked, "👋")
        assert (await ann.until(has(tag(NS.REACTIONS, "reactions"), id=id))).get("type") == "groupchat"
        await conversation.mark_read(asked)
        await ann.until(has(tag(NS.MARKERS, "displayed"), id=id))
        await conversation.send(Message("we are", reply_to=asked.message_id))
        answer = await ann.until("> who is 🎉 there?\nwe are")
        assert has(tag(NS.REPLY, "reply"), id=id, to=f"{room}/ann")(answer)
        assert has(tag(NS.FALLBACK, "fallback"), **{"for": NS.REPLY})(answer)


@pytest.mark.parametrize("kind", ["group", "direct"])
async def test_what_waits_for_a_room_waits_over_a_restart(
    prosody: XmppServer, connect_peer: Connect, tmp_path: Path, kind: str
) -> None:
    """The room was joined at run time: until we are back in it nothing is said to it, and nothing is refused."""
    ann, room, account = await connect_peer(prosody), prosody.fresh_room(), prosody.fresh_account("bot")
    await ann.join(room, "ann")
    store = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with Hub(store=store) as hub:
        await hub.add_channel("im", settings(prosody, account))
        await hub.channel("im").join(f"xmpp:{room}")
    async with Hub(store=store, role="submit") as hub:
        await hub.add_channel("im", settings(prosody, account))
        await hub.submit("hello again", to=ConversationRef(channel="im", address=f"xmpp:{room}", kind=kind))
    async with Hub(store=store) as hub:
        await hub.add_channel("im", settings(prosody, account))
        assert (await ann.until("hello again")).get("type") == "groupchat"


async def test_a_moderator_takes_back_what_somebody_else_has_said(prosody: XmppServer, connect_peer: Connect) -> None:
    """XEP-0425, by the verb that takes back what we said ourselves."""
    ann = await connect_peer(prosody)
    room = prosody.fresh_room()
    async with online(prosody) as (hub, _):
        heard = Heard(hub)
        conversation = hub.conversation(await hub.channel("im").create_room(room))
        await ann.join(room, "ann")
        await ann.say(room, "rubbish", kind="groupchat")
        rubbish = await heard.until("rubbish")
        taken_back = await conversation.retract(rubbish)
        await reached(taken_back, Status.ACCEPTED)
        await ann.until(lambda stanza: any("retract" in each.tag for each in stanza.iter()))


async def test_a_note_to_ourselves_is_none_from_somebody(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, bot):
        heard = Heard(hub)
        note = await hub.send("buy milk", to=f"xmpp:{bot.jid}")
        assert note.status is Status.ACCEPTED
        await ann.say(bot.jid, "done")
        await heard.until("done")
        assert heard.texts == ["done"]


async def test_a_room_that_we_have_not_joined_is_refused(xmpp_server: XmppServer) -> None:
    room = xmpp_server.fresh_room()
    async with online(xmpp_server) as (hub, _):
        with pytest.raises(RejectedError, match="join it first"):
            await hub.send("hello", to=ConversationRef(channel="im", address=f"xmpp:{room}", kind="group"))


async def test_a_component_speaks_for_whom_it_says(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await connect_peer(xmpp_server)
    component = {
        "adapter": "xmpp",
        "account": "component",
        "jid": xmpp_server.component,
        "password": xmpp_server.component_secret,
        "host": xmpp_server.host,
        "port": xmpp_server.component_port,
    }
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel("gw", component)
        sent = await hub.send(Message("hello", native={"xmpp": {"sender": "help"}}), to=f"xmpp:{ann.bare}")
        assert sent.status is Status.ACCEPTED
        assert (await ann.until("hello")).get("from") == f"help@{xmpp_server.component}"

        heard = Heard(hub)
        await ann.say(f"sales@{xmpp_server.component}", "how much?")
        asked = await heard.until("how much?")
        assert asked.conversation is not None
        await hub.conversation(asked.conversation).send("a lot")  # whoever was asked answers
        assert (await ann.until("a lot")).get("from") == f"sales@{xmpp_server.component}"


async def test_a_component_that_is_connected_is_left_alone_by_check(prosody: XmppServer, connect_peer: Connect) -> None:
    """It has no resources: a second connection would be refused, or would get what is for the first."""
    config = XmppConfig(
        account="component",
        jid=prosody.component,
        password=SecretStr(prosody.component_secret),
        host=prosody.host,
        port=prosody.component_port,
    )
    ann = await connect_peer(prosody)
    wrong = config.model_copy(update={"password": SecretStr("wrong")})
    async with XmppAdapter(config, FakeContext()) as entered:
        assert "let in" in (await entered.check()).detail
        await entered.send(outgoing(f"xmpp:{ann.bare}", "hello"))
        for each in (entered, XmppAdapter(config, FakeContext())):
            health = await each.check()
            assert health.ok
            assert "connected" in health.detail
        assert not (await XmppAdapter(wrong, FakeContext()).check()).ok
        await entered.send(outgoing(f"xmpp:{ann.bare}", "still here", key="2"))
        await ann.until("still here")


async def test_who_sends_without_listening_makes_a_session_of_its_own(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    ann = await connect_peer(xmpp_server)
    async with adapter(xmpp_server, xmpp_server.fresh_account("bot")) as entered:
        receipt = await entered.send(outgoing(f"xmpp:{ann.bare}", "hello"))
        assert receipt.status is Status.ACCEPTED
        await ann.until("hello")


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_check_says_whether_we_are_let_in_and_what_there_is(
    xmpp_server: XmppServer, password: str | None
) -> None:
    more = {"password": password} if password else {}
    health = await adapter(xmpp_server, xmpp_server.fresh_account("bot"), **more).check()
    assert health.ok is (password is None)
    if password is None:
        for word in ("verified TLS", "stream management", "carbons", "archive", "upload", "rooms"):
            assert word in health.detail
    else:
        assert "wrong" not in health.detail


async def test_what_was_said_is_in_the_archive(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """XEP-0313, by the handle on the channel; what the ledger has is not told again."""
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, bot):
        heard = Heard(hub)
        for number in range(3):
            await ann.say(bot.jid, f"line {number}")
        await heard.until("line 2")
        events, further = await hub.channel("im").history(f"xmpp:{ann.bare}", limit=2)
        assert [each.text for each in events if isinstance(each, MessageReceived)] == ["line 1", "line 2"]
        events, further = await hub.channel("im").history(f"xmpp:{ann.bare}", cursor=further, limit=2)
        assert [each.text for each in events if isinstance(each, MessageReceived)] == ["line 0"]


async def test_a_file_is_put_where_it_can_be_got_and_its_url_is_said(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    """XEP-0363, XEP-0066."""
    ann = await connect_peer(xmpp_server)
    async with online(xmpp_server) as (hub, _):
        photo = Attachment(data=b"not really a photo", name="photo.jpg")
        sent = await hub.send(Message("look", attachments=[photo]), to=f"xmpp:{ann.bare}")
        assert sent.status is Status.ACCEPTED
        await ann.until("look")
        shared = await ann.until(has(tag(NS.OOB, "x")))
        url = shared.findtext(f"{tag(NS.OOB, 'x')}/{tag(NS.OOB, 'url')}")
        assert url is not None
        assert shared.findtext(BODY) == url
        assert url.startswith("https://")
        assert url.endswith("photo.jpg")
