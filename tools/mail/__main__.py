"""Start the mail servers, tell where they are, and wait until Ctrl-C."""

import signal
import sys

from tools.mail import MailServers, missing


def main() -> None:
    """Start them, tell where they are, and wait until Ctrl-C."""
    if why := missing():
        sys.exit(why)
    with MailServers() as mail:
        for name in ("mx", "submission", "smtps", "stripped", "imap", "imaps", "lmtp", "app_lmtp"):
            print(f"{name:<12} 127.0.0.1:{getattr(mail, name)}")
        for account in (mail.alice, mail.bob, mail.anna, mail.fresh_account()):
            print(f"{account.user:<20} {account.password}")
        print(f"certificate of the authority: {mail.ca}\neverything is in {mail.folder}\nCtrl-C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


main()
