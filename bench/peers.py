"""The other side of the inbound comparison. Each is given what makes it quick, and no more work than ours has.

aiogram: no finite-state storage is set up unless asked for, and its log is silent.
NoneBot2: no log line is made, and the message is text only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from .measure import Timer
from .updates import Updates

__all__ = ["AIOGRAM", "NONEBOT", "Round", "aiogram_round", "nonebot_round"]

AIOGRAM, NONEBOT = "aiogram 3.31.0", "NoneBot2 2.5.0"

#: Takes the number of items and their text; returns microseconds of CPU time for each.
Round = Callable[[int, str], Awaitable[float]]


def aiogram_round(handlers: int, *, states: bool) -> Round:
    """`Dispatcher.feed_raw_update`, the last of *handlers* commands hits; one middleware.

    Raises:
        ImportError: It is not installed.
    """
    from aiogram import Bot, Dispatcher
    from aiogram.filters import Command
    from aiogram.types import Message

    _check(AIOGRAM, "aiogram")
    bot = Bot("42:" + "A" * 35)
    dispatcher = Dispatcher(disable_fsm=not states)
    handled: list[int] = []
    passed = 0

    async def around(handler: Any, event: Any, data: dict[str, Any]) -> Any:
        nonlocal passed
        passed += 1
        return await handler(event, data)

    dispatcher.message.middleware(around)
    for number in range(handlers):

        async def handler(message: Message) -> None:
            handled.append(message.message_id)

        dispatcher.message.register(handler, Command(f"c{number}"))

    updates = Updates()

    async def one_round(items: int, text: str) -> float:
        nonlocal passed
        handled.clear()
        passed = 0
        raw = updates(items, text)
        with Timer(items) as timer:
            for update in raw:
                await dispatcher.feed_raw_update(bot, update)
        if len(set(handled)) != items or passed != items:
            raise RuntimeError(f"aiogram handled {len(handled)} of {items}")
        return timer.figure

    return one_round


def nonebot_round(matchers: int) -> Round:
    """`handle_event` with *matchers* commands, of which the last one hits; one run preprocessor as middleware.

    Raises:
        ImportError: It is not installed.
    """
    import nonebot
    from nonebot.exception import NoLogException
    from nonebot.message import handle_event, run_preprocessor

    from ._nonebot_adapter import FeedAdapter, FeedBot, FeedEvent

    _check(NONEBOT, "nonebot2")
    nonebot.logger.remove()
    nonebot.logger.disable("nonebot")
    nonebot.init(driver="~none", command_start={"/"})
    driver = nonebot.get_driver()
    bot = FeedBot(FeedAdapter(driver), "42")
    handled: list[int] = []
    passed = 0

    @run_preprocessor
    async def around() -> None:
        nonlocal passed
        passed += 1

    class Quiet(FeedEvent):
        def get_log_string(self) -> str:
            raise NoLogException("bench-feed")

    for number in range(matchers):
        matcher = nonebot.on_command(f"c{number}")

        @matcher.handle()
        async def handler(event: FeedEvent) -> None:
            handled.append(event.update_id)

    updates = Updates()

    async def one_round(items: int, text: str) -> float:
        nonlocal passed
        handled.clear()
        passed = 0
        raw = updates(items, text)
        with Timer(items) as timer:
            for update in raw:
                await handle_event(bot, Quiet.model_validate(update))
        if len(set(handled)) != items or passed != items:
            raise RuntimeError(f"NoneBot2 handled {len(handled)} of {items}")
        return timer.figure

    return one_round


def _check(wanted: str, distribution: str) -> None:
    if version(distribution) != wanted.split()[1]:
        raise RuntimeError(f"the goals are about {wanted}; {version(distribution)} is installed")
