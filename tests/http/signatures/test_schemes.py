"""What every scheme promises: what was signed passes, nothing else does, and nothing hostile raises anything else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from convergekit.abc import Headers, Request
from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http.signatures import SCHEMES, GitHub, SignatureScheme, scheme_named

from .kit import CASES, FORM, NOW, URL, Call, Case

all_of_them = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
fresh_ones = pytest.mark.parametrize(
    "case", [each for each in CASES.values() if each.fresh], ids=lambda each: each.name
)
#: Key pairs have nothing to compare, and of RFC 9421 the library compares.
comparing = pytest.mark.parametrize(
    "case",
    [each for name, each in CASES.items() if name not in ("v1a", "sendgrid", "rfc9421")],
    ids=str,
)
covering = pytest.mark.parametrize("case", [each for each in CASES.values() if each.covers], ids=lambda each: each.name)


def refused(scheme: SignatureScheme, call: Call) -> bool:
    """Whether *call* is refused; anything but `SignatureError` is the test's own failure."""
    try:
        scheme.verify(call, NOW)
    except SignatureError:
        return True
    return False


def public_key(private: Any) -> bytes:
    """As SendGrid shows it."""
    return base64.b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@all_of_them
def test_what_was_signed_is_verified(case: Case) -> None:
    verified = case.scheme(1).verify(case.call(1), NOW)

    assert verified.key_index == 0
    assert verified.timestamp == (int(NOW.timestamp()) if case.fresh else None)


@all_of_them
def test_a_request_of_the_contract_is_an_incoming_call(case: Case) -> None:
    call = case.call(1)
    request = Request(call.method, call.path, call.query, Headers(dict(call.headers)), call.body, call.url)

    assert case.scheme(1).verify(request, NOW) == case.scheme(1).verify(call, NOW)


@all_of_them
def test_while_a_secret_is_replaced_both_are_good_and_one_that_is_neither_is_not(case: Case) -> None:
    assert case.scheme(2, 1).verify(case.call(1), NOW).key_index == 1
    assert case.scheme(2, 1).verify(case.call(2), NOW).key_index == 0
    assert refused(case.scheme(2, 1), case.call(3))


@pytest.mark.parametrize("name", ["standard", "v1a", "stripe", "rfc9421"])
def test_where_a_header_holds_several_signatures_all_secrets_sign(name: str) -> None:
    case = CASES[name]

    assert case.scheme(2).verify(case.call(1, 2), NOW).key_index == 0
    assert case.scheme(1).verify(case.call(1, 2), NOW).key_index == 0


@fresh_ones
@pytest.mark.parametrize("past", [1, -1])
def test_the_replay_window_is_open_both_ways_and_no_further(case: Case, past: int) -> None:
    call, edge = case.call(1), timedelta(seconds=past * case.tolerance)

    assert case.scheme(1).verify(call, NOW + edge)
    with pytest.raises(SignatureError):
        case.scheme(1).verify(call, NOW + edge + timedelta(seconds=past))


@fresh_ones
def test_the_replay_window_can_be_set(case: Case) -> None:
    assert case.scheme(1, tolerance=5).verify(case.call(1), NOW + timedelta(seconds=5))
    with pytest.raises(SignatureError):
        case.scheme(1, tolerance="5").verify(case.call(1), NOW + timedelta(seconds=6))
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="tolerance"):
            case.scheme(1, tolerance=seconds)


