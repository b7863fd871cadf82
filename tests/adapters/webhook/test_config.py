"""Settings of a webhook channel: what is refused, and that no secret shows."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from convergekit.adapters.webhook import WebhookConfig
from convergekit.config import channel_settings
from convergekit.errors import ConfigurationError
from tests.adapters.webhook.kit import NEW, OLD, config


def test_no_secret_and_no_path_is_shown() -> None:
    settings = config(url="https://example.org/TOKEN", headers={"authorization": "Bearer TOKEN"})
    shown = repr(settings) + str(settings) + settings.to_dsn()
    assert "TOKEN" not in shown
    assert NEW[6:] not in shown
    assert "example.org" in settings.to_dsn()


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": ()},
        {"secrets": ("whsec_c2hvcnQ=",)},
        {"secrets": ("TOKEN!",)},
        {"url": "https://user:TOKEN@example.org/"},
        {"url": "http://example.org/TOKEN"},
        {"url": "http://127.0.0.1.example.org/TOKEN"},
        {"url": "mailto:ann@example.org"},
        {"url": "https://example.org/TO KEN"},
        {"headers": {"x": "TOKEN\r\ny: z"}},
        {"headers": {"x": "TOKENä"}},
        {"headers": {"x y": "TOKEN"}},
        {"headers": {"Webhook-Id": "TOKEN"}},
        {"headers": {"Host": "TOKEN"}},
        {"event_type": "no spaces"},
        {"tolerance": 0},
        {"timeout": 3600},
        {"unknown": "TOKEN"},
    ],
)
def test_what_cannot_work_is_refused_without_being_shown(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**wrong)
    assert "TOKEN" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/x", "http://127.0.0.1/", "http://[::1]/", "http://a.localhost/"]
)
def test_plain_http_to_this_machine_needs_no_permission(url: str) -> None:
    assert config(url=url).url is not None


def test_plain_http_to_others_has_to_be_permitted() -> None:
    assert config(url="http://example.org/", allow_http=True).url == "http://example.org/"


def test_one_secret_may_stand_alone() -> None:
    assert len(WebhookConfig(secrets=NEW).secrets) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dsn", "url", "secrets"),
    [
        (f"webhook://{NEW.replace('=', '%3D')}@example.org/hook", "https://example.org/hook", [NEW]),
        (f"webhook://{NEW},{OLD}@example.org:8443/a?b=c&d=e", "https://example.org:8443/a?b=c&d=e", [NEW, OLD]),
        (f"webhook+http://{NEW}@example.org/", "http://example.org/", [NEW]),
    ],
)
def test_a_dsn_is_the_url_with_the_secrets_before_it(dsn: str, url: str, secrets: list[str]) -> None:
    settings = WebhookConfig.from_dsn(dsn)
    assert settings.url == url
    assert [secret.get_secret_value() for secret in settings.secrets] == secrets


@pytest.mark.parametrize(
    "dsn", ["webhook://example.org", "https://TOKEN@example.org", "webhook://", "webhook://TOKEN@", "x"]
)
def test_another_form_is_refused_without_being_shown(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WebhookConfig.from_dsn(dsn)
    assert "TOKEN" not in str(caught.value)


def test_there_is_a_schema_and_each_setting_is_described() -> None:
    properties = WebhookConfig.model_json_schema()["properties"]
    assert all(setting.get("description") for setting in properties.values())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("webhook://c2hvcnQ@example.org/x", "channel 'a': dsn: scheme: a webhook secret is `whsec_`"),
        (
            {"adapter": "webhook", "secrets": NEW, "allow_networks": "x"},
            "channel 'a': allow_networks: 'x' is no network",
        ),
        ({"adapter": "webhook", "secrets": NEW, "preset": "x"}, "channel 'a': preset: no preset is called 'x'"),
    ],
)
def test_what_is_wrong_is_said_once_and_at_its_place(settings: Any, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        channel_settings("a", settings)
    said = str(caught.value)
    assert said.startswith(told)
    assert "not 'x'" not in said
