"""What nobody may read."""

from __future__ import annotations

import logging

from .._bench import Bench
from .._subject import Cannot, Fault
from ._registry import check, expect
from .settings import secrets_of

__all__: list[str] = []


@check("no-secret-logged")
async def _no_secret_logged(bench: Bench) -> None:
    """Over a send that is taken, and one for each thing that can go wrong."""
    async with bench.entered() as (adapter, _):
        await bench.attempt(adapter)
        for fault in Fault:
            if fault is Fault.SILENT:
                continue
            try:
                bench.subject.fault(fault)
            except Cannot:
                continue
            await bench.attempt(adapter)
        await adapter.check()
    formatter = logging.Formatter()
    for record in bench.records:
        text = f"{formatter.format(record)} {vars(record)}"
        for secret in secrets_of(bench.config()):
            expect(secret not in text, f"{record.name}, {record.pathname}:{record.lineno} logs a secret")
