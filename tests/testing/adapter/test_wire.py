"""What the far side got is found, however it is written there."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.measure import length
from convergekit.model import TextLimit
from convergekit.testing.adapter._wire import LETTERS, Wire, filled

TEXT = f'word {LETTERS} <b>"x"</b>\\ %41 + & \n end'
FILE = bytes(range(256)) * 20

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "JSON": lambda text: json.dumps({"text": text}).encode(),
    "JSON with letters": lambda text: json.dumps({"text": text}, ensure_ascii=False).encode(),
    "a form": lambda text: urlencode({"text": text}).encode(),
    "a URL": lambda text: f"GET /send?text={quote(text)} HTTP/1.1\r\n\r\n".encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"="),
    "base64 of a mail": lambda text: base64.encodebytes(text.encode()),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()),
    "XML": lambda text: f"<body>{html.escape(text)}</body>".encode(),
    "UCS-2 in hexadecimal": lambda text: text.encode("utf-16-be").hex().encode(),
    "base64 in JSON": lambda text: json.dumps({"text": base64.b64encode(text.encode()).decode()}).encode(),
    "JSON in a form": lambda text: urlencode({"payload": json.dumps({"text": text})}).encode(),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_text_is_found_in_every_form(written: Callable[[str], bytes]) -> None:
    wire = Wire(b"POST / HTTP/1.1\r\nX-A: b\r\n\r\n" + written(TEXT))
    assert wire.holds(TEXT)
    assert wire.lacks(["word", "end", "absent"]) == ["absent"]


@pytest.mark.parametrize(
    "written", [bytes, base64.b64encode, base64.encodebytes, lambda content: content.hex().encode()]
)
def test_a_file_is_found_byte_for_byte(written: Callable[[bytes], bytes]) -> None:
    head = b'{"name": "a.bin"}\r\n\r\n'
    assert Wire(head, head + written(FILE)).holds(FILE)
    assert not Wire(head, head + written(FILE[:-1])).holds(FILE)
    assert not Wire(head, head + written(FILE.replace(b"\n", b"\r\n"))).holds(FILE)


@given(st.text(min_size=1), st.sampled_from(sorted(WRITTEN)))
def test_what_is_not_there_is_not_found(text: str, form: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert not Wire(WRITTEN[form](text)).holds(f"absent {text}")


@pytest.mark.parametrize("unit", ["codepoint", "utf16", "byte", "gsm7", "weighted"])
@pytest.mark.parametrize("letters", ["", LETTERS])
@given(limit=st.integers(min_value=1, max_value=2000))
def test_a_text_fills_its_limit(unit: str, letters: str, limit: int) -> None:
    """As near to it as a letter allows, and never above."""
    text = filled(TextLimit.model_validate({"max": limit, "unit": unit}), letters)
    assert length(text, unit) <= limit  # type: ignore[arg-type]
    assert length(text, unit) >= limit - 8  # type: ignore[arg-type]
    words = text.split()
    assert len(words) == len(set(words))
    assert text == " ".join(words)
