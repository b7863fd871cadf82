"""Gateways cost nothing until one is used: not a module of theirs, and not a profile."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What is loaded and read from here on is told at the end.
WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
{}
modules = sorted(name for name in sys.modules if name.startswith("convergekit.adapters.sms"))
print(modules, [each for each in opened if each.endswith(".toml") or "/adapters/sms/" in each])
"""
HOST = """
import anyio
from convergekit import Hub
async def main():
    async with Hub(store="memory:") as hub:
        await hub.add_channel("desk", {"adapter": "loopback"})
anyio.run(main)
"""


def told(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED.format(code)], check=True, stdout=subprocess.PIPE, text=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    ["import convergekit", "from convergekit import Hub, Message", "import convergekit.testing", HOST],
    ids=["import", "names", "the kit", "a hub with another channel"],
)
def test_who_uses_no_gateway_loads_nothing_of_them(code: str) -> None:
    assert told(code) == "[] []"


def test_who_uses_one_reads_that_profile_and_no_other() -> None:
    account = {"account_sid": "AC0", "auth_token": "t0ken"}
    found = told(f"from convergekit.adapters.sms import SmsConfig\nSmsConfig(gateway='twilio', account={account})")

    assert found.count(".toml") == 1
    assert "twilio.toml" in found
