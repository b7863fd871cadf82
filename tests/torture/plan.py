"""What is submitted and offered, and what the media do; everything follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["MEDIA", "WAYS_IN", "Incoming", "Medium", "Outgoing", "Plan", "Torture", "planned"]


@dataclass(frozen=True, slots=True)
class Medium:
    """What a medium is like.

    Args:
        idempotent: Whether it knows a key again, and drops what comes twice.
        answers: Whether it can be asked what became of a key.
        resends: Whether its channel accepts a possible double.
        fails: Whether it ever does.
    """

    idempotent: bool = False
    answers: bool = False
    resends: bool = False
    fails: bool = True


#: What messages go out through, by channel ...
MEDIA: Final[Mapping[str, Medium]] = {
    "keyed": Medium(idempotent=True),
    "asked": Medium(answers=True),
    "plain": Medium(),
    "alerts": Medium(resends=True),
}
#: ... and what events come in by; replies go out by the same.
WAYS_IN: Final[Mapping[str, Medium]] = {
    "heard": Medium(idempotent=True, fails=False),
    "polled": Medium(idempotent=True, fails=False),
    "hooked": Medium(idempotent=True, fails=False),
}


@dataclass(frozen=True, slots=True)
class Torture:
    """How much of it.

    Args:
        seed: Of everything.
        out: Messages.
        into: Events.
        kills: With signal 9.
        stops: With SIGSTOP, continued after the lease has ended.
        outages: Times that the database is stopped and started.
        workers: At the same time.
        lanes: Recipients of each medium, and senders of each way in.
        lease: Seconds.
        at_once: Handlers, and sends, that a worker runs at the same time.
        per_channel: Sends of one channel under way at the same time.
        window: Messages, and events, that are under way at the same time, at most.
        patience: Seconds without any progress after which it is called stuck.
    """

    seed: int
    out: int = 300
    into: int = 300
    kills: int = 0
    stops: int = 0
    outages: int = 0
    workers: int = 1
    lanes: int = 30
    lease: float = 5.0
    at_once: int = 12
    per_channel: int = 4
    window: int = 400
    patience: float = 60.0

    @property
    def send_timeout(self) -> float:
        """Seconds: a little less than the lease."""
        return self.lease * 0.8


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to be submitted.

    Args:
        what: Who it is; the first word of its text, and its key.
        channel: By which it goes.
        lane: Number of its recipient.
        number: Its place in that lane.
        long: Whether it takes several parts.
    """

    what: str
    channel: str
    lane: int
    number: int
    long: bool

    @property
    def text(self) -> str:
        """What is said."""
        return f"{self.what} " + ("lorem ipsum dolor sit amet " * 14 if self.long else "is what was said")

    @property
    def to(self) -> str:
        """Its recipient."""
        return f"torture:{self.channel}-{self.lane}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event to be offered.

    Args:
        what: Who it is: its key.
        channel: By which it comes.
        lane: Number of its sender.
        number: Its place in that lane.
        failures: How often its handler fails before it does not.
        pause: Seconds that the handler takes.
        reply: "" for none, "returned" or "submitted".
    """

    what: str
    channel: str
    lane: int
    number: int
    failures: int
    pause: float
    reply: str

    @property
    def sender(self) -> str:
        """Who says it."""
        return f"torture:{self.channel}-{self.lane}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it, in the order in which it is to be done.

    Args:
        torture: How much.
        out: Messages by their `what`.
        into: Events by theirs.
        refused: (what, part) that the medium refuses for good.
        hopeless: What the medium never takes.
    """

    torture: Torture
    out: Mapping[str, Outgoing]
    into: Mapping[str, Incoming]
    refused: frozenset[tuple[str, int]]
    hopeless: frozenset[str]

    def outcome(self, channel: str, what: str, part: int, nth: int) -> str:
        """What the medium does with the nth attempt at a part that it has not taken yet."""
        medium = MEDIA.get(channel)
        if medium is None or not medium.fails:
            return "taken"
        if what in self.hopeless:
            return "not_sent"
        if (what, part) in self.refused:
            return "refused"
        chance = Random(f"{self.torture.seed}|{what}|{part}|{nth}")
        kinds = ("taken", "slow", "not_sent", "throttled", "taken_and_silent", "silent")
        return chance.choices(kinds, (84, 5, 5, 2, 2, 2))[0]

    def lanes(self) -> Sequence[Sequence[Outgoing]]:
        """The messages of each lane, in order."""
        lanes: dict[tuple[str, int], list[Outgoing]] = {}
        for each in self.out.values():
            lanes.setdefault((each.channel, each.lane), []).append(each)
        return list(lanes.values())

    def feed(self, channel: str) -> Sequence[Incoming]:
        """The events of one way in, in order."""
        return [each for each in self.into.values() if each.channel == channel]


def planned(torture: Torture) -> Plan:
    """The plan that follows from *torture*."""
    chance = Random(f"plan {torture.seed}")
    out: dict[str, Outgoing] = {}
    into: dict[str, Incoming] = {}
    counts: dict[tuple[str, int], int] = {}

    def place(channel: str) -> tuple[int, int]:
        lane = chance.randrange(torture.lanes)
        counts[channel, lane] = counts.get((channel, lane), 0) + 1
        return lane, counts[channel, lane]

    for _ in range(torture.out):
        channel = chance.choice(list(MEDIA))
        lane, number = place(channel)
        what = f"{channel}/{lane}/{number}"
        out[what] = Outgoing(what, channel, lane, number, long=chance.random() < 0.1)
    for _ in range(torture.into):
        channel = chance.choice(list(WAYS_IN))
        lane, number = place(channel)
        what = f"{channel}/{lane}/{number}"
        failures = 1 if chance.random() < 0.005 else 0
        pause = chance.choice((0.0, 0.0, 0.001, 0.01))
        reply = chance.choices(("", "returned", "submitted"), (80, 10, 10))[0]
        into[what] = Incoming(what, channel, lane, number, failures, pause, reply)
    refused = frozenset(
        (what, chance.randrange(3) if each.long else 0) for what, each in out.items() if chance.random() < 0.01
    )
    hopeless = frozenset(what for what in out if chance.random() < 0.003)
    return Plan(torture, out, into, refused, hopeless)
