"""Install the servers that the tests talk with, where this machine may: root on Debian or one of its children.

Where it may not, or cannot, it says so and leaves with 0: those tests are then skipped, or fail where CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import mail
import nginx
import postgres

_CREATION: Final = Path("/etc/postgresql-common/createcluster.conf")
_PROSODY_FILES: Final = ("lib/*/lua/*/dbd/sqlite3.so", "lib/prosody/modules/mod_muc_moderation")
_EJABBERD_FILES: Final = ("lib/*/ejabberd-[0-9]*", "lib/erlang/lib/p1_sqlite3-*")
_SBIN: Final = Path("/usr/sbin")  # is not on everybody's PATH


class Peer(NamedTuple):
    """One server.

    Args:
        name: For people.
        missing: Why it is not there; empty where it is.
        install: Installs it.
    """

    name: str
    missing: Callable[[], str]
    install: Callable[[], None]


def main() -> None:
    """Install what is missing."""
    missing = [(peer, why) for peer in PEERS if (why := peer.missing())]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        for _, why in missing:
            print(f"{why}; the tests that need it are skipped", file=sys.stderr)
        return
    if _succeeds("the lists of packages", lambda: _apt_get("update")):
        for peer, _ in missing:
            print(f"installing {peer.name} for the tests")
            _succeeds(peer.name, peer.install)


def _succeeds(what: str, step: Callable[[], None]) -> bool:
    try:
        step()
    except subprocess.CalledProcessError as exc:
        print(f"{what} could not be installed; the tests that need it are skipped\n{exc.stdout}", file=sys.stderr)
        return False
    return True


def _postgresql() -> None:
    _apt_get("install", "postgresql-common")
    with _no_cluster():
        _apt_get("install", "postgresql-15")


def _lacking(name: str, *programs: str, files: Sequence[str] = ()) -> str:
    """Why there is no *name*, which is made of *programs*, and of *files* below /usr; empty where there is."""
    path = os.pathsep.join((os.environ.get("PATH", ""), str(_SBIN)))
    found = all(shutil.which(program, path=path) for program in programs)
    found = found and all(next(Path("/usr").glob(file), None) for file in files)
    return "" if found else f"{name} is not installed (as root on Debian, `make peers` does it)"


def _ngircd() -> None:
    with _no_service():
        _apt_get("install", "ngircd")
    _run("update-rc.d", "ngircd", "disable")  # nor at the next start of the machine


def _kannel() -> None:
    with _no_service():
        _apt_get("install", "kannel", "kannel-extras")  # in the second is its own fake phone network
    _run("update-rc.d", "kannel", "disable")


def _prosody() -> None:
    with _no_service():
        # The second keeps an archive that outlives a crash; in the third is the moderation of rooms.
        _apt_get("install", "prosody", "lua-dbi-sqlite3", "prosody-modules")
    _run("update-rc.d", "prosody", "disable")


def _ejabberd() -> None:
    with _no_service():
        _apt_get("install", "ejabberd", "erlang-p1-sqlite3")  # in Mnesia, its own, an archive of thousands is too slow
    _run("update-rc.d", "ejabberd", "disable")


def _mail() -> None:
    # Unless it is told, Postfix asks what it is to be, and writes settings for this machine: ours have their own.
    _run("debconf-set-selections", told="postfix postfix/main_mailer_type select No configuration\n")
    with _no_service():
        _apt_get("install", "postfix", "dovecot-imapd", "dovecot-lmtpd")
    for service in ("postfix", "dovecot"):
        _run("update-rc.d", service, "disable")


def _nginx() -> None:
    with _no_service():
        _apt_get("install", "nginx")  # without what it recommends the smallest of its packages
    _run("update-rc.d", "nginx", "disable")


PEERS: Final = (
    Peer("PostgreSQL", postgres.missing, _postgresql),
    Peer("ngircd", lambda: _lacking("ngircd", "ngircd"), _ngircd),
    Peer("Postfix and Dovecot", mail.not_installed, _mail),
    Peer("Kannel", lambda: _lacking("Kannel", "bearerbox", "smsbox"), _kannel),
    Peer("Prosody", lambda: _lacking("Prosody", "prosody", files=_PROSODY_FILES), _prosody),
    Peer("ejabberd", lambda: _lacking("ejabberd", "erl", files=_EJABBERD_FILES), _ejabberd),
    Peer("nginx", nginx.missing, _nginx),
)


def _apt_get(verb: str, *packages: str) -> None:
    options = ("--yes", "--no-install-recommends") if packages else ()
    _run("apt-get", "-qq", verb, *options, *packages)


def _run(*command: str, told: str = "") -> None:
    subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        input=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )


@contextmanager
def _no_cluster() -> Iterator[None]:
    """The package makes and starts a server of its own, unless it is told not to; ours are the tests' own."""
    before = _CREATION.read_text("utf-8")
    _CREATION.write_text(before + "\ncreate_main_cluster = false\n", "utf-8")
    try:
        yield
    finally:
        _CREATION.write_text(before, "utf-8")


@contextmanager
def _no_service() -> Iterator[None]:
    """Debian's way to say that a package must not start what it brings (invoke-rc.d, "policy-rc.d")."""
    policy = _SBIN / "policy-rc.d"
    if policy.exists():  # the machine has said already what may be started
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", "utf-8")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


if __name__ == "__main__":
    main()
