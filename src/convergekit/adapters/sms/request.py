"""From a message to the request that hands it to a gateway, as the profile says. Pure.

Rules kept here:

- What a message has and the profile has no place for is refused, and never left out in silence.
- Text goes as it is; only the encoding of the body or the URL is laid around it.
- What is filled into a URL cannot leave its place in it; a header cannot hold a line break.
- No error shows what a template was filled with: it may be a secret, or what was said.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeGuard
from urllib.parse import quote, quote_plus, urlencode, urlsplit, urlunsplit

from convergekit.abc import Outgoing
from convergekit.content.gsm7 import is_gsm7
from convergekit.errors import ConfigurationError, RejectedError, UnsupportedContentError
from convergekit.http import is_header, leads_to, origin_of
from convergekit.model import Address, Attachment, FailureKind

from . import numbers
from .profile import Fetch, Medium, Send, Validity, Variant, VariantName
from .templates import Template, compiled, compiled_url, written

if TYPE_CHECKING:
    from .config import SmsConfig

__all__ = [
    "GatewayRequest",
    "Requests",
    "callback_url",
    "medium_of",
    "read_reference",
    "reference_of",
    "variant_of",
]

Way: TypeAlias = Literal["sms"] | VariantName

#: Over which way another one is laid.
_INSTEAD: Final[Mapping[Way, Way]] = {"mms": "sms", "whatsapp-media": "whatsapp", "rcs-media": "rcs"}
_UNITS: Final[Mapping[str, timedelta]] = {
    "milliseconds": timedelta(milliseconds=1),
    "seconds": timedelta(seconds=1),
    "instant": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
}
_REFERENCE: Final = re.compile(r"([A-Za-z0-9_-]{1,100})\.([0-9]{1,4})")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_:-]{1,64}")  # what each gateway with such a header takes
_KINDS: Final = ("image", "video", "audio")
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_EMPTY: Final = Template(frozenset(), lambda values: "")


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """What is to be asked of the gateway. The account's secrets are in it, so it shows little of itself.

    Args:
        method: In upper case.
        url: Percent-encoded.
        headers: Names in lower case.
        content: The body.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)


def reference_of(out: Outgoing) -> str:
    """Our own name for *out*, which comes back in reports; "" where it has none."""
    return f"{out.delivery}.{out.index}" if out.delivery else ""


def read_reference(text: str | None) -> tuple[str, int] | None:
    """The delivery and the index of its part that *text* is the reference of; None where it is no reference."""
    found = _REFERENCE.fullmatch(text) if text else None
    return (found[1], int(found[2])) if found else None


def medium_of(address: Address, has_files: bool) -> Medium:
    """By which medium a message to *address* goes."""
    match address.scheme:
        case "whatsapp":
            return "whatsapp"
        case "rcs":
            return "rcs"
        case _:
            return "mms" if has_files else "sms"


def variant_of(out: Outgoing) -> Way:
    """What *out* is to a gateway: a medium, with or without files."""
    has_files = bool(out.part.attachments)
    medium = medium_of(out.to, has_files)
    if not has_files or medium == "mms":
        return medium
    return "whatsapp-media" if medium == "whatsapp" else "rcs-media"


@dataclass(frozen=True, slots=True)
class _Way:
    """How one kind of message goes: the profile's `send` with a variant laid over it."""

    url: Template
    fields: Template
    to: Template | None
    sender: Template | None
    validity: Validity | None
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Job:
    """One message, and what its placeholders are taken from."""

    config: SmsConfig
    send: Send
    validity: Validity | None
    out: Outgoing
    medium: Medium
    now: datetime
    home: str | None

    def word(self, kind: Literal["alphabet", "medium", "media_kind"], ours: str) -> str:
        return self.send.words.get(kind, {}).get(ours, ours)

    @property
    def first(self) -> Attachment | None:
        return self.out.part.attachments[0] if self.out.part.attachments else None


def _recipient(job: _Job) -> str:
    return numbers.recipient(job.out.to.value, job.send.numbers, job.config.region)


def _sender(job: _Job) -> str | None:
    sender = job.config.sender_of(job.medium)
    if sender is None and job.medium in ("whatsapp", "rcs"):
        raise RejectedError(f"nobody is set to send by {job.medium}: set `{job.medium}`", kind=FailureKind.CONFIG)
    # Only a number with a + is certain to be one: a service, an agent or a name stands for itself.
    is_number = sender is not None and sender.startswith("+")
    return numbers.written(sender, job.send.numbers, job.config.region) if sender and is_number else sender


