"""What only XMPP knows of a message: `Message.native["xmpp"]`."""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convergekit.errors import UnsupportedContentError
from convergekit.model import FailureKind

from .guard import legal
from .namespaces import NS, tag

__all__ = ["XmppNative", "elements_of", "native_of"]

_MOST: Final = 262_144  # characters; no server takes a stanza of more by default
_NOT: Final = "native of xmpp: xml: "


class XmppNative(BaseModel):
    """What only XMPP knows of a message: `Message.native["xmpp"]`.

    Args:
        xml: Elements that stand beside the body, as XML, each with a namespace of its own
            (`<attention xmlns="urn:xmpp:attention:0"/>`). Without a text they are all that is sent.
        subject: That of the room, which the message then sets, and so has no text; else that of the message.
        sender: Of a component only: from whom, a JID of its domain, or the part before the @.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    xml: str = Field(default="", max_length=_MOST, repr=False)
    subject: str | None = Field(default=None, max_length=8192, repr=False)
    sender: str | None = Field(default=None, min_length=1, max_length=2047)


_NOTHING: Final = XmppNative()


def native_of(native: Any) -> XmppNative:
    """What a host wrote for this medium alone; raises `UnsupportedContentError` that names the field."""
    if native is None:
        return _NOTHING
    try:
        return XmppNative.model_validate(native)
    except ValidationError as exc:
        where = ".".join(map(str, exc.errors()[0]["loc"])) or "it"
        raise _refused(f"native of xmpp: {ascii(where)[1:-1]}: {exc.errors()[0]['msg']}") from None


def elements_of(xml: str) -> list[Element]:
    """The elements that *xml* has, one beside the other; raises `UnsupportedContentError`."""
    if not xml:
        return []
    legal("native of xmpp: xml", xml)
    try:
        # Inside of an element there is no document type, and so there are no entities that could grow.
        found = fromstring(f"<message xmlns='{NS.CLIENT}'>{xml}</message>")
    except (ParseError, ValueError):
        raise _refused(f"{_NOT}it is not well-formed, or has a document type") from None
    if (found.text or "").strip() or any((each.tail or "").strip() for each in found):
        raise _refused(f"{_NOT}there is text between its elements")
    for each in found:
        each.tail = None
        if not each.tag.startswith("{") or each.tag.startswith(tag(NS.CLIENT, "")):
            raise _refused(f"{_NOT}its elements have an xmlns of their own; a body and the like are the channel's")
    return list(found)


def _refused(reason: str) -> UnsupportedContentError:
    return UnsupportedContentError(reason, kind=FailureKind.CONTENT)
