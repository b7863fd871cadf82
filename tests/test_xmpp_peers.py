"""The XMPP servers that tests talk with: what may be relied on, and what they do that an adapter has to know."""

import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tools.kannel import guard
from tools.mail.processes import is_listening
from tools.xmpp import Account, CutProxy, Peer, Prosody, StreamError, XmppServer, body, eventually, servers

ROOT = Path(__file__).parent.parent
Start = Callable[..., XmppServer]
Connect = Callable[..., Awaitable[Peer]]

pytestmark = pytest.mark.anyio


# --- being there ------------------------------------------------------------------------------------------------------


def test_without_it_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(servers, "_SBIN", ())
    assert "make peers" in Prosody.missing()


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


async def test_an_archive_outlives_a_crash(start_xmpp_server: Start, connect_peer: Connect) -> None:
    server = start_xmpp_server()
    alice, bob = (Account(f"{name}@localhost", name) for name in ("alice", "bob"))
    peer = await connect_peer(server, alice)
    for number in range(60):
        await peer.say(bob.jid, str(number))
    await peer.synced()
    await server.kill()
    assert await peer.ended() is None
    await server.start()
    again = await connect_peer(server, bob)
    archived = [each.findtext(".//{jabber:client}body") for each in await again.archived()]
    assert archived == [str(number) for number in range(60)]


async def test_one_that_is_stopped_mostly_says_good_bye(start_xmpp_server: Start, connect_peer: Connect) -> None:
    server = start_xmpp_server()
    peer = await connect_peer(server)
    await server.stop()
    error = await peer.ended()
    assert error is None or error[0].tag == "{urn:ietf:params:xml:ns:xmpp-streams}system-shutdown"
