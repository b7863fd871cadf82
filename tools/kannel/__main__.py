"""Start Kannel, tell where it is, and wait until Ctrl-C; a URL may be given where it brings what phones say."""

import signal
import sys

from tools.kannel import Kannel, missing


def main() -> None:
    """Start it, tell where it is, and wait until Ctrl-C."""
    if why := missing():
        sys.exit(why)
    with Kannel(*sys.argv[1:2]) as kannel:
        for name in ("send_url", "username", "password", "callback_url", "folder"):
            print(f"{name:<14}{getattr(kannel, name)}")
        print("Ctrl-C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
        for sms in kannel.phones.messages():
            print(f"{sms.sender} -> {sms.to}: {sms.text}")


main()
