"""What goes out: a finished part, or what is done to an earlier one, as messages. Pure.

Rules kept here:

- Ids are made of the engine's key (`identities`), so that a repeat is known as one: it is the id attribute, and the
  origin-id of XEP-0359 beside it, since a room is free to change the first.
- A part may be several messages, since a file is one of its own (XEP-0066, as clients have it). Reports are asked of
  the last: who has it has those before it.
- What a client that does not know an extension would show is marked as such (XEP-0428), with places in code points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.abc import Outgoing
from convergekit.content import clusters
from convergekit.errors import UnsupportedContentError
from convergekit.model import FailureKind, Receipt, Status, shared_id

from ..identities import Identities, is_ours, origin_id
from ..jids import as_prepared
from .destination import Destination, DestinationKind
from .guard import legal
from .namespaces import NS, tag
from .native import XmppNative, elements_of, native_of
from .targets import corrected_id, every_id, first_id

__all__ = ["edit", "mark_read", "react", "retract", "send", "to_receipt", "typing"]

_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_QUOTED: Final = 3  # lines
_WIDTH: Final = 100  # code points of each
#: What most messages have; a name is put together more slowly than it is looked up.
_MESSAGE: Final = tag(NS.CLIENT, "message")
_BODY: Final = tag(NS.CLIENT, "body")
_ORIGIN_ID: Final = tag(NS.SID, "origin-id")
_ACTIVE: Final = tag(NS.CHAT_STATES, "active")
_REQUEST: Final = tag(NS.RECEIPTS, "request")
_MARKABLE: Final = tag(NS.MARKERS, "markable")
_TAKEN_BACK: Final = "(I have taken back a message; this program cannot show which.)"


def send(
    out: Outgoing, to: Destination, *, files: Sequence[str] = (), identities: Identities, is_active: bool = False
) -> tuple[Element, ...]:
    """The messages that *out* is.

    Args:
        out: What to say.
        to: Where.
        files: URLs of its attachments, in order.
        identities: What is known of the message that it answers.
        is_active: Whether a text says that we type no more, and understand who types (XEP-0085 §5.1).

    Raises:
        UnsupportedContentError: XMPP cannot say it; the text names what, and shows nothing of it.
    """
    native = native_of(out.native)
    if native.subject is not None and to.is_room:
        return (_room_subject(out, to, native, files),)
    messages: list[Element] = []
    if out.text or native.xml or not files:
        messages.append(_said(out, to, native, identities))
    if is_active and out.text:
        SubElement(messages[0], _ACTIVE)
    for url in files:
        messages.append(_file(out, to, url, len(messages)))
    _ask_for_reports(messages[-1], to)
    return tuple(messages)


def edit(out: Outgoing, to: Destination, *, identities: Identities) -> tuple[Element, ...]:
    """A correction (XEP-0308): it names the first message of what is corrected, and stands in the place of all of it.

    Raises:
        UnsupportedContentError: XMPP cannot say it.
        RejectedError: The message has no id that could be named.
    """
    native = native_of(out.native)
    if out.part.attachments or native.subject is not None:
        raise _refused("a correction has a text, and neither attachments nor a subject: send them as a new message")
    if not out.text:
        raise _refused("a message cannot be corrected to nothing: retract it")
    message = _said(out, to, native, identities)
    SubElement(message, tag(NS.CORRECTION, "replace"), {"id": corrected_id(out, to, identities)})
    _ask_for_reports(message, to)
    return (message,)


def retract(out: Outgoing, to: Destination, *, identities: Identities) -> tuple[Element, ...]:
    """A retraction (XEP-0424) of each message that it was.

    Raises:
        NotSentError: The room has not said yet by which id it knows the message.
        RejectedError: The message has no id that could be named.
    """
    targets = every_id(out, to, identities)
    return tuple(_retraction(out, to, target, number) for number, target in enumerate(targets))


def react(out: Outgoing, to: Destination, *, identities: Identities) -> tuple[Element, ...]:
    """All our reactions to a message (XEP-0444); none takes them back.

    Raises:
        UnsupportedContentError: One of them is no emoji.
        NotSentError: As for `retract`.
        RejectedError: Likewise.
    """
    message = _message(to, origin_id(out.key))
    target = first_id(out, to, identities)
    reactions = SubElement(message, tag(NS.REACTIONS, "reactions"), {"id": target})
    for emoji in dict.fromkeys(out.text.split()):
        if not _is_emoji(emoji):
            raise _refused("a reaction is one emoji (XEP-0444); several are separated by spaces")
        SubElement(reactions, tag(NS.REACTIONS, "reaction")).text = emoji
    SubElement(message, tag(NS.HINTS, "store"))
    return (message,)


def mark_read(out: Outgoing, to: Destination, *, identities: Identities) -> tuple[Element, ...]:
    """A marker (XEP-0333): this message, and what came before it, has been read. Raises as `retract` does."""
    message = _message(to, origin_id(out.key))
    target = first_id(out, to, identities)
    SubElement(message, tag(NS.MARKERS, "displayed"), {"id": target})
    SubElement(message, tag(NS.HINTS, "store"))
    return (message,)


def typing(to: Destination, is_typing: bool) -> Element:
    """A chat state (XEP-0085), for nobody to keep."""
    message = _message(to)
    SubElement(message, tag(NS.CHAT_STATES, "composing" if is_typing else "paused"))
    SubElement(message, tag(NS.HINTS, "no-store"))
    return message


def to_receipt(out: Outgoing, to: Destination, messages: Iterable[Element]) -> Receipt:
    """The server has *messages*. Each id is kept with the addressee as well: what others report is not theirs."""
    whose = dict.fromkeys((to.address, as_prepared(to.address)))
    ids = [message.attrib["id"] for message in messages]
    both = [name for id in ids for name in (id, *(shared_id(id, each) for each in whose))]
    return Receipt(Status.ACCEPTED, ids=both, part=out.index, delivery=out.delivery or None)


# --- the messages --------------------------------------------------------------------------------------------------


def _message(to: Destination, id: str | None = None) -> Element:
    # RFC 6121 §5.2.2, XEP-0045 §7.4 and §7.5
    type = "groupchat" if to.is_room else "chat"
    attributes = {"to": legal("the address", to.jid), "type": type}
    if to.sender is not None:
        attributes["from"] = legal("the sender's address", to.sender)
    if id is not None:
        attributes["id"] = id
    message = Element(_MESSAGE, attributes)
    if id is not None:
        SubElement(message, _ORIGIN_ID, {"id": id})
    if to.kind is DestinationKind.PRIVATE:
        SubElement(message, tag(NS.MUC_USER, "x"))  # XEP-0045 §7.5: so that copies for other devices are understood
    return message


def _said(out: Outgoing, to: Destination, native: XmppNative, identities: Identities) -> Element:
    message = _message(to, origin_id(out.key))
    if native.subject is not None:
        SubElement(message, tag(NS.CLIENT, "subject")).text = legal("the subject", native.subject)
    if out.text:
        _body(message, out, _reply(message, out, to, identities))
    elif not native.xml and native.subject is None:
        raise _refused("there is nothing to say: no text, no attachment, no native elements")
    thread = out.message.thread
    if thread is None and to.sender is None:  # of a component the conversation's says in whose name it is answered
        thread = out.conversation.thread
    if thread is not None:
        SubElement(message, tag(NS.CLIENT, "thread")).text = legal("the thread", thread)
    message.extend(elements_of(native.xml))
    return message


def _body(message: Element, out: Outgoing, quote: str) -> None:
    SubElement(message, _BODY).text = quote + legal("the text", out.text)
    if (language := out.message.language) is not None:
        message.set(_LANG, legal("the language", language))
    if out.part.unstyled:
        SubElement(message, tag(NS.STYLING, "unstyled"))


def _file(out: Outgoing, to: Destination, url: str, number: int) -> Element:
    """Only what has the URL, and nothing else, for its body is shown as a file by those who show files."""
    message = _message(to, origin_id(out.key, number))
    SubElement(message, _BODY).text = legal("the URL of an attachment", url)
    SubElement(SubElement(message, tag(NS.OOB, "x")), tag(NS.OOB, "url")).text = url
    return message


def _room_subject(out: Outgoing, to: Destination, native: XmppNative, files: Sequence[str]) -> Element:
    if out.text or files or native.xml:
        raise _refused("native of xmpp: subject: in a room it is set by a message without a text (XEP-0045 §8.1)")
    message = _message(to, origin_id(out.key))
    SubElement(message, tag(NS.CLIENT, "subject")).text = legal("the subject", native.subject or "")
    return message


def _retraction(out: Outgoing, to: Destination, target: str, number: int) -> Element:
    message = _message(to, origin_id(out.key, number))
    SubElement(message, tag(NS.RETRACTION, "retract"), {"id": target})
    SubElement(message, tag(NS.FALLBACK, "fallback"), {"for": NS.RETRACTION.value})
    SubElement(message, _BODY).text = _TAKEN_BACK
    SubElement(message, tag(NS.HINTS, "store"))
    return message


def _ask_for_reports(message: Element, to: Destination) -> None:
    """Of one addressee: a room would answer with as many reports as it has occupants (XEP-0184 §5.3)."""
    if not to.is_room and message.find(_BODY) is not None:
        SubElement(message, _REQUEST)
        SubElement(message, _MARKABLE)


# --- what is answered ----------------------------------------------------------------------------------------------


def _reply(message: Element, out: Outgoing, to: Destination, identities: Identities) -> str:
    """Say which message is answered (XEP-0461); returns what stands before the text for those who do not see that."""
    if (target := out.message.reply_to) is None:
        return ""
    known = identities.find(to.conversation, target)
    attributes = {"id": legal("the id of the message that is answered", target)}
    if known is not None:
        attributes["to"] = known.sender
    elif not to.is_room and not is_ours(target):
        attributes["to"] = to.conversation
    SubElement(message, tag(NS.REPLY, "reply"), attributes)
    # Between two, what is answered stands right above; in a room others have spoken meanwhile.
    if known is None or not to.is_room or not (quote := _quoted(known.text)):
        return ""
    fallback = SubElement(message, tag(NS.FALLBACK, "fallback"), {"for": NS.REPLY.value})
    SubElement(fallback, tag(NS.FALLBACK, "body"), {"start": "0", "end": str(len(quote))})
    return quote


def _quoted(text: str) -> str:
    """How *text* begins, without what it quotes itself, as XEP-0393 quotes; "" where nothing is known of it."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip() and not line.startswith(">")]
    return "".join(f"> {line if len(line) <= _WIDTH else line[:_WIDTH] + '…'}\n" for line in lines[:_QUOTED])


def _is_emoji(text: str) -> bool:
    import regex  # type: ignore[import-untyped, unused-ignore]  # here: few react

    # UTS #51: what is shown as one picture has a pictograph in it, or is a flag, or a key.
    is_picture = regex.search(r"\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|\u20e3", text)
    return is_picture is not None and len(clusters(text)) == 1


def _refused(reason: str) -> UnsupportedContentError:
    return UnsupportedContentError(reason, kind=FailureKind.CONTENT)
