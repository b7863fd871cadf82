"""An archive is asked for pages, and only it is believed."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.adapters.xmpp.archives import Archives
from convergekit.adapters.xmpp.inflow import Inflow
from convergekit.adapters.xmpp.stanzas.archive import Query
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import NotSentError
from tests.adapters.xmpp.fake_archive import QUERY, FakeArchive
from tests.adapters.xmpp.fake_stream import HANGS, SILENT, FakeStream

pytestmark = pytest.mark.anyio

OWN = "bot@example.org"
ROOM = "room@conference.example.org"


async def asked(
    count: int = 5, *, sender: str | None = None, text: str = "hi"
) -> tuple[Archives, FakeArchive, Inflow, FakeStream]:
    inflow = Inflow(stanzas=1000, octets=2**23)
    stream = FakeStream(inflow)
    inflow.attach(stream)
    archives = Archives(stream, lambda: OWN)
    inflow.divert = archives.take
    await stream.open()
    archive = FakeArchive(stream, sender)
    stream.answers[QUERY] = archive
    for number in range(count):
        archive.keep(f"<message from='ann@example.org/x' id='{number}'><body>{text}</body></message>")
    return archives, archive, inflow, stream


def ids(page: object) -> list[str]:
    return [each.id for each in page.results]  # type: ignore[attr-defined]


async def test_page_after_page_to_the_end() -> None:
    archives, *_ = await asked(5)

    first = await archives.ask(Query(max=3))
    second = await archives.ask(Query(max=3, after=first.last))

    assert (ids(first), first.complete, first.last) == (["a1", "a2", "a3"], False, "a3")
    assert (ids(second), second.complete) == (["a4", "a5"], True)


async def test_and_backwards() -> None:
    archives, *_ = await asked(5)

    first = await archives.ask(Query(max=3, before=""))
    second = await archives.ask(Query(max=3, before=first.first))

    assert (ids(first), first.complete) == (["a3", "a4", "a5"], False)
    assert (ids(second), second.complete) == (["a1", "a2"], True)


async def test_the_archive_may_have_smaller_pages_of_its_own() -> None:
    """Prosody gives fifty, whatever is asked for."""
    archives, archive, *_ = await asked(5)
    archive.limit = 2

    page = await archives.ask(Query(max=50))

    assert (ids(page), page.complete) == (["a1", "a2"], False)


@pytest.mark.parametrize(("room", "sender"), [(None, None), (None, OWN), (None, "Bot@EXAMPLE.org"), (ROOM, ROOM)])
async def test_believed_is_whom_was_asked(room: str | None, sender: str | None) -> None:
    archives, *_ = await asked(1, sender=sender)

    assert ids(await archives.ask(Query(room=room))) == ["a1"]


@pytest.mark.parametrize(
    ("room", "sender"),
    [
        (None, "mallory@example.org"),
        (None, "bot@example.org/other"),
        (None, "example.org"),
        (None, ROOM),
        (None, "@@"),
        (ROOM, None),
        (ROOM, OWN),
        (ROOM, f"{ROOM}/mallory"),
    ],
)
async def test_a_result_from_anybody_else_is_a_message_like_any_other(room: str | None, sender: str | None) -> None:
    archives, _, inflow, _ = await asked(1, sender=sender)

    page = await archives.ask(Query(room=room))

    assert page.results == []
    assert len(await inflow.take(10)) == 1


def with_queryid(id: str) -> Callable[[Element], list[Element]]:
    def mangled(message: Element) -> list[Element]:
        message[0].set("queryid", id)
        return [message]

    return mangled


@pytest.mark.parametrize("queryid", ["", "another"])
async def test_a_result_of_another_question_is_none(queryid: str) -> None:
    archives, archive, *_ = await asked(1)
    archive.mangles = with_queryid(queryid)

    assert (await archives.ask(Query())).results == []


async def test_after_the_answer_nothing_is_believed_any_more() -> None:
    archives, archive, inflow, stream = await asked(1)
    late: list[Element] = []
    archive.mangles = lambda each: late.append(each) or [each]  # type: ignore[func-returns-value]
    await archives.ask(Query())

    stream.push(*late)

    assert len(await inflow.take(10)) == 1


async def test_more_than_was_asked_for_is_asked_for_again() -> None:
    """Who goes on from the end that the archive names would pass over what was left out."""
    archives, archive, *_ = await asked(5)
    archive.mangles = lambda each: [each, each, each]
    page = await archives.ask(Query(max=2))

    assert ids(page) == ["a1", "a1"]
    assert (page.complete, page.last) == (False, "a1")


async def test_what_is_too_much_for_memory_is_asked_for_again() -> None:
    archives, *_ = await asked(30, text="x" * 200_000)

    page = await archives.ask(Query(max=100))
    newest = await archives.ask(Query(max=100, before=""))

    assert len(page.results) == 20
    assert (ids(page)[0], page.complete, page.last) == ("a1", False, "a20")
    assert (ids(newest)[-1], newest.complete, newest.first) == ("a30", False, "a11")


async def test_one_message_comes_however_large_it_is() -> None:
    archives, *_ = await asked(2, text="x" * 5_000_000)

    assert ids(await archives.ask(Query())) == ["a1"]


@pytest.mark.parametrize(("answer", "error"), [(SILENT, NotSentError), (StanzaError("wait", "x"), StanzaError)])
async def test_what_goes_wrong_is_told(answer: Exception, error: type[Exception]) -> None:
    archives, _, _, stream = await asked()
    stream.answers[QUERY] = answer

    with pytest.raises(error):
        await archives.ask(Query())


async def test_who_is_cancelled_leaves_no_question_open() -> None:
    archives, archive, inflow, stream = await asked(1)
    stream.answers[QUERY] = HANGS
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(archives.ask, Query())
        await stream.until(lambda: stream.asked)
        tasks.cancel_scope.cancel()

    stream.answers[QUERY] = lambda iq: archive(stream.asked[0])  # it answers the first question now
    await archives.ask(Query())

    assert stream.asked[0][0].tag == tag(NS.MAM, "query")
    assert len(await inflow.take(10)) == 1
