"""Only what the configured server found out is told, and nothing that a sender could have written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.details import AuthenticationResult
from convergekit.adapters.email.reading.authentication import authentication
from convergekit.adapters.email.reading.mail import read
from tests.adapters.email.reading.mails import mail

OURS = "mx.example.org"
RECEIVED = "Received: from a.example.net by b.example.org; Mon, 5 Jan 2026 12:00:00 +0000"


def found(*top: str, server: str | None = OURS) -> tuple[AuthenticationResult, ...]:
    return authentication(read(mail(top=top)).headers, server)


def said(*top: str, server: str | None = OURS) -> dict[str, str]:
    return {each.method: each.result for each in found(*top, server=server)}


def results(value: str) -> tuple[AuthenticationResult, ...]:
    return found(f"Authentication-Results: {value}")


def test_results_have_their_reason_and_their_properties() -> None:
    assert results(
        'mx.example.org; spf=pass smtp.mailfrom=example.net; dkim=fail reason="bad signature" '
        "header.d=example.net header.s=key header.b=AbC+/x=; dmarc=none"
    ) == (
        AuthenticationResult(method="spf", result="pass", properties={"smtp.mailfrom": "example.net"}),
        AuthenticationResult(
            method="dkim",
            result="fail",
            reason="bad signature",
            properties={"header.d": "example.net", "header.s": "key", "header.b": "AbC+/x="},
        ),
        AuthenticationResult(method="dmarc", result="none"),
    )


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.org; spf=pass",
        "mx.example.org;spf=pass;",
        "MX.Example.ORG; SPF=Pass",
        "mx.example.org 1; spf=pass",
        '"mx.example.org"; spf=pass',
        "mx.example.org.; spf=pass",
        "mx.example.org (our own) 1; spf = pass (it is allowed; dkim=fail )",
        "(a (nested; spf=fail) comment) mx.example.org; spf/1=pass",
        r"mx.example.org; spf=pass (a \) paren; dkim=fail )",
        r"mx.example.org (\\) (a \( paren); spf=pass",
        "mx.example.org; d!kim=pass; spf=pass; dkim=p!ass",
        "mx.example.org;\r\n\tspf=pass\r\n\t(folded)",
        "mx.example.org; ; spf=pass; what is this; =; x",
        'mx.example.org; spf=pass; dk"im=fa"il',
    ],
)
def test_ways_to_write_it(value: str) -> None:
    """RFC 8601 §2.2: comments, quoted strings, versions and folds; what cannot be read says nothing."""
    assert [(each.method, each.result) for each in results(value)] == [("spf", "pass")]


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.org; none",
        "mx.example.org",
        "",
        ";",
        "mx.example.org 2; spf=pass",
        "mx.example.org 1 1; spf=pass",
        "other.example.org; spf=pass",
        "mx.example.org.evil.example; spf=pass",
        "spf=pass smtp.mailfrom=example.net; dkim=pass",
        'mx.example.org "; spf=pass',
        "mx.example.org (; spf=pass",
    ],
)
def test_what_tells_nothing(value: str) -> None:
    assert results(value) == ()


def test_quotes_hold_what_would_else_be_a_result() -> None:
    [result] = results(r'mx.example.org; spf=fail smtp.mailfrom="a; dmarc=pass\" x"@example.net reason="b; dkim=pass"')

    assert result.properties == {"smtp.mailfrom": 'a; dmarc=pass" x@example.net'}
    assert result.reason == "b; dkim=pass"


def test_encoded_words_are_not_decoded() -> None:
    """A sender chooses what a server quotes: decoded, this address would become a result."""
    assert said(f"Authentication-Results: {OURS}; spf=fail smtp.mailfrom==?utf-8?q?=3Bdmarc=3Dpass?=@example.net") == {
        "spf": "fail"
    }


def test_without_a_configured_server_there_are_none() -> None:
    assert said(f"Authentication-Results: {OURS}; spf=pass", server=None) == {}


def test_other_servers_say_nothing() -> None:
    assert said("Authentication-Results: evil.example; dmarc=pass", f"Authentication-Results: {OURS}; dmarc=fail") == {
        "dmarc": "fail"
    }


def test_each_method_may_have_a_field_of_its_own() -> None:
    """As several filters of one server write them."""
    assert said(
        RECEIVED,
        f"Authentication-Results: {OURS}; dmarc=pass",
        f"Authentication-Results: {OURS}; dkim=pass",
        "Received-SPF: pass",
        f"Authentication-Results: {OURS}; spf=pass",
    ) == {"dmarc": "pass", "dkim": "pass", "spf": "pass"}


def test_a_field_below_says_nothing_of_a_method_that_one_above_speaks_of() -> None:
    assert said(f"Authentication-Results: {OURS}; dkim=fail", f"Authentication-Results: {OURS}; dkim=pass") == {
        "dkim": "fail"
    }


def test_two_signatures_of_one_field_both_count() -> None:
    both = results("mx.example.org; dkim=pass header.d=a.example; dkim=fail header.d=b.example")

    assert [(each.result, each.properties["header.d"]) for each in both] == [
        ("pass", "a.example"),
        ("fail", "b.example"),
    ]


def test_what_stands_beyond_the_next_hop_came_from_elsewhere() -> None:
    """A field in our server's name that the mail brought along."""
    assert said(
        RECEIVED,
        f"Authentication-Results: {OURS}; spf=fail",
        RECEIVED,
        f"Authentication-Results: {OURS}; dmarc=pass",
    ) == {"spf": "fail"}


def test_header_of_a_part_never_counts() -> None:
    inner = f"--=-edge\nContent-Type: text/plain\nAuthentication-Results: {OURS}; dmarc=pass\n\nx\n--=-edge--\n"
    raw = mail({"Content-Type": 'multipart/mixed; boundary="=-edge"'}, inner)

    assert authentication(read(raw).headers, OURS) == ()


@given(st.text(alphabet='mx.example.org;spf=pass"()\\ \ue000\ue0010', max_size=80) | st.binary(max_size=80))
def test_it_never_raises(value: str | bytes) -> None:
    octets = value.encode() if isinstance(value, str) else value.replace(b"\n", b"")
    raw = b"Authentication-Results: mx.example.org; " + octets + b"\r\n\r\n"

    assert len(authentication(read(raw).headers, OURS)) <= 50


@pytest.mark.parametrize("piece", ['"', "(", "()", '""', "(\\", ";", "a=b;", "=", " ", "a.b=c ", "\ue0000\ue001"])
def test_time_is_bounded(piece: str) -> None:
    raw = b"Authentication-Results: mx.example.org; " + (piece * 16_000).encode()[:16_000] + b"\r\n"
    headers = read(raw * 16 + b"\r\n").headers
    begin = time.process_time()
    authentication(headers, OURS)

    assert time.process_time() - begin < 1
