"""A server that plays the API of X: for tests of the adapter and of applications, without an account and a network."""

from __future__ import annotations

from ._activity import Activity, Delivery
from ._limits import Limit
from ._model import Call, Direct, Group, Medium, Poll, Post, Subscription, Webhook
from ._people import Account, Person
from ._script import (
    ClosesAtOnce,
    CreditsDepleted,
    Duplicate,
    EmptyError,
    HtmlError,
    LostAnswer,
    Nonsense,
    NotSummoned,
    Partial,
    Passes,
    Proceed,
    Refused,
    Reset,
    Slow,
    Step,
    Throttled,
)
from ._server import XServer

__all__ = [
    "Account",
    "Activity",
    "Call",
    "ClosesAtOnce",
    "CreditsDepleted",
    "Delivery",
    "Direct",
    "Duplicate",
    "EmptyError",
    "Group",
    "HtmlError",
    "Limit",
    "LostAnswer",
    "Medium",
    "Nonsense",
    "NotSummoned",
    "Partial",
    "Passes",
    "Person",
    "Poll",
    "Post",
    "Proceed",
    "Refused",
    "Reset",
    "Slow",
    "Step",
    "Subscription",
    "Throttled",
    "Webhook",
    "XServer",
]
