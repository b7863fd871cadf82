"""The fold: receipts in any order, any number of times and in any batches say the same."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from convergekit.model import Failure, FailureKind, PartReport, Receipt, Report, Status, fold

from .strategies import values

NOW = datetime(2026, 1, 1, tzinfo=UTC)
receipts = st.lists(values(Receipt), max_size=6)
reports = receipts.map(fold)


class TestStatus:
    def test_the_scale_is_as_documented(self) -> None:
        order = ["QUEUED", "UNKNOWN", "ACCEPTED", "SENT", "RELAYED", "FAILED", "DELIVERED", "READ", "ANSWERED"]
        assert [str(status) for status in sorted(Status)] == order

    def test_it_compares_with_its_own_kind_only(self) -> None:
        assert Status.SENT < Status.DELIVERED
        assert Status.FAILED >= Status.RELAYED
        with pytest.raises(TypeError):
            assert Status.SENT < "delivered"

    @pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN])
    def test_a_state_of_ours_is_no_evidence(self, status: Status) -> None:
        with pytest.raises(ValidationError, match="starts at ACCEPTED"):
            Receipt(status)


class TestLaws:
    @given(receipts, st.randoms())
    def test_order_and_repetition_do_not_matter(self, given: list[Receipt], random: Random) -> None:
        shuffled = given + random.choices(given, k=3) if given else []
        random.shuffle(shuffled)
        assert fold(shuffled) == fold(given)

    @given(receipts, st.integers(0, 6))
    def test_batches_do_not_matter(self, given: list[Receipt], cut: int) -> None:
        assert fold(given[:cut]) | fold(given[cut:]) == fold(given)

    @given(reports, reports, reports)
    def test_joining_is_associative_commutative_and_idempotent(self, one: Report, two: Report, three: Report) -> None:
        assert (one | two) | three == one | (two | three)
        assert one | two == two | one
        assert one | one == one
        assert one | Report() == one

    @given(receipts, values(Receipt))
    def test_one_more_receipt_never_takes_anything_back(self, given: list[Receipt], more: Receipt) -> None:
        before, after = fold(given), fold([*given, more])
        for index in {*before.parts, 0}:
            was, now = before.part(index), after.part(index)
            assert was.status is None or (now.status is not None and now.status >= was.status)
            assert now.failed >= was.failed
            assert now.disputed >= was.disputed
            assert now.ids >= was.ids
            assert now.units >= was.units
            assert was.failure is None or now.failure is not None
            assert all(now.at[status] <= moment for status, moment in was.at.items())


class TestWhatIsKnown:
    def test_a_late_report_does_not_move_a_status_back(self) -> None:
        for order in permutations([Receipt(Status.SENT), Receipt(Status.DELIVERED), Receipt(Status.ACCEPTED)]):
            assert fold(order).part(0).status is Status.DELIVERED

    def test_a_delivery_beats_a_failure_and_both_are_disputed(self) -> None:
        failure = Failure(kind=FailureKind.UNREACHABLE, code="21610")
        for order in permutations([Receipt(Status.FAILED, failure=failure), Receipt(Status.DELIVERED)]):
            part = fold(order).part(0)
            assert (part.status, part.disputed, part.failure) == (Status.DELIVERED, True, failure)

    def test_a_failure_alone_is_not_disputed(self) -> None:
        assert not fold([Receipt(Status.ACCEPTED), Receipt(Status.FAILED)]).part(0).disputed

    def test_the_detail_of_a_failure_is_not_erased_by_an_emptier_one(self) -> None:
        full = Failure(kind=FailureKind.BLOCKED, code="5.7.1", text="policy")
        given = [
            Receipt(Status.FAILED, failure=full),
            Receipt(Status.FAILED),
            Receipt(Status.FAILED, failure=Failure()),
        ]
        for order in permutations(given):
            assert fold(order).part(0).failure == full

    def test_a_failure_counts_only_where_something_failed(self) -> None:
        assert fold([Receipt(Status.SENT, failure=Failure(code="x"))]).part(0).failure is None

    def test_the_earliest_moment_of_each_status_is_kept(self) -> None:
        late = Receipt(Status.SENT, received_at=NOW + timedelta(hours=1))
        early = Receipt(Status.SENT, occurred_at=NOW, received_at=NOW + timedelta(days=1))
        assert fold([late, early]).part(0).at == fold([early, late]).part(0).at == {Status.SENT: NOW}

    def test_a_report_about_the_whole_holds_of_each_part(self) -> None:
        report = fold([Receipt(Status.ACCEPTED, part=0, ids=["a"]), Receipt(Status.DELIVERED, ids=["b"])])
        assert [report.part(index).status for index in (0, 7)] == [Status.DELIVERED, Status.DELIVERED]
        assert report.ids == {"a", "b"}

    def test_a_report_about_a_part_holds_of_that_part(self) -> None:
        report = fold([Receipt(Status.ACCEPTED, part=0), Receipt(Status.FAILED, part=1)])
        assert (report.part(0).status, report.part(1).status, report.part(2).status) == (
            Status.ACCEPTED,
            Status.FAILED,
            None,
        )

    def test_nothing_is_known_of_nothing(self) -> None:
        assert fold([]) == Report()
        assert fold([]).part(0) == PartReport()

    @pytest.mark.parametrize("fields", [{"part": -1}, {"units": -1}, {"ids": "abc"}, {"ids": ["a\nb"]}])
    def test_what_makes_no_sense_is_refused(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Receipt(Status.SENT, **fields)  # type: ignore[arg-type]


def test_a_thousand_reports_of_one_delivery_are_no_trouble() -> None:
    many = [Receipt(Status.SENT, ids=[f"id-{number % 3}"], part=number % 3) for number in range(1000)]
    assert reduce(Report.__or__, (fold([each]) for each in many)) == fold(many[:3])


class TestSegments:
    """A gateway that cuts a part into segments, and reports each by itself."""

    TAKEN = Receipt(Status.ACCEPTED, ids=("a", "b", "c"), segments=3)

    @staticmethod
    def of(segment: str, status: Status, **more: object) -> Receipt:
        return Receipt(status, ids=(segment,), segment=segment, **more)  # type: ignore[arg-type]

    def test_the_part_is_delivered_when_its_last_segment_is(self) -> None:
        said = [self.TAKEN, *(self.of(each, Status.DELIVERED) for each in "abc")]
        for order in permutations(said):
            assert fold(order).part(0).status is Status.DELIVERED
            for count in range(1, 4):
                assert fold(order[:count]).part(0).status is Status.ACCEPTED

    def test_the_least_segment_counts(self) -> None:
        said = [self.TAKEN, self.of("a", Status.READ), self.of("b", Status.SENT), self.of("c", Status.DELIVERED)]
        for order in permutations(said):
            assert fold(order).part(0).status is Status.SENT

    def test_one_segment_that_failed_fails_the_part(self) -> None:
        failure = Failure(kind=FailureKind.UNREACHABLE, code="6")
        said = [self.of("a", Status.DELIVERED), self.of("b", Status.FAILED, failure=failure), self.TAKEN]
        for order in permutations([*said, self.of("c", Status.DELIVERED)]):
            part = fold(order).part(0)
            assert (part.status, part.failure, part.disputed) == (Status.FAILED, failure, False)

    def test_how_many_there_are_may_stand_in_the_reports(self) -> None:
        said = [self.of(each, Status.DELIVERED, segments=2) for each in "ab"]
        assert fold(said[:1]).part(0).status is Status.ACCEPTED
        assert fold(said).part(0).status is Status.DELIVERED
        assert fold([self.of("a", Status.DELIVERED, segments=1)]).part(0).status is Status.DELIVERED

    def test_it_was_delivered_when_the_last_was(self) -> None:
        said = [self.TAKEN]
        said += [
            self.of(each, Status.DELIVERED, occurred_at=NOW + timedelta(seconds=index))
            for index, each in enumerate("bca")
        ]
        for order in permutations(said):
            assert fold(order).part(0).at[Status.DELIVERED] == NOW + timedelta(seconds=2)