@covering
@settings(max_examples=20)
@given(bit=st.integers(0, 10_000))
def test_any_flipped_bit_of_the_body_is_noticed(case: Case, bit: int) -> None:
    call = case.call(1)
    body = bytearray(call.body)
    body[bit // 8 % len(body)] ^= 1 << bit % 8

    assert refused(case.scheme(1), replace(call, body=bytes(body)))


@covering
def test_a_body_that_was_cut_or_went_on_is_noticed(case: Case) -> None:
    call = case.call(1)

    for body in (call.body[:-1], call.body + b"\n", call.body + b"&x=1", b""):
        assert refused(case.scheme(1), replace(call, body=body))


@comparing
def test_what_came_is_compared_in_constant_time_and_by_nothing_else(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `hmac.compare_digest` says is what counts."""
    scheme, forged, genuine = case.scheme(1), case.call(2), case.call(1)
    for says in (True, False):
        monkeypatch.setattr(hmac, "compare_digest", lambda one, other, says=says: says)
        assert refused(scheme, forged) != says
        assert refused(scheme, genuine) != says


_HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "",
        ",",
        ",,",
        ",,,,",
        "v1",
        "v1,",
        "v1,,",
        "v1,a,b",
        "v1,A===",
        "v1,A",
        "v1a,A",
        "v1a,A===",
        "v1,ä",
        "\ud800",
        "sha256=",
        "sha256=\udcff",
        "t=",
        "t=,v1=",
        "t=1,t=1,v1=a",
        "v0=",
        "9" * 400,
        "1" * 12,
        "-1",
        "1e3",
        "٣",
        "\x00",
        "Basic",
        "Basic =",
        "," * 100_000,
        "=" * 100_000,
        "v1,x " * 100_000,
        "v1a," + "A" * 100_000,
        "t=1," * 100_000,
        '{"a":' * 10_000,
    ]
)


@all_of_them
@settings(max_examples=30)
@given(value=_HOSTILE, at=st.integers(0, 7))
def test_whatever_a_header_holds_there_is_one_error(case: Case, value: str, at: int) -> None:
    call, good = case.call(1), set(case.call(1).headers) - {"content-type"}
    names = sorted(good) or ["x-id"]
    name = names[at % len(names)]
    scheme = case.scheme(1)

    taken = not refused(scheme, replace(call, headers={**call.headers, name: value}))
    assert not taken or value == call.headers.get(name) or _unsigned(scheme, call, name, value)


def _unsigned(scheme: SignatureScheme, call: Call, name: str, value: str) -> bool:
    """Whether *name* only holds an id that nobody vouches for: then what is no id is none."""
    assert any(part in name for part in ("id", "delivery", "idempotency")), name
    if name not in call.headers:  # this scheme has none
        return True
    id = scheme.verify(replace(call, headers={**call.headers, name: value}), NOW).id
    return id is None or id == value


@all_of_them
@settings(max_examples=20)
@given(
    body=st.binary(max_size=60) | st.sampled_from([b"\xff\xfe", b"{", b"[1]", b"{}", b'{"signature":1}', b"[" * 5000]),
    headers=st.dictionaries(st.sampled_from(["content-type", "x-id", "authorization"]), _HOSTILE),
    query=st.text(max_size=20) | st.just("&" * 5000),
    url=st.none() | st.text(max_size=20),
    method=st.sampled_from(["POST", "GET", "", "ä"]),
)
def test_whatever_the_call_is_there_is_one_error(
    case: Case, body: bytes, headers: dict[str, str], query: str, url: str | None, method: str
) -> None:
    good = case.call(1)
    call = Call(body, {**good.headers, **headers}, method, query, "/" + query, url)

    assert refused(case.scheme(1), call) or (body == good.body or not case.covers)
    case.scheme(1).challenge(call, NOW)


@all_of_them
def test_a_call_without_anything_is_refused(case: Case) -> None:
    assert refused(case.scheme(1), Call())
    assert refused(case.scheme(1), replace(case.call(1), headers={}, path="", body=b"{}"))


@all_of_them
def test_without_secrets_nothing_is_good_and_nothing_is_signed(case: Case) -> None:
    scheme = case.scheme()

    assert refused(scheme, case.call(1))
    with pytest.raises(ConfigurationError):
        scheme.sign("msg_1", NOW, b"{}", url=URL)


@all_of_them
def test_an_empty_secret_is_none(case: Case) -> None:
    with pytest.raises(ConfigurationError):
        scheme_named(case.name, [""], **case.options)
    with pytest.raises(ConfigurationError):
        scheme_named(case.name, [case.secret(1), SecretStr("")], **case.options)


@all_of_them
def test_secrets_are_taken_as_they_come(case: Case) -> None:
    text = case.secret(1)
    for secrets in (text, SecretStr(text), text.encode(), [SecretStr(text)], (each for each in [text])):
        assert scheme_named(case.name, secrets, **case.options).verify(case.call(1), NOW)


@all_of_them
@pytest.mark.parametrize("broken", [lambda call: replace(call, body=call.body + b" "), lambda call: Call(call.body)])
def test_no_secret_is_shown(case: Case, broken: Callable[[Call], Call]) -> None:
    scheme = case.scheme(1)
    shown = repr(scheme) + str(scheme)
    try:
        scheme.verify(broken(case.call(1)), NOW)
    except SignatureError as exc:
        shown += "".join(traceback.format_exception(exc)) + repr(exc.__cause__) + repr(exc.__context__)

    plain = case.secret(1).partition("_")[2] or case.secret(1)
    assert plain.removeprefix("key1:") not in shown
    assert type(scheme).__name__ in shown


@all_of_them
def test_a_secret_that_is_none_is_not_shown(case: Case) -> None:
    for secret in ("whsec_!!SECRET!!", "whsk_SECRET", "SECRET\r\n", "ä-SECRET"):
        shown = ""
        try:
            scheme_named(case.name, secret, **case.options)
        except ConfigurationError as exc:
            shown = "".join(traceback.format_exception(exc))
        assert "SECRET" not in shown


@pytest.mark.parametrize("id", ["", "a b", "a\r\nx: y", "ä", "x" * 257])
@all_of_them
def test_an_id_that_could_break_a_header_is_not_sent(case: Case, id: str) -> None:
    with pytest.raises(ConfigurationError):
        case.scheme(1).sign(id, NOW, b"{}", url=URL)


@all_of_them
@settings(max_examples=15)
@given(id=st.text(max_size=20), body=st.binary(max_size=40), url=st.text(max_size=40), type=st.sampled_from(["", FORM]))
def test_what_cannot_be_signed_is_one_error(case: Case, id: str, body: bytes, url: str, type: str) -> None:
    try:
        headers = case.scheme(1).sign(id, NOW, body, url=url, headers={"content-type": type})
    except ConfigurationError:
        return
    assert all(value.isascii() and value.isprintable() for value in headers.values())


def test_a_secret_that_nobody_can_write_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no text") as caught:
        GitHub("SECRET\ud800")
    assert "SECRET" not in repr(caught.value.__context__) or caught.value.__suppress_context__
    assert GitHub("\udcff").verify(Call(b"", GitHub(b"\xff").sign("1", NOW, b"")), NOW)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("standard", "msg_1"),
        ("svix", "msg_1"),
        ("v1a", "msg_1"),
        ("github", "msg_1"),
        ("meta", None),
        ("stripe", None),
        ("slack", None),
        ("shopify", "msg_1"),
        ("twilio", "msg_1"),
        ("mailgun", "a1b2c3d4e5" * 5),
        ("sendgrid", None),
        ("x", None),
        ("hmac", "msg_1"),
        ("basic", "msg_1"),
        ("header", None),
        ("secret-path", "msg_1"),
    ],
)
def test_the_id_is_that_of_the_provider(name: str, id: str | None) -> None:
    assert CASES[name].scheme(1).verify(CASES[name].call(1), NOW).id == id


def test_two_topics_of_shopify_are_not_one_event() -> None:
    case = CASES["shopify"]

    ids = {case.scheme(1).verify(case.call(1).but(x_shopify_topic=t), NOW).id for t in ("orders/create", "orders/paid")}
    assert ids == {"orders/create:msg_1", "orders/paid:msg_1"}


def test_what_cannot_sign_says_so() -> None:
    with pytest.raises(ConfigurationError, match="inside the document"):
        CASES["mailgun"].scheme(1).sign("msg_1", NOW, b"{}")
    with pytest.raises(ConfigurationError, match="bodySHA256"):
        CASES["twilio"].scheme(1).sign("msg_1", NOW, b"{}", url=URL)


def test_twilio_signs_a_document_by_its_digest_in_the_url() -> None:
    body = b'{"a":1}'
    query = "bodySHA256=" + hashlib.sha256(body).hexdigest()
    headers = CASES["twilio"].scheme(1).sign("msg_1", NOW, body, url=f"{URL}?{query}")

    call = Call(body, headers, query=query, url=f"{URL}?{query}")
    assert CASES["twilio"].scheme(1).verify(call, NOW).id == "msg_1"
    assert refused(CASES["twilio"].scheme(1), replace(call, body=b'{"a":2}'))


@pytest.mark.parametrize(
    ("url", "good"),
    [
        (URL, True),
        (URL.replace("org", "org:443"), True),
        (URL.replace("org", "org:8443"), True),  # the port may be missing from what Twilio signs, whichever it is
        (URL.replace("org", "net"), False),
        (URL.replace("https", "http"), False),
        (URL + "?x=1", False),
        ("ftp://example.org/", False),
        (None, False),
    ],
)
def test_twilio_signs_the_public_url(url: str | None, good: bool) -> None:
    call = replace(CASES["twilio"].call(1), url=url)

    assert refused(CASES["twilio"].scheme(1), call) != good


def test_a_form_that_would_be_read_as_json_is_none() -> None:
    """Fields say nothing about their order, nor about what stands between them: JSON could be made of a form."""
    case = replace(CASES["twilio"], body=b'{"a": "b"}&c=d')
    headers = {"content-type": FORM, "x-twilio-signature": "x"}

    with pytest.raises(SignatureError, match="looks like none"):
        case.scheme(1).verify(Call(case.body, headers), NOW)


def test_the_sha_1_header_of_github_alone_is_refused() -> None:
    body = b'{"a":1}'
    old = "sha1=" + hmac.digest(CASES["github"].secret(1).encode(), body, "sha1").hex()
    for headers in ({"x-hub-signature": old}, {"x-hub-signature": old, "x-hub-signature-256": old}):
        assert refused(CASES["github"].scheme(1), Call(body, headers))


def test_test_events_of_stripe_prove_nothing() -> None:
    call = CASES["stripe"].call(1)

    assert refused(
        CASES["stripe"].scheme(1), call.but(stripe_signature=call.headers["stripe-signature"].replace("v1", "v0"))
    )


def test_among_many_signatures_some_are_looked_at() -> None:
    for name, header, junk in (("standard", "webhook-signature", "v1,x "), ("stripe", "stripe-signature", "v1=x,")):
        call = CASES[name].call(1)
        few, many = (replace(call, headers={**call.headers, header: junk * n + call.headers[header]}) for n in (3, 100))
        assert not refused(CASES[name].scheme(1), few)
        assert refused(CASES[name].scheme(1), many)


def test_mailguns_document_is_bounded_before_it_is_read() -> None:
    call = CASES["mailgun"].call(1)
    padded = call.body[:-1] + b"," + b'"x":"' + b"x" * 262_144 + b'"}'

    with pytest.raises(SignatureError, match="larger"):
        CASES["mailgun"].scheme(1).verify(replace(call, body=padded), NOW)


@pytest.mark.parametrize("value", ["1" * 5000, "true", "1.5", "null", "[]", "{}", '""', "-1", '"\\ud800"', "1e999"])
@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
def test_whatever_mailguns_signature_holds_there_is_one_error(name: str, value: str) -> None:
    said = json.loads(CASES["mailgun"].call(1).body)["signature"]
    body = json.dumps({"signature": {**said, name: "HERE"}}).replace('"HERE"', value)

    assert refused(CASES["mailgun"].scheme(1), Call(body.encode()))


def test_the_signature_of_a_parent_account_of_mailgun_counts() -> None:
    document = json.loads(CASES["mailgun"].call(1).body)
    said = document["signature"]
    document["signature"] = {**said, "signature": "0" * 64, "parent-signature": said["signature"]}

    assert not refused(CASES["mailgun"].scheme(1), Call(json.dumps(document).encode()))


@pytest.mark.parametrize("secret", ["", "c2hvcnQ=", "whsk_c2hvcnQ=", "!", "MFkwEwYHKoZIzj0CAQYI"])
def test_what_is_no_key_of_sendgrids_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError):
        scheme_named("sendgrid", secret)


def test_a_key_of_another_kind_is_none_of_sendgrids() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    for public in (
        ed25519.Ed25519PrivateKey.generate().public_key(),
        ec.derive_private_key(7, ec.SECP384R1()).public_key(),
    ):
        text = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(ConfigurationError, match="P-256"):
            scheme_named("sendgrid", text)


def test_a_public_key_verifies_and_does_not_sign() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.derive_private_key(1001, ec.SECP256R1()).public_key()
    scheme = scheme_named(
        "sendgrid", base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    )

    assert scheme.verify(CASES["sendgrid"].call(1), NOW)
    with pytest.raises(ConfigurationError, match="public key"):
        scheme.sign("msg_1", NOW, b"{}")


def test_every_scheme_is_a_scheme() -> None:
    for name in SCHEMES:
        case = next(case for case in CASES.values() if case.name == name)
        assert isinstance(case.scheme(1), SignatureScheme)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("nope", {}, "is no scheme; there are standard"),
        ("hmac", {}, "header is missing"),
        ("github", {"tolerance": 5}, "tolerance is no option"),
        ("slack", {"tolerance": "soon"}, "tolerance"),
        ("hmac", {"header": "a b"}, "is not the name of a header"),
        ("hmac", {"header": "x", "digest": "md5"}, "digest"),
        ("hmac", {"header": "x", "signed": "{"}, "written twice"),
        ("hmac", {"header": "x", "signed": "{body} {nonce}"}, "nonce is none of"),
        ("hmac", {"header": "x", "signed": "{body!r}"}, "is no placeholder"),
        ("hmac", {"header": "x", "signed": "{}{body}"}, "is no placeholder"),
        ("hmac", {"header": "x", "signed": "x"}, "nothing about what came"),
        ("hmac", {"header": "x", "signed": "{timestamp}{body}"}, "go together"),
        ("hmac", {"header": "x", "timestamp_header": "y"}, "go together"),
        ("hmac", {"header": "x", "signed": "{id}.{body}"}, "needs `id_header`"),
        ("hmac", {"header": "x", "signed": "{id}{body}", "id_header": "y"}, "needs something behind"),
        ("basic", {"username": "a:b"}, "colon"),
        ("basic", {"username": ""}, "username"),
        ("header", {}, "header is missing"),
    ],
)
def test_a_wrong_option_is_told(name: str, options: dict[str, Any], says: str) -> None:
    secret = CASES["slack"].secret(1)
    with pytest.raises(ConfigurationError, match=says) as caught:
        scheme_named(name, secret, **options)
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_what_would_be_found_is_no_secret_path() -> None:
    with pytest.raises(ConfigurationError, match="16 characters"):
        scheme_named("secret-path", "hooks")


def test_what_would_break_a_header_is_no_token() -> None:
    with pytest.raises(ConfigurationError, match="one line"):
        scheme_named("header", "a-secret\r\nx: y", header="x-token").sign("msg_1", NOW, b"")


def test_an_id_that_moves_the_borders_is_refused() -> None:
    """The parts are joined without escapes, so an id that holds what parts it would cut out another message."""
    case = CASES["hmac"]

    with pytest.raises(ConfigurationError, match="malformed"):
        case.scheme(1).sign("a.b", NOW, b"{}", url=URL)
    assert refused(case.scheme(1), case.call(1).but(x_id="msg_1.1"))


def test_a_body_that_an_hmac_does_not_cover_must_not_be_there() -> None:
    scheme = scheme_named("hmac", "secret", header="x-sig", signed="{url}")
    headers = scheme.sign("msg_1", NOW, b"", url=URL)

    assert scheme.verify(Call(b"", headers), NOW)
    assert refused(scheme, Call(b"{}", headers))
