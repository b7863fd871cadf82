"""Real mail servers of one's own, for tests and measurements: Postfix and Dovecot, private, on loopback.

`python -m tools.mail` starts them, tells where they are, and waits until Ctrl-C.

Postfix's master wants to be started by root. Everything is in one temporary folder, which other users can read, for
the servers' parts run as several of them; it is gone when its user is. Run as a script with a folder, this is the
guard: it waits until its standard input ends, which happens however the process that started it ends, then stops what
runs in the folder and removes it.

| Port | Speaks |
|---|---|
| `mx` | SMTP without AUTH, as the world reaches us; relays for loopback |
| `submission` | SMTP with STARTTLS, then AUTH, both required |
| `smtps` | the same in implicit TLS |
| `stripped` | the same without any TLS: what is left when somebody between has taken STARTTLS out |
| `imap`, `imaps` | IMAP with STARTTLS, and in implicit TLS |
| `lmtp` | Dovecot's LMTP |
| `app_lmtp` | nothing: there Postfix takes mail for *@app.test, so there an LMTP server under test listens |

| Recipient | Becomes of it |
|---|---|
| alice@, bob@, t<number>@example.test, anna@utf8.test, with or without `+tag` | delivered |
| ünï@utf8.test | delivered, SMTPUTF8 needed |
| refused@, later@example.test | 554 and 450 at RCPT on the ports with AUTH |
| *@bounce.test, *@defer.test | taken, then refused for good at once, or again and again until `LIFETIME` |
| *@app.test | goes to `app_lmtp` |
| any other | leaves: see `outside` |
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import secrets
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple, TypeVar

__all__ = ["LIFETIME", "Account", "MailServers", "SmtpSink", "eventually", "missing", "program"]

#: Seconds after which Postfix gives up on mail that is put off.
LIFETIME: Final = 20

_T = TypeVar("_T")
_PROGRAMS: Final = ("postfix", "dovecot", "smtp-sink", "smtp-source")
_PLUGINS: Final = ("imap", "lmtp")
_DOVECOT: Final = Path("/usr/lib/dovecot")
_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")  # is not on everybody's PATH
_MEMORY: Final = Path("/dev/shm")
_PASSWORD: Final = "testpw"
_PATIENCE: Final = 10.0
_TEST_USERS: Final = count(1)


class Account(NamedTuple):
    """Somebody with a mailbox.

    Args:
        user: The address, which is the name to log in with too.
        password: Theirs.
    """

    user: str
    password: str


def program(name: str) -> str | None:
    """Where *name* is, also where only root looks for programs; None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN)))


def not_installed() -> str:
    """Why the programs are not there; empty where they are."""
    lacking = [name for name in _PROGRAMS if program(name) is None]
    lacking += [f"dovecot-{name}d" for name in _PLUGINS if program("dovecot") and not (_DOVECOT / name).exists()]
    return f"{', '.join(lacking)} not installed (as root on Debian, `make peers` does it)" if lacking else ""


def missing() -> str:
    """Why there can be no mail servers here; empty where there can."""
    return not_installed() or ("" if os.geteuid() == 0 else "Postfix starts for root only")


