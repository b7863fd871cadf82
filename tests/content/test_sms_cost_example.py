"""The example that the concept page shows says what the page says."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sms_cost.py"


def test_what_an_sms_costs_before_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")

    assert capsys.readouterr().out.splitlines() == [
        "to sms:+4915112345678 by via('sms:+4915112345678')",
        "  0. alerts to sms:+4915112345678 until ACCEPTED: 1 part, 2 segments",
        "     gates: loop_guard allows, ttl allows, consent allows, not_before allows",
        "     lossless: alphabet: punctuation written in the GSM alphabet",
        "costs: 0.0150",
        "gsm7 1 segment, 134 septets left",
        "ucs2 2 segments: 0.0150",
        "[67, 58]",
    ]
