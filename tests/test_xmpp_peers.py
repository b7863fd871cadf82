"""The XMPP servers that tests talk with: what may be relied on, and what they do that an adapter has to know."""

import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from tests.peers import lacking
from tools.kannel import guard
from tools.mail.processes import is_listening
from tools.xmpp import Account, CutProxy, Ejabberd, Peer, Prosody, StreamError, XmppServer, body, eventually, servers

ROOT = Path(__file__).parent.parent
Start = Callable[..., XmppServer]
Connect = Callable[..., Awaitable[Peer]]

pytestmark = pytest.mark.anyio

SID, SM, MAM = "{urn:xmpp:sid:0}", "{urn:xmpp:sm:3}", "{urn:xmpp:mam:2}"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """What talks with these servers in the library knows asyncio only."""
    return "asyncio"


# --- being there ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Prosody, Ejabberd])
def test_without_it_it_says_what_installs_it(
    kind: type[XmppServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(servers, "_SBIN", ())
    assert "make peers" in kind.missing()


def test_it_listens_on_loopback_only(xmpp_server: XmppServer) -> None:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    where = {int(fields[1][9:], 16): fields[1][:8] for fields in lines if fields[3] == "0A"}
    for port in (
        xmpp_server.port,
        xmpp_server.tls_port,
        xmpp_server.component_port,
        xmpp_server.http_port,
        xmpp_server.https_port,
    ):
        assert where[port] == "0100007F"


def test_when_it_is_closed_nothing_is_left(start_xmpp_server: Start) -> None:
    server = start_xmpp_server(accounts=())
    ours = guard.running_in(server.folder)
    assert ours
    server.close()
    assert not server.folder.exists()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ours))


@pytest.mark.usefixtures("xmpp_server")
def test_a_killed_run_leaves_nothing_behind(xmpp_kind: str) -> None:
    kind = xmpp_kind.capitalize()
    code = f"from tools.xmpp import *; s = {kind}(accounts=()); print(s.folder, s.port, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, port = run.stdout.readline().split()
        assert is_listening(int(port))
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(folder).exists())
    eventually(lambda: not is_listening(int(port)))


