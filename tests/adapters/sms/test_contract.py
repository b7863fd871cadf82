"""Every promise of an adapter, kept by the SMS channel whatever its profile: the same far side speaks each of them."""

from __future__ import annotations

from functools import cache

import pytest

from convergekit.adapters.sms import SmsConfig, profiles
from convergekit.adapters.sms.request import Requests
from convergekit.adapters.sms.subject import SmsSubject
from tests.keeping import broken_promises

#: What gateways answer that speak no JSON.
TAKEN = {"kannel": "0: Accepted for delivery", "jasmin": 'Success "{id}"'}


@cache  # what is told of a class is looked at once
def speaking(name: str) -> type[SmsSubject]:
    return type("Gateway", (SmsSubject,), {"profile": name, "taken": TAKEN.get(name, "")})


@pytest.mark.parametrize("name", profiles.names(lambda: ()))
def test_every_gateway_keeps_every_promise(name: str) -> None:
    assert broken_promises(speaking(name), "asyncio") == []


@pytest.mark.parametrize("name", ["kannel", "twilio", "vonage"])
def test_so_does_each_kind_of_gateway_on_the_other_event_loop(name: str) -> None:
    """By GET, by POST, with parts that wait for each other: all else of a profile is translated, and not awaited."""
    assert broken_promises(speaking(name), "trio") == []


@pytest.mark.parametrize("name", profiles.names(lambda: ()))
def test_the_far_side_has_a_second_account(name: str) -> None:
    """Or that channels keep apart what is theirs would be skipped, which nobody reads."""
    subject = speaking(name)()
    assert subject.other_settings is not None
    first, second = map(SmsConfig.model_validate, (subject.settings, subject.other_settings))

    assert Requests(first).check() != Requests(second).check() or first.loaded.check is None
    assert first.value("url") == second.value("url")
    assert all(first.value(each) != second.value(each) for each in first.account if each != "url")
