"""Adapters are found by what is installed, one at a time, and a broken one is named and alone."""

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint

import pytest

from convergekit.config import adapter_class, adapter_entries
from convergekit.config.discovery import installed
from convergekit.errors import ConfigurationError

from .plugins import PlainAdapter, PostAdapter, plugins, point


def never() -> Iterable[EntryPoint]:
    raise AssertionError("a name of our own needs no scan")


def refusal(name: str, *points: EntryPoint) -> str:
    with pytest.raises(ConfigurationError) as caught:
        adapter_class(name, lambda: points)
    return str(caught.value)


def test_an_installed_adapter_is_found_by_its_name() -> None:
    assert adapter_class("post", plugins) is PostAdapter
    assert adapter_class("plain", plugins) is PlainAdapter


@pytest.mark.parametrize("name", ["loopback", "webhook"])
def test_our_own_are_found_without_a_scan(name: str) -> None:
    assert adapter_class(name, never).name == name


def test_our_own_are_announced_as_everybodys() -> None:
    found = {entry.name: entry for entry in adapter_entries()}
    for name in ("email", "loopback", "webhook"):
        assert found[name].distribution == "convergekit"
        assert found[name].version
        assert found[name].error is None
        module, _, attribute = found[name].target.partition(":")
        assert adapter_class(name).__module__.startswith(module)
        assert adapter_class(name).__name__ == attribute


def test_the_fast_path_leads_where_the_entry_point_does() -> None:
    ours = [found for found in installed() if found.dist is not None and found.dist.name == "convergekit"]
    assert {found.name for found in ours} == {"email", "loopback", "sms", "webhook", "x", "xmpp"}
    assert all(adapter_class(found.name, never) is found.load() for found in ours)


def test_listing_imports_no_adapter() -> None:
    entries = adapter_entries(lambda: [point("post", "no.such.module:Adapter"), point("plain", "PlainAdapter")])
    assert [(entry.name, entry.distribution, entry.version, entry.error) for entry in entries] == [
        ("plain", "post-plugin", "1.0", None),
        ("post", "post-plugin", "1.0", None),
    ]


def test_loading_one_adapter_loads_no_other() -> None:
    code = (
        "import sys; from convergekit.config import adapter_class; adapter_class('loopback');"
        "print(*(name for name in sys.modules if name.startswith('convergekit.adapters.')))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert {name.split(".")[2] for name in answer.stdout.split()} == {"loopback"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Email", "it is called 'email'"),
        ("smtp", "it is called 'email'"),
        ("jabber", "it is called 'xmpp'"),
        ("Twitter", "it is called 'x'"),
        ("twilio", "it is called 'sms'"),
        ("webhok", "did you mean 'webhook'?"),
        ("pots", "did you mean 'post'?"),
        ("emial", "did you mean 'email'?"),
        ("carrier-pigeon", "there are email, loopback, plain, post, sms, webhook, x, xmpp"),
    ],
)
def test_an_unknown_name_says_the_way_out(name: str, told: str) -> None:
    assert told in refusal(name, *plugins())


def test_two_distributions_with_one_name_are_both_named() -> None:
    points = [point("post", "PostAdapter"), point("post", "PlainAdapter", "other-plugin")]

    text = refusal("post", *points)
    assert "post-plugin 1.0" in text
    assert "other-plugin 1.0" in text
    assert [entry.error for entry in adapter_entries(lambda: points)] == [text, text]


def test_one_distribution_seen_twice_is_one() -> None:
    points = [point("post", "PostAdapter"), point("post", "PostAdapter")]
    assert adapter_class("post", lambda: points) is PostAdapter
    assert len(adapter_entries(lambda: points)) == 1


@pytest.mark.parametrize(
    ("name", "target", "told"),
    [
        ("post", "no.such.module:Adapter", "ModuleNotFoundError: No module named 'no'"),
        ("post", "Missing", "AttributeError"),
        ("post", "plugins", "is not a subclass of convergekit.abc.Adapter"),
        ("post", "Settings", "is not a subclass of convergekit.abc.Adapter"),
        ("no-send", "NoSend", "does not implement send"),
        ("nameless", "Nameless", "has no name and no schemes and no Config"),
        ("other", "PostAdapter", "calls itself 'post'"),
        ("no-config", "NoConfig", "Config is not a pydantic model"),
        ("no-schemes", "NoSchemes", "must be a set of address schemes"),
        ("string-schemes", "StringSchemes", "must be a set of address schemes"),
        ("hiding", "HidingAdapter", "'rate' has the name of one that every channel has"),
    ],
)
def test_a_broken_plugin_is_named_and_alone(name: str, target: str, told: str) -> None:
    text = refusal(name, point(name, target), point("plain", "PlainAdapter"))
    assert f"{name!r} (post-plugin 1.0) is broken" in text
    assert told in text
    assert adapter_class("plain", lambda: [point(name, target), point("plain", "PlainAdapter")]) is PlainAdapter


class Skipped(BaseException):
    """As what `pytest.skip` raises."""


@pytest.mark.parametrize("leaving", [SystemExit, Skipped])
def test_a_plugin_that_exits_when_imported_does_not_take_us_with_it(
    leaving: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(self: EntryPoint) -> None:
        raise leaving("no licence")

    monkeypatch.setattr(EntryPoint, "load", leave)
    assert f"{leaving.__name__}: no licence" in refusal("post", *plugins())


def test_what_a_plugin_says_when_imported_is_one_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to a terminal, which obeys some characters."""

    def fail(self: EntryPoint) -> None:
        raise ValueError("\x1b[31mred\x1b[0m\r\n" * 1000)

    monkeypatch.setattr(EntryPoint, "load", fail)
    text = refusal("post", *plugins())
    assert "ValueError: [31mred [0m [31mred" in text
    assert text.isprintable()
    assert len(text) < 500


def test_a_malformed_entry_point_shows_in_the_listing() -> None:
    (entry,) = adapter_entries(lambda: [EntryPoint("post", "just.a.module", "convergekit.adapters")])
    assert entry.error == "its entry point 'just.a.module' is not module:attribute"
    assert entry.distribution is None
