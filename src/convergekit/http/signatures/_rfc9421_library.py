"""Where `MessageSignatures` meets the library that knows RFC 9421. All that it raises stops here."""

# pyright: reportPrivateImportUsage=false
# The library exports these names by a setting of mypy's in its own files, which others cannot read.

from __future__ import annotations

import base64
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import http_sf
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureComponentResolver,
    InvalidSignature,
    MappingKeyResolver,
    SigningKey,
    VerificationKey,
    VerifyResult,
    algorithms,
)

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import header_of, signed_url
from ._keyed import decoded_secret
from ._scheme import Incoming

__all__ = ["Key", "Made", "Message", "Offered", "check_digest", "digest", "offered", "parse_key", "sign", "verify"]

#: Of one call: rotation needs two labels, and nobody has so many fields to cover.
_MOST_LABELS: Final = 4
_MOST_COMPONENTS: Final = 64
_LONGEST: Final = 8192
_FIELDS: Final = ("signature-input", "signature")
#: Seconds that the clocks of two honest machines differ: `expires` is promised to mean what it says.
_SKEW: Final = 5.0
_KEYID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_PEM: Final = "-----BEGIN"
_EXPECTED: Final = (
    "a key for HTTP message signatures is KEYID:KEY, and KEY a PEM (Ed25519, EC P-256 or P-384, RSA of 2048 bits or "
    "more) or base64 of at least 16 random bytes"
)
_CURVES: Final[Mapping[str, type[HTTPSignatureAlgorithm]]] = {
    "secp256r1": algorithms.ECDSA_P256_SHA256,
    "secp384r1": algorithms.ECDSA_P384_SHA384,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `private` is None where it only verifies."""

    id: str
    algorithm: type[HTTPSignatureAlgorithm]
    public: VerificationKey = field(repr=False)
    private: SigningKey | None = field(repr=False)


@dataclass(slots=True)
class Message:
    """A request as the library sees one; *whole* has all the signatures of one that holds a part of them."""

    method: str
    url: str
    headers: dict[str, str]
    whole: Message | None = None


class Offered(NamedTuple):
    """A signature that came: whose it says it is, and the message with this signature only."""

    keyid: str
    message: Message


class Made(NamedTuple):
    """A signature of ours: what stands behind its label in the two fields."""

    input: str
    signature: str


def parse_key(text: str) -> Key:
    """Read `KEYID:KEY`; raises `ConfigurationError`, which does not show it."""
    id, mark, pem = text.replace("\\n", "\n").partition(_PEM)  # one line, as environments hold it, will do
    try:
        if mark:
            return _asymmetric(_keyid(id.strip().removesuffix(":")), (mark + pem).encode())
        id, _, shared = text.strip().rpartition(":")
        return _symmetric(_keyid(id), shared)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # of cryptography: no PEM, or one behind a password
        raise ConfigurationError(_EXPECTED) from None


def digest(body: bytes) -> str:
    """Content-Digest of *body* (RFC 9530 §2), by SHA-256."""
    return ContentDigest.create(body)


def sign(message: Message, key: Key, seconds: int, covered: Sequence[str], tag: str | None, nonce: str | None) -> Made:
    """The signature of *message* by *key*, made at *seconds*; raises `ConfigurationError` where there can be none."""
    try:
        prepared = HTTPMessageSigner(signature_algorithm=key.algorithm).prepare(
            message,
            key_id=key.id,
            created=datetime.fromtimestamp(seconds, UTC),
            nonce=nonce,
            tag=tag,
            covered_component_ids=covered,
            use_existing_digest="content-digest" in message.headers,
        )
        signature = key.algorithm(private_key=key.private).sign(prepared.signature_base)
    except Exception as exc:  # of the library, of structured fields, of cryptography: its text may show a field's value
        raise ConfigurationError(
            f"the request to be signed is none that RFC 9421 can cover: {type(exc).__name__}"
        ) from None
    return Made(prepared.signature_params, f":{base64.b64encode(signature).decode()}:")  # RFC 8941 §4.1.8


def offered(request: Incoming, keyids: Container[object], tag: str | None) -> Iterator[Offered]:
    """The signatures of *request* by one of *keyids*, those for another application than *tag* left out."""
    url = signed_url(request)
    inputs, signatures = (_parsed(request, name) for name in _FIELDS)
    if inputs.keys() != signatures.keys():
        raise SignatureError("signature and signature-input have different labels")
    for label, (components, parameters) in inputs.items():
        if parameters.get("keyid") in keyids and tag in {None, parameters.get("tag")}:
            whole = Message(request.method, url, _covered(request, components))
            only = (http_sf.ser({label: each[label]}) for each in (inputs, signatures))
            headers = {**whole.headers, **dict(zip(_FIELDS, only, strict=True))}
            yield Offered(parameters["keyid"], Message(request.method, url, headers, whole))


def verify(message: Message, key: Key, now: datetime, tolerance: float) -> VerifyResult:
    """Check the one signature of *message*; raises `SignatureError` and nothing else."""
    try:
        (result,) = _Verifier(key, now.timestamp(), tolerance).verify(message, max_age=None)
    except SignatureError:
        raise
    except Exception:  # whatever a hostile field brings about in the libraries; its text may show it
        raise SignatureError("the signature does not fit: another key, or the request was changed on the way") from None
    return result


def check_digest(result: VerifyResult, request: Incoming, *, required: bool) -> None:
    """Check every digest that *result* covers against the body; where *required*, a body needs one."""
    try:
        covered = ContentDigest.verify_components(result.covered_components, request.body)
    except Exception:
        raise SignatureError("the body is not the one that content-digest was made of") from None
    if required and not covered and (request.body or "content-digest" in request.headers):
        raise SignatureError("the signature does not cover content-digest, so the body may be anybody's")


class _Verifier(HTTPMessageVerifier):
    def __init__(self, key: Key, now: float, tolerance: float) -> None:
        super().__init__(
            signature_algorithm=key.algorithm,
            key_resolver=MappingKeyResolver(public_keys={key.id: key.public}, private_keys={}),
            component_resolver_class=_Resolver,
        )
        self._now, self._tolerance = now, tolerance

    def validate_created_and_expires(self, sig_input: Any, max_age: object = None) -> None:
        """By the clock that was given; the library asks the machine's."""
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires")
        if created is None or abs(self._now - created) > self._tolerance:
            raise SignatureError(f"created is missing, or more than {self._tolerance:g} s away from our clock")
        if expires is not None and self._now - expires > _SKEW:
            raise SignatureError("the signature has expired")


class _Resolver(HTTPSignatureComponentResolver):
    def __init__(self, message: Message) -> None:
        # A signature may cover another one of the same message.
        super().__init__(message.whole or message)  # type: ignore[no-untyped-call]


def _covered(request: Incoming, components: Any) -> dict[str, str]:
    """The fields that a signature covers, and no others: it is anybody who says which, and thousands would be work."""
    if not isinstance(components, list) or len(components) > _MOST_COMPONENTS:
        raise SignatureError(f"a signature covers a list of at most {_MOST_COMPONENTS} components")
    names = {name for name, _ in components if isinstance(name, str)}
    found = {name: value for name in names if (value := request.headers.get(name)) is not None}
    if any(len(value) > _LONGEST for value in found.values()):
        raise SignatureError(f"a field that a signature covers has more than {_LONGEST} characters")
    return found


def _parsed(request: Incoming, name: str) -> dict[str, Any]:
    given = header_of(request, name)
    try:
        parsed: Any = http_sf.parse(given, tltype="dictionary", on_duplicate_key=_refuse_twice)
    except Exception:
        raise SignatureError(f"{name} is malformed") from None
    if len(parsed) > _MOST_LABELS:
        raise SignatureError(f"{name} has more than {_MOST_LABELS} labels")
    return dict(parsed)


def _refuse_twice(key: str, context: str) -> None:
    if context == "dictionary":
        raise InvalidSignature


def _keyid(text: str) -> str:
    if not _KEYID.fullmatch(text):
        raise ValueError
    return text


def _symmetric(id: str, text: str) -> Key:
    shared = decoded_secret(text.encode())
    if len(shared) < 16:
        raise ValueError
    return Key(id, algorithms.HMAC_SHA256, shared, shared)


def _asymmetric(id: str, pem: bytes) -> Key:
    private: Any = load_pem_private_key(pem, password=None) if b"PRIVATE KEY-" in pem else None
    public: Any = private.public_key() if private is not None else load_pem_public_key(pem)
    algorithm: type[HTTPSignatureAlgorithm] | None = None
    if isinstance(public, ed25519.Ed25519PublicKey):
        algorithm = algorithms.ED25519
    elif isinstance(public, ec.EllipticCurvePublicKey):
        algorithm = _CURVES.get(public.curve.name)
    elif isinstance(public, rsa.RSAPublicKey) and public.key_size >= 2048:
        algorithm = algorithms.RSA_PSS_SHA512
    if algorithm is None:
        raise ValueError
    return Key(id, algorithm, public, private)
