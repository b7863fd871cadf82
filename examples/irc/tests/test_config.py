"""Settings: strict, silent about secrets, and one line where that is wanted."""

from __future__ import annotations

import pytest
from convergekit_irc import IrcAdapter, IrcConfig
from pydantic import SecretStr, ValidationError

from convergekit.config import channel_settings
from convergekit.errors import ConfigurationError

DSN = "ircs://bot:s%40same@irc.example.org:6697/%23room,%23other?realname=Our+bot&account=bot"


def test_a_dsn_says_all_of_it() -> None:
    config = IrcConfig.from_dsn(DSN)
    assert config == IrcConfig(
        host="irc.example.org",
        port=6697,
        nick="bot",
        password=SecretStr("s@same"),
        account="bot",
        rooms=("#room", "#other"),
        realname="Our bot",
    )


@pytest.mark.parametrize(
    "config",
    [
        IrcConfig(host="irc.example.org", nick="bot"),
        IrcConfig(host="::1", nick="[bot]", tls=False, rooms=("#a/b", "&c?d")),
        IrcConfig(host="h", nick="bot", port=7000, password=SecretStr("***"), ping_interval=5, username="b"),
        IrcConfig(host="h", nick="bot", password=SecretStr("***"), account="a&b=c", timeout=3.5, realname="B o t"),
    ],
)
def test_what_is_written_as_a_dsn_is_read_again(config: IrcConfig) -> None:
    again = IrcConfig.from_dsn(config.to_dsn())
    assert again == config.model_copy(update={"port": config.where[1]})


def test_a_dsn_is_written_without_the_password() -> None:
    assert IrcConfig.from_dsn(DSN).to_dsn() == DSN.replace("s%40same", "***").replace("6697/", "6697/").replace(
        "realname=Our+bot&account=bot", "account=bot&realname=Our+bot"
    )


def test_tls_is_what_is_meant_where_nothing_is_said() -> None:
    assert IrcConfig(host="h", nick="bot").where == ("h", 6697)
    assert IrcConfig.from_dsn("irc://bot@h").where == ("h", 6667)
    assert not IrcConfig.from_dsn("irc://bot@h").tls


@pytest.mark.parametrize(
    "dsn",
    [
        "irc:bot",
        "ircs://h",
        "http://bot@h",
        "irc://bot@h:port",
        "irc://bot:sesame@h/#room",
        "irc://bot@h?rooms=%23r",
        "irc://bot@h?realname",
        "irc://bot@h?realname=a&realname=b",
    ],
)
def test_another_form_is_refused_without_being_shown(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        IrcConfig.from_dsn(dsn)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nick", "b t"),
        ("nick", "bot\nQUIT"),
        ("nick", "#bot"),
        ("nick", "x" * 31),
        ("host", "h/x"),
        ("host", ""),
        ("rooms", ["room"]),
        ("rooms", ["#a,#b"]),
        ("rooms", ["#a key"]),
        ("password", "se\nsame"),
        ("password", ""),
        ("password", "sesame" * 60),
        ("account", "bot"),
        ("realname", "x\rQUIT"),
        ("username", "a b"),
        ("username", "x" * 11),
        ("timeout", 0),
        ("timeout", 51),
        ("port", 70000),
        ("nickname", "bot"),
    ],
)
def test_what_makes_no_sense_is_named_and_not_shown(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        IrcConfig.model_validate({"host": "h", "nick": "bot", name: value})
    assert "same" not in str(raised.value)


def test_a_setting_has_a_description_and_cannot_be_changed() -> None:
    properties = IrcConfig.model_json_schema()["properties"]
    assert all(each.get("description") for each in properties.values())
    with pytest.raises(ValidationError):
        IrcConfig(host="h", nick="bot").nick = "other"  # type: ignore[misc]


def test_the_password_is_in_no_text() -> None:
    config = IrcConfig.from_dsn(DSN)
    assert "s@same" not in f"{config!r} {config} {config.model_dump_json()} {config.to_dsn()}"


def test_a_hub_reads_the_settings_as_it_does_for_its_own_adapters() -> None:
    settings = channel_settings("chat", {"dsn": DSN, "timeout": 5, "concurrency": 4}, adapter=IrcAdapter)
    assert isinstance(settings.config, IrcConfig)
    assert (settings.config.timeout, settings.options.concurrency) == (5, 4)
