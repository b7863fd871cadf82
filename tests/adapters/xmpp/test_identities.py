"""Which id names what."""

from __future__ import annotations

import pytest

from convergekit.adapters.xmpp.identities import Identities, is_ours, origin_id

ROOM = "den@rooms.example"


def test_an_id_is_the_same_for_every_attempt_and_another_for_each_stanza() -> None:
    assert origin_id("dispatch/0") == origin_id("dispatch/0")
    assert len({origin_id("dispatch/0"), origin_id("dispatch/1"), origin_id("dispatch/0", 1)}) == 3
    assert origin_id("dispatch/0", 1) == origin_id("dispatch/0") + "-1"


@pytest.mark.parametrize("key", ["a", "schlüssel\n\0", "x" * 10_000])
def test_whatever_the_key_holds_the_id_is_short_and_plain(key: str) -> None:
    assert is_ours(origin_id(key))
    assert is_ours(origin_id(key, 12))
    assert len(origin_id(key)) == 35
    assert origin_id(key).isascii()


@pytest.mark.parametrize("id", [None, "", "ck.", "ck.short", "x" + origin_id("a"), origin_id("a") + "\n", "9f3b-1"])
def test_other_ids_are_not_ours(id: str | None) -> None:
    assert not is_ours(id)


def test_a_message_of_a_room_is_found_by_the_rooms_id_and_by_its_authors() -> None:
    ids = Identities()
    ids.learn(ROOM, "room-1", author="occupant-a", origin="1", sender=f"{ROOM}/ann", text="hello")

    known = ids.find(ROOM, "room-1")
    assert known is not None
    assert (known.message_id, known.origin, known.sender, known.text) == ("room-1", "1", f"{ROOM}/ann", "hello")
    assert ids.find(ROOM, "1", author="occupant-a") is known
    assert ids.find(ROOM, "1") is known
    assert ids.find("other@rooms.example", "room-1") is None


def test_two_who_choose_the_same_id_do_not_share_a_message() -> None:
    ids = Identities()
    ids.learn(ROOM, "room-1", author="occupant-a", origin="1")
    ids.learn(ROOM, "room-2", author="occupant-b", origin="1")

    found = [ids.find(ROOM, "1", author=f"occupant-{name}") for name in "ab"]
    assert [known and known.message_id for known in found] == ["room-1", "room-2"]
    assert ids.find(ROOM, "room-1", author="occupant-b") is None
    first = ids.find(ROOM, "1")
    assert first is not None
    assert first.message_id == "room-1"  # who chose it later does not take it away


def test_an_id_that_is_taken_stays_with_whom_it_belongs_to() -> None:
    ids = Identities()
    ids.learn("ann@a.example", "1", author="bot@a.example")
    ids.learn("ann@a.example", "1", author="ann@a.example")

    known = ids.find("ann@a.example", "1")
    assert known is not None
    assert known.author == "bot@a.example"


def test_only_the_newest_are_kept_and_of_each_only_the_beginning() -> None:
    ids = Identities(messages=2)
    for number in range(4):
        ids.learn(ROOM, str(number), author="a", text="x" * 1000)

    assert [ids.find(ROOM, str(number)) is not None for number in range(4)] == [False, False, True, True]
    assert ids.find(ROOM, "1", author="a") is None
    known = ids.find(ROOM, "3")
    assert known is not None
    assert len(known.text) == 300


def test_who_has_read_one_has_read_what_came_before_it() -> None:
    ids = Identities()
    for id in ("1", "2", "3"):
        ids.sent("ann@a.example", id)
    ids.sent("bob@b.example", "4")

    assert ids.read("ann@a.example", "2") == ("1", "2")
    assert ids.read("ann@a.example", "2") == ("2",)  # told twice
    assert ids.read("ann@a.example", "3") == ("3",)
    assert ids.read("bob@b.example", "3") == ("3",)  # another's says nothing of theirs
    assert ids.read("bob@b.example", "4") == ("4",)


def test_what_is_unread_is_bounded() -> None:
    ids = Identities(peers=2, unread=2)
    for id in ("1", "2", "3"):
        ids.sent("ann@a.example", id)
    assert ids.read("ann@a.example", "3") == ("2", "3")

    for peer in ("ann", "bob", "cat"):
        ids.sent(f"{peer}@a.example", "0")
        ids.sent(f"{peer}@a.example", "9")
    assert ids.read("ann@a.example", "9") == ("9",)
    assert ids.read("cat@a.example", "9") == ("0", "9")
