"""Holds requests and answers against X' own description of its interface, where that is at hand.

The description may not be published with this project, so it lies beside it (`../shared/specs`), and what asks for it
is skipped elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from convergekit.testing.x import XServer
from convergekit.testing.x._shown import OLD_NAMES

SPECIFICATION = Path(__file__).parents[3].parent / "shared" / "specs" / "x-openapi.json"

needs_specification = pytest.mark.skipif(
    not SPECIFICATION.is_file(), reason="X' description of its interface is not published with this project"
)

#: Routes that the description does not have: of 2.167, or described elsewhere.
ELSEWHERE = {
    ("POST", "/2/oauth2/token"),
    ("POST", "/2/oauth2/revoke"),
    ("DELETE", "/2/activity/subscriptions"),
}

#: Operations whose answer stands under "data" since 2.167, and by itself before.
WRAPPED_SINCE = {"createWebhooks", "createWebhookReplayJob"}


def _mended(specification: dict[str, Any]) -> dict[str, Any]:
    """Without what the description says and X does not do; each has its reason."""
    schemas = specification["components"]["schemas"]
    # A "meta" that no page of the documentation shows, and of which the description does not say what is in it.
    for name in ("MediaUploadResponse", "MediaUploadAppendResponse"):
        schemas[name].pop("required")
    # A "type" that is required and not described.
    schemas["ProcessingInfo"].pop("required")
    # The events that are written in words since March 2026 came into the description later.
    schemas["ActivitySubscriptionCreateRequest"]["properties"]["event_type"] = {"type": "string"}
    # New in 2.167.
    more = schemas["TweetCreateRequest"]["properties"]
    more["made_with_ai"] = more["paid_partnership"] = {"type": "boolean"}
    # What an event carries came into the description for profiles and news only.
    schemas["ActivityStreamingResponsePayload"] = {"type": "object"}
    # Both ways to write an event's id are seen: the first is a number, which may be negative.
    schemas["ActivityEventId"] = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
    return specification


class Specification:
    """X' description, and what does not go with it."""

    def __init__(self) -> None:
        contents = _mended(json.loads(SPECIFICATION.read_text("utf-8")))
        self.paths: Mapping[str, Any] = contents["paths"]
        self._parameters = contents["components"]["parameters"]
        resource = Resource.from_contents(contents, default_specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource("urn:x", resource)

    def violations(self, request: httpx.Request, response: httpx.Response) -> list[str]:
        """What in *request*, where it was accepted, and in *response* the description does not allow."""
        method, path = request.method.lower(), request.url.path
        template = self._template(method, path)
        if template is None:
            return [] if (request.method, path) in ELSEWHERE or response.status_code == 404 else [f"no {method} {path}"]
        operation = self.paths[template][method]
        found = list(self._of_response(operation, response))
        if response.is_success:  # what was refused may have been wrong
            found += self._of_query(operation, request)
            found += self._of_body(operation, request)
        return [f"{request.method} {template}: {each}" for each in found]

    def violations_of(self, schema: str, value: Any) -> list[str]:
        """What in *value* a named schema does not allow."""
        return self._errors({"$ref": f"#/components/schemas/{schema}"}, old(value))

    def _template(self, method: str, path: str) -> str | None:
        given = path.split("/")
        fits = []
        for template, operations in self.paths.items():
            parts = template.split("/")
            same = len(parts) == len(given) and all(
                a == b or a.startswith("{") for a, b in zip(parts, given, strict=True)
            )
            if same and method in operations:
                fits.append(template)
        return min(fits, key=lambda template: template.count("{"), default=None)

    def _of_query(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        known = {each["name"]: each for each in map(self._resolved, operation.get("parameters", ()))}
        given = {OLD_NAMES.get(name, name): value for name, value in request.url.params.items()}
        for name, text in given.items():
            if name not in known:
                yield f"?{name} is not described"
                continue
            yield from (
                f"?{name}: {each}" for each in self._errors(known[name]["schema"], _value(name, text, known[name]))
            )
        for name, each in known.items():
            if each["in"] == "query" and each.get("required") and name not in given:
                yield f"?{name} is required"

    def _of_body(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        kind = request.headers.get("content-type", "").partition(";")[0]
        if not request.content:
            return
        described = operation.get("requestBody", {}).get("content", {})
        if kind not in described:
            yield f"a body of {kind!r} is not described"
            return
        value = json.loads(request.content) if kind == "application/json" else _form(request)
        yield from self._errors(described[kind]["schema"], value, OAS30WriteValidator)

    def _of_response(self, operation: Mapping[str, Any], response: httpx.Response) -> Iterator[str]:
        kind = response.headers.get("content-type", "").partition(";")[0]
        described = operation["responses"].get(str(response.status_code))
        if response.is_success and described is None:
            yield f"{response.status_code} is not described"
            return
        if not isinstance(response.stream, httpx.ByteStream) or not kind.endswith("json"):
            return  # a stream, whose lines are looked at one by one; or what is no answer of X' own
        if described is None:
            described = operation["responses"]["default"]
            kind = "application/problem+json"
        value = old(response.json())
        if operation["operationId"] in WRAPPED_SINCE:
            value = value.get("data", value)
        yield from self._errors(described["content"][kind]["schema"], value)

    def _resolved(self, parameter: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in parameter:
            return parameter
        return cast("Mapping[str, Any]", self._parameters[parameter["$ref"].rpartition("/")[2]])

    def _errors(self, schema: Any, value: Any, kind: Any = OAS30ReadValidator) -> list[str]:
        validator = kind(_absolute(schema), registry=self._registry)
        return [
            f"{'.'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in validator.iter_errors(value)
        ]


@cache
def specification() -> Specification:
    return Specification()


@contextmanager
def validated(server: XServer) -> Iterator[XServer]:
    """Hold all that *server* is asked meanwhile, and answers, against X' description; fails at the end, with all of it.

    Where the description is not at hand, nothing is held against it.
    """
    found: list[str] = []

    def observe(request: httpx.Request, response: httpx.Response) -> None:
        found.extend(specification().violations(request, response))

    if SPECIFICATION.is_file():
        server.observers.append(observe)
    yield server
    if found:
        raise AssertionError("not as X describes it:\n" + "\n".join(found))


def old(value: Any) -> Any:
    """*value* with the names before 2.167, which are those of the description."""
    if isinstance(value, dict):
        return {OLD_NAMES.get(key, key): old(each) for key, each in value.items()}
    return [old(each) for each in value] if isinstance(value, list) else value


def _value(name: str, text: str, parameter: Mapping[str, Any]) -> Any:
    schema = parameter["schema"]
    if schema.get("type") == "integer":
        return int(text) if text.lstrip("-").isdigit() else text
    if schema.get("type") == "array":
        values = [OLD_NAMES.get(each, each) for each in text.split(",")]
        if name == "expansions":
            values = ["referenced_tweets.id" if each == "referenced_tweets" else each for each in values]
        return values
    return text


def _form(request: httpx.Request) -> dict[str, Any]:
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.content)
    form: dict[str, Any] = {}
    for part in cast("list[Message]", message.get_payload()):
        name = str(part.get_param("name", header="content-disposition"))
        form[name] = "binary" if name == "media" else cast("bytes", part.get_payload(decode=True)).decode()
    return form


def _absolute(schema: Any) -> Any:
    """*schema* with references that lead into the description from anywhere."""
    if isinstance(schema, dict):
        return {
            key: f"urn:x{each}" if key == "$ref" and str(each).startswith("#") else _absolute(each)
            for key, each in schema.items()
        }
    return [_absolute(each) for each in schema] if isinstance(schema, list) else schema
