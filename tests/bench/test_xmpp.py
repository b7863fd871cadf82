"""The benchmark of XMPP runs, loses nothing on the way, and says what it promises to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from bench.xmpp import XMPP
from bench.xmpp.stanzas import HEADER, Stanza, modern, plain, reads
from tools.xmpp import Prosody

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", XMPP)
def test_each_part_runs_and_says_what_it_found(part: str) -> None:
    if part in {"through", "latency"} and (why := Prosody.missing()):
        pytest.skip(why)
    run = [sys.executable, "-m", "bench", "--quick", "--json", f"xmpp.{part}"]

    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stderr == ""
    assert done.returncode in {0, 1}  # quick figures may miss a goal
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(line["ok"] in {True, False} for line in lines if line["goal"] != "-")


@pytest.mark.parametrize("stanza", [plain, modern], ids=lambda stanza: stanza.__name__)
def test_what_is_read_is_a_stream_of_messages_that_are_all_different(stanza: Stanza) -> None:
    read = reads(stanza, range(10), 4)

    stream = fromstring(b"".join([HEADER, *read, b"</stream:stream>"]))

    assert len(read) == 3
    assert len({message.get("id") for message in stream}) == 10
