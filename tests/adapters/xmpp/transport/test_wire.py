"""Logins that are refused, and servers that lie: what is said then, and what is not."""

import asyncio
import base64
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from slixmpp import ClientXMPP
from slixmpp.features.feature_mechanisms.mechanisms import FeatureMechanisms
from slixmpp.util.sasl.mechanisms import SCRAM

from convergekit.adapters.xmpp.config import XmppConfig
from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.adapters.xmpp.transport._refusals import refused_connection
from convergekit.adapters.xmpp.transport._wire import Wire
from convergekit.errors import AccountError, AuthenticationError, ConfigurationError, DeliveryError, NotSentError
from tests.adapters.xmpp.transport.far_side import FarSide, Line, begun, refused

pytestmark = pytest.mark.anyio
MakeStream = Callable[..., XmppStream]
Does = Callable[[Line], Awaitable[object]]

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"


def mechanisms(*names: str) -> str:
    return f"<mechanisms xmlns='{SASL}'>{''.join(f'<mechanism>{each}</mechanism>' for each in names)}</mechanisms>"


async def refused_by(far: FarSide, stream: XmppStream, does: Does) -> DeliveryError:
    """What `open` raises at a server that *does* that."""
    found: list[DeliveryError] = []
    async with anyio.create_task_group() as group:

        async def open_() -> None:
            found.append(await refused(stream))
            group.cancel_scope.cancel()

        group.start_soon(open_)
        await does(await far.line())
        await anyio.sleep_forever()
    return found[0]


def fails(condition: str, text: str = "") -> Does:
    async def does(line: Line) -> None:
        await line.header(mechanisms("SCRAM-SHA-1", "SCRAM-SHA-256"))
        await line.next()
        said = f"<text>{text}</text>" if text else ""
        await line.send(f"<failure xmlns='{SASL}'><{condition}/>{said}</failure>")
        assert await line.silent()  # one try, not one for each mechanism

    return does


@pytest.mark.parametrize(
    ("condition", "error", "hint"),
    [
        ("not-authorized", AuthenticationError, "`password`"),
        ("account-disabled", AuthenticationError, "disabled"),
        ("credentials-expired", AuthenticationError, "expired"),
        ("encryption-required", AuthenticationError, "`security`"),
        ("mechanism-too-weak", AuthenticationError, "`mechanisms`"),
        ("something-new", AuthenticationError, "refused"),
        ("temporary-auth-failure", NotSentError, "now"),
    ],
)
async def test_what_refuses_a_login_says_whether_to_try_again(
    far: FarSide, make_stream: MakeStream, condition: str, error: type[DeliveryError], hint: str
) -> None:
    caught = await refused_by(far, make_stream(password="hush"), fails(condition))
    assert type(caught) is error
    assert hint in str(caught)
    assert caught.code == condition
    assert "hush" not in str(caught)


async def test_the_servers_words_are_cleaned_and_cut(far: FarSide, make_stream: MakeStream) -> None:
    caught = await refused_by(far, make_stream(), fails("not-authorized", "no\n \u202eway&#9;out " + "x" * 5000))
    assert "(no way out xxx" in str(caught)
    assert len(str(caught)) < 400


async def test_a_mechanism_that_the_server_does_not_know_after_all_is_followed_by_the_next(
    far: FarSide, make_stream: MakeStream
) -> None:
    async def does(line: Line) -> None:
        await line.header(mechanisms("SCRAM-SHA-1", "SCRAM-SHA-512"))
        assert (await line.next()).get("mechanism") == "SCRAM-SHA-512"
        await line.send(f"<failure xmlns='{SASL}'><invalid-mechanism/></failure>")
        assert (await line.next()).get("mechanism") == "SCRAM-SHA-1"
        await line.send(f"<failure xmlns='{SASL}'><invalid-mechanism/></failure>")

    assert isinstance(await refused_by(far, make_stream(), does), AuthenticationError)


