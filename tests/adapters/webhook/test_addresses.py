"""Addresses that users typed: none of them leads a webhook to where only we can go."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import InvalidInputError, RejectedError
from convergekit.model import Address, Status
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import adapter_over, config
from tests.http import raw
from tests.http.names import ALLOWED, Names, nobody_came, watched

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def sender(**more: Any) -> AsyncGenerator[WebhookAdapter]:
    context = FakeContext(channel="hooks")
    async with WebhookAdapter(config(allow_http=True, **more), context) as adapter:
        yield adapter
    await context.http.aclose()


#: As a user may write them. Some are no address at all; the rest leads nowhere.
TYPED = """
    127.0.0.1 127.1 2130706433 0x7f.1 0X7F000001 017700000001 0177.0.0.1 127.0.0.1. 0 localhost LocalHost localhost.
    a.b.localhost １２７.0.0.1 127。0。0。1 ①②⑦.0.0.1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ %31%32%37.0.0.1 127.0.0.1%23.example.org
    [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [fe80::1%25lo]
    [::1%lo]
    ann:secret@127.0.0.1 example.org@127.0.0.1 127.0.0.1\\@example.org example.org\\@127.0.0.1 [::1].example.org
    169.254.169.254 [fd00:ec2::254] 100.100.100.200 metadata.google.internal 10.0.0.1 192.168.0.1 172.16.0.1
    100.64.0.1 198.18.0.1 192.0.2.1 224.0.0.1 255.255.255.255 240.0.0.1 [fc00::1] [ff02::1] [2001:db8::1]
""".split()  # noqa: SIM905  a table that is read by people


def parsed(uri: str) -> Address | None:
    """None where it is no address at all."""
    try:
        return Address.parse(uri)
    except InvalidInputError:
        return None


async def test_no_address_that_a_user_types_leads_inside() -> None:
    """It is refused for good, before anything is signed over to anybody."""
    refused = set()
    with watched("127.0.0.1") as (port, listeners):
        async with sender() as adapter:
            for host in TYPED:
                for scheme in ("http", "https"):
                    address = parsed(f"{scheme}://{host}:{port}/hook")
                    if address is None:
                        continue
                    with pytest.raises(RejectedError, match="address guard") as caught:
                        await adapter.send(outgoing(address.uri, started=pytest.fail))
                    assert caught.value.channel == "hooks"
                    refused.add(host)
        assert nobody_came(*listeners)
    assert {"0x7f.1", "2130706433", "127。0。0。1", "[::1]", "localhost.", "[64:ff9b::7f00:1]"} < refused
    assert not [host for host in refused if "@" in host or "%" in host or "\\" in host]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("10.1.2.3", r"10\.0\.0\.0/8 \(private\); where that is meant, name it in `allow_networks`"),
        ("169.254.169.254", "a metadata service, which no larger network allows; where that"),
        ("10.0.0.300", "a number that is no address$"),
    ],
)
async def test_a_refusal_says_what_it_is_and_how_to_allow_it(host: str, why: str) -> None:
    async with sender() as adapter:
        with pytest.raises(RejectedError, match=why):
            await adapter.send(outgoing(f"https://{host}/"))


@pytest.mark.parametrize("bad", ["\r\n", "\n", "\r", "\x00", "\t", " ", "\u2028", "%0d%0a"])
def test_nothing_that_ends_a_line_is_in_an_address(bad: str) -> None:
    for url in ("https://exam{}ple.org/", "https://example.org{}x: y/", "https://ann{}@example.org/"):
        with pytest.raises(InvalidInputError):
            Address.parse(url.format(bad))
    if not bad.startswith("%"):  # which is a path's own, and is sent as it stands
        with pytest.raises(InvalidInputError):
            Address.parse(f"https://example.org/a{bad}b")


async def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    names.leads = {"inside.example": [["127.0.0.1"]], "mixed.example": [["93.184.216.34", "10.0.0.1"]]}
    with watched("127.0.0.1") as (port, listeners):
        async with sender() as adapter:
            for host in names.leads:
                with pytest.raises(RejectedError, match="address guard"):
                    await adapter.send(outgoing(f"http://{host}:{port}/hook", started=pytest.fail))
        assert nobody_came(*listeners)


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_the_url_of_the_settings_is_the_hosts_own_choice_and_nothing_beside_it_is() -> None:
    async with raw.serving(raw.answers(OK)) as origin, raw.serving(raw.answers(OK)) as other:
        async with sender(url=f"{origin}/hook") as adapter:
            assert (await adapter.send(outgoing(f"{origin}/hook"))).status is Status.DELIVERED
            with pytest.raises(RejectedError, match="address guard"):
                await adapter.send(outgoing(f"{other}/hook"))
        async with sender(url=f"{origin.replace('127.0.0.1', 'localhost')}/hook") as adapter:
            assert (
                await adapter.send(outgoing(f"{origin.replace('127.0.0.1', 'localhost')}/other"))
            ).status is Status.DELIVERED


async def test_a_network_of_ones_own_is_allowed_by_name() -> None:
    async with raw.serving(raw.answers(OK)) as origin, sender(allow_networks=["127.0.0.0/8", "::1"]) as adapter:
        assert (await adapter.send(outgoing(origin))).status is Status.DELIVERED
        with pytest.raises(RejectedError, match="metadata"):
            await adapter.send(outgoing("http://169.254.169.254/latest/meta-data/"))


async def test_a_partners_name_does_not_become_a_door_by_being_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the name may lead it inside at any time."""
    names = Names(monkeypatch)
    names.leads["partner.example"] = [[ALLOWED]]
    async with sender(url="https://partner.example/hook") as adapter:
        with pytest.raises(RejectedError, match="address guard"):
            await adapter.send(outgoing("https://partner.example/hook"))
        assert not (await adapter.check()).ok


async def test_over_a_transport_of_the_hosts_addresses_are_looked_at_as_well() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(204)

    adapter = adapter_over(handler, allow_http=True)
    for host in ("127.0.0.1", "0x7f.1", "[::1]", "169.254.169.254", "localhost"):
        with pytest.raises(RejectedError, match="address guard"):
            await adapter.send(outgoing(f"http://{host}/hook"))
    assert (await adapter.send(outgoing("https://example.org/hook"))).status is Status.DELIVERED
    assert seen == ["example.org"]


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "example.org", ["10.0.0.0/8", "x"], [""]])
def test_what_is_no_network_is_said_when_the_settings_are_read(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="allow_networks"):
        config(allow_networks=wrong)
