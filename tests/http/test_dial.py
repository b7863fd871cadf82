"""What the guard objects to is not connected to, and the connection goes to an address that it has seen."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketListener
from anyio.streams.tls import TLSListener

from convergekit.errors import DeliveryError, NotSentError, RejectedError
from convergekit.http import AddressGuard, Http, _library
from convergekit.http._dial import dial
from tests.http import raw
from tests.http.names import ALLOWED, Names, has_ipv6, nobody_came, watched
from tests.http.test_guard import KNOWN

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Mark:
    def __init__(self) -> None:
        self.times = 0

    def started(self) -> None:
        self.times += 1


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@asynccontextmanager
async def guarded(*networks: str, **more: Any) -> AsyncGenerator[Http]:
    http = Http(channel="hooks", **more)
    http.guard(AddressGuard(networks))
    try:
        yield http
    finally:
        await http.aclose()


async def refused(http: Http, url: str) -> RejectedError:
    out = Mark()
    with pytest.raises(RejectedError) as caught:
        await http.request("POST", url, out=out)
    assert (caught.value.channel, caught.value.code, out.times) == ("hooks", None, 0)
    return caught.value


@asynccontextmanager
async def serving(host: str, script: raw.Script) -> AsyncGenerator[int]:
    with watched(host) as (port, (listening,)):
        async with serving_at(listening, script):
            yield port


@asynccontextmanager
async def serving_at(listening: socket.socket, script: raw.Script) -> AsyncGenerator[None]:
    listener = await SocketListener.from_socket(listening)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, script)
        yield
        tasks.cancel_scope.cancel()


async def answers(stream: Any) -> None:
    async with stream:
        await raw.answers(OK)(stream)


LOOPBACK = """
    127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 017700000001 0177.1 127.0.0.1. 0 0.0.0.0 0x0 localhost
    LOCALHOST localhost. a.localhost [::ffff:127.0.0.1] [::FFFF:7F00:1] [::127.0.0.1] [::1] [0:0:0:0:0:0:0:1] [::]
    [::1%25lo] [64:ff9b::7f00:1] [2002:7f00:1::1] %31%32%37.0.0.1 127.0.0.1%00.example.org
