"""What an event is known by: the same live, as a copy for another device, from an archive, and when it is sent again.

Whoever writes chooses the id, so it stands behind who it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set
from typing import Final
from uuid import uuid4

from ..namespaces import NS, tag
from .facts import Archived
from .stanza import Stanza

__all__ = ["key_of"]

_LONGEST: Final = 200
_BODY: Final = tag(NS.CLIENT, "body")
_ORIGIN_ID: Final = tag(NS.SID, "origin-id")
_OOB: Final = tag(NS.OOB, "x")
_URL: Final = f"{_OOB}/{tag(NS.OOB, 'url')}"
#: What only its sender writes; servers add to the rest.
_SAID: Final = (
    tag(NS.CLIENT, "subject"),
    _OOB,
    tag(NS.CORRECTION, "replace"),
    tag(NS.RETRACTION, "retract"),
    tag(NS.FASTENING, "apply-to"),
    tag(NS.REACTIONS, "reactions"),
    tag(NS.RECEIPTS, "received"),
    tag(NS.MARKERS, "displayed"),
    tag(NS.CONFERENCE, "x"),
)
_SAID_OF_FILES: Final = tuple(name for name in _SAID if name != _OOB)


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
        # A file that is sent again after a crash is put somewhere again: of it an origin-id tells alone.
        files = set() if origin is None else {url.text for url in stanza.element.iterfind(_URL)}
        return f"m:{scope}:{_short(id)}:{_digest(stanza, files)}"
    if archived is not None:
        return f"a:{_short(archived.feed)}:{_short(archived.id)}"
    return f"r:{uuid4().hex}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST and text.isprintable() else "#" + hashlib.sha256(text.encode()).hexdigest()


def _digest(stanza: Stanza, files: Set[str | None]) -> str:
    said = hashlib.sha256()
    texts = [body.text for body in stanza.all(_BODY)]
    for text in texts:
        said.update(b"" if text in files else (text or "").encode() + b"\0")
    for name in _SAID if files.isdisjoint(texts) else _SAID_OF_FILES:
        for child in stanza.all(name):
            for each in child.iter():
                # Servers write attributes in any order, and in another one when they read them from an archive.
                said.update(repr((each.tag, sorted(each.items()), each.text)).encode())
    return said.hexdigest()[:32]
