"""Settings from a file, the environment, a DSN and code: right, or refused with every problem and no secret."""

import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit import ChannelOptions
from convergekit.config import ChannelSettings, Settings, StoreSettings, channel_settings, load
from convergekit.engine.retention import Retention
from convergekit.errors import ConfigurationError
from convergekit.stores import MemoryStore

from .plugins import Nothing, PlainAdapter, PostAdapter, PostConfig, plugins, point

MEMORY = '[store]\nurl = "memory:"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "convergekit.toml"


def read(path: Path, text: str, environ: Mapping[str, str] | None = None, *, store: str = MEMORY) -> Settings:
    path.write_text(store + text, "utf-8")
    return load(path, environ or {}, entry_points=plugins)


def refused(path: Path, text: str, environ: Mapping[str, str] | None = None, *, store: str = MEMORY) -> list[str]:
    """The lines of the refusal, without the name of the file that each one starts with."""
    with pytest.raises(ConfigurationError) as caught:
        read(path, text, environ, store=store)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def only(settings: Settings) -> ChannelSettings:
    (channel,) = settings.channels.values()
    return channel


def config(settings: Settings) -> PostConfig:
    found = only(settings).config
    assert isinstance(found, PostConfig)
    return found


class TestFile:
    def test_a_channel_has_its_adapters_settings_and_everybodys(self, path: Path) -> None:
        settings = read(
            path,
            """
            [channels.support-post]
            adapter = "post"
            sender = "support"
            server = { host = "post.example.org", port = 2525 }
            concurrency = 2
            rate = { count = 5, per = 60 }
            """,
        )
        channel = only(settings)
        assert (channel.name, channel.adapter) == ("support-post", PostAdapter)
        assert channel.config == PostConfig.model_validate(
            {"sender": "support", "server": {"host": "post.example.org", "port": 2525}}
        )
        assert channel.options == ChannelOptions.model_validate({"concurrency": 2, "rate": {"count": 5, "per": 60}})
        assert settings.store == StoreSettings(url="memory:")
        assert settings.source == path

    def test_channels_keep_their_order(self, path: Path) -> None:
        settings = read(path, "".join(f'[channels.{name}]\nadapter = "plain"\n' for name in "zam"))
        assert list(settings.channels) == ["z", "a", "m"]
        assert [channel.name for channel in settings.channels.values()] == ["z", "a", "m"]

    def test_a_file_without_channels_is_a_hub_without_channels(self, path: Path) -> None:
        assert read(path, "").channels == {}

    def test_only_the_adapters_that_are_named_are_loaded(self, path: Path) -> None:
        path.write_text(MEMORY + '[channels.a]\nadapter = "plain"\n')
        points = [*plugins(), point("broken", "no.such.module:Adapter")]
        assert only(load(path, {}, entry_points=lambda: points)).adapter is PlainAdapter

    def test_one_scan_serves_all_channels(self, path: Path) -> None:
        path.write_text(MEMORY + "".join(f'[channels.{name}]\nadapter = "plain"\n' for name in "abc"))
        scans: list[int] = []
        load(path, {}, entry_points=lambda: [scans.append(1), *plugins()][1:])  # type: ignore[list-item, return-value]
        assert len(scans) == 1

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "there is no such file"),
            (b"[channels\n", "is not TOML: "),
            (b"\xff\xfe", "is not UTF-8 at byte 0; TOML is"),
            (b"a = " + b"[" * 5000, "is not TOML: "),
        ],
    )
    def test_a_file_that_cannot_be_read_says_why(self, path: Path, content: bytes | None, told: str) -> None:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            load(path, {})
        assert str(caught.value).startswith(f"{path}: {told}")

    def test_a_folder_is_not_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
            load(tmp_path, {})


