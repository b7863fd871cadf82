"""How a message is handed to a gateway, and what its answer means."""

# ruff: noqa: RUF012  pydantic copies a table that is a default

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from convergekit.http.bodies import Condition, Path, Paths, Pattern, Template

from ._base import Model, strings_in
from .words import VariantName, Verdict

__all__ = ["Check", "Idempotent", "Reply", "Send", "Validity", "Variant", "Wait"]


class Validity(Model):
    """How the gateway writes until when it tries.

    Args:
        unit: Of the number; "instant" is a date and time (ISO 8601, UTC).
        min: The least that it takes, in `unit` (seconds for an instant): what has less left is refused as expired.
        max: The most; what has more left is given this.
    """

    unit: Literal["milliseconds", "seconds", "minutes", "hours", "instant"]
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=1)


class Idempotent(Model):
    """The gateway recognises a repeated request by a header.

    Args:
        header: Its name; it carries `{key}`.
        window: Seconds for which it does, or None for good.
    """

    header: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    window: float | None = Field(default=None, gt=0)


class Variant(Model):
    """What is different for a medium, for files or for letters that GSM 03.38 has not.

    Fields are laid over those of `send`, tables into tables; an empty text takes one away. What goes with files is laid
    over what its medium says without.

    Args:
        url: Another URL.
        fields: Further fields.
        to: How the recipient is written: "whatsapp:{to}".
        sender: How we are: "whatsapp:{from}" (in TOML: `from`).
        validity: Another way to write it.
    """

    url: Template | None = None
    fields: dict[str, Any] = {}
    to: Template | None = None
    sender: Template | None = Field(default=None, alias="from")
    validity: Validity | None = None


class Send(Model):
    """How a message is handed over.

    Args:
        method: Of the request.
        url: Where to.
        encoding: How `fields` go: "form" and "json" in the body, "query" in the URL.
        basic: User name and password (RFC 7617).
        headers: Further headers.
        fields: What is said; nested for JSON. Text in them is a template, and so are names.
        numbers: How numbers are written: "e164" is +4915112345678, "digits" the same without +, "national" without
            the country's code. Short codes and names stay as they are.
        words: The gateway's words for the placeholders alphabet (gsm7, ucs2), medium and media_kind; else ours stand.
        validity: How `{validity}` is written; without it the gateway takes none.
        idempotency: How it recognises a repeat; without it a lost answer is never sent again.
        variants: What is different for other media.
    """

    method: Literal["GET", "POST", "PUT"] = "POST"
    url: Template
    encoding: Literal["form", "json", "query"] = "form"
    basic: tuple[Template, Template] | None = None
    headers: dict[str, Template] = {}
    fields: dict[str, Any]
    numbers: Literal["e164", "digits", "national"] = "e164"
    words: dict[Literal["alphabet", "medium", "media_kind"], dict[str, str]] = {}
    validity: Validity | None = None
    idempotency: Idempotent | None = None
    variants: dict[VariantName, Variant] = {}

    @property
    def carries_reference(self) -> bool:
        """Whether our own reference goes out with a message, so that its reports can be matched without the id."""
        return self._says("reference", "callback")

    @property
    def asks_for_calls(self) -> bool:
        """Whether the gateway is told with each message where to call."""
        return self._says("callback", "inbound")

    def _says(self, *names: str) -> bool:
        said = [text for _, text in strings_in("send", (self.url, self.fields))]
        return any(f"{{{name}}}" in text for text in said for name in names)


class Wait(Model):
    """Where a gateway says how long to wait, beside the header Retry-After, which is always read.

    Args:
        path: Where in the answer.
        matches: A regular expression whose first group is the number; without it, all of what is there.
        unit: Of the number.
    """

    path: Path
    matches: Pattern | None = None
    unit: Literal["milliseconds", "seconds", "minutes"] = "seconds"


class Reply(Model):
    """What an answer to `send` means.

    Args:
        format: "json"; or "text", which `pattern` takes apart.
        pattern: Over a text: its named groups are what paths lead to (`(?P<id>...)` is "id").
        ok: What has to hold of a 2xx to mean that the message was taken; nothing is asked where it is empty.
        ids: The gateway's ids of the message. Needed to match reports, unless our reference comes back in them.
        segments: Whether several ids are those of the segments of one message, each of which is reported by itself.
        units: How many segments are charged.
        code: The gateway's code of what went wrong.
        reason: In words.
        code_matches: A regular expression whose first group is the code in what is there; without it, all of that.
        codes: What codes mean.
        shares_codes: Whether `Profile.codes` are codes of answers, too; what stands in `codes` counts for more.
        statuses: What HTTP statuses mean where that is not as usual: "400", "4xx", "503+retry-after".
        otherwise: What a 2xx means that is not `ok` and has no code that is listed.
        wait: How long to wait.
    """

    format: Literal["json", "text"] = "json"
    pattern: Pattern | None = None
    ok: tuple[Condition, ...] = ()
    ids: Paths = ()
    segments: bool = False
    units: Path | None = None
    code: Paths = ()
    reason: Paths = ()
    code_matches: Pattern | None = None
    codes: dict[str, Verdict] = {}
    shares_codes: bool = False
    statuses: dict[Annotated[str, Field(pattern=r"^[1-5]([0-9]{2}|xx)(\+retry-after)?$")], Verdict] = {}
    otherwise: Verdict = "rejected"
    wait: Wait | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.format == "text" and self.pattern is None:
            raise ValueError("a text is read by `pattern`, which is missing")
        if self.pattern is not None and (
            strange := sorted(self._looked_for() - re.compile(self.pattern).groupindex.keys())
        ):
            raise ValueError(f"`pattern` has no group (?P<{strange[0]}>...)")
        return self

    def _looked_for(self) -> set[str]:
        paths = [*self.ids, *self.code, *self.reason, *(each.path for each in self.ok)]
        return {*paths, *([self.units] if self.units else []), *([self.wait.path] if self.wait else [])}


class Check(Model):
    """A request that tells whether the account is good, and sends nothing; with the headers and `basic` of `send`.

    Args:
        method: Of the request.
        url: Where to.
        good: Statuses beside 2xx that say that the account is: of a send that lacks what the gateway looks at later.
    """

    method: Literal["GET", "HEAD"] = "GET"
    url: Template
    good: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
