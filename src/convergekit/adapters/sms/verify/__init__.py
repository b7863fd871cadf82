"""Proof that a gateway's call is genuine: named schemes, which a profile picks under `verify`.

    [[verify]]
    scheme = "hmac"
    secret = "signing_key"                         # the setting of the account that holds it: one value, or several
    options = { header = "X-Signature", signed = "{timestamp}.{body}", timestamp_header = "X-Time" }

| scheme            | its secret          | options, and what they are where not given                                |
|-------------------|---------------------|---------------------------------------------------------------------------|
| `twilio`          | auth or shared key  |                                                                           |
| `vonage-sig`      | signature secret    | `method`: md5hash, md5hmac, sha1hmac, sha256hmac or sha512hmac;           |
|                   |                     | `tolerance` (90000)                                                       |
| `vonage-jwt`      | signature secret    | `tolerance` (90000), `leeway` (0)                                         |
| `plivo`           | auth token          | `version` (v3): v2 or v3                                                  |
| `telnyx`          | public key          | `tolerance` (300)                                                         |
| `sinch`           | webhook's secret    | `tolerance` (172800)                                                      |
| `messagebird-jwt` | signing key         | `leeway` (1)                                                              |
| `hmac`            | key                 | `header`; `signed` ({body}), of {timestamp}, {body}, {url} and {id};      |
|                   |                     | `digest` (sha256): sha1, sha256, sha384, sha512; `encoding` (hex): hex,   |
|                   |                     | base64; `prefix`; `timestamp_header`, `tolerance` (300); `id_header`      |
| `basic`           | password            | `username`                                                                |
| `header`          | the header's value  | `name`; `prefix`                                                          |

`tolerance` is how many seconds old a call may be, `leeway` by how many the clocks may differ. An option without a
value above has to be given, but for `prefix` and what only goes with a {timestamp} or an {id}. An option may be a
setting of the account: `method = "{signature_method}"`.

- The first of `verify` whose secret is set counts. Where `callback_token` is set, the path has to be that as well.
- What is not signed proves nothing: `telnyx`, `sinch` and both of Vonage sign the body, and not the URL. Profiles that
  use them let our reference ride in a field of the body and give `{inbound}` for a URL, which has no query: one that
  comes is refused, but for our reference beside an `hmac`; and `vonage-sig` covers a query with the body.
- What is signed is what is read: a GET with a body proves nothing by it, and a form that would be read as JSON is none.
- The public URL is that of the configuration. Host and X-Forwarded headers are anybody's.
- Nothing that came is decoded before its signature fits, but for the fields of forms, and Telnyx' own signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from pydantic import ValidationError

from convergekit.abc import Request
from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import url_behind
from convergekit.http.signatures import SecretPath

from ..profile import Profile, Verification
from ..profile.flaws import told
from ._gateways import Plivo, Sinch, Telnyx, Twilio, VonageSig
from ._generic import SIGNED, Basic, Header, Hmac
from ._jwt import MessagebirdJwt, VonageJwt
from ._scheme import Call, Check, Scheme

if TYPE_CHECKING:
    from ..config import SmsConfig

__all__ = ["SCHEMES", "Call", "Check", "Scheme", "Verifier", "problems", "public_url", "unheard", "verifier"]

#: Raises `SignatureError`, and nothing else, for a request that came at an (aware) time.
Verifier: TypeAlias = Callable[[Request, datetime], None]

#: By name; the fields of each are its options.
SCHEMES: Final[Mapping[str, type[Scheme]]] = {
    "twilio": Twilio,
    "vonage-sig": VonageSig,
    "vonage-jwt": VonageJwt,
    "plivo": Plivo,
    "telnyx": Telnyx,
    "sinch": Sinch,
    "messagebird-jwt": MessagebirdJwt,
    "hmac": Hmac,
    "basic": Basic,
    "header": Header,
}

_SETTING: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def problems(profile: Profile) -> list[str]:
    """What is wrong with how *profile* says that its calls are verified, each with its key."""
    return [
        problem for index, each in enumerate(profile.verify) for problem in _problems(f"verify.{index}", each, profile)
    ]


def verifier(config: SmsConfig) -> Verifier:
    """How the calls of one channel are verified.

    Raises:
        ConfigurationError: A setting that the scheme needs is missing or makes no sense, or what it stands on is not
            installed.
    """
    check, tokens = _chosen(config), config.tokens()
    if check is None and not tokens:
        return _refusal(config.loaded)
    path = SecretPath(tokens)

    def verify(request: Request, now: datetime) -> None:
        if tokens:
            path.verify(request, now)
        if check is not None:
            check(Call(replace(request, url=public_url(config, request)), now))

    return verify


def unheard(config: SmsConfig) -> str | None:
    """Why calls would not come, or would not be taken; None where no setting speaks against them."""
    send = config.loaded.send
    if config.callback_url is None and send is not None and send.asks_for_calls:
        return "no reports are asked for before callback_url is set"
    return _missing(config.loaded) if _chosen(config) is None and not config.tokens() else None


def public_url(config: SmsConfig, request: Request) -> str | None:
    """The URL at which the gateway called, with its query; None where no setting says it."""
    if config.callback_url is None:
        return request.url
    return url_behind(config.callback_url, request.path, request.query)


def _problems(where: str, verification: Verification, profile: Profile) -> Iterator[str]:
    scheme = SCHEMES.get(verification.scheme)
    if scheme is None:
        yield f"{where}.scheme: {verification.scheme[:80]!a} is none of {', '.join(SCHEMES)}"
        return
    options, open_ones = dict(verification.options), set()
    for option, value in verification.options.items():
        named = _SETTING.fullmatch(value)
        if named is None or (name := named[1]) in SIGNED:
            continue
        if name not in profile.settings:
            yield f"{where}.options.{option}: {name!r} is no setting of this profile"
        options[option] = profile.settings[name].default or "" if name in profile.settings else ""
        open_ones.add(option)
    yield from _flaws(f"{where}.options", scheme, options, open_ones)


def _flaws(where: str, scheme: type[Scheme], options: Mapping[str, str], open_ones: set[str]) -> Iterator[str]:
    """What is wrong with *options*; those of *open_ones* may be missing, for the account says them."""
    try:
        scheme.model_validate(
            {name: value for name, value in options.items() if value or name not in scheme.model_fields}
        )
    except ValidationError as exc:
        for each in exc.errors(include_url=False, include_input=False, include_context=False):
            name = ".".join(map(str, each["loc"]))
            if each["type"] != "missing" or name not in open_ones:
                yield told(each, where)


def _chosen(config: SmsConfig) -> Check | None:
    """The first whose secret is set."""
    profile = config.loaded
    for index, each in enumerate(profile.verify):
        if secrets := [value.encode() for value in config.values(each.secret) if value]:
            return _prepared(config, f"verify.{index}", each, secrets)
    return None


def _prepared(config: SmsConfig, where: str, verification: Verification, secrets: Sequence[bytes]) -> Check:
    options = {name: _resolved(config, value) for name, value in verification.options.items()}
    scheme = SCHEMES[verification.scheme]
    if flaws := [*_flaws(f"{where}.options", scheme, options, set())]:
        raise ConfigurationError(f"{config.loaded.name}: {'; '.join(flaws)}{_from_account(verification, config)}")
    try:
        return scheme.model_validate({name: value for name, value in options.items() if value}).prepared(secrets)
    except ValueError as exc:
        raise ConfigurationError(f"account.{verification.secret}: {exc}") from None


def _resolved(config: SmsConfig, value: str) -> str:
    named = _SETTING.fullmatch(value)
    return config.value(named[1]) if named is not None and named[1] in config.loaded.settings else value


def _from_account(verification: Verification, config: SmsConfig) -> str:
    found = [each[1] for each in map(_SETTING.fullmatch, verification.options.values()) if each is not None]
    names = [f"account.{each}" for each in found if each in config.loaded.settings]
    return f" (see {', '.join(names)})" if names else ""


def _refusal(profile: Profile) -> Verifier:
    """For a channel that nobody can prove anything to."""
    text = _missing(profile)

    def refuse(request: Request, now: datetime) -> None:
        raise SignatureError(text)

    return refuse


def _missing(profile: Profile) -> str:
    settings = [f"account.{each.secret}" for each in profile.verify]
    return f"calls are not taken before {' or '.join([*settings, 'callback_token'])} is set"
