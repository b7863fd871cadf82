"""What SMS tells beside its content: `Event.details` of an SMS channel, typed."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from convergekit.model import Event, Line

from .profile import Medium

__all__ = ["Sms"]


class Sms(BaseModel):
    """What an SMS channel tells beside the content of an event: `Sms.of(event)`.

    Args:
        gateway: By which profile it came.
        medium: How it came: "sms", "mms" (with files, or a subject), "whatsapp" or "rcs".
        keyword: What the message asks for, where it is one of those words and nothing else: "stop", "start", "help".
        maybe_opt_out: Whether it reads as if its sender wants no more messages, without being such a word. Nothing was
            done about it: 47 CFR 64.1200(a)(10) makes any reasonable wording count, so a person, or the host, decides.
        ids: The gateway's ids of its parts in order, where it came in several.
        missing: Numbers of the parts, from 1, that had not come when the deadline passed; the text has gaps there.
        total: How many parts there are, where it came in several.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    gateway: Line = ""
    medium: Medium = "sms"
    keyword: Literal["stop", "start", "help"] | None = None
    maybe_opt_out: bool = False
    ids: tuple[Line, ...] = ()
    missing: tuple[int, ...] = ()
    total: int | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """What *event*, of an SMS channel, tells beside its content."""
        return cls.model_validate(event.details)

    def to_details(self) -> dict[str, Any]:
        """As `Event.details`: JSON-able, without what is as it mostly is."""
        return self.model_dump(mode="json", exclude_defaults=True)
