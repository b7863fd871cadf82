"""The benchmark of SMS does the same work on both sides, and says what it promises to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.sms import SMS, callbacks
from bench.sms.bodies import CALLS, Call

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", SMS)
def test_each_part_runs_and_says_what_it_found(part: str) -> None:
    run = [sys.executable, "-m", "bench", "--quick", "--json", f"sms.{part}"]

    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stderr == ""
    assert done.returncode in {0, 1}  # quick figures may miss a goal
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(line["ok"] in {True, False} for line in lines if line["goal"] != "-")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.title)
def test_what_is_read_for_one_gateway_alone_is_read_by_its_profile_too(call: Call) -> None:
    """Each body is an event, or as many as it has; and a host's own model finds nothing wrong with it."""
    callbacks.check(call, call.bodies(5))
