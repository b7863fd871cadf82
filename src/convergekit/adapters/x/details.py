"""What X tells beside an event's content: `Event.details` of an x channel, typed."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from convergekit.model import Event, Line, Moment, Text

__all__ = ["OtherPost", "Poll", "PollOption", "X"]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class OtherPost(_Told):
    """A post that an event's post answers or quotes.

    Args:
        id: Its id.
        author: By whom, as an address; None where X does not show it: it is deleted, protected or withheld.
        handle: Who that is called, without the @.
        text: What it says.
    """

    id: Line
    author: Line | None = None
    handle: Line | None = None
    text: Text | None = Field(default=None, repr=False)


class PollOption(_Told):
    """One answer that a poll offers.

    Args:
        label: In words.
        votes: For it, when X told of the post.
    """

    label: Text
    votes: int = 0


class Poll(_Told):
    """A poll that goes with a post.

    Args:
        options: In their order.
        ends_at: When it closes.
        open: Whether it was open when X told of the post.
    """

    options: tuple[PollOption, ...] = ()
    ends_at: Moment | None = None
    open: bool = True


class X(_Told):
    """What an x channel tells beside the content of an event: `X.of(event)`.

    Args:
        handle: What the sender is called, without the @. It may change hands; the address does not.
        name: What the sender calls themselves.
        verified: Their badge: "blue", "government" or "business".
        kind_of_mention: Of a post, how it is about us: it answers one of ours ("reply"), quotes one ("quote"), or
            mentions us otherwise ("mention").
        summoned: Of a post, whether it mentions us or quotes us, which is what an account of self-serve may answer.
        reply_settings: Who may answer the post, in X' own word: "everyone", "mentionedUsers", "following" ...
        answered: The post that it answers.
        quoted: The post that it quotes.
        shared: Of a direct message, ids of the posts that it shows.
        urls: The links of the text, as they lead, in their order.
        poll: The poll that goes with it.
        edits: Where it has been edited, the ids of all its versions, the newest last.
        possibly_sensitive: Whether X marks its links as that.
        not_shown: Keys of media that go with it, which X names and does not show.
        encrypted: With what it is encrypted ("xchat"), which is not read here; there is no text then.
        handed_over: Of the first direct message after we invited its sender to one, the id of our public post.
        handed_over_from: And the key of the public conversation in which that was.
    """

    handle: Line | None = None
    name: Line | None = None
    verified: Line | None = None
    kind_of_mention: Literal["mention", "reply", "quote"] | None = None
    summoned: bool = False
    reply_settings: Line | None = None
    answered: OtherPost | None = None
    quoted: OtherPost | None = None
    shared: tuple[Line, ...] = ()
    urls: tuple[Line, ...] = ()
    poll: Poll | None = None
    edits: tuple[Line, ...] = ()
    possibly_sensitive: bool = False
    not_shown: tuple[Line, ...] = ()
    encrypted: Line | None = None
    handed_over: Line | None = None
    handed_over_from: Line | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """What *event*, of an x channel, tells beside its content."""
        return cls.model_validate(event.details)

    def to_details(self) -> dict[str, Any]:
        """As `Event.details`: JSON-able, without what is as it mostly is."""
        return self.model_dump(mode="json", exclude_defaults=True)
