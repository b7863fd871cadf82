"""Signatures of OAuth 1.0a: the same as those of oauthlib, whatever is signed, and the one that X documents."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import Client
from requests_oauthlib import OAuth1

from convergekit.adapters.x.oauth1 import Signer, encoded

URL = "https://api.x.com/2/users/2244994945/mentions"
SECRETS = ("consumer key", "consumer&secret%", "1-tökén", "token secret")
NONCE, TIMESTAMP = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", 1318622958

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def by_oauthlib(method: str, url: str, query: list[tuple[str, str]]) -> str:
    client = Client(*SECRETS, nonce=NONCE, timestamp=str(TIMESTAMP))
    joined = "&".join(f"{name}={value}" for name, value in query)
    _, headers, _ = client.sign(f"{url}?{joined}" if joined else url, method)
    return str(headers["Authorization"])


def said(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    assert scheme == "OAuth"
    return {name: value.strip('"') for name, _, value in (each.partition("=") for each in rest.split(", "))}


@given(st.sampled_from(["GET", "POST", "DELETE"]), st.lists(st.tuples(words.filter(bool), words), max_size=5))
def test_it_signs_as_oauthlib_does(method: str, pairs: list[tuple[str, str]]) -> None:
    query = encoded(pairs)
    ours = Signer(*SECRETS).authorization(method, URL, query, nonce=NONCE, timestamp=TIMESTAMP)
    assert said(ours) == said(by_oauthlib(method, URL, query))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.x.com:443/2/tweets",
        "http://127.0.0.1:80/2/tweets",
        "http://127.0.0.1:8080/2/tweets",
        "HTTPS://API.X.com/2/Tweets/%7Ea",
        "https://api.x.com",
    ],
)
def test_an_address_is_signed_in_its_usual_form(url: str) -> None:
    """RFC 5849 §3.4.1.2: lower case, without the usual port; the path as it is."""
    ours = Signer(*SECRETS).authorization("GET", url, nonce=NONCE, timestamp=TIMESTAMP)
    assert said(ours) == said(by_oauthlib("GET", url, []))


def test_it_signs_as_tweepy_s_other_client_does() -> None:
    """Which leaves it to requests_oauthlib."""
    query = encoded(
        [("max_results", "100"), ("tweet.fields", "created_at,author_id"), ("since_id", "1445880548472328192")]
    )
    auth = OAuth1(*SECRETS, nonce=NONCE, timestamp=str(TIMESTAMP))
    url = f"{URL}?{'&'.join(f'{name}={value}' for name, value in query)}"
    prepared = requests.Request("GET", url, auth=auth).prepare()
    header = prepared.headers["Authorization"]
    theirs = header.decode() if isinstance(header, bytes) else header
    ours = Signer(*SECRETS).authorization("GET", URL, query, nonce=NONCE, timestamp=TIMESTAMP)
    assert said(ours) == said(theirs)


def test_the_example_of_rfc_5849_has_this_shape() -> None:
    """§3.5.1: one line, all values in quotes, nothing in it that would end a header."""
    header = Signer(*SECRETS).authorization("GET", URL, nonce=NONCE, timestamp=TIMESTAMP)
    assert header.isascii()
    assert header.isprintable()
    assert list(said(header)) == [
        "oauth_consumer_key",
        "oauth_nonce",
        "oauth_signature_method",
        "oauth_timestamp",
        "oauth_token",
        "oauth_version",
        "oauth_signature",
    ]


@given(st.lists(st.tuples(words, words)))
def test_what_is_encoded_reads_as_it_was(pairs: list[tuple[str, str]]) -> None:
    joined = "&".join(f"{name}={value}" for name, value in encoded(pairs))
    assert parse_qsl(joined, keep_blank_values=True) == pairs or not joined.strip("=&")
