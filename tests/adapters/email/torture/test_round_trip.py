"""Mail goes out and comes in again while the worker is killed, and afterwards every sum is right."""

from __future__ import annotations

from pathlib import Path

from tools.mail import Account, MailServers

from .driver import Torture, tortured
from .sums import summed


def test_four_kills_between_our_sender_and_our_mailbox(mail: MailServers, account: Account, quick_path: Path) -> None:
    """`make torture-email` does a thousand messages and fifty kills."""
    torture = Torture(seed=5, messages=60, kills=4, lease=4.0)
    sums = summed(tortured(torture, mail, account, quick_path))
    print(sums.figures, (quick_path / "log").read_text()[-10_000:])  # shown when it fails

    assert sums.wrong == []