def eventually(look: Callable[[], _T], *, seconds: float = _PATIENCE, every: float = 0.02) -> _T:
    """What *look* returns, once that is true; it is asked again and again.

    Raises:
        TimeoutError: After *seconds*.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every)
    return found


class SmtpSink:
    """`smtp-sink` on a free port: it takes mail as fast as it can, and throws it away.

    Args:
        options: Its own: `-f RCPT` refuses for good, `-r RCPT` for now, `-q RCPT` cuts the line, `-d` keeps mail;
            `-8`, which most sinks want, is not among them by itself.
        port: On 127.0.0.1; a free one by default.
        cwd: Where it runs.

    Attributes:
        port: On 127.0.0.1.
    """

    # The shell is what makes it end with us, however we end: then `read` has nothing to read from any more.
    _LEASH: Final = '"$@" & read gone; kill $!; wait $! 2>/dev/null'

    def __init__(self, options: Sequence[str] = (), *, port: int | None = None, cwd: Path | None = None) -> None:
        self.port = port or _free_ports(1)[0]
        name = program("smtp-sink")
        assert name is not None, not_installed()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it insists
        command = [name, *user, *options, f"127.0.0.1:{self.port}", "1000"]
        self._leash = subprocess.Popen(
            ["sh", "-c", self._LEASH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=cwd or "/",
            start_new_session=True,
        )
        try:
            eventually(lambda: _is_listening(self.port), every=0.005)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop it."""
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait()

    def __enter__(self) -> SmtpSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MailServers:
    """Postfix and Dovecot, running until they are closed; ports, domains and recipients stand at the top.

    Args:
        settings: For Postfix, over ours.
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
        settings: Mapping[str, str] | None = None,
        *,
        app_lmtp: int | None = None,
        where: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convergekit-mail-", dir=where or _place())).resolve()
        guard = [sys.executable, __file__, str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        self._sinks: list[SmtpSink] = []
        ports = _free_ports(11)
        self.mx, self.submission, self.smtps, self.stripped, self.imap, self.imaps, self.lmtp = ports[:7]
        self.app_lmtp = app_lmtp or ports[7]
        self._outside, self._refusing, self._deferring = ports[8:]
        self.ca = self.folder / "tls" / "ca.pem"
        self._key = secrets.token_bytes(32)
        try:
            self._make_folders()
            self._make_certificates()
            self._configure(settings or {})
            self._start_sinks()
            self._start()
        except BaseException:
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

    def _configure(self, settings: Mapping[str, str]) -> None:
        key = self.folder / "jwt" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(self._key))
        accounts = [f"{each.user}:{{PLAIN}}{each.password}::::::\n" for each in (self.alice, self.bob, self.anna)]
        files = {
            "dovecot/passwd": "".join(accounts),
            "dovecot/oauth2": _OAUTH2,
            "dovecot/dovecot.conf": _DOVECOT_CONF,
            "postfix/main.cf": _MAIN_CF + "".join(f"{name} = {value}\n" for name, value in settings.items()),
            "postfix/master.cf": _MASTER_CF,
            "postfix/boxes": _BOXES,
        }
        values = {
            **{name: value for name, value in vars(self).items() if isinstance(value, int | Path)},
            "outside": self._outside,
            "refusing": self._refusing,
            "deferring": self._deferring,
            "password": _PASSWORD,
            "mail_id": _MAIL_ID,
            "lifetime": LIFETIME,
        }
        for name, text in files.items():
            (self.folder / name).write_text(_Template(text).substitute(values), "utf-8")

    def _start_sinks(self) -> None:
        for port, options in (
            (self._outside, ("-d", f"{self.folder}/out/%s.")),
            (self._refusing, ("-f", "RCPT")),
            (self._deferring, ("-r", "RCPT")),
        ):
            self._sinks.append(SmtpSink(("-8", *options), port=port, cwd=self.folder))

    def _start(self) -> None:
        _run("postfix", "-c", str(self.folder / "postfix"), "check")  # makes the folder of Dovecot's socket
        self.start_imap()
        self.start_smtp()

    # --- running --------------------------------------------------------------------------------------------------

    def start_smtp(self) -> None:
        """Start Postfix, unless it runs; return when it listens."""
        if _master(self.folder, _POSTFIX_PID) is None:
            _run("postfix", "-c", str(self.folder / "postfix"), "start")
        self._await(self.mx, self.submission, self.smtps, self.stripped)

    def stop_smtp(self, *, crash: bool = False) -> None:
        """Stop Postfix, unless it is stopped; connections end, and what is queued stays so."""
        _stop(self.folder, _POSTFIX_PID, crash=crash)

    def restart_smtp(self, *, crash: bool = False) -> None:
        """Stop Postfix and start it."""
        self.stop_smtp(crash=crash)
        self.start_smtp()

    def start_imap(self) -> None:
        """Start Dovecot, unless it runs; return when it listens."""
        if _master(self.folder, _DOVECOT_PID) is None:
            _run("dovecot", "-c", str(self.folder / "dovecot" / "dovecot.conf"))
        self._await(self.imap, self.imaps, self.lmtp)

    def stop_imap(self, *, crash: bool = False) -> None:
        """Stop Dovecot, unless it is stopped: IMAP, its LMTP, and the AUTH of Postfix; connections end.

        It takes a second to say good-bye; with *crash* it does neither.
        """
        _stop(self.folder, _DOVECOT_PID, crash=crash)

    def restart_imap(self, *, crash: bool = False) -> None:
        """Stop Dovecot and start it."""
        self.stop_imap(crash=crash)
        self.start_imap()

    def _await(self, *ports: int) -> None:
        try:
            eventually(lambda: all(map(_is_listening, ports)))
        except TimeoutError:
            raise RuntimeError(f"nobody listens on {ports}: {self.logs()[-2000:]}") from None

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
        with smtplib.LMTP("127.0.0.1", self.lmtp) as client:
            client.sendmail(sender, to, raw)

    def mailbox(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What is in the mailbox of *user*, oldest first, as Dovecot keeps it: lines end in LF."""
        place = self._maildir(user, folder)
        found = [path for part in ("new", "cur") for path in (place / part).glob("*")]
        return [path.read_bytes() for path in sorted(found, key=lambda path: path.name)]

    def _maildir(self, user: str, folder: str) -> Path:
        name, _, domain = user.partition("@")
        top = self.folder / "mail" / domain / name / "Maildir"
        return top if folder == "INBOX" else top / f".{folder}"

    def recreate_folder(self, user: str, folder: str = "INBOX") -> None:
        """Take *folder* of *user* away and make it again: empty, with UIDs from 1 under another UIDVALIDITY.

        Their connections to IMAP end.
        """
        for part in ("new", "cur"):
            for path in (self._maildir(user, folder) / part).glob("*"):
                path.unlink()
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
        return _run("doveadm", "-c", str(self.folder / "dovecot" / "dovecot.conf"), *arguments)

    def outside(self) -> list[bytes]:
        """What has left for other domains, oldest first; above each one's header, `X-Mail-Args` and `X-Rcpt-Args`
        tell its envelope.
        """
        found = sorted((self.folder / "out").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in found]

    def queue(self) -> list[dict[str, Any]]:
        """What Postfix still has, as `postqueue -j` tells it."""
        told = _run("postqueue", "-c", str(self.folder / "postfix"), "-j")
        return [json.loads(line) for line in told.splitlines()]

    def flush(self) -> None:
        """Have Postfix try at once what it has put off."""
        _run("postqueue", "-c", str(self.folder / "postfix"), "-f")

    def logs(self) -> str:
        """What the servers have said."""
        found = sorted((self.folder / "log").glob("*"))
        return "\n".join(path.read_text("utf-8", "replace") for path in found)