@pytest.mark.parametrize("offered", [("PLAIN",), ("X-OAUTH2", "EXTERNAL"), ("SCRAM-SHA-1",)])
async def test_no_mechanism_is_used_that_is_not_allowed(
    far: FarSide, make_stream: MakeStream, offered: tuple[str, ...]
) -> None:
    line: list[Line] = []

    async def does(one: Line) -> None:
        line.append(one)
        await one.header(mechanisms(*offered))

    stream = make_stream(mechanisms=("SCRAM-SHA-256", "PLAIN"))
    caught = await refused_by(far, stream, does)
    assert isinstance(caught, AuthenticationError)
    assert f"`mechanisms`: the server offers none of them, but {', '.join(sorted(offered))}" in str(caught)
    assert b"<auth" not in line[0].raw


async def test_a_server_that_does_not_know_the_password_itself_is_not_believed(
    far: FarSide, make_stream: MakeStream
) -> None:
    caught = await refused_by(far, make_stream(), lambda line: line.login(password="another"))
    assert isinstance(caught, AuthenticationError)
    assert "does not prove" in str(caught)


@pytest.mark.parametrize("early", [True, False])
async def test_success_without_a_proof_is_none(far: FarSide, make_stream: MakeStream, early: bool) -> None:
    async def does(line: Line) -> None:
        await line.header(mechanisms("SCRAM-SHA-1"))
        first = base64.b64decode((await line.next()).text or "").decode()
        if not early:
            challenge = base64.b64encode(f"{first.rpartition(',')[2]}x,s=c2FsdA==,i=1".encode()).decode()
            await line.send(f"<challenge xmlns='{SASL}'>{challenge}</challenge>")
            await line.next()
        await line.send(f"<success xmlns='{SASL}'/>")

    assert isinstance(await refused_by(far, make_stream(), does), AuthenticationError)


async def test_many_rounds_of_a_hash_do_not_keep_the_loop(far: FarSide, make_stream: MakeStream) -> None:
    """As many as we do at most take less than the second that a ping may take."""
    lengths: list[float] = []

    async def does(line: Line) -> None:
        await line.header(mechanisms("SCRAM-SHA-256"))
        nonce = base64.b64decode((await line.next()).text or "").rpartition(b"r=")[2]
        said = base64.b64encode(b"r=" + nonce + b"x,s=c2FsdA==,i=100000").decode()
        await line.send(f"<challenge xmlns='{SASL}'>{said}</challenge>")
        begin = time.process_time()
        await line.next()
        lengths.append(time.process_time() - begin)
        await line.send(f"<failure xmlns='{SASL}'><not-authorized/></failure>")

    await refused_by(far, make_stream(), does)
    assert lengths[0] < 0.25


@pytest.mark.parametrize(
    ("challenge", "error"),
    [
        (b"r={nonce}x,s=c2FsdA==,i=100000000", AccountError),
        (b"r={nonce}x,s=c2FsdA==,i=99999999999999999999999", AccountError),
        (b"r=another,s=c2FsdA==,i=1", DeliveryError),
        (b"nonsense", AuthenticationError),
        (b"r={nonce}x,s=c2FsdA==,i=x", AuthenticationError),
    ],
)
async def test_a_challenge_that_is_none_or_would_never_end(
    far: FarSide, make_stream: MakeStream, challenge: bytes, error: type[DeliveryError]
) -> None:
    async def does(line: Line) -> None:
        await line.header(mechanisms("SCRAM-SHA-1"))
        first = base64.b64decode((await line.next()).text or "")
        said = base64.b64encode(challenge.replace(b"{nonce}", first.rpartition(b"r=")[2])).decode()
        await line.send(f"<challenge xmlns='{SASL}'>{said}</challenge>")
        if error is DeliveryError:  # we take it back, and the server says that it has heard
            assert (await line.next()).tag == f"{{{SASL}}}abort"
            await line.send(f"<failure xmlns='{SASL}'><aborted/></failure>")

    assert isinstance(await refused_by(far, make_stream(), does), error)


async def test_a_server_without_a_login_is_none(far: FarSide, make_stream: MakeStream) -> None:
    caught = await refused_by(far, make_stream(), lambda line: line.header("<x xmlns='urn:x'/>"))
    assert isinstance(caught, NotSentError)


