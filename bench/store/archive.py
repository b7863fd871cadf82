"""Search among a million messages, against a scan by LIKE of the same file."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from statistics import median

from sqlalchemy import create_engine, insert, select

from convergekit.abc import Archive
from convergekit.engine.clock import SystemClock
from convergekit.model import MessageReceived
from convergekit.model.wire import event_from_json
from convergekit.stores.sql import schema
from convergekit.stores.sql.said import record, said_of

from ..measure import Effort, Goal, Line, Side, compare
from .drive import fresh_file
from .fill import admit_one
from .ours import at, store_at

__all__ = ["run"]

MESSAGES = 1_000_000
GOAL = Goal("<=", 0.01)
NEWEST = 20
SEARCHES = 20
RARE, COMMON, CHINESE = "zebrafinch", "word3", "包裹"
_VOCABULARY = 20_000
_CHUNK = 20_000


async def run(effort: Effort) -> Iterator[Line]:
    """Milliseconds of one search: a rare word, a common one, and a Chinese one of two characters."""
    items = effort.items(MESSAGES)
    async with fresh_file() as file:
        await fill(file, items)
        store = store_at(at(file))
        async with store.opened(SystemClock()):
            sides: dict[str, Side] = {}
            for word in (RARE, COMMON, CHINESE):
                sides[f"ours {word}"] = _search(store.archive, word)
                sides[f"LIKE {word}"] = _like(file, word)
            found = await compare(sides, min(effort.rounds, 5))
    names = {RARE: "rare word", COMMON: "common word", CHINESE: "Chinese word of two characters"}
    return iter(
        [
            Line.of(
                f"archive, {items:,} messages, {name} (ms)",
                found[f"ours {word}"],
                f"LIKE over the same file, sqlite3 {sqlite3.sqlite_version}",
                found[f"LIKE {word}"],
                GOAL,
            )
            for word, name in names.items()
        ]
    )


def _search(archive: Archive, word: str) -> Side:
    async def one_round() -> float:
        took = []
        for _ in range(SEARCHES):
            start = time.perf_counter()
            page = await archive.search(word, limit=NEWEST)
            took.append(time.perf_counter() - start)
            if not page.found or not all(word in each.text for each in page.found):
                raise RuntimeError(f"a search found {len(page.found)} messages, or the wrong ones")
        return median(took) * 1000

    return one_round


def _like(file: Path, word: str) -> Side:
    async def one_round() -> float:
        with closing(sqlite3.connect(file)) as connection:
            start = time.perf_counter()
            scan = f"SELECT count(*) FROM {schema.entry.name} WHERE body LIKE ?"
            (hits,) = connection.execute(scan, (f"%{word}%",)).fetchone()
            took = time.perf_counter() - start
        if not hits:
            raise RuntimeError("LIKE found nothing")
        return took * 1000

    return one_round


async def fill(file: Path, messages: int) -> None:
    """A ledger in *file* that has handled so many messages."""
    await admit_one(at(file))
    engine = create_engine(at(file))
    with engine.begin() as connection:
        known = dict(connection.execute(select(schema.entry)).mappings().one())
        template = event_from_json(known["body"])
        assert isinstance(template, MessageReceived)
        before, after = known["body"].split(json.dumps(template.text))
        numbered = enumerate(_texts(messages), known["id"] + 1)
        while chunk := list(islice(numbered, _CHUNK)):
            rows = [{**known, "id": number, "state": 1, "body": f'{before}"{text}"{after}'} for number, text in chunk]
            connection.execute(insert(schema.entry), rows)
            said = [(number, said_of(template.model_copy(update={"text": text}))) for number, text in chunk]
            record(connection, said, 0)
    engine.dispose()


def _texts(messages: int) -> Iterator[str]:
    """Twelve words each, the n-th of the vocabulary once where the first comes n times; a tenth is Chinese."""
    chance = Random(1)
    words = [f"word{number}" for number in range(_VOCABULARY)]
    weights = list(accumulate(1 / (number + 1) for number in range(_VOCABULARY)))
    characters = [chr(0x4E00 + number) for number in range(3_000)]
    for number in range(messages):
        if number == messages // 2:
            yield f"A {RARE} was seen."
        elif number % 10 == 0:
            run = "".join(chance.choices(characters, k=12))
            yield f"您的{CHINESE if number % 1000 == 0 else '东西'}{run}"
        else:
            yield " ".join(chance.choices(words, cum_weights=weights, k=12))
