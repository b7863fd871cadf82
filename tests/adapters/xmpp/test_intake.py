"""Nothing that somebody sends keeps what others send from being heard."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.intake import Incoming, Intake
from convergekit.adapters.xmpp.stanzas.inbound import Archived, Reading
from convergekit.errors import InvalidInputError, NotSentError, StoreError
from convergekit.model import CustomReceived, GapDetected, MessageReceived, TypingChanged
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_stream import FakeStream, element

pytestmark = pytest.mark.anyio

ARCHIVED = Archived("", "a1")


def stanza(id: str, *, archived: Archived | None = None) -> Incoming:
    return Incoming(
        element(f"<message from='ann@example.org/x' id='{id}'><body>secret words</body></message>"), archived
    )


def translated(stanza: Incoming) -> Reading:
    id = stanza.element.get("id") or ""
    if id == "broken":
        raise KeyError("secret words")
    event = MessageReceived(key="" if id == "bad" else f"m:{id}", sender="xmpp:ann@example.org", text="hi")
    typing = TypingChanged(sender="xmpp:ann@example.org", typing=False)
    return Reading(
        (event,), (typing,), (element(f"<message id='to-{id}'/>"),), refused="<forged>" if id == "f" else None
    )


class Here:
    def __init__(self) -> None:
        self.context = FakeContext()
        self.stream = FakeStream()
        self.intake = Intake(self.context, translated, self.stream.post)

    async def admit(self, *stanzas: Incoming, cursor: Cursor | None = None, more: tuple[Any, ...] = ()) -> None:
        await self.intake.admit(stanzas, self.intake.read(stanzas), cursor, *more)

    @property
    def keys(self) -> list[str]:
        return [each.key.partition(":")[0] if each.key.startswith("un") else each.key for each in self.context.admitted]


async def connected() -> Here:
    here = Here()
    await here.stream.open()
    return here


async def test_what_is_safe_is_answered_and_noticed() -> None:
    here = await connected()

    await here.admit(stanza("1"), stanza("2"))

    assert here.keys == ["m:1", "m:2"]
    assert [each.get("id") for each in here.stream.posted] == ["to-1", "to-2"]
    assert [each.type for each in here.context.notified] == ["typing.changed"]


async def test_nothing_is_answered_that_is_not_safe() -> None:
    here = await connected()
    here.context.refuses_admission = StoreError("disk full")

    with pytest.raises(StoreError):
        await here.admit(stanza("1"))

    assert (here.stream.posted, list(here.context.notified)) == ([], [])


async def test_one_that_cannot_be_read_is_told_of_between_the_others() -> None:
    here = await connected()

    await here.admit(stanza("1"), stanza("broken"), stanza("2"))

    assert here.keys == ["m:1", "unreadable", "m:2"]
    told = here.context.admitted[1]
    assert isinstance(told, CustomReceived)
    assert (told.name, told.data["from"], told.data["id"]) == ("xmpp.unreadable", "ann@example.org/x", "broken")
    assert "secret words" not in here.context.logged + repr(told.data)


async def test_one_that_the_ledger_cannot_hold_is_told_of_as_well() -> None:
    here = await connected()
    gap = GapDetected(key="gap:1")

    await here.admit(stanza("1"), stanza("bad"), stanza("2"), cursor=Cursor({"id": "a2"}), more=(gap,))

    assert here.keys == ["gap:1", "m:1", "unreadable", "m:2"]
    assert await here.context.cursor() == {"id": "a2"}
    assert [each.get("id") for each in here.stream.posted] == ["to-1", "to-2"]


async def test_the_same_that_comes_again_is_told_of_once_and_what_has_no_id_each_time() -> None:
    here = await connected()

    for _ in range(2):
        await here.admit(stanza("broken"))
    nameless = Intake(here.context, lambda _: 1 / 0, here.stream.post)  # type: ignore[arg-type,return-value]
    for _ in range(2):
        await nameless.admit([stanza("")], nameless.read([stanza("")]))

    assert len(here.keys) == 3


async def test_where_nothing_can_be_told_nothing_is_said_on() -> None:
    here = Here()
    here.context.refuses_admission = InvalidInputError("no")

    with pytest.raises(InvalidInputError):
        await here.admit(stanza("1"))


async def test_what_was_admitted_before_is_answered_live_and_not_out_of_the_archive() -> None:
    here = await connected()

    await here.admit(stanza("1"))
    await here.admit(stanza("1"))
    await here.admit(stanza("1", archived=ARCHIVED))
    await here.admit(stanza("2", archived=ARCHIVED))

    assert [each.get("id") for each in here.stream.posted] == ["to-1", "to-1", "to-2"]


async def test_without_a_session_nobody_is_answered_and_all_is_well() -> None:
    here = Here()
    with pytest.raises(NotSentError):
        here.stream.post(element("<presence/>"))

    await here.admit(stanza("1"))

    assert here.keys == ["m:1"]


async def test_what_is_not_believed_is_logged() -> None:
    here = await connected()

    await here.admit(stanza("f"))

    assert "not believed: <forged>" in here.context.logged
