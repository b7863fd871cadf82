"""How a gateway calls us: messages, reports and consent, how it proves itself, and what it is told."""

# ruff: noqa: RUF012  pydantic copies a table that is a default

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from convergekit.http.bodies import Condition, Path, Paths, Pattern

from ._base import Model
from .words import Medium

__all__ = [
    "Ack",
    "Callbacks",
    "ConsentRule",
    "Decoding",
    "Inbound",
    "Keyword",
    "Media",
    "MediumWord",
    "Parts",
    "Segments",
    "StatusRule",
    "Verification",
]


class Decoding(Model):
    """How text is written where that is not plainly.

    Args:
        how: "utf16be-percent" is percent-encoded UTF-16BE, "utf16be-hex" and "latin1-hex" are hexadecimal digits,
            "utf16be" is UTF-16BE bytes behind the form's or the query's own encoding, "base64" UTF-8 in base64.
        when: Only where all of this holds.
    """

    how: Literal["utf16be-percent", "utf16be-hex", "latin1-hex", "utf16be", "base64"]
    when: tuple[Condition, ...] = ()


class Media(Model):
    """Files that came.

    Args:
        urls: Where they are served.
        types: Their media types, in the same order.
        names: Their names, likewise.
    """

    urls: Paths
    types: Paths = ()
    names: Paths = ()


class Parts(Model):
    """One part of a longer message, where the gateway does not put them together.

    Args:
        reference: What its parts share.
        number: Which it is, from 1.
        total: How many there are.
        udh: Or all three in a user data header, in hexadecimal digits, with or without percent signs
            (3GPP TS 23.040 §9.2.3.24).
    """

    reference: Path | None = None
    number: Path | None = None
    total: Path | None = None
    udh: Path | None = None

    @model_validator(mode="after")
    def _says_all(self) -> Self:
        if self.udh is None and not (self.reference and self.number and self.total):
            raise ValueError("parts need reference, number and total, or udh")
        return self


class Keyword(Model):
    """The gateway's own word for what the message asks for.

    Args:
        path: Where.
        words: What they mean.
    """

    path: Path
    words: dict[str, Literal["stop", "start", "help"]]


class MediumWord(Model):
    """By which medium something came, where one gateway carries several.

    Args:
        path: Where it is said.
        words: The gateway's words, where it has others than ours; without regard to case. Anything else is the first of
            the profile's `media`.
    """

    path: Path
    words: dict[str, Medium] = {}


def _is_format(value: str) -> str:
    if value not in ("iso", "unix", "unix_ms") and "%" not in value:
        raise ValueError("is none of iso, unix and unix_ms, and no format of strptime, such as %Y-%m-%d %H:%M:%S")
    return value


class _Rule(Model):
    when: tuple[Condition, ...] = ()
    each: Path | None = None
    id: Paths = ()
    at: Paths = ()
    at_format: Annotated[str, Field(max_length=100), AfterValidator(_is_format)] = "iso"


class Inbound(_Rule):
    """Somebody wrote to us.

    Args:
        when: This is about an item of which all of it holds.
        each: A list inside of it; each entry is a message.
        id: The gateway's id of the message.
        at: When.
        at_format: How that is written: "iso", "unix", "unix_ms", or as `strptime` reads it (UTC unless it says
            otherwise).
        sender: Who (in TOML: `from`).
        to: Whom of ours.
        text: What.
        subject: About what.
        decode: How the text is written; the first that holds.
        medium: By which medium.
        media: Files.
        parts: Which part of a longer one it is.
        keyword: The gateway's own word for STOP and the like.
        reply_to: The id of the message of ours that it answers.
        name: How the sender is called.
    """

    sender: Paths = Field(alias="from")
    to: Paths = ()
    text: Paths = ()
    subject: Paths = ()
    decode: tuple[Decoding, ...] = ()
    medium: MediumWord | None = None
    media: Media | None = None
    parts: Parts | None = None
    keyword: Keyword | None = None
    reply_to: Paths = ()
    name: Paths = ()


class Segments(Model):
    """A report about one of several segments that the gateway made of one message.

    Args:
        id: The segment's own id, or number.
        total: How many there are, or None where only the reply to `send` tells.
        pattern: Taken off `total` first: its group.
    """

    id: Path
    total: Path | None = None
    pattern: Pattern | None = None


class StatusRule(_Rule):
    """What became of a message of ours.

    Args:
        when: This is about an item of which all of it holds.
        each: A list inside of it; each entry is a report.
        id: The gateway's id of the message.
        at: When.
        at_format: How that is written; see `Inbound`.
        word: The gateway's word for it, looked up in `Profile.words`; of several the first that is listed there.
        reference: Our own reference, where it comes back in a field. What the callback's URL carries is always read.
        to: Who got it.
        code: The gateway's code of a failure, looked up in `Profile.codes`; of several the first that is listed there.
        reason: The same in words.
        segments: Where each segment is reported by itself.
        medium: By which medium.
    """

    word: Paths
    reference: Paths = ()
    to: Paths = ()
    code: Paths = ()
    reason: Paths = ()
    segments: Segments | None = None
    medium: MediumWord | None = None


class ConsentRule(_Rule):
    """Somebody has told the gateway itself that they want no more, or want it again.

    Args:
        when: This is about an item of which all of it holds.
        each: A list inside of it; each entry is one of them.
        id: The gateway's id of what happened.
        at: When.
        at_format: How that is written; see `Inbound`.
        sender: Who (in TOML: `from`).
        granted: Whether they want it again.
    """

    sender: Paths = Field(alias="from")
    granted: bool = False


class Ack(Model):
    """What a gateway wants to hear when we have taken its call.

    Args:
        status: Of the answer.
        body: Of it.
        media_type: Of the body (in TOML: `type`).
    """

    status: int = Field(default=204, ge=200, le=299)
    body: str = ""
    media_type: str = Field(default="text/plain; charset=utf-8", alias="type", pattern=r"^[\x20-\x7e]{1,200}\z")


class Callbacks(Model):
    """How the gateway calls us.

    Args:
        methods: Of its requests.
        each: Where the items of a batch are; the first path that leads to a list. Without one the body is the item, and
            a body that is a list is a batch.
        ack: What it is told.
        inbound: What is a message; the first rule that fits.
        status: What is a report; likewise, after those.
        consent: What says whether somebody agrees, where that is no message; likewise.
        ignored: What is neither: our own messages that come back, say.
    """

    methods: tuple[Literal["GET", "POST"], ...] = ("POST",)
    each: Paths = ()
    ack: Ack = Ack()
    inbound: tuple[Inbound, ...] = ()
    status: tuple[StatusRule, ...] = ()
    consent: tuple[ConsentRule, ...] = ()
    ignored: tuple[tuple[Condition, ...], ...] = ()


class Verification(Model):
    """How a call of the gateway proves that it is genuine: a scheme of `verify.SCHEMES`, and what it needs.

    Args:
        scheme: Its name.
        secret: Of which setting of the account: its value, or all of its values while it is replaced.
        options: What else the scheme asks for, by name.
    """

    scheme: str
    secret: str
    options: dict[str, str] = {}