def test_a_start_that_fails_leaves_nothing_behind_and_says_why(start_xmpp_server: Start, quick_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with[\s\S]*nonsense"):
        start_xmpp_server(more={"nonsense nonsense": 1}, where=quick_path)
    assert not list(quick_path.iterdir())


def test_a_feature_that_is_none_is_said(start_xmpp_server: Start) -> None:
    with pytest.raises(ValueError, match=r"\['telepathy'\]; there are .*smacks"):
        start_xmpp_server(without=["telepathy"])


# --- talking ----------------------------------------------------------------------------------------------------------


async def test_two_talk(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.say(other.jid, "<hello> & more")
    got = await other.until("<hello> & more")
    assert (got.get("from"), body(got)) == (one.jid, "<hello> & more")
    await other.say(one.bare, "to all devices")
    await one.until("to all devices")


async def test_a_wrong_password_is_refused(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    with pytest.raises(StreamError, match="not-authorized"):
        await connect_peer(xmpp_server, Account("alice@localhost", "wrong"))


async def test_a_component_talks(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    client = await connect_peer(xmpp_server)
    async with Peer(xmpp_server, None) as component:
        await client.say(f"somebody@{component.bare}", "to the gateway")
        await component.until("to the gateway")
        await component.say(client.jid, "from the gateway")
        await client.until("from the gateway")


async def test_a_room_is_made_and_entered(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    room, one, other = xmpp_server.fresh_room(), await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.join(room, "one")
    await other.join(room, "other")
    await one.say(room, "hello room", kind="groupchat")
    assert (await other.until("hello room")).get("from") == f"{room}/one"


async def test_two_devices_hear_each_other(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    account, other = xmpp_server.fresh_account(), await connect_peer(xmpp_server)
    phone, laptop = (
        await connect_peer(xmpp_server, account, "phone"),
        await connect_peer(xmpp_server, account, "laptop"),
    )
    await laptop.carbons()
    await phone.say(other.jid, "sent by the phone")
    copy = await laptop.until(lambda each: each.find("{urn:xmpp:carbons:2}sent") is not None)
    assert copy.findtext(".//{jabber:client}body") == "sent by the phone"


async def test_of_a_line_that_is_cut_both_sides_hear(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    with CutProxy(xmpp_server.tls_port) as line:
        peer = await connect_peer(xmpp_server, None, port=line.port)
        line.cut()
        assert await peer.ended() is None
    assert not peer.connected


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_after_a_crash_archives_are_there_and_streams_are_not(
    start_xmpp_server: Start, connect_peer: Connect
) -> None:
    server = start_xmpp_server()
    alice, bob = (Account(f"{name}@localhost", name) for name in ("alice", "bob"))
    peer = await connect_peer(server, alice)
    await peer.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    stream = (await peer.until(lambda each: each.tag == f"{SM}enabled")).get("id")
    for number in range(60):
        await peer.say(bob.jid, str(number))
    await peer.synced()
    await server.kill()
    assert await peer.ended() is None
    await server.start()
    archived = await (await connect_peer(server, bob)).archived()
    assert [each.findtext(".//{jabber:client}body") for each in archived] == [str(number) for number in range(60)]
    again = await connect_peer(server, alice, bind=False)
    await again.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{stream}' h='0'/>")
    refusal = await again.until(lambda each: each.tag == f"{SM}failed")
    assert refusal[0].tag.endswith("}item-not-found")


async def test_one_that_is_stopped_mostly_says_good_bye(start_xmpp_server: Start, connect_peer: Connect) -> None:
    server = start_xmpp_server()
    peer = await connect_peer(server)
    await server.stop()
    error = await peer.ended()
    assert error is None or error[0].tag == "{urn:ietf:params:xml:ns:xmpp-streams}system-shutdown"


async def test_one_that_stands_still_keeps_its_lines(start_prosody: Start, connect_peer: Connect) -> None:
    server = start_prosody(accounts=())
    one, other = await connect_peer(server), await connect_peer(server)
    server.freeze()
    await one.say(other.jid, "while it stands still")
    with pytest.raises(TimeoutError):
        await other.until("while it stands still", seconds=0.2)
    server.thaw()
    await other.until("while it stands still")


# --- what they do: each line of the table in tools/xmpp/__init__.py ---------------------------------------------------


def condition(answer: Element) -> str:
    """What an error is called."""
    (error,) = (each for each in answer if each.tag.endswith("}error"))
    return next(each.tag.partition("}")[2] for each in error if not each.tag.endswith("}text"))


def ids(message: Element, by: str) -> list[str | None]:
    return [each.get("id") for each in message.findall(f"{SID}stanza-id") if each.get("by") == by]


async def test_a_stanza_that_is_too_large_ends_the_stream(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.say(other.jid, "x" * 261_000)
    await other.until(lambda each: len(body(each) or "") == 261_000)
    await one.say(other.jid, "x" * 300_000)
    error = await one.ended()
    assert error is not None
    assert error[0].tag.endswith("}policy-violation")
    assert other.connected


async def test_the_limit_of_a_component_is_another(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """So a client gets stanzas that are larger than it may send."""
    other = await connect_peer(xmpp_server)
    async with Peer(xmpp_server, None) as component:
        await component.say(other.jid, "x" * 500_000)
        await other.until(lambda each: len(body(each) or "") == 500_000)


async def test_neither_of_them_looks_at_depth(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Prosody passes on 20000 levels too. Of 5000, ejabberd 23.01 dies, all of it."""
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.say(other.jid, "deep", "<x xmlns='urn:x'>" + "<y>" * 1000 + "</y>" * 1000 + "</x>")
    await other.until("deep")


@pytest.mark.parametrize("text", [b"\0", b"\x1b", b"&#27;", "\ufffe".encode(), b"\xed\xa0\x80", b"\xff", b"&other;"])
async def test_what_is_no_xml_ends_the_stream(xmpp_server: XmppServer, connect_peer: Connect, text: bytes) -> None:
    one = await connect_peer(xmpp_server)
    await one.send(b"<message><body>" + text + b"</body></message>")
    error = await one.ended()
    assert error is not None
    assert error[0].tag.endswith("}not-well-formed")


async def test_a_carriage_return_becomes_a_new_line(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Also where it was sent as a reference: they pass it on as it is."""
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.send(f"<message to='{other.jid}' type='chat'><body>a&#13;b\rc</body></message>")
    await other.until("a\nb\nc")


async def test_a_forged_sender(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.send(f"<message to='{other.jid}' from='alice@localhost' type='chat'><body>forged</body></message>")
    if xmpp_server.kind == "prosody":
        assert (await other.until("forged")).get("from") == one.jid
    else:
        error = await one.ended()
        assert error is not None
        assert error[0].tag.endswith("}invalid-from")


async def test_a_forged_stanza_id(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    forged = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{other.bare}' id='forged'/>"
    await one.say(other.jid, "hello", forged)
    found = ids(await other.until("hello"), other.bare)
    (result,) = await other.archived()
    assert found == ["forged", result.get("id")][xmpp_server.kind == "ejabberd" :]


async def test_a_forged_occupant_id(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other, room = await connect_peer(xmpp_server), await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await one.join(room, "one")
    await other.join(room, "other")
    await one.say(room, "hello", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>", kind="groupchat")
    found = [each.get("id") for each in (await other.until("hello")).iter("{urn:xmpp:occupant-id:0}occupant-id")]
    assert len(found) == 1
    assert (found == ["forged"]) is (xmpp_server.kind == "ejabberd")


async def test_what_pretends_to_be_a_carbon_or_a_result_comes_through(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    inner = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='carol@localhost'/></forwarded>"
    await one.say(other.jid, "carbon", f"<received xmlns='urn:xmpp:carbons:2'>{inner}</received>")
    await one.say(other.jid, "result", f"<result xmlns='urn:xmpp:mam:2' id='1'>{inner}</result>")
    assert (await other.until("carbon")).find("{urn:xmpp:carbons:2}received") is not None
    assert (await other.until("result")).find(f"{MAM}result") is not None


async def test_what_an_archive_keeps(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    reaction = "<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>+</reaction></reactions>"
    payloads = {
        "text": "<body>hello</body>",
        "unkept": "<body>hello</body><no-store xmlns='urn:xmpp:hints'/>",
        "receipt": "<received xmlns='urn:xmpp:receipts' id='x'/>",
        "marker": "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>",
        "typing": "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "reaction": reaction,
        "kept reaction": reaction + "<store xmlns='urn:xmpp:hints'/>",
        "the end": "<body>the end</body>",
    }
    for name, payload in payloads.items():
        await one.send(f"<message to='{other.jid}' type='chat' id='{name}'>{payload}</message>")
    await other.until("the end")
    kept = [each.find(".//{jabber:client}message") for each in await other.archived()]
    also = {"receipt", "marker"} if xmpp_server.kind == "prosody" else set()
    found = {message.get("id") for message in kept if message is not None}
    assert found == {"text", "kept reaction", "the end"} | also
    assert {each.get("id") for each in other.received if ids(each, other.bare)} == found


async def test_an_archive_asked_after_what_it_does_not_know(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.say(other.jid, "hello")
    await other.until("hello")
    after = "<set xmlns='http://jabber.org/protocol/rsm'><max>5</max><after>unknown</after></set>"
    answer = await other.ask(f"<query xmlns='urn:xmpp:mam:2'>{after}</query>", kind="set")
    if xmpp_server.kind == "prosody":
        assert condition(answer) == "item-not-found"
    else:
        assert answer.find(f"{MAM}fin") is not None
        assert len(other.messages()) == 1
        assert any(each.find(f"{MAM}result") is not None for each in other.received), "from the beginning"


async def test_to_somebody_who_is_not_there(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, account = await connect_peer(xmpp_server), xmpp_server.fresh_account()
    await one.say(account.jid, "to the account", id="a")
    await one.say(f"{account.jid}/gone", "to a device that is gone", id="b")
    await one.say("nobody@localhost", "to nobody", id="c")
    assert condition(await one.until(lambda each: each.get("id") == "c")) == "service-unavailable"
    other = await connect_peer(xmpp_server, account)
    for text in ("to the account", "to a device that is gone"):
        message = await other.until(text)
        assert message.find("{urn:xmpp:delay}delay") is not None
        assert len(ids(message, account.jid)) == 1
    assert [each.get("id") for each in one.messages()] in ([], ["c"])


async def test_who_asks_the_archive_before_being_present(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Prosody then does not bring what has waited; of ejabberd it comes twice, under one stanza-id."""
    one, account = await connect_peer(xmpp_server), xmpp_server.fresh_account()
    await one.say(account.jid, "hello")
    await one.synced()
    other = await connect_peer(xmpp_server, account, present=False)
    (result,) = await other.archived()
    await other.send("<presence/>")
    await other.say(account.jid, "the end")
    await other.until("the end")
    found = [each for each in other.messages() if body(each) == "hello"]
    assert [ids(each, account.jid) for each in found] == [[result.get("id")]] * (xmpp_server.kind == "ejabberd")


async def test_an_unknown_question_has_an_answer(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    for whom in ("", "localhost", other.bare, f"{other.bare}/gone", "nobody@localhost"):
        assert condition(await one.ask("<query xmlns='urn:unknown'/>", to=whom)) == "service-unavailable"


async def test_pinging_oneself_in_a_room(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other, room = await connect_peer(xmpp_server), await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await one.join(room, "one")
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    assert (await one.ask(ping, to=f"{room}/one")).get("type") == "result"
    assert condition(await other.ask(ping, to=f"{room}/other")) == "not-acceptable"
    assert condition(await other.ask(ping, to=f"{xmpp_server.fresh_room()}/other")) == "item-not-found"


async def test_the_same_nickname(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """It is refused to another account, and shared by the devices of one."""
    room, account = xmpp_server.fresh_room(), xmpp_server.fresh_account()
    one, again = await connect_peer(xmpp_server, account, "one"), await connect_peer(xmpp_server, account, "again")
    await one.join(room, "nick")
    assert (await again.join(room, "nick")).get("type") is None
    assert condition(await (await connect_peer(xmpp_server)).join(room, "nick")) == "conflict"


async def test_the_same_resource(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """The first has to go."""
    account = xmpp_server.fresh_account()
    one, again = await connect_peer(xmpp_server, account), await connect_peer(xmpp_server, account)
    error = await one.ended()
    assert error is not None
    assert error[0].tag.endswith("}conflict")
    assert again.connected


async def test_a_stream_is_resumed(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """What is brought again, and what has waited, comes in order, and is marked with a delay."""
    other = await connect_peer(xmpp_server)
    one = await connect_peer(xmpp_server)
    await one.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    stream = (await one.until(lambda each: each.tag == f"{SM}enabled")).get("id")
    await other.say(one.jid, "heard, and not acknowledged")
    await one.until("heard, and not acknowledged")
    await one.drop()
    await other.say(one.jid, "while it was away")
    await other.say(one.bare, "to the account")
    await other.synced()
    again = await connect_peer(xmpp_server, one.account, bind=False)
    await again.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{stream}' h='0'/>")
    await again.until("to the account")
    assert again.received[0].tag == f"{SM}resumed"
    texts = ["heard, and not acknowledged", "while it was away", "to the account"]
    assert [body(each) for each in again.messages()] == texts
    assert all(each.find("{urn:xmpp:delay}delay") is not None for each in again.messages())


async def test_moderation_of_rooms(prosody: XmppServer, connect_peer: Connect) -> None:
    """Of Prosody's kind, XEP-0425 before 0.3; ejabberd 23.01 has none."""
    moderator, other, room = await connect_peer(prosody), await connect_peer(prosody), prosody.fresh_room()
    await moderator.join(room, "moderator")
    await other.join(room, "other")
    await other.say(room, "spam", kind="groupchat")
    (spam,) = ids(await moderator.until("spam"), room)
    retract = "<retract xmlns='urn:xmpp:message-retract:0'/>"
    moderate = (
        f"<apply-to xmlns='urn:xmpp:fasten:0' id='{spam}'>"
        f"<moderate xmlns='urn:xmpp:message-moderate:0'>{retract}<reason>spam</reason></moderate></apply-to>"
    )
    if (await moderator.ask(moderate, to=room, kind="set")).get("type") == "error":
        lacking("prosody-modules is not installed, which on Debian has the moderation of rooms")
    told = await other.until(lambda each: each.find("{urn:xmpp:fasten:0}apply-to") is not None)
    assert told.get("from") == room
    assert condition(await other.ask(moderate, to=room, kind="set")) == "forbidden"
    kept = await other.archived(room)
    assert not any(each.findtext(".//{jabber:client}body") for each in kept), "a stone stands in its place"


async def test_a_subscription_is_asked_for_again_at_each_login(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    await one.subscribe(other.bare)
    await other.until(lambda each: each.get("type") == "subscribe")
    again = await connect_peer(xmpp_server, other.account, "again")
    await again.until(lambda each: each.get("type") == "subscribe")
