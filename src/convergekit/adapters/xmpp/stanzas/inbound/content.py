"""What somebody says in a message: its text, its files, what it answers.

`text` is the body as every client shows it; `visible_text` is what is left of it without the quotation that a reply
carries along for clients that do not know replies (XEP-0461 §3.1). A body that is nothing but the URL of a file is the
file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from convergekit.content import styling

from ..namespaces import NS, tag
from ..texts import identifier, line
from .arrival import Arrival
from .encryption import encryption
from .fallbacks import without
from .files import OOB, attachment_of, files_in
from .stanza import Stanza

__all__ = ["Content", "content_of"]

_BODY: Final = tag(NS.CLIENT, "body")
_THREAD: Final = tag(NS.CLIENT, "thread")
_REPLY: Final = tag(NS.REPLY, "reply")
_REACTIONS: Final = tag(NS.REACTIONS, "reactions")
_UNSTYLED: Final = tag(NS.STYLING, "unstyled")
_MOST_LANGUAGES: Final = 20
_LONGEST_STYLED: Final = 10_000  # characters; what is longer is no conversation, and is shown as it is


@dataclass(slots=True)
class Content:
    """What is said.

    Args:
        fields: Of `MessageReceived` and `MessageEdited` alike.
        visible: What was written anew, or None where that is all of it.
        details: What of it has its place in the details alone.
    """

    fields: dict[str, Any]
    visible: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What was written anew; "" where nothing was."""
        return self.visible or self.fields.get("text") or ""


def content_of(arrival: Arrival) -> Content | None:
    """What *arrival* says, or None where it says nothing."""
    stanza = arrival.stanza
    language, text = _text(stanza)
    content = Content({} if language is None else {"language": language})
    if (encrypted := encryption(stanza, text)) is not None:
        content.details["encrypted"] = encrypted
        if text:
            content.fields["text"] = text
        return _around(content, arrival)
    if OOB in stanza.children:
        text = _files(content, stanza, text)
    if text:
        _say(content, stanza, text)
    if (subject := line(next((text for _, text in stanza.subjects() if text), None))) is not None:
        content.fields["subject"] = subject
    said = content.fields.keys() & {"text", "attachments", "subject"}
    return _around(content, arrival) if said else None


def _text(stanza: Stanza) -> tuple[str | None, str | None]:
    """In which language, and what; where it is said in several, in that of the stanza, or the first."""
    bodies = [body for body in stanza.bodies() if body[1]]
    if not bodies:
        return None, None
    own = stanza.language
    language, text = next((body for body in bodies if body[0] == own), bodies[0])
    if _REACTIONS in stanza.children:
        text = without(text, stanza, NS.REACTIONS).strip("\n")
    return language, text


def _say(content: Content, stanza: Stanza, text: str) -> None:
    content.fields["text"] = text
    if _REPLY in stanza.children:
        rest = without(text, stanza, NS.REPLY).strip("\n")
        content.visible = rest if rest.strip() and rest != text else None
    if _UNSTYLED not in stanza.children and len(text) <= _LONGEST_STYLED and styling.is_styled(text):
        content.fields["markdown"] = styling.to_markdown(text)


def _files(content: Content, stanza: Stanza, text: str | None) -> str | None:
    """Take the files; returns what is left to say: nothing, where the text is but one's URL."""
    urls, attachments = [], []
    for url, description in files_in(stanza):
        urls.append(url)
        if (attachment := attachment_of(url)) is not None:
            attachments.append(attachment)
            if description is not None:
                content.details.setdefault("descriptions", {})[url] = description
    if attachments:
        content.fields["attachments"] = attachments
    elif not text:
        return "\n".join(urls)  # of another scheme: whoever reads it may know what to do with it
    return None if text and any(text.strip() == attachment.url for attachment in attachments) else text


def _around(content: Content, arrival: Arrival) -> Content:
    """Where it belongs: the thread, what it answers, and what else it was said in."""
    stanza = arrival.stanza
    if (thread := stanza.first(_THREAD)) is not None:
        if (name := identifier(thread.text)) is not None:
            content.fields["thread"] = name
        if (parent := identifier(thread.get("parent"))) is not None:
            content.details["thread_parent"] = parent
    if (reply := stanza.first(_REPLY)) is not None and (target := identifier(reply.get("id"))) is not None:
        known = arrival.facts.identities.find(arrival.place, target)
        content.fields["reply_to"] = target if known is None else known.message_id
    if len(stanza.all(_BODY)) > 1:
        bodies = islice(stanza.bodies(), _MOST_LANGUAGES)
        content.details["bodies"] = {language or "": text for language, text in bodies}
    return content
