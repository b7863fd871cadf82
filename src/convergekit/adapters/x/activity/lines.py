"""A stream of bytes as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Lines"]


class Lines:
    """Puts lines together; blank ones, by which X shows that it is there, are left out.

    Args:
        longest: Bytes of a line; of a longer one, nothing is kept.

    Attributes:
        too_long: How many lines were longer.
    """

    def __init__(self, longest: int) -> None:
        self.too_long = 0
        self._longest = longest
        self._begun = bytearray()
        self._is_skipping = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in *chunk*."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = self._ended(piece)
            if line:
                yield line
        self._keep(rest)

    def _ended(self, piece: bytes) -> bytes:
        self._keep(piece)
        line, was_skipped = bytes(self._begun), self._is_skipping
        self._begun.clear()
        self._is_skipping = False
        return b"" if was_skipped else line.strip()

    def _keep(self, piece: bytes) -> None:
        if self._is_skipping:
            return
        self._begun += piece
        if len(self._begun) > self._longest:
            self._begun.clear()
            self._is_skipping = True
            self.too_long += 1
