"""What XMPP tells beside an event's content: `Event.details` of an xmpp channel, typed."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from convergekit.model import Event, Line

__all__ = ["Xmpp"]


class Xmpp(BaseModel):
    """What an xmpp channel tells beside the content of an event: `Xmpp.of(event)`.

    Args:
        resource: Which device of the sender's it came from, or None.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    resource: Line | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """What *event*, of an xmpp channel, tells beside its content."""
        return cls.model_validate(event.details)

    def to_details(self) -> dict[str, Any]:
        """As `Event.details`: JSON-able, without what is as it mostly is."""
        return self.model_dump(mode="json", exclude_defaults=True)
