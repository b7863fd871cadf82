"""What the tests of signatures share: a call as it is on the wire, ways to change it, and who takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import strategies as st

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.config import SmsConfig
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import SignatureError

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOME: Final = "https://example.org/hooks/alerts"
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
#: Long enough for what the JWT libraries ask of a key.
SECRET, OTHER = "s3cret-" * 10, "another-" * 10

#: Text as it comes from phones, with all that means something in a form, a URL or a list.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " ", "&", "=", "a=b&c", "+49 151", "%41", "ä€", "🎉", "ref", "x,y", "a.b", "#", "?", "\r\n", "\x00"]
)
names = st.sampled_from(["From", "To", "Body", "text", "a", "A", "ä", "a b", "MediaUrl0"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5
)
#: With names that come several times.
pairs = st.lists(st.tuples(names, texts), max_size=6)
bodies = st.binary(min_size=1, max_size=40) | st.sampled_from([b"{}", b'{"a": "b.c.d"}', '{"ä": "🎉"}'.encode(), b"0"])


@dataclass(frozen=True)
class Wire:
    """A call, as the gateway made it: the URL is the public one."""

    url: str = HOME
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    now: datetime = NOW

    def with_headers(self, **headers: str) -> Wire:
        return replace(self, headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})

    @property
    def query(self) -> str:
        return self.url.partition("?")[2]

    @property
    def says_all_in_its_body(self) -> bool:
        """Whether nothing is read of it but the body; where only that is signed, nothing else is taken."""
        return bool(self.body) and not self.query and self.method == "POST"


def posted(fields: Sequence[tuple[str, str]], query: Sequence[tuple[str, str]] = (), url: str = HOME) -> Wire:
    """A form, and a query beside it."""
    url += f"?{urlencode(query)}" if query else ""
    return Wire(url, urlencode(fields).encode(), {"content-type": FORM})


def channel(
    scheme: str, options: Mapping[str, str] | None = None, secret: str | Sequence[str] = SECRET, **more: Any
) -> SmsConfig:
    """A channel whose gateway signs by *scheme*."""
    profile = {
        "name": "acme",
        "title": "Acme",
        "settings": {
            "secret": {"description": "signs", "required": False},
            "user": {"description": "", "required": False},
        },
        "callbacks": {"methods": ["GET", "POST"], "inbound": [{"from": "from"}]},
        "verify": [{"scheme": scheme, "secret": "secret", "options": dict(options or {})}],
    }
    settings = {"profile": profile, "account": {"secret": secret}, "callback_url": HOME} | more
    return SmsConfig.model_validate({name: value for name, value in settings.items() if value is not None})


def takes(config: SmsConfig, wire: Wire) -> bool:
    """Whether the channel takes the call; nothing but `SignatureError` says that it doesn't."""
    base, _, query = wire.url.partition("?")
    config = config.model_copy(update={"callback_url": base})
    request = Request(wire.method, "", query, Headers(wire.headers), wire.body)
    try:
        verifier(config)(request, wire.now)
    except SignatureError:
        return False
    return True


_PORT: Final = re.compile(r"org(:[0-9]+)?(?=/)")


def _other(text: str, index: int) -> str:
    """*text* with one character changed."""
    index %= len(text)
    return text[:index] + ("b" if text[index] == "a" else "a") + text[index + 1 :]


def _changed_body(wire: Wire, at: int) -> Wire:
    at %= len(wire.body) or 1
    return replace(wire, body=wire.body[:at] + bytes([(wire.body or b"\0")[at] ^ 1]) + wire.body[at + 1 :])


def _changed_header(wire: Wire, at: int) -> Wire:
    named = sorted(name for name, value in wire.headers.items() if name != "content-type" and value)
    if not named:
        return wire
    name = named[at % len(named)]
    return replace(wire, headers={**wire.headers, name: _other(wire.headers[name], at)})


def _lost_header(wire: Wire, at: int) -> Wire:
    named = sorted(name for name in wire.headers if name != "content-type")
    lost = named[at % len(named)] if named else ""
    return replace(wire, headers={k: v for k, v in wire.headers.items() if k != lost})


def _doubled_fields(wire: Wire, at: int) -> Wire:
    pieces = wire.body.split(b"&")
    return replace(wire, body=b"&".join([*pieces, pieces[at % len(pieces)]]))


def _turned_fields(wire: Wire, at: int) -> Wire:
    return replace(wire, body=b"&".join(reversed(wire.body.split(b"&"))))


def _added(wire: Wire, name: str) -> Wire:
    return replace(wire, url=wire.url + ("&" if wire.query else "?") + name)


#: What may happen to a call on its way, each with a number to pick the place.
CHANGES: Final[Mapping[str, Callable[[Wire, int], Wire]]] = {
    "nothing": lambda wire, at: wire,
    "one bit of the body": _changed_body,
    "less of the body": lambda wire, at: replace(wire, body=wire.body[: at % (len(wire.body) or 1)]),
    "more of the body": lambda wire, at: replace(wire, body=wire.body + b"&x=1"),
    "a field twice": _doubled_fields,
    "fields the other way round": _turned_fields,
    "one character of a header": _changed_header,
    "a header is lost": _lost_header,
    "one character of the path": lambda wire, at: replace(wire, url=wire.url.replace("/hooks", "/hookz")),
    "another host": lambda wire, at: replace(wire, url=wire.url.replace("example.org", "example.net")),
    "a port": lambda wire, at: replace(wire, url=_PORT.sub("org:8444", wire.url, count=1)),
    "the port that goes without saying": lambda wire, at: replace(wire, url=_PORT.sub("org:443", wire.url, count=1)),
    "no port": lambda wire, at: replace(wire, url=_PORT.sub("org", wire.url, count=1)),
    "http": lambda wire, at: replace(wire, url=wire.url.replace("https:", "http:")),
    "a field in the query": lambda wire, at: _added(wire, "ref=d41.0"),
    "an empty field in the query": lambda wire, at: _added(wire, "empty="),
    "a name in the query": lambda wire, at: _added(wire, "name"),
    "GET": lambda wire, at: replace(wire, method="GET"),
    "a minute later": lambda wire, at: replace(wire, now=wire.now + timedelta(seconds=60)),
    "ten minutes later": lambda wire, at: replace(wire, now=wire.now + timedelta(seconds=600)),
    "ten minutes earlier": lambda wire, at: replace(wire, now=wire.now - timedelta(seconds=600)),
    "a week later": lambda wire, at: replace(wire, now=wire.now + timedelta(days=7)),
}
changed = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
places = st.integers(0, 10_000)