class TestStore:
    def test_without_one_it_is_sqlite_beside_the_program(self, path: Path) -> None:
        assert read(path, "", store="").store == StoreSettings(url="sqlite:///convergekit.db")

    def test_it_may_be_said_in_the_environment(self, path: Path) -> None:
        """Memory, too, is taken by name."""
        store = read(path, "", {"CONVERGEKIT_STORE__URL": "memory:"}, store="").store
        assert isinstance(store.make(), MemoryStore)

    def test_how_long_content_is_kept_is_said_by_channel(self, path: Path) -> None:
        told = '[store.retention]\ndays = 365\nchannels = { "alerts-*" = 30, legal = 3650 }\n'
        kept = read(path, "", store=told).store.retention
        assert kept == Retention(days=365, channels={"alerts-*": 30, "legal": 3650})

    @pytest.mark.parametrize(
        ("store", "shown"),
        [
            ("url = 'memory:'", "memory:"),
            ("url = 'sqlite:///ledger.db'", "sqlite:///ledger.db"),
            ("url = 'postgresql://u:hunter22@db:5433/x?sslpassword=hunter22'", "postgresql://db:5433/x"),
            ("url = { env = 'URL' }", "postgresql+psycopg://db/x"),
            ("url = 'postgresql://db/x'\nuser = 'u'\npassword = { env = 'PW' }", "postgresql://db/x"),
        ],
    )
    def test_it_is_shown_without_its_secrets(self, path: Path, store: str, shown: str) -> None:
        environ = {"URL": "postgresql+psycopg://u:hunter22@db/x", "PW": "hunter22"}
        settings = read(path, "", environ, store=f"[store]\n{store}\n")
        assert settings.store.shown == shown
        assert "hunter22" not in repr(settings)

    @pytest.mark.parametrize(
        ("store", "told"),
        [
            ("[store]\nurl = 3\n", "store.url: "),
            ('[store]\nurl = "memory:"\nulr = 1\n', "store.ulr: unknown setting; did you mean 'url'?"),
            ('store = "memory:"\n', 'store: must be a table: [store] with url = "sqlite:///convergekit.db"'),
            ('[store]\nurl = "cloud:"\n', 'store.url: cloud://***: no such store; there are "sqlite:///FILE"'),
            ('[store]\nurl = "mysql://u:hunter22@db/x"\n', "store.url: mysql://***: no such store; there are"),
            ('[store]\nurl = "ledger.db"\n', "store.url: ***: no such store; there are"),
            (
                '[store]\nurl = "postgresql://u:hunter22@db:a/x"\n',
                "store.url: postgresql://*** cannot be read as a URL",
            ),
            ('[store]\nurl = "postgresql://u:hunter22@db/x"\npassword = "hunter22"\n', "store.password: is said twice"),
            ('[store]\nurl = "postgresql://u@db/x"\nuser = "u"\n', "store.user: is said twice: here and in the url"),
            ('[store]\nurl = "memory:"\nblobs = "x"\n', "store.blobs: is for a database"),
            ("[store.retention]\ndays = 0\n", "store.retention.days: Input should be greater than 0, not 0"),
            ("[store.retention]\ndasy = 1\n", "store.retention.dasy: unknown setting; did you mean 'days'?"),
            ('[store.retention.channels]\n"alerts-*" = "x"\n', 'store.retention.channels."alerts-*": Input should be'),
            ('[store]\nurl = { env = "LEDGER" }\n', "store.url: the environment variable LEDGER is not set; set it"),
        ],
    )
    def test_what_is_not_a_store_is_refused(self, path: Path, store: str, told: str) -> None:
        (line,) = refused(path, "", store=store)
        assert line.startswith(told)
        assert "hunter22" not in line