@pytest.mark.parametrize(
    ("condition", "error", "hint"),
    [
        ("host-unknown", AccountError, "`jid`"),
        ("conflict", AccountError, "`resource`"),
        ("policy-violation", NotSentError, "ended"),
        ("not-authorized", AccountError, "allow"),
        ("system-shutdown", NotSentError, "ended"),
        ("see-other-host", NotSentError, "elsewhere.example.net"),
        ("resource-constraint", NotSentError, "ended"),
    ],
)
@pytest.mark.parametrize("when", ["login", "session"])
async def test_what_a_server_ends_a_stream_with_says_whether_to_come_back(
    far: FarSide, make_stream: MakeStream, condition: str, error: type[DeliveryError], hint: str, when: str
) -> None:
    stream = make_stream()
    content = "elsewhere.example.net" if condition == "see-other-host" else ""
    said = f"<stream:error><{condition} xmlns='{STREAMS}'>{content}</{condition}></stream:error></stream:stream>"
    if when == "login":

        async def does(line: Line) -> None:
            await line.header()
            await line.send(said)

        caught = await refused_by(far, stream, does)
    else:
        line = await begun(stream, far)
        await line.send(said)
        with pytest.raises(DeliveryError) as ended:
            await stream.ended()
        caught = ended.value
    assert (type(caught), caught.code) == (error, None if condition not in str(caught.code) else condition)
    assert hint in str(caught)


async def test_a_component_with_another_secret_is_refused(far: FarSide, make_stream: MakeStream) -> None:
    stream = make_stream(jid="gw.example.org", account="component")
    error = f"<stream:error><not-authorized xmlns='{STREAMS}'/></stream:error>"
    caught = await refused_by(far, stream, lambda line: line.component(error))
    assert isinstance(caught, AuthenticationError)
    assert "`password`" in str(caught)


# --- TLS --------------------------------------------------------------------------------------------------------------


def tls(make_stream: MakeStream, **settings: Any) -> XmppStream:
    return make_stream(security="starttls", **settings)


async def test_tls_is_not_done_without(far: FarSide, make_stream: MakeStream) -> None:
    line: list[Line] = []

    async def does(one: Line) -> None:
        line.append(one)
        await one.header(mechanisms("SCRAM-SHA-256", "PLAIN"))

    caught = await refused_by(far, tls(make_stream), does)
    assert isinstance(caught, AccountError)
    assert "`security`" in str(caught)
    assert b"<auth" not in line[0].raw


async def test_what_stands_before_tls_is_not_taken_for_what_stands_behind_it(
    far: FarSide, make_stream: MakeStream
) -> None:
    line: list[Line] = []

    async def does(one: Line) -> None:
        line.append(one)
        await one.header(f"<starttls xmlns='{TLS}'/>{mechanisms('SCRAM-SHA-256')}")
        assert (await one.next()).tag == f"{{{TLS}}}starttls"
        one.again()
        offer = f"<stream:features>{mechanisms('SCRAM-SHA-256')}</stream:features>"
        await one.send(f"<proceed xmlns='{TLS}'/>{offer}")
        first = await one._stream.receive()
        assert first[:2] == b"\x16\x03"  # a client's hello, of TLS
        line[0].raw = first
        await one.send(offer)

    assert isinstance(await refused_by(far, tls(make_stream), does), NotSentError)
    assert b"<auth" not in line[0].raw


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_try_that_is_cancelled_in_the_midst_of_tls_leaves_nothing(
    far: FarSide, make_stream: MakeStream, security: str
) -> None:
    stream, before = make_stream(security=security), asyncio.all_tasks()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        if security == "starttls":
            await line.header(f"<starttls xmlns='{TLS}'/>")
            await line.next()
            await line.send(f"<proceed xmlns='{TLS}'/>")
        assert (await line._stream.receive())[:2] == b"\x16\x03"
        group.cancel_scope.cancel()
    await line.closed()
    # Those that take connections at the far side stay.
    left = {each for each in asyncio.all_tasks() - before if "FarSide" not in each.get_name()}
    assert not left


async def test_a_server_that_cannot_do_tls_now_may_later(far: FarSide, make_stream: MakeStream) -> None:
    async def does(line: Line) -> None:
        await line.header(f"<starttls xmlns='{TLS}'/>")
        await line.next()
        await line.send(f"<failure xmlns='{TLS}'/></stream:stream>")

    assert isinstance(await refused_by(far, tls(make_stream), does), NotSentError)


async def test_plain_text_where_tls_is_expected(far: FarSide, make_stream: MakeStream) -> None:
    async def does(line: Line) -> None:
        await line.send("<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'>")

    caught = await refused_by(far, make_stream(security="tls"), does)
    assert isinstance(caught, NotSentError)
    assert "`security`" in str(caught)


