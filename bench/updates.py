"""What both sides of the inbound comparison are fed: updates as the Telegram Bot API gives them."""

from __future__ import annotations

from itertools import count
from typing import Any

__all__ = ["CONVERSATIONS", "Updates"]

CONVERSATIONS = 500


class Updates:
    """Makes updates that are all different, of five hundred people in turn."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, how_many: int, text: str) -> list[dict[str, Any]]:
        """The next ones, saying *text*."""
        return [_update(next(self._numbers), text) for _ in range(how_many)]


def _update(number: int, text: str) -> dict[str, Any]:
    person = 100_000 + number % CONVERSATIONS
    who = {"id": person, "first_name": f"Ann {person}", "last_name": "Example", "username": f"ann_{person}"}
    message: dict[str, Any] = {
        "message_id": number,
        "from": who | {"is_bot": False, "language_code": "en"},
        "chat": who | {"type": "private"},
        "date": 1_760_000_000 + number,
        "text": text,
    }
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
    return {"update_id": 700_000_000 + number, "message": message}
