"""What it costs to make a message, against a plain model with fields of the same names and plain types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from convergekit import Message

from .measure import Effort, Goal, Line, Side, Timer, compare

__all__ = ["run"]


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)

    text: str | None = None
    markdown: str | None = None
    html: str | None = None
    subject: str | None = None
    cc: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    reply_to: str | None = None
    thread: str | None = None
    references: tuple[str, ...] = ()
    importance: str = "normal"
    language: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)  # cheaper than a default that is copied
    to: tuple[str, ...] = ()
    category: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    order_key: str | None = None
    native: dict[str, Any] = Field(default_factory=dict)


async def run(effort: Effort) -> Iterator[Line]:
    """`Message("text")`, built and validated."""
    if set(Plain.model_fields) != set(Message.model_fields):
        raise RuntimeError(f"the fields differ: {set(Plain.model_fields) ^ set(Message.model_fields)}")
    items = effort.items(20_000)
    text = "Your parcel is on its way."
    sides = {"ours": _side(lambda: Message(text), items), "theirs": _side(lambda: Plain(text=text), items)}
    cpu = await compare(sides, effort.rounds)
    peer = f"pydantic {version('pydantic')}: a frozen model of the same fields"
    return iter([Line.of('Message("text") (us CPU)', cpu["ours"], peer, cpu["theirs"], Goal("<=", 2.0))])


def _side(make: Callable[[], object], items: int) -> Side:
    async def one_round() -> float:
        with Timer(items) as timer:
            for _ in range(items):
                make()
        return timer.figure

    return one_round