# --- no server --------------------------------------------------------------------------------------------------------


async def test_nobody_listens(make_stream: MakeStream) -> None:
    error = await refused(make_stream(port=1))
    assert isinstance(error, NotSentError)
    assert "look at `host` and `port`" in str(error)


def test_a_port_that_speaks_otherwise_is_told_from_one_where_nobody_listens() -> None:
    error = refused_connection(
        ConnectionResetError(104, "Connection reset by peer"),
        XmppConfig.model_validate({"jid": "a@b", "password": "p"}),
    )
    assert '`security` = "starttls" is not that of the port' in str(error)


async def test_a_host_that_is_none(make_stream: MakeStream) -> None:
    caught = await refused(make_stream(host="nobody.invalid", security="starttls"))
    assert isinstance(caught, NotSentError)
    assert "nobody.invalid" in str(caught)
    assert "`host`" in str(caught)


async def test_a_file_of_authorities_that_is_none(make_stream: MakeStream, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigurationError, match=rf"ca: .*{name} is no file of certificates"):
            await make_stream(security="tls", ca=tmp_path / name).open()


async def test_where_the_server_is_is_asked_of_dns(
    make_stream: MakeStream, far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6120 §3.2: each of the targets, in their order; of each its addresses."""

    async def records(self: Wire, domain: str, port: int | None = None) -> list[tuple[str, str, str, int]]:
        asked.append((domain, self.enable_direct_tls, self.enable_starttls))
        return [
            ("xmpp-client", "a.example.org", "127.0.0.1", 1),
            ("xmpp-client", "b.example.org", "127.0.0.1", far.port),
        ]

    asked: list[tuple[str, bool, bool]] = []
    monkeypatch.setattr(Wire, "get_dns_records", records)

    async def does(line: Line) -> None:
        await line.header(f"<starttls xmlns='{TLS}'/>")
        await line.next()
        await line.send(f"<failure xmlns='{TLS}'/>")

    caught = await refused_by(far, make_stream(host=None, port=None, security="starttls"), does)
    assert "TLS" in str(caught)
    assert asked == [("example.org", False, True)]


async def test_a_password_that_no_login_may_have(make_stream: MakeStream) -> None:
    caught = await refused(make_stream(password="a\u0007b"))
    assert isinstance(caught, AuthenticationError)
    assert "`password`" in str(caught)


async def test_a_jid_that_slixmpp_does_not_take(make_stream: MakeStream) -> None:
    caught = await refused(make_stream(jid="a\U0001f600b@example.org"))
    assert isinstance(caught, AccountError)
    assert "`jid`" in str(caught)


# --- slixmpp ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (ClientXMPP, "_spawn_event"),
        (ClientXMPP, "_handle_stream_features"),
        (ClientXMPP, "cancel_connection_attempt"),
        (ClientXMPP, "get_dns_records"),
        (ClientXMPP, "init_parser"),
        (ClientXMPP, "init_plugins"),
        (ClientXMPP, "start_stream_handler"),
        (ClientXMPP, "start_tls"),
        (SCRAM, "Hi"),
        (FeatureMechanisms, "_send_auth"),
        (FeatureMechanisms, "_handle_challenge"),
        (FeatureMechanisms, "_handle_success"),
        (FeatureMechanisms, "_handle_fail"),
    ],
)
def test_what_we_use_of_slixmpp_is_still_there(owner: type, name: str) -> None:
    assert callable(getattr(owner, name, None)), f"slixmpp has no {owner.__name__}.{name} any more: _wire.py needs it"


def test_our_names_are_not_slixmpps() -> None:
    """Else one would overwrite the other's."""
    source = inspect.getsource(Wire.__init__)
    ours = {"_config", "_received", "_lost", "why", "gone", "_stanzas", "_greeted", "_logged_in", "_upgrading", "_sent"}
    ours |= {"_news", "_features", "_negotiate", "_ready", "_connect", "_targets", "_element", "fail", "write", "pause"}
    assert all(f"self.{each}" in source for each in ("_config", "_stanzas", "_news"))

    async def names() -> set[str]:
        client = ClientXMPP("a@b", "c")
        return set(dir(client))

    assert not ours & anyio.run(names)
