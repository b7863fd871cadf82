"""An inbound HTTP call as adapters see it: plain values, no framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Headers", "Request", "Response"]


class Headers(Mapping[str, str]):
    """Header fields; names compare without case, values are latin-1 text (RFC 9110 §5.5).

    A field that came several times reads as one, joined by ", " (RFC 9110 §5.2); `all` has them apart.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]] | Mapping[str, str] = ()) -> None:
        if isinstance(pairs, Mapping):
            pairs = [
                (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in pairs.items()
            ]
        self._pairs = pairs
        self._index: dict[str, str] | None = None  # made by the first look-up

    def all(self, name: str) -> list[str]:
        """Every value of *name*, in the order of arrival."""
        name = name.lower()
        return [value.decode("latin-1") for found, value in self._pairs if found.decode("latin-1").lower() == name]

    def __getitem__(self, name: str) -> str:
        if self._index is None:
            self._index = self._joined()
        return self._index[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined())

    def __len__(self) -> int:
        return len(self._joined())

    def _joined(self) -> dict[str, str]:
        index = {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in self._pairs}
        if len(index) != len(self._pairs):  # a field came several times
            # In one pass: thousands of fields fit into what servers take, and this comes before any signature.
            values: dict[str, list[str]] = {}
            for name, value in self._pairs:
                values.setdefault(str(name, "latin-1").lower(), []).append(str(value, "latin-1"))
            index = {name: ", ".join(each) for name, each in values.items()}
        return index

    def __repr__(self) -> str:
        return f"Headers({sorted(self)})"  # names only: values may be credentials


@dataclass(frozen=True, slots=True)
class Request:
    """An inbound HTTP request, read whole.

    Args:
        method: In upper case.
        path: Behind the channel's own prefix; "" or starting with "/".
        query: Undecoded, without "?".
        headers: As they came.
        body: As it came.
        url: The public URL, from the configuration and never from the Host header, or None where it is not configured.
    """

    method: str
    path: str = ""
    query: str = field(default="", repr=False)
    headers: Headers = field(default_factory=Headers)
    body: bytes = field(default=b"", repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
