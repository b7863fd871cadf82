"""What every store promises of its archive."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.abc import EntryState, Erased, Page, Store
from convergekit.errors import InvalidInputError
from convergekit.model import (
    Address,
    Attachment,
    Contact,
    ConversationRef,
    DeliveryState,
    Dispatch,
    DispatchState,
    Importance,
    Message,
    MessageEdited,
    MessageReceived,
    MessageRetracted,
    Operation,
    Receipt,
    ReceiptReceived,
    Status,
)

from ..clock import FakeClock
from ._keeps import keeps
from ._kit import ANN, BOB, START, after, changed, claim, closed, delivery, dispatch, event, lease, served, taken

__all__ = ["ArchiveContract", "ErasureContract", "RetentionContract"]

DAY = 86400.0


#: A text, what finds it and nothing else of these, and what is shown of it.
SCRIPTS = [
    ("Un CAFÉ crème", "cafe", "CAFÉ"),
    ("La re\u0301gion", "RÉGION", "re\u0301gion"),
    ("Die Straße", "STRASSE", "Straße"),
    ("Ελλάδα", "ελλαδα", "Ελλάδα"),
    ("Ёлка", "елка", "Ёлка"),
    ("ＡＢＣ", "abc", "ＡＢＣ"),
    ("我们明天在北京见面", "北京", "北京"),
    ("東京タワーへ行く", "タワー", "タワー"),
    ("한국어를 배웁니다", "한국", "한국"),
    ("สวัสดีครับ", "สวัสดี", "สวัสดี"),
    ("नमस्ते दुनिया", "दुनिया", "दुनिया"),
    ("see example.org/a-b", "example.org", "example.org"),
    ("e\u00adven so", "even", "e\u00adven"),
]
#: What has a meaning in some language of queries, or in none.
HOSTILE = [
    '"',
    '""',
    '"""',
    "'",
    "''",
    "*",
    "a*",
    "a AND",
    "NOT a",
    "OR",
    "NEAR(a b)",
    "a NEAR/2 b",
    "words:a",
    "^a",
    "-a",
    "a:b",
    "a & b",
    "a | !b",
    "a <-> b",
    "(a",
    "a)",
    "\\",
    "\x00",
    "a\x00b",
    "\ud800",
    "a\ud800",
    "%",
    "_",
    "a; DROP TABLE convergekit_said",
    "{a}",
    "+",
    "?!.,;",
    "😀",
    "x" * 5000,
    "'a':1",
    "a\\' b",
    "￿",
    "\u0301",
    '"a',
    'a" b "c',
]


def heard(key: str, text: str, who: str = ANN, **fields: Any) -> MessageReceived:
    """Somebody says *text*."""
    return event(key, who, **fields).model_copy(update={"text": text})


def said(id: str, text: str, who: str = ANN, *, message: Message | None = None, **fields: Any) -> Dispatch:
    """We say *text*."""
    return dispatch(id, who, **fields).model_copy(update={"message": message or Message(text)})


def texts(page: Page) -> list[str]:
    """What was found, in order."""
    return [found.text for found in page.found]


async def everything(store: Store, **query: Any) -> list[str]:
    """All of it, page by page."""
    found: list[str] = []
    after = None
    while True:
        page = await store.archive.search(after=after, **query)
        found += texts(page)
        after = page.next
        if after is None:
            return found


