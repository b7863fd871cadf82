"""What is promised of each gateway, asked of those that sign little or nothing, and of Kannel and Jasmin."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import urlencode

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.callbacks import Callbacks, Read
from convergekit.adapters.sms.config import SmsConfig
from convergekit.adapters.sms.request import Requests
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    InvalidInputError,
    RejectedError,
    SignatureError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    NOW,
    REFERENCE,
    THEM,
    US,
    answered,
    channel,
    consents,
    message,
    notes,
    out,
    report,
    sent,
)

SECRET: Final = "s3cret-of-the-account"
TOKEN: Final = "0123456789abcdef"
THEY, WE = THEM.removeprefix("sms:"), US
Way = Literal["json", "form", "query"]


@dataclass(frozen=True)
class Gateway:
    """One gateway as it speaks.

    Args:
        name: Of its profile.
        account: What an account says.
        arrived: Fields of a message "in-1", from `THEY` to `WE`, with "Hi there".
        text: Which of them the text is.
        happened: Fields of a report about "out-1"; the word is filled in.
        word, code: Which of them they are; in an object of an object with a dot.
        failed: A word that says no more than that it failed.
        taken: An answer that takes a message: status and body.
        ids: The ids in it.
        ways: How messages and reports come.
        ours: Whether our reference comes back; in the URL where it stands in none of the fields.
        many: Whether calls are lists.
    """

    name: str
    account: Mapping[str, str]
    arrived: Mapping[str, Any]
    text: str
    happened: Mapping[str, Any]
    word: str
    code: str
    failed: str
    taken: tuple[int, Any]
    ids: tuple[str, ...] = ("out-1",)
    ways: tuple[Way, Way] = ("json", "json")
    ours: bool = True
    many: bool = False

    @property
    def config(self) -> SmsConfig:
        return channel(self.name, self.account, callback_token=TOKEN)

    def message(self, text: str = "Hi there") -> Request:
        return self._call(self.ways[0], _with(self.arrived, self.text, text))

    def report(self, word: str, code: str | None = None) -> Request:
        fields = _with(self.happened, self.word, word)
        in_url = self.ours and REFERENCE not in json.dumps(fields)
        query = f"ref={REFERENCE}" if in_url else ""
        return self._call(self.ways[1], fields if code is None else _with(fields, self.code, code), query)

    def call(self, way: Way, fields: Any) -> Request:
        return self._call(way, fields)

    def _call(self, way: Way, fields: Any, query: str = "") -> Request:
        if way == "query":
            query = "&".join(filter(None, (query, urlencode(fields, doseq=True))))
            return Request(method="GET", path=f"/{TOKEN}", query=query, url=f"{HOME}/{TOKEN}?{query}")
        is_form = way == "form"
        body = urlencode(fields, doseq=True) if is_form else json.dumps([fields] if self.many else fields)
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        url = f"{HOME}/{TOKEN}" + (f"?{query}" if query else "")
        headers = Headers({"Content-Type": kind})
        return Request(method="POST", path=f"/{TOKEN}", query=query, headers=headers, body=body.encode(), url=url)

    def __repr__(self) -> str:  # the id of a test
        return self.name


def _with(fields: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {**fields, name: _with(fields[name], rest, value) if rest else value}


def read(gateway: Gateway, request: Request) -> Read:
    return Callbacks(gateway.config, "alerts").read(request, now=NOW)


AFRICASTALKING: Final = Gateway(
    name="africastalking",
    account={"username": "anna", "api_key": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "date": "2026-03-01 12:00:00", "linkId": ""},
    text="text",
    happened={"id": "out-1", "phoneNumber": THEY, "networkCode": "63902"},
    word="status",
    code="failureReason",
    failed="Failed",
    taken=(201, {"SMSMessageData": {"Recipients": [{"statusCode": 101, "status": "Success", "messageId": "out-1"}]}}),
    ways=("form", "form"),
    ours=False,
)
BANDWIDTH: Final = Gateway(
    name="bandwidth",
    account={"account_id": "55", "username": "anna", "password": SECRET, "application_id": "a41"},
    arrived={"type": "message-received", "to": WE, "message": {"id": "in-1", "from": THEY, "to": [WE]}},
    text="message.text",
    happened={"to": THEY, "time": "2026-03-01T12:00:00Z", "message": {"id": "out-1", "tag": REFERENCE}},
    word="type",
    code="errorCode",
    failed="message-failed",
    taken=(202, {"id": "out-1", "segmentCount": 1}),
    many=True,
)
CLICKATELL: Final = Gateway(
    name="clickatell",
    account={"api_key": SECRET},
    arrived={"messageId": "in-1", "fromNumber": THEY[1:], "toNumber": WE[1:], "charset": "UTF-8", "udh": ""},
    text="text",
    happened={"messageId": "out-1", "to": THEY[1:]},
    word="statusCode",
    code="errorCode",
    failed="10",
    taken=(202, {"messages": [{"apiMessageId": "out-1", "accepted": True, "error": None}]}),
    ours=False,
)
JASMIN: Final = Gateway(
    name="jasmin",
    account={"url": "https://jasmin.example.org", "username": "anna", "password": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "origin-connector": "smsc"},
    text="content",
    happened={"id": "out-1", "level": "2"},
    word="message_status",
    code="err",
    failed="UNDELIV",
    taken=(200, 'Success "out-1"'),
    ways=("form", "form"),
)
KANNEL: Final = Gateway(
    name="kannel",
    account={"url": "https://kannel.example.org", "username": "anna", "password": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "ts": "1772366400", "charset": "UTF-8", "coding": "0", "udh": ""},
    text="text",
    happened={"foreign": "", "raw": ""},
    word="status",
    code="raw",
    failed="2",
    taken=(202, "0: Accepted for delivery"),
    ids=(),
    ways=("query", "query"),
)
MESSAGEBIRD: Final = Gateway(
    name="messagebird",
    account={"access_key": SECRET},
    arrived={"id": "in-1", "originator": THEY[1:], "recipient": WE[1:], "createdDatetime": "2026-03-01T12:00:00+00:00"},
    text="body",
    happened={"id": "out-1", "reference": REFERENCE, "recipient": THEY[1:]},
    word="status",
    code="statusErrorCode",
    failed="delivery_failed",
    taken=(201, {"id": "out-1", "recipients": {"items": []}}),
    ways=("form", "query"),
)
ALL: Final = [AFRICASTALKING, BANDWIDTH, CLICKATELL, JASMIN, KANNEL, MESSAGEBIRD]
each = pytest.mark.parametrize("gateway", ALL, ids=repr)


@each
class TestOut:
    def test_who_it_goes_to_and_what_it_says_are_there_unchanged(self, gateway: Gateway) -> None:
        text = "Grüße & 1+1=2 % {key} <b>"
        said = json.dumps(sent(gateway.config, out(text)).fields, ensure_ascii=False)

        assert json.dumps(text, ensure_ascii=False) in said
        assert THEY[1:] in said
        assert WE[1:] in said

    def test_a_long_text_goes_as_one(self, gateway: Gateway) -> None:
        text = "0123456789" * 70

        assert text in json.dumps(sent(gateway.config, out(text)).fields)

    def test_a_name_may_be_the_sender(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, **{"from": "Wonderland"})

        assert '"Wonderland"' in json.dumps(sent(config).fields)

    def test_a_number_that_is_none_is_refused_before_it_goes(self, gateway: Gateway) -> None:
        with pytest.raises(RejectedError) as caught:
            sent(gateway.config, out(to="sms:Wonderland"))

        assert caught.value.kind is FailureKind.INVALID_ADDRESS

    def test_what_is_over_is_not_sent(self, gateway: Gateway) -> None:
        with pytest.raises(RejectedError) as caught:
            sent(gateway.config, out(lasts=0))

        assert caught.value.kind is FailureKind.EXPIRED

    def test_a_file_without_a_url_is_refused(self, gateway: Gateway) -> None:
        with pytest.raises(UnsupportedContentError):
            sent(gateway.config, out(files=(Attachment(data=b"x", media_type="image/png"),)))

    def test_native_lays_over_what_the_profile_says(self, gateway: Gateway) -> None:
        plain = sent(gateway.config).fields

        assert sent(gateway.config, out(native={"extra": "1"})).fields == plain | {"extra": "1"}

    def test_a_request_shows_no_secret(self, gateway: Gateway) -> None:
        assert SECRET not in repr(Requests(gateway.config).build(out(), now=NOW)) + repr(gateway.config)

    def test_the_account_is_asked_about_where_that_sends_nothing(self, gateway: Gateway) -> None:
        request = Requests(gateway.config).check()

        assert (request is None) is (gateway.name == "kannel")
        assert request is None or request.method == "GET"


@each
class TestAnswers:
    def test_a_message_that_is_taken_has_the_gateways_id(self, gateway: Gateway) -> None:
        status, body = gateway.taken
        receipt = answered(gateway.config, body, status)

        # Where there is none, our own reference stands for it.
        assert (receipt.status, receipt.ids, receipt.part) == (Status.ACCEPTED, gateway.ids or (REFERENCE,), 0)

    @pytest.mark.parametrize("body", [b"", b"<html>Oops</html>", b"[]", b"{}", b'"ok"', b'{"messages": []}', b"\xff"])
    def test_a_success_that_makes_no_sense_is_uncertain(self, gateway: Gateway, body: bytes) -> None:
        with pytest.raises(UncertainError):
            answered(gateway.config, body, gateway.taken[0])

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_of_the_gateway_is_uncertain(self, gateway: Gateway, status: int) -> None:
        with pytest.raises(UncertainError):
            answered(gateway.config, b"<html>Oops</html>", status)

    def test_too_many_requests_wait(self, gateway: Gateway) -> None:
        with pytest.raises(ThrottledError) as caught:
            answered(gateway.config, "{}", 429, retry_after=7.0)
        with pytest.raises(ThrottledError):
            answered(gateway.config, "{}", 429)

        assert caught.value.retry_after == 7.0

    def test_what_is_about_the_account_takes_it_down(self, gateway: Gateway) -> None:
        with pytest.raises(AuthenticationError):
            answered(gateway.config, "{}", 401)
        with pytest.raises(AccountError):
            answered(gateway.config, "{}", 402)


@each
class TestMessages:
    def test_a_text_arrives(self, gateway: Gateway) -> None:
        came = message(read(gateway, gateway.message("Grüße \U0001f600")))

        assert (came.key, came.message_id) == ("in:in-1", "in-1")
        assert came.sender == Address.parse(THEM)
        assert came.to == (Address.parse(f"sms:{US}"),)
        assert came.text == "Grüße \U0001f600"
        assert came.details["gateway"] == gateway.name

    def test_the_same_call_again_has_the_same_keys(self, gateway: Gateway) -> None:
        for request in (gateway.message(), gateway.report(gateway.failed), gateway.message("STOP")):
            first, again = read(gateway, request), read(gateway, request)

            assert [event.key for event in first.events] == [event.key for event in again.events]

    def test_an_empty_text_is_a_message(self, gateway: Gateway) -> None:
        assert message(read(gateway, gateway.message(""))).text == ""

    @pytest.mark.parametrize(("word", "granted"), [("STOP", False), ("start", True)])
    def test_a_word_takes_consent_back_or_gives_it(self, gateway: Gateway, word: str, granted: bool) -> None:
        assert consents(read(gateway, gateway.message(word))) == [(THEM, granted)]

    def test_a_phrase_does_not_act(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.message("please stop texting me"))

        assert consents(came) == []
        assert message(came).details["maybe_opt_out"] is True


@each
class TestReports:
    def test_every_word_in_the_table_becomes_what_it_says(self, gateway: Gateway) -> None:
        for word, means in gateway.config.loaded.words.items():
            came = read(gateway, gateway.report(word))
            if means == "none":
                assert notes(came) == ["sms.report"]
                continue
            receipt = report(came)
            is_status = means in {status.value for status in Status}
            assert receipt.status is (Status(means) if is_status else Status.FAILED), word
            assert receipt.ids == gateway.ids
            if gateway.ours:
                assert (receipt.delivery, receipt.part) == ("d41", 0)
            if not is_status:
                assert receipt.failure is not None
                assert receipt.failure.kind == FailureKind(means), word

    def test_every_code_in_the_table_becomes_what_it_says(self, gateway: Gateway) -> None:
        for code, means in gateway.config.loaded.codes.items():
            came = read(gateway, gateway.report(gateway.failed, code))
            if means == "none":
                assert notes(came) == ["sms.report"]
                continue
            (receipt,) = [event.receipt for event in came.events if isinstance(event, ReceiptReceived)]
            assert receipt.failure is not None
            assert (receipt.failure.kind, receipt.failure.code) == (FailureKind(means), code)
            assert consents(came) == ([(THEM, False)] if means == "opted_out" else [])

    def test_a_code_that_nobody_knows_is_kept(self, gateway: Gateway) -> None:
        failure = report(read(gateway, gateway.report(gateway.failed, "4711"))).failure

        has_codes = any(rule.code for rule in gateway.config.loaded.callbacks.status)
        assert failure is not None
        assert failure.code == ("4711" if has_codes else None)

    def test_a_word_that_nobody_knows_changes_nothing(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.report("teleported"))

        assert not any(isinstance(event, ReceiptReceived) for event in came.events)
        assert len(came.events) == 1


@each
class TestNonsense:
    ODD: tuple[Any, ...] = (None, [], {}, [[]], {"a": {}}, 7, True, "", "x" * 5000, ["a", "b"], {"0": "x"})

    def test_fields_that_are_missing_or_of_other_types(self, gateway: Gateway) -> None:
        arrived = _with(gateway.arrived, gateway.text, "Hi")
        happened = _with(gateway.happened, gateway.word, gateway.failed)
        for way, fields in zip(gateway.ways, (arrived, happened), strict=True):
            for name in fields:
                for odd in self.ODD:
                    self._read(gateway, gateway.call(way, {**fields, name: odd}))
                self._read(gateway, gateway.call(way, {key: value for key, value in fields.items() if key != name}))

    def _read(self, gateway: Gateway, request: Request) -> None:
        try:
            came = read(gateway, request)
        except InvalidInputError:
            return
        assert all(event.key for event in came.events)

    @pytest.mark.parametrize("body", [b"{", b"[" * 5000, b"%", b"&&&", b"\x00\xff", b"null", b"7", b'"a"', b"<a/>"])
    def test_bodies_that_are_no_call(self, gateway: Gateway, body: bytes) -> None:
        try:
            came = read(gateway, replace(gateway.call("json", {}), body=body))
        except InvalidInputError:
            return
        assert set(notes(came)) <= {"sms.unknown", "sms.unreadable"}

    def test_what_is_neither_message_nor_report_is_noted(self, gateway: Gateway) -> None:
        assert notes(read(gateway, gateway.call(gateway.ways[0], {"hello": "world"}))) == ["sms.unknown"]


@each
class TestToken:
    """Of each of them a path that nobody can guess proves a call, where no secret is set."""

    def test_a_call_of_the_right_path_is_taken(self, gateway: Gateway) -> None:
        verifier(gateway.config)(gateway.message(), NOW)
        verifier(gateway.config)(gateway.report(gateway.failed), NOW)

    @pytest.mark.parametrize("path", ["", "/", f"/{TOKEN}0", f"/{TOKEN[:-1]}", f"/{TOKEN}/more", f"/{TOKEN.upper()}"])
    def test_a_call_of_any_other_is_not(self, gateway: Gateway, path: str) -> None:
        with pytest.raises(SignatureError):
            verifier(gateway.config)(replace(gateway.message(), path=path), NOW)

    def test_without_one_no_call_is_taken_and_the_setting_is_named(self, gateway: Gateway) -> None:
        with pytest.raises(SignatureError, match="callback_token"):
            verifier(channel(gateway.name, gateway.account))(replace(gateway.message(), path=""), NOW)


class TestPassword:
    CONFIG = channel("bandwidth", {**BANDWIDTH.account, "callback_username": "band", "callback_password": "w1dth"})

    def _call(self, pair: str | None) -> Request:
        said = {} if pair is None else {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return replace(BANDWIDTH.message(), path="", headers=Headers({"Content-Type": "application/json", **said}))

    def test_the_right_one_is_taken(self) -> None:
        verifier(self.CONFIG)(self._call("band:w1dth"), NOW)

    @pytest.mark.parametrize("pair", [None, "band:", "band:w1dth2", "other:w1dth", ":"])
    def test_any_other_is_not(self, pair: str | None) -> None:
        with pytest.raises(SignatureError):
            verifier(self.CONFIG)(self._call(pair), NOW)


class TestSignature:
    """MessageBird signs the URL and the body of a call, in a token."""

    CONFIG = channel("messagebird", {"access_key": "very-secret", "signing_key": SECRET})

    def _call(self, request: Request, key: str = SECRET) -> Request:
        request = replace(request, path="", url=HOME + (f"?{request.query}" if request.query else ""))
        claims = {"iss": "MessageBird", "nbf": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60, "jti": "j-1"}
        claims["url_hash"] = hashlib.sha256((request.url or "").encode()).hexdigest()
        if request.body:
            claims["payload_hash"] = hashlib.sha256(request.body).hexdigest()
        head = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        token = f"{head}.{_base64(hmac.digest(key.encode(), head.encode(), 'sha256'))}"
        kept = {name: request.headers[name] for name in request.headers}
        return replace(request, headers=Headers({**kept, "MessageBird-Signature-JWT": token}))

    def test_a_signed_message_and_a_signed_report_are_taken(self) -> None:
        verifier(self.CONFIG)(self._call(MESSAGEBIRD.message()), NOW)
        verifier(self.CONFIG)(self._call(MESSAGEBIRD.report("delivered")), NOW)

    def test_another_key_another_body_and_another_query_are_not(self) -> None:
        report, arrived = self._call(MESSAGEBIRD.report("delivered")), self._call(MESSAGEBIRD.message())
        for forged in (
            self._call(MESSAGEBIRD.message(), "another-key"),
            replace(arrived, body=arrived.body.replace(b"there", b"where")),
            replace(report, query=report.query.replace("delivered", "expired")),
            replace(arrived, headers=Headers({"Content-Type": "application/x-www-form-urlencoded"})),
        ):
            with pytest.raises(SignatureError):
                verifier(self.CONFIG)(forged, NOW)


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
