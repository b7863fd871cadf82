"""What a call, or an answer, has in its body, as something that paths lead into: JSON, forms, multipart, queries.

For whoever maps the documents of many providers by data rather than by code. Words:

- A *path* is names with dots between: "messages.0.message-id". A number picks out of a list, `*` takes all of it,
  `MediaUrl#` collects MediaUrl0, MediaUrl1 ...; `^` in front starts at what encloses the item. Names in forms and
  queries compare without case.
- A *template* is text with placeholders: "Bearer {key}". A brace is written twice: "{{".
- A *condition* says what has to be so of what a path leads to.
"""

from __future__ import annotations

from .charsets import (
    charset_of,
    decoded,
)
from .fields import (
    Item,
    Reader,
    Test,
    compiled,
    reader,
    to_text,
)
from .reading import (
    read_body,
    read_json,
    read_query,
)
from .words import (
    Condition,
    Path,
    Paths,
    Pattern,
    Strings,
    Template,
    names_in,
    pieces_of,
)

__all__ = [
    "Condition",
    "Item",
    "Path",
    "Paths",
    "Pattern",
    "Reader",
    "Strings",
    "Template",
    "Test",
    "charset_of",
    "compiled",
    "decoded",
    "names_in",
    "pieces_of",
    "read_body",
    "read_json",
    "read_query",
    "reader",
    "to_text",
]
