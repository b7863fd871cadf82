"""Each way in which a class can be wrong is said in words; the mutants show that it is found at all."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from pydantic import ConfigDict, Field, SecretStr

from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackAdapter, LoopbackConfig
from convergekit.model import Receipt
from convergekit.testing.adapter import Subject, Verdict, verify
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

Pigeon: Any = pigeons.PigeonAdapter


def told(rule: str, of: type[Subject], **changed: Any) -> list[str]:
    """What the contract says of *rule*, and of an adapter that differs from that of the subject *of* in *changed*."""
    adapter = type("Odd", (of.adapter,), changed)
    subject = type("OddSubject", (of,), {"adapter": adapter})
    return [each.text for each in verify(subject, backends=["trio"], rules=[rule]) if each.verdict is Verdict.BROKEN]


async def _takes_two(self: Any, out: Outgoing, again: bool) -> Receipt:
    raise AssertionError


async def _takes_more(self: Any, out: Outgoing, again: bool = False) -> Receipt:
    raise AssertionError


async def _with_another_name(self: Any, message: Outgoing) -> Receipt:
    raise AssertionError


async def _awaited(self: Any, *given: Any) -> Any:
    raise AssertionError


async def _history(self: Any, conversation: Any, since: Any = None) -> Any:
    raise AssertionError


def _feeds_on_letters(self: Any, config: Any, context: Any) -> None:
    LoopbackAdapter.__init__(self, config, context)
    self.feeds = "inbox"


def _at_once(self: Any, *given: Any) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"send": _takes_two},
            "send(self: 'Any', out: 'Outgoing', again: 'bool') -> 'Receipt' cannot be called as the",
        ),
        ({"reply": _awaited}, "reply is not to be awaited: write def"),
        ({"edit": _at_once}, "edit is to be awaited: write async def"),
        ({"check": _at_once}, "check is to be awaited: write async def"),
        ({"history": _history}, "got an unexpected keyword argument 'cursor'"),
        ({"__init__": _feeds_on_letters}, "feeds is 'inbox'"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_a_verb_that_cannot_be_called_is_named(changed: dict[str, Any], said: str) -> None:
    (text,) = told("verbs-callable", LoopbackSubject, **changed)
    assert said in text


def test_a_translation_may_be_awaited() -> None:
    """It may have to ask what it stored: parts of one message that come in several calls."""
    assert told("verbs-callable", LoopbackSubject, parse=_awaited) == []


@pytest.mark.parametrize("send", [_takes_more, _with_another_name, partial(_takes_more, None)])
def test_a_verb_may_take_more_and_name_it_otherwise(send: Any) -> None:
    assert told("verbs-callable", LoopbackSubject, send=send) == []


def _connects(self: Any, config: Any, context: Any) -> None:
    LoopbackAdapter.__init__(self, config, context)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def _makes_verb(self: Any, config: Any, context: Any) -> None:
    super(type(self), self).__init__(config, context)
    self.typing = _at_once


@pytest.mark.parametrize(
    ("of", "init", "said"),
    [
        (LoopbackSubject, _connects, "it opens a connection while it is made"),
        (
            PigeonSubject,
            _makes_verb,
            "what is made in __init__ is no verb of the class, which plans go by: SupportsTyping",
        ),
    ],
)
def test_what_is_done_too_early_is_named(of: type[Subject], init: Any, said: str) -> None:
    assert told("init-does-nothing", of, __init__=init) == [said]


class Account(LoopbackConfig):
    """A name and a password in their places, and a setting behind the question mark."""

    user: str = Field(default="ann", description="Who.")
    label: str = Field(default="", description="What for.")


class AccountSubject(LoopbackSubject):
    adapter = type("AccountAdapter", (LoopbackAdapter,), {"Config": Account})
    settings = {"user": "a@b", "secret": "s:e/c?r%e t", "label": "x&y=z"}  # noqa: RUF012
    dsn = "loopback://a%40b:s%3Ae%2Fc%3Fr%25e%20t@here?label=x%26y%3Dz"


def reading(read: Any, write: Any) -> list[str]:
    """What is said of settings that read and write their DSN in this way."""

    def to_dsn(self: Account) -> str:
        written: str = write(self)
        return written

    config = type("Config", (Account,), {"from_dsn": classmethod(read), "to_dsn": to_dsn})
    adapter = type("Odd", (LoopbackAdapter,), {"Config": config})
    subject = type("OddSubject", (AccountSubject,), {"adapter": adapter})
    results = verify(subject, backends=["asyncio"], rules=["dsn-round-trip"])
    return [f"{each.check.case}: {each.text}" for each in results if each.verdict is Verdict.BROKEN]


def _read(cls: type[Account], dsn: str, *, decode: Callable[[str], str] = unquote) -> Account:
    parts = urlsplit(dsn)
    if parts.scheme != "loopback":
        raise ValueError("not ours")
    named = dict(piece.partition("=")[::2] for piece in parts.query.split("&") if piece)
    secret = SecretStr(decode(parts.password or ""))
    return cls(user=decode(parts.username or ""), secret=secret, **{k: decode(v) for k, v in named.items()})


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _write(config: Account, *, quoting: Callable[[str], str] = _quoted) -> str:
    return f"loopback://{quoting(config.user)}:***@here?label={quoting(config.label)}"


def test_special_characters_come_through() -> None:
    assert reading(_read, _write) == []


def test_a_dsn_that_is_decoded_twice_is_found() -> None:
    def twice(text: str) -> str:
        return unquote(unquote(text))

    said = "special-characters: a value with '%41' in it, percent-encoded, is read as another one"
    assert reading(partial(_read, decode=twice), _write) == [said]


def test_a_dsn_that_is_not_decoded_is_found() -> None:
    said = "as-it-is: from_dsn reads otherwise than `settings` of the subject say: label, secret, user"
    assert said in reading(partial(_read, decode=str), _write)


def test_a_dsn_that_is_written_raw_is_found() -> None:
    said = "what to_dsn writes, from_dsn reads otherwise: "
    assert any(said in text for text in reading(_read, partial(_write, quoting=str)))


def test_a_dsn_that_names_its_secret_when_it_is_refused_is_found() -> None:
    def read(cls: type[Account], dsn: str) -> Account:
        try:
            return _read(cls, dsn)
        except Exception as error:
            raise ValueError(f"{dsn} is wrong") from error

    assert reading(read, _write) == ["refused: from_dsn shows a secret of what it refuses"]


class Chatty(LoopbackConfig):
    model_config = ConfigDict(hide_input_in_errors=False)


class Loose(LoopbackConfig):
    secret: str | None = Field(default=None, description="Signs.")  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Chatty, ["the settings show a secret, in their errors: say hide_input_in_errors=True"]),
        (
            Loose,
            [
                "these are secret by their names, and no SecretStr: Config.secret",
                "the settings show a secret, in their text: say SecretStr",
            ],
        ),
    ],
)
def test_where_settings_show_a_secret_is_said(config: Any, said: list[str]) -> None:
    assert told("secrets-masked", LoopbackSubject, Config=config) == said
