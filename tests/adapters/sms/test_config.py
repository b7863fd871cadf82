"""Settings of an SMS channel: what is asked for, and what is said of what is wrong."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from convergekit.adapters.sms import SmsAdapter, SmsConfig
from convergekit.adapters.sms.profiles import load, names, read
from convergekit.errors import ConfigurationError

OWN: dict[str, Any] = {
    "name": "acme",
    "title": "Acme",
    "settings": {
        "api_key": {"description": "the key"},
        "url": {"description": "the API", "default": "https://a.example"},
    },
    "send": {"url": "{url}/send", "encoding": "json", "fields": {"to": "{to}", "text": "{text}"}},
    "reply": {"ids": "id"},
    "callbacks": {"inbound": [{"id": "id", "from": "from", "text": "text"}]},
}


def refusal(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        SmsConfig.model_validate(settings)
    return str(caught.value)


class TestGateway:
    def test_each_of_ours_is_known_by_name(self) -> None:
        expected = (
            "africastalking bandwidth clickatell infobip jasmin kannel messagebird plivo sinch telnyx twilio vonage"
        )
        assert names(lambda: ()) == sorted([*expected.split(), "vonage-messages"])
        assert all(load(name).name == name for name in names(lambda: ()))

    def test_an_unknown_one_says_which_is_meant(self) -> None:
        assert "did you mean 'twilio'?" in refusal(gateway="twilo")
        assert "gateway or profile is missing" in refusal()

    def test_an_account_says_all_that_its_profile_asks_for_and_nothing_else(self) -> None:
        told = refusal(profile=OWN, account={"api_kee": "a-secret-value"})
        assert "account.api_key is missing: the key" in told
        assert "account.api_kee: acme takes api_key, url" in told
        assert "a-secret-value" not in told

    def test_a_medium_that_the_gateway_does_not_carry(self) -> None:
        assert "whatsapp: acme does not carry it" in refusal(
            profile=OWN, account={"api_key": "k"}, whatsapp="+491512345"
        )

    def test_several_values_replace_each_other_without_a_gap(self) -> None:
        config = SmsConfig(profile=OWN, account={"api_key": ["new", "old"]})  # type: ignore[dict-item]
        assert (config.value("api_key"), config.values("api_key")) == ("new", ("new", "old"))
        assert config.value("url") == "https://a.example"
        assert "old" not in repr(config)


class TestProfile:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"sned": {}}, "sned: there is no such key"),
            ({"send": {**OWN["send"], "fields": {"to": "{too}"}}}, "send.fields.to: {too} is neither a setting"),
            ({"send": {**OWN["send"], "fields": {"to": "{to"}}}, "send.fields.to"),
            ({"send": {**OWN["send"], "encoding": "xml"}}, "send.encoding"),
            ({"reply": {"ids": "a..b"}}, "reply.ids"),
            ({"reply": {"codes": {"1": "refused"}}}, "reply.codes.1"),
            ({"reply": {"format": "text"}}, "reply: a text is read by `pattern`"),
            ({"reply": {"format": "text", "pattern": "("}}, "reply.pattern"),
            ({"reply": {"pattern": "(?P<id>.)", "ids": "ident"}}, "reply: `pattern` has no group (?P<ident>...)"),
            ({"reply": {"ids": "$.id"}}, "reply.ids.0: '$.id' is no path"),
            ({"reply": []}, "reply: must be a table"),
            ({"words": {"done": "arrived"}}, "words.done"),
            ({"verify": [{"scheme": "rot13", "secret": "api_key"}]}, "verify.0.scheme"),
            ({"verify": [{"scheme": "hmac", "secret": "kee"}]}, "verify.0.secret: 'kee' is no setting"),
            (
                {"verify": [{"scheme": "hmac", "secret": "api_key", "options": {"heder": "X"}}]},
                "verify.0.options.header: it is missing; verify.0.options.heder: there is no such key",
            ),
            (
                {"verify": {"scheme": "hmac"}},
                "verify: must be a list; one of tables is written [{ ... }, { ... }], or begins",
            ),
            ({"settings": {"to": {"description": "x"}}}, "settings.to: {to} is a placeholder already"),
            ({"settings": {"To": {"description": "x"}}}, "settings.To: a name is lower-case letters"),
            ({"callbacks": {"inbound": {"from": "f"}}}, "callbacks.inbound: must be a list; one of tables"),
            ({"callbacks": {"status": [{"at_format": "epoch"}]}}, "callbacks.status.0.at_format: is none of iso"),
            ({"limits": {"rcs": {"text": 10}}}, "limits.rcs: it is not one of `media`"),
            ({"callbacks": {"inbound": [{"text": "t"}]}}, "callbacks.inbound.0.from"),
            ({"send": None, "callbacks": {}}, "it neither sends nor receives"),
        ],
    )
    def test_a_flaw_names_its_key(self, change: dict[str, Any], told: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read({**OWN, **change})
        assert told in str(caught.value)

    def test_a_file_says_where_it_is_wrong(self, tmp_path: Path) -> None:
        path = tmp_path / "acme.toml"
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read(path)
        path.write_text("name = ")
        with pytest.raises(ConfigurationError, match=r"acme\.toml: the profile is not TOML"):
            read(path)
        path.write_text('name = "acme"\ntitle = "Acme"\nsned = 1\n')
        with pytest.raises(ConfigurationError, match=r"acme\.toml: .*sned: there is no such key"):
            read(path)

    def test_a_file_is_a_profile(self, tmp_path: Path) -> None:
        path = tmp_path / "acme.toml"
        path.write_text(
            textwrap.dedent("""
                name = "acme"
                title = "Acme"
                [send]
                url = "https://a.example/send"
                fields = { to = "{to}", text = "{text}" }
            """)
        )
        config = SmsConfig(profile=path)
        assert (config.loaded.name, config.gateway) == ("acme", "generic")


class TestDsn:
    def test_a_dsn_says_gateway_and_account(self) -> None:
        config = SmsConfig.from_dsn("twilio://AC1:to%2Fken@default?from=%2B15005550006&messaging_service_sid=MG1")
        assert (config.gateway, config.sender) == ("twilio", "+15005550006")
        assert [config.value(name) for name in ("account_sid", "auth_token", "messaging_service_sid")] == [
            "AC1",
            "to/ken",
            "MG1",
        ]
        assert config.value("url") == "https://api.twilio.com"

    def test_a_host_is_where_the_api_is(self) -> None:
        config = SmsConfig.from_dsn("kannel://tester:foobar@127.0.0.1:13013?from=22000")
        assert config.value("url") == "http://127.0.0.1:13013"
        assert SmsConfig.from_dsn("kannel://t:f@sms.example.org").value("url") == "https://sms.example.org"

    @pytest.mark.parametrize(
        ("dsn", "told"),
        [
            ("twilio://AC1:secret@default?form=1", "takes no 'form'"),
            ("twilio://AC1:secret@default/path", "a DSN of sms is made like"),
            ("twilo://AC1:secret@default", "did you mean 'twilio'?"),
            ("twilio://AC1:secret@default?from=+15005550006", "that of a number is %2B"),
            ("clickatell://key:secret@default", "takes no PASSWORD there"),
        ],
    )
    def test_what_is_wrong_is_said_without_the_secret(self, dsn: str, told: str) -> None:
        with pytest.raises((ConfigurationError, ValidationError)) as caught:
            SmsConfig.from_dsn(dsn)
        assert told in str(caught.value)
        assert "secret" not in str(caught.value)


class TestSchemes:
    def test_a_channel_serves_what_it_has_a_name_for(self) -> None:
        account: Any = {"account_sid": "AC1", "auth_token": "t" * 32}
        plain = SmsConfig(gateway="twilio", account=account)
        assert SmsAdapter.schemes_for(plain) == {"sms", "tel"}
        both = SmsConfig(gateway="twilio", account=account, whatsapp="+14155238886")
        assert SmsAdapter.schemes_for(both) == {"sms", "tel", "whatsapp"}
        assert SmsAdapter.schemes_for(SmsConfig(profile={**OWN, "send": None}, account={"api_key": "k"})) == set()  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"callback_url": "ftp://x.example"}, "callback_url"),
        ({"callback_url": "https://x.example/?a=b"}, "without a query"),
        ({"callback_url": "x.example/hooks"}, "such as https://"),
        ({"callback_token": "short"}, "nobody must guess it"),
        ({"from": "a\nb"}, "printable ASCII"),
        ({"stop_words": ["two words"]}, "single words"),
        ({"region": "Germany"}, "such as DE"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings: dict[str, Any], told: str) -> None:
    assert told in refusal(profile=OWN, account={"api_key": "k"}, **settings)
