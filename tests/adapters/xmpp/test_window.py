"""What is under way, and what becomes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.window import Parcel, Window


class Sender:
    """Hands parcels over, and notes what becomes of them."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.log: list[str] = []
        self.settled: dict[str, Exception | None] = {}

    def put(self, name: str, count: int = 1, size: int = 1, fails: Exception | None = None) -> Parcel:
        def started() -> None:
            self.log.append(f"started {name}")
            if fails is not None:
                raise fails

        stanzas = [f"{name}{number}".encode().ljust(size, b".") for number in range(count)]
        parcel = Parcel(stanzas, started=started, settled=lambda exc: self.settled.update({name: exc}))
        self.window.put(parcel)
        return parcel

    def write(self) -> list[str]:
        written = [each.rstrip(b".").decode() for each in self.window.write()]
        self.log += written
        return written


def sender(stanzas: int = 100, octets: int = 10_000) -> Sender:
    return Sender(Window(stanzas, octets))


def test_it_is_started_just_before_the_first_is_written() -> None:
    one = sender(2)
    one.put("a", 2)
    one.put("b", 1)
    one.write()
    assert one.log == ["started a", "a0", "a1"]


def test_there_is_room_for_so_many() -> None:
    one = sender(2)
    for name in "abc":
        one.put(name)
    assert one.write() == ["a0", "b0"]
    assert one.write() == []
    one.window.acknowledge(1)
    assert one.write() == ["c0"]


def test_there_is_room_for_so_many_octets() -> None:
    one = sender(octets=100)
    for name in "abc":
        one.put(name, size=50)
    assert one.write() == ["a0", "b0"]
    one.window.acknowledge(1)
    assert one.write() == ["c0"]


def test_the_largest_goes_alone() -> None:
    one = sender(octets=100)
    one.put("a", size=500)
    one.put("b")
    assert one.write() == ["a0"]
    one.window.acknowledge(1)
    assert one.write() == ["b0"]


def test_a_parcel_is_settled_once_all_of_it_is_acknowledged() -> None:
    one = sender()
    one.put("a", 2)
    one.put("b")
    one.write()
    one.window.acknowledge(1)
    assert one.settled == {}
    one.window.acknowledge(3)
    assert one.settled == {"a": None, "b": None}
    assert not one.window.pending


def test_what_nobody_waits_for_is_counted() -> None:
    one = sender()
    one.window.count()
    one.put("a")
    one.write()
    one.window.count()
    one.window.acknowledge(1)
    assert one.settled == {}
    one.window.acknowledge(3)
    assert one.settled == {"a": None}


def test_more_than_was_written_is_no_acknowledgement() -> None:
    one = sender()
    one.put("a")
    one.write()
    with pytest.raises(ValueError, match="2 acknowledged, and 1 written"):
        one.window.acknowledge(2)
    assert one.settled == {}


def test_one_that_goes_back_is_none() -> None:
    one = sender()
    one.put("a", 3)
    one.write()
    one.window.acknowledge(2)
    with pytest.raises(ValueError, match="acknowledged"):
        one.window.acknowledge(1)


def test_counts_are_modulo_2_to_the_32() -> None:
    one = sender()
    one.window.written = one.window._acknowledged = 2**32 - 1
    one.put("a", 2)
    one.write()
    assert one.window.written == 1
    one.window.acknowledge(1)
    assert one.settled == {"a": None}


def test_a_fresh_session_writes_all_again_in_order_and_before_what_is_newer() -> None:
    one = sender(3)
    for name in "abcd":
        one.put(name)
    assert one.write() == ["a0", "b0", "c0"]
    one.window.acknowledge(1)
    one.window.renewed()
    assert one.write() == ["b0", "c0", "d0"]
    assert one.log.count("started b") == 1
    one.window.acknowledge(3)
    assert one.settled == dict.fromkeys("abcd")


def test_a_resumed_one_writes_what_the_server_lacks() -> None:
    one = sender()
    for name in "abc":
        one.put(name)
    one.window.count()
    one.write()
    one.window.resumed(2)
    assert one.settled == {"a": None}
    assert one.write() == ["b0", "c0"]
    assert one.window.written == 4
    one.window.acknowledge(4)
    assert one.settled == dict.fromkeys("abc")


