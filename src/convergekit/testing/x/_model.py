"""What there is at X: posts, messages, files, webhooks; and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._people import Person

__all__ = ["Call", "Direct", "Group", "Medium", "Poll", "Post", "Subscription", "Webhook"]


@dataclass(slots=True)
class Poll:
    """What a post asks.

    Attributes:
        id: Of the poll.
        options: To choose from.
        minutes: How long it is open.
    """

    id: str
    options: tuple[str, ...]
    minutes: int


@dataclass(slots=True, eq=False)
class Post:
    """A public post.

    Attributes:
        id: A snowflake: it tells when the post was made.
        author: Who wrote it.
        text: As it was written; X shows links in it in its own short form.
        at: When.
        conversation_id: Id of the post that the thread began with.
        reply_to: What it answers.
        quotes: What it quotes.
        media: What is attached.
        poll: What it asks.
        versions: Ids of what it was before it was edited, oldest first, and its own.
        body: What the request said, where a request made it.
        is_deleted: Whether it is gone.
    """

    id: str
    author: Person
    text: str
    at: datetime
    conversation_id: str
    reply_to: Post | None = None
    quotes: Post | None = None
    media: tuple[Medium, ...] = ()
    poll: Poll | None = None
    versions: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    is_deleted: bool = False


@dataclass(slots=True, eq=False)
class Group:
    """A direct conversation: of two, whose id is made of theirs, or of several.

    Attributes:
        id: What X calls it.
        members: Who takes part, by their ids.
    """

    id: str
    members: tuple[str, ...]

    @property
    def is_pair(self) -> bool:
        """Whether it is a conversation of two."""
        return "-" in self.id


@dataclass(slots=True, eq=False)
class Direct:
    """A direct message, or that somebody came into a group or left it.

    Attributes:
        id: A snowflake.
        conversation: Where.
        sender: Who wrote.
        text: What.
        at: When.
        media: What is attached.
        shares: A post that it points to.
        kind: `MessageCreate`, `ParticipantsJoin` or `ParticipantsLeave`.
        hidden_from: Ids of those who have deleted it for themselves.
    """

    id: str
    conversation: Group
    sender: Person
    text: str
    at: datetime
    media: tuple[Medium, ...] = ()
    shares: Post | None = None
    kind: str = "MessageCreate"
    hidden_from: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Medium:
    """A file on its way up, or there.

    Attributes:
        id: Of the upload.
        owner: Id of the account.
        category: `tweet_image`, `dm_video` ...
        media_type: As it was said: `image/png`.
        size: How many bytes were announced.
        at: When it was begun.
        parts: What has come, by index.
        alt_text: Its description.
        asked: How often its state was asked for since it is whole.
        is_whole: Whether it was finalized.
    """

    id: str
    owner: str
    category: str
    media_type: str
    size: int
    at: datetime
    parts: dict[int, bytes] = field(default_factory=dict)
    alt_text: str | None = None
    asked: int = 0
    is_whole: bool = False

    @property
    def content(self) -> bytes:
        """What has come, in order."""
        return b"".join(self.parts[index] for index in sorted(self.parts))

    @property
    def key(self) -> str:
        """What posts call it: a number for its kind stands before its id."""
        kind = 16 if self.category.endswith("gif") else 7 if self.category.endswith("video") else 3
        return f"{kind}_{self.id}"


@dataclass(slots=True, eq=False)
class Webhook:
    """Where X calls an app.

    Attributes:
        id: Of the webhook.
        url: Where.
        at: Since when it is there.
        is_valid: Whether its last challenge was answered well.
    """

    id: str
    url: str
    at: datetime
    is_valid: bool = True


@dataclass(slots=True, eq=False)
class Subscription:
    """What an app wants to be told.

    Attributes:
        id: Of the subscription.
        event_type: What, as `post.mention.create`.
        filter: Of whom: `{"user_id": "..."}`.
        at: Since when.
        tag: What goes along with each.
        webhook_id: Where; None is the stream only.
    """

    id: str
    event_type: str
    filter: Mapping[str, str]
    at: datetime
    tag: str | None = None
    webhook_id: str | None = None


@dataclass(slots=True)
class Call:
    """One request, without its secrets and its body.

    Attributes:
        method: As `POST`.
        route: The template, as `/2/users/{id}/mentions`; the path, where there is no such route.
        query: Behind the question mark.
        who: Name of the account whose token it was, "app", or "" where it was nobody's.
        at: When it came.
        status: What it was answered with; None where the answer was lost.
    """

    method: str
    route: str
    query: Mapping[str, str]
    at: datetime
    who: str = ""
    status: int | None = None
