"""What XMPP tells beside an event's content: `Event.details` of an xmpp channel, typed."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from convergekit.model import Event, Line, Text

__all__ = ["Xmpp"]


class Xmpp(BaseModel):
    """What an xmpp channel tells beside the content of an event: `Xmpp.of(event)`.

    What a sender chooses is told as they chose it; what only a server may say is there only where it did.

    Args:
        resource: Which device of the sender's it came from, or None.
        type: Of the stanza: "chat", "groupchat", "normal", "headline" or "error".
        id: Its id attribute, where `message_id` is another.
        origin_id: What its sender calls it (XEP-0359), where that is another again.
        stanza_id: What our server's archive calls it, where the server may be believed.
        occupant_id: Of who said it in a room: theirs whatever they call themselves (XEP-0421).
        real_jid: Who that is outside of the room, where the room shows it.
        nickname: In a room, theirs; else what they call themselves (XEP-0172).
        private: Whether an occupant of a room said it to us alone.
        delayed: Whether it was kept somewhere meanwhile, be it in an archive.
        carbon: "received" where it came to another device of the account, "sent" where it left from one; or None.
        encrypted: With what it is encrypted ("OMEMO"), which is not read here; a text says no more than that.
        unverified: Whether it corrects, or takes back, a message of which nobody here knows any more who wrote it.
        moderator: Who of the room took a message back, or put somebody out, as the room names them.
        reason: Why they did.
        affiliation: What somebody is to the room whether they are in or not: "owner", "admin", "member", "none".
        renamed_from: Under which nickname who joins was in the room until now.
        renamed_to: Under which nickname who leaves goes on.
        moved_to: Where those are to go whose room is destroyed.
        code: With which error a room does not let us in any more.
        inviter: Who invites, as the room says that passes it on; nobody has proved it.
        password: Of the room that somebody invites to.
        thread: Which thread goes on in the room that somebody invites to.
        thread_parent: The thread that this one branches off from.
        bodies: Where it is said in several languages, what is said in each; "" for the one that has no name.
        descriptions: What is said of a file, by its URL.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    resource: Line | None = None
    type: Line = "chat"
    id: Line | None = None
    origin_id: Line | None = None
    stanza_id: Line | None = None
    occupant_id: Line | None = None
    real_jid: Line | None = None
    nickname: Line | None = None
    private: bool = False
    delayed: bool = False
    carbon: Literal["received", "sent"] | None = None
    encrypted: Line | None = None
    unverified: bool = False
    moderator: Line | None = None
    reason: Line | None = None
    affiliation: Line | None = None
    renamed_from: Line | None = None
    renamed_to: Line | None = None
    moved_to: Line | None = None
    code: Line | None = None
    inviter: Line | None = None
    password: Line | None = Field(default=None, repr=False)
    thread: Line | None = None
    thread_parent: Line | None = None
    bodies: dict[Line, Text] = Field(default={}, repr=False)
    descriptions: dict[Line, Line] = Field(default={}, repr=False)

    @classmethod
    def of(cls, event: Event) -> Self:
        """What *event*, of an xmpp channel, tells beside its content."""
        return cls.model_validate(event.details)

    def to_details(self) -> dict[str, Any]:
        """As `Event.details`: JSON-able, without what is as it mostly is."""
        return self.model_dump(mode="json", exclude_defaults=True)
