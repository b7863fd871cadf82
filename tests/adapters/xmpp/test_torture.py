"""What the torture says of itself is true: it sees what is wrong."""

import pytest

from tests.adapters.xmpp.torture import judged


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        (["0", "1", "2"], ""),
        (["0", "2"], "1 lost (1), 0 doubled"),
        (["0", "1", "1", "2"], "0 lost (), 1 doubled"),
        (["0", "2", "1"], "out of order"),
        (["0", "1", "2", "x"], "what nobody said"),
    ],
)
def test_each_fault_is_told(heard: list[str], wrong: str) -> None:
    assert judged(heard, 3) == wrong
