"""A gateway that says and understands what a profile describes.

It is as right as the profile is, and proves what the adapter makes of it: that nothing is lost, doubled or believed
without proof. Whether the profile is right, its own tests have to tell, with what the provider documents.
"""

# ruff: noqa: D102, RUF012  `Subject` says what each method is for; attributes are the same for all instances

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from convergekit.model import FailureKind, Status
from convergekit.testing.adapter import Call, Cannot, Fault, HttpSubject

from .. import profiles
from ..adapter import SmsAdapter
from ..profile import Profile
from ..verify import SCHEMES
from .saying import as_call, reply_to
from .signing import signature

__all__ = ["SmsSubject"]

_HOME = "https://ours.example/hooks/sms"
_TOKEN = "a-path-that-nobody-guesses"
_NUMBERS = ("+4915112345678", "+4915187654321")
_OURS = "+4915199999999"
#: Rules about what a signature covers, and those about there being one.
_OF_CONTENT = ("forged-refused", "stale-refused", "rotation", "oversized-refused")
_OF_SIGNATURES = (*_OF_CONTENT, "unsigned-refused", "compares-in-constant-time")
_PATIENT = ("sinch", "vonage-jwt")
_IN_THE_BODY = ("vonage-sig",)


class SmsSubject(HttpSubject):
    """One gateway. For that of a profile of your own, set `profile`.

    Attributes:
        profile: What it speaks: the name of a profile, a table, or the path of a TOML file.
        taken: What it answers where its profile cannot tell, with `{id}` for the id of the message.
    """

    adapter = SmsAdapter
    profile: ClassVar[profiles.Source] = "twilio"
    taken: ClassVar[str] = ""
    to = "sms:+4915112345678"
    senders = ("sms:" + _NUMBERS[0], "sms:" + _NUMBERS[1])
    native = {"extra": "word"}
    secret = "the-secret-of-this-test-account"
    other_secret = "another-one-that-nobody-has-got"

    def __init__(self) -> None:
        super().__init__()
        self.gateway = _read(self.profile)
        self._count = 0
        self._last = ""
        self.statuses = {} if not self.gateway.callbacks.status else dict(_statuses(self.gateway))
        self.settings = self._settings(self.secret)
        self.other_settings = self._another_account()
        self.cannot = dict(self._unprovable())

    def _unprovable(self) -> Iterator[tuple[str, str]]:
        scheme = self._scheme()
        signed = scheme is not None and SCHEMES[scheme].covers != "nothing"
        if not signed:
            why = "its calls are proven by " + ("their path" if scheme is None else "who calls") + " alone"
            yield from dict.fromkeys(_OF_SIGNATURES if scheme is None else _OF_CONTENT, why).items()
        if scheme in _PATIENT:
            yield "stale-refused", "it signs a call once, and repeats it for a day"
        if self.gateway.callbacks.methods == ("GET",):
            yield "nonsense-is-invalid-input", "its calls have no body"

    def _settings(self, *secrets: str | None) -> Mapping[str, Any]:
        profile = self.gateway
        account: dict[str, Any] = {
            name: hashlib.sha256(name.encode()).hexdigest()[:24]  # which has nothing of its name
            for name, setting in profile.settings.items()
            if setting.default is None and (setting.required or name in _named_in_options(profile))
        }
        for name in ("url", "api", "base_url"):
            if name in profile.settings:
                account[name] = "https://far.example"
        settings: dict[str, Any] = {"account": account, "from": _OURS, "callback_url": _HOME}
        settings |= {"gateway": profile.name} if isinstance(self.profile, str) else {"profile": dict(self._table())}
        scheme = self._scheme()
        if scheme is None:
            settings["callback_token"] = _TOKEN
        else:
            account[profile.verify[0].secret] = [_public(scheme, each) for each in secrets if each]
        return settings

    def _another_account(self) -> Mapping[str, Any]:
        """Settings of another account at the same gateway, which is at the same URL."""
        settings = dict(self._settings(self.other_secret))
        settings["account"] = {
            name: each[::-1] if isinstance(each, str) and "://" not in each else each
            for name, each in settings["account"].items()
        }
        return settings | ({"callback_token": _TOKEN[::-1]} if "callback_token" in settings else {})

    def _table(self) -> Mapping[str, Any]:
        return self.gateway.model_dump(by_alias=True, exclude_unset=True)

    def _scheme(self) -> str | None:
        """How its calls are signed; None where the path proves them, as it has to where a signature is no header."""
        scheme = self.gateway.verify[0].scheme if self.gateway.verify else None
        return None if scheme in _IN_THE_BODY else scheme

    # What goes out

    def carries(self, request: httpx.Request) -> bool:
        check = self.gateway.check
        account = {name: each.default or "" for name, each in self.gateway.settings.items()}
        account |= {name: each if isinstance(each, str) else each[0] for name, each in self.settings["account"].items()}
        return check is None or str(request.url) != check.url.format_map(account)

    def accept(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        self._last = f"far-{self._count}-{id(self)}"
        if self.taken:
            return httpx.Response(200, text=self.taken.replace("{id}", self._last))
        body, media_type = reply_to(self.gateway, self._last)
        return httpx.Response(200, headers={"content-type": media_type}, content=body)

    def text_of(self, message: bytes) -> str:
        found = dict(_leaves(_fields(message)))
        for template in ("{text}", "{text_hex}"):
            for path in _places(self.gateway, template):
                if path in found:
                    said = str(found[path])
                    return said if template == "{text}" else bytes.fromhex(said).decode("utf-16-be")
        raise Cannot("its profile does not say where the text stands")

    def identity(self, message: bytes) -> object:
        send = self.gateway.send
        if send is None or send.idempotency is None:
            raise Cannot("it knows no repeat")
        name = send.idempotency.header.lower().encode() + b": "
        head = message.partition(b"\r\n\r\n")[0].split(b"\r\n")
        return [line for line in head if line.lower().startswith(name)]

    def answer(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        if fault is Fault.REFUSED:
            # A status that the profile says nothing else about; what its codes mean is in its own tests.
            return httpx.Response(422, json={"error": "refused"})
        return super().answer(fault, request)

    # What comes in

    def message(self, *, id: str, sender: str, text: str) -> Call:
        if not self.gateway.callbacks.inbound:
            raise Cannot("nothing comes in by this gateway")
        rule = self.gateway.callbacks.inbound[0]
        said: dict[str, Any] = {}
        for paths, value in (
            (rule.id, id),
            (rule.sender, sender.partition(":")[2]),
            (rule.to, _OURS),
            (rule.text, text),
        ):
            if paths:
                said[paths[0]] = value
        return as_call(self.gateway, rule, said, path=self._path())

    def report(self, *, id: str, word: str) -> Call:
        rule = self.gateway.callbacks.status[0]
        said: dict[str, Any] = {rule.word[0]: word}
        for paths, value in ((rule.id, id), (rule.to, _NUMBERS[0])):
            if paths:
                said[paths[0]] = value
        # What has no id of its own comes back with our reference.
        query = "" if rule.id else f"ref={id}"
        return as_call(self.gateway, rule, said, path=self._path(), query=query)

    def _path(self) -> str:
        return "" if self._scheme() is not None else f"/{_TOKEN}"

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        if self._scheme() is None:
            return {}
        verification = self.gateway.verify[0]
        account = self.settings["account"]
        known = {
            name: each.default for name, each in self.gateway.settings.items() if each.default is not None
        } | account
        options = {name: known.get(value.strip("{}"), value) for name, value in verification.options.items()}
        url = _HOME + call.path + (f"?{call.query}" if call.query else "")
        return signature(verification.scheme, call, url=url, at=at, secret=secret, options=options)

    def rotating(self) -> Mapping[str, Any]:
        return self._settings(self.other_secret, self.secret)

    def probe(self) -> tuple[Call, bytes]:
        return Call(b"", method="GET"), b"ok"


def _read(source: profiles.Source) -> Profile:
    return profiles.load(source) if isinstance(source, str) and "." not in source else profiles.read(source)


def _statuses(profile: Profile) -> Iterator[tuple[str, Status | None]]:
    """Its words that an SMS can come to."""
    kinds, possible = {str(kind) for kind in FailureKind}, profile.limits_of("sms").statuses
    for word, meaning in profile.words.items():
        status = None if meaning == "none" else Status.FAILED if meaning in kinds else Status(meaning)
        if status is None or status in possible:
            yield word, status


def _named_in_options(profile: Profile) -> set[str]:
    """Settings that stand in the options of how its calls are verified."""
    return {value[1:-1] for each in profile.verify[:1] for value in each.options.values() if value.startswith("{")}


def _public(scheme: str, secret: str) -> str:
    """What the account is told of *secret*: of a key pair, the public half."""
    if scheme != "telnyx":
        return secret
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _fields(message: bytes) -> Any:
    """What a request says, wherever it says it."""
    head, _, body = message.partition(b"\r\n\r\n")
    if body[:1] in (b"{", b"["):
        return json.loads(body)
    said = body.decode() or urlsplit(head.split(b"\r\n")[0].decode().partition(" ")[2]).query
    return dict(parse_qsl(said, keep_blank_values=True))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in *value*, by where it stands."""
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if entries is None:
        yield path, value
        return
    for name, each in entries:
        yield from _leaves(each, f"{path}.{name}" if path else str(name))


def _places(profile: Profile, template: str) -> Iterator[str]:
    """Where *template* stands among the fields that are sent."""
    send = profile.send
    if send is None:
        return
    for fields in (send.fields, *(each.fields for each in send.variants.values())):
        yield from (path for path, said in _leaves(fields) if said == template)
