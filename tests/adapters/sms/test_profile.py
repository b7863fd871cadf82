"""The schema of a profile: what makes no sense is found when it is loaded, and its place is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from convergekit.adapters.sms.profile import Condition, Inbound, Parts, Profile


def profile(fields: dict[str, Any], **send: Any) -> Profile:
    return Profile.model_validate(
        {"name": "acme", "title": "Acme", "send": {"url": "https://api.example", "fields": fields, **send}}
    )


@pytest.mark.parametrize(
    ("fields", "send", "place"),
    [
        ({"{kind}": {"url": "{media_0}"}}, {}, "send.fields.{kind}"),
        ({"messages": [{"to": "{too}"}]}, {}, "send.fields.messages.0.to"),
        ({}, {"variants": {"mms": {"fields": {"a": {"{b}": 1}}}}}, "send.variants.mms.fields.a.{b}"),
        ({}, {"headers": {"Authorization": "Bearer {key2}"}}, "send.headers.Authorization"),
    ],
)
def test_a_placeholder_that_nobody_fills_is_found_wherever_it_stands(
    fields: dict[str, Any], send: dict[str, Any], place: str
) -> None:
    """Also in a name: else a field would be missing, without a word, once there is a message."""
    with pytest.raises(ValidationError) as caught:
        profile(fields, **send)

    assert f"{place}: {{" in str(caught.value)


@pytest.mark.parametrize("template", ["{", "{}", "{to!r}", "{to:>9}", "{0}", "{to.real}", "{to[0]}"])
def test_a_template_has_placeholders_and_nothing_of_a_language(template: str) -> None:
    with pytest.raises(ValidationError):
        profile({"to": template})


def test_one_may_stand_for_a_list_of_one() -> None:
    rule = Inbound.model_validate({"from": "a.b", "text": ["c", "^d"]})

    assert (rule.sender, rule.text, rule.to) == (("a.b",), ("c", "^d"), ())


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", "^", "a.^b", "a*", "a#b", "x" * 201])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValidationError):
        Inbound.model_validate({"from": path})


def test_what_says_nothing_or_not_enough() -> None:
    with pytest.raises(ValidationError, match="equals, matches or present"):
        Condition(path="status")
    with pytest.raises(ValidationError, match="reference, number and total, or udh"):
        Parts(reference="ref", number="part")
