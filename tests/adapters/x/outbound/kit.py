"""An open account, the far side of which is a table: what goes out is seen before any of it is written."""

from __future__ import annotations

from typing import Any, cast

from convergekit.adapters.x.config import OAuth1Config, XConfig
from convergekit.adapters.x.outbound import Outbound
from convergekit.adapters.x.session import Session
from convergekit.errors import RejectedError
from convergekit.model import Address, ConversationKind, ConversationRef, Message
from convergekit.testing import FakeContext, outgoing

OWN = "7"
ANN = Address("x:12")
KEYS: Any = {"consumer_key": "k", "consumer_secret": "s", "access_token": f"{OWN}-t", "access_token_secret": "ts"}
THREAD = "100000000000000000"
POST = "100000000000000001"


class Table:
    """Answers by method and route; whatever is not in it is a test's mistake.

    Args:
        answers: For "GET /2/users/12" and the like: an answer, an exception, or a list of them that is used up.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.own: str | None = OWN

    def acting(self, **_: Any) -> Table:
        return self

    async def request(self, method: str, route: str, params: Any = None, json: Any = None) -> Any:
        self.asked.append((f"{method} {route}", json if json is not None else params))
        answer = self.answers[f"{method} {route}"]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def append_media(self, media: str, index: int, segment: bytes) -> Any:
        return await self.request("POST", f"/2/media/upload/{media}/append", json=(index, len(segment)))

    async def create_tweet(self, *, user_auth: bool, **arguments: Any) -> Any:
        assert not user_auth
        return await self.request("POST", "/2/tweets", json=arguments)

    async def create_direct_message(self, *, user_auth: bool, text: Any, media_id: Any, **where: str) -> Any:
        (place,) = where.values()
        route = f"/2/dm_conversations/{'with/' * ('participant_id' in where)}{place}/messages"
        return await self.request("POST", route, json={"text": text, "media_id": media_id})

    async def delete_tweet(self, id: str, *, user_auth: bool) -> Any:
        return await self.request("DELETE", f"/2/tweets/{id}")

    async def get_user(self, *, username: str, user_auth: bool) -> Any:
        return await self.request("GET", f"/2/users/by/username/{username}")

    def count(self, method: str, prefix: str) -> int:
        return sum(name.startswith(f"{method} {prefix}") for name, _ in self.asked)


class Account:
    """An account that is open to a `Table`."""

    def __init__(self, *, transport: Any = None, **settings: Any) -> None:
        self.config = XConfig(oauth1=OAuth1Config(**KEYS), **settings)
        self.context = FakeContext(channel="x", transport=transport)
        self.x = Table()
        nothing: Any = None
        self.session = Session(
            config=self.config,
            context=self.context,
            client=cast(Any, self.x),
            budgets=nothing,
            own=OWN,
        )
        self.outbound = Outbound(self.session)


def public(address: Address = ANN, thread: str | None = THREAD) -> ConversationRef:
    """A conversation that everybody reads."""
    return ConversationRef(address=address, kind=ConversationKind.PUBLIC, thread=thread)


def reply(text: str = "Thanks!", *, to: str = POST, native: Any = None, **more: Any) -> Any:
    """An answer to Ann's post."""
    message = Message(text, reply_to=to, native={} if native is None else {"x": native})
    return outgoing(ANN.uri, text, message=message, conversation=public(), native=native, **more)


def posted(id: str = "200000000000000000") -> dict[str, Any]:
    """What X answers to a post."""
    return {"data": {"id": id, "text": "as X has it"}}


def duplicate() -> RejectedError:
    """What X says to a post that it has already."""
    return RejectedError("X says: Forbidden: duplicate content", code="duplicate-content")
