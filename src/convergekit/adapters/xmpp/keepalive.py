"""A dead peer is noticed.

One that is silent for `ping_interval`, and then for `ping_timeout`, is dead: 80 seconds by the settings that are there.
While we read nothing ourselves, its silence says nothing.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from convergekit.abc import ChannelContext
from convergekit.errors import NotSentError

from .config import XmppConfig
from .inflow import Inflow
from .stanzas.namespaces import NS, tag
from .stream import StanzaError, Stream

__all__ = ["keep_alive"]


async def keep_alive(stream: Stream, inflow: Inflow, context: ChannelContext, config: XmppConfig) -> None:
    """Cut the connection when the peer is dead; run it beside the session, until it is cancelled."""
    clock, interval = context.clock, config.ping_interval
    while True:
        silence = clock.monotonic() - inflow.heard_at
        if silence < interval:
            await clock.sleep(interval - silence)
        elif inflow.is_paused:
            await clock.sleep(interval)
        else:
            pauses = inflow.pauses
            if not await _answers(stream, config) and pauses == inflow.pauses:
                context.log.warning("the server has gone silent")
                stream.abort()
            inflow.heard_at = clock.monotonic()


async def _answers(stream: Stream, config: XmppConfig) -> bool:
    """Whether the server answers a ping (XEP-0199), whatever it says; also where nobody can tell any more."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "get", "to": config.domain})
    SubElement(iq, tag(NS.PING, "ping"))
    try:
        await stream.request(iq, timeout=config.ping_timeout)
    except StanzaError:
        return True  # it says that it does not answer that
    except NotSentError:
        return stream.bound is None
    return True
