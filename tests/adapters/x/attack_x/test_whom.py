"""What is meant for one person goes to nobody else."""

from __future__ import annotations

import pytest

from convergekit.testing import outgoing
from tests.adapters.x.outbound.kit import ANN, POST, THREAD, Account, posted, public

pytestmark = pytest.mark.anyio


async def test_who_joins_a_thread_later_does_not_get_what_is_for_somebody_else() -> None:
    account = Account(replies="any")
    account.x.answers["POST /2/tweets"] = posted()
    account.session.memory.posted(POST, THREAD, "12", summoned=True)
    account.session.memory.posted(str(int(POST) + 1), THREAD, "666", summoned=True)

    out = outgoing(ANN.uri, "Write to us", conversation=public(), native={"hand_over": True})
    await account.outbound.send(out)

    assert account.x.asked[0][1]["in_reply_to_tweet_id"] == POST