class ArchiveContract:
    @keeps("archive-finds")
    async def test_what_was_said_is_found_at_once_both_ways(self, store: Store) -> None:
        await store.admit("c", [heard("1", "Where is my parcel?")])
        await store.submit([said("2", "Your parcel is on its way.")])
        page = await store.archive.search("parcel")
        answer, question = page.found
        assert (page.next, answer.direction, question.direction) == (None, "out", "in")
        assert (question.channel, question.address, question.at) == ("c", Address(ANN), START)
        assert (answer.channel, answer.address, answer.at) == ("c", Address(ANN), START)
        assert question.conversation == answer.conversation == ConversationRef(channel="c", address=Address(ANN))
        assert (answer.text, answer.highlights) == ("Your parcel is on its way.", ((5, 11),))
        assert (question.text, question.highlights) == ("Where is my parcel?", ((12, 18),))
        assert isinstance(answer.content, Message)
        assert isinstance(question.content, MessageReceived)
        loaded = await store.load(answer.id)
        assert loaded is not None
        assert loaded.message == answer.content

    @keeps("archive-finds")
    async def test_all_words_have_to_be_there_and_phrases_as_they_stand(self, store: Store) -> None:
        await store.admit("c", [heard("1", "the red car and the blue house"), heard("2", "a red house")])
        assert texts(await store.archive.search("house red")) == ["a red house", "the red car and the blue house"]
        assert texts(await store.archive.search('"red house"')) == ["a red house"]
        assert texts(await store.archive.search('"blue house" red')) == ["the red car and the blue house"]
        assert texts(await store.archive.search('"house blue"')) == []
        assert texts(await store.archive.search("red green")) == []

    @keeps("archive-finds")
    async def test_case_accents_and_scripts(self, store: Store) -> None:
        await store.admit("c", [heard(str(number), text) for number, (text, *_) in enumerate(SCRIPTS)])
        for text, query, highlight in SCRIPTS:
            (found,) = (await store.archive.search(query)).found
            assert found.text == text
            assert [text[start:end] for start, end in found.highlights] == [highlight]

    @keeps("archive-finds")
    async def test_characters_that_stand_apart_are_no_word(self, store: Store) -> None:
        await store.admit("c", [heard("1", "北方的京城")])
        assert texts(await store.archive.search("北京")) == []
        assert texts(await store.archive.search("京城")) == ["北方的京城"]

    @keeps("archive-finds")
    async def test_subjects_files_html_and_markdown_are_searched(self, store: Store) -> None:
        message = Message(
            html="<p>Dear <b>Ann</b>, <script>hidden()</script>the in<i>voice</i></p>",
            subject="Reminder",
            attachments=(Attachment(data=b"x", name="Rechnung-7.pdf"),),
        )
        await store.submit([said("1", "", message=message), said("2", "", message=Message(markdown="**bold** move"))])
        for words in ("reminder", "invoice", "rechnung 7", "ann reminder"):
            (found,) = (await store.archive.search(words)).found
            assert found.content == message
        assert "hidden" not in found.text
        assert texts(await store.archive.search("hidden")) == []
        assert texts(await store.archive.search("bold move")) == ["**bold** move"]

    @keeps("archive-finds")
    async def test_edits_are_said_and_receipts_are_not(self, store: Store) -> None:
        ann = Address(ANN)
        where = ConversationRef(channel="c", address=ann)
        edit = MessageEdited(key="2", channel="c", conversation=where, sender=ann, target="1", text="bananas")
        retraction = MessageRetracted(key="3", channel="c", conversation=where, sender=ann, target="1")
        await store.admit("c", [heard("1", "apples"), edit, retraction])
        react = delivery("5", operation=Operation.REACT, target=("1",))
        await store.submit([dispatch("5", deliveries=[react])])
        assert await everything(store) == ["bananas", "apples"]
        assert texts(await store.archive.search("bananas")) == ["bananas"]

    @keeps("archive-by-person")
    async def test_filters(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [heard("1", "hello one"), heard("2", "hello two", BOB, at=after(-3600))])
        clock.advance(100)
        await store.admit("d", [heard("3", "hello three", channel="d")])
        await store.submit([said("4", "hello four", channel="d")])
        room = ConversationRef(channel="d", address=Address("tg:room"), thread="t")
        await store.admit("d", [heard("5", "hello five", BOB, channel="d").model_copy(update={"conversation": room})])
        for words in ("", "hello"):
            found = await everything(store, words=words)
            assert found == ["hello five", "hello four", "hello three", "hello two", "hello one"]
            for query, wanted in (
                ({"contact": ANN}, "four three one"),
                ({"contact": [Address(BOB), "tg:nobody"]}, "five two"),
                ({"contact": Contact(id="b", addresses=[BOB, ANN])}, "five four three two one"),
                ({"contact": []}, ""),
                ({"contact": "tg:room"}, "five"),
                ({"conversation": room}, "five"),
                ({"conversation": "tg:room#t"}, "five"),
                ({"conversation": ANN}, "four three one"),
                ({"conversation": ConversationRef(channel="c", address=Address(ANN))}, "one"),
                ({"conversation": ANN, "contact": BOB}, ""),
                ({"channel": "d"}, "five four three"),
                ({"channel": "nobody"}, ""),
                ({"direction": "in"}, "five three two one"),
                ({"direction": "out"}, "four"),
                ({"since": after(50)}, "five three"),
                ({"until": after(0)}, "two"),
                ({"since": START, "until": after(50)}, "four one"),
                ({"channel": "d", "contact": ANN, "direction": "in"}, "three"),
            ):
                found = await everything(store, words=words, **query)
                assert " ".join(text.removeprefix("hello ") for text in found) == wanted, query

    @keeps("archive-finds")
    async def test_what_is_sent_again_in_other_words_is_found_by_those(self, store: Store) -> None:
        """The old ones were never said."""
        (one,) = await store.submit([said("1", "the wrong words")])
        await store.admit("c", [heard("2", "something else")])
        again = delivery("1b", BOB, dispatch="1", supersedes="1")
        changes = {"message": Message("the right words"), "deliveries": (*one.deliveries, again)}
        edited = await store.save(one.model_copy(update=changes))
        assert edited is not None
        assert texts(await store.archive.search("wrong")) == []
        assert texts(await store.archive.search("right")) == ["the right words"]
        assert await everything(store, contact=BOB) == ["the right words"]
        assert await store.save(edited) is not None
        assert sorted(await everything(store)) == ["something else", "the right words"]
        assert (await store.archive.erase(BOB)).erased == 1
        assert await everything(store) == ["something else"]

    @keeps("archive-by-person")
    async def test_who_was_copied_was_spoken_with(self, store: Store) -> None:
        await store.admit("c", [heard("1", "to many", BOB, cc=[Address(ANN)])])
        await store.submit([said("2", "", BOB, message=Message("to two", cc=[ANN]))])
        assert await everything(store, contact=ANN) == ["to two", "to many"]

    @keeps("archive-by-person")
    async def test_a_resource_is_no_other_person(self, store: Store) -> None:
        await store.admit("c", [heard("1", "from the phone", "xmpp:ann@example.org/phone")])
        assert await everything(store, contact="xmpp:ann@example.org") == ["from the phone"]
        assert await everything(store, contact="xmpp:ann@example.org/phone") == ["from the phone"]
        assert await everything(store, contact="xmpp:ann@example.org/desk") == []

    @keeps("archive-by-person")
    async def test_a_message_with_two_legs_is_found_once_by_each_channel(self, store: Store) -> None:
        legs = [delivery("1a", dispatch="1"), delivery("1b", BOB, dispatch="1", channel="d", leg=1)]
        await store.submit([said("1", "hello", deliveries=legs)])
        queries: tuple[dict[str, Any], ...] = (
            {"channel": "c"},
            {"channel": "d"},
            {"contact": [ANN, BOB]},
            {"contact": BOB},
            {"words": "hello"},
        )
        for query in queries:
            assert await everything(store, **query) == ["hello"]

    @keeps("archive-pages")
    async def test_pages_have_neither_gaps_nor_doubles_while_more_comes(self, store: Store) -> None:
        queries: tuple[dict[str, Any], ...] = ({}, {"words": "number"}, {"contact": ANN}, {"channel": "c"})
        for query in queries:
            name = "".join(query) or "all"
            await store.admit("c", [heard(f"{name}{n}", f"number {name} {n:02}") for n in range(25)])
            there = await everything(store, limit=1000, **query)
            found: list[str] = []
            place = None
            while True:
                page = await store.archive.search(limit=7, after=place, **query)
                found += texts(page)
                await store.admit("c", [heard(f"{name}-later{len(found)}", f"number {name} later")])
                place = page.next
                if place is None:
                    break
                assert len(page.found) == 7
            assert found == there

    @keeps("archive-pages")
    async def test_an_export_is_all_of_it_the_oldest_first(self, store: Store) -> None:
        numbers = [f"{n:04}" for n in range(1203)]
        await store.admit("c", [heard(number, f"all {number}") for number in numbers])
        await store.admit("d", [heard("d", "all of another", channel="d")])
        assert [found.text.split()[1] async for found in store.archive.export("all", channel="c")] == numbers

    @keeps("any-text-is-a-query")
    async def test_any_text_is_a_query(self, store: Store) -> None:
        """There are no operators, and nothing that a database could trip over."""
        await store.admit("c", [heard("1", "a b words")])
        for query in HOSTILE:
            page = await store.archive.search(query)
            assert texts(page) in ([], ["a b words"]), query

    @keeps("any-text-is-a-query")
    async def test_words_that_look_like_operators_are_words(self, store: Store) -> None:
        await store.admit("c", [heard("1", "to be or not to be"), heard("2", "near and far")])
        assert texts(await store.archive.search("not OR")) == ["to be or not to be"]
        assert texts(await store.archive.search("NEAR AND")) == ["near and far"]

    @keeps("any-text-is-a-query")
    async def test_what_has_no_word_in_it_is_found_nowhere(self, store: Store) -> None:
        await store.admit("c", [heard("1", "?!")])
        assert await everything(store, words="?!") == []
        assert await everything(store, words="  ") == ["?!"]

    @keeps("any-text-is-a-query")
    async def test_what_makes_no_sense_is_said(self, store: Store) -> None:
        queries: tuple[dict[str, Any], ...] = (
            {"words": "word " * 50 + "北" * 51 + " ".join(f"w{n}" for n in range(60))},
            {"contact": "nobody"},
            {"since": START.replace(tzinfo=None)},
            {"after": "page 2"},
        )
        for query in queries:
            with pytest.raises(InvalidInputError):
                await store.archive.search(**query)

    @keeps("any-text-is-a-query")
    async def test_an_argument_that_makes_no_sense_is_named(self, store: Store) -> None:
        queries: tuple[dict[str, Any], ...] = (
            {"since": START.replace(tzinfo=None)},
            {"since": "2026-01-31"},
            {"since": START.date()},
            {"until": 7.0},
            {"direction": "inbound"},
            {"limit": 0},
            {"limit": -1},
            {"limit": "20"},
        )
        for query in queries:
            (name,) = query
            with pytest.raises(InvalidInputError, match=f"^{name} "):
                await store.archive.search(**query)

    @keeps("any-text-is-a-query")
    async def test_long_and_odd_texts_are_taken(self, store: Store) -> None:
        long = " ".join(f"w{n}" for n in range(30_000)) + " " + "y" * 5000 + " 的" * 1000
        odd = "'quoted' back\\slash a:1,2 \x01 \u2028 ﷽ 😀"
        await store.admit("c", [heard("1", long), heard("2", odd), heard("3", "")])
        assert texts(await store.archive.search("w5 w20000")) == [long]
        assert texts(await store.archive.search("quoted slash")) == [odd]
        assert len(await everything(store)) == 3


