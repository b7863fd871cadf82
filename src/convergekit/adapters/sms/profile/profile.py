"""One gateway: all tables of its profile together, and whether they fit."""

# ruff: noqa: RUF012  pydantic copies a table that is a default

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from convergekit.http.bodies import Strings, Template, names_in
from convergekit.model import Status

from ._base import Model, strings_in
from .calling import Callbacks, Verification
from .sending import Check, Reply, Send
from .words import PLACEHOLDERS, Medium, Word

__all__ = ["Attachments", "Dsn", "Fetch", "Limits", "Profile", "Setting"]

_SETTING: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Setting(Model):
    """What an account of this gateway has to say: a name, a key, a token.

    Args:
        description: For people.
        required: Whether nothing goes without it; a setting with a default is not asked for.
        default: What stands for it where it is not given.
    """

    description: str
    required: bool = True
    default: str | None = None


class Attachments(Model):
    """Files that go out: by URL only, for that is how gateways take them.

    Args:
        count: At most so many.
        size: Of each, in bytes.
        types: Patterns such as `image/*`.
    """

    count: int = Field(ge=1)
    size: int | None = Field(default=None, ge=1)
    types: tuple[str, ...] | None = None


class Limits(Model):
    """What one medium takes.

    Args:
        text: The longest text.
        unit: What it is measured in: see `TextLimit`. Ten concatenated segments are 1530 in "gsm7".
        attachments: Files; none where it is not given.
        subject: Whether it has a subject line.
        receipts: What it can report.
    """

    text: int = Field(default=1530, ge=1)
    unit: Literal["gsm7", "codepoint", "utf16", "byte"] = "gsm7"
    attachments: Attachments | None = None
    subject: bool = False
    receipts: tuple[Literal["accepted", "sent", "relayed", "failed", "delivered", "read"], ...] = (
        "accepted",
        "sent",
        "failed",
        "delivered",
    )

    @property
    def statuses(self) -> frozenset[Status]:
        """`receipts`, typed."""
        return frozenset(Status(each) for each in self.receipts)


class Fetch(Model):
    """What the gateway asks of whoever fetches a file that came.

    Args:
        hosts: Where it is asked; credentials go nowhere else. `*.example.org` is any host below it.
        basic: User name and password.
        headers: Further headers.
    """

    hosts: Strings
    basic: tuple[Template, Template] | None = None
    headers: dict[str, Template] = {}


class Dsn(Model):
    """Which settings the parts of `gateway://USERNAME:PASSWORD@HOST` are; HOST `default` says nothing.

    Args:
        username: Its setting, or None where the gateway needs none.
        password: Likewise.
        host: Likewise; the setting gets `https://HOST`, or `http://` for this machine.
    """

    username: str | None = None
    password: str | None = None
    host: str | None = None


class Profile(Model):
    """One gateway.

    Args:
        name: What it is called in settings.
        title: For people.
        documentation: Where the provider tells what stands here.
        settings: What an account says, beside what is common to all.
        media: What it carries; the first is what a call of it is about where it does not say.
        send: How a message is handed over; None for a gateway that only receives.
        reply: What it answers.
        callbacks: How it calls us.
        words: Its words for what became of a message, and what they mean; compared without case. What is not listed
            is noted, and changes nothing.
        codes: Its codes for why a message failed; "none" for one that says that it may not have.
        verify: How its calls prove that they are genuine; the first whose secret is configured counts. Where there is
            none, the path has to hold `callback_token`.
        limits: What each medium takes.
        fetch: How files that came are fetched.
        check: How the account is checked.
        dsn: How a DSN is read.
        prefixes: What may stand before a number to say its medium: {"whatsapp:" = "whatsapp"}.
        stops: Whether the gateway itself keeps to STOP and answers it, so that nobody else has to.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    title: str
    documentation: str | None = None
    settings: dict[str, Setting] = {}
    media: tuple[Medium, ...] = ("sms",)
    send: Send | None = None
    reply: Reply = Reply()
    callbacks: Callbacks = Callbacks()
    words: dict[str, Word] = {}
    codes: dict[str, Word] = {}
    verify: tuple[Verification, ...] = ()
    limits: dict[Medium, Limits] = {}
    fetch: Fetch | None = None
    check: Check | None = None
    dsn: Dsn = Dsn()
    prefixes: dict[str, Medium] = {}
    stops: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._unknown_placeholders(), *self._unknown_settings()]
        if self.send is None and not self.callbacks.inbound:
            problems.append("it neither sends nor receives: there is no `send`, and no `callbacks.inbound`")
        problems += [f"limits.{each}: it is not one of `media`" for each in self.limits if each not in self.media]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def limits_of(self, medium: Medium) -> Limits:
        """What *medium* takes."""
        return self.limits.get(medium) or Limits()

    def _unknown_placeholders(self) -> Iterator[str]:
        known = {*PLACEHOLDERS, *self.settings}
        for where, template in self._templates():
            try:
                names = set(names_in(template))
            except ValueError as exc:
                yield f"{where}: {exc}"
                continue
            yield from (
                f"{where}: {{{name}}} is neither a setting of this profile nor one of {', '.join(PLACEHOLDERS)}"
                for name in sorted(names - known)
            )

    def _templates(self) -> Iterator[tuple[str, str]]:
        for name in ("send", "fetch", "check"):
            if (part := getattr(self, name)) is not None:
                yield from strings_in(name, part.model_dump(include={"url", "basic", "headers", "fields", "variants"}))

    def _unknown_settings(self) -> Iterator[str]:
        for name in self.settings:
            if name in PLACEHOLDERS:
                yield f"settings.{name}: {{{name}}} is a placeholder already; give the setting another name"
            elif not _SETTING.fullmatch(name):
                yield f"settings.{name}: a name is lower-case letters, digits and _"
        named = [(f"verify.{index}.secret", each.secret) for index, each in enumerate(self.verify)]
        named += [(f"dsn.{place}", name) for place, name in self.dsn if name is not None]
        yield from (
            f"{where}: {name!r} is no setting of this profile" for where, name in named if name not in self.settings
        )
