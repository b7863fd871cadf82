"""Every promise of an adapter, kept by the SMS channel whatever its profile: the same far side speaks each of them."""

from __future__ import annotations

import pytest

from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.subject import SmsSubject
from convergekit.testing import AdapterContract

#: What gateways answer that speak no JSON.
TAKEN = {"kannel": "0: Accepted for delivery", "jasmin": 'Success "{id}"'}


def speaking(name: str) -> type[SmsSubject]:
    return type("Gateway", (SmsSubject,), {"profile": name, "taken": TAKEN.get(name, "")})


class TestEveryGateway(AdapterContract):
    @pytest.fixture(params=profiles.names(lambda: ()))
    def subject(self, request: pytest.FixtureRequest) -> SmsSubject:
        return speaking(request.param)()