def test_a_connection_lost_in_the_midst_of_writing_again_loses_nothing() -> None:
    one = sender()
    for name in "abc":
        one.put(name)
    one.write()
    one.window.renewed()
    writing = one.window.write()
    assert next(writing) == b"a0"
    one.window.renewed()
    assert one.write() == ["a0", "b0", "c0"]


def test_what_nobody_waits_for_any_more_is_not_written_again_and_makes_room() -> None:
    one = sender(2)
    parcels = [one.put(name) for name in "abcd"]
    one.write()
    one.window.drop(parcels[0])
    one.window.drop(parcels[3])
    assert one.write() == ["c0"]
    one.window.acknowledge(1)  # of the one that was dropped
    assert one.settled == {}
    one.window.renewed()
    assert one.write() == ["b0", "c0"]
    one.window.drop(parcels[1])
    one.window.drop(parcels[2])
    assert not one.window.pending


def test_dropping_one_that_is_settled_changes_nothing() -> None:
    one = sender(1)
    parcel = one.put("a")
    one.write()
    one.window.acknowledge(1)
    one.window.drop(parcel)
    one.put("b")
    assert one.write() == ["b0"]
    one.window.acknowledge(2)
    assert one.settled == {"a": None, "b": None}


def test_a_start_that_is_refused_is_told_and_writes_nothing() -> None:
    one = sender()
    no = RuntimeError("no")
    one.put("a", 2, fails=no)
    one.put("b")
    assert one.write() == ["b0"]
    assert one.settled == {"a": no}
    one.window.acknowledge(1)
    assert one.settled == {"a": no, "b": None}


def test_an_acknowledgement_is_wanted_while_something_written_has_none() -> None:
    one = sender()
    one.put("a")
    assert not one.window.pending
    one.write()
    assert one.window.pending
    one.window.renewed()
    assert not one.window.pending  # nothing of it has been written in this session
    one.write()
    assert one.window.pending
    one.window.acknowledge(1)
    assert not one.window.pending


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "write", "count", "ack", "fresh", "resume", "drop"]), st.integers(0, 9))
)


@given(STEPS, st.integers(1, 5))
def test_against_a_server_that_remembers(steps: list[tuple[str, int]], room: int) -> None:
    """Whatever happens: order is kept, nothing is settled that the server lacks, and in the end it has all."""
    window = Window(room)
    settled: set[bytes] = set()
    parcels: dict[bytes, Parcel] = {}
    dropped: set[bytes] = set()
    wire: list[bytes | None] = []  # what this session has written
    server: list[bytes] = []  # what the server has, ever
    has = 0  # how many of this session
    number = 0

    def write() -> None:
        wire.extend(window.write())

    def take(count: int) -> None:
        nonlocal has
        new = wire[has : has + count]
        has += len(new)
        server.extend(each for each in new if each is not None)

    def check() -> None:
        assert settled <= set(server)
        assert sum(1 for each in parcels.values() if each.begun and not each.over) <= room

    for step, amount in [*steps, ("fresh", 0), ("write", 0)]:
        if step == "put":
            number += 1
            name = b"%d" % number
            parcels[name] = Parcel([name], started=lambda: None, settled=lambda _, name=name: settled.add(name))  # type: ignore[misc]
            window.put(parcels[name])
        elif step == "write":
            write()
        elif step == "count":
            window.count()
            wire.append(None)
        elif step == "ack":
            take(amount)
            window.acknowledge(has)
        elif step == "fresh":
            window.renewed()
            wire, has = [], 0
        elif step == "resume":
            take(amount)
            window.resumed(has)
            wire = wire[:has]
        elif step == "drop" and parcels:
            name = list(parcels)[amount % len(parcels)]
            if not parcels[name].over:
                window.drop(parcels[name])
                dropped.add(name)
        check()
    for _ in range(number + 1):
        take(len(wire))
        window.acknowledge(has)
        write()
    assert settled == set(parcels) - dropped
    first = {name: server.index(name) for name in settled}
    assert sorted(first, key=int) == sorted(first, key=first.__getitem__)
