"""What a route may depend on: data that can be compared, printed and stored, and no code.

A condition is decided once, when a send is planned, from the recipient's addresses, the message and the known consents.
Combine them with `&`, `|` and `~`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

from pydantic import Field

from convergekit.model import Address, Importance, Line, Message

from ._calls import Called, call

__all__ = [
    "AllHold",
    "AnyHolds",
    "Condition",
    "HasAttachments",
    "HasConsent",
    "HasImportance",
    "HasScheme",
    "NotHolds",
    "Situation",
    "has_attachments",
    "has_consent",
    "has_importance",
    "has_scheme",
    "is_condition",
]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a condition looks at.

    Args:
        addresses: All that the recipient is known to have.
        message: What is to be sent.
        consents: Per category, what the recipient said; None as a category is everything.
    """

    addresses: Sequence[Address]
    message: Message
    consents: Mapping[str | None, bool] = field(default_factory=dict)


class _Condition(Called):
    def holds(self, about: Situation) -> bool:
        """Whether it is so."""
        raise NotImplementedError

    def __and__(self, other: Condition) -> AllHold:
        return AllHold(conditions=(cast("Condition", self), other))

    def __or__(self, other: Condition) -> AnyHolds:
        return AnyHolds(conditions=(cast("Condition", self), other))

    def __invert__(self) -> NotHolds:
        return NotHolds(condition=cast("Condition", self))


class HasScheme(_Condition):
    """The recipient has an address of this scheme."""

    kind: Literal["has_scheme"] = "has_scheme"
    scheme: Line

    def holds(self, about: Situation) -> bool:
        """Whether any address has the scheme."""
        return any(address.scheme == self.scheme for address in about.addresses)

    def __repr__(self) -> str:
        return call("has_scheme", self.scheme)


class HasImportance(_Condition):
    """The message is as important as that."""

    kind: Literal["has_importance"] = "has_importance"
    importance: Importance

    def holds(self, about: Situation) -> bool:
        """Whether the message has exactly this importance."""
        return about.message.importance is self.importance

    def __repr__(self) -> str:
        return call("has_importance", self.importance)


class HasConsent(_Condition):
    """The recipient agreed to a category."""

    kind: Literal["has_consent"] = "has_consent"
    category: Line

    def holds(self, about: Situation) -> bool:
        """Whether they agreed to it, and have not opted out of everything."""
        return about.consents.get(self.category, False) and about.consents.get(None, True)

    def __repr__(self) -> str:
        return call("has_consent", self.category)


class HasAttachments(_Condition):
    """The message has attachments."""

    kind: Literal["has_attachments"] = "has_attachments"

    def holds(self, about: Situation) -> bool:
        """Whether there is at least one."""
        return bool(about.message.attachments)

    def __repr__(self) -> str:
        return call("has_attachments")


class NotHolds(_Condition):
    """A condition does not hold: `~condition`."""

    kind: Literal["not"] = "not"
    condition: Condition

    def holds(self, about: Situation) -> bool:
        """Whether the inner one does not."""
        return not self.condition.holds(about)

    def __repr__(self) -> str:
        return f"~{self.condition!r}"


class AllHold(_Condition):
    """Each of several conditions holds: `one & other`."""

    kind: Literal["all"] = "all"
    conditions: tuple[Condition, ...]

    def holds(self, about: Situation) -> bool:
        """Whether each one does."""
        return all(condition.holds(about) for condition in self.conditions)

    def __repr__(self) -> str:
        return f"({' & '.join(map(repr, self.conditions))})"


class AnyHolds(_Condition):
    """One of several conditions holds: `one | other`."""

    kind: Literal["any"] = "any"
    conditions: tuple[Condition, ...]

    def holds(self, about: Situation) -> bool:
        """Whether any one does."""
        return any(condition.holds(about) for condition in self.conditions)

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.conditions))})"


Condition = Annotated[
    HasScheme | HasImportance | HasConsent | HasAttachments | NotHolds | AllHold | AnyHolds,
    Field(discriminator="kind"),
]
NotHolds.model_rebuild()
AllHold.model_rebuild()
AnyHolds.model_rebuild()


def has_scheme(scheme: str) -> HasScheme:
    """The recipient has an address such as `sms:...`: `has_scheme("sms")`."""
    return HasScheme(scheme=scheme.lower().removesuffix(":"))


def has_importance(importance: Importance | str) -> HasImportance:
    """The message is "urgent", "normal" or "bulk"."""
    return HasImportance(importance=Importance(importance))


def has_consent(category: str) -> HasConsent:
    """The recipient agreed to *category*, and has not opted out of everything since."""
    return HasConsent(category=category)


def has_attachments() -> HasAttachments:
    """The message has at least one attachment."""
    return HasAttachments()


def is_condition(value: object) -> bool:
    """Whether *value* is one of the conditions of this module."""
    return isinstance(value, _Condition)
