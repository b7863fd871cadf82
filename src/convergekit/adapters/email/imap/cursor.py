"""Where reading a folder goes on. Pure.

A UID counts together with the folder's UIDVALIDITY only (RFC 9051 §2.3.1.1). When that changes, all UIDs are new:
the folder is read from its start again, and the keys of events tell what is known.

What was admitted and perhaps not yet marked, moved or removed travels in the cursor, which is stored with the
admission: so a crash between the two leaves behind exactly what is still to be done, and nothing is ever done to mail
that we have not admitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, Self

__all__ = ["First", "Place"]

First = Literal["unseen", "all", "new"]

_LAST: Final = 2**32 - 1
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Place:
    """Where we are in one folder.

    Args:
        uidvalidity: Of the folder, when this was so.
        uid: All up to this one has been admitted, or passed over for good.
        unsettled: What was admitted last; nobody knows whether it was settled.
        first: Which of the mail that was there before us is read.
        since: The day before we first looked, where `first` leaves something out.
        until: Up to this UID, `first` decides.
        again: Whether it decides for the second time, under another UIDVALIDITY: what came since is all meant then.
    """

    uidvalidity: int
    uid: int = 0
    unsettled: tuple[int, ...] = ()
    first: First = "all"
    since: date | None = None
    until: int = 0
    again: bool = False

    @classmethod
    def at_first(cls, uidvalidity: int, last: int, first: First, now: datetime) -> Self:
        """In a folder that nobody has looked into, whose highest UID is *last*."""
        if first == "all":
            return cls(uidvalidity)
        since = (now - timedelta(days=1)).date()  # the server's day is that of its own time zone
        return cls(uidvalidity, last if first == "new" else 0, first=first, since=since, until=last)

    @classmethod
    def from_value(cls, value: Any) -> Self | None:
        """As it was stored; None where nothing was."""
        if not isinstance(value, dict) or not isinstance(value.get("uidvalidity"), int):
            return None
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["unsettled"] = tuple(known.get("unsettled", ()))
        if known.get("since"):
            known["since"] = date.fromisoformat(known["since"])
        return cls(**known)

    def to_value(self) -> dict[str, Any]:
        """To be stored: JSON-able, without what is as it mostly is."""
        value: dict[str, Any] = {"uidvalidity": self.uidvalidity, "uid": self.uid}
        if self.unsettled:
            value["unsettled"] = list(self.unsettled)
        if self.since is not None:
            value |= {"first": self.first, "since": self.since.isoformat(), "until": self.until}
        if self.again:
            value["again"] = True
        return value

    def under(self, uidvalidity: int, last: int) -> Self:
        """The same place, or the folder's start where its UIDs have become others; *last* is the highest of them."""
        if uidvalidity == self.uidvalidity:
            return self
        if self.since is None:
            return replace(self, uidvalidity=uidvalidity, uid=0, unsettled=())
        return replace(self, uidvalidity=uidvalidity, uid=0, unsettled=(), until=last, again=True)

    def past(self, uid: int, unsettled: Iterable[int]) -> Self:
        """After the mail with *uid*."""
        return replace(self, uid=uid, unsettled=tuple(unsettled))

    @property
    def criteria(self) -> str:
        """What to search for (RFC 9051 §6.4.4); `new` says which of the answer are meant."""
        further = f"UID {self.uid + 1}:*"
        only = self._only() if self.uid < self.until else None
        return f"{further} OR {only} NOT UID 1:{self.until}" if only else further

    def _only(self) -> str | None:
        """What is read of the mail that was there before us."""
        since = f"SINCE {self.since.day}-{_MONTHS[self.since.month - 1]}-{self.since.year}" if self.since else None
        if self.first == "unseen":
            return f"(OR UNSEEN {since})" if self.again and since else "UNSEEN"
        return since if self.first == "new" else None

    def new(self, uids: Iterable[int]) -> Sequence[int]:
        """Those of *uids* that are still to be read, in order: `n:*` finds the last mail, whatever n is."""
        return sorted({uid for uid in uids if self.uid < uid <= _LAST})