class TestProblems:
    def test_every_problem_is_told_with_its_path_and_the_way_out(self, path: Path) -> None:
        lines = refused(
            path,
            """
            [channels.one]
            adapter = "post"
            sender = 3
            sevrer = {}
            retries = "many"
            server = { hots = "x", mode = "startls" }
            concurency = 1
            on_uncertain = "retry"

            [channels.two]
            adapter = "pots"

            [channels.three]
            sender = "x"

            [chanels.four]
            """,
        )
        assert lines == [
            "chanels: unknown setting; did you mean 'channels'?",
            "channels.one.on_uncertain: Input should be 'stop' or 'resend', not 'retry'",
            "channels.one.sender: Input should be a valid string, not 3",
            "channels.one.server.host: missing; is 'hots' meant for it?",
            "channels.one.server.mode: Input should be 'starttls' or 'implicit', not 'startls'; "
            "did you mean 'starttls'?",
            "channels.one.server.hots: unknown setting; did you mean 'host'?",
            "channels.one.retries: Input should be a valid integer, unable to parse string as an integer, not 'many'",
            "channels.one.sevrer: unknown setting; did you mean 'server'?",
            "channels.one.concurency: unknown setting; did you mean 'concurrency'?",
            "channels.two.adapter: no adapter 'pots' is installed; did you mean 'post'?",
            'channels.three.adapter: missing; say adapter = "..." (plain, post), or dsn = "..."',
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("channels = 3", "channels: must be a table of tables: [channels.NAME]"),
            ("[channels]\na = 3", 'channels.a: must be a table: adapter = "..."'),
            ("[channels.a]\nadapter = 3", "channels.a.adapter: must be a name"),
            ('[channels."a b"]\nadapter = "plain"', 'channels."a b": a channel\'s name is made of letters'),
            ('[channels."*"]\nadapter = "plain"', 'channels."*": a channel\'s name is made of letters'),
            ('[channels.a]\nadapter = "plain"\nrate = 3', "channels.a.rate: must be a table of settings"),
            ('[channels.a]\nadapter = "plain"\ndsn = "plain://"', "channels.a.dsn: the adapter 'plain' takes no DSN"),
            ('[channels.a]\nadapter = "post"\ndsn = 3', "channels.a.dsn: must be a text like scheme://"),
        ],
    )
    def test_what_has_the_wrong_shape_is_told_its_right_one(self, path: Path, text: str, told: str) -> None:
        (line,) = refused(path, text, store="store.url = 'memory:'\n")
        assert line.startswith(told)

    def test_two_defaults_for_one_scheme_are_refused(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "plain"\ndefault = true\n[channels.b]\ndsn = "post://b"\ndefault = true\n'
        (line,) = refused(path, text)
        assert line == "channels.b.default: channel 'a' is the default for post: addresses already; keep one of them"

    def test_defaults_for_different_schemes_live_together(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "plain"\n[channels.b]\ndsn = "post://b"\ndefault = true\n'
        assert [channel.options.default for channel in read(path, text).channels.values()] == [False, True]

    def test_no_problem_carries_the_validation_error_along(self, path: Path) -> None:
        """Its text has the values in it; whoever logs the chain of causes would log them."""
        path.write_text(MEMORY + '[channels.a]\nadapter = "post"\nsender = 3\npin = "hunter2hunter2"\n')
        with pytest.raises(ConfigurationError) as caught:
            load(path, {}, entry_points=plugins)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


class TestEnvironment:
    def test_a_value_is_looked_up_wherever_it_stands(self, path: Path) -> None:
        text = """
            [channels.a]
            adapter = { env = "KIND" }
            sender = { env = "SENDER" }
            secrets = ["one", { env = "SECOND" }]
            server = { host = { env = "HOST" }, port = { env = "PORT" } }
            concurrency = { env = "MANY" }
            """
        environ = {"KIND": "post", "SENDER": "me", "SECOND": "two", "HOST": "h", "PORT": "26", "MANY": "3"}
        settings = read(path, text, environ)
        assert [secret.get_secret_value() for secret in config(settings).secrets] == ["one", "two"]
        assert (
            config(settings).server
            == PostConfig.model_validate({"sender": "", "server": {"host": "h", "port": 26}}).server
        )
        assert only(settings).options.concurrency == 3

    def test_a_variable_that_is_not_set_is_one_problem(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "post"\nsender = { env = "SENDERS" }\n'
        assert refused(path, text, {"SENDER": "x"}) == [
            "channels.a.sender: the environment variable SENDERS is not set; is SENDER meant?"
        ]

    def test_a_dsn_that_is_not_set_is_one_problem(self, path: Path) -> None:
        assert refused(path, '[channels.a]\ndsn = { env = "POST" }\n') == [
            "channels.a.dsn: the environment variable POST is not set; set it"
        ]

    def test_overrides_reach_every_level(self, path: Path) -> None:
        text = '[channels.support-mail]\nadapter = "post"\nsender = "x"\nserver = { host = "h" }\n'
        environ = {
            "CONVERGEKIT_CHANNELS__SUPPORT_MAIL__SENDER": "me",
            "CONVERGEKIT_CHANNELS__SUPPORT_MAIL__SERVER__PORT": "26",
            "CONVERGEKIT_CHANNELS__SUPPORT_MAIL__ON_UNCERTAIN": "resend",
            "CONVERGEKIT_CHANNELS__SUPPORT_MAIL__SECRETS": '["a", "b"]',
            "CONVERGEKIT_CHANNELS__SUPPORT_MAIL__RATE": '{"count": 4}',
        }
        settings = read(path, text, environ)
        found = config(settings)
        assert (found.sender, found.server and (found.server.host, found.server.port)) == ("me", ("h", 26))
        assert [secret.get_secret_value() for secret in found.secrets] == ["a", "b"]
        assert only(settings).options == ChannelOptions.model_validate({"on_uncertain": "resend", "rate": {"count": 4}})

    def test_text_that_looks_like_json_stays_text_where_text_is_wanted(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "post"\nsender = "x"\n'
        assert config(read(path, text, {"CONVERGEKIT_CHANNELS__A__SENDER": '["x"]'})).sender == '["x"]'

    def test_an_override_takes_the_place_of_a_reference(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "post"\nsender = { env = "NOT_SET" }\n'
        assert config(read(path, text, {"CONVERGEKIT_CHANNELS__A__SENDER": "me"})).sender == "me"

    def test_an_override_cannot_mean_two_channels(self, path: Path) -> None:
        text = '[channels.a-b]\nadapter = "plain"\n[channels.a_b]\nadapter = "plain"\n'
        assert refused(path, text, {"CONVERGEKIT_CHANNELS__A_B__HOLD": "1"}) == [
            "the environment variable CONVERGEKIT_CHANNELS__A_B__HOLD could mean the channels 'a-b' and 'a_b'; "
            "rename one of them"
        ]

    def test_an_override_for_nobody_is_refused(self, path: Path) -> None:
        text = '[channels.alerts]\nadapter = "plain"\n'
        assert refused(path, text, {"CONVERGEKIT_CHANNELS__ALERT__HOLD": "1"}) == [
            "the environment variable CONVERGEKIT_CHANNELS__ALERT__HOLD names no channel and field of it; "
            "did you mean 'alerts'?"
        ]
        for variable in ("CONVERGEKIT_CHANNELS__ALERTS", "CONVERGEKIT_CHANNELS__ALERTS__"):
            (line,) = refused(path, text, {variable: "1"})
            assert "names no channel and field of it" in line

    def test_an_unknown_field_in_an_override_is_refused(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "plain"\n'
        assert refused(path, text, {"CONVERGEKIT_CHANNELS__A__HLOD": "1"}) == [
            "channels.a.hlod: unknown setting; did you mean 'hold'?"
        ]

    def test_other_variables_are_not_ours(self, path: Path) -> None:
        text = '[channels.a]\nadapter = "plain"\n'
        assert only(read(path, text, {"CONVERGEKIT_DEBUG": "1", "CHANNELS__A__HOLD": "1"})).options.hold is None


class TestDsn:
    def test_the_scheme_names_the_adapter(self, path: Path) -> None:
        settings = read(path, '[channels.a]\ndsn = "post://me"\nhold = 5\n')
        assert (only(settings).adapter, config(settings).sender) == (PostAdapter, "me")
        assert only(settings).options.hold == 5

    def test_a_plus_in_the_scheme_is_the_adapters_own_business(self, path: Path) -> None:
        assert only(read(path, '[channels.a]\ndsn = "post+tls://me"\n')).adapter is PostAdapter

    def test_an_adapter_that_is_named_takes_any_scheme(self, path: Path) -> None:
        settings = read(path, '[channels.a]\nadapter = "post"\ndsn = "twilio://me"\n')
        assert config(settings).sender == "me"

    def test_an_unknown_scheme_says_that_the_adapter_may_be_named(self, path: Path) -> None:
        (line,) = refused(path, '[channels.a]\ndsn = "poste://me"\n')
        assert "did you mean 'post'?; with a dsn of another scheme, add adapter" in line

    def test_settings_may_stand_beside_the_dsn(self, path: Path) -> None:
        settings = read(path, '[channels.a]\ndsn = "post://:s3cret@me"\nretries = 7\n')
        assert (config(settings).retries, config(settings).secrets[0].get_secret_value()) == (7, "s3cret")

    def test_what_is_said_twice_is_refused(self, path: Path) -> None:
        (line,) = refused(path, '[channels.a]\ndsn = "post://me?retries=2"\nretries = 7\n')
        assert line == "channels.a.retries: is said twice: here and in the dsn; keep one of them"


SECRET = "correct horse/battery+staple"


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            f'adapter = "post"\nsender = "x"\npin = "{SECRET}"',  # the validator's own text repeats it
            f'adapter = "post"\nsender = "x"\nsecrets = "{SECRET}"',
            f'adapter = "post"\nsender = "x"\nsecrets = ["a", "{SECRET}", 3]',
            f'adapter = "post"\nsender = "x"\npasswrod = "{SECRET}"',
            f'adapter = "post"\nsender = "x"\nserver = {{ password = "{SECRET}" }}',
            f'adapter = "post"\nsender = "x"\nserver = {{ host = "h", password = ["{SECRET}"] }}',
            f'adapter = "post"\nsender = "x"\nserver = "{SECRET}"\nretries = {{ token = "{SECRET}" }}',
            f'adapter = "post"\nsender = {{ api_key = "{SECRET}" }}',
            f'dsn = "post://user:{SECRET}@me?retries=x"',
            f'dsn = "pots://user:{SECRET}@me"',
            f'dsn = "{SECRET}"',
            f'adapter = "post"\nsender = "x"\nretries = "https://ann:{SECRET}@example.org/"',
            f'adapter = "post"\nsender = "x"\nretries = "https://example.org/?a=b&sig={SECRET}"',
            'dsn = "post://user:refused-by-parser@me"',
        ],
    )
    def test_never_appear(self, path: Path, text: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read(path, f"[channels.a]\n{text}\n")
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        for secret in (SECRET, "battery", "correct horse", "refused-by-parser"):
            assert secret not in shown

    def test_of_a_url_the_rest_is_shown(self, path: Path) -> None:
        url = "https://ann:pw@example.org/x?a=b"
        (line,) = refused(path, f'[channels.a]\nadapter = "post"\nsender = "x"\nretries = "{url}"\n')
        assert line.endswith("not 'https://***@example.org/x?a=***'")

    @pytest.mark.parametrize("field", ["SENDER", "RETRIES", "PIN", "SECRETS", "SERVER__PASSWORD", "UNKNOWN", "DSN"])
    def test_values_of_the_environment_never_appear(self, path: Path, field: str) -> None:
        environ = {f"CONVERGEKIT_CHANNELS__A__{field}": SECRET}
        with pytest.raises(ConfigurationError) as caught:
            read(path, '[channels.a]\nadapter = "post"\nretries = "x"\n', environ)
        assert "battery" not in "".join(traceback.format_exception(caught.value))

    def test_a_secret_that_is_referred_to_never_appears(self, path: Path) -> None:
        (line,) = refused(
            path, '[channels.a]\nadapter = "post"\nsender = "a"\nretries = { env = "N" }', {"N": "1x2y3z"}
        )
        assert line.endswith("not ***")

    def test_settings_do_not_show_their_config(self, path: Path) -> None:
        settings = read(path, f'[channels.a]\nadapter = "post"\nsender = "{SECRET}"\n')
        assert SECRET not in repr(settings)

    @given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x7f\r"), min_size=8, max_size=40))
    def test_no_secret_of_any_shape_appears(self, secret: str) -> None:
        prefix = "Z9q" + secret  # not a word of ours
        table = {"adapter": "post", "sender": "x", "pin": prefix, "server": {"password": prefix, "token": prefix}}
        with pytest.raises(ConfigurationError) as caught:
            channel_settings("a", table, entry_points=plugins)
        assert prefix not in str(caught.value)
        assert json.dumps(prefix) not in str(caught.value)


class TestCode:
    def test_a_mapping_is_read_like_a_table(self) -> None:
        table = {"adapter": "post", "sender": {"env": "ME"}, "hold": 0}
        found = channel_settings("a", table, environ={"ME": "me"}, entry_points=plugins)
        assert found == ChannelSettings("a", PostAdapter, PostConfig(sender="me"), ChannelOptions(hold=0))

    def test_a_text_is_a_dsn(self) -> None:
        found = channel_settings("a", "post://me", options=ChannelOptions(hold=0), entry_points=plugins)
        assert found == ChannelSettings("a", PostAdapter, PostConfig(sender="me"), ChannelOptions(hold=0))

    def test_an_instance_tells_its_adapter(self) -> None:
        found = channel_settings("a", PostConfig(sender="me"), entry_points=plugins)
        assert (found.adapter, found.options) == (PostAdapter, ChannelOptions())

    def test_a_subclass_with_the_same_settings_does_not_confuse(self) -> None:
        class Flaky(PostAdapter):
            pass

        assert channel_settings("a", PostConfig(sender="me")).adapter is PostAdapter
        assert channel_settings("a", PostConfig(sender="me"), adapter=Flaky).adapter is Flaky

    def test_an_instance_of_several_adapters_asks_which(self) -> None:
        class Twin(PlainAdapter):
            Config = Nothing

        with pytest.raises(ConfigurationError, match=r"adapters have the settings Nothing; say which with adapter="):
            channel_settings("a", Nothing())
        assert channel_settings("a", Nothing(), adapter=Twin).adapter is Twin

    def test_an_instance_of_nobodys_settings_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no adapter that is loaded has the settings ChannelOptions"):
            channel_settings("a", ChannelOptions())

    def test_an_adapter_with_other_settings_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"PlainAdapter has the settings Nothing, not PostConfig"):
            channel_settings("a", PostConfig(sender="me"), adapter=PlainAdapter)

    def test_options_said_twice_are_refused(self) -> None:
        table: dict[str, Any] = {"adapter": "plain", "hold": 1}
        with pytest.raises(ConfigurationError, match=r"channel 'a': hold: is said twice"):
            channel_settings("a", table, options=ChannelOptions(), entry_points=plugins)

    @pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "*", "ä", "a" * 65, "a\n"])
    def test_a_name_that_reads_differently_elsewhere_is_refused(self, name: str) -> None:
        for given_config in ({"adapter": "plain"}, PostConfig(sender="x")):
            with pytest.raises(ConfigurationError, match="name is made of letters"):
                channel_settings(name, given_config, entry_points=plugins)

    def test_the_environment_does_not_reach_into_code(self) -> None:
        environ = {"CONVERGEKIT_CHANNELS__A__HOLD": "5"}
        assert channel_settings("a", {"adapter": "plain"}, environ=environ, entry_points=plugins).options.hold is None

    def test_a_problem_names_the_channel_and_the_setting(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^channel 'a': sender: missing; it has no default$"):
            channel_settings("a", {"adapter": "post"}, entry_points=plugins)
