"""Messages: what is said, before any channel has a say in how."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import AsyncIterable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, StringConstraints, field_serializer, field_validator, model_validator

from ._base import ClaimCheck, HeaderName, HeaderValue, Line, Moment, Native, Text, Value
from .address import Address

__all__ = ["Attachment", "ClaimCheck", "Content", "Importance", "MediaType", "Message"]

#: RFC 6838 §4.2, without parameters.
MediaType = Annotated[str, StringConstraints(pattern=r"^[!#$&^_.+\-0-9A-Za-z]{1,127}/[!#$&^_.+\-0-9A-Za-z]{1,127}$")]

#: Python's own table, and not the machine's: another worker has to make the same message of the same call.
_TYPES: Final = mimetypes.MimeTypes()


class Importance(StrEnum):
    """Also the lane class: what is urgent does not queue behind what is not."""

    URGENT = "urgent"
    """Waits for nothing but what is urgent, too."""
    NORMAL = "normal"
    """What is said from one to another."""
    BULK = "bulk"
    """What goes to many, and may wait."""


class Attachment(Value):
    """A file that goes with a message. Exactly one of `data`, `path`, `stream`, `claim` and `url` says where it is.

    Args:
        data: The bytes themselves; in JSON, and in a dict that came from JSON, base64 (RFC 4648 §4).
        path: A file; copied into the store when the message is submitted.
        stream: Called once to get an asynchronous stream of bytes; drained when the message is submitted.
            It has no JSON form before that.
        claim: Content that the store holds already.
        url: Where the medium, or the host, serves it.
        media_type: RFC 6838 type/subtype. Where nobody says it, what the ending of `name`, or of `path`, stands for,
            and `application/octet-stream` where it stands for nothing. What is read from JSON is not guessed.
        name: File name, without a folder.
        size: In bytes, where known; of `data` it is taken from there.
        description: What it shows, for those who do not see it: the medium's alternative text, where it has such.
        content_id: For inline content, what `cid:` refers to (RFC 2392), without angle brackets.
        kept_as: Under which name the engine keeps, once it has fetched it, what `url` serves. Set by admission.
    """

    data: bytes | None = Field(default=None, repr=False)
    path: Path | None = None
    stream: Callable[[], AsyncIterable[bytes]] | None = Field(default=None, repr=False)
    claim: ClaimCheck | None = None
    url: Line | None = None
    media_type: MediaType = "application/octet-stream"
    name: Line | None = None
    size: int | None = Field(default=None, ge=0)
    description: Text | None = Field(default=None, repr=False)
    content_id: Line | None = None
    kept_as: Line | None = None

    if not TYPE_CHECKING:

        def __init__(self, /, **data):
            if "media_type" not in data and (guess := _guessed(data.get("name") or data.get("path"))):
                data["media_type"] = guess
            self.__pydantic_validator__.validate_python(data, self_instance=self)

        __init__.__pydantic_base_init__ = True  # what is read has been said already, and left out if it is the default

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(data := value.get("data"), str | bytes):
            return value
        content = base64.b64decode(data, validate=True) if isinstance(data, str) else data
        return value | {"data": content, "size": len(content)}

    @field_validator("name")
    @classmethod
    def _no_folder(cls, value: str | None) -> str | None:
        if value is not None and (value.strip() in {"", ".", ".."} or "/" in value or "\\" in value):
            raise ValueError("must be a file name without a folder")
        return value

    @field_serializer("data", when_used="json-unless-none")
    def _to_base64(self, value: bytes) -> str:
        return base64.b64encode(value).decode("ascii")

    @field_serializer("stream", when_used="json-unless-none")
    def _no_json(self, value: object) -> None:
        raise ValueError("an attachment's stream has no JSON form until the message has been submitted")

    @model_validator(mode="after")
    def _one_place(self) -> Attachment:
        places = (self.data, self.path, self.stream, self.claim, self.url)
        if sum(place is not None for place in places) != 1:
            raise ValueError("an attachment has exactly one of data, path, stream, claim and url")
        return self


def _guessed(name: object) -> str | None:
    """By the ending alone: the rest is no URL, though it may look like one."""
    if not isinstance(name, str | Path):
        return None
    kind, encoding = _TYPES.guess_type(f"file{Path(name).suffix}")
    return kind if encoding is None else None  # else it would be the type of what is packed in it


class Content(Value):
    """What is said; shared by what goes out (`Message`) and what comes in (`MessageReceived`).

    `text`, `markdown` and `html` are forms of the same content. Whoever writes gives one; the others are derived.
    """

    text: Text | None = None
    markdown: Text | None = None
    html: Text | None = None
    subject: Line | None = None
    cc: tuple[Address, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reply_to: Line | None = None
    """The medium's id of the message that this one answers."""
    thread: Line | None = None
    """The medium's id of the thread that this one belongs to."""
    references: tuple[Line, ...] = ()
    """The medium's ids of messages that came before in the thread, the oldest first, where the medium names them."""
    importance: Importance = Importance.NORMAL
    language: Line | None = None
    """BCP 47."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)  # cheaper than a default that is copied
    """Extra header fields, where the medium has such; never control characters."""


class Message(Content):
    """Content to send.

    Args:
        text: Plain text. The obvious argument, and so the only positional one.
        markdown: CommonMark; each channel gets what it can show.
        html: A document or a fragment; scripts and styles are not for channels that cannot show them.
        subject: One line, where the medium has one.
        cc: Shown as further recipients, where the medium can. Nobody is sent to by being named here: whoever is to
            get it is among the recipients of the send.
        attachments: In order.
        reply_to: The medium's id of the message that this one answers.
        thread: The medium's id of the thread.
        references: The medium's ids of what came before in the thread, the oldest first; a reply has those of what it
            answers.
        importance: Also chooses the lane: urgent overtakes normal overtakes bulk.
        language: BCP 47.
        headers: Extra header fields, where the medium has such.
        to: Shown as recipients, where the medium can, of a message that goes to several; whoever it goes to is shown
            where this is empty. Like `cc` it sends to nobody.
        category: What consent is asked for ("marketing"); None is a message that needs no consent.
        order_key: What goes to the same address with the same one goes one after another, in the order in which it was
            submitted: none overtakes another that waits for its retry, nor one of less importance, and each leaves when
            the one before has arrived or was given up. A `not_before` orders nothing before it has come. None for
            the order within a conversation, which a message that has to wait gives up after a while.
        not_before: Not sent earlier.
        expires_at: Not sent later.
        native: Per adapter name, what only that medium knows; checked by the adapter's own model. In the ledger
            each that is above 64 KiB is a `ClaimCheck`; adapters get the thing itself.

    Raises:
        pydantic.ValidationError: A value does not fit; the text names the field and never shows the content.
    """

    to: tuple[Address, ...] = ()
    category: Line | None = None
    order_key: Line | None = None
    not_before: Moment | None = None
    expires_at: Moment | None = None
    native: dict[Line, Native] = Field(default_factory=dict, repr=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            text: str | None = None,
            *,
            markdown: str | None = None,
            html: str | None = None,
            subject: str | None = None,
            cc: tuple[Address | str, ...] | list[Address | str] = (),
            attachments: tuple[Attachment, ...] | list[Attachment] = (),
            reply_to: str | None = None,
            thread: str | None = None,
            references: tuple[str, ...] | list[str] = (),
            importance: Importance | str = Importance.NORMAL,
            language: str | None = None,
            headers: dict[str, str] = {},  # noqa: B006 - read by type checkers only
            to: tuple[Address | str, ...] | list[Address | str] = (),
            category: str | None = None,
            order_key: str | None = None,
            not_before: Moment | None = None,
            expires_at: Moment | None = None,
            native: dict[str, Any] = {},  # noqa: B006
        ) -> None: ...
    else:

        def __init__(self, text=None, /, **data):
            if text is not None:
                data["text"] = text
            self.__pydantic_validator__.validate_python(data, self_instance=self)

        __init__.__pydantic_base_init__ = True  # else pydantic takes the slow path for every nested message

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say and nothing to hand over."""
        return not (self.text or self.markdown or self.html or self.attachments or self.native)
