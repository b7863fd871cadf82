"""`/2/media`: files in one piece or in several, their processing, and their descriptions."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from ._answers import Problem, invalid, ok
from ._asked import USER, Asked, Route
from ._fields import words
from ._model import Medium

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["ROUTES", "attached"]

_DAY: Final = timedelta(days=1)
#: Bytes that a file of a kind may have.
_SIZES: Final[Mapping[str, int]] = {"image": 5 * 1024**2, "gif": 15 * 1024**2, "video": 512 * 1024**2}
_CATEGORIES: Final = frozenset(
    {"amplify_video", "tweet_gif", "tweet_image", "tweet_video", "dm_gif", "dm_image", "dm_video", "subtitles"}
)
_TYPES: Final = words(
    "video/mp4 video/webm video/mp2t video/quicktime text/srt text/vtt image/jpeg image/gif image/bmp image/png"
    " image/webp image/pjpeg image/tiff model/gltf-binary model/vnd.usdz+zip"
)


def attached(server: XServer, asked: Asked, ids: Sequence[str], kind: str) -> tuple[Medium, ...]:
    """The files of *ids*, which are there, the account's own, processed, and of a kind that goes together.

    Raises:
        Problem: 400.
    """
    found = [server.media.get(id) for id in ids]
    files = tuple(each for each in found if each is not None and _is_usable(server, asked, each, kind))
    moving = [each for each in files if not each.category.endswith("image")]
    if not ids or len(files) != len(ids) or len(files) > 4 or (moving and len(files) > 1):
        raise Problem(400, "Your media IDs are invalid.", "invalid-request")
    return files


def _is_usable(server: XServer, asked: Asked, each: Medium, kind: str) -> bool:
    is_ready = each.is_whole and _state(server, each) == "succeeded"
    is_fresh = each.at > server.now() - _DAY
    return each.owner == asked.account.id and is_ready and is_fresh and each.category.startswith(kind)


def _initialize(server: XServer, asked: Asked) -> httpx.Response:
    body = asked.body(
        {
            "media_category": "string",
            "media_type": "string",
            "total_bytes": "integer",
            "shared": "boolean",
            "additional_owners": "array",
        }
    )
    category, kind = body.get("media_category", "tweet_image"), body.get("media_type", "")
    if category not in _CATEGORIES or kind not in _TYPES:
        raise invalid("media_category or media_type is not one of them")
    size = body.get("total_bytes", 0)
    if size > _SIZES.get(category.rpartition("_")[2], 1024**2):
        raise invalid(f"File size exceeds {_SIZES.get(category.rpartition('_')[2], 1024**2)} bytes.")
    made = Medium(server.next_id(), asked.account.id, category, kind, size, server.now())
    server.media[made.id] = made
    return ok({"data": {"id": made.id, "media_key": made.key, "expires_after_secs": 86_400}})


def _append(server: XServer, asked: Asked) -> httpx.Response:
    made = _own(server, asked, asked.args["id"])
    fields = _fields(asked, {"media": "string", "segment_index": "integer"})
    index = str(fields.get("segment_index", ""))
    if "media" not in fields or not index.isdigit() or int(index) > 999 or made.is_whole:
        raise invalid("media and a segment_index from 0 to 999 are required")
    made.parts[int(index)] = fields["media"]
    until = int((made.at + _DAY).timestamp())
    return ok({"data": {"expires_at": until}})


def _finalize(server: XServer, asked: Asked) -> httpx.Response:
    made = _own(server, asked, asked.args["id"])
    if sorted(made.parts) != list(range(len(made.parts))) or len(made.content) != made.size or not made.parts:
        raise invalid("Segments do not add up to provided total file size.")
    made.is_whole = True
    return ok({"data": _shown(server, made)})


def _status(server: XServer, asked: Asked) -> httpx.Response:
    made = _own(server, asked, asked.query.get("media_id", ""))
    made.asked += 1
    return ok({"data": _shown(server, made)})


def _one_shot(server: XServer, asked: Asked) -> httpx.Response:
    fields = _fields(
        asked,
        {
            "media": "string",
            "media_category": "string",
            "media_type": "string",
            "shared": "boolean",
            "additional_owners": "array",
        },
    )
    category = fields.get("media_category", "")
    if category not in {"tweet_image", "dm_image", "subtitles"} or "media" not in fields:
        raise invalid("media and a media_category of images are required")
    content = fields["media"]
    if len(content) > _SIZES["image"]:
        raise invalid(f"File size exceeds {_SIZES['image']} bytes.")
    made = Medium(
        server.next_id(),
        asked.account.id,
        category,
        fields.get("media_type", "image/png"),
        len(content),
        server.now(),
        {0: content},
        is_whole=True,
    )
    server.media[made.id] = made
    return ok({"data": _shown(server, made)})


def _metadata(server: XServer, asked: Asked) -> httpx.Response:
    names = words(
        "allow_download_status audience_policy content_expiration domain_restrictions found_media_origin"
        " geo_restrictions management_info preview_image sensitive_media_warning shared_info sticker_info"
        " upload_source"
    )
    metadata = {**dict.fromkeys(names, "object"), "alt_text": {"text": "string"}}
    body = asked.body({"id": "string", "metadata": metadata}, ("id",))
    made = _own(server, asked, body["id"])
    text = body.get("metadata", {}).get("alt_text", {}).get("text")
    if text is not None and not 1 <= len(text) <= 1_000:
        raise invalid("$.metadata.alt_text.text: may only be 1000 characters long")
    made.alt_text = text
    server.pay("metadata")
    said = {"alt_text": {"text": text}} if text is not None else {}
    return ok({"data": {"id": made.id, "associated_metadata": said}})


def _shown(server: XServer, made: Medium) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": made.id,
        "media_key": made.key,
        "size": made.size,
        "expires_after_secs": 86_400,
    }
    state = _state(server, made)
    if not made.category.endswith("image"):
        shown["processing_info"] = {"state": state, **_progress(made, state)}
    return shown


def _progress(made: Medium, state: str) -> dict[str, Any]:
    match state:
        case "pending" | "in_progress":
            return {"check_after_secs": 1, "progress_percent": min(made.asked * 50, 99)}
        case "succeeded":
            return {"progress_percent": 100}
        case _:
            return {"error": {"code": 1, "name": "InvalidMedia", "message": "Unsupported video format"}}


def _state(server: XServer, made: Medium) -> str:
    """Images are ready at once; the others, when their state was asked for often enough."""
    if made.category.endswith("image"):
        return "succeeded"
    if made.asked < server.processing:
        return "in_progress" if made.asked else "pending"
    return "failed" if server.fails_processing else "succeeded"


def _own(server: XServer, asked: Asked, id: str) -> Medium:
    made = server.media.get(id)
    if made is None or made.owner != asked.account.id or made.at <= server.now() - _DAY:
        raise invalid("The media ID is invalid or has expired.", media_id=id)
    return made


def _fields(asked: Asked, allowed: Mapping[str, str]) -> dict[str, Any]:
    """What came as a form in several parts (RFC 7578), or as JSON with the file in base64."""
    kind = asked.request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        body = asked.body({**allowed, "segment_index": "string"} if _says_text(asked) else allowed)
        if "media" in body:
            body["media"] = base64.b64decode(body["media"])
        return body
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if found is None:
        raise invalid("a form in several parts has a boundary")
    fields: dict[str, Any] = {}
    for part in asked.request.content.split(b"--" + found[1].encode("ascii"))[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name is None or name[1].decode("ascii") not in allowed:
            raise invalid(f"the form has a part that is not known: {name[1].decode() if name else '?'}")
        content = value.removesuffix(b"\r\n")
        fields[name[1].decode("ascii")] = content if name[1] == b"media" else content.decode("utf-8")
    return fields


def _says_text(asked: Asked) -> bool:
    """Whether the index is a number in quotation marks, which is as good."""
    try:
        return isinstance(json.loads(asked.request.content).get("segment_index"), str)
    except (ValueError, AttributeError):
        return False


_WRITE: Final = frozenset({"media.write"})

ROUTES: Final = (
    Route("POST", "/2/media/upload", _one_shot, frozenset(), USER, _WRITE),
    Route("GET", "/2/media/upload", _status, frozenset({"media_id", "command"}), USER, _WRITE),
    Route("POST", "/2/media/upload/initialize", _initialize, frozenset(), USER, _WRITE),
    Route("POST", "/2/media/upload/{id}/append", _append, frozenset(), USER, _WRITE),
    Route("POST", "/2/media/upload/{id}/finalize", _finalize, frozenset(), USER, _WRITE),
    Route("POST", "/2/media/metadata", _metadata, frozenset(), USER, _WRITE),
)
