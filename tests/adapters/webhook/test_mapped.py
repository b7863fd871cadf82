"""Calls of other systems through a channel: what is admitted, what a repeat is, and where an answer goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from convergekit.adapters.webhook import WebhookAdapter, WebhookConfig
from convergekit.cli import main
from convergekit.errors import RejectedError
from convergekit.http import StandardWebhooks
from convergekit.http.signatures import GitHub
from convergekit.model import CustomReceived, MessageReceived
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import HOME, NEW, START, channel, config
from tests.asgi_kit import Answer, call

pytestmark = pytest.mark.anyio

RULE = {"when": {"body.kind": "note"}, "text": "{body.by}: {body.note}", "sender": "body.by", "id": "body.id"}


async def post(app: Any, body: Any, *, id: str = "m1") -> Answer:
    raw = json.dumps(body).encode()
    return await call(app, body=raw, headers=StandardWebhooks([SecretStr(NEW)]).sign(id, START, raw))


async def test_a_rule_makes_a_message_and_what_none_maps_is_an_event() -> None:
    async with channel(messages=[RULE]) as (app, context):
        assert (await post(app, {"kind": "note", "by": "ann", "note": "Hi", "id": 7})).status == 204
        assert (await post(app, {"type": "user.left", "id": 8}, id="m2")).status == 204
    first, second = context.admitted
    assert isinstance(first, MessageReceived)
    assert isinstance(second, CustomReceived)
    assert (first.text, first.key, second.name, second.key) == ("ann: Hi", "7", "user.left", "m2")


async def test_a_repeat_is_stored_once_and_equal_texts_are_two_messages() -> None:
    note = {"kind": "note", "by": "ann", "note": "Hi"}
    async with channel(messages=[RULE]) as (app, context):
        answers = [await post(app, note | {"id": id}, id=f"m{at}") for at, id in enumerate((1, 2, 1))]
    assert [answer.status for answer in answers] == [204, 204, 204]
    assert [event.key for event in context.admitted] == ["1", "2"]


async def test_the_id_of_the_signature_tells_calls_apart() -> None:
    async with channel(messages=[{"text": "body.note"}]) as (app, context):
        for id in ("m1", "m2", "m1"):
            assert (await post(app, {"note": "Hi"}, id=id)).status == 204
    assert [event.key for event in context.admitted] == ["m1", "m2"]


async def test_own_rules_come_before_those_of_the_preset() -> None:
    rule = {"when": {"body.urgent": True}, "text": "URGENT: {body.text}"}
    async with channel(preset="flat", messages=[rule]) as (app, context):
        await post(app, {"text": "a", "id": 1, "urgent": True})
        await post(app, {"text": "b", "id": 2})
    assert [getattr(event, "text", None) for event in context.admitted] == ["URGENT: a", "b"]


async def test_settings_say_what_tells_calls_apart_and_how_events_are_called() -> None:
    async with channel(preset="flat", call_id="body.serial", call_name="x.{body.kind}") as (app, context):
        await post(app, {"kind": "k", "serial": 5, "id": 1})
    (event,) = context.admitted
    assert isinstance(event, CustomReceived)
    assert (event.key, event.name) == ("5", "x.k")


async def test_a_preset_brings_the_scheme_by_which_its_system_signs() -> None:
    """Who sets `preset` has to say no more than the secret."""
    secret, body = SecretStr("a secret of the other side"), b'{"action":"created","comment":{"body":"Hi"}}'
    hook = {"x-github-event": "issue_comment", "x-github-delivery": "d1"}
    async with channel(preset="github", secrets=(secret,)) as (app, context):
        for headers in ({**hook}, {**hook, **GitHub([secret]).sign("d1", START, body)}):
            last = await call(app, body=body, headers=headers)
    assert last.status == 204
    assert [event.key for event in context.admitted] == ["d1"]
    assert isinstance(config(preset="github", secrets=NEW, scheme="standard").inbound_signature(), StandardWebhooks)
    assert isinstance(
        config(preset="github", secrets=NEW, inbound_scheme="github").outbound_signature(), StandardWebhooks
    )


HMAC = {"name": "hmac", "header": "x-sig"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"messages": [{"text": "body.a", "id": "body.b"}, {"text": "body.a"}]}, "messages[1] has no id"),
        ({"messages": [{"when": {"body.k": 1}, "text": "body.a", "id": "body.b"}]}, "what no rule maps has no id"),
    ],
)
def test_calls_that_nothing_tells_apart_are_refused_at_the_start(settings: Any, said: str) -> None:
    """Else a repeat would be a second message, or a second message no more than a repeat."""
    with pytest.raises(ValidationError) as caught:
        config(secrets="any", scheme=HMAC, **settings)
    assert said in str(caught.value)
    assert "set call_id" in str(caught.value)
    for enough in (
        {"scheme": HMAC, "call_id": "digest"},
        {"scheme": HMAC | {"id_header": "x-id"}},
        {"scheme": "github"},
    ):
        config(secrets="any", **settings, **enough)


def test_a_rule_for_everything_with_an_id_is_enough() -> None:
    config(secrets="any", scheme=HMAC, messages=[{"text": "body.a", "id": ["body.id", "digest"]}])


async def test_without_a_url_there_is_nowhere_to_answer_to() -> None:
    """The document's addresses are anybody's."""
    async with channel(url=None, preset="flat") as (app, context):
        await post(app, {"text": "a", "sender": "https://evil.example/hook", "id": 1})
        (event,) = context.admitted
        assert event.conversation is not None
        async with WebhookAdapter(config(url=None), FakeContext(channel="hooks")) as adapter:
            with pytest.raises(RejectedError, match="set `url`"):
                await adapter.send(outgoing(event.conversation.address.uri, "No."))


async def test_an_answer_goes_to_the_configured_url() -> None:
    async with channel(preset="flat") as (app, context):
        await post(app, {"text": "a", "sender": "https://evil.example/hook", "id": 1})
    (event,) = context.admitted
    assert event.conversation is not None
    assert (event.conversation.address.uri, event.conversation.thread) == (HOME, "https://evil.example/hook")


async def test_what_makes_no_sense_is_400() -> None:
    async with channel(preset="flat") as (app, context):
        headers = StandardWebhooks([SecretStr(NEW)]).sign("m1", START, b'{"text"')
        assert (await call(app, body=b'{"text"', headers=headers)).status == 400
    assert context.admitted == []


def test_editors_know_the_presets() -> None:
    assert "github" in WebhookConfig.model_json_schema()["properties"]["preset"]["examples"]


def test_a_preset_that_there_is_not_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="did you mean 'github'"):
        config(preset="githubb")


def test_check_names_the_rule_and_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "convergekit.toml"
    rules = '[[channels.ci.messages]]\ntext = "body.a"\n[[channels.ci.messages]]\ntext = "{comment.body}"\n'
    settings.write_text(f'[channels.ci]\nadapter = "webhook"\nsecrets = "{NEW}"\n{rules}')
    assert main(["check", str(settings)]) == 2
    said = capsys.readouterr().err
    assert "channels.ci.messages[1].text: 'comment.body' is no path: it begins with body, entry, header, query" in said
    assert "messages[0]" not in said
