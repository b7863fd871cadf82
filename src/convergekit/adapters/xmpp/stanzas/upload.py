"""Asking a server for a place to put a file (XEP-0363). Pure; what others say is looked at before it is used.

Where a file is put, and with which headers, says the service. It must not make of us who sends another's request: the
place is asked over TLS unless it is this machine, of the headers only the three count that the XEP names (§5), and a
line end in one is left out.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement

from convergekit.errors import InvalidInputError
from convergekit.http import is_header, is_this_machine, origin_of
from convergekit.model import Attachment

from .disco import read_features
from .guard import is_legal
from .namespaces import NS, tag

__all__ = ["Service", "Slot", "file_name", "read_service", "read_slot", "slot_request"]

_HEADERS: Final = frozenset({"authorization", "cookie", "expires"})
_FORM: Final = tag(NS.DATA, "x")
_FIELD: Final = tag(NS.DATA, "field")
_VALUE: Final = tag(NS.DATA, "value")
_LINE_ENDS: Final = re.compile(r"[\r\n]+")
_LONGEST_NAME: Final = 200
_LONGEST_SUFFIX: Final = 20
_LONGEST_URL: Final = 4096
_MOST: Final = 50

#: Python's own table, and not the machine's.
_TYPES: Final = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class Service:
    """Who takes files.

    Args:
        jid: Whom to ask for a slot.
        limit: Octets of the largest file, or None where it says nothing.
    """

    jid: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one file.

    Args:
        put: Where to put it.
        get: Where everybody gets it who knows the URL.
        headers: To be sent with it.
    """

    put: str = field(repr=False)  # whoever has it may put something there
    get: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_service(jid: str, iq: Element) -> Service | None:
    """What *jid* answers to `disco_query`, where it takes files (§3)."""
    if NS.UPLOAD not in read_features(iq):
        return None
    limits = [
        int(value)
        for form in iq.iter(_FORM)
        if _first(form, "FORM_TYPE") == NS.UPLOAD
        and (value := _first(form, "max-file-size") or "").isascii()
        and value.isdigit()
        and len(value) < 20
    ]
    return Service(jid, min(limits, default=None))


def slot_request(service: Service, name: str, size: int, media_type: str) -> Element:
    """Ask for a place for one file (§4)."""
    iq = Element(tag(NS.CLIENT, "iq"), {"type": "get", "to": service.jid})
    said = {"filename": name, "size": str(size), "content-type": media_type}
    SubElement(iq, tag(NS.UPLOAD, "request"), said)
    return iq


def read_slot(iq: Element, *, tls: bool = True, here: bool = False) -> Slot:
    """The answer to `slot_request`.

    Args:
        iq: The answer.
        tls: Whether files go over TLS only.
        here: Whether our server is on this machine, and files may go without TLS to this machine: what another server
            named here would be somebody else's, who trusts whoever is on this machine.

    Raises:
        InvalidInputError: It names no place, or one that nothing is put to.
    """
    put = iq.find(f"{tag(NS.UPLOAD, 'slot')}/{tag(NS.UPLOAD, 'put')}")
    get = iq.find(f"{tag(NS.UPLOAD, 'slot')}/{tag(NS.UPLOAD, 'get')}")
    if put is None or get is None:
        raise InvalidInputError("the upload service names no place for the file")
    headers: dict[str, str] = {}
    for header in put.findall(tag(NS.UPLOAD, "header"))[:_MOST]:
        name = _LINE_ENDS.sub("", header.get("name", "")).strip().lower()
        value = _LINE_ENDS.sub("", header.text or "").strip()
        if name in _HEADERS and is_header(name, value):
            headers[name] = value
    return Slot(_url(put, tls=tls, here=here), _url(get, tls=False), headers)


def file_name(attachment: Attachment) -> str:
    """What *attachment* is called at the service, which most often keeps the ending: it says how the file is shown."""
    if attachment.name is None:
        return "file" + (_TYPES.guess_extension(attachment.media_type) or "")
    name = "".join(character if is_legal(character) else "_" for character in attachment.name)
    path = PurePosixPath(name)
    suffix = path.suffix[:_LONGEST_SUFFIX]
    return name if len(name) <= _LONGEST_NAME else path.stem[: _LONGEST_NAME - len(suffix)] + suffix


def _first(form: Element, var: str) -> str | None:
    for each in form.findall(_FIELD)[:_MOST]:
        if each.get("var") == var:
            return (each.findtext(_VALUE) or "").strip()
    return None


def _url(element: Element, *, tls: bool, here: bool = False) -> str:
    url = element.get("url", "")
    if len(url) > _LONGEST_URL or origin_of(url) is None:
        raise InvalidInputError("the upload service names a place that is no web address")
    parts = urlsplit(url)
    if tls and parts.scheme != "https" and not (here and is_this_machine(parts.hostname or "")):
        raise InvalidInputError("the upload service names a place without TLS, where nothing is put to")
    return url
