"""Who may use how much of a limit, and when somebody has a turn."""

from __future__ import annotations

import pytest

from convergekit.adapters.x.budgets.windows import Priority, Window, shares

QUARTER = 900.0


def window(limit: int = 100, reserve: float = 0.2) -> Window:
    return Window(limit, QUARTER, shares(reserve))


def used_at_once(priority: Priority, limit: int = 100) -> int:
    """How many go at the moment 0."""
    bucket, count = window(limit), 0
    while bucket.turn(priority, first=True, now=0.0) <= 0:
        bucket.take(first=True, now=0.0)
        count += 1
    return count


def used_in_a_window(priority: Priority, limit: int = 100) -> int:
    """How many go until its end, where one is tried each second."""
    bucket, count = window(limit), 0
    for second in range(int(QUARTER)):
        while bucket.turn(priority, first=True, now=second) <= second:
            bucket.take(first=True, now=second)
            count += 1
    return count


def test_answers_may_use_all_of_a_limit_at_once() -> None:
    assert used_at_once(Priority.REPLY) == 100


def test_what_nobody_waits_for_goes_half_at_once_and_half_over_the_window_and_leaves_the_reserve() -> None:
    assert used_at_once(Priority.NORMAL) == 40
    assert used_in_a_window(Priority.NORMAL) == 80


def test_an_answer_right_after_another_goes_at_once_though_x_tells_the_end_in_whole_seconds() -> None:
    bucket = window()
    bucket.take(first=True, now=0.0)
    bucket.learn(100, 99, QUARTER + 2, asked_at=0.0, now=0.0)
    assert bucket.turn(Priority.REPLY, first=True, now=0.1) <= 0.1


def test_polls_come_last() -> None:
    assert used_at_once(Priority.BACKGROUND) == 18
    assert used_in_a_window(Priority.BACKGROUND) == 72


@pytest.mark.parametrize("priority", Priority)
def test_the_smallest_limit_leaves_a_turn_to_everybody(priority: Priority) -> None:
    """What had none would wait for good."""
    assert used_in_a_window(priority, limit=1) == 1


def test_answers_overtake_those_that_stand_in_line() -> None:
    bucket = window()
    for _ in range(40):
        bucket.take(first=True, now=0.0)
    for _ in range(500):
        bucket.queue(Priority.NORMAL, first=True, now=0.0)

    assert bucket.turn(Priority.REPLY, first=True, now=0.0) <= 0.0


def test_who_comes_new_stands_behind_those_who_wait() -> None:
    bucket = window()
    for _ in range(40):
        bucket.take(first=True, now=0.0)
    promised = [bucket.queue(Priority.NORMAL, first=True, now=0.0) for _ in range(80)]

    assert promised == sorted(promised)
    assert len(set(promised[:40])) == 40, "spread over the rest of the window"
    assert set(promised[40:]) == {QUARTER}, "the first half of the next window goes as it begins"
    assert bucket.turn(Priority.NORMAL, first=True, now=promised[3]) > promised[3]
    assert bucket.turn(Priority.NORMAL, first=False, now=promised[3]) <= promised[3]


def test_each_that_waits_finds_its_turn_free_when_it_comes_back() -> None:
    bucket, late = window(), 0
    for _ in range(40):
        bucket.take(first=True, now=0.0)
    for at in sorted(bucket.queue(Priority.NORMAL, first=True, now=0.0) for _ in range(1000)):
        if bucket.turn(Priority.NORMAL, first=False, now=at) <= at:
            bucket.take(first=False, now=at)
        else:
            late += 1

    assert late == 0


def test_who_missed_a_turn_because_answers_took_it_does_not_go_to_the_end() -> None:
    bucket = window()
    for _ in range(40):
        bucket.take(first=True, now=0.0)
    promised = [bucket.queue(Priority.NORMAL, first=True, now=0.0) for _ in range(400)]
    for _ in range(60):
        bucket.take(first=True, now=1.0)  # answers, up to the limit

    again = bucket.queue(Priority.NORMAL, first=False, now=promised[0])

    assert QUARTER <= again < promised[-1]


class TestWhatXSays:
    """X' counting is the truth."""

    def test_a_header_takes_away_what_others_have_used(self) -> None:
        bucket = window()
        bucket.take(first=True, now=0.0)

        bucket.learn(100, 0, QUARTER, asked_at=0.0, now=0.0)

        assert bucket.turn(Priority.REPLY, first=True, now=0.0) == QUARTER

    def test_a_header_gives_nothing_back_within_a_window(self) -> None:
        """What is still under way is not in it yet."""
        bucket = window(limit=10)
        for _ in range(10):
            bucket.take(first=True, now=0.0)

        bucket.learn(10, 9, QUARTER, asked_at=0.0, now=0.0)

        assert bucket.turn(Priority.REPLY, first=True, now=0.0) == QUARTER

    def test_answers_that_change_places_do_not_give_anything_back(self) -> None:
        bucket = window(limit=10)
        bucket.learn(10, 0, QUARTER, asked_at=2.0, now=3.0)

        bucket.learn(10, 1, QUARTER, asked_at=1.0, now=3.0)

        assert bucket.turn(Priority.REPLY, first=True, now=4.0) > 4.0

    def test_an_answer_of_a_window_that_is_over_says_nothing_of_the_next(self) -> None:
        bucket = window(limit=10)
        bucket.learn(10, 9, QUARTER, asked_at=1000.0, now=1000.0)

        bucket.learn(10, 0, 1.0, asked_at=899.0, now=1001.0)

        assert bucket.turn(Priority.REPLY, first=True, now=1001.0) <= 1001.0

    def test_another_limit_is_believed(self) -> None:
        bucket = window(limit=15)

        bucket.learn(300, 299, QUARTER, asked_at=0.0, now=0.0)

        assert bucket.limit == 300

    def test_a_window_that_is_over_is_free_again(self) -> None:
        bucket = window()
        bucket.learn(100, 0, 60.0, asked_at=0.0, now=0.0)

        assert bucket.turn(Priority.NORMAL, first=True, now=60.0) <= 60.0