class RetentionContract:
    @keeps("old-content-goes")
    async def test_what_is_old_loses_its_content_and_what_is_new_does_not(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [heard("1", "old words")])
        await store.submit([said("2", "old answer")])
        await served(store)
        await served(store, "out")
        clock.advance(10 * DAY)
        await store.admit("c", [heard("3", "new words")])
        await served(store)
        before = await store.counts()
        assert await store.archive.retain(5 * DAY) == 2
        assert await everything(store) == ["new words"]
        assert texts(await store.archive.search("old")) == []
        assert await store.counts() == before
        assert await store.archive.retain(5 * DAY) == 0

    @keeps("old-content-goes")
    async def test_a_time_that_is_longer_than_the_calendar_empties_nothing(self, store: Store) -> None:
        await store.admit("c", [heard("1", "words")])
        await served(store)
        assert await store.archive.retain(float("inf")) == 0
        assert await everything(store) == ["words"]

    @keeps("old-content-goes")
    async def test_it_may_be_for_one_channel(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [heard("1", "of c")])
        await store.admit("d", [heard("2", "of d", channel="d")])
        await served(store)
        clock.advance(DAY)
        assert await store.archive.retain(1, channel="d") == 1
        assert await everything(store) == ["of c"]

    @keeps("old-content-goes")
    async def test_more_than_one_slice(self, store: Store, clock: FakeClock) -> None:
        gone = [said(str(number), "so much", state=DeliveryState.CLOSED) for number in range(501)]
        await store.submit(gone)
        await store.admit("c", [heard("open", "so much")])
        clock.advance(DAY)
        assert await store.archive.retain(1) == 501
        assert await everything(store, words="much") == ["so much"]

    @keeps("old-content-goes")
    async def test_what_is_open_is_kept_however_old(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [heard("dead", "dead in"), heard("wait", "waits in")])
        await store.bury(await lease(store), reason="x")
        states = {
            "queued": {},
            "sending": {"state": DeliveryState.SENDING},
            "unknown": {"state": DeliveryState.UNKNOWN},
            "dead": {"state": DeliveryState.DEAD},
            "later": {"state": DeliveryState.WAITING},
        }
        for name, fields in states.items():
            (one,) = await store.submit([said(name, name, f"tg:{name}")])
            if fields:
                await store.save(changed(one, **fields))
        clock.advance(100 * DAY)
        assert await store.archive.retain(1) == 0
        assert sorted(await everything(store)) == sorted([*states, "dead in", "waits in"])
        assert "wait" in await served(store)
        assert await store.archive.retain(1) == 1

    @keeps("old-content-goes")
    async def test_a_key_is_known_after_its_content_is_gone(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [heard("1", "a")])
        await store.submit([said("2", "b", key="order-1", fingerprint="f")])
        await served(store)
        await served(store, "out")
        clock.advance(DAY)
        assert await store.archive.retain(1) == 2
        (admission,) = await store.admit("c", [heard("1", "a")])
        assert admission.value == "duplicate"
        (again,) = await store.submit([said("3", "b", key="order-1", fingerprint="f")])
        assert (again.id, again.message) == ("2", Message())
        assert await everything(store) == []


