"""An inbound HTTP call as adapters see it: plain values, no framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Headers", "Request", "Response"]


class Headers(Mapping[str, str]):
    """Header fields; names compare without case, values are latin-1 text (RFC 9110 §5.5).

    A field that came several times reads as one, joined by ", " (RFC 9110 §5.2); `all` has them apart.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]] | Mapping[str, str] = ()) -> None:
        if isinstance(pairs, Mapping):
            self._pairs = [(name.lower(), value) for name, value in pairs.items()]
        else:
            self._pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in pairs]

    def all(self, name: str) -> list[str]:
        """Every value of *name*, in the order of arrival."""
        name = name.lower()
        return [value for found, value in self._pairs if found == name]

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name for name, _ in self._pairs})

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
