"""Correct adapters of different style, as the contract is told about them."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from convergekit.adapters.loopback.subject import LoopbackSubject
from convergekit.adapters.webhook.subject import WebhookSubject
from tests.testing.adapter.courier import CourierSubject
from tests.testing.adapter.parcel import ParcelSubject
from tests.testing.adapter.telegraph import TelegraphSubject

__all__ = [
    "SUBJECTS",
    "BottleSubject",
    "CourierSubject",
    "LanternSubject",
    "LoopbackSubject",
    "ParcelSubject",
    "PigeonSubject",
    "TelegraphSubject",
    "WebhookSubject",
    "example",
    "pigeons",
]

EXAMPLES = str(Path(__file__).parents[3] / "examples")


def example(name: str) -> Any:
    """A module of examples/, which may import another one, as in a folder of its author's."""
    if EXAMPLES not in sys.path:
        sys.path.append(EXAMPLES)
    return import_module(name)


pigeons: Any = example("minimal_adapter")
#: HTTP out, signed webhooks in: the least that a subject can be.
PigeonSubject: Any = example("minimal_contract").PigeonSubject

#: A client of its own, and a real server.
BottleSubject: Any = example("own_client").BottleSubject
#: Sockets: what goes out and what comes in have a connection each.
LanternSubject: Any = example("lantern_contract").LanternSubject

SUBJECTS = [
    LoopbackSubject,
    WebhookSubject,
    PigeonSubject,
    TelegraphSubject,
    BottleSubject,
    LanternSubject,
    ParcelSubject,
    CourierSubject,
]
