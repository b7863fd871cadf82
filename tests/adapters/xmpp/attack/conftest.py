"""The stream, and a far side that means no good."""

from tests.adapters.xmpp.transport.conftest import far, make_stream

__all__ = ["far", "make_stream"]
