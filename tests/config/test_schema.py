"""Editors know every setting of every adapter that is installed."""

import json
from typing import Any

from convergekit.config import json_schema

from .plugins import plugins, point

SCHEMA = json_schema(plugins)


def at(*path: str, schema: Any = SCHEMA) -> Any:
    for part in path:
        schema = schema[part]
    return schema


def references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*map(references, schema.values()))
    return set().union(*map(references, schema)) if isinstance(schema, list) else set()


def test_each_channel_is_told_apart_by_its_adapter() -> None:
    *named, by_dsn = at("properties", "channels", "additionalProperties", "oneOf")
    assert named == [{"$ref": "#/$defs/channel.plain"}, {"$ref": "#/$defs/channel.post"}]
    assert by_dsn["required"] == ["dsn"]
    for name in ("plain", "post"):
        assert at("$defs", f"channel.{name}", "properties", "adapter") == {"const": name}
        assert at("$defs", f"channel.{name}", "additionalProperties") is False


def test_a_channel_has_its_adapters_settings_and_everybodys() -> None:
    post = set(at("$defs", "channel.post", "properties"))
    assert {"sender", "pin", "secrets", "server", "adapter", "dsn", "hold", "rate", "on_uncertain"} <= post
    plain = set(at("$defs", "channel.plain", "properties"))
    assert "hold" in plain
    assert "dsn" not in plain


def test_what_a_dsn_can_hold_need_not_stand_beside_it() -> None:
    post = at("$defs", "channel.post")
    assert post["required"] == ["adapter"]
    assert post["anyOf"] == [{"required": ["dsn"]}, {"required": ["sender"]}]


def test_every_value_may_come_from_the_environment() -> None:
    env = {"$ref": "#/$defs/env"}
    assert env in at("$defs", "channel.post", "properties", "sender", "anyOf")
    assert env in at("$defs", "Server", "properties", "port", "anyOf")
    assert env in at("$defs", "channel.post", "properties", "secrets", "anyOf")[0]["items"]["anyOf"]
    assert env in at("properties", "store", "properties", "url", "anyOf")


def test_every_reference_leads_somewhere() -> None:
    assert {reference.removeprefix("#/$defs/") for reference in references(SCHEMA)} <= set(at("$defs"))


def test_it_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_a_broken_adapter_is_left_out() -> None:
    schema = json_schema(lambda: [*plugins(), point("broken", "no.such.module:Adapter")])
    assert schema == SCHEMA
