"""What can be written in a request, and where a URL leads."""

from __future__ import annotations

import pytest

from convergekit.http import is_header, is_this_machine, leads_to, origin_at, origin_of, url_behind


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example/v1?a=b", "https://api.example"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://user:secret@api.example/", None),
        ("ftp://api.example/", None),
        ("https:///v1", None),
        ("https://api.example:0/", None),
        ("https://api.example:99999/", None),
        ("https://[::1/", None),
        ("https://api.example/a b", None),
        ("https://api.example/\u00e9", None),
        ("https://api.example/\r\nX: y", None),
        ("", None),
    ],
)
def test_a_url_that_cannot_be_asked_has_no_origin(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [("x-a", "b c", True), ("x-a", "", True), ("", "b", False), ("x a", "b", False), ("x-a", "b\r\nc: d", False)],
)
def test_a_header_is_one_line(name: str, value: str, fits: bool) -> None:
    assert is_header(name, value) is fits


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://media.example.org/1", True),
        ("https://MEDIA.example.org/1", True),
        ("https://a.b.files.example/1", True),
        ("https://files.example/1", False),
        ("https://evilfiles.example/1", False),
        ("https://media.example.org.evil.example/", False),
        ("https://media.example.org@evil.example/", False),
        ("https://[media.example.org/", False),
        ("", False),
    ],
)
def test_a_host_is_itself_and_a_star_whatever_is_below(url: str, leads: bool) -> None:
    assert leads_to(url, ("Media.example.org", "*.files.example")) is leads


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("a.localhost", True), ("127.0.0.9", True), ("::1", True), ("localhost.example", False)],
)
def test_which_host_is_this_machine(host: str, is_here: bool) -> None:
    assert is_this_machine(host) is is_here


@pytest.mark.parametrize(
    ("host", "port", "origin"),
    [
        ("api.example", None, "https://api.example"),
        ("api.example", 8443, "https://api.example:8443"),
        ("localhost", 8080, "http://localhost:8080"),
        ("::1", 8080, "http://[::1]:8080"),
        ("2001:db8::1", None, "https://[2001:db8::1]"),
    ],
)
def test_a_host_is_asked_by_https_unless_it_is_this_machine(host: str, port: int | None, origin: str) -> None:
    assert origin_at(host, port) == origin


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        ("", "", "https://a.example/in"),
        ("/shop", "a=b%20c", "https://a.example/in/shop?a=b%20c"),
        ("/a b/\u00e9?#", "", "https://a.example/in/a%20b/%C3%A9%3F%23"),
        ("/:@!$&'()*+,;=~-._", "", "https://a.example/in/:@!$&'()*+,;=~-._"),
        ("/\udcff", "", "https://a.example/in/%3F"),
    ],
)
def test_the_url_that_was_called_is_written_as_its_caller_wrote_it(path: str, query: str, url: str) -> None:
    assert url_behind("https://a.example/in", path, query) == url
