"""Instant messaging beside its peer, part by part."""

__all__ = ["XMPP"]

#: Each is a module here, and can be named as "xmpp.receive" and so on.
XMPP = ("receive", "through", "latency", "memory")
