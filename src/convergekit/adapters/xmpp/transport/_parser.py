"""A stream's bytes to stanzas, whatever the bytes are.

Rules kept here:

- RFC 6120 §11.1: no document type, no processing instruction, no comment; what has one is no XMPP, and the stream ends.
  What comes first is looked at before the parser sees it: an XML declaration at most, then the stream's header.
- It is read as UTF-8 (§11.6), whatever the declaration says.
- One stanza that is too deep or too long must not end the stream: it would come again with every login. It is passed
  over while it comes in, and what is given on is its husk: the tag and the attributes, marked with `CUT`.
- What comes in is kept only as long as it may become a stanza: memory is bounded by `octets`, twice.
- expat remembers each name for as long as it lives, and anybody may invent names: now and then another one goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ..stanzas.writing import DEEPEST
from ..stream import CUT

__all__ = ["STREAMS", "StanzaParser"]

STREAMS: Final = "http://etherx.jabber.org/streams"

_ROOT: Final = f"{STREAMS}}}stream"
_MOST_NAMES: Final = 4096
_PROLOG: Final = 4096
_RENEWED: Final = 4 * 1024 * 1024  # octets, after which a parser is left
_DECLARATION: Final = re.compile(rb"\s*(?:<\?xml\s[^<>]*\?>\s*)?")
_HEADER: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?stream\s[^<]*>")


class StanzaParser:
    """Reads one stream, from its header to its end.

    Args:
        octets: Of the longest stanza that is read whole.
        namespaces: What names of namespaces are read as: {"jabber:component:accept": "jabber:client"}.

    Attributes:
        header: The attributes of the stream's header; None before it has come.
        ended: Whether the stream's end has come.
        violation: Why nothing more is read, as a condition of RFC 6120 §4.9.3 ("not-well-formed"); or None.
    """

    def __init__(self, octets: int, *, namespaces: Mapping[str, str] | None = None) -> None:
        self.header: Mapping[str, str] | None = None
        self.ended = False
        self.violation: str | None = None
        self._octets = octets
        self._namespaces = namespaces or {}
        self._names: dict[str, str] = {}
        self._prolog = b""
        self._fed = self._depth = self._from = 0
        self._builder = TreeBuilder()
        self._stanza: tuple[str, dict[str, str]] = ("", {})  # that is coming in
        self._top: Element | None = None  # of what is passed over
        self._found: list[Element] = []
        self._header = b""
        self._parser = self._made()

    def _made(self) -> expat.XMLParserType:
        """A parser that has read nothing yet."""
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        # Newer ones put off what is not complete, and a stanza would wait for the next; how long that takes is bounded.
        getattr(parser, "SetReparseDeferralEnabled", bool)(False)
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler = parser.CommentHandler = parser.ProcessingInstructionHandler = self._restricted
        return parser

    def _renew(self) -> None:
        """Read on with another parser, between two stanzas."""
        self._names.clear()
        self._parser, self._depth, self._fed = self._made(), 0, len(self._header)
        self._parser.Parse(self._header, False)

    def feed(self, data: bytes) -> list[Element]:
        """The stanzas that are complete with *data*, in order; those before a `violation` included."""
        if self.violation or self.ended:
            return []
        if self.header is None and not (data := self._head(data)):
            return []
        self._fed += len(data)
        try:
            self._parser.Parse(data, False)
        except _RestrictedError:
            self.violation = "restricted-xml"
        except _EndlessError:
            self.violation = "policy-violation"
        except _NoStreamError:
            self.violation = "invalid-namespace"
        except expat.ExpatError:
            self._malformed()
        else:
            self._bound()
            if self._depth == 1 and self._fed > _RENEWED and self._parser.CurrentByteIndex == self._fed:
                self._renew()
        found, self._found = self._found, []
        return found

    def _malformed(self) -> None:
        if not self.ended:  # else it is what comes behind the end
            self.violation = "not-well-formed"

    def _head(self, data: bytes) -> bytes:
        """What has come so far, once it is a stream's header; nothing before."""
        self._prolog += data
        rest = _DECLARATION.sub(b"", self._prolog, count=1)
        if (header := _HEADER.match(rest[:_PROLOG])) is not None:
            self._header = header[0]
            data, self._prolog = self._prolog, b""
            return data
        if b">" in rest or len(self._prolog) > _PROLOG:
            self.violation = "restricted-xml"
        return b""

    def _bound(self) -> None:
        """Keep no more than there may be."""
        if self._fed - self._parser.CurrentByteIndex > self._octets:  # a tag without an end; texts are not held back
            self.violation = "policy-violation"
        elif self._depth > 1 and self._top is None and self._fed - self._from > self._octets:
            self._pass_over("size")

    # --- called by expat ------------------------------------------------------------------------------------------

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        tag = self._names.get(name) or self._name(name)
        for key in attributes:
            if "}" in key:
                attributes = {self._names.get(key) or self._name(key): value for key, value in attributes.items()}
                break
        if depth > 2:
            if depth > DEEPEST + 1:
                self._pass_over("depth")
                return
        elif depth == 2:
            self._from = self._parser.CurrentByteIndex
            self._builder = TreeBuilder()
            self._parser.CharacterDataHandler = self._builder.data
            self._stanza = (tag, attributes)
        else:
            if name != _ROOT:
                raise _NoStreamError
            self.header = attributes
            return
        self._builder.start(tag, attributes)

    def _end(self, name: str) -> None:
        self._depth = depth = self._depth - 1
        if depth > 1:
            self._builder.end(name)
        elif depth == 1:
            self._builder.end(name)
            stanza = self._builder.close()
            if self._parser.CurrentByteIndex - self._from > self._octets:  # it came in one piece
                stanza = self._husk("size")
            self._found.append(stanza)
            self._parser.CharacterDataHandler = None
        else:
            self.ended = True

    def _pass_over(self, why: str) -> None:
        """Keep nothing of the stanza that is coming in but its husk."""
        self._top = self._husk(why)
        self._builder = TreeBuilder()
        parser = self._parser
        parser.StartElementHandler, parser.EndElementHandler = self._passed_start, self._passed_end
        parser.CharacterDataHandler = None

    def _husk(self, why: str) -> Element:
        tag, attributes = self._stanza
        return Element(tag, {**attributes, CUT: why})

    def _passed_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > self._octets // 3:  # expat remembers all that is open, and this can be no stanza of that size
            raise _EndlessError

    def _passed_end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1 and self._top is not None:
            self._found.append(self._top)
            self._top = None
            self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end

    def _restricted(self, *_: object) -> None:
        raise _RestrictedError

    # --- names ----------------------------------------------------------------------------------------------------

    def _name(self, name: str) -> str:
        """The name as elements have it; kept, as few are used again and again."""
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        return self._names.setdefault(name, self._named(name))

    def _named(self, name: str) -> str:
        namespace, brace, local = name.rpartition("}")
        return f"{{{self._namespaces.get(namespace, namespace)}}}{local}" if brace else name


class _RestrictedError(Exception):
    """RFC 6120 §11.1."""


class _EndlessError(Exception):
    """It opens, and opens."""


class _NoStreamError(Exception):
    """The document's element is not a stream's."""
