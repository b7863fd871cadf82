"""What a gateway is: data. The schema of a profile, and nothing that moves.

A profile is a TOML file, or the same as a dict. Words in it:

- A *template* is text with placeholders: "Bearer {key}". Placeholders are the settings of the profile's own account
  and those of `PLACEHOLDERS`. A field that is one placeholder and nothing else takes its value as it is (a list, a
  number); a field whose placeholder has no value is left out. A brace is written twice: "{{".
- A *path* leads into what came back: "messages.0.message-id". A number picks out of a list, `*` takes all of it,
  `MediaUrl#` collects MediaUrl0, MediaUrl1 ...; `^` in front starts at what encloses the item. Names in forms and
  queries compare without case. Where several paths are given, the first that leads to something counts.
- A *verdict* is what a code means for an attempt: one of `Verdict`; a *word* what a report means: one of `Word`.
"""

from __future__ import annotations

from convergekit.http.bodies import Condition, Path, Paths, Pattern, Strings, Template, pieces_of

from .calling import (
    Ack,
    Callbacks,
    ConsentRule,
    Decoding,
    Inbound,
    Keyword,
    Media,
    MediumWord,
    Parts,
    Segments,
    StatusRule,
    Verification,
)
from .profile import Attachments, Dsn, Fetch, Limits, Profile, Setting
from .sending import Check, Idempotent, Reply, Send, Validity, Variant, Wait
from .words import PLACEHOLDERS, UNITS, Kind, Medium, VariantName, Verdict, Word

__all__ = [
    "PLACEHOLDERS",
    "UNITS",
    "Ack",
    "Attachments",
    "Callbacks",
    "Check",
    "Condition",
    "ConsentRule",
    "Decoding",
    "Dsn",
    "Fetch",
    "Idempotent",
    "Inbound",
    "Keyword",
    "Kind",
    "Limits",
    "Media",
    "Medium",
    "MediumWord",
    "Parts",
    "Path",
    "Paths",
    "Pattern",
    "Profile",
    "Reply",
    "Segments",
    "Send",
    "Setting",
    "StatusRule",
    "Strings",
    "Template",
    "Validity",
    "Variant",
    "VariantName",
    "Verdict",
    "Verification",
    "Wait",
    "Word",
    "pieces_of",
]