# --- what they are told -----------------------------------------------------------------------------------------------

_MAIL_ID: Final = 5000


class _Template(Template):
    """With @{name} for what is put in: both servers have a meaning of their own for $, and for %."""

    delimiter = "@"
    pattern = r"@(?:(?P<escaped>@@)|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>(?!)))"  # type: ignore[assignment]


_OAUTH2: Final = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@{folder}/jwt/
username_attribute = sub
"""

_DOVECOT_CONF: Final = """\
base_dir = @{folder}/dovecot/run
state_dir = @{folder}/dovecot/state
instance_name = convergekit
log_path = @{folder}/log/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <@{folder}/tls/chain.pem
ssl_key = <@{folder}/tls/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login xoauth2 oauthbearer
# A wrong password is answered at once; a server that people know of makes them wait.
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir
first_valid_uid = @{mail_id}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u @{folder}/dovecot/passwd
}
passdb {
  driver = static
  args = password=@{password}
  username_filter = t*@example.test
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @{folder}/dovecot/oauth2
}
userdb {
  driver = static
  args = uid=@{mail_id} gid=@{mail_id} home=@{folder}/mail/%d/%n
}
namespace inbox {
  inbox = yes
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
}
service imap-login {
  inet_listener imap {
    port = @{imap}
  }
  inet_listener imaps {
    port = @{imaps}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = @{lmtp}
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener @{folder}/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
protocol lmtp {
  postmaster_address = postmaster@example.test
}
"""

_MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = @{folder}/queue
data_directory = @{folder}/pfdata
maillog_file = @{folder}/log/postfix.log
maillog_file_prefixes = @{folder}/log
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
# Nobody outside reaches it, and it reaches nobody outside.
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = 127.0.0.1
disable_dns_lookups = yes
default_transport = smtp:[127.0.0.1]:@{outside}
# Nothing of the machine's own is read.
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = bounce.test, defer.test
virtual_mailbox_domains = example.test, utf8.test, app.test
virtual_mailbox_maps = regexp:@{folder}/postfix/boxes
virtual_mailbox_base = @{folder}/mail
virtual_transport = lmtp:inet:127.0.0.1:@{lmtp}
virtual_uid_maps = static:@{mail_id}
virtual_gid_maps = static:@{mail_id}
transport_maps = inline:{
    {utf8.test=virtual:}
    {app.test=lmtp:inet:127.0.0.1:@{app_lmtp}}
    {bounce.test=smtp:[127.0.0.1]:@{refusing}}
    {defer.test=smtp:[127.0.0.1]:@{deferring}} }
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_chain_files = @{folder}/tls/key.pem, @{folder}/tls/chain.pem
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtp_tls_security_level = none
lmtp_tls_security_level = none
smtputf8_enable = yes
message_size_limit = 10485760
recipient_delimiter = +
# What takes hours elsewhere.
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
delay_warning_time = 2s
maximal_queue_lifetime = @{lifetime}s
bounce_queue_lifetime = @{lifetime}s
# Nobody is made to wait for being wrong, or for being many.
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
"""

_AUTH: Final = (
    "-o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
    " -o smtpd_recipient_restrictions=check_recipient_access,"
    "inline:{{refused@example.test=REJECT},{later@example.test=DEFER}}"
)

_MASTER_CF: Final = f"""\
127.0.0.1:@{{mx}} inet n - n - - smtpd
127.0.0.1:@{{submission}} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {_AUTH}
127.0.0.1:@{{smtps}} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {_AUTH}
127.0.0.1:@{{stripped}} inet n - n - - smtpd -o smtpd_tls_security_level=none {_AUTH}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_BOXES: Final = r"""
/^(alice|bob|t[0-9]+)(\+.*)?@example\.test$/ x
/^anna(\+.*)?@utf8\.test$/ utf8.test/anna/Maildir/
/^ünï@utf8\.test$/ utf8.test/ünï/Maildir/
/@app\.test$/ x
"""


# --- processes and ports ----------------------------------------------------------------------------------------------

_POSTFIX_PID: Final = "queue/pid/master.pid"
_DOVECOT_PID: Final = "dovecot/run/master.pid"


def _run(name: str, *arguments: str) -> str:
    found = program(name)
    assert found is not None, not_installed()
    # Into a file: what stays in the background would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [found, *arguments],
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.seek(0)
        told = output.read()
    if done.returncode:
        raise RuntimeError(f"{name} failed: {told[-2000:]}")
    return told


def _master(folder: Path, pid_file: str) -> int | None:
    """The number of the first process that *pid_file* speaks of, where it is alive and is the one that is meant."""
    try:
        pid = int((folder / pid_file).read_text().strip() or 0)
        ours = Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if ours else None


def _stop(folder: Path, pid_file: str, *, crash: bool = False) -> None:
    """Stop all of the group of the first process; return when they are gone."""
    if (pid := _master(folder, pid_file)) is None:
        return
    group = os.getpgid(pid)
    if not crash:
        os.killpg(group, signal.SIGTERM)
        with suppress(TimeoutError):
            eventually(lambda: _master(folder, pid_file) != pid, seconds=5)
    # What has not heard it, Dovecot's log for one, would wait for the next start.
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    eventually(lambda: not _group_exists(group))
    # Dovecot takes one that is dead, and not yet buried, for alive.
    (folder / pid_file).unlink(missing_ok=True)


def _group_exists(group: int) -> bool:
    """Whether one of it runs: the dead may lie about until the machine's first process has time for them."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text("ascii", "replace").rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == group and state != "Z":
            return True
    return False


def _is_listening(port: int) -> bool:
    """Seen in the kernel's table, not by connecting: a sink counts its connections."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(fields[1] == wanted and fields[3] == "0A" for fields in map(str.split, lines))


def _free_ports(number: int) -> list[int]:
    """Below those that connections going out are given: there they are still free when a server comes back."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    for port in random.SystemRandom().sample(range(10_000, max(low, 20_000)), k=5_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    raise RuntimeError("no free ports")


def _place() -> Path | None:
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    return _MEMORY if enough else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _guarded(folder: Path) -> None:
    """Wait until nobody needs it any more; then stop it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    try:
        for pid_file in (_POSTFIX_PID, _DOVECOT_PID):
            _stop(folder, pid_file, crash=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve() -> None:
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


if __name__ == "__main__":
    if sys.argv[1:]:
        _guarded(Path(sys.argv[1]))
    else:
        _serve()
