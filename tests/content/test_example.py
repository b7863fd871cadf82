"""The example that the concept page shows says what the page says."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "content.py"


def test_the_same_message_on_three_channels(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")

    assert capsys.readouterr().out.splitlines() == [
        "sms: Order 42",
        "Your parcel is on its way. Follow it (https://example.org/p/42).",
        "  lossless: subject, put before the text",
        "  lossy: markup, shown as plain text: link, strong",
        "chat: <p>Order 42</p>",
        '<p>Your parcel is <strong>on its way</strong>. <a href="https://example.org/p/42">Follow it</a>.</p>',
        "  lossless: subject, put before the text",
        "mail: Your parcel is on its way. Follow it (https://example.org/p/42).",
    ]
