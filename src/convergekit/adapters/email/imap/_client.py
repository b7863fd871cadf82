"""The client library, with what we ask of it. Everything here waits, so it is called in a thread, one call at a time.

IMAPClient brings the commands, the capabilities and the names of folders (modified UTF-7); the connection is our own
`Wire`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from imapclient import IMAPClient  # type: ignore[import-untyped]
from imapclient.exceptions import CapabilityError  # type: ignore[import-untyped]

from .. import sasl
from ._fetched import Fetched
from ._wire import SMALL, Wire

__all__ = ["Client"]

#: Octets of a header that is fetched without its body.
_HEADER: Final = 256 * 1024
_EACH: Final = 4096  # octets of an answer for each message, beside its content
_SEARCH: Final = 64 * 1024 * 1024


class Client(IMAPClient):  # type: ignore[misc]  # it is not typed
    """One connection to one account.

    Args:
        wire: Makes the connection's protocol; it has read the greeting when it returns.
        host: Of the server.
        timeout: Seconds that may pass without a byte.
    """

    _imap: Any

    def __init__(self, wire: Callable[[], Wire], host: str, timeout: float) -> None:
        self._wire = wire
        self._idling = b""
        self._news = False
        super().__init__(host, ssl=False, timeout=timeout)
        # The library has every line logged, whoever listens; lines of the server may quote a mail.
        self._imap.debug = 0

    def _create_IMAP4(self) -> Any:
        return self._wire()

    @property
    def is_logged_in(self) -> bool:
        """Whether the server knows who we are, by our certificate or where we come from, or because we said so."""
        return bool(self._imap.state != "NONAUTH")

    @property
    def has_news(self) -> bool:
        """Whether the server has told of new mail since the last search was begun."""
        return self._news or "EXISTS" in self._imap.untagged_responses

    def _begin(self, allowance: int = SMALL) -> None:
        """Before each command: forget what was said before, but that there is news."""
        untagged = self._imap.untagged_responses
        self._news = self.has_news
        if "BYE" in untagged:
            raise self.AbortError("the server said good-bye")
        untagged.clear()
        self._imap.fetched.clear()
        self._imap.allowance = allowance

    # --- beginning --------------------------------------------------------------------------------------------------

    def secure(self, context: ssl.SSLContext) -> None:
        """Begin TLS; raises `CapabilityError` where that is not offered."""
        self.starttls(context)

    def log_in(self, user: str, secret: str, *, is_token: bool) -> None:
        """Raises `LoginError` with the server's words, and `CapabilityError` where it offers no way for us."""
        self._begin()
        if is_token:
            self.sasl_login("XOAUTH2", _once(sasl.xoauth2(user, secret)))
        elif self.has_capability("AUTH=PLAIN"):
            self.sasl_login("PLAIN", _once(sasl.plain(user, secret)))
        elif self.has_capability("LOGINDISABLED") or not (user + secret).isascii():
            raise CapabilityError("it offers no way to log in with this password over this connection")
        else:
            self.login('"' + user.replace("\\", "\\\\").replace('"', '\\"') + '"', secret)
        self.capabilities()  # they are in the answer, mostly; and kept

    def look_at(self, folder: str) -> None:
        """Raises `IMAPClientError` where *folder* cannot be read."""
        self._begin()
        kind, data = self._imap.status(self._normalise_folder(folder), "(UIDNEXT)")
        self._checkok("status", kind, data)

    def enter(self, folder: str, *, read_only: bool) -> dict[bytes, Any]:
        """Select *folder*; the answer as `IMAPClient.select_folder` has it."""
        self._begin()
        answer: dict[bytes, Any] = self.select_folder(folder, readonly=read_only)
        self._imap.untagged_responses.clear()
        self._news = False
        return answer

    # --- reading ----------------------------------------------------------------------------------------------------

    def look(self, criteria: str) -> list[int]:
        """UIDs in the folder, as the server gives them; what it tells from here on is news."""
        self._begin(_SEARCH)
        self._news = False
        return self._found(criteria)

    def small(self, uids: Sequence[int], octets: int) -> list[int]:
        """Those of *uids* that are there, and have less than so many *octets*."""
        self._begin()
        return self._found(f"UID {_set(uids)} SMALLER {octets}")

    def _found(self, criteria: str) -> list[int]:
        kind, data = self._imap.uid("SEARCH", criteria)
        self._checkok("search", kind, data)
        return [int(each) for line in data if line for each in line.split() if each.isdigit()]

    def sizes(self, uids: Sequence[int]) -> list[Fetched]:
        """Of those of *uids* that are there, how large they are."""
        self._begin(SMALL + _EACH * len(uids))
        return self._fetch(_set(uids), "(UID RFC822.SIZE)")

    def bodies(self, uids: Sequence[int], allowance: int) -> list[Fetched]:
        """All of those of *uids* that are there, unless it is more than *allowance*."""
        self._begin(allowance + _EACH * len(uids))
        return self._fetch(_set(uids), "(UID INTERNALDATE BODY.PEEK[])")

    def header(self, uid: int) -> list[Fetched]:
        """The header of one mail; of one that is larger than anybody reads, its beginning."""
        self._begin()
        return self._fetch(str(uid), f"(UID INTERNALDATE BODY.PEEK[HEADER]<0.{_HEADER}>)")

    def _fetch(self, uids: str, items: str) -> list[Fetched]:
        self._checkok("fetch", *self._imap.uid("FETCH", uids, items))
        return list(self._imap.fetched)

    # --- settling ---------------------------------------------------------------------------------------------------

    def mark(self, uids: Sequence[int], flag: str) -> None:
        """Set *flag* on *uids*."""
        self._begin()
        self.add_flags(uids, [flag], silent=True)

    def move_to(self, uids: Sequence[int], folder: str) -> None:
        """Move *uids* to *folder*; where neither MOVE nor UIDPLUS is offered, they stay as well, marked as deleted."""
        self._begin()
        if self.has_capability("MOVE"):
            self.move(uids, folder)
            return
        # Those that an attempt before this one has copied are marked already.
        left = self._found(f"UID {_set(uids)} UNDELETED")
        if left := sorted(set(left) & set(uids)):
            self._begin()
            self.copy(left, folder)
        self.remove(uids)

    def remove(self, uids: Sequence[int]) -> None:
        """Delete *uids* and nothing else: a plain EXPUNGE would remove what others have marked (RFC 4315 §2.1)."""
        self.mark(uids, r"\Deleted")
        if self.has_capability("UIDPLUS"):
            self._begin()
            self.uid_expunge(uids)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def begin_idle(self) -> bool:
        """Say IDLE (RFC 2177); tells whether there is a reason already to end it."""
        self._begin()
        self._idling = self._imap._command("IDLE")
        while self._imap._get_response() is not None and not self.has_ended:
            pass  # what the server has to say before it agrees
        return self.listen()

    def listen(self) -> bool:
        """Take what the server has said of its own accord; tells whether that is news, or the end of IDLE."""
        self._imap.allowance = SMALL
        self._imap.listen()
        self._begin()
        return self.has_news or self.has_ended

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended IDLE by itself."""
        return bool(self._idling and self._imap.tagged_commands.get(self._idling))

    def end_idle(self) -> None:
        """Say DONE, unless the server has ended it by itself."""
        self._begin()
        if not self.has_ended:
            self._imap.send(b"DONE\r\n")
        tag, self._idling = self._idling, b""
        self._checkok("idle", *self._imap._command_complete("IDLE", tag))

    def look_up(self) -> None:
        """Say NOOP, so that the server sees what is new."""
        self._begin()
        self._checkok("noop", *self._imap.noop())


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _once(secret: str) -> Callable[[bytes], bytes]:
    """Answers the first challenge; what comes then is an error to be acknowledged, and is answered by nothing."""
    answers = [secret.encode()]
    return lambda challenge: answers.pop() if answers else b""
