"""Reports come late, twice, in any order and in any batches: what is known in the end is the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Request
from convergekit.adapters.sms import SmsConfig
from convergekit.adapters.sms.callbacks import Callbacks
from convergekit.model import Receipt, ReceiptReceived, Status, fold

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROFILE: dict[str, Any] = {
    "name": "any-order",
    "title": "Any order",
    "callbacks": {
        "each": "reports",
        "inbound": [{"when": [{"path": "text", "present": True}], "from": "from", "text": "text"}],
        "status": [
            {
                "id": "id",
                "word": "status",
                "reference": "ref",
                "code": "code",
                "at": "at",
                "at_format": "unix",
                "segments": {"id": "segment", "total": "segments"},
            }
        ],
    },
    "words": {
        "queued": "accepted",
        "sent": "sent",
        "relayed": "relayed",
        "expired": "expired",
        "failed": "failed",
        "delivered": "delivered",
        "read": "read",
        "?": "none",
    },
    "codes": {"21": "opted_out", "30": "unreachable"},
}
CALLBACKS = Callbacks(SmsConfig.model_validate({"profile": PROFILE, "from": "+15005550006"}), "alerts")

REPORTS = st.fixed_dictionaries(
    {"id": st.sampled_from(["x1", "x2"]), "status": st.sampled_from([*PROFILE["words"], "unheard of"])},
    optional={
        "ref": st.sampled_from(["d1.0", "d1.1"]),
        "code": st.sampled_from(["21", "30", "99"]),
        "at": st.sampled_from([1772366400, 1772366460]),
        "segment": st.sampled_from(["s1", "s2"]),
        "segments": st.just(2),
    },
)


def told(batches: list[list[dict[str, Any]]]) -> dict[str, Receipt]:
    """What the ledger keeps of the calls: the first event under each key."""
    kept: dict[str, Receipt] = {}
    for batch in batches:
        body = json.dumps({"reports": batch}).encode()
        for event in CALLBACKS.read(Request("POST", body=body), now=NOW).events:
            if isinstance(event, ReceiptReceived):
                kept.setdefault(event.key, event.receipt)
    return kept


@st.composite
def ways(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Some reports, and the same in another order, some of them twice, in batches."""
    reports = draw(st.lists(REPORTS, min_size=1, max_size=8, unique_by=_identity))
    repeats = draw(st.lists(st.sampled_from(reports), max_size=4))
    shuffled = draw(st.permutations([*reports, *repeats]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    ends = [*cuts, len(shuffled)]
    return reports, [shuffled[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


def _identity(report: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(report.get(name) for name in ("id", "status", "code", "segment"))


@given(ways())
def test_any_order_any_repeats_and_any_batches_say_the_same(
    drawn: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]],
) -> None:
    reports, batches = drawn
    one_by_one = told([[each] for each in reports])
    otherwise = told(batches)
    assert one_by_one == otherwise
    assert fold(one_by_one.values()) == fold(otherwise.values())


@given(ways())
def test_no_report_is_taken_for_another(drawn: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]) -> None:
    reports, _ = drawn
    known = [each for each in reports if each["status"] not in ("?", "unheard of")]
    assert len(told([reports])) == len({_identity(each) for each in known})


def test_what_is_heard_first_counts_no_more_than_what_is_heard_last() -> None:
    later = [{"id": "x1", "status": status, "ref": "d1.0"} for status in ("sent", "delivered", "failed", "queued")]
    for reports in (later, later[::-1]):
        part = fold(told([reports]).values()).part(0)
        assert part.status is Status.DELIVERED
        assert part.disputed
