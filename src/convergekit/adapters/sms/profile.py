"""What a gateway is: data. The schema of a profile, and nothing that moves.

A profile is a TOML file, or the same as a dict. Words in it:

- A *template* is text with placeholders: "Bearer {key}". Placeholders are the settings of the profile's own account
  and those of `PLACEHOLDERS`. A field that is one placeholder and nothing else takes its value as it is (a list, a
  number); a field whose placeholder has no value is left out. A brace is written twice: "{{".
- A *path* leads into what came back: "messages.0.message-id". A number picks out of a list, `*` takes all of it,
  `MediaUrl#` collects MediaUrl0, MediaUrl1 ...; `^` in front starts at what encloses the item. Names in forms and
  queries compare without case. Where several paths are given, the first that leads to something counts.
- A *verdict* is what a code means for an attempt: one of `Verdict`; a *word* what a report means: one of `Word`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from convergekit.model import Status

__all__ = [
    "PLACEHOLDERS",
    "Ack",
    "Attachments",
    "Callbacks",
    "Check",
    "Condition",
    "ConsentRule",
    "Decoding",
    "Dsn",
    "Fetch",
    "Idempotent",
    "Inbound",
    "Keyword",
    "Limits",
    "Media",
    "Medium",
    "MediumWord",
    "Parts",
    "Path",
    "Paths",
    "Pattern",
    "Profile",
    "Reply",
    "Segments",
    "Send",
    "Setting",
    "StatusRule",
    "Strings",
    "Template",
    "Validity",
    "Variant",
    "VariantName",
    "Verdict",
    "Verification",
    "Wait",
    "Word",
]

Medium: TypeAlias = Literal["sms", "mms", "whatsapp", "rcs"]
#: What an attempt carries: a medium, with or without files. An `sms` with files is an `mms`, and one whose text has
#: letters that GSM 03.38 cannot write is a `ucs2`, where the profile tells it apart.
VariantName: TypeAlias = Literal["ucs2", "mms", "whatsapp", "whatsapp-media", "rcs", "rcs-media"]

#: What a code, or an HTTP status, means: "taken"; the four outcomes of an attempt; or a kind of failure, which says
#: more. "throttled" waits; "auth" and "quota" take the account down; every other kind refuses for good.
Verdict: TypeAlias = Literal[
    "taken",
    "not_sent",
    "uncertain",
    "rejected",
    "account",
    "throttled",
    "auth",
    "quota",
    "invalid_message",
    "invalid_address",
    "unreachable",
    "opted_out",
    "blocked",
    "content",
    "too_large",
    "expired",
    "cancelled",
    "config",
    "provider",
]
#: What a report's word means: a status ("failed" without more), a kind of failure, or "none": noted, and no change.
Word: TypeAlias = Literal[
    "none",
    "accepted",
    "sent",
    "relayed",
    "delivered",
    "read",
    "failed",
    "throttled",
    "auth",
    "quota",
    "invalid_message",
    "invalid_address",
    "unreachable",
    "opted_out",
    "blocked",
    "content",
    "too_large",
    "expired",
    "cancelled",
    "config",
    "provider",
    "connection",
]
#: What the engine fills in, beside the account's settings.
PLACEHOLDERS: Final[Mapping[str, str]] = {
    "to": "the recipient's number, as `numbers` writes it",
    "from": "our number, short code or name",
    "text": "the text of the part",
    "text_hex": "the same in UTF-16BE, as hexadecimal digits",
    "subject": "the subject of the part, where the medium has one",
    "media": "the URLs of the files, a list",
    "media_0": "the first of them",
    "media_type": "the first one's media type",
    "media_kind": "the first one's kind: the profile's word for image, video, audio or file",
    "media_name": "the first one's file name",
    "callback": "the URL where reports about this part are to go",
    "inbound": "the URL where answers are to go",
    "reference": "our own id of this part, which comes back in reports",
    "key": "the same over all attempts at this part",
    "validity": "for how long, or until when, delivery is to be tried; in the gateway's unit",
    "alphabet": "the profile's word for gsm7 or ucs2",
    "medium": "the profile's word for sms, mms, whatsapp or rcs",
}
_SETTING: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_SEGMENT: Final = re.compile(r"\*|[^.*#^]+#?")


def _one_or_more(value: Any) -> Any:
    """A list may be written as its only element."""
    return value if isinstance(value, list | tuple) else (value,)


def _names(template: str) -> Iterator[str]:
    """The placeholders in *template*; raises `ValueError` where it is none."""
    for _, name, spec, conversion in Formatter().parse(template):
        if name is None:
            continue
        if not name or spec or conversion:
            raise ValueError(f"{{{name}}} is no placeholder; a brace that is meant as such is written twice")
        yield name


def _is_template(value: str) -> str:
    list(_names(value))
    return value


def _is_path(value: str) -> str:
    rest = value.removeprefix("^")
    if not rest or not all(_SEGMENT.fullmatch(each) for each in rest.split(".")):
        raise ValueError(f"{value[:80]!a} is no path: names, numbers or * with dots between, such as messages.0.id")
    return value


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as exc:
        raise ValueError(f"{value[:80]!a} is no regular expression: {exc.msg}") from None
    return value


Template: TypeAlias = Annotated[str, Field(max_length=4096), AfterValidator(_is_template)]
Path: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_is_path)]
Paths: TypeAlias = Annotated[tuple[Path, ...], BeforeValidator(_one_or_more)]
Strings: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Pattern: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(_is_pattern)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class Setting(_Model):
    """What an account of this gateway has to say: a name, a key, a token.

    Args:
        description: For people.
        required: Whether nothing goes without it; a setting with a default is not asked for.
        default: What stands for it where it is not given.
    """

    description: str
    required: bool = True
    default: str | None = None


class Condition(_Model):
    """Whether something that came is of a kind: all that is given has to hold.

    Args:
        path: What is looked at.
        equals: It is one of these, as text, without regard to case. A JSON true is "true", a number as it is written.
        matches: A regular expression finds something in it.
        present: Whether it is there at all (an empty text, null and an empty list are not).
    """

    path: Path
    equals: Strings | None = None
    matches: Pattern | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.equals is None and self.matches is None and self.present is None:
            raise ValueError("a condition says equals, matches or present")
        return self


class Validity(_Model):
    """How the gateway writes until when it tries.

    Args:
        unit: Of the number; "instant" is a date and time (ISO 8601, UTC).
        min: The least that it takes, in `unit` (seconds for an instant): what has less left is refused as expired.
        max: The most; what has more left is given this.
    """

    unit: Literal["milliseconds", "seconds", "minutes", "hours", "instant"]
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=1)


class Idempotent(_Model):
    """The gateway recognises a repeated request by a header.

    Args:
        header: Its name; it carries `{key}`.
        window: Seconds for which it does, or None for good.
    """

    header: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    window: float | None = Field(default=None, gt=0)


class Variant(_Model):
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


class Send(_Model):
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


class Wait(_Model):
    """Where a gateway says how long to wait, beside the header Retry-After, which is always read.

    Args:
        path: Where in the answer.
        matches: A regular expression whose first group is the number; without it, all of what is there.
        unit: Of the number.
    """

    path: Path
    matches: Pattern | None = None
    unit: Literal["milliseconds", "seconds", "minutes"] = "seconds"


class Reply(_Model):
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
        return self


class Decoding(_Model):
    """How text is written where that is not plainly.

    Args:
        how: "utf16be-percent" is percent-encoded UTF-16BE, "utf16be-hex" and "latin1-hex" are hexadecimal digits,
            "utf16be" is UTF-16BE bytes behind the form's or the query's own encoding, "base64" UTF-8 in base64.
        when: Only where all of this holds.
    """

    how: Literal["utf16be-percent", "utf16be-hex", "latin1-hex", "utf16be", "base64"]
    when: tuple[Condition, ...] = ()


class Media(_Model):
    """Files that came.

    Args:
        urls: Where they are served.
        types: Their media types, in the same order.
        names: Their names, likewise.
    """

    urls: Paths
    types: Paths = ()
    names: Paths = ()


class Parts(_Model):
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


class Keyword(_Model):
    """The gateway's own word for what the message asks for.

    Args:
        path: Where.
        words: What they mean.
    """

    path: Path
    words: dict[str, Literal["stop", "start", "help"]]


class MediumWord(_Model):
    """By which medium something came, where one gateway carries several.

    Args:
        path: Where it is said.
        words: The gateway's words, where it has others than ours; without regard to case. Anything else is the first of
            the profile's `media`.
    """

    path: Path
    words: dict[str, Medium] = {}


class _Rule(_Model):
    when: tuple[Condition, ...] = ()
    each: Path | None = None
    id: Paths = ()
    at: Paths = ()
    at_format: str = "iso"


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


class Segments(_Model):
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


class Ack(_Model):
    """What a gateway wants to hear when we have taken its call.

    Args:
        status: Of the answer.
        body: Of it.
        media_type: Of the body (in TOML: `type`).
    """

    status: int = Field(default=204, ge=200, le=299)
    body: str = ""
    media_type: str = Field(default="text/plain; charset=utf-8", alias="type")


class Callbacks(_Model):
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


class Verification(_Model):
    """How a call of the gateway proves that it is genuine: a scheme of `verify.SCHEMES`, and what it needs.

    Args:
        scheme: Its name.
        secret: Of which setting of the account: its value, or all of its values while it is replaced.
        options: What else the scheme asks for, by name.
    """

    scheme: str
    secret: str
    options: dict[str, str] = {}


class Attachments(_Model):
    """Files that go out: by URL only, for that is how gateways take them.

    Args:
        count: At most so many.
        size: Of each, in bytes.
        types: Patterns such as `image/*`.
    """

    count: int = Field(ge=1)
    size: int | None = Field(default=None, ge=1)
    types: tuple[str, ...] | None = None


class Limits(_Model):
    """What one medium takes.

    Args:
        text: The longest text.
        unit: What it is measured in: see `TextLimit`. Ten concatenated segments are 1530 in "gsm7".
        attachments: Files; none where it is not given.
        subject: Whether it has a subject line.
        receipts: What it can report.
    """

    text: int = Field(default=1530, ge=1)
    unit: Literal["gsm7", "codepoint", "utf16", "byte"] = "gsm7"
    attachments: Attachments | None = None
    subject: bool = False
    receipts: tuple[Literal["accepted", "sent", "relayed", "failed", "delivered", "read"], ...] = (
        "accepted",
        "sent",
        "failed",
        "delivered",
    )

    @property
    def statuses(self) -> frozenset[Status]:
        """`receipts`, typed."""
        return frozenset(Status(each) for each in self.receipts)


class Fetch(_Model):
    """What the gateway asks of whoever fetches a file that came.

    Args:
        hosts: Where it is asked; credentials go nowhere else. `*.example.org` is any host below it.
        basic: User name and password.
        headers: Further headers.
    """

    hosts: Strings
    basic: tuple[Template, Template] | None = None
    headers: dict[str, Template] = {}


class Check(_Model):
    """A request that tells whether the account is good, and sends nothing; with the headers and `basic` of `send`.

    Args:
        method: Of the request.
        url: Where to.
    """

    method: Literal["GET", "HEAD"] = "GET"
    url: Template


class Dsn(_Model):
    """Which settings the parts of `gateway://USERNAME:PASSWORD@HOST` are; HOST `default` says nothing.

    Args:
        username: Its setting, or None where the gateway needs none.
        password: Likewise.
        host: Likewise; the setting gets `https://HOST`, or `http://` for this machine.
    """

    username: str | None = None
    password: str | None = None
    host: str | None = None


class Profile(_Model):
    """One gateway.

    Args:
        name: What it is called in settings.
        title: For people.
        documentation: Where the provider tells what stands here.
        settings: What an account says, beside what is common to all.
        media: What it carries; the first is what a call of it is about where it does not say.
        send: How a message is handed over; None for a gateway that only receives.
        reply: What it answers.
        callbacks: How it calls us.
        words: Its words for what became of a message, and what they mean; compared without case. What is not listed
            is noted, and changes nothing.
        codes: Its codes for why a message failed; "none" for one that says that it may not have.
        verify: How its calls prove that they are genuine; the first whose secret is configured counts. Where there is
            none, the path has to hold `callback_token`.
        limits: What each medium takes.
        fetch: How files that came are fetched.
        check: How the account is checked.
        dsn: How a DSN is read.
        prefixes: What may stand before a number to say its medium: {"whatsapp:" = "whatsapp"}.
        stops: Whether the gateway itself keeps to STOP and answers it, so that nobody else has to.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    title: str
    documentation: str | None = None
    settings: dict[str, Setting] = {}
    media: tuple[Medium, ...] = ("sms",)
    send: Send | None = None
    reply: Reply = Reply()
    callbacks: Callbacks = Callbacks()
    words: dict[str, Word] = {}
    codes: dict[str, Word] = {}
    verify: tuple[Verification, ...] = ()
    limits: dict[Medium, Limits] = {}
    fetch: Fetch | None = None
    check: Check | None = None
    dsn: Dsn = Dsn()
    prefixes: dict[str, Medium] = {}
    stops: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._unknown_placeholders(), *self._unknown_settings()]
        if self.send is None and not self.callbacks.inbound:
            problems.append("it neither sends nor receives: there is no `send`, and no `callbacks.inbound`")
        problems += [f"limits.{each}: it is not one of `media`" for each in self.limits if each not in self.media]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def limits_of(self, medium: Medium) -> Limits:
        """What *medium* takes."""
        return self.limits.get(medium) or Limits()

    def _unknown_placeholders(self) -> Iterator[str]:
        known = {*PLACEHOLDERS, *self.settings}
        for where, template in self._templates():
            try:
                names = set(_names(template))
            except ValueError as exc:
                yield f"{where}: {exc}"
                continue
            yield from (
                f"{where}: {{{name}}} is neither a setting of this profile nor one of {', '.join(PLACEHOLDERS)}"
                for name in sorted(names - known)
            )

    def _templates(self) -> Iterator[tuple[str, str]]:
        for name in ("send", "fetch", "check"):
            if (part := getattr(self, name)) is not None:
                yield from _strings(name, part.model_dump(include={"url", "basic", "headers", "fields", "variants"}))

    def _unknown_settings(self) -> Iterator[str]:
        yield from (
            f"settings.{name}: a name is lower-case letters, digits and _, and none of the placeholders"
            for name in self.settings
            if name in PLACEHOLDERS or not _SETTING.fullmatch(name)
        )
        named = [(f"verify.{index}.secret", each.secret) for index, each in enumerate(self.verify)]
        named += [(f"dsn.{place}", name) for place, name in self.dsn if name is not None]
        yield from (
            f"{where}: {name!r} is no setting of this profile" for where, name in named if name not in self.settings
        )


def _strings(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in *value*, and where it stands."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield f"{where}.{key}", str(key)
            yield from _strings(f"{where}.{key}", each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _strings(f"{where}.{index}", each)
