"""Mail goes out and comes in again while the worker is killed, and afterwards every sum is right."""

from __future__ import annotations

from pathlib import Path

from tools.mail import Account, MailServers

from .__main__ import PATIENT
from .driver import Torture, tortured
from .sums import summed


def test_four_kills_between_our_sender_and_our_mailbox(mail: MailServers, account: Account, quick_path: Path) -> None:
    """`make torture-email` does a thousand messages and fifty kills."""
    sums = summed(tortured(Torture(seed=5, messages=60, kills=4, lease=3.0), mail, account, quick_path))
    print(sums.figures, (quick_path / "log").read_text()[-10_000:])  # shown when it fails

    assert sums.wrong == []


def test_three_kills_while_postfix_hands_over_to_us(mail: MailServers, account: Account, quick_path: Path) -> None:
    """A 250 was true, whenever the worker died; what had none comes again, and is recognised where it was there."""
    torture = Torture(seed=6, way="lmtp", messages=30, kills=3, lease=2.5)
    with MailServers(PATIENT) as patient:
        sums = summed(tortured(torture, patient, account, quick_path))
        print(sums.figures, (quick_path / "log").read_text()[-10_000:], patient.logs()[-10_000:])

    assert sums.wrong == []
