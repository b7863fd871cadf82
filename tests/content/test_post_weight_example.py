"""The example that the concept page shows says what the page says."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "post_weight.py"


def test_what_a_text_weighs_on_x(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")

    assert capsys.readouterr().out.splitlines() == [
        "86 code points weigh 61",
        "488 False (0, 372)",
        "['https://shop.example.com/track?number=1234567890']",
        "['ann'] ['delivery']",
        "247",
        "248",
    ]
