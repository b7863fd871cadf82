"""Which scheme counts, what a profile may say of it, and that hostile calls cost little and raise one error."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from convergekit.abc import Headers, Request
from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.config import SmsConfig
from convergekit.adapters.sms.profile import Profile
from convergekit.adapters.sms.verify import SCHEMES, problems, public_url, verifier
from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import hmac_signature
from tests.adapters.sms.verify.kit import (
    FORM,
    HOME,
    JSON,
    NOW,
    OTHER,
    SECRET,
    Wire,
    bodies,
    channel,
    takes,
    texts,
)
from tests.oracles import oracle

STAMP = str(int(NOW.timestamp()))
TOKEN, NEXT_TOKEN = "t" * 20, "n" * 20
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
#: What each scheme cannot do without.
NEEDED: dict[str, dict[str, str]] = {
    "vonage-sig": {"method": "sha256hmac"},
    "hmac": {"header": "x-sig", "signed": "{id}.{timestamp}.{body}", "timestamp_header": "x-time", "id_header": "x-id"},
    "basic": {"username": "bob"},
    "header": {"name": "x-secret"},
}


def every(name: str, **more: Any) -> SmsConfig:
    """A channel of the scheme *name*, with what it needs."""
    secret = base64.b64encode(KEY).decode() if name == "telnyx" else SECRET
    return channel(name, NEEDED.get(name), secret, **more)


def asked(config: SmsConfig, path: str = "", **more: Any) -> bool:
    """Whether a call of *path* is taken."""
    try:
        verifier(config)(Request("POST", path, **more), NOW)
    except SignatureError:
        return False
    return True


def profile(*verify: dict[str, Any], **names: dict[str, Any]) -> dict[str, Any]:
    settings = {name: {"description": "", "required": False} | more for name, more in names.items()}
    callbacks = {"inbound": [{"from": "from"}]}
    return {"name": "acme", "title": "Acme", "settings": settings, "callbacks": callbacks, "verify": list(verify)}


def flaws(*verify: dict[str, Any], **names: dict[str, Any]) -> list[str]:
    return problems(Profile.model_validate(profile(*verify, **names)))


# --- what counts ---------------------------------------------------------------------------------------------------


def shared(value: str = SECRET, name: str = "x-secret") -> Wire:
    return Wire(HOME, b"{}", {name: value, "content-type": JSON})


def test_the_first_whose_secret_is_set_counts() -> None:
    first = {"scheme": "header", "secret": "one", "options": {"name": "x-one"}}
    second = {"scheme": "header", "secret": "two", "options": {"name": "x-two"}}
    known = profile(first, second, one={}, two={})
    for account, name in (({"one": "A"}, "x-one"), ({"two": "A"}, "x-two"), ({"one": "A", "two": "A"}, "x-one")):
        config = SmsConfig.model_validate({"profile": known, "account": account})
        assert [each for each in ("x-one", "x-two") if takes(config, shared("A", each))] == [name]


def test_a_secret_that_is_replaced_fits_in_both_its_values() -> None:
    config = channel("header", {"name": "x-secret"}, [OTHER, SECRET])
    assert takes(config, shared(SECRET))
    assert takes(config, shared(OTHER))
    assert not takes(config, shared("another"))


def test_without_any_proof_nothing_is_taken_and_the_settings_are_named() -> None:
    config = channel("header", {"name": "x-secret"}, "")
    with pytest.raises(SignatureError, match=r"account\.secret or callback_token"):
        verifier(config)(Request("POST"), NOW)
    config = SmsConfig.model_validate({"profile": profile()})
    with pytest.raises(SignatureError, match="before callback_token is set"):
        verifier(config)(Request("POST"), NOW)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        (f"/{TOKEN}", True),
        (f"/{NEXT_TOKEN}", True),
        (TOKEN, False),
        (f"/{TOKEN}/", False),
        (f"/{TOKEN}/x", False),
        (f"//{TOKEN}", False),
        (f"/{TOKEN[:-1]}", False),
        (f"/{TOKEN}ä\ud800", False),
        ("", False),
        ("/", False),
    ],
)
def test_the_token_is_a_piece_of_path(path: str, good: bool) -> None:
    config = SmsConfig.model_validate({"profile": profile(), "callback_token": [TOKEN, NEXT_TOKEN]})
    assert asked(config, path) == good


def test_where_both_are_set_both_are_asked_for() -> None:
    config = channel("header", {"name": "x-secret"}, callback_token=TOKEN)
    good = Headers({"x-secret": SECRET})
    assert asked(config, f"/{TOKEN}", headers=good)
    assert not asked(config, "", headers=good)
    assert not asked(config, f"/{TOKEN}")


def test_the_url_is_that_of_the_configuration() -> None:
    liar = Headers({"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"})
    request = Request("POST", "/ä b", "a=%20&b", liar, url="https://hub.example/sms/x?a=%20&b")
    assert public_url(channel("twilio"), request) == f"{HOME}/%C3%A4%20b?a=%20&b"
    assert public_url(channel("twilio", callback_url=None), request) == "https://hub.example/sms/x?a=%20&b"
    assert public_url(channel("twilio", callback_url=None), replace(request, url=None)) is None


@pytest.mark.parametrize("name", ["twilio", "plivo"])
def test_where_the_url_is_signed_and_nobody_says_it_the_setting_is_named(name: str) -> None:
    headers = {"x-twilio-signature": "x", "x-plivo-signature-v3": "x", "x-plivo-signature-v3-nonce": "x"}
    with pytest.raises(SignatureError, match="callback_url"):
        verifier(every(name, callback_url=None))(Request("POST", headers=Headers(headers)), NOW)


# --- what a profile may say ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        ({"scheme": "rot13"}, r"verify\.0\.scheme: 'rot13' is none of twilio, "),
        ({"scheme": "twilio", "options": {"port": "1"}}, r"verify\.0\.options\.port: there is no such key"),
        ({"scheme": "vonage-sig"}, r"verify\.0\.options\.method: it is missing"),
        ({"scheme": "vonage-sig", "options": {"method": "md5"}}, r"verify\.0\.options\.method: .*'md5hash'"),
        ({"scheme": "telnyx", "options": {"tolerance": "soon"}}, r"verify\.0\.options\.tolerance: .*number"),
        ({"scheme": "telnyx", "options": {"tolerance": "0"}}, r"verify\.0\.options\.tolerance: .*greater than 0"),
        ({"scheme": "telnyx", "options": {"tolerance": "nan"}}, r"verify\.0\.options\.tolerance: .*finite"),
        ({"scheme": "messagebird-jwt", "options": {"leeway": "-1"}}, r"verify\.0\.options\.leeway"),
        ({"scheme": "plivo", "options": {"version": "v1"}}, r"verify\.0\.options\.version"),
        ({"scheme": "basic"}, r"verify\.0\.options\.username: it is missing"),
        ({"scheme": "basic", "options": {"username": "a:b"}}, r"verify\.0\.options\.username"),
        ({"scheme": "header", "options": {"name": "x y"}}, r"verify\.0\.options\.name"),
        ({"scheme": "hmac"}, r"verify\.0\.options\.header: it is missing"),
        (
            {"scheme": "hmac", "options": {"header": "x", "signed": "{secret}.{body}"}},
            r"verify\.0\.options: signed: secret",
        ),
        ({"scheme": "hmac", "options": {"header": "x", "signed": "a"}}, r"verify\.0\.options: signed: without"),
        ({"scheme": "hmac", "options": {"header": "x", "signed": "{"}}, r"verify\.0\.options: signed: .*brace"),
        ({"scheme": "hmac", "options": {"header": "x", "signed": "{body!r}"}}, r"verify\.0\.options: signed: .*brace"),
        ({"scheme": "hmac", "options": {"header": "x", "signed": "{}{body}"}}, r"verify\.0\.options: signed: .*brace"),
        ({"scheme": "hmac", "options": {"header": "x", "digest": "md5"}}, r"verify\.0\.options\.digest"),
        ({"scheme": "hmac", "options": {"header": "x", "encoding": "rot13"}}, r"verify\.0\.options\.encoding"),
        ({"scheme": "hmac", "options": {"header": "x", "timestamp_header": "y"}}, "timestamp_header` go together"),
        (
            {"scheme": "hmac", "options": {"header": "x", "signed": "{timestamp}.{body}"}},
            "timestamp_header` go together",
        ),
        (
            {"scheme": "hmac", "options": {"header": "x", "signed": "{id}{body}", "id_header": "y"}},
            r"signed: \{id\} needs something behind it",
        ),
        (
            {"scheme": "vonage-sig", "options": {"method": "{metod}"}},
            r"verify\.0\.options\.method: 'metod' is no setting of this profile",
        ),
    ],
    ids=str,
)
def test_a_flaw_is_named_with_its_key_when_the_profile_is_read(verify: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        profiles.read(profile({"secret": "key1", **verify}, key1={}))


def test_an_option_may_be_a_setting_of_the_account() -> None:
    verify = {"scheme": "vonage-sig", "secret": "key1", "options": {"method": "{how}"}}
    assert flaws(verify, key1={}, how={}) == []
    assert flaws(verify, key1={}, how={"default": "md5hash"}) == []
    assert "method" in flaws(verify, key1={}, how={"default": "md5"})[0]
    known = profile(verify, key1={}, how={})
    for how, good in (("md5hash", True), ("md5", False), ("", False)):
        config = SmsConfig.model_validate({"profile": known, "account": {"key1": "s", "how": how}})
        if good:
            verifier(config)
        else:
            with pytest.raises(ConfigurationError, match=r"options\.method: .*see account\.how"):
                verifier(config)


def test_a_key_that_is_none_is_named_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match=r"^account\.secret: must be the public key") as caught:
        verifier(channel("telnyx", secret="hunter2"))
    assert "hunter2" not in repr(caught.value)


def test_ed25519_needs_a_library_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(ConfigurationError, match=r"convergekit\[sms-ed25519\]"):
        verifier(every("telnyx"))


def test_only_telnyx_loads_it() -> None:
    code = "import sys, convergekit.adapters.sms.verify; print('cryptography' in sys.modules, 'jwt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_says_what_it_covers(name: str) -> None:
    assert SCHEMES[name].covers
    assert verifier(every(name))


# --- hostile calls -------------------------------------------------------------------------------------------------

NAMES = [
    "authorization",
    "content-type",
    "messagebird-signature-jwt",
    "telnyx-signature-ed25519",
    "telnyx-timestamp",
    "x-id",
    "x-plivo-signature-ma-v3",
    "x-plivo-signature-v2",
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "x-secret",
    "x-sig",
    "x-sinch-webhook-signature",
    "x-sinch-webhook-signature-nonce",
    "x-sinch-webhook-signature-timestamp",
    "x-time",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
]
SAID = (
    texts
    | st.text(max_size=30)
    | st.sampled_from([STAMP, "9" * 5000, "-1", "Bearer a.b.c", "Basic =", "Basic Og==", "A" * 86 + "==", "A" * 9000])
    | st.sampled_from([FORM, JSON, f"{JSON}; charset=utf-7", "bearer", "." * 400, "," * 400, "algorithm=HMAC_SHA512"])
)
ODD = [b"[" * 60_000, b'{"a":' * 60_000, b"&" * 60_000, b"=" * 60_000, b"%" * 60_000, b"1" * 60_000, b"\xff" * 60_000]
ODD += [
    b'{"sig": "\\ud800"}',
    b'{"timestamp": 1e999}',
    b"null",
    b"[[1, 2]]",
    b'[["sig", "x"]]',
    b'{"a": {"b": []}}',
    b"NaN",
]


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=30)
@given(headers=st.dictionaries(st.sampled_from(NAMES), SAID), query=SAID, body=bodies | st.sampled_from(ODD))
def test_whatever_comes_it_is_one_error(name: str, headers: dict[str, str], query: str, body: bytes) -> None:
    for method in ("GET", "POST"):
        wire = Wire(HOME, body, headers, method)
        request = Request(method, "", query, Headers(wire.headers), wire.body)
        with pytest.raises(SignatureError):
            verifier(every(name))(request, NOW)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("media_type", [FORM, JSON])
def test_a_million_bytes_of_anything_cost_little(name: str, media_type: str) -> None:
    """Ten times what the slowest takes here; parsing all of it into fields would take a hundred times as long."""
    check = verifier(every(name))
    junk = dict.fromkeys(NAMES, "1772366400") | {"authorization": "Bearer a.b.c", "content-type": media_type}
    for body in (b"&" * 1_000_000, b"a=b&" * 250_000, b"[" * 1_000_000, b"%41" * 330_000):
        began = time.process_time()
        with pytest.raises(SignatureError):
            check(Request("POST", "", "a&" * 30_000, Headers(junk), body), NOW)
        assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("count", "good"), [(1000, True), (1001, False)])
def test_more_than_a_thousand_fields_are_refused_and_none_is_left_out(count: int, good: bool) -> None:
    names = [f"n{each:04}" for each in range(count)]
    for signed in (names, names[:1000]):
        value = hmac_signature(SECRET.encode(), (HOME + "".join(signed)).encode(), digest="sha1", encoding="base64")
        wire = Wire(HOME, "&".join(names).encode(), {"content-type": FORM, "x-twilio-signature": value.decode()})
        assert takes(channel("twilio"), wire) == good


@pytest.mark.parametrize(("size", "good"), [(8192, True), (8193, False)])
def test_a_header_that_is_longer_than_any_is_not_looked_at(size: int, good: bool) -> None:
    assert takes(channel("header", {"name": "x-secret"}, "a" * size), shared("a" * size)) == good


def test_the_error_shows_nothing_that_came() -> None:
    for name in SCHEMES:
        headers = dict.fromkeys(NAMES, "hunter2")
        with pytest.raises(SignatureError) as caught:
            verifier(every(name))(Request("POST", "", "a=hunter2", Headers(headers), b"hunter2"), NOW)
        assert "hunter2" not in repr(caught.value)
        assert SECRET[:10] not in repr(caught.value)


# --- schemes that no vendor has ------------------------------------------------------------------------------------


def hmac_wire(signed: bytes, body: bytes = b"{}", **headers: str) -> Wire:
    return Wire(HOME, body, {"x-sig": hmac_signature(SECRET.encode(), signed).decode()}).with_headers(**headers)


@settings(max_examples=30)
@given(body=bodies)
def test_hmac_over_all_that_can_be_named(body: bytes) -> None:
    config = every("hmac")
    wire = hmac_wire(f"m1.{STAMP}.".encode() + body, body, x_id="m1", x_time=STAMP)
    assert takes(config, wire)
    assert not takes(config, replace(wire, body=body + b"x"))
    assert not takes(config, wire.with_headers(x_id="m2"))
    assert not takes(config, wire.with_headers(x_time=str(int(STAMP) + 1)))
    assert not takes(config, wire.with_headers(x_sig=""))


def test_hmac_an_id_cannot_take_in_what_follows_it() -> None:
    """Else "1." and a time could be moved from the id into what is signed behind it, and back."""
    wire = hmac_wire(f"m.1.{STAMP}.{{}}".encode(), x_id="m.1", x_time=STAMP)
    assert not takes(every("hmac"), wire)


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_hmac_the_window(seconds: int, good: bool) -> None:
    stamp = str(int(STAMP) + seconds)
    wire = hmac_wire(f"m1.{stamp}.{{}}".encode(), x_id="m1", x_time=stamp)
    assert takes(every("hmac"), wire) == good


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "v0="])
def test_hmac_as_the_profile_has_it(digest: str, encoding: Any, prefix: str) -> None:
    options = {
        "header": "X-Sig",
        "digest": digest,
        "encoding": encoding,
        "prefix": prefix,
        "signed": "{{{url}|{body}}}",
    }
    signed = f"{{{HOME}?a=1|ä}}".encode()
    value = prefix + hmac_signature(SECRET.encode(), signed, digest=digest, encoding=encoding).decode()
    wire = Wire(f"{HOME}?a=1", "ä".encode(), {"x-sig": value})
    config = channel("hmac", options)
    assert takes(config, wire)
    assert not takes(config, replace(wire, url=f"{HOME}?a=2"))
    assert not takes(config, replace(wire, headers={"x-sig": f"x{value}"}))


def test_hmac_of_the_url_alone_takes_no_body_and_of_the_body_alone_no_call_without_one() -> None:
    """What is not signed must not be there: an empty body has the same signature for ever."""
    by_url = channel("hmac", {"header": "x-sig", "signed": "{url}"})
    assert takes(by_url, hmac_wire(HOME.encode(), b""))
    assert not takes(by_url, hmac_wire(HOME.encode(), b"{}"))
    by_body = channel("hmac", {"header": "x-sig"})
    assert takes(by_body, hmac_wire(b"{}"))
    assert not takes(by_body, hmac_wire(b"", b""))


def basic(user: str, password: str, scheme: str = "Basic") -> Wire:
    return Wire(HOME, b"{}", {"authorization": f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"})


def test_basic() -> None:
    config = channel("basic", {"username": "bob"}, ["pä:ss", "old"])
    assert takes(config, basic("bob", "pä:ss"))
    assert takes(config, basic("bob", "old"))
    assert takes(config, basic("bob", "old", "bAsIc"))
    for wire in (
        basic("bob", "pass"),
        basic("eve", "old"),
        basic("bob", ""),
        basic("", ""),
        basic("bob", "old", "Bearer"),
    ):
        assert not takes(config, wire)


def test_a_shared_value_in_a_header() -> None:
    config = channel("header", {"name": "Authorization", "prefix": "App "}, "ä1")
    assert takes(config, Wire(HOME, b"", {"authorization": "App ä1".encode().decode("latin-1")}))
    for value in ("App ä2", "ä1", "app ä1", "App ä1 ", ""):
        assert not takes(config, Wire(HOME, b"", {"authorization": value.encode().decode("latin-1")}))


@pytest.mark.parametrize("name", [each for each in profiles.names() if each != "generic"])
def test_the_gateways_that_are_known_have_no_flaw(name: str) -> None:
    assert problems(profiles.load(name)) == []


def test_without_a_vendors_library_its_tests_are_skipped_and_fail_where_all_must_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for ci, outcome in (("", pytest.skip.Exception), ("true", pytest.fail.Exception)):
        monkeypatch.setenv("CI", ci)
        for name in ("no_such_vendor.validator", "json.no_such_part"):
            with pytest.raises(outcome, match="is not installed"):
                oracle(name)


def test_nobody_who_uses_us_gets_a_vendors_library() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    used = {requirement for each in [project["project"]["dependencies"], *extras] for requirement in each}
    assert not {each.partition(">")[0] for each in used} & {
        each.partition(">")[0] for each in project["dependency-groups"]["oracles"]
    }
