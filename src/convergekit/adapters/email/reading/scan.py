"""Finds the parts of a mail: from bytes to a tree of entities."""

from __future__ import annotations

import email
from email.message import Message

from .entity import Entity, Headers

__all__ = ["scan"]


def scan(raw: bytes) -> tuple[Entity, list[str]]:
    """Read *raw* into a tree of entities, and tell what is wrong with it, in words, at most a hundred times."""
    message = email.message_from_bytes(raw)
    return _entity(message), [type(defect).__name__ for defect in message.defects][:100]


def _entity(message: Message) -> Entity:
    head, _, body = message.as_bytes().partition(b"\n\n")
    content_id = message.get("Content-ID")
    content = message.get_payload(decode=True)
    is_tree = message.is_multipart() and message.get_content_type() != "message/delivery-status"
    payload = message.get_payload()
    return Entity(
        Headers.parse(head),
        message.get_content_type(),
        {name: str(value) for name, value in (message.get_params() or [])[1:]},
        message.get_content_disposition() or "",
        message.get_filename(),
        str(content_id).strip(" <>") if content_id else None,
        tuple(_entity(part) for part in payload if isinstance(part, Message))
        if is_tree and isinstance(payload, list)
        else (),
        body,
        content if isinstance(content, bytes) else body,
    )