def _media(job: _Job) -> list[str]:
    urls = [each.url for each in job.out.part.attachments if each.url is not None]
    if len(urls) < len(job.out.part.attachments):
        raise UnsupportedContentError("gateways take files by URL only: give the attachment a `url` that they can read")
    return urls


def _media_kind(job: _Job) -> str | None:
    if job.first is None:
        return None
    kind = job.first.media_type.partition("/")[0].lower()
    return job.word("media_kind", kind if kind in _KINDS else "file")


def _validity(job: _Job) -> int | str | None:
    """Until when delivery is tried: never longer than asked for, and never less than the gateway can express."""
    rule, expires = job.validity, job.out.message.expires_at
    if rule is None or expires is None:
        return None
    unit = _UNITS[rule.unit]
    left = (expires - job.now) // unit
    if left < (1 if rule.min is None else rule.min):
        raise RejectedError("less time is left than this gateway can be told of", kind=FailureKind.EXPIRED)
    if rule.max is not None and left > rule.max:
        left, expires = rule.max, job.now + rule.max * unit
    if rule.unit != "instant":
        return left
    return expires.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _callback(job: _Job) -> str | None:
    reference = reference_of(job.out)
    if job.home is None or not reference:
        return job.home
    url, hash, fragment = job.home.partition("#")
    return f"{url}{'&' if '?' in url else '?'}ref={quote(reference, safe='')}{hash}{fragment}"


def callback_url(config: SmsConfig) -> str | None:
    """Where the gateway calls us, with the token of the channel in its path."""
    if config.callback_url is None:
        return None
    url, tokens = urlsplit(config.callback_url), config.tokens()
    path = url.path.rstrip("/") + "/" + quote(tokens[0], safe="") if tokens else url.path
    return urlunsplit(url._replace(path=path))


def _key(job: _Job) -> str:
    key = job.out.key
    return key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def _text(job: _Job) -> str:
    return job.out.part.text


#: Where the engine's own placeholders come from.
_PLACES: Final[Mapping[str, Callable[[_Job], Any]]] = {
    "to": _recipient,
    "from": _sender,
    "text": _text,
    "text_hex": lambda job: _text(job).encode("utf-16-be").hex().upper(),
    "subject": lambda job: job.out.part.subject,
    "media": _media,
    "media_0": lambda job: next(iter(_media(job)), None),
    "media_type": lambda job: job.first and job.first.media_type,
    "media_kind": _media_kind,
    "media_name": lambda job: job.first and job.first.name,
    "callback": _callback,
    "inbound": lambda job: job.home,
    "reference": lambda job: reference_of(job.out),
    "key": _key,
    "validity": _validity,
    "alphabet": lambda job: job.word("alphabet", "gsm7" if is_gsm7(_text(job)) else "ucs2"),
    "medium": lambda job: job.word("medium", job.medium),
}


