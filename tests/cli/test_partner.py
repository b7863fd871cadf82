"""The demonstration's other side: what it believes is evidence, since none of our code is in it."""

import ast
import base64
import inspect
import json
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from convergekit.cli import _partner
from convergekit.cli._partner import Partner
from convergekit.http import StandardWebhooks

OURS = "whsec_" + base64.b64encode(bytes(32)).decode()
THEIRS = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = json.dumps({"type": "message.created", "data": {"text": "hello"}}).encode()


@pytest.fixture
def partner() -> Partner:
    return Partner(signs=THEIRS, verifies=OURS, answers={"/gone": 410})


async def post(partner: Partner, path: str, headers: dict[str, str], body: bytes = BODY) -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(partner), base_url="http://partner") as client:
        return (await client.post(path, content=body, headers=headers)).status_code


def signed(secret: str = OURS, body: bytes = BODY) -> dict[str, str]:
    return dict(StandardWebhooks([SecretStr(secret)]).sign("msg_1", datetime.now(UTC), body))


async def test_what_we_sign_is_genuine(partner: Partner) -> None:
    assert await post(partner, "/inbox", signed()) == 204
    got = await partner.next()
    partner.close()
    assert got is not None
    assert (got.path, got.id, got.genuine, got.text, got.answer) == ("/inbox", "msg_1", True, "hello", 204)


async def test_an_address_may_refuse(partner: Partner) -> None:
    assert await post(partner, "/gone", signed()) == 410
    partner.close()


@pytest.mark.parametrize("headers", [{}, signed(THEIRS), signed(body=b"{}"), {"webhook-signature": "v1,"}])
async def test_what_is_not_signed_by_us_is_not_genuine(partner: Partner, headers: dict[str, str]) -> None:
    assert await post(partner, "/gone", headers) == 401
    assert [got.genuine for got in partner.received] == [False]
    partner.close()


async def test_waiting_for_nothing_ends(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_partner, "_PATIENCE", 0)
    assert await partner.next() is None
    partner.close()


def test_it_uses_none_of_our_code() -> None:
    tree = ast.parse(inspect.getsource(_partner))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any((name or ".").startswith((".", "convergekit")) for name in imported)
