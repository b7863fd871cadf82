"""What nobody may read: secrets, and what people write."""

from __future__ import annotations

import base64
import logging
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from urllib.parse import quote, quote_plus

from .._bench import Bench
from .._checkup import SHORTEST_SECRET, secrets_of
from .._subject import Cannot
from ._registry import check, expect
from ._tour import tour

__all__: list[str] = []

#: As `Bench.words` writes them; those from 8000 on mark an end, and are in ids as well.
_WORDS = re.compile(r"word[0-7]\d{3}")


@check("no-secret-logged")
async def _no_secret_logged(bench: Bench) -> None:
    secrets = _spelled(bench)
    with _overheard() as printed:
        await tour(bench)
    for where, text in (*_logged(bench.records), printed()):
        expect(not _holds(text, secrets), f"{where} logs a secret")


@check("no-secret-shown")
async def _no_secret_shown(bench: Bench) -> None:
    secrets = _spelled(bench)
    seen = await tour(bench)
    for where, text in (*seen.shown, *seen.errors, *seen.events):
        expect(not _holds(text, secrets), f"{where} shows a secret")


@check("no-content-logged")
async def _no_content_logged(bench: Bench) -> None:
    """By words that stand in every message, out and in."""
    with _overheard() as printed:
        seen = await tour(bench)
    for where, text in (*_logged(bench.records), *seen.errors, *seen.shown, printed()):
        expect(not _WORDS.search(text), f"{where} holds what was written")


@contextmanager
def _overheard() -> Generator[Callable[[], tuple[str, str]]]:
    """What is printed meanwhile, or warned of: it ends where logs do."""
    heard = StringIO()
    with redirect_stdout(heard), redirect_stderr(heard), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield lambda: ("what it prints", f"{heard.getvalue()} {[str(each.message) for each in warned or ()]}")


def _logged(records: Iterable[logging.LogRecord]) -> Iterator[tuple[str, str]]:
    formatter = logging.Formatter()
    for record in records:
        yield f"{record.name}, {record.pathname}:{record.lineno}", f"{formatter.format(record)} {vars(record)}"


def _holds(text: str, spelled: Iterable[str]) -> bool:
    return any(each in text for each in spelled)


def _spelled(bench: Bench) -> set[str]:
    """Each secret as it may stand on the wire: in a URL, or in an Authorization header."""
    secrets = {secret for secret in secrets_of(bench.config()) if len(secret) >= SHORTEST_SECRET}
    if not secrets:
        raise Cannot(f"there is no secret of {SHORTEST_SECRET} or more characters among the settings of this subject")
    return {each for secret in secrets for each in (secret, quote(secret), quote_plus(secret), *_in_base64(secret))}


def _in_base64(secret: str) -> Iterator[str]:
    """What of it is the same wherever it stands among other bytes, such as "user:secret"."""
    raw = secret.encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        yield whole[-(-8 * before // 6) : len(whole) - (4 if (before + len(raw)) % 3 else 0)].decode()