""".split()  # noqa: SIM905  a table that is read by people


async def test_no_spelling_of_this_machine_is_connected_to() -> None:
    hosts = ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",)
    with watched(*hosts) as (port, listeners):
        async with guarded() as http:
            for host in LOOPBACK:
                await refused(http, f"http://{host}:{port}/")
                with pytest.raises(RejectedError):
                    async with http.download(f"http://{host}:{port}/"):
                        raise AssertionError(host)
        assert nobody_came(*listeners)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "017700000001", "0", "localhost"])
async def test_who_is_not_guarded_does_connect_to_them(host: str) -> None:
    """So what the other test shows is the guard's work, and not the resolver's."""
    with watched("127.0.0.1") as (port, listeners):
        http = Http()
        with pytest.raises(NotSentError):
            await http.request("GET", f"http://{host}:{port}/", timeout=0.05)
        await http.aclose()
        assert not nobody_came(*listeners)


@pytest.mark.parametrize(
    "leads",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        [ALLOWED, "127.0.0.1"],
        ["127.0.0.1", ALLOWED],
        [ALLOWED, "::1"],
        [ALLOWED, "169.254.169.254"],
        [ALLOWED, "fe80::1"],
        [ALLOWED] * 20 + ["10.0.0.1"],
    ],
)
async def test_one_bad_address_of_a_name_is_enough(names: Names, leads: list[str]) -> None:
    names.leads["mixed.example"] = [leads]
    with watched("127.0.0.1", ALLOWED) as (port, listeners):
        async with guarded(ALLOWED) as http:
            error = await refused(http, f"http://mixed.example:{port}/")
        assert nobody_came(*listeners)
    assert "allow_networks" in str(error)


async def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_looked_at(names: Names) -> None:
    """A resolver that says one thing to who checks, and another to who connects."""
    names.leads["rebinding.example"] = [[ALLOWED], ["127.0.0.1"]]
    hosts: list[bytes] = []

    async def script(stream: Any) -> None:
        async with stream:
            hosts.append(await raw.request_of(stream))
            await stream.send(OK)

    with watched("127.0.0.1", ALLOWED) as (port, (inner, allowed)):
        async with serving_at(allowed, script), guarded(ALLOWED) as http:
            url = f"http://rebinding.example:{port}/hook"
            assert (await http.request("POST", url, out=Mark())).body == b"hi"
            assert names.asked == ["rebinding.example"]
            await http.aclose()
            await refused(http, url)
            assert nobody_came(inner)
    assert len(hosts) == 1
    assert f"\r\nhost: rebinding.example:{port}\r\n".encode() in hosts[0]


@pytest.mark.parametrize("host", ["metadata.google.internal", "metadata", "localhost", "a.localhost", "instance-data"])
async def test_a_name_that_everybody_knows_is_not_even_resolved(names: Names, host: str) -> None:
    names.leads[host] = [[ALLOWED]]
    async with guarded(ALLOWED) as http:
        await refused(http, f"http://{host}/latest/meta-data/")
    assert names.asked == []


async def test_a_redirect_to_this_machine_is_not_followed_even_where_redirects_are(names: Names) -> None:
    names.leads["redirecting.example"] = [[ALLOWED]]
    with watched("127.0.0.1") as (inner, listeners):

        async def script(stream: Any) -> None:
            async with stream:
                await raw.request_of(stream)
                fields = f"location: http://127.0.0.1:{inner}/\r\nconnection: close\r\ncontent-length: 0"
                await stream.send(f"HTTP/1.1 302 Found\r\n{fields}\r\n\r\n".encode())

        async with serving(ALLOWED, script) as port, guarded(ALLOWED) as http:
            url = f"http://redirecting.example:{port}/"
            with pytest.raises(RejectedError) as caught:
                await http.request("POST", url, out=Mark())
            assert caught.value.code == "302"
            with pytest.raises(RejectedError, match="address guard"):
                async with http.download(url, follow=lambda _: True):
                    raise AssertionError("it was followed")
        assert nobody_came(*listeners)


@asynccontextmanager
async def secure(authority: trustme.CA, seen: list[str | None], *identities: str) -> AsyncGenerator[int]:
    """A server over TLS at ALLOWED; *seen* gets the names that clients asked for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*identities).configure_cert(context)
    context.sni_callback = lambda _, name, __: seen.append(name)

    async def script(stream: Any) -> None:
        async with stream:
            request = await raw.request_of(stream)
            seen.append(request.split(b"host: ")[1].split(b"\r\n")[0].decode())
            await stream.send(OK)

    async def lost(_: BaseException, stream: Any) -> None:
        """The client does not believe us."""
        await anyio.aclose_forcefully(stream)

    class Listener(TLSListener):
        handle_handshake_error = staticmethod(lost)  # type: ignore[assignment]

    plain = await anyio.create_tcp_listener(local_host=ALLOWED)
    listener = Listener(plain, context, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, script)
        yield plain.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def test_tls_and_host_keep_the_name_while_the_connection_goes_to_the_address(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("hooks.example", "other.example"):
        names.leads[name] = [[ALLOWED]]
    names.leads["hooks.example."] = [[ALLOWED]]
    seen: list[str | None] = []
    async with secure(authority, seen, "hooks.example") as port, guarded(ALLOWED) as http:
        url = f"https://{{}}:{port}/hook"
        # Whom to believe does not come out of the environment.
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        _library.tls.cache_clear()
        with pytest.raises(NotSentError, match="certificate"):
            await http.request("POST", url.format("hooks.example"), out=Mark())
        http.trust(tmp_path / "ca.pem")
        await http.aclose()
        seen.clear()
        assert (await http.request("POST", url.format("hooks.example"), out=Mark())).body == b"hi"
        assert (await http.request("POST", url.format("hooks.example."), out=Mark())).body == b"hi"
        assert seen == ["hooks.example", f"hooks.example:{port}", "hooks.example", f"hooks.example.:{port}"]
        for wrong in ("other.example", ALLOWED):
            with pytest.raises(NotSentError, match="certificate"):
                await http.request("POST", url.format(wrong), out=Mark())
    _library.tls.cache_clear()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
async def test_no_proxy_comes_out_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched("127.0.0.1") as (proxy, listeners):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        async with serving(ALLOWED, answers) as port, guarded(ALLOWED) as http:
            assert (await http.request("POST", f"http://{ALLOWED}:{port}/", out=Mark())).body == b"hi"
        assert nobody_came(*listeners)


async def test_a_name_that_leads_nowhere_is_tried_again(names: Names) -> None:
    names.leads["empty.example"] = [[]]
    async with guarded() as http:
        for host in ("empty.example", "nowhere.invalid"):
            with pytest.raises(NotSentError):
                await http.request("POST", f"http://{host}/", out=Mark())


async def test_names_whose_servers_do_not_answer_hold_up_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not ours, and not the host's, who asks by the event loop."""
    system, answered = socket.getaddrinfo, threading.Event()

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        if host.startswith(b"slow"):
            answered.wait(60)
            raise socket.gaierror
        return system(ALLOWED.encode() if host == b"quick.example" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def ask(http: Http, host: str) -> None:
        with pytest.raises(NotSentError):
            await http.request("POST", f"http://{host}/", timeout=60)

    try:
        async with serving(ALLOWED, answers) as port, guarded(ALLOWED) as http, anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(ask, http, f"slow{number}.example")
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(30):
                assert (await http.request("POST", f"http://quick.example:{port}/")).body == b"hi"
                assert await anyio.getaddrinfo("127.0.0.1", port)
            answered.set()
    finally:
        answered.set()


@pytest.mark.parametrize("label", ["a" * 64, "-", "a..b", ".", "_", "xn--", "xn--0"])
async def test_a_name_that_makes_no_sense_is_an_error_of_ours(label: str) -> None:
    async with guarded() as http:
        with pytest.raises((NotSentError, RejectedError)):
            await http.request("POST", f"http://{label}.invalid/")


# A host's own transport resolves by itself.


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("door", ["transport", "client"])
async def test_a_stand_in_of_the_hosts_gets_no_address_that_the_guard_refuses(library: Any, door: str) -> None:
    seen: list[str] = []

    def handler(request: Any) -> Any:
        seen.append(str(request.url))
        return library.Response(302, headers={"location": "http://127.0.0.1/"})

    transport = library.MockTransport(handler)
    part = {"transport": transport}
    if door == "client":
        part = {"http_client": library.AsyncClient(transport=transport, follow_redirects=True)}
    http = Http(channel="hooks", transport=part.get("transport"), client=part.get("http_client"))
    http.guard(AddressGuard(["10.0.0.0/8"]))
    for host in (each for each in KNOWN if not each.startswith("10.")):
        await refused(http, f"http://{host}/")
    assert seen == []
    for url in ("https://example.org/", "http://10.0.0.1/", "http://93.184.216.34/"):
        seen.clear()
        with pytest.raises(RejectedError) as caught:
            await http.request("POST", url, out=Mark())
        assert (caught.value.code, seen) == ("302", [url])
    with pytest.raises(RejectedError, match="address guard"):
        async with http.download("https://example.org/", follow=lambda _: True):
            raise AssertionError("it was followed")
    if door == "client":
        await part["http_client"].aclose()


# Which of several addresses it is.


class Wires:
    """Connections that a test lets succeed, fail or hang."""

    def __init__(self, **how: str) -> None:
        self.how, self.late = how, anyio.Event()
        self.asked, self.made, self.closed = list[str](), list[str](), list[str]()

    async def resolve(self, host: str, port: int) -> list[str]:
        return [*self.how]

    async def connect(self, address: str, port: int) -> Any:
        self.asked.append(address)
        await anyio.lowlevel.checkpoint()
        if self.how[address] == "hangs":
            await anyio.sleep_forever()
        if self.how[address] == "answers late":  # so that nothing stops it any more
            with anyio.CancelScope(shield=True):
                await self.late.wait()
        if self.how[address] == "fails":
            raise OSError(address)
        self.made.append(address)
        return Wire(self, address)

    async def dial(self, delay: float = 60.0) -> Any:
        guard = AddressGuard()
        return await dial(
            "https://a.example",
            "a.example",
            443,
            guard=guard,
            channel="hooks",
            resolve=self.resolve,
            connect=self.connect,
            delay=delay,
        )


class Wire:
    def __init__(self, wires: Wires, address: str) -> None:
        self._wires, self.address = wires, address

    async def aclose(self) -> None:
        self._wires.closed.append(self.address)
        await anyio.lowlevel.checkpoint()


V6A, V6B, V4A, V4B = "2600::a", "2600::b", "1.1.1.1", "1.1.1.2"


@pytest.mark.parametrize(
    ("how", "asked", "won"),
    [
        ({V4A: "answers"}, [V4A], V4A),
        ({V6A: "answers", V4A: "answers"}, [V6A], V6A),
        ({V6A: "fails", V6B: "answers", V4A: "fails", V4B: "answers"}, [V6A, V4A, V6B], V6B),
        ({V4A: "fails", V4B: "fails", V6A: "answers"}, [V4A, V6A], V6A),
    ],
)
async def test_one_after_the_other_and_the_families_by_turns(how: dict[str, str], asked: list[str], won: str) -> None:
    """What fails makes way at once."""
    wires = Wires(**how)
    assert (await wires.dial()).address == won
    assert (wires.asked, wires.closed) == (asked, [])


async def test_one_that_hangs_holds_up_the_next_for_a_moment_only() -> None:
    wires = Wires(**{V6A: "hangs", V4A: "fails", V6B: "hangs", V4B: "answers"})
    assert (await wires.dial(delay=0.001)).address == V4B
    assert wires.asked == [V6A, V4A, V6B, V4B]


async def test_two_that_answer_at_once_leave_one_connection() -> None:
    wires = Wires(**{V6A: "answers late", V4A: "answers late", V6B: "hangs"})
    won: list[Any] = []

    async def call() -> None:
        won.append(await wires.dial(delay=0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        wires.late.set()
    assert sorted(wires.made) == [V4A, V6A]
    assert sorted([won[0].address, *wires.closed]) == [V4A, V6A]


async def test_where_nobody_answers_it_is_an_error_of_the_systems() -> None:
    many = {f"1.1.1.{number}": "fails" for number in range(100)}
    wires = Wires(**many)
    with pytest.raises(OSError, match="nobody answers"):
        await wires.dial()
    assert len(wires.asked) == 8, "whoever lists a thousand does not keep us busy"
    with pytest.raises(OSError, match="nobody answers"):
        await Wires().dial()


async def test_cancelling_leaves_no_connection() -> None:
    for turns in range(12):
        wires = Wires(**{V6A: "answers", V4A: "answers"})
        got: list[Any] = []

        async def call(wires: Wires = wires, got: list[Any] = got) -> None:
            got.append(await wires.dial(delay=0))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert sorted([*(won.address for won in got), *wires.closed]) == sorted(wires.made)


async def test_all_of_a_names_addresses_are_looked_at_before_any_is_asked() -> None:
    wires = Wires(**{V4A: "answers", V6A: "answers", "10.0.0.1": "answers"})
    with pytest.raises(DeliveryError):
        await wires.dial()
    assert wires.asked == []
