"""Settings in one line: what a DSN says is what the settings are, whatever characters are in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import BaseModel, SecretStr

from .._bench import Bench
from .._checkup import secrets_of
from .._subject import Cannot
from ._registry import broken, check, expect, listed
from .settings import shows

__all__: list[str] = []

#: What has a meaning of its own in a URL, what looks like an escape, and what takes several bytes.
_SPECIAL: Final = ("@", ":", "/", "?", "#", "[", "]", "&", "=", "+", "%", " ", ",", ";", "%41", "é", "漢")
_MASK: Final = "***"


@check("dsn-round-trip", how=["as-it-is", "special-characters", "masked", "refused"])
async def _dsn(bench: Bench, how: str) -> None:
    config: Any = bench.adapter_class.Config
    if not hasattr(config, "from_dsn"):
        raise Cannot("its Config has no from_dsn")
    {"as-it-is": _is_read, "special-characters": _is_quoted, "masked": _is_masked, "refused": _is_refused}[how](bench)


def _is_read(bench: Bench) -> None:
    read, config = _read(bench, _dsn_of(bench)), bench.config()
    said = {name: getattr(read, name) for name in read.model_fields_set}
    wrong = sorted(name for name, value in said.items() if value != getattr(config, name))
    expect(said, "from_dsn read nothing")
    expect(not wrong, f"from_dsn reads otherwise than `settings` of the subject say: {listed(wrong)}")


def _is_quoted(bench: Bench) -> None:
    dsn = _dsn_of(bench)
    read = _read(bench, dsn)
    for start, end in _pieces(dsn):
        text = unquote(dsn[start:end])
        for special in (*_SPECIAL, "".join(_SPECIAL)):
            other = f"{text[:1]}{special}{text[1:]}"
            expected = _with(read, text, other)
            if expected is None:
                continue
            again = _read(bench, f"{dsn[:start]}{quote(other, safe='')}{dsn[end:]}")
            expect(again == expected, f"a value with {special!r} in it, percent-encoded, is read as another one")
            _is_written(again)


def _is_masked(bench: Bench) -> None:
    # Settings may stand beside a DSN; what it stands for itself is what it reads.
    config: Any = bench.config() if bench.subject.dsn is None else _read(bench, bench.subject.dsn)
    if not hasattr(config, "to_dsn"):
        raise Cannot("its Config has no to_dsn")
    _is_written(config)


def _is_refused(bench: Bench) -> None:
    """What is said of a DSN that is wrong."""
    dsn = _dsn_of(bench)
    secrets = secrets_of(_read(bench, dsn))
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    for wrong in (f"no-such-{dsn}", f"{dsn}{'&' if '?' in dsn else '?'}no_such_setting=1", dsn.partition("://")[2]):
        try:
            _reader(bench)(wrong)
        except Exception as error:
            expect(not any(shows(str(error), form) for form in forms), "from_dsn shows a secret of what it refuses")


def _is_written(config: Any) -> None:
    if not hasattr(config, "to_dsn"):
        return
    written = config.to_dsn()
    for secret in secrets_of(config):
        expect(secret not in written and quote(secret, safe="") not in written, "to_dsn shows a secret")
    try:
        again = type(config).from_dsn(written)
    except Exception:
        return  # a mask is no secret that such settings could have
    open_, other = config.model_dump(mode="json"), again.model_dump(mode="json")  # which hides what is secret
    lost = [name for name, value in other.items() if value != open_[name] and _MASK not in str(value)]
    expect(not lost, f"what to_dsn writes, from_dsn reads otherwise: {listed(lost)}")


def _dsn_of(bench: Bench) -> str:
    if bench.subject.dsn is None:
        raise Cannot("this subject has no dsn that stands for its settings")
    return bench.subject.dsn


def _read(bench: Bench, dsn: str) -> BaseModel:
    try:
        return _reader(bench)(dsn)
    except Exception as error:
        raise broken(f"from_dsn refuses what is right, with {type(error).__name__}") from error


def _reader(bench: Bench) -> Callable[[str], BaseModel]:
    config: Any = bench.adapter_class.Config
    read: Callable[[str], BaseModel] = config.from_dsn
    return read


def _pieces(dsn: str) -> Iterator[tuple[int, int]]:
    """Where in *dsn* a text of its own stands: user, password, a step of the path, the value of a parameter."""
    begin = dsn.index("://") + 3
    end = begin + len(re.split(r"[/?#]", dsn[begin:])[0])
    user = dsn.rfind("@", begin, end)
    if user != -1:
        yield from (match.span() for match in re.compile(r"[^:,]+").finditer(dsn, begin, user))
    question = dsn.find("?", end) if "?" in dsn[end:] else len(dsn)
    yield from (match.span() for match in re.compile(r"[^/,]+").finditer(dsn, end, question))
    yield from (match.span(1) for match in re.compile(r"=([^&#]+)").finditer(dsn, question))


def _with(config: BaseModel, text: str, other: str) -> BaseModel | None:
    """*config* with *other* in place of *text*; None where that is not in one place, or is no setting."""
    places = 0

    def replaced(value: Any) -> Any:
        nonlocal places
        if isinstance(value, SecretStr):
            return SecretStr(replaced(value.get_secret_value()))
        if isinstance(value, dict):
            return {key: replaced(each) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)([replaced(each) for each in value])
        places += value == text
        return other if value == text else value

    settings = replaced(config.model_dump(by_alias=True, exclude_unset=True))
    try:
        return type(config).model_validate(settings) if places == 1 else None
    except Exception:
        return None  # these settings refuse it
