"""What a machine sends is looked through for a report; what is attached to it is not taken apart for that."""

from __future__ import annotations

import os
import tracemalloc

from convergekit.adapters.email.building import File
from convergekit.adapters.email.identifiers import Identifiers
from convergekit.adapters.email.reading.mail import read
from convergekit.adapters.email.reports.events import events_in
from tests.adapters.email.building.kit import built


def test_a_large_file_of_a_machine_is_left_alone() -> None:
    """An invoice with a bounce's marks would else cost six times its size."""
    bill = File(os.urandom(1 << 20), "application/pdf", "invoice.pdf")
    mail = read(built(files=[bill], own_headers={"Auto-Submitted": "auto-generated"}))
    tracemalloc.start()
    try:
        assert not events_in(mail, Identifiers(b"a key of ours", "example.org"), key="k", recipients=())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
