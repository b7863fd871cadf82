"""Whether an account is let in, and what its server offers: by a session of its own, that nobody is written to from."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

import anyio

from convergekit.abc import Health
from convergekit.errors import DeliveryError, NotSentError

from .config import XmppConfig
from .stanzas.disco import disco_query, read_features, read_services
from .stanzas.namespaces import NS
from .stream import StanzaError, Stream

__all__ = ["check"]

_PATIENCE: Final = 25.0  # `convergekit check` waits for 30
_MOST: Final = 20  # services of a server that are asked
_MANAGED: Final = "stream management"
#: What else is worth knowing, in words, and who is asked for it.
_OF_SERVER: Final = {NS.CARBONS: "carbons"}
_OF_ACCOUNT: Final = {NS.MAM: "archive"}
_OF_SERVICES: Final = {NS.UPLOAD: "upload", NS.MUC: "rooms"}


async def check(config: XmppConfig, *, is_connected: bool) -> Health:
    """Log in under a resource of its own, beside whoever is there; nothing is shown, and nothing is sent to anybody.

    Args:
        config: The account.
        is_connected: Whether the channel itself is, now. A component has no resources: a second connection of it would
            be refused, or would be given what is for the first.
    """
    from .transport import XmppStream

    if config.is_component and is_connected:
        return Health(ok=True, detail="the component is connected")
    resource = None if config.is_component else f"check-{secrets.token_hex(4)}"
    own = config if config.is_component else config.model_copy(update={"resource": resource})
    stream = XmppStream(own, incoming=lambda _: None)
    try:
        with anyio.move_on_after(_PATIENCE):
            await stream.open()
            offered = set[str]() if config.is_component else await _offered(stream, config)
            if stream.is_managed:
                offered.add(_MANAGED)
            return Health(ok=True, detail=_told(config, offered))
        return Health(ok=False, detail=f"nothing is answered within {_PATIENCE:g} seconds: see host and port")
    except DeliveryError as error:
        if config.is_component and error.code == "conflict":  # which comes after the secret was accepted
            return Health(ok=True, detail="the component is let in, and is connected already, from elsewhere")
        code = f" [{error.code}]" if error.code else ""
        return Health(ok=False, detail=f"{error.reason}{code}")
    finally:
        with anyio.move_on_after(5, shield=True):
            await stream.close()


async def _offered(stream: Stream, config: XmppConfig) -> set[str]:
    """What of all that is worth knowing there is."""
    found = _names(_OF_SERVER, await _features(stream, config.domain))
    found |= _names(_OF_ACCOUNT, await _features(stream, config.jid))
    try:
        services = [*read_services(await stream.request(disco_query(config.domain, items=True)))]
    except (StanzaError, NotSentError):
        services = []
    for jid in services[:_MOST]:
        found |= _names(_OF_SERVICES, await _features(stream, jid))
    return found


async def _features(stream: Stream, jid: str) -> frozenset[str]:
    try:
        return read_features(await stream.request(disco_query(jid), timeout=5.0))
    except (StanzaError, NotSentError):
        return frozenset()


def _names(known: dict[NS, str], features: Iterable[str]) -> set[str]:
    offered = frozenset(features)
    return {name for namespace, name in known.items() if namespace in offered}


def _told(config: XmppConfig, offered: set[str]) -> str:
    secured = "in the clear" if config.is_component or config.security == "none" else "over verified TLS"
    if config.is_component:
        return f"the component is let in, {secured}"
    worth = [_MANAGED, *_OF_SERVER.values(), *_OF_ACCOUNT.values(), *_OF_SERVICES.values()]
    has, lacks = ([name for name in worth if (name in offered) is wanted] for wanted in (True, False))
    there = f"; the server offers {', '.join(has)}" if has else ""
    return f"logged in {secured}{there}" + (f"; it has no {', no '.join(lacks)}" if lacks else "")