class ErasureContract:
    @keeps("erased-whole")
    async def test_nothing_is_left_but_the_fact(self, store: Store) -> None:
        note = Attachment(data=b"secret", name="secret.txt")
        await store.admit(
            "c",
            [
                heard("1", "secret in", attachments=(note,), native={"raw": "secret"}),
                heard("2", "kept in", BOB),
                heard("3", "secret copy", BOB, cc=(Address(ANN),)),
            ],
        )
        await store.submit([said("4", "", message=Message("secret out", subject="secret", native={"c": "secret"}))])
        await store.submit([said("5", "kept out", BOB)])
        await served(store)
        held = await claim(store, "out")
        for each in held.leases:
            assert each.dispatch is not None
            await store.save(taken(each.dispatch, f"id-{each.dispatch.id}"), lease=each, release=True)
        before = await store.counts()
        assert await store.archive.erase(ANN) == Erased(3, 0, 0)
        assert await everything(store) == ["kept out", "kept in"]
        assert await everything(store, words="secret") == []
        assert await everything(store, contact=ANN) == []
        assert await store.counts() == before
        assert await store.find("c", ids=["id-4"]) is None
        assert await store.find("c", address=ANN) is None
        assert await store.find("c", ids=["id-5"]) == ("5", "5")
        assert await store.dispatches(recipient=ANN) == []
        left = await store.load("4")
        assert left is not None
        assert (left.state.is_final, left.status) == (True, Status.ACCEPTED)
        for word in ("secret", ANN, "id-4"):
            assert word not in left.model_dump_json()
        assert await store.archive.erase(ANN) == Erased(0, 0, 0)

    @keeps("erased-stops")
    async def test_what_is_queued_is_cancelled_and_nothing_goes_out(self, store: Store, clock: FakeClock) -> None:
        await store.submit([said("1", "now"), said("2", "later", due=1000), said("3", "kept", BOB)])
        assert await store.archive.erase(ANN) == Erased(2, 2, 0)
        clock.advance(2000)
        assert await served(store, "out") == ["3"]
        for name in ("1", "2"):
            left = await store.load(name)
            assert left is not None
            assert (left.state, left.deliveries[0].state) == (DispatchState.CANCELLED, DeliveryState.CANCELLED)

    @keeps("erased-stops")
    async def test_what_waits_for_a_handler_is_not_handled(self, store: Store) -> None:
        await store.admit("c", [heard("1", "a"), heard("2", "b", BOB), heard("3", "c")])
        await store.postpone(await lease(store, limit=1), due=after(1000), hold=1000, reason="secret")
        first = await store.archive.erase(ANN)
        assert first == Erased(2, 2, 0)
        assert await served(store) == ["2"]
        counts = await store.counts()
        assert {state: n for (_, state), n in counts.entries.items() if n} == {EntryState.DONE: 3}

    @keeps("erased-stops")
    async def test_a_lane_goes_on_behind_what_was_taken_out(self, store: Store) -> None:
        """What comes after it in the same lane is served at once, though what was taken out would have held it up."""
        room = ConversationRef(channel="c", address=Address("tg:room"))
        events = [heard("1", "a"), heard("2", "b", BOB)]
        await store.admit("c", [each.model_copy(update={"conversation": room}) for each in events])
        await store.postpone(await lease(store), due=after(1000), hold=1000, reason="x")
        assert await store.archive.erase(ANN) == Erased(1, 1, 0)
        assert await served(store) == ["2"]

    @keeps("erased-stops")
    async def test_what_is_in_hand_is_left_and_counted(self, store: Store) -> None:
        await store.admit("c", [heard("1", "being handled")])
        held = await lease(store)
        (one,) = await store.submit([said("2", "being sent")])
        out = await lease(store, "out")
        assert out.dispatch is not None
        sending = await store.save(changed(one, state=DeliveryState.SENDING), lease=out)
        assert sending is not None
        assert await store.archive.erase(ANN) == Erased(0, 0, 2)
        assert len(await everything(store)) == 2
        await store.finish(held)
        await store.save(closed(sending), lease=out, release=True)
        assert await store.archive.erase(ANN) == Erased(2, 0, 0)

    @keeps("erased-whole")
    async def test_nobody_is_nobody(self, store: Store) -> None:
        await store.admit("c", [heard("1", "kept")])
        assert await store.archive.erase([]) == Erased(0, 0, 0)
        assert await everything(store) == ["kept"]

    @keeps("erased-whole")
    async def test_a_stale_snapshot_cannot_bring_it_back(self, store: Store) -> None:
        (one,) = await store.submit([said("1", "secret")])
        await store.archive.erase(ANN)
        assert await store.save(closed(one)) is None

    @keeps("erased-stops")
    async def test_dead_letters_and_unknowns_are_closed(self, store: Store) -> None:
        await store.admit("c", [heard("1", "a")])
        await store.bury(await lease(store), reason="secret")
        (one, two) = await store.submit([said("2", "b"), said("3", "c")])
        await store.save(changed(one, state=DeliveryState.DEAD, reason="secret"))
        await store.save(changed(two, state=DeliveryState.UNKNOWN, unknown=frozenset({0})))
        before = await store.counts()
        assert (await store.archive.erase(ANN)).erased == 3
        assert await store.dead_entries() == []
        assert await store.dead_deliveries() == []
        left = await store.load("3")
        assert left is not None
        assert left.status is Status.UNKNOWN
        after = await store.counts()
        for sums in ("entries", "deliveries"):
            assert sum(getattr(after, sums).values()) == sum(getattr(before, sums).values())

    @keeps("erased-whole")
    async def test_receipts_go_with_what_they_report_on(self, store: Store) -> None:
        (one,) = await store.submit([said("1", "a")])
        await store.save(taken(one, "theirs-1"))
        receipt = Receipt(Status.DELIVERED, ids=["theirs-1"], native={"to": "secret"})
        await store.admit("c", [ReceiptReceived(key="r", channel="c", receipt=receipt)])
        await served(store)
        await store.park("c", Receipt(Status.READ, ids=["theirs-1"]))
        await store.park("c", Receipt(Status.READ, ids=["other"], address=ANN))
        await store.park("c", Receipt(Status.READ, ids=["kept"]))
        assert (await store.archive.erase(ANN)).erased == 2
        assert await store.unpark("c", ["theirs-1", "other"]) == []
        assert len(await store.unpark("c", ["kept"])) == 1

    @keeps("erased-whole")
    async def test_several_addresses_and_more_than_one_slice(self, store: Store) -> None:
        people = (ANN, BOB, "tg:eve")
        await store.submit([said(str(n), "so much", people[n % 3], state=DeliveryState.CLOSED) for n in range(750)])
        contact = Contact(id="ab", addresses=[ANN, BOB])
        assert await store.archive.erase(contact) == Erased(500, 0, 0)
        assert len(await everything(store, words="much", limit=1000)) == 250

    @keeps("erased-whole")
    async def test_contacts_in_the_store_are_forgotten(self, store: Store) -> None:
        from convergekit.engine.context import StoredState
        from convergekit.router import StoredContacts

        contacts = StoredContacts(StoredState(store, "contacts"))
        await contacts.put(Contact(id="ann", addresses=[ANN, "mailto:ann@example.org"], name="Ann"))
        await contacts.put(Contact(id="bob", addresses=[BOB]))
        await store.archive.erase(ANN)
        assert await contacts.get("ann") is None
        assert await contacts.by_address(Address("mailto:ann@example.org")) is None
        assert await contacts.get("bob") is not None

    @keeps("erased-stops")
    async def test_urgent_stays_urgent(self, store: Store) -> None:
        """The class is no content; and an erased message is in the lane of nobody."""
        urgent = said("1", "", message=Message("x", importance=Importance.URGENT), importance=Importance.URGENT)
        await store.submit([urgent])
        await store.archive.erase(ANN)
        left = await store.load("1")
        assert left is not None
        assert left.message == Message(importance=Importance.URGENT)
        assert (await claim(store, "out")).leases == []
