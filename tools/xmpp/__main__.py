"""Start a server, tell where it is, and wait until Ctrl-C: `python -m tools.xmpp [prosody|ejabberd]`."""

import argparse
import signal
import sys

from tools.xmpp import Ejabberd, Prosody


def main() -> None:
    """Start it, tell where it is, and wait until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tools.xmpp", description="An XMPP server to try things on.")
    parser.add_argument("server", nargs="?", choices=("prosody", "ejabberd"), default="prosody")
    kind = Ejabberd if parser.parse_args().server == "ejabberd" else Prosody
    if why := kind.missing():
        sys.exit(why)
    with kind() as server:
        for name in ("host", "port", "tls_port", "component_port", "http_port", "https_port", "domain", "rooms"):
            print(f"{name:<18}{getattr(server, name)}")
        for name in ("uploads", "pubsub", "component", "component_secret", "ca", "folder"):
            print(f"{name:<18}{getattr(server, name)}")
        print("alice, bob and carol have their name for a password; Ctrl-C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


main()
