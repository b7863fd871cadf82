"""What only X knows of a message: `Message.native["x"]`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from convergekit.errors import UnsupportedContentError
from convergekit.model import FailureKind

__all__ = ["XNative", "XPoll", "native_of"]

_Id = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
_Choice = Annotated[str, StringConstraints(min_length=1, max_length=25)]


class _Native(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class XPoll(_Native):
    """A question with choices. The text of the post asks it.

    Args:
        options: Two to four choices of at most 25 characters.
        minutes: For so long people may choose: 5 to 10,080.
    """

    options: tuple[_Choice, ...] = Field(min_length=2, max_length=4)
    minutes: int = Field(ge=5, le=10_080)


class XNative(_Native):
    """What only X knows of a message: `Message.native["x"]`. All of it is about posts.

    Of a text that becomes several posts the first has what there is one of (`poll`, `quote_post_id`, `reply_settings`,
    `community_id`), the last has the link into a direct message, and `made_with_ai` and `paid_partnership` are said of
    each.

    Args:
        poll: Excludes `quote_post_id`, `card_uri` and attachments.
        quote_post_id: Id of the post that is shown below. Not for self-serve accounts, by X' rules.
        reply_settings: Who may answer; everybody where it is not said.
        made_with_ai: Whether a program has written it, by X' rules. Known since API 2.167.
        paid_partnership: Whether it is paid for. Known since API 2.167.
        community_id: In which community it is posted, in place of one's own followers.
        share_with_followers: Of a post in a community: whether followers get it too.
        card_uri: A card of X' advertising. Excludes `poll`, `quote_post_id` and attachments.
        tagged_user_ids: Ids of up to ten people who are shown in the attached photos.
        exclude_reply_user_ids: Ids of people whom an answer does not address, though they took part.
        direct_message_deep_link: A link into a direct message with somebody; shown as a button.
        hand_over: Whether that link is the one to a direct message with this account: what
            `conversation.hand_over(...)` says.
    """

    poll: XPoll | None = Field(default=None, repr=False)
    quote_post_id: _Id | None = None
    reply_settings: Literal["following", "mentionedUsers", "subscribers", "verified"] | None = None
    made_with_ai: bool = False
    paid_partnership: bool = False
    community_id: _Id | None = None
    share_with_followers: bool = False
    card_uri: str | None = Field(default=None, min_length=1, max_length=2048)
    tagged_user_ids: tuple[_Id, ...] = Field(default=(), max_length=10)
    exclude_reply_user_ids: tuple[_Id, ...] = Field(default=(), max_length=50)
    direct_message_deep_link: str | None = Field(default=None, min_length=1, max_length=2048, pattern=r"^https://")
    hand_over: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if sum(each is not None for each in (self.poll, self.quote_post_id, self.card_uri)) > 1:
            raise ValueError("poll, quote_post_id and card_uri exclude each other")
        if self.hand_over and self.direct_message_deep_link is not None:
            raise ValueError("hand_over is a direct_message_deep_link, and there is one in a post")
        if self.share_with_followers and self.community_id is None:
            raise ValueError("share_with_followers is about a post in a community: community_id")
        return self

    @property
    def excludes_attachments(self) -> bool:
        """Whether a post cannot have files beside it."""
        return any(each is not None for each in (self.poll, self.quote_post_id, self.card_uri))


_NOTHING: Final = XNative()


def native_of(native: Any) -> XNative:
    """What a host wrote for this medium alone; raises `UnsupportedContentError` that names the field."""
    if native is None:
        return _NOTHING
    try:
        return XNative.model_validate(native)
    except ValidationError as exc:
        # Names of fields may be the host's own mistake, and are shown; values are not.
        where = ".".join(map(str, exc.errors()[0]["loc"])) or "it"
        reason = f"native of x: {ascii(where)[1:-1]}: {exc.errors()[0]['msg']}"
        raise UnsupportedContentError(reason, kind=FailureKind.CONTENT) from None
