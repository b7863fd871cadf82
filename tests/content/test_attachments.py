"""What a channel takes, what becomes a link, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.attachments import size_of, sort
from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, AttachmentLimit, ClaimCheck


def file(size: int = 1, media_type: str = "image/png", **fields: object) -> Attachment:
    return Attachment.model_validate({"data": b"x" * size, "media_type": media_type, **fields})


def linked(**fields: object) -> Attachment:
    return Attachment.model_validate({"url": "https://e.org/f", "size": 9, "media_type": "image/png", **fields})


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (AttachmentLimit(), "takes no attachments"),
        (AttachmentLimit(count=1, size=8), "9 bytes are more than the 8"),
        (AttachmentLimit(count=1, total=8), "9 bytes are more than the 8"),
        (AttachmentLimit(count=1, media_types=frozenset({"video/*"})), "does not take image/png"),
    ],
)
def test_what_is_not_taken_becomes_a_link_or_is_refused(limit: AttachmentLimit, reason: str) -> None:
    found = sort([linked()], limit)
    assert found.groups == ()
    assert found.links == (linked(),)
    assert reason in found.reasons[0]

    with pytest.raises(UnsupportedContentError, match=f"attachment 1 .*{reason}.*give it a url"):
        sort([file(9)], limit)
    with pytest.raises(UnsupportedContentError, match=reason):
        sort([linked()], limit.model_copy(update={"fallback": "refuse"}))


def test_media_types_are_patterns_without_case() -> None:
    limit = AttachmentLimit(count=2, media_types=frozenset({"image/*"}))

    assert sort([file(media_type="Image/PNG")], limit).links == ()


def test_an_unknown_size_passes() -> None:
    """Only the adapter, or the store, will know it."""
    limit = AttachmentLimit(count=1, size=1)

    assert len(sort([Attachment(url="https://e.org/f")], limit).groups) == 1
    assert size_of(Attachment(claim=ClaimCheck(ref="sha256:0", size=7))) == 7


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 4), st.one_of(st.none(), st.integers(9, 20)))
def test_all_that_is_taken_is_in_some_group_in_order(sizes: list[int], count: int, total: int | None) -> None:
    attachments = [file(size) for size in sizes]

    groups = sort(attachments, AttachmentLimit(count=count, total=total)).groups

    assert [each for group in groups for each in group] == attachments
    assert all(0 < len(group) <= count for group in groups)
    assert total is None or all(sum(map(size_of, group)) <= total for group in groups)
