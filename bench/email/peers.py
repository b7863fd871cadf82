"""aiosmtplib as its manual shows it: on one connection with ready bytes, and a connection for each message."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import aiosmtplib

from .drive import Send
from .mails import FROM, TO, built_by_them, message_by_them

__all__ = ["AIOSMTPLIB", "sends_each", "sends_ready_bytes"]

AIOSMTPLIB = f"aiosmtplib {version('aiosmtplib')}"


@asynccontextmanager
async def sends_ready_bytes(port: int) -> AsyncGenerator[Send]:
    """`SMTP.sendmail()`: the least that it can do."""
    ready = built_by_them()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        yield lambda number: client.sendmail(FROM, [TO], ready)


@asynccontextmanager
async def sends_each(port: int) -> AsyncGenerator[Send]:
    """`aiosmtplib.send()` with an `EmailMessage`: what its manual begins with."""
    yield lambda number: aiosmtplib.send(message_by_them(number), hostname="127.0.0.1", port=port, start_tls=False)
