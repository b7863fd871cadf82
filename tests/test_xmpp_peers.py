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
Connect = Callable[..., Awaitable[Peer]]

pytestmark = pytest.mark.anyio


# --- being there ------------------------------------------------------------------------------------------------------


def test_without_it_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(servers, "_SBIN", ())
    assert "make peers" in Prosody.missing()


def test_it_listens_on_loopback_only(prosody: XmppServer) -> None:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    where = {int(fields[1][9:], 16): fields[1][:8] for fields in lines if fields[3] == "0A"}
    for port in (prosody.port, prosody.tls_port, prosody.component_port, prosody.http_port, prosody.https_port):
        assert where[port] == "0100007F"


def test_when_it_is_closed_nothing_is_left(start_prosody: Callable[..., Prosody]) -> None:
    server = start_prosody(accounts=())
    ours = guard.running_in(server.folder)
    assert len(ours) == 1
    server.close()
    assert not server.folder.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in ours)


@pytest.mark.usefixtures("start_prosody")
def test_a_killed_run_leaves_nothing_behind() -> None:
    code = "from tools.xmpp import Prosody; s = Prosody(accounts=()); print(s.folder, s.port, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, port = run.stdout.readline().split()
        assert is_listening(int(port))
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(folder).exists())
    eventually(lambda: not is_listening(int(port)))


def test_a_start_that_fails_leaves_nothing_behind_and_says_why(
    start_prosody: Callable[..., Prosody], quick_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"ended with[\s\S]*near .is"):
        start_prosody(more="this is nonsense", where=quick_path)
    assert not list(quick_path.iterdir())


def test_a_feature_that_is_none_is_said(start_prosody: Callable[..., Prosody]) -> None:
    with pytest.raises(ValueError, match=r"no \['telepathy'\]; it has .*smacks"):
        start_prosody(without=["telepathy"])


# --- talking ----------------------------------------------------------------------------------------------------------


async def test_two_talk(prosody: XmppServer, connect_peer: Connect) -> None:
    one, other = await connect_peer(prosody), await connect_peer(prosody)
    await one.say(other.jid, "<hello> & more")
    got = await other.until("<hello> & more")
    assert (got.get("from"), body(got)) == (one.jid, "<hello> & more")
    await other.say(one.bare, "to all devices")
    await one.until("to all devices")


async def test_a_wrong_password_is_refused(prosody: XmppServer, connect_peer: Connect) -> None:
    with pytest.raises(StreamError, match="not-authorized"):
        await connect_peer(prosody, Account("alice@localhost", "wrong"))


async def test_a_component_talks(prosody: XmppServer, connect_peer: Connect) -> None:
    client = await connect_peer(prosody)
    async with Peer(prosody, None) as component:
        await client.say(f"somebody@{component.bare}", "to the gateway")
        await component.until("to the gateway")
        await component.say(client.jid, "from the gateway")
        await client.until("from the gateway")


async def test_a_room_is_made_and_entered(prosody: XmppServer, connect_peer: Connect) -> None:
    room, one, other = prosody.fresh_room(), await connect_peer(prosody), await connect_peer(prosody)
    await one.join(room, "one")
    await other.join(room, "other")
    await one.say(room, "hello room", kind="groupchat")
    assert (await other.until("hello room")).get("from") == f"{room}/one"


async def test_two_devices_hear_each_other(prosody: XmppServer, connect_peer: Connect) -> None:
    account, other = prosody.fresh_account(), await connect_peer(prosody)
    phone, laptop = await connect_peer(prosody, account, "phone"), await connect_peer(prosody, account, "laptop")
    await laptop.carbons()
    await phone.say(other.jid, "sent by the phone")
    copy = await laptop.until(lambda each: each.find("{urn:xmpp:carbons:2}sent") is not None)
    assert copy.findtext(".//{jabber:client}body") == "sent by the phone"


async def test_of_a_line_that_is_cut_both_sides_hear(prosody: XmppServer, connect_peer: Connect) -> None:
    with CutProxy(prosody.tls_port) as line:
        peer = await connect_peer(prosody, None, port=line.port)
        line.cut()
        assert await peer.ended() is None
    assert not peer.connected


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_what_is_on_disk_outlives_a_crash(start_prosody: Callable[..., Prosody], connect_peer: Connect) -> None:
    server = start_prosody(archive="disk")
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


async def test_one_that_is_stopped_says_good_bye(start_prosody: Callable[..., Prosody], connect_peer: Connect) -> None:
    server = start_prosody()
    peer = await connect_peer(server)
    await server.stop()
    error = await peer.ended()
    assert error is not None
    assert error[0].tag == "{urn:ietf:params:xml:ns:xmpp-streams}system-shutdown"
