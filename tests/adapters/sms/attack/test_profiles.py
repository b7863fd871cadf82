"""Profiles that somebody else has written."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms import profiles
from convergekit.errors import ConfigurationError

LEAST = {"name": "x", "title": "X", "callbacks": {"inbound": [{"from": "from"}]}}


def nested(depth: int, table: bool) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value} if table else [value]
    return value


@pytest.mark.parametrize("table", [True, False])
def test_what_is_nested_too_deeply_is_said(table: bool) -> None:
    send = {"url": "http://127.0.0.1:1", "fields": {"deep": nested(5000, table)}}
    with pytest.raises(ConfigurationError, match="'x'"):
        profiles.read(LEAST | {"send": send})


@pytest.mark.parametrize("kind", ["text/plain\r\nset-cookie: a=b", "text/€", "text/plain\n", ""])
def test_what_the_gateway_hears_is_one_header(kind: str) -> None:
    """Else each of its calls would fail after it was taken."""
    callbacks = {"inbound": [{"from": "from"}], "ack": {"body": "ok", "type": kind}}
    with pytest.raises(ConfigurationError, match=r"callbacks\.ack\.type"):
        profiles.read(LEAST | {"callbacks": callbacks})
