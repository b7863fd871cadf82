"""What a channel can carry: limits, declared as values and read without a connection."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from ._base import Line, Value
from .receipt import Status

__all__ = ["AttachmentLimit", "Capabilities", "Idempotency", "IdempotencyKind", "Markup", "TextLimit"]


class TextLimit(Value):
    """How much text one part holds.

    Args:
        max: In `unit`; what a part may measure once rendered.
        unit: Code points, UTF-16 code units, UTF-8 bytes, or "gsm7": septets of the GSM 7-bit alphabet (3GPP
            TS 23.038), two for a character of its extension table. A part with any character outside of it is UCS-2,
            where each UTF-16 unit measures 16/7 septets, the sum rounded down: `max=160` holds 160 septets or
            70 units, 153 holds 67, 152 holds 66. Each part is one message and has its alphabet to itself. For parts
            of at most n concatenated segments say 153 * n. "weighted" is what X counts in: 1 for a character of most
            scripts, 2 for the others and for any emoji, 23 for any URL; `convergekit.content.twitter_text` has it.
        overflow: Longer text becomes several parts, or is refused. It is never cut.
        transliterate: Of "gsm7" only: what may be written otherwise where that makes all of a text fit the alphabet:
            nothing, punctuation, or letters too ("full"). The plan's report says so.
        max_parts: More parts than this are refused; None for any number. Nobody reads the 256th, and each costs a send.
    """

    max: int = Field(ge=1)
    unit: Literal["codepoint", "utf16", "byte", "gsm7", "weighted"] = "codepoint"
    overflow: Literal["split", "refuse"] = "split"
    transliterate: Literal["never", "punctuation", "full"] = "never"
    max_parts: int | None = Field(default=255, ge=1)


class Markup(Value):
    """Which form text takes on this channel.

    Args:
        format: What the part's text is written in. "styling" is what instant messengers have (XEP-0393): `*strong*`,
            `_em_`, `~s~`, code between grave accents, "> " for quotes. It has no escapes, so an adapter that declares
            it tells the medium which parts are `unstyled`.
        nodes: The marks that the medium shows, of those that the format has: "strong", "em", "s", "code", "code_block",
            "blockquote", and but for "styling" "link", "image", "heading", "list", "hr", "table". Others are rendered
            as plain text. None is all of them.
        html_alternative: Whether a part carries HTML beside its text (email).
    """

    format: Literal["plain", "markdown", "html", "styling"] = "plain"
    nodes: frozenset[Line] | None = None
    html_alternative: bool = False


class AttachmentLimit(Value):
    """Which attachments a part takes.

    Args:
        count: At most so many in one message; 0 for none.
        size: Of each, in bytes; None for any.
        total: Of all together, in bytes; None for any.
        media_types: Patterns such as `image/*`; None for any.
        by_url: They are taken by URL only: what has none is refused.
        fallback: What cannot be taken becomes a link where it has a URL, or is refused.
    """

    count: int = Field(default=0, ge=0)
    size: int | None = Field(default=None, ge=1)
    total: int | None = Field(default=None, ge=1)
    media_types: frozenset[Line] | None = None
    by_url: bool = False
    fallback: Literal["link", "refuse"] = "link"


class IdempotencyKind(StrEnum):
    """How the far side recognises a repeated send."""

    NONE = "none"
    """It does not."""
    KEY = "key"
    """By the key that we hand over, for `window` seconds."""
    NATURAL = "natural"
    """By the message's own id, as long as the medium remembers it."""


class Idempotency(Value):
    """Whether, and for how long, sending again makes a double impossible.

    Args:
        kind: How a repeated send is recognised.
        window: Seconds since the first attempt, or None for good.
    """

    kind: IdempotencyKind = IdempotencyKind.NONE
    window: float | None = Field(default=None, gt=0)


class Capabilities(Value):
    """What a channel can carry. Verbs (edit, typing ...) are declared by being implemented, limits here.

    Args:
        text: The limit of one part, or None for none that we know.
        markup: The form of the text.
        attachments: What goes with it.
        subject: Whether there is a subject line; where not, it is put before the text and reported.
        cc: Whether further recipients can be shown.
        threads: Whether a message can name its thread.
        replies: Whether a message can name the one that it answers.
        receipts: The statuses that can ever be reported, ACCEPTED among them.
        idempotency: Whether a repeated send makes a double impossible.
        client_chosen_ids: Whether peers choose message ids; the adapter then puts the sender into each `Event.key`.
        typing_period: Seconds after which a typing notice must be repeated, or None.
    """

    text: TextLimit | None = None
    markup: Markup = Markup()
    attachments: AttachmentLimit = AttachmentLimit()
    subject: bool = False
    cc: bool = False
    threads: bool = False
    replies: bool = False
    receipts: frozenset[Status] = frozenset({Status.ACCEPTED})
    idempotency: Idempotency = Idempotency()
    client_chosen_ids: bool = False
    typing_period: float | None = Field(default=None, gt=0)
