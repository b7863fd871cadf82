"""A host's own writing in the writer's transaction, which it shares with whoever else was waiting: it must not end it.

What would end it is refused before it happens, whether or not the host looks at the refusal. Else the rows that
others have written so far would be kept without what belongs to them, and written again; or lost, and called done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, event

from convergekit.errors import ConfigurationError

__all__ = ["HostError", "let_write"]

#: What ends a transaction, said in SQL. To go back to a savepoint does not.
_ENDS: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|;)*(?:COMMIT|END|ABORT|BEGIN|START|PREPARE\s+TRANSACTION|ROLLBACK(?!.*\bTO\b))\b",
    re.IGNORECASE | re.DOTALL,
)


class HostError(Exception):
    """A host's own writing has failed; the transaction is lost, and it alone is to blame."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        # What would end a process or a task ends neither a thread that all write with, nor whoever waits for it.
        self.error = error if isinstance(error, Exception) else RuntimeError(f"a write raised {type(error).__name__}")


def let_write(connection: Connection, writes: Sequence[Callable[[Any], object]]) -> None:
    """Call *writes* with *connection*, which is in a transaction and stays in it.

    Raises:
        HostError: One of them has failed, or has tried to end the transaction.
    """
    tried: list[ConfigurationError] = []

    def refuse(*_: object) -> None:
        tried.append(ConfigurationError("a handler's write must not end the transaction: it is committed with *done*"))
        raise tried[0]

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if _ENDS.match(statement):
            refuse()

    listeners = (("commit", refuse), ("rollback", refuse), ("before_cursor_execute", look))
    for name, listener in listeners:
        event.listen(connection, name, listener)
    try:
        for write in writes:
            write(connection)
    except BaseException as error:
        raise HostError(error) from error
    finally:
        for name, listener in listeners:
            with suppress(Exception):
                event.remove(connection, name, listener)
    if tried or connection.closed or connection.invalidated:
        raise HostError(tried[0] if tried else ConfigurationError("a handler's write must not close its connection"))
