"""Which post is whose: what a receipt was given for, so that nothing is taken for the copy of something else.

X has no key by which a repeat is known. Whoever looks for what became of an attempt finds a post with the same words,
and has to know whether that is the answer to another message of ours. So each post that a receipt was given for is
noted under a digest of its text and place, for as long as a delivery may be tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from convergekit.abc import ChannelContext
from convergekit.errors import StoreError

from ..memory import Bounded

__all__ = ["Said"]

#: The engine gives up after three days; a person may have it sent again on the fourth.
_KEPT: Final = timedelta(days=4)
#: Rows in the ledger, and notes in each: what is older than the newest of so many is forgotten.
_ROWS: Final = 256
_NOTES: Final = 64
_TRIES: Final = 5
#: Notes that wait for the ledger, at most.
_UNSAVED: Final = 1000


class Said:
    """Notes in the ledger, of a bounded number.

    Args:
        context: What the engine lends.
    """

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._here: Bounded[str] = Bounded()
        self._unsaved: deque[Mapping[str, Any]] = deque(maxlen=_UNSAVED)

    async def note(self, digest: str, whose: str, id: str) -> None:
        """The post or message *id*, which says *digest*, is what became of *whose* (a delivery's part).

        It was made: a ledger that fails now must not make that uncertain.
        """
        self._here.put(id, whose)
        at = self._context.clock.now().timestamp()
        self._unsaved.append({"digest": digest, "whose": whose, "id": id, "at": at})
        if not await self._saved():
            self._context.log.warning(
                "%s was sent as %s, which is not noted yet: the ledger did not take it", whose, id
            )

    async def _saved(self) -> bool:
        """Store what is not stored, the newest first; what the ledger does not take now, it is offered once more."""
        while self._unsaved:
            said = self._unsaved.pop()
            if not await self._stored(said):
                self._unsaved.append(said)
                return False
        return True

    async def _stored(self, said: Mapping[str, Any]) -> bool:
        for _ in range(_TRIES):
            with suppress(StoreError):
                notes, version = await self._notes(said["digest"])
                kept = [each for each in notes if each["id"] != said["id"]][-_NOTES + 1 :]
                if await self._context.state.put(_row(said["digest"]), [*kept, said], version=version):
                    return True
        return False

    def here(self, id: str) -> str | None:
        """Whose *id* is, of what went out here, whatever it says and whether or not the ledger knows it."""
        return self._here.get(id)

    async def of(self, digest: str) -> Mapping[str, str]:
        """Whose each noted post or message is that says *digest*, by its id."""
        notes, _ = await self._notes(digest)
        return {each["id"]: each["whose"] for each in notes if each["digest"] == digest}

    async def _notes(self, digest: str) -> tuple[Sequence[Mapping[str, Any]], int]:
        notes, version = await self._context.state.get(_row(digest))
        oldest = (self._context.clock.now() - _KEPT).timestamp()
        kept = notes if isinstance(notes, list) else ()
        return [each for each in kept if _is_note(each) and each["at"] >= oldest], version


def _is_note(value: Any) -> bool:
    """Whether it is of this form: what another version has written must not keep anything from going out."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("at"), int | float)
        and all(isinstance(value.get(name), str) for name in ("digest", "whose", "id"))
    )


def _row(digest: str) -> str:
    return f"said:{int(digest, 16) % _ROWS}"
