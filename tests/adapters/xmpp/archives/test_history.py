"""History is what the archive has, page by page backwards."""

from collections.abc import Sequence

import pytest

from convergekit.adapters.xmpp.archives import Archives, History
from convergekit.adapters.xmpp.inflow import Inflow
from convergekit.adapters.xmpp.intake import Incoming, Intake
from convergekit.adapters.xmpp.stanzas.inbound import Reading
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import ConvergeError, InvalidInputError, NotSentError, RejectedError, UnsupportedContentError
from convergekit.model import ConversationRef, Event, MessageReceived
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_archive import QUERY, FakeArchive, field_of
from tests.adapters.xmpp.fake_stream import SILENT, FakeStream

pytestmark = pytest.mark.anyio

ANN = ConversationRef(address="xmpp:ann@example.org")
ROOM = ConversationRef(address="xmpp:room@conference.example.org")


def translated(stanza: Incoming) -> Reading:
    where = stanza.archived.feed if stanza.archived is not None else "live"
    key = f"{where}:{stanza.element.get('id')}"
    return Reading((MessageReceived(key=key, sender="xmpp:ann@example.org", text="hi"),))


async def there(count: int, *, has_own: bool | None = None, room: str | None = None) -> tuple[History, FakeArchive]:
    context = FakeContext()
    inflow = Inflow(stanzas=1000, octets=2**23)
    stream = FakeStream(inflow)
    inflow.attach(stream)
    archives = Archives(stream, lambda: "bot@example.org")
    inflow.divert = archives.take
    await stream.open()
    archive = FakeArchive(stream, room)
    stream.answers[QUERY] = archive
    for number in range(1, count + 1):
        archive.keep(f"<message from='ann@example.org' id='{number}'><body>hi</body></message>")
    return History(archives, Intake(context, translated, stream.post), has_own=lambda: has_own, channel="im"), archive


def numbers(events: Sequence[Event]) -> list[str]:
    return [event.key.rpartition(":")[2] for event in events]


async def test_the_newest_first_and_backwards_from_there() -> None:
    history, archive = await there(7)

    newest, cursor = await history.before(ANN, None, 3, is_room=False)
    older, next_cursor = await history.before(ANN, cursor, 3, is_room=False)
    oldest, end = await history.before(ANN, next_cursor, 3, is_room=False)

    assert [numbers(each) for each in (newest, older, oldest)] == [["5", "6", "7"], ["2", "3", "4"], ["1"]]
    assert end is None
    assert {field_of(iq, "with") for iq in archive.asked} == {"ann@example.org"}


async def test_smaller_pages_of_the_archive_are_put_together() -> None:
    """Prosody gives fifty at once."""
    history, archive = await there(120)
    archive.limit = 50

    events, cursor = await history.before(ANN, None, 110, is_room=False)

    assert numbers(events) == [str(number) for number in range(11, 121)]
    assert cursor == "a11"


async def test_of_a_room_the_room_is_asked() -> None:
    history, archive = await there(2, room="room@conference.example.org")

    events, _ = await history.before(ROOM, None, 10, is_room=True)

    assert [each.key for each in events] == [f"room:room@conference.example.org:{number}" for number in (1, 2)]
    assert (archive.asked[0].get("to"), field_of(archive.asked[0], "with")) == ("room@conference.example.org", None)


async def test_an_empty_archive_has_no_history() -> None:
    history, _ = await there(0)

    assert await history.before(ANN, None, 10, is_room=False) == ([], None)


async def test_an_archive_that_comes_to_no_end_does_not_keep_us() -> None:
    history, archive = await there(2)
    archive._found = lambda _: archive.kept * 3  # type: ignore[method-assign]

    events, cursor = await history.before(ANN, None, 2, is_room=False)
    again, end = await history.before(ANN, cursor, 100, is_room=False)

    assert (len(events), end) == (2, None)
    assert len(again) < 100


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (StanzaError("auth", "forbidden"), RejectedError),
        (StanzaError("cancel", "item-not-found"), RejectedError),
        (StanzaError("wait", "resource-constraint"), NotSentError),
        (SILENT, NotSentError),
    ],
)
async def test_a_refusal_tells_whether_to_ask_again(answer: Exception, error: type[ConvergeError]) -> None:
    history, archive = await there(2)
    archive.stream.answers[QUERY] = answer

    with pytest.raises(error):
        await history.before(ANN, None, 10, is_room=False)


async def test_a_component_has_none_and_not_every_server_has_one() -> None:
    history, _ = await there(1, has_own=False)

    with pytest.raises(UnsupportedContentError, match="no archive"):
        await history.before(ANN, None, 10, is_room=False)


@pytest.mark.parametrize(("cursor", "limit"), [(5, 10), ({}, 10), (None, 0)])
async def test_a_cursor_is_one_of_ours(cursor: object, limit: int) -> None:
    history, _ = await there(1)

    with pytest.raises(InvalidInputError):
        await history.before(ANN, cursor, limit, is_room=False)
