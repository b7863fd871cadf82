"""Calls made from a description of what is taken, right ones and wrong ones: none breaks the door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from convergekit.asgi import App, compose
from tests.fuzz.calls import Site

TEXT = {"type": "string"}
ADDRESS = {"type": "string", "examples": ["mailto:ann@example.org", "https://example.org/ann"]}
FILE = {
    "type": "object",
    "properties": {"name": TEXT, "media_type": TEXT, "data": TEXT, "url": TEXT, "size": {"type": "integer"}},
}
MESSAGE = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("text", "html", "subject", "language", "importance"), TEXT),
        **dict.fromkeys(("sender", "thread"), ADDRESS),
        "cc": {"type": "array", "items": ADDRESS},
        "headers": {"type": "object", "additionalProperties": TEXT},
        "attachments": {"type": "array", "items": FILE},
    },
}
STANDARD = {
    "type": "object",
    "required": ["type", "data"],
    "properties": {"type": {"enum": ["message.created", "order.shipped"]}, "timestamp": TEXT, "data": MESSAGE},
}
EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"enum": ["1.0"]},
        **dict.fromkeys(("id", "source", "type", "subject", "time", "dataschema", "data_base64"), TEXT),
        "datacontenttype": {"enum": ["application/json", "text/plain"]},
        "data": MESSAGE,
    },
}
RULED = {
    "type": "object",
    "required": ["kind", "items"],
    "properties": {
        "kind": {"enum": ["said", "written"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"id": {}, "text": {}, "at": {}}}},
    },
}
TAKEN = {
    "/read-standard": ("application/json", STANDARD, ["webhook-id"]),
    "/read-cloudevents": ("application/cloudevents+json", EVENT, []),
    "/read-rules": ("application/json", RULED, ["x-kind"]),
    "/read-github": ("application/json", {"type": "object"}, ["x-github-event", "x-github-delivery"]),
    "/read-mailgun": ("application/x-www-form-urlencoded", {"type": "object"}, []),
    "/signed-standard": ("application/json", STANDARD, ["webhook-id", "webhook-timestamp", "webhook-signature"]),
    "/signed-stripe": ("application/json", {"type": "object"}, ["stripe-signature"]),
    "/signed-rfc9421": ("application/json", {"type": "object"}, ["signature-input", "signature", "content-digest"]),
}


def described() -> dict[str, Any]:
    """What is taken, in the words of OpenAPI."""

    def operation(kind: str, schema: Any, headers: list[str]) -> Any:
        parameters = [{"in": "header", "name": name, "schema": TEXT, "required": False} for name in headers]
        answers = {str(status): {"description": "-"} for status in (200, 204, 400, 401, 405, 413, 415)}
        body = {"required": True, "content": {kind: {"schema": schema}}}
        return {"post": {"parameters": parameters, "requestBody": body, "responses": answers}}

    paths = {path: operation(*taken) for path, taken in TAKEN.items()}
    return {"openapi": "3.1.0", "info": {"title": "hooks", "version": "1"}, "paths": paths}


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    async def document(scope: Any, receive: Any, send: Any) -> None:
        fields = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": json.dumps(described()).encode()})

    site = Site()
    yield compose(site.app, {"/openapi.json": document})
    site.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Schemathesis stands on
def test_what_is_described_is_answered_and_nothing_else_breaks_it(app: App) -> None:
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import status_code_conformance

    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen = set[int]()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=10, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            response = case.call_and_validate(checks=[not_a_server_error, status_code_conformance])
            seen.add(response.status_code)

        ask()
    assert {204, 400, 401} <= seen
