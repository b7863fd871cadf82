"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530): what has to be covered, by whose key, and when.

The signature base and the cryptography are the library's, met in `_rfc9421_library`; nothing of it is imported before
the first scheme of this kind is made. A signature that covers too little is worth nothing, however good it is, so the
policy here is the main thing:

- A verified call names its method and its target, and a body is covered by its digest.
- The target is compared with the URL that the configuration says; the Host header is anybody's.
- What is written in headers of an event (`ce-*`, see CloudEvents) is covered, or the call is refused.
"""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import ID
from ._keyed import Keyed, Leaving, Secrets, tolerance_of
from ._scheme import Incoming, Verified

if TYPE_CHECKING:
    from ._rfc9421_library import Offered

__all__ = ["MessageSignatures"]

_DIGEST: Final = "content-digest"
_TARGET: Final = "@target-uri"
#: What the target is made of, and so is covered with it.
_OF_TARGET: Final = frozenset({"@scheme", "@authority", "@path", "@query", "@request-target"})
#: RFC 9421 §2: a derived component, or the name of a field in lower case; with "*" at the end, all that begin so.
_COMPONENT: Final = re.compile(
    r"@(method|target-uri|authority|scheme|request-target|path|query)|[a-z0-9!#$&'^_`|~.+-]+\*?"
)


class MessageSignatures(Keyed):
    """The scheme of RFC 9421, with hmac-sha256, ed25519, ecdsa-p256-sha256, ecdsa-p384-sha384 and rsa-pss-sha512.

    A key says by its kind which of them it is for, and what an arriving signature says about that must agree.

    Args:
        secrets: Each one `KEYID:KEY`, the current one first. KEY is base64 of 16 bytes or more, which both sides have
            (hmac-sha256), or a PEM: a private key signs and verifies, a public one verifies. All that can sign do so,
            each under a label of its own; any of them verifies.
        tolerance: Seconds that `created` may lie in the past or in the future.
        cover: What our signatures cover beside the digest of the body and the id; a field that a request does not
            have is left out. `ce-*` is every field that begins so.
        require: What a signature that comes must cover. `@target-uri` covers its parts, and is covered by
            `@authority` and `@path`, with `@query` where there is one; "content-digest" is asked for where there is a
            body; a pattern asks for all fields like it that came.
        id_header: The field that holds the id of a message, covered by our signatures, and by theirs where it is
            there; it is `Verified.id`.
        tag: The application that a signature is for (§2.3): ours say so, and others are not looked at.
        nonce: Whether ours have a random number, and theirs need one. Who looks for repeats does it by the id.
        random: Where it comes from.

    Raises:
        ConfigurationError: A key or a component is none, or the library is not installed; no text shows a key.

    Source:
        RFC 9421; RFC 9530 §2.
    """

    __slots__ = ("_cover", "_id_header", "_keyids", "_keys", "_nonce", "_random", "_require", "_tag", "tolerance")

    def __init__(
        self,
        secrets: Secrets,
        *,
        tolerance: float = 300.0,
        cover: Sequence[str] = ("@method", "@target-uri", "content-type", "ce-*"),
        require: Sequence[str] = ("@method", "@target-uri", "content-digest", "ce-*"),
        id_header: str = "webhook-id",
        tag: str | None = None,
        nonce: bool = False,
        random: Callable[[int], str] = randomness.token_urlsafe,
    ) -> None:
        super().__init__(secrets)
        try:
            from ._rfc9421_library import parse_key
        except ModuleNotFoundError:
            raise ConfigurationError(
                "HTTP message signatures need a library: pip install 'convergekit[webhook-rfc9421]'"
            ) from None
        self._keys = tuple(parse_key(secret.decode("utf-8", "replace")) for secret in self._secrets)
        self._keyids = frozenset(key.id for key in self._keys)
        self._cover = tuple(dict.fromkeys((*_components("cover", cover), id_header.lower(), _DIGEST)))
        self._require = _components("require", require)
        self._id_header, self._tag, self._nonce, self._random = id_header.lower(), tag, nonce, random
        self.tolerance = tolerance_of(tolerance)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """Check that *request* is covered, to the extent that is required, by a signature of one of the keys.

        Args:
            request: As it came; its `url` is what the sender was told to call.
            now: Aware.

        Raises:
            SignatureError: It is not; and nothing else, whatever came.
        """
        from . import _rfc9421_library as library

        refused = SignatureError("there is no signature by a key that is known here")
        for offered in library.offered(request, self._keyids, self._tag):
            for index, key in enumerate(self._keys):
                if key.id == offered.keyid:
                    try:
                        return self._verified(request, offered, index, now)
                    except SignatureError as exc:  # several may have signed, or one with two keys
                        refused = exc
        raise refused

    def _signed(self, call: Leaving) -> dict[str, str]:
        from . import _rfc9421_library as library

        signing = [key for key in self._keys if key.private is not None]
        if not signing:
            raise ConfigurationError("there is no key to sign with: a public key only verifies")
        added = {self._id_header: call.id}
        if call.body:
            added[_DIGEST] = library.digest(call.body)
        headers = {**call.headers, **added}
        message = library.Message(call.method, call.url, headers)
        covered = [each for name in self._cover for each in _found(name, headers)]
        made = [
            library.sign(message, key, int(call.seconds), covered, self._tag, self._random(16) if self._nonce else None)
            for key in signing
        ]
        for name, values in zip(("signature-input", "signature"), zip(*made, strict=True), strict=True):
            added[name] = ", ".join(f"sig{number}={value}" for number, value in enumerate(values, 1))
        return added

    def _verified(self, request: Incoming, offered: Offered, index: int, now: datetime) -> Verified:
        from . import _rfc9421_library as library

        result = library.verify(offered.message, self._keys[index], now, self.tolerance)
        covered = frozenset(name.strip('"') for name in result.covered_components)  # of one with parameters, a " stays
        for name in self._require:
            if name != _DIGEST and not _is_covered(name, covered, request):
                raise SignatureError(f"the signature does not cover {name}")
        if self._nonce and result.nonce is None:
            raise SignatureError("the signature has no nonce")
        library.check_digest(result, request, required=_DIGEST in self._require)
        id = request.headers.get(self._id_header)
        if id is not None and self._id_header not in covered:  # the same call could come again under any other
            raise SignatureError(f"the signature does not cover {self._id_header}")
        if id is not None and not ID.fullmatch(id):
            raise SignatureError("the id is malformed")
        return Verified(id, int(result.parameters["created"]), index)


def _components(setting: str, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):  # each of its letters would be taken for one
        raise ConfigurationError(f"{setting} is a list of components, such as ['@method', 'content-type']")
    for name in names:
        if not _COMPONENT.fullmatch(name):
            raise ConfigurationError(
                f"{setting} names {name[:80]!a}, which is neither @method, @target-uri, ... nor a field"
            )
    return tuple(names)


def _found(name: str, headers: Iterable[str]) -> list[str]:
    """What *name* stands for in a message that has *headers*."""
    if name.endswith("*"):
        return sorted(each for each in headers if each.startswith(name[:-1]))
    return [name] if name.startswith("@") or name in headers else []


def _is_covered(name: str, covered: frozenset[str], request: Incoming) -> bool:
    if name.endswith("*"):
        return covered.issuperset(_found(name, request.headers))
    if name in _OF_TARGET and _TARGET in covered:
        return True
    if name == _TARGET and covered >= {"@authority", "@path"}:
        return name in covered or "@query" in covered or "?" not in (request.url or "")
    return name in covered
