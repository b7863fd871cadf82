"""Secrets of single endpoints, from a function of the host's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from convergekit import Hub, MemoryStore
from convergekit.adapters.webhook import WebhookAdapter, WebhookConfig
from convergekit.errors import (
    ConfigurationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    SignatureError,
    UnsupportedContentError,
)
from convergekit.http import StandardWebhooks
from convergekit.model import Address, Status
from convergekit.testing import FakeContext, outgoing

from .kit import HOME, NEW, OLD, START, received

pytestmark = pytest.mark.anyio

OTHER = "https://other.example/hook"


class Host:
    """Knows the secrets of endpoints, and takes what is posted to them."""

    def __init__(self, **settings: Any) -> None:
        self.secrets: dict[str, Any] = {}
        self.requests: list[httpx.Request] = []
        transport = httpx.MockTransport(self._take)
        context = FakeContext(channel="hooks", transport=transport, parts={"secrets": self.lookup})
        self.adapter = WebhookAdapter(WebhookConfig(own_secrets=True, **settings), context)

    async def lookup(self, address: Address) -> Sequence[str | SecretStr] | None:
        found = self.secrets.get(address.uri)
        if isinstance(found, BaseException):
            raise found
        known: Sequence[str | SecretStr] | None = found
        return known

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(204)

    def fits(self, secret: str) -> bool:
        """Whether what was posted last is signed with *secret*."""
        try:
            StandardWebhooks([SecretStr(secret)]).verify(received(self.requests[-1]), START)
        except SignatureError:
            return False
        return True


async def test_each_endpoint_has_its_own_and_a_new_one_counts_from_then_on() -> None:
    host = Host()
    host.secrets = {HOME: [OLD], OTHER: NEW}
    await host.adapter.send(outgoing(HOME))
    assert (host.fits(OLD), host.fits(NEW)) == (True, False)
    await host.adapter.send(outgoing(OTHER))
    assert (host.fits(OLD), host.fits(NEW)) == (False, True)

    host.secrets[HOME] = [SecretStr(NEW), SecretStr(OLD)]
    await host.adapter.send(outgoing(HOME))
    assert host.fits(OLD), "while it is replaced, both sign"
    assert host.fits(NEW)
    host.secrets[HOME] = [NEW]
    await host.adapter.send(outgoing(HOME))
    assert (host.fits(OLD), host.fits(NEW)) == (False, True)


async def test_who_has_none_is_signed_for_with_those_of_the_settings() -> None:
    host = Host(secrets=(OLD,))
    await host.adapter.send(outgoing(HOME))
    assert host.fits(OLD)


@pytest.mark.parametrize(
    "found", [None, [], ["whsec_!"], "short", [7], KeyError("whsec_SECRET"), NotSentError("the vault is shut")]
)
async def test_what_is_wrong_with_them_is_that_endpoints_trouble(found: Any) -> None:
    """It is tried again by the schedule, and the channel goes on; nothing shows a secret."""
    host = Host()
    host.secrets = {HOME: found, OTHER: [NEW]}
    with pytest.raises(DeliveryError) as caught:
        await host.adapter.send(outgoing(HOME))
    assert type(caught.value) is NotSentError
    assert "SECRET" not in str(caught.value) + repr(caught.value.__cause__)
    assert host.requests == []
    await host.adapter.send(outgoing(OTHER))


async def test_a_host_may_refuse_by_itself() -> None:
    host = Host()
    host.secrets[HOME] = RejectedError("nobody has this endpoint any more")
    with pytest.raises(RejectedError, match="any more"):
        await host.adapter.send(outgoing(HOME))


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"own_secrets": True}, {}),
        ({"own_secrets": True}, {"secrets": ["whsec_x"]}),
        ({"secrets": (NEW,)}, {"secrets": Host.lookup}),
    ],
)
def test_the_settings_and_the_host_say_the_same(settings: dict[str, Any], parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="own_secrets"):
        WebhookAdapter(WebhookConfig(**settings), FakeContext(parts=parts))


def test_a_scheme_of_the_hosts_own_knows_by_itself_what_it_signs_with() -> None:
    with pytest.raises(ValidationError, match="own_secrets"):
        WebhookConfig(own_secrets=True, scheme="own")


async def test_they_are_handed_over_with_the_channel() -> None:
    host = Host()
    host.secrets[HOME] = [NEW]
    async with Hub(store=MemoryStore()) as hub:
        transport = httpx.MockTransport(lambda request: httpx.Response(204))
        settings = {"adapter": "webhook", "own_secrets": True}
        await hub.add_channel("hooks", settings, secrets=host.lookup, transport=transport)
        assert (await hub.send("hello", to=HOME)).status is Status.DELIVERED


async def test_a_cloud_event_without_a_source_is_not_sent() -> None:
    """The settings know nothing of whoever signs, so they cannot ask for one."""
    host = Host(format="cloudevents")
    host.secrets[HOME] = [NEW]
    async with host.adapter as adapter:
        with pytest.raises(UnsupportedContentError, match="set `source`"):
            await adapter.send(outgoing(HOME, "hello"))
    assert host.requests == []
