"""Who is written to says by which medium."""

from __future__ import annotations

import pytest

from convergekit.adapters.sms.media import medium_of, way_of
from convergekit.model import Address, Attachment
from tests.adapters.sms.gateway_kit import PICTURE, out


@pytest.mark.parametrize(
    ("to", "files", "medium", "way"),
    [
        ("sms:+4915112345678", (), "sms", "sms"),
        ("tel:+4915112345678", (), "sms", "sms"),
        ("sms:+4915112345678", (PICTURE,), "mms", "mms"),
        ("whatsapp:+4915112345678", (), "whatsapp", "whatsapp"),
        ("whatsapp:+4915112345678", (PICTURE,), "whatsapp", "whatsapp-media"),
        ("rcs:+4915112345678", (), "rcs", "rcs"),
        ("rcs:+4915112345678", (PICTURE,), "rcs", "rcs-media"),
    ],
)
def test_what_a_message_is(to: str, files: tuple[Attachment, ...], medium: str, way: str) -> None:
    assert medium_of(Address.parse(to), bool(files)) == medium
    assert way_of(out(to=to, files=files)) == way
