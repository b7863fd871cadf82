"""The promises of a store as tests. Whoever writes a store inherits `StoreContract`; ours do.

Needs pytest and its plugin in anyio, and runs on each event loop that the fixture `anyio_backend` names.
"""

from __future__ import annotations

import pytest

from convergekit.abc import Store

from .._rule import Rule
from ..clock import FakeClock
from ._archive import ArchiveContract, ErasureContract, RetentionContract
from ._keeps import keeps
from ._kit import START
from ._lanes import AdmissionContract, LaneContract, RetryContract
from ._leases import LeaseContract, OwnerContract
from ._listing import ListingContract
from ._looking import BlobContract, LookContract, ReportContract, SweepContract, ValueContract
from ._outbound import SaveContract, ScheduleContract, SubmitContract, TimerContract
from ._rules import RULES

__all__ = ["RULES", "Rule", "StoreContract"]


class StoreContract(
    AdmissionContract, LaneContract, RetryContract, LeaseContract, SubmitContract, ScheduleContract, SaveContract,
    TimerContract, ReportContract, OwnerContract, ValueContract, BlobContract, SweepContract,
    LookContract, ListingContract, ArchiveContract, RetentionContract, ErasureContract,
):  # fmt: skip
    """Every promise of `convergekit.abc.store`; a failure names the rule, the reason and the page of the docs.

    Give it a fixture `store`: empty, and open on the fixture `clock`, which is here already and may be replaced by
    another `FakeClock` at its start.
    """

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Of the store and of the test, which alone moves it."""
        return FakeClock()

    @keeps("batch-said")
    async def test_it_says_how_many_lanes_to_ask_for(self, store: Store) -> None:
        """At least one."""
        assert store.batch >= 1

    @keeps("goes-by-its-clock")
    async def test_the_clock_is_at_the_start(self, clock: FakeClock) -> None:
        """The promises are written with its times."""
        assert clock.now() == START
