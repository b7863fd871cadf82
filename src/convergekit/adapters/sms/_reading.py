"""What the readers of one channel's calls share: its tables, and whom and what its gateway means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, Reader, reader
from convergekit.model import Address, ConversationRef, Event, MessageReceived

from .config import SmsConfig
from .details import Sms
from .numbers import Style, read_number
from .profile import Medium, MediumWord

_T = TypeVar("_T")
_BUCKET: Final = 10  # seconds


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a longer message.

    Args:
        message: The part as if it were all.
        reference: What the parts share.
        number: Which it is, from 1.
        total: How many there are.
        halves: Of characters that were cut in two: see `values.halves`. In the text U+FFFD stands for them.
    """

    message: MessageReceived
    reference: str
    number: int
    total: int
    halves: tuple[str, str] = ("", "")


class Call(NamedTuple):
    """What all entries of a call share: our own reference in its URL, and when it came."""

    reference: str | None
    now: datetime


Translated: TypeAlias = "tuple[Event | Piece, ...]"
#: Where it is said by which medium something came, and in which words.
MediumWords: TypeAlias = tuple[Reader, Mapping[str, Medium]]
Translate: TypeAlias = "Callable[[Item, Any, Call], Translated]"


class Shared:
    """What the readers of one channel share."""

    def __init__(self, config: SmsConfig, channel: str) -> None:
        profile = config.loaded
        self.config, self.channel, self.profile = config, channel, profile
        self.words = folded(profile.words)
        self.codes = folded(profile.codes)
        self.prefixes = folded(profile.prefixes)
        self.style: Style = "e164" if profile.send is None else profile.send.numbers
        # Values, which whoever writes often is made from once.
        self.address = lru_cache(maxsize=4096)(self._address)
        self.conversation = lru_cache(maxsize=4096)(self._conversation)

    def medium(self, said: MediumWords | None, entry: Item, *numbers: str | None) -> Medium:
        """By which medium *entry* came: as it says, or as the prefix of a number does."""
        if said is not None and (word := said[0](entry)) is not None:
            return said[1].get(word.casefold(), self.profile.media[0])
        for number in numbers if self.prefixes else ():
            for prefix, medium in self.prefixes.items():
                if number is not None and number.casefold().startswith(prefix):
                    return medium
        return self.profile.media[0]

    def _address(self, number: str | None, medium: Medium) -> Address | None:
        """Whom *number* means, or None where nobody can be reached by it."""
        if number is None:
            return None
        prefix = next(filter(number.casefold().startswith, self.prefixes), "")
        try:
            return read_number(number[len(prefix) :], medium=medium, style=self.style, region=self.config.region)
        except InvalidInputError:
            return None

    def _conversation(self, address: Address | None) -> ConversationRef | None:
        return None if address is None else ConversationRef(channel=self.channel, address=address)

    def details(self, medium: Medium) -> dict[str, Any]:
        return dict(_details(self.profile.name, medium))


def medium_words(said: MediumWord | None, media: Iterable[Medium]) -> MediumWords | None:
    """What is said of *media*: our own words, and beside them the gateway's."""
    if said is None:
        return None
    words: dict[str, Medium] = {each: each for each in media}
    return reader(said.path), words | folded(said.words)


def bucket(now: datetime) -> int:
    return int(now.timestamp() // _BUCKET)


def folded(table: Mapping[str, _T]) -> dict[str, _T]:
    return {name.casefold(): meaning for name, meaning in table.items()}


@lru_cache(maxsize=256)
def _details(gateway: str, medium: Medium) -> dict[str, Any]:
    return Sms(gateway=gateway, medium=medium).to_details()
