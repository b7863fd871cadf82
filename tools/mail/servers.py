"""Postfix and Dovecot, private and on loopback: made, started, stopped, looked into, and removed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import processes, settings
from .processes import DOVECOT_PID, POSTFIX_PID, eventually, free_ports, is_listening, master, stop
from .programs import program, run
from .sink import SmtpSink

__all__ = ["LIFETIME", "Account", "MailServers"]

#: Seconds after which Postfix gives up on mail that is put off.
LIFETIME: Final = 20

_MEMORY: Final = Path("/dev/shm")
_PASSWORD: Final = "testpw"
_MAIL_ID: Final = 5000  # whom Dovecot's mailboxes belong to; nobody needs to have that number
_TEST_USERS: Final = count(1)


class Account(NamedTuple):
    """Somebody with a mailbox.

    Args:
        user: The address, which is the name to log in with too.
        password: Theirs.
    """

    user: str
    password: str


class MailServers:
    """Postfix and Dovecot, running until they are closed; ports, domains and recipients stand at the top.

    Args:
        more: Settings of Postfix, over ours.
        app_lmtp: The port that mail for *@app.test goes to; a free one by default.
        where: In which folder their own one is made; None for memory where there is enough, or temporary files.

    Attributes:
        folder: Where all of it is.
        mx, submission, smtps, stripped, imap, imaps, lmtp, app_lmtp: Ports on 127.0.0.1; the same over a restart.
        ca: The certificate of the authority that the servers' own one (localhost, 127.0.0.1) is from, as PEM.
        alice, bob, anna: Accounts.
    """

    alice: Final = Account("alice@example.test", "alicepw")
    bob: Final = Account("bob@example.test", "bobpw")
    anna: Final = Account("anna@utf8.test", "annapw")

    def __init__(
        self,
        more: Mapping[str, str] | None = None,
        *,
        app_lmtp: int | None = None,
        where: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergekit-mail-", dir=where or _place())).resolve()
        guard = [sys.executable, processes.__file__, str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        self._sinks: list[SmtpSink] = []
        ports = free_ports(11)
        self.mx, self.submission, self.smtps, self.stripped, self.imap, self.imaps, self.lmtp = ports[:7]
        self.app_lmtp = app_lmtp or ports[7]
        self._outside, self._refusing, self._deferring = ports[8:]
        self.ca = self.folder / "tls" / "ca.pem"
        self._key = secrets.token_bytes(32)
        try:
            self._make_folders()
            self._make_certificates()
            self._configure(more or {})
            self._start_sinks()
            self._start()
        except BaseException as exc:
            exc.add_note(self.logs()[-4000:])
            self.close()
            raise

    # --- making ---------------------------------------------------------------------------------------------------

    def _make_folders(self) -> None:
        self.folder.chmod(0o755)
        for name in ("tls", "mail", "queue", "pfdata", "log", "out", "postfix", "dovecot/run", "dovecot/state"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "out").chmod(0o777)
        shutil.chown(self.folder / "pfdata", "postfix")
        os.chown(self.folder / "mail", _MAIL_ID, _MAIL_ID)

    def _make_certificates(self) -> None:
        import trustme

        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        authority.cert_pem.write_to_path(self.ca)
        own = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        own.private_key_pem.write_to_path(self.folder / "tls" / "key.pem")
        for blob in own.cert_chain_pems:
            blob.write_to_path(self.folder / "tls" / "chain.pem", append=True)

    def _configure(self, more: Mapping[str, str]) -> None:
        key = self.folder / "jwt" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(self._key))
        accounts = [f"{each.user}:{{PLAIN}}{each.password}::::::\n" for each in (self.alice, self.bob, self.anna)]
        (self.folder / "dovecot" / "passwd").write_text("".join(accounts))
        values = {
            **{name: value for name, value in vars(self).items() if isinstance(value, int | Path)},
            "outside": self._outside,
            "refusing": self._refusing,
            "deferring": self._deferring,
            "password": _PASSWORD,
            "mail_id": _MAIL_ID,
            "lifetime": LIFETIME,
        }
        for name, text in settings.render(values).items():
            (self.folder / name).write_text(text, "utf-8")
        main = self.folder / "postfix" / "main.cf"
        text = main.read_text("utf-8")
        for name, value in more.items():
            # In place of ours: of each that is there twice every process of Postfix warns, and when there are more
            # warnings than its log takes before it is started, Postfix waits for itself.
            text = re.sub(rf"(?m)^{name} =.*\n(?:[ \t].*\n)*", "", text) + f"{name} = {value}\n"
        main.write_text(text, "utf-8")
        for path in self.folder.rglob("*"):  # whatever the umask says
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        os.utime(main, (0, 0))  # one that is new may still be being written, so Postfix would wait a second and a half

    def _start_sinks(self) -> None:
        for port, options in (
            (self._outside, ("-d", f"{self.folder}/out/%s.")),
            (self._refusing, ("-f", "RCPT")),
            (self._deferring, ("-r", "RCPT")),
        ):
            self._sinks.append(SmtpSink(("-8", *options), port=port, cwd=self.folder))

    def _start(self) -> None:
        self.start_smtp()  # makes the folder of Dovecot's socket
        self.start_imap()

    # --- running --------------------------------------------------------------------------------------------------

    def start_smtp(self) -> None:
        """Start Postfix, unless it runs; return when it listens."""
        if master(self.folder, POSTFIX_PID) is None:
            try:
                run("postfix", "-c", str(self.folder / "postfix"), "start")
            except RuntimeError:
                # Why it cannot start, Postfix tells a terminal only.
                check = f"{program('postfix')} -c {self.folder}/postfix check"
                run("script", "--quiet", "--return", "--command", check, "/dev/null")
                raise
        self._await(self.mx, self.submission, self.smtps, self.stripped)

    def stop_smtp(self, *, crash: bool = False) -> None:
        """Stop Postfix, unless it is stopped; connections end, and what is queued stays so."""
        stop(self.folder, POSTFIX_PID, crash=crash)

    def restart_smtp(self, *, crash: bool = False) -> None:
        """Stop Postfix and start it."""
        self.stop_smtp(crash=crash)
        self.start_smtp()

    def start_imap(self) -> None:
        """Start Dovecot, unless it runs; return when it listens."""
        if master(self.folder, DOVECOT_PID) is None:
            run("dovecot", "-c", str(self.folder / "dovecot" / "dovecot.conf"))
        self._await(self.imap, self.imaps, self.lmtp)

    def stop_imap(self, *, crash: bool = False) -> None:
        """Stop Dovecot, unless it is stopped: IMAP, its LMTP, and the AUTH of Postfix; connections end.

        It takes a second to say good-bye; with *crash* it does neither.
        """
        stop(self.folder, DOVECOT_PID, crash=crash)

    def restart_imap(self, *, crash: bool = False) -> None:
        """Stop Dovecot and start it."""
        self.stop_imap(crash=crash)
        self.start_imap()

    def _await(self, *ports: int) -> None:
        try:
            eventually(lambda: all(map(is_listening, ports)))
        except TimeoutError:
            raise RuntimeError(f"nobody listens on {ports}") from None

    def close(self) -> None:
        """Stop all of it and remove it."""
        for sink in self._sinks:
            sink.close()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> MailServers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- using ----------------------------------------------------------------------------------------------------

    def fresh_account(self) -> Account:
        """Somebody who has never had mail."""
        return Account(f"t{next(_TEST_USERS)}@example.test", _PASSWORD)

    def ssl_context(self) -> ssl.SSLContext:
        """One that trusts these servers, and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca))

    def token(self, user: str, *, expires: float = 3600.0) -> str:
        """A bearer token for *user*, for XOAUTH2 and OAUTHBEARER, by SMTP and IMAP.

        Args:
            user: The address of the account.
            expires: In how many seconds; below 0 it has expired.
        """
        end = int(time.time() + expires)
        begin = min(end, int(time.time())) - 60
        parts: tuple[dict[str, Any], ...] = (
            {"alg": "HS256", "typ": "JWT"},
            {"sub": user, "iat": begin, "nbf": begin, "exp": end},
        )
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_base64url(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    def deliver(self, raw: bytes, to: str, *, sender: str = "sender@elsewhere.test") -> None:
        """Put *raw* into the mailbox of *to*, by LMTP to Dovecot, past Postfix."""
        with smtplib.LMTP("127.0.0.1", self.lmtp, "localhost") as client:
            client.sendmail(sender, to, raw)

    def mailbox(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What is in the mailbox of *user*, oldest first, as Dovecot keeps it: lines end in LF."""
        place = self._maildir(user, folder)
        while True:
            found = [path for part in ("new", "cur") for path in (place / part).glob("*")]
            try:
                return [path.read_bytes() for path in sorted(found, key=lambda path: path.name)]
            except FileNotFoundError:
                pass  # a flag is in a mail's name, and was set just then

    def _maildir(self, user: str, folder: str) -> Path:
        name, _, domain = user.partition("@")
        top = self.folder / "mail" / domain / name / "Maildir"
        return top if folder == "INBOX" else top / f".{folder}"

    def recreate_folder(self, user: str, folder: str = "INBOX") -> None:
        """Take *folder* of *user* away and make it again: empty, with UIDs from 1 under another UIDVALIDITY.

        Their connections to IMAP end.
        """
        place = self._maildir(user, folder)
        while found := [path for part in ("new", "cur") for path in (place / part).glob("*")]:
            for path in found:
                path.unlink(missing_ok=True)  # a flag is in a mail's name, and may be set just now
        self.renumber_folder(user, folder)

    def renumber_folder(self, user: str, folder: str = "INBOX") -> None:
        """Have Dovecot forget what it knows of *folder*: the same mail has UIDs from 1 under another UIDVALIDITY.

        Their connections to IMAP end.
        """
        validity = self.uid_validity(user, folder)
        self.disconnect(user)
        for place in {self._maildir(user, folder), self._maildir(user, "INBOX")}:
            # The list in the uppermost one remembers all of them.
            for path in place.glob("dovecot.list.index*" if place != self._maildir(user, folder) else "dovecot*"):
                path.unlink()
        self._doveadm("mailbox", "update", "-u", user, "--uid-validity", str(validity + 1), folder)

    def disconnect(self, user: str) -> None:
        """End their connections to IMAP, if there are any."""
        if self.connections(user):
            self._doveadm("kick", user)
            eventually(lambda: not self.connections(user))

    def connections(self, user: str) -> int:
        """How many connections to IMAP *user* has."""
        lines = self._doveadm("who", "-1", user).splitlines()
        return sum(line.split()[0] == user for line in lines)

    def uid_validity(self, user: str, folder: str = "INBOX") -> int:
        """The UIDVALIDITY of *folder*; the folder is made where there is none."""
        if not self._maildir(user, folder).exists():
            self._doveadm("mailbox", "create", "-u", user, folder)
        return int(self._doveadm("mailbox", "status", "-u", user, "uidvalidity", folder).rpartition("=")[2])

    def _doveadm(self, *arguments: str) -> str:
        return run("doveadm", "-c", str(self.folder / "dovecot" / "dovecot.conf"), *arguments)

    def outside(self) -> list[bytes]:
        """What has left for other domains, oldest first; above each one's header, `X-Mail-Args` and `X-Rcpt-Args`
        tell its envelope.
        """
        found = sorted((self.folder / "out").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in found]

    def queue(self) -> list[dict[str, Any]]:
        """What Postfix still has, as `postqueue -j` tells it."""
        told = run("postqueue", "-c", str(self.folder / "postfix"), "-j")
        return [json.loads(line) for line in told.splitlines()]

    def flush(self) -> None:
        """Have Postfix try at once what it has put off."""
        run("postqueue", "-c", str(self.folder / "postfix"), "-f")

    def logs(self) -> str:
        """What the servers have said."""
        found = sorted((self.folder / "log").glob("*"))
        return "\n".join(path.read_text("utf-8", "replace") for path in found)


def _place() -> Path | None:
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    return _MEMORY if enough else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
