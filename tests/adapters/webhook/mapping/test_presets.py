"""Systems that are known by name are read as their documents say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from convergekit.adapters.webhook.mapping import Mapper, Rule, load, names
from convergekit.adapters.webhook.signature import Scheme
from convergekit.errors import ConfigurationError
from convergekit.http.signatures import SCHEMES
from convergekit.model import Event
from tests.adapters.webhook.mapping.kit import HOME, call, events, preset
from tests.adapters.webhook.mapping.samples import SAMPLES, Sample


def told(event: Event) -> dict[str, Any]:
    """What the samples say of *event*."""
    assert event.conversation is not None
    assert event.conversation.address.uri == HOME  # whatever the document names
    found = {name: getattr(event, name) for name in type(event).model_fields}
    found |= {"type": event.type, "at": event.at and event.at.isoformat(), "thread": event.conversation.thread}
    return found | {"sender": str(event.sender), "sender_name": event.sender and event.sender.display_name}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.preset}: {sample.about}")
def test_a_call_becomes_what_it_says(sample: Sample) -> None:
    found = [told(event) for event in events(preset(sample.preset), sample.request, None)]
    assert [
        {name: one[name] for name in want} for one, want in zip(found, sample.expected, strict=True)
    ] == sample.expected


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.preset}: {sample.about}")
def test_a_retry_has_the_same_keys(sample: Sample) -> None:
    again = replace(sample.request, headers=type(sample.request.headers)({**sample.request.headers, "x-retry": "1"}))
    first, second = (events(preset(sample.preset), each, None) for each in (sample.request, again))
    assert [each.key for each in first] == [each.key for each in second]
    assert len({each.key for each in first}) == len(first)


@pytest.mark.parametrize("name", names())
def test_no_sample_is_read_the_same_without_a_rule_that_is_for_it(name: str) -> None:
    """A rule that makes no difference may have a misspelt path, and nobody would notice."""
    found, requests = load(name), [sample.request for sample in SAMPLES if sample.preset == name]

    def read(*rules: Rule) -> list[tuple[Event, ...]]:
        reader = Mapper(rules, ids=found.call_id, names=found.call_name, channel="ci")
        return [events(reader, request) for request in requests]

    rules, whole = found.messages, read(*found.messages)
    assert [i for i in range(len(rules)) if read(*rules[:i], *rules[i + 1 :]) == whole] == []


@pytest.mark.parametrize("name", names())
def test_a_preset_names_a_scheme_that_there_is(name: str) -> None:
    found = load(name)
    scheme = (
        Scheme(name=found.scheme)
        if isinstance(found.scheme, str)
        else Scheme.model_validate(found.scheme or {"name": "own"})
    )
    assert scheme.name in {*SCHEMES, "own"}
    assert found.title


def test_github_may_be_set_to_send_forms() -> None:
    sample = next(each for each in SAMPLES if each.preset == "github")
    form = urlencode({"payload": sample.request.body.decode()}).encode()
    request = call(form, {**sample.request.headers, "content-type": "application/x-www-form-urlencoded"})
    assert events(preset("github"), request) == events(preset("github"), sample.request)


def test_what_a_preset_does_not_know_arrives_all_the_same() -> None:
    for name in names():
        (found,) = events(preset(name), call({"odd": True}), "id-of-the-scheme")
        assert found.native == {"odd": True}


def test_a_name_that_is_none_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'github'"):
        load("githubb")
    with pytest.raises(ConfigurationError, match="there are alertmanager"):
        load("../../../etc/passwd")
