"""What a command says: lines for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

__all__ = ["Console", "aligned"]


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row, with the columns under each other."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


class Console:
    """Says things to whoever runs the command.

    Args:
        out: Results.
        err: Progress and warnings.
        as_json: Whether results are for machines.
    """

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool) -> None:
        self._out, self._err, self._as_json = out, err, as_json

    def tell(self, text: str, /, **fields: Any) -> None:
        """A result: *text* for people, *fields* for machines. It is there at once, also in a pipe."""
        print(json.dumps(fields, ensure_ascii=False) if self._as_json else text, file=self._out, flush=True)

    def say(self, text: str = "") -> None:
        """A line that only people need."""
        if not self._as_json:
            print(text, file=self._out, flush=True)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """*rows*; for people only their *columns*, under headings."""
        cells = [[column.upper() for column in columns]]
        cells += [[str(row[column]) if row[column] is not None else "-" for column in columns] for row in rows]
        lines = aligned(cells)
        self.say(lines[0])
        for row, line in zip(rows, lines[1:], strict=True):
            self.tell(line, **row)

    def progress(self, text: str) -> None:
        """What is going on, where somebody watches."""
        if self._err.isatty():
            print(f"... {text}", file=self._err, flush=True)

    def warn(self, text: str) -> None:
        """What is wrong, but does not stop the command."""
        print(f"convergekit: {text}", file=self._err, flush=True)
