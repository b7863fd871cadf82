"""The least that NoneBot2 asks of an adapter; text only."""

# mypy: ignore-errors
from __future__ import annotations

from typing import Any

from nonebot.adapters import Adapter, Bot, Event, Message, MessageSegment
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class FeedSegment(MessageSegment["FeedMessage"]):
    @classmethod
    def get_message_class(cls):
        return FeedMessage

    def __str__(self):
        return self.data["text"]

    def is_text(self):
        return True


class FeedMessage(Message[FeedSegment]):
    @classmethod
    def get_segment_class(cls):
        return FeedSegment

    @staticmethod
    def _construct(msg: str):
        yield FeedSegment("text", {"text": msg})


class Person(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int
    first_name: str


class Chat(Person):
    type: str


class Received(BaseModel):
    model_config = ConfigDict(extra="allow")

    message_id: int
    sender: Person = Field(alias="from")
    chat: Chat
    date: int
    text: str


class FeedEvent(Event):
    update_id: int
    message: Received
    _parsed: FeedMessage | None = PrivateAttr(default=None)

    def get_type(self):
        return "message"

    def get_event_name(self):
        return "message"

    def get_event_description(self):
        return ""

    def get_user_id(self):
        return str(self.message.sender.id)

    def get_session_id(self):
        return str(self.message.sender.id)

    def get_message(self):
        if self._parsed is None:
            self._parsed = FeedMessage(self.message.text)
        return self._parsed

    def is_tome(self):
        return True


class FeedBot(Bot):
    async def send(self, event: Event, message: Any, **kwargs: Any):
        return None


class FeedAdapter(Adapter):
    @classmethod
    def get_name(cls):
        return "bench-feed"

    async def _call_api(self, bot: Bot, api: str, **data: Any):
        return None
