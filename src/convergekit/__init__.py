"""convergekit: one interface that sends and receives, over any medium.

The public names are loaded when they are first used: `import convergekit` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .engine.options import ChannelOptions as ChannelOptions
    from .engine.retention import Retention as Retention
    from .errors import ConvergeError as ConvergeError
    from .hub import Channel as Channel
    from .hub import Conversation as Conversation
    from .hub import DispatchHandle as DispatchHandle
    from .hub import Hub as Hub
    from .model import Address as Address
    from .model import Attachment as Attachment
    from .model import Capabilities as Capabilities
    from .model import Contact as Contact
    from .model import ConversationRef as ConversationRef
    from .model import Delivery as Delivery
    from .model import Dispatch as Dispatch
    from .model import Event as Event
    from .model import Importance as Importance
    from .model import Message as Message
    from .model import MessageReceived as MessageReceived
    from .model import Receipt as Receipt
    from .model import Status as Status
    from .router import Depends as Depends
    from .router import Router as Router
    from .router import Skip as Skip
    from .router import Transaction as Transaction
    from .router import all_of as all_of
    from .router import first_of as first_of
    from .router import preferred as preferred
    from .router import same_thread as same_thread
    from .router import via as via
    from .router import when as when
    from .stores import MemoryStore as MemoryStore

#: Public name to the module that defines it.
_HOMES = {
    "Address": "model",
    "Attachment": "model",
    "Capabilities": "model",
    "Channel": "hub",
    "ChannelOptions": "engine.options",
    "Contact": "model",
    "ConvergeError": "errors",
    "Conversation": "hub",
    "ConversationRef": "model",
    "Delivery": "model",
    "Depends": "router",
    "Dispatch": "model",
    "DispatchHandle": "hub",
    "Event": "model",
    "Hub": "hub",
    "Importance": "model",
    "MemoryStore": "stores",
    "Message": "model",
    "MessageReceived": "model",
    "Receipt": "model",
    "Retention": "engine.retention",
    "Router": "router",
    "Skip": "router",
    "Status": "model",
    "Transaction": "router",
    "all_of": "router",
    "first_of": "router",
    "preferred": "router",
    "same_thread": "router",
    "via": "router",
    "when": "router",
}

__all__ = [
    "Address",
    "Attachment",
    "Capabilities",
    "Channel",
    "ChannelOptions",
    "Contact",
    "ConvergeError",
    "Conversation",
    "ConversationRef",
    "Delivery",
    "Depends",
    "Dispatch",
    "DispatchHandle",
    "Event",
    "Hub",
    "Importance",
    "MemoryStore",
    "Message",
    "MessageReceived",
    "Receipt",
    "Retention",
    "Router",
    "Skip",
    "Status",
    "Transaction",
    "__version__",
    "all_of",
    "first_of",
    "preferred",
    "same_thread",
    "via",
    "when",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'convergekit' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
