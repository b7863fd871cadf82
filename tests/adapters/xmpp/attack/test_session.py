"""A server that leaves questions open, or answers them at the wrong time: what was said comes all the same."""

from __future__ import annotations

import pytest

from convergekit.adapters.xmpp.stream import StanzaError
from tests.adapters.xmpp.fake_stream import SILENT
from tests.adapters.xmpp.test_session import DISCO, FEATURES, Here, message

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("answer", [SILENT, StanzaError("wait", "resource-constraint")])
async def test_a_server_that_does_not_say_that_it_has_an_archive_is_asked_for_it_all_the_same(
    answer: Exception,
) -> None:
    """A server that has much to do, as after a restart: what was said meanwhile would wait for the next session."""
    here = Here()
    async with here.listening():
        here.archive.keep(message(1))
        here.stream.push(message(1, archived="a1"))
    here.archive.keep(message(2))
    here.stream.answers[DISCO] = answer
    async with here.listening():
        pass
    assert here.admitted == ["hi 1", "hi 2"]


async def test_the_first_time_too_so_that_the_second_time_something_is_known() -> None:
    here = Here()
    here.stream.answers[DISCO] = SILENT
    async with here.listening():
        pass
    here.archive.keep(message(1))
    here.stream.answers[DISCO] = FEATURES
    async with here.listening():
        pass
    assert here.admitted == ["hi 1"]