class Requests:
    """Makes the requests of one channel. Everything that can be known beforehand is found out here.

    Args:
        config: The channel's settings.

    Raises:
        ConfigurationError: What the account says does not fit where the profile puts it.
    """

    def __init__(self, config: SmsConfig) -> None:
        self._config, self._profile = config, config.loaded
        self._settings = {name: config.value(name) for name in self._profile.settings}
        self._send = send = self._profile.send
        self._home = callback_url(config)
        self._fixed: Mapping[str, str] = {}  # headers that are the same for every message
        self._open: Mapping[str, Template] = {}  # ... and the others
        self._ways: Mapping[Way, _Way] = {}
        if send is not None:
            self._fixed, self._open = self._headers_of_send(send)
            self._ways = self._ways_of(send)

    def build(self, out: Outgoing, *, now: datetime) -> GatewayRequest:
        """The request that hands *out* over.

        Args:
            out: What to hand over.
            now: Aware; what the time that is left is counted from.

        Raises:
            RejectedError: It cannot be asked of this gateway: there is no time left, nobody to be from, no such number.
            UnsupportedContentError: The gateway, or its profile, has no place for something that is in it.
        """
        send, medium = self._send, medium_of(out.to, bool(out.part.attachments))
        if send is None:
            raise RejectedError("this channel only receives: its profile has no `send`", kind=FailureKind.CONFIG)
        if medium not in self._profile.media:
            raise UnsupportedContentError(f"{self._profile.title} carries no {medium}")
        if out.message.expires_at is not None and out.message.expires_at <= now:
            raise RejectedError("its time is over", kind=FailureKind.EXPIRED)
        way = self._way_of(out)
        _refuse_what_has_no_place(out, way.names)
        values = _values(way, _Job(self._config, send, way.validity, out, medium, now, self._home))
        url, fields = way.url.fill(values), way.fields.fill(values) or {}
        if url is None:
            raise UnsupportedContentError("send.url asks for something that this message has not")
        return self._written(send, url, _with_native(fields, out.native), values)

    def check(self) -> GatewayRequest | None:
        """A request that tells whether the account is good, and sends nothing; None where the gateway has none."""
        check = self._profile.check
        if check is None:
            return None
        url = self._url(check.url, "check.url")
        if url.names:
            raise ConfigurationError("check.url: only settings of the account may stand in it")
        return GatewayRequest(check.method, url.fill({}), self._fixed)

    def credentials(self, url: str) -> Mapping[str, str]:
        """The headers that the gateway asks of whoever fetches the file at *url*.

        Raises:
            RejectedError: The gateway is not known to serve files there. Whoever writes to us may have chosen the URL.
        """
        fetch = self._profile.fetch
        if fetch is None or not url.lower().startswith("https://") or not leads_to(url, fetch.hosts):
            raise RejectedError(
                f"{self._profile.title} is not known to serve files there: see fetch.hosts of its profile"
            )
        return self._headers_of(fetch, "fetch")[0]

    def _ways_of(self, send: Send) -> Mapping[Way, _Way]:
        own: dict[Way, Variant] = {"sms": Variant(), "whatsapp": Variant(), "rcs": Variant()}
        own.update(send.variants.items())
        opened = frozenset[str]().union(*(each.names for each in self._open.values()))
        ways: dict[Way, _Way] = {}
        for name, variant in own.items():
            laid = _laid(variant, own.get(_INSTEAD.get(name) or name, variant))
            ways[name] = self._way(send, laid, opened)
        for name, instead in _INSTEAD.items():
            ways.setdefault(name, ways[instead])
        return ways

    def _way_of(self, out: Outgoing) -> _Way:
        variant = variant_of(out)
        if variant == "sms" and "ucs2" in self._ways and not is_gsm7(out.part.text):
            variant = "ucs2"
        return self._ways[variant]

    def _way(self, send: Send, variant: Variant, names: frozenset[str]) -> _Way:
        url = self._url(variant.url or send.url, "send.url")
        fields = compiled(_merged(send.fields, variant.fields, gone=""), self._settings)
        to = compiled(variant.to, self._settings) if variant.to else None
        sender = compiled(variant.sender, self._settings) if variant.sender else None
        inner = [each.names for each in (url, fields, to, sender) if each is not None]
        return _Way(url, fields, to, sender, variant.validity or send.validity, names.union(*inner))

    def _url(self, url: str, where: str) -> Template:
        template = compiled_url(url, self._settings)
        if origin_of(template.fill(dict.fromkeys(template.names, "0")) or "") is None:
            raise ConfigurationError(f"{where}: with what the account says, {url!r} is no http or https URL")
        return template

    def _headers_of_send(self, send: Send) -> tuple[Mapping[str, str], Mapping[str, Template]]:
        fixed, opened = self._headers_of(send, "send")
        if self._profile.reply.format == "json":
            fixed = {"accept": "application/json", **fixed}
        if send.idempotency is not None:
            opened = {**opened, send.idempotency.header.lower(): compiled("{key}", {})}
        return fixed, opened

    def _headers_of(self, part: Send | Fetch, where: str) -> tuple[Mapping[str, str], Mapping[str, Template]]:
        fixed, opened = dict[str, str](), dict[str, Template]()
        for name, value in part.headers.items():
            template = compiled(value, self._settings)
            if template.names:
                opened[name.lower()] = template
            elif (said := template.fill({})) is not None:
                fixed[name.lower()] = said
        if part.basic is not None and (basic := self._basic(part.basic, where)) is not None:
            fixed["authorization"] = basic
        for name, value in fixed.items():
            if not is_header(name, value):
                raise ConfigurationError(
                    f"{where}.headers.{name}: with what the account says, it is no header: one line of ASCII"
                )
        return fixed, opened

    def _basic(self, pair: tuple[str, str], where: str) -> str | None:
        """RFC 7617 §2; None where the account does not say both."""
        user, password = (compiled(each, self._settings) if each else _EMPTY for each in pair)
        if user.names or password.names:
            raise ConfigurationError(f"{where}.basic: user name and password are settings of the account")
        name, secret = user.fill({}), password.fill({})
        if name is None or secret is None:
            return None
        if ":" in name:
            raise ConfigurationError(f"{where}.basic: a user name has no colon in it")
        return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode("ascii")

    def _written(self, send: Send, url: str, fields: Mapping[str, Any], values: Mapping[str, Any]) -> GatewayRequest:
        headers = {name: value for name, each in self._open.items() if (value := each.fill(values)) is not None}
        if not all(is_header(name, value) for name, value in headers.items()):
            raise UnsupportedContentError("a header of this message would not be one line of ASCII")
        try:
            if send.encoding == "json":
                content = _json(fields)
                return GatewayRequest(send.method, url, {**self._fixed, "content-type": _JSON, **headers}, content)
            encoded = urlencode([*_pairs(fields)], quote_via=quote if send.encoding == "query" else quote_plus)
        except (ValueError, TypeError, RecursionError):
            raise UnsupportedContentError("what stands in `native` for sms cannot be written to this gateway") from None
        if send.encoding == "form":
            headers = {**self._fixed, "content-type": _FORM, **headers}
            return GatewayRequest(send.method, url, headers, encoded.encode("ascii"))
        behind = encoded and ("&" if "?" in url else "?") + encoded
        return GatewayRequest(send.method, url + behind, {**self._fixed, **headers})


