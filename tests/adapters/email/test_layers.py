"""Who of the email adapter meets the network, and who only thinks: told by their imports."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import convergekit.adapters.email as package
from tests.test_imports import top_names

HERE: Final = Path(package.__file__).parent
NETWORK: Final = {"aiosmtplib", "anyio", "asyncio", "imapclient", "imaplib", "select", "smtplib", "socket", "ssl"}
#: Who may: the three ways of mail, what they share, the far side of the contract, and who runs what takes long.
MEETS: Final = {"_both.py", "adapter.py", "imap", "lmtp", "smtp", "subject", "tls.py"}
#: Signing takes long, and is done in a thread.
IN_A_THREAD: Final = {Path("building/dkim.py")}


def test_only_transports_meet_the_network() -> None:
    met = {
        path.relative_to(HERE) for path in HERE.rglob("*.py") if top_names(ast.parse(path.read_text("utf-8"))) & NETWORK
    }
    assert {path for path in met if path.parts[0] not in MEETS} == IN_A_THREAD


def test_what_reads_knows_nothing_of_what_it_is_read_for() -> None:
    """`arrival` puts them together: reading knows of no reports, and neither of them of settings."""
    for folder, others in (("reading", ("..reports", "..config", "..arrival")), ("reports", ("..config", "..arrival"))):
        for path in (HERE / folder).glob("*.py"):
            source = path.read_text("utf-8")
            assert not [other for other in others if f"from {other} import" in source], path


def test_the_three_ways_know_nothing_of_each_other() -> None:
    ways = ("imap", "lmtp", "smtp")
    for way in ways:
        for path in (HERE / way).glob("*.py"):
            source = path.read_text("utf-8")
            assert not [other for other in ways if other != way and f"from ..{other}" in source], path
