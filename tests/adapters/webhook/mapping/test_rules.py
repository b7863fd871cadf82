"""What is wrong with a rule is told at the start, by the rule and the path."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from pydantic import ValidationError

from convergekit.adapters.webhook.mapping import Rule
from convergekit.adapters.webhook.mapping.rules import paths_in

GOOD: dict[str, Any] = {"text": "body.text"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "text is missing"),
        ({"kind": "edited", "text": "body.text"}, "message_id is missing"),
        ({"kind": "retracted"}, "message_id is missing"),
        ({"text": "comment.body"}, "'comment.body' looks like a path"),
        ({"text": "$.comment.body"}, "looks like a path"),
        ({"text": "{comment.body}"}, "'comment.body' is no path: it begins with body, entry, header, query"),
        ({"text": "{body.a"}, "brace"),
        ({"text": "{body.a!r}"}, "no placeholder"),
        ({"text": "{body.a:>9999999999}"}, "no placeholder"),
        ({"text": "{body..a}"}, "'body..a' is no path"),
        ({"text": "{body.^a}"}, "'body.^a' is no path"),
        ({"text": "{header}"}, "'header' is no path"),
        ({"text": ""}, "at least 1 character"),
        (GOOD | {"id": "same"}, "'same' would be the same of everything"),
        (GOOD | {"id": "comment.id"}, "looks like a path"),
        (GOOD | {"message_id": "digest"}, "would be the same of everything"),
        (GOOD | {"at": "created_at"}, "'created_at' is no path"),
        (GOOD | {"each": "header.x"}, "each begins with body"),
        (GOOD | {"data": "object"}, "'object' is no path"),
        (GOOD | {"sender": "entry.who"}, "entry.who leads into an entry of a list: say which by each"),
        (GOOD | {"when": {"entry.a": "b"}}, "entry.a leads into an entry"),
        (GOOD | {"automated": {"entry.a": "b"}}, "entry.a leads into an entry"),
        (GOOD | {"data": "entry.a"}, "entry.a leads into an entry"),
        (GOOD | {"when": {"x-github-event": "push"}}, "'x-github-event' is no path"),
        (GOOD | {"data": "body.a*b"}, "names, numbers or * with dots between"),
        (GOOD | {"when": {"body.a": {"matches": "("}}}, "no regular expression"),
        (GOOD | {"when": {"body.a": {}}}, "equals, matches or present"),
        (GOOD | {"when": {"body.a": {"is": "b"}}}, "Extra inputs"),
        (GOOD | {"automated": "yes please"}, "automated"),
        (GOOD | {"kind": "mail"}, "kind"),
        (GOOD | {"path": "/etc/passwd"}, "Extra inputs"),
    ],
)
def test_a_bad_rule_is_refused_and_says_why(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Rule.model_validate(rule)
    assert said in str(caught.value)


GOOD_RULES: list[dict[str, Any]] = [
    GOOD,
    {"text": "Deployed."},
    {"text": ["{body.a}: {body.b}", "body.a"], "when": {"body.kind": ["a", 7, True]}},
    {"text": "{{literally}} {body.messages.0.text} {body.tags.*} {header.X-Event} {query.token}"},
    {"text": "entry", "each": "body", "id": "{entry.id}-{entry.status}"},
    {"kind": "event", "name": "deploy.done", "automated": True},
    {"kind": "ignored", "when": [{"body.a": "b"}, {"body.a": {"present": False}}]},
    GOOD | {"id": "digest"},
    GOOD | {"id": ["body.id", "none"]},
]


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_a_good_rule_is_taken(rule: dict[str, Any]) -> None:
    Rule.model_validate(rule)


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_editors_take_what_we_take(rule: dict[str, Any]) -> None:
    """They go by the schema, which has to know the short ways to say something."""
    OAS31Validator(Rule.model_json_schema()).validate(rule)


def test_a_bare_path_is_a_template_of_one() -> None:
    assert [*paths_in("body.a.0.b")] == [("", "body.a.0.b")]
    assert [*paths_in("by {body.a}, at {header.date}.")] == [("by ", "body.a"), (", at ", "header.date"), (".", None)]


def test_what_a_condition_says_is_compared_as_text() -> None:
    """JSON has numbers and truth values, and TOML too; nobody has to think about which it is."""
    (table,) = Rule.model_validate(GOOD | {"when": {"body.a": [1, True, "x"]}}).when
    assert table["body.a"].equals == ("1", "true", "x")
