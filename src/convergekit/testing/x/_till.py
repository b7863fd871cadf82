"""What things cost at X, and what was spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from ._asked import Asked
from ._model import Direct, Post
from ._people import Person
from ._shown import Dialect
from ._text import links
from ._world import World

__all__ = ["PRICES", "Till"]

#: US dollars for one of each. What the account owns is read for less.
PRICES: Final[dict[str, Decimal]] = {
    "read post": Decimal("0.005"),
    "read user": Decimal("0.010"),
    "read dm": Decimal("0.010"),
    "read own": Decimal("0.001"),
    "post": Decimal("0.015"),
    "post with url": Decimal("0.200"),
    "summoned reply": Decimal("0.010"),
    "dm": Decimal("0.015"),
    "delete": Decimal("0.010"),
    "metadata": Decimal("0.005"),
    "event post": Decimal("0.005"),
    "event dm": Decimal("0.010"),
}


class Till(World):
    """A world in which things cost.

    Args:
        now: What time it is.
        dialect: Which names what X tells has.
        credit: US dollars that may be spent; None is without end.

    Attributes:
        prices: What one of each costs.
        spent: US dollars so far.
        posts_read: How many posts were paid for.
    """

    def __init__(self, *, now: Callable[[], datetime], dialect: Dialect, credit: Decimal | None) -> None:
        super().__init__(now=now, dialect=dialect)
        self.prices = dict(PRICES)
        self.credit, self.spent = credit, Decimal(0)
        self.posts_read = 0
        self._read: set[tuple[str, str, str]] = set()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to spend."""
        return self.credit is not None and self.spent >= self.credit

    def read_by(
        self,
        asked: Asked,
        *,
        posts: Iterable[Post] = (),
        users: Iterable[Person] = (),
        directs: Iterable[Direct] = (),
    ) -> None:
        """*asked* was shown these: each is paid for once in a day (UTC)."""
        account = asked.who.account
        for post in posts:
            is_own = account is not None and (post.author is account or account.id == asked.args.get("id"))
            self._read_one("read own" if is_own else "read post", "post", post.id)
        for user in users:
            self._read_one("read own" if user is account else "read user", "user", user.id)
        for direct in directs:
            self._read_one("read dm", "dm", direct.id)

    def pay(self, what: str) -> None:
        """Pay the price of *what*."""
        self.spent += self.prices[what]

    def pay_for_post(self, post: Post) -> None:
        """A post with a link costs more, an answer to one who asked for it costs less."""
        if links(post.text):
            self.pay("post with url")
        elif post.reply_to is not None and post.reply_to.author is not post.author:
            self.pay("summoned reply")
        else:
            self.pay("post")

    def pay_for_event(self, event_type: str) -> None:
        """Being told of what was received costs; of what was sent, read or typed, nothing."""
        if event_type in {"dm.received", "chat.received"} or event_type.startswith("post."):
            self.pay("event post" if event_type.startswith("post.") else "event dm")

    def _read_one(self, price: str, kind: str, id: str) -> None:
        key = (self.now().date().isoformat(), kind, id)
        if key not in self._read:
            self._read.add(key)
            self.pay(price)
            self.posts_read += kind == "post"
