"""Plivo's signatures: what Plivo's own library takes and refuses, so do we."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.adapters.sms.verify.kit import OTHER, SECRET, Wire, changed, channel, pairs, places, posted, takes
from tests.oracles import oracle

V3, V2 = channel("plivo"), channel("plivo", {"version": "v2"})
NONCE = "05429567804466091622"
plain = st.lists(st.tuples(st.sampled_from(["ref", "a", "b"]), st.text("abc +&=.,", max_size=5)), max_size=4)


@pytest.fixture(scope="module")
def plivo() -> Any:
    return oracle("plivo.utils.signature_v3")


@pytest.fixture(scope="module")
def older() -> Any:
    return oracle("plivo.utils")


def form(wire: Wire) -> dict[str, list[str]]:
    return parse_qs(wire.body.decode("latin-1"), keep_blank_values=True)


def signed(plivo: Any, wire: Wire, secret: str = SECRET, nonce: str = NONCE) -> Wire:
    get = wire.method == "GET"
    text = plivo.construct_get_url(wire.url, {}) if get else plivo.construct_post_url(wire.url, form(wire))
    signature = plivo.get_signature_v3(secret.encode(), text.decode(), nonce.encode()).decode()
    return wire.with_headers(x_plivo_signature_v3=signature, x_plivo_signature_v3_nonce=nonce)


def taken_by(plivo: Any, wire: Wire) -> bool:
    signature, nonce = (wire.headers.get(f"x-plivo-signature-v3{each}", "") for each in ("", "-nonce"))
    return plivo.validate_v3_signature(wire.method, wire.url, nonce, SECRET, signature, form(wire))


@changed
@settings(max_examples=10)
@given(fields=pairs, query=plain, at=places)
def test_a_form(plivo: Any, change: Callable[[Wire, int], Wire], fields: Any, query: Any, at: int) -> None:
    wire = signed(plivo, posted(fields, query))
    assert takes(V3, wire)
    wire = change(wire, at)
    assume(b"%" not in wire.body or all(each.isprintable() for each in str(form(wire))))
    # The library takes a form with a GET for a query, which it is not: that is refused here.
    assert takes(V3, wire) == (taken_by(plivo, wire) and not (wire.method == "GET" and wire.body))


@changed
@settings(max_examples=10)
@given(query=plain, at=places)
def test_a_get(plivo: Any, change: Callable[[Wire, int], Wire], query: Any, at: int) -> None:
    wire = signed(plivo, replace(posted([], query), method="GET"))
    assert takes(V3, wire)
    wire = change(wire, at)
    assert takes(V3, wire) == (taken_by(plivo, wire) and not wire.body)


@changed
@settings(max_examples=10)
@given(fields=pairs, query=plain, at=places)
def test_v2_where_the_profile_says_so(
    older: Any, change: Callable[[Wire, int], Wire], fields: Any, query: Any, at: int
) -> None:
    wire = posted(fields, query)
    signature = older.base64_encode(
        older.hnew(SECRET.encode(), f"{wire.url.partition('?')[0]}{NONCE}".encode(), older.sha256).digest()
    )
    wire = wire.with_headers(x_plivo_signature_v2=signature.decode().strip(), x_plivo_signature_v2_nonce=NONCE)
    assert takes(V2, wire)
    wire = change(wire, at)
    given, nonce = (wire.headers.get(f"x-plivo-signature-v2{each}", "") for each in ("", "-nonce"))
    assert takes(V2, wire) == older.validate_signature(wire.url, nonce, given, SECRET)
    assert not takes(V3, wire)


@pytest.mark.parametrize("shape", ["{good},{bad}", "{bad},{good}", "{bad}", "{bad},{bad}", "", ",", "{good},"])
def test_a_list_of_signatures(plivo: Any, shape: str) -> None:
    wire = posted([("Text", "a")])
    good, bad = (signed(plivo, wire, each).headers["x-plivo-signature-v3"] for each in (SECRET, OTHER))
    wire = signed(plivo, wire).with_headers(x_plivo_signature_v3=shape.format(good=good, bad=bad))
    assert takes(V3, wire) == taken_by(plivo, wire) == ("good" in shape)


def test_the_main_account_signs_for_its_subaccounts(plivo: Any) -> None:
    """The library leaves it to the host which header it hands over."""
    wire = signed(plivo, posted([("Text", "a")]), OTHER)
    main = signed(plivo, posted([("Text", "a")])).headers["x-plivo-signature-v3"]
    assert not takes(V3, wire)
    assert takes(V3, wire.with_headers(x_plivo_signature_ma_v3=main))


def test_a_list_that_was_joined_by_a_proxy(plivo: Any) -> None:
    """With blanks behind the commas, as RFC 9110 §5.3 has it; the library would not find the second one."""
    wire = posted([("Text", "a")])
    good, bad = (signed(plivo, wire, each).headers["x-plivo-signature-v3"] for each in (SECRET, OTHER))
    assert takes(V3, signed(plivo, wire).with_headers(x_plivo_signature_v3=f"{bad}, {good}"))
