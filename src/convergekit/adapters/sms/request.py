"""From a message to the request that hands it to a gateway, as the profile says. Pure.

Rules kept here:

- What a message has and the profile has no place for is refused, and never left out in silence.
- Text goes as it is; only the encoding of the body or the URL is laid around it.
- What is filled into a URL cannot leave its place in it; a header cannot hold a line break.
- No error shows what a template was filled with: it may be a secret, or what was said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus, urlencode

from convergekit.abc import Outgoing
from convergekit.content.gsm7 import is_gsm7
from convergekit.errors import ConfigurationError, RejectedError, UnsupportedContentError
from convergekit.http import leads_to
from convergekit.model import FailureKind

from .headers import Headers
from .media import medium_of, way_of
from .placeholders import PLACES, Job
from .profile import Profile, Send
from .references import callback_url
from .templates import compiled, written
from .ways import Way, laid_over, ready_url, ways_of

if TYPE_CHECKING:
    from .config import SmsConfig

__all__ = ["GatewayRequest", "Requests"]

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


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
        self._headers = Headers({}, {}) if send is None else _headers_of(send, self._profile, self._settings)
        self._ways = {} if send is None else ways_of(send, self._settings, self._headers.names)

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
        values = _values(way, Job(self._config, send, way.validity, out, medium, now, self._home))
        url, fields = way.url.fill(values), way.fields.fill(values) or {}
        if url is None:
            raise UnsupportedContentError("send.url asks for something that this message has not")
        return self._written(send, url, _with_native(fields, out.native), values)

    def check(self) -> GatewayRequest | None:
        """A request that tells whether the account is good, and sends nothing; None where the gateway has none."""
        check = self._profile.check
        if check is None:
            return None
        url = ready_url(check.url, self._settings, "check.url")
        if url.names:
            raise ConfigurationError("check.url: only settings of the account may stand in it")
        return GatewayRequest(check.method, url.fill({}), self._headers.fixed)

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
        return Headers.of(fetch, self._settings, "fetch").fixed

    def _way_of(self, out: Outgoing) -> Way:
        name = way_of(out)
        if name == "sms" and "ucs2" in self._ways and not is_gsm7(out.part.text):
            name = "ucs2"
        return self._ways[name]

    def _written(self, send: Send, url: str, fields: Mapping[str, Any], values: Mapping[str, Any]) -> GatewayRequest:
        fixed, headers = self._headers.fixed, self._headers.filled(values)
        try:
            if send.encoding == "json":
                content = _json(fields)
                return GatewayRequest(send.method, url, {**fixed, "content-type": _JSON, **headers}, content)
            encoded = urlencode([*_pairs(fields)], quote_via=quote if send.encoding == "query" else quote_plus)
        except (ValueError, TypeError, RecursionError):
            raise UnsupportedContentError("what stands in `native` for sms cannot be written to this gateway") from None
        if send.encoding == "form":
            headers = {**fixed, "content-type": _FORM, **headers}
            return GatewayRequest(send.method, url, headers, encoded.encode("ascii"))
        behind = encoded and ("&" if "?" in url else "?") + encoded
        return GatewayRequest(send.method, url + behind, {**fixed, **headers})


def _headers_of(send: Send, profile: Profile, settings: Mapping[str, str]) -> Headers:
    """What the profile says, and what an answer in JSON and the recognition of repeats need."""
    headers = Headers.of(send, settings, "send")
    if profile.reply.format == "json":
        headers = replace(headers, fixed={"accept": _JSON, **headers.fixed})
    if send.idempotency is not None:
        key = {send.idempotency.header.lower(): compiled("{key}", {})}
        headers = replace(headers, open={**headers.open, **key})
    return headers


def _values(way: Way, job: Job) -> dict[str, Any]:
    values = {name: PLACES[name](job) for name in way.names}
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
    return laid_over(fields, native, gone=None)


def _pairs(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a form, or a query, says: a list repeats its name; a table goes as JSON, since neither has such."""
    for name, value in fields.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            yield name, _json(each).decode() if isinstance(each, Mapping) else written(each)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()
