"""What an event is known by: the same live, as a copy for another device, from an archive, and when it is sent again.

Whoever writes chooses the id, so it stands behind who it was.
"""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import uuid4

from ..namespaces import NS, tag
from .facts import Archived
from .stanza import Stanza

__all__ = ["key_of"]

_LONGEST: Final = 200
_BODY: Final = tag(NS.CLIENT, "body")
_ORIGIN_ID: Final = tag(NS.SID, "origin-id")
#: What only its sender writes; servers add to the rest.
_SAID: Final = (
    tag(NS.CLIENT, "subject"),
    tag(NS.OOB, "x"),
    tag(NS.CORRECTION, "replace"),
    tag(NS.RETRACTION, "retract"),
    tag(NS.FASTENING, "apply-to"),
    tag(NS.REACTIONS, "reactions"),
    tag(NS.RECEIPTS, "received"),
    tag(NS.MARKERS, "displayed"),
    tag(NS.CONFERENCE, "x"),
)


def key_of(stanza: Stanza, scope: str, archived: Archived | None) -> str:
    """The key of what *stanza* says.

    Args:
        stanza: A message.
        scope: Who says it, and to whom where that makes a difference; no colon but that of the scheme is in it.
        archived: Where it stands in an archive; None where nobody says so who is to be believed.
    """
    # As it came: what is too odd to be kept as an id still tells that it is the same when it comes again.
    origin = stanza.first(_ORIGIN_ID)
    if id := (None if origin is None else origin.get("id")) or stanza.element.get("id"):
        # Some clients count 1, 2, 3 anew in each session: another text under the same id is another message.
        return f"m:{scope}:{_short(id)}:{_digest(stanza)}"
    if archived is not None:
        return f"a:{_short(archived.feed)}:{_short(archived.id)}"
    return f"r:{uuid4().hex}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST and text.isprintable() else "#" + hashlib.sha256(text.encode()).hexdigest()


def _digest(stanza: Stanza) -> str:
    said = hashlib.sha256()
    for body in stanza.all(_BODY):
        said.update((body.text or "").encode() + b"\0")
    for name in _SAID:
        for child in stanza.all(name):
            for each in child.iter():
                # Servers write attributes in any order, and in another one when they read them from an archive.
                said.update(repr((each.tag, sorted(each.items()), each.text)).encode())
    return said.hexdigest()[:32]
