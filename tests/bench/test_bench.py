"""The benchmark runs and says what it promises to say; how fast anything is, is no matter of these tests."""

from __future__ import annotations

import pytest

from bench import __main__ as command
from bench.measure import Effort, Goal, Line, Timer, compare, missing
from tests.bench.running import figures

pytestmark = pytest.mark.anyio

KEYS = ["metric", "ours", "peer", "theirs", "ratio", "goal", "ok"]

AT_MOST_HALF = Goal("<=", 0.5)


def test_every_line_is_one_object_with_the_keys_that_are_promised() -> None:
    lines = figures("message", "import", "inbound", "webhook")

    assert all(list(line) == KEYS for line in lines)
    assert {line["metric"].split(" (")[0].partition(",")[0] for line in lines} >= {
        'Message("text")',
        "import convergekit",
        "inbound",
    }
    assert all(line["ours"] > 0 for line in lines if line["theirs"] is not None)


def test_what_must_never_happen_has_no_ratio_and_one_time_is_too_many() -> None:
    never, once = Line.never("events lost", 0), Line.never("events lost", 1)

    assert (never.ok, once.ok) == (True, False)
    assert (never.ratio, never.is_unknown) == (None, False)
    assert command._code([never]) == 0
    assert command._code([once]) == command.MISSED


@pytest.mark.parametrize(
    ("goal", "ratio", "holds"),
    [
        (Goal("<=", 0.5), 0.5, True),
        (Goal("<=", 0.5), 0.51, False),
        (Goal(">=", 0.5), 0.5, True),
        (Goal(">=", 0.5), 0.49, False),
    ],
)
def test_a_goal_that_is_just_reached_is_met(goal: Goal, ratio: float, holds: bool) -> None:
    assert Line.of("m", ratio, "peer", 1.0, goal).ok is holds


def test_a_missing_peer_is_neither_met_nor_missed_and_the_exit_code_tells() -> None:
    line = missing("m", 1.0, "aiogram", AT_MOST_HALF)

    assert (line.theirs, line.ratio, line.ok) == (None, None, None)
    assert "not installed" in line.peer
    assert command._code([line]) == command.UNKNOWN


def test_one_missed_goal_fails_the_run() -> None:
    met, missed = Line.of("m", 1, "p", 4, AT_MOST_HALF), Line.of("m", 3, "p", 4, AT_MOST_HALF)

    assert command._code([met]) == 0
    assert command._code([met, missed]) == command.MISSED


def test_a_line_for_information_cannot_fail_a_run() -> None:
    assert command._code([Line.of("m", 100, "p", 1)]) == 0


def test_a_name_that_is_not_there_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["inbuond"])

    assert caught.value.code == 2
    assert "inbound" in capsys.readouterr().err


async def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def side(name: str, first: float, later: float):
        async def one_round() -> float:
            turns.append(name)
            return first if turns.count(name) == 1 else later

        return one_round

    medians = await compare({"a": side("a", 100.0, 1.0), "b": side("b", 200.0, 2.0)}, 3)

    assert medians == {"a": 1.0, "b": 2.0}
    assert "".join(turns) == "abbaabba"


async def test_where_no_round_counts_the_first_one_is_the_figure() -> None:
    """To see that a comparison runs takes one round of it."""
    figures = iter([1.0, 2.0])

    async def side() -> float:
        return next(figures)

    assert await compare({"a": side}, 0) == {"a": 1.0}


def test_a_timer_sums_its_blocks_up() -> None:
    timer = Timer(1)
    with timer:
        sum(range(20_000))
    once = timer.figure
    with timer:
        sum(range(20_000))

    assert timer.figure > once >= 0


def test_effort_never_comes_down_to_nothing() -> None:
    assert Effort(scale=0.001).items(100) == 1
    assert Effort(scale=0.001).items(100, at_least=64) == 64