def _values(way: _Way, job: _Job) -> dict[str, Any]:
    values = {name: _PLACES[name](job) for name in way.names}
    if way.to is not None:
        values["to"] = way.to.fill(values)
    if way.sender is not None:
        values["from"] = way.sender.fill(values)
    return values


def _refuse_what_has_no_place(out: Outgoing, names: frozenset[str]) -> None:
    files = len(out.part.attachments)
    if files and "media" not in names and ("media_0" not in names or files > 1):
        takes = "one file" if "media_0" in names else "no files"
        raise UnsupportedContentError(f"this gateway takes {takes} with a message")
    if out.part.text and not names & {"text", "text_hex"}:
        raise UnsupportedContentError("this gateway has no place for text beside a file: send them one by one")
    if out.part.subject and "subject" not in names:
        raise UnsupportedContentError("this gateway has no place for a subject")


def _with_native(fields: Mapping[str, Any], native: Any) -> Mapping[str, Any]:
    if native is None:
        return fields
    if not isinstance(native, Mapping):
        raise UnsupportedContentError("`native` for sms is a table of the gateway's own fields")
    return _merged(fields, native, gone=None)


def _merged(fields: Mapping[str, Any], over: Mapping[str, Any], *, gone: str | None) -> dict[str, Any]:
    """*fields* with *over* laid over them; *gone* takes a field away.

    Tables are laid into tables, and lists of as many tables one by one.
    """
    merged = dict(fields)
    for name, value in over.items():
        below = merged.get(name)
        if value == gone:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[name] = _merged(below, value, gone=gone)
        elif _are_tables(value) and _are_tables(below) and len(value) == len(below):
            merged[name] = [_merged(one, other, gone=gone) for one, other in zip(below, value, strict=True)]
        else:
            merged[name] = value
    return merged


def _are_tables(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _laid(over: Variant, under: Variant) -> Variant:
    """*over* laid over *under*: what a file is sent with over what a text of the same medium is."""
    if over is under:
        return over
    fields = _merged(under.fields, over.fields, gone=None)
    said = {name: getattr(over, name) for name in over.model_fields_set - {"fields"}}
    return under.model_copy(update={**said, "fields": fields})


def _pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a form, or a query, says: a list repeats its name; a table goes as JSON, since neither has such."""
    for name, value in fields.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            yield name, _json(each).decode() if isinstance(each, Mapping) else written(each)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()
