"""Files are at X before the post that shows them."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit.errors import NotSentError, RejectedError, StoreError, UncertainError, UnsupportedContentError
from convergekit.model import Attachment, FailureKind, Message, Part
from convergekit.testing import outgoing
from tests.adapters.x.outbound.kit import ANN, Account, posted

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
PHOTO = Attachment(data=b"p" * 10, media_type="image/png", description="A parcel at a door")
GIF = Attachment(data=b"g" * 10, media_type="image/gif")
VIDEO = Attachment(data=b"v" * 10, media_type="video/mp4", description="A film")
INITIALIZE = "POST /2/media/upload/initialize"
STATUS = "GET /2/media/upload"


def showing(*attachments: Attachment, direct: bool = False, **more: Any) -> Any:
    part = Part(text="look", attachments=attachments)
    message = Message("look", attachments=attachments)
    return outgoing(ANN.uri if direct else "x:public", "look", part=part, message=message, **more)


def uploading(account: Account, *states: Any, count: int = 1) -> None:
    ids = [str(number) for number in range(501, 501 + count)]
    account.x.answers = {
        INITIALIZE: [{"data": {"id": id}} for id in ids],
        **{f"POST /2/media/upload/{id}/append": {} for id in ids},
        **{f"POST /2/media/upload/{id}/finalize": {} for id in ids},
        STATUS: [{"data": {"processing_info": state}} for state in states],
        "POST /2/media/metadata": {},
        "POST /2/tweets": posted(),
        "POST /2/dm_conversations/with/12/messages": {"data": {"dm_event_id": "900", "dm_conversation_id": "7-12"}},
    }


async def test_a_photo_is_announced_handed_over_finished_described_and_shown() -> None:
    account = Account()
    uploading(account)

    await account.outbound.send(showing(PHOTO))

    assert account.x.asked == [
        (INITIALIZE, {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": 10}),
        ("POST /2/media/upload/501/append", (0, 10)),
        ("POST /2/media/upload/501/finalize", None),
        ("POST /2/media/metadata", {"id": "501", "metadata": {"alt_text": {"text": "A parcel at a door"}}}),
        ("POST /2/tweets", {"text": "look", "media_ids": ["501"]}),
    ]


@pytest.mark.parametrize(
    ("attachment", "direct", "category"),
    [
        (PHOTO, True, "dm_image"),
        (GIF, False, "tweet_gif"),
        (GIF, True, "dm_gif"),
        (VIDEO, False, "tweet_video"),
        (VIDEO, True, "dm_video"),
    ],
)
async def test_each_kind_of_file_has_the_category_of_where_it_is_shown(
    attachment: Attachment, direct: bool, category: str
) -> None:
    account = Account()
    uploading(account, {"state": "succeeded"})

    await account.outbound.send(showing(attachment, direct=direct))

    assert account.x.asked[0][1]["media_category"] == category


async def test_a_direct_message_has_its_one_file() -> None:
    account = Account()
    uploading(account)

    receipt = await account.outbound.send(showing(PHOTO, direct=True))

    assert account.x.asked[-1] == ("POST /2/dm_conversations/with/12/messages", {"text": "look", "media_id": "501"})
    assert receipt.ids == ("900",)


async def test_a_video_goes_in_pieces_that_are_read_one_by_one() -> None:
    account = Account()
    uploading(account, {"state": "succeeded"})

    await account.outbound.send(showing(Attachment(data=b"v" * (9 * MIB), media_type="video/mp4")))

    pieces = [said for name, said in account.x.asked if name.endswith("/append")]
    assert pieces == [(0, 4 * MIB), (1, 4 * MIB), (2, 1 * MIB)]


async def test_no_more_than_a_few_pieces_of_it_are_in_memory(tmp_path: Path) -> None:
    account = Account()
    uploading(account, {"state": "succeeded"})
    film = tmp_path / "film.mp4"
    with film.open("wb") as file:
        file.truncate(64 * MIB)

    tracemalloc.start()
    try:
        await account.outbound.send(showing(Attachment(path=film, size=64 * MIB)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert account.x.count("POST", "/2/media/upload/501/append") == 16
    assert peak < 16 * MIB


async def test_what_x_processes_is_waited_for_as_long_as_x_asks() -> None:
    account = Account()
    uploading(account, {"state": "pending", "check_after_secs": 5}, {"state": "in_progress"}, {"state": "succeeded"})
    begun = account.context.clock.now()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(account.outbound.send, showing(VIDEO))
        for seconds in (5, 1):
            await anyio.wait_all_tasks_blocked()
            account.context.clock.advance(seconds)

    assert account.context.clock.now() - begun == timedelta(seconds=6)
    assert account.x.count("POST", "/2/tweets") == 1


async def test_what_x_cannot_process_is_refused() -> None:
    account = Account()
    uploading(account, {"state": "failed"})

    with pytest.raises(RejectedError) as caught:
        await account.outbound.send(showing(VIDEO))

    assert caught.value.kind == FailureKind.CONTENT
    assert account.x.count("POST", "/2/tweets") == 0


async def test_what_x_processes_for_long_is_tried_again_and_not_uploaded_again() -> None:
    account = Account()
    uploading(account, {"state": "in_progress", "check_after_secs": 3600}, *[{"state": "in_progress"}] * 200)

    async with anyio.create_task_group() as tasks:

        async def send() -> None:
            with pytest.raises(NotSentError):
                await account.outbound.send(showing(VIDEO))
            tasks.cancel_scope.cancel()

        tasks.start_soon(send)
        while True:
            await anyio.wait_all_tasks_blocked()
            account.context.clock.advance(10)

    account.x.answers[STATUS] = [{"data": {}}]
    await account.outbound.send(showing(VIDEO, attempt=2))

    assert account.x.count("POST", "/2/media/upload/initialize") == 1
    assert account.x.asked[-1] == ("POST /2/tweets", {"text": "look", "media_ids": ["501"]})


async def test_of_several_only_what_is_missing_is_uploaded_again() -> None:
    account = Account()
    uploading(account, count=2)
    account.x.answers["POST /2/media/upload/502/append"] = [NotSentError("X is away"), {}]

    with pytest.raises(NotSentError):
        await account.outbound.send(showing(PHOTO, PHOTO))
    account.x.answers[INITIALIZE] = [{"data": {"id": "502"}}]
    await account.outbound.send(showing(PHOTO, PHOTO, attempt=2))

    assert account.x.count("POST", "/2/media/upload/501/append") == 1
    assert account.x.asked[-1][1]["media_ids"] == ["501", "502"]


async def test_what_was_uploaded_a_day_ago_is_uploaded_again() -> None:
    account = Account()
    uploading(account, count=2)
    account.x.answers["POST /2/tweets"] = [NotSentError("X is away"), posted()]

    with pytest.raises(NotSentError):
        await account.outbound.send(showing(PHOTO))
    account.context.clock.advance(21 * 3600)
    await account.outbound.send(showing(PHOTO, attempt=2))

    assert account.x.asked[-1][1]["media_ids"] == ["502"]


@pytest.mark.parametrize("ends", [None, RejectedError("no")])
async def test_what_is_over_is_not_remembered(ends: Exception | None) -> None:
    account = Account()
    uploading(account)
    account.x.answers["POST /2/tweets"] = ends or posted()
    out = showing(PHOTO)

    with suppress(RejectedError):
        await account.outbound.send(out)

    assert (await account.context.state.get(f"media:{out.key}"))[0] is None


async def test_a_ledger_that_fails_afterwards_does_not_make_it_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account()
    uploading(account)
    put = account.context.state.put

    async def fails(key: str, value: Any, **more: Any) -> bool:
        if value is None:
            raise StoreError("the disk is full")
        return await put(key, value, **more)

    monkeypatch.setattr(account.context.state, "put", fails)

    assert (await account.outbound.send(showing(PHOTO))).ids


@pytest.mark.parametrize("step", [INITIALIZE, "POST /2/media/upload/501/append", "POST /2/media/metadata"])
async def test_an_upload_of_which_nobody_knows_what_became_has_sent_nothing(step: str) -> None:
    """Nobody sees a file that no post shows: the message is tried again, and nobody has to look for it."""
    account = Account()
    uploading(account)
    account.x.answers[step] = UncertainError("no answer")

    with pytest.raises(NotSentError):
        await account.outbound.send(showing(PHOTO))


@pytest.mark.parametrize(
    ("attachments", "word"),
    [
        ((Attachment(data=b"x", media_type="application/pdf"),), "application/pdf"),
        ((Attachment(data=b"x" * (5 * MIB + 1), media_type="image/png"),), "bytes"),
        ((Attachment(data=b"x" * (15 * MIB + 1), media_type="image/gif"),), "bytes"),
        ((Attachment(url="https://example.org/a.png", media_type="image/png"),), "URL"),
        ((Attachment(data=b"x", media_type="image/png", description="x" * 1001),), "description"),
        ((PHOTO, GIF), "one GIF"),
        ((PHOTO, VIDEO), "one video"),
        ((GIF, GIF), "one GIF"),
    ],
)
async def test_what_x_does_not_take_is_refused_before_anything_is_uploaded(
    attachments: tuple[Attachment, ...], word: str
) -> None:
    account = Account()

    with pytest.raises(UnsupportedContentError, match=word):
        await account.outbound.send(showing(*attachments))

    assert account.x.asked == []


async def test_the_first_post_is_not_sent_where_a_later_one_could_not_have_its_files() -> None:
    account = Account()
    message = Message("look", attachments=(PHOTO, PHOTO, PHOTO, PHOTO, PHOTO, GIF))
    part = Part(text="look", attachments=message.attachments[:4])
    first = outgoing("x:public", "look", part=part, message=message, count=2)

    with pytest.raises(UnsupportedContentError):
        await account.outbound.send(first)

    assert account.x.asked == []
