"""What is promised of each gateway, asked of each in its own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.request import Requests
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    DeliveryError,
    InvalidInputError,
    RejectedError,
    SignatureError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
    NOW,
    REFERENCE,
    THEM,
    US,
    answered,
    called,
    channel,
    consents,
    message,
    notes,
    only,
    out,
    report,
    sent,
)
from tests.adapters.sms.profiles.samples import ALL, THEY, Gateway

pytestmark = pytest.mark.parametrize("gateway", ALL, ids=repr)


def read(gateway: Gateway, fields: Any, query: str = "") -> Any:
    return called(gateway.config, fields, query=query, form=gateway.form)


class TestOut:
    def test_who_it_goes_to_and_what_it_says_are_there_unchanged(self, gateway: Gateway) -> None:
        text = "Grüße & 1+1=2 % {key} \U0001f600"
        request = sent(gateway.config, out(text))

        said = json.dumps(request.fields, ensure_ascii=False)
        assert request.method == "POST"
        assert request.url.startswith("https://")
        assert json.dumps(text, ensure_ascii=False) in said
        assert THEY in said
        assert "15005550006" in said

    def test_a_long_text_goes_as_one(self, gateway: Gateway) -> None:
        """Gateways cut it themselves; the limit of ten segments is kept before."""
        text = "0123456789" * 153

        assert text in json.dumps(sent(gateway.config, out(text)).fields)

    def test_our_reference_or_the_url_of_reports_goes_with_it(self, gateway: Gateway) -> None:
        said = json.dumps(sent(gateway.config).fields)

        assert "https://example.org/hooks/alerts" in said
        if gateway.name != "telnyx":  # has no field for it, and does not sign the URL: its id is all
            assert REFERENCE in said

    def test_without_a_callback_url_what_the_account_says_counts(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, callback_url=None)

        assert "example.org" not in json.dumps(sent(config).fields)

    def test_a_token_stands_in_the_callbacks_path(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, callback_token="t0ken-t0ken-t0ken-1")

        assert "/hooks/alerts/t0ken-t0ken-t0ken-1" in json.dumps(sent(config).fields)

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

    def test_a_file_goes_as_mms_or_is_refused(self, gateway: Gateway) -> None:
        file = Attachment(url="https://example.org/cat.jpg", media_type="image/jpeg")
        if "mms" not in gateway.config.loaded.media:
            with pytest.raises(UnsupportedContentError):
                sent(gateway.config, out(files=(file,)))
            return
        said = json.dumps(sent(gateway.config, out("Look", files=(file,))).fields)

        assert "https://example.org/cat.jpg" in said
        assert '"Look"' in said

    def test_a_file_without_a_url_is_refused(self, gateway: Gateway) -> None:
        with pytest.raises(UnsupportedContentError):
            sent(gateway.config, out(files=(Attachment(data=b"x", media_type="image/png"),)))

    def test_native_lays_over_what_the_profile_says(self, gateway: Gateway) -> None:
        plain = sent(gateway.config).fields
        richer = sent(gateway.config, out(native={"extra": "1"})).fields

        assert richer == plain | {"extra": "1"}

    def test_the_account_is_asked_about_with_its_credentials(self, gateway: Gateway) -> None:
        request = Requests(gateway.config).check()

        assert request is not None
        assert request.method == "GET"
        assert "authorization" in request.headers
        assert not any(secret in request.url for secret in gateway.account.values() if "secret" in secret)

    def test_a_request_shows_no_secret(self, gateway: Gateway) -> None:
        shown = repr(Requests(gateway.config).build(out(), now=NOW)) + repr(gateway.config)

        assert not any(secret in shown for secret in gateway.account.values() if "secret" in secret)


class TestAnswers:
    def test_a_message_that_is_taken_has_the_gateways_id(self, gateway: Gateway) -> None:
        receipt = answered(gateway.config, gateway.taken, gateway.status)

        assert receipt.status is Status.ACCEPTED
        assert receipt.ids == ("out-1",)
        assert receipt.part == 0

    def test_a_bad_number_is_refused_for_good(self, gateway: Gateway) -> None:
        status, body = gateway.bad_number
        with pytest.raises(RejectedError) as caught:
            answered(gateway.config, body, status)

        expected = FailureKind.INVALID_MESSAGE if gateway.name == "plivo" else FailureKind.INVALID_ADDRESS
        assert caught.value.kind is expected

    @pytest.mark.parametrize("body", [b"", b"<html>Oops</html>", b"[]", b"{}", b'"ok"', b'{"messages": []}', b"\xff"])
    def test_a_success_that_makes_no_sense_is_uncertain(self, gateway: Gateway, body: bytes) -> None:
        """It may have gone out, and a blind repeat would double it."""
        with pytest.raises(UncertainError):
            answered(gateway.config, body, gateway.status)

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_of_the_gateway_is_uncertain(self, gateway: Gateway, status: int) -> None:
        with pytest.raises(UncertainError):
            answered(gateway.config, b"<html>Oops</html>", status)

    def test_too_many_requests_wait(self, gateway: Gateway) -> None:
        with pytest.raises(ThrottledError) as caught:
            answered(gateway.config, {}, 429, retry_after=7.0)
        with pytest.raises(ThrottledError) as unsaid:
            answered(gateway.config, {}, 429)

        assert caught.value.retry_after == 7.0
        assert unsaid.value.retry_after >= 1.0

    def test_wrong_credentials_take_the_account_down(self, gateway: Gateway) -> None:
        with pytest.raises(AuthenticationError):
            answered(gateway.config, {}, 401)

    def test_an_account_without_money_is_down(self, gateway: Gateway) -> None:
        with pytest.raises(AccountError):
            answered(gateway.config, {}, 402)

    def test_an_error_has_the_gateways_own_code(self, gateway: Gateway) -> None:
        status, body = gateway.bad_number
        with pytest.raises(DeliveryError) as caught:
            answered(gateway.config, body, status)

        listed = {*gateway.config.loaded.reply.codes, *gateway.config.loaded.codes, str(status)}
        assert caught.value.code in listed


class TestMessages:
    def test_a_text_arrives(self, gateway: Gateway) -> None:
        came = message(read(gateway, gateway.arrived("Grüße \U0001f600")))

        assert came.key == "in:in-1"
        assert came.message_id == "in-1"
        assert came.sender == Address.parse(THEM)
        assert came.conversation is not None
        assert came.conversation.address == Address.parse(THEM)
        assert came.to == (Address.parse(f"sms:{US}"),)
        assert came.text == "Grüße \U0001f600"
        assert came.native
        assert came.details["gateway"] == gateway.name

    def test_it_has_the_time_that_the_gateway_tells(self, gateway: Gateway) -> None:
        told = gateway.name not in ("twilio", "plivo")

        assert message(read(gateway, gateway.arrived())).at == (NOW - timedelta(seconds=2) if told else None)

    @pytest.mark.parametrize(("who", "uri"), [("32665", "sms:32665"), ("Bank", "sms:Bank"), ("", None)])
    def test_a_sender_may_be_a_short_code_or_a_name_or_nobody(
        self, gateway: Gateway, who: str, uri: str | None
    ) -> None:
        came = message(read(gateway, _replaced(gateway.arrived(), {THEY: who, f"+{THEY}": who})))

        assert (came.sender.uri if came.sender else None) == uri
        assert came.text == "Hi there"

    def test_the_same_call_again_has_the_same_keys(self, gateway: Gateway) -> None:
        for fields in (gateway.arrived(), gateway.happened(gateway.delivered), gateway.arrived("STOP")):
            first, again = read(gateway, fields), read(gateway, fields)

            assert [event.key for event in first.events] == [event.key for event in again.events]
            assert len({event.key for event in first.events}) == len(first.events)

    def test_an_empty_text_is_a_message(self, gateway: Gateway) -> None:
        assert message(read(gateway, gateway.arrived(""))).text == ""

    @pytest.mark.parametrize(("word", "granted"), [("STOP", False), ("start", True)])
    def test_a_word_takes_consent_back_or_gives_it(self, gateway: Gateway, word: str, granted: bool) -> None:
        assert consents(read(gateway, gateway.arrived(word))) == [(THEM, granted)]

    def test_a_phrase_does_not_act(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.arrived("please stop texting me"))

        assert consents(came) == []
        assert message(came).details["maybe_opt_out"] is True


class TestReports:
    @pytest.mark.parametrize(
        ("which", "status"), [("sent", Status.SENT), ("delivered", Status.DELIVERED), ("failed", Status.FAILED)]
    )
    def test_a_word_says_what_became_of_it(self, gateway: Gateway, which: str, status: Status) -> None:
        receipt = report(read(gateway, gateway.happened(getattr(gateway, which)), gateway.query()))

        assert receipt.status is status
        assert receipt.ids == ("out-1",)
        assert receipt.address == Address.parse(THEM)

    def test_a_report_says_which_delivery_of_ours_it_is_about(self, gateway: Gateway) -> None:
        """So that one that comes before the answer, or after a lost one, finds its message."""
        receipt = report(read(gateway, gateway.happened(gateway.delivered), gateway.query()))

        if gateway.name != "telnyx":
            assert (receipt.delivery, receipt.part) == ("d41", 0)

    def test_it_has_the_time_that_the_gateway_tells(self, gateway: Gateway) -> None:
        at = only(read(gateway, gateway.happened(gateway.delivered), gateway.query()), ReceiptReceived).at

        assert (at.replace(microsecond=0) if at else None) == (None if gateway.name == "twilio" else NOW)

    def test_without_the_gateways_id_our_reference_is_enough(self, gateway: Gateway) -> None:
        if gateway.name == "telnyx":
            pytest.skip("it has no reference")
        receipt = report(read(gateway, _replaced(gateway.happened(gateway.delivered), {"out-1": ""}), gateway.query()))

        assert (receipt.ids, receipt.delivery, receipt.part) == ((), "d41", 0)

    def test_a_report_about_nothing_that_is_ours_is_noted(self, gateway: Gateway) -> None:
        """No id, no reference: whatever it is about, it changes nothing of ours by mistake."""
        lost = _replaced(gateway.happened(gateway.delivered), {"out-1": "", REFERENCE: ""})

        for event in read(gateway, lost).events:
            receipt = getattr(event, "receipt", None)
            assert receipt is None or (receipt.ids, receipt.delivery) == ((), None)

    def test_a_word_that_nobody_knows_changes_nothing(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.happened("teleported"), gateway.query())

        assert notes(came) == ["sms.report"]
        assert not any(isinstance(event, ReceiptReceived) for event in came.events)

    def test_a_code_that_nobody_knows_is_kept(self, gateway: Gateway) -> None:
        unknown = "ODD_4711" if gateway.name == "infobip" else "4711"
        failure = report(read(gateway, gateway.happened(gateway.failed, unknown), gateway.query())).failure

        assert failure is not None
        if gateway.name != "infobip":  # which tells the same by another name, too, and that one is listed
            assert (failure.kind, failure.code) == (None, unknown)

    def test_a_refusal_by_opt_out_takes_consent_back(self, gateway: Gateway) -> None:
        if gateway.opt_out is None:
            pytest.skip("this gateway does not tell it apart")
        word, code = gateway.opt_out
        came = read(gateway, gateway.happened(word, code), gateway.query())
        (receipt,) = [event.receipt for event in came.events if isinstance(event, ReceiptReceived)]

        assert receipt.failure is not None
        assert (receipt.failure.kind, receipt.failure.code) == (FailureKind.OPTED_OUT, code)
        assert consents(came) == [(THEM, False)]

    def test_every_code_in_the_table_becomes_what_it_says(self, gateway: Gateway) -> None:
        for code, word in gateway.config.loaded.codes.items():
            if word == "none":
                continue
            came = read(gateway, gateway.happened(gateway.failed, code), gateway.query())
            (receipt,) = [event.receipt for event in came.events if isinstance(event, ReceiptReceived)]

            assert receipt.failure is not None
            assert receipt.failure.kind == FailureKind(word), code


class TestNonsense:
    """Nothing that comes raises anything but `InvalidInputError`, which is answered with a 400."""

    ODD: tuple[Any, ...] = (None, [], {}, [[]], {"a": {}}, 7, True, "", "x" * 5000, ["a", "b"], {"0": "x"})

    def test_fields_that_are_missing_or_of_other_types(self, gateway: Gateway) -> None:
        for fields in (gateway.arrived(), gateway.happened(gateway.delivered)):
            for path in _places(fields):
                for odd in (*self.ODD, _GONE):
                    if gateway.form and not isinstance(odd, str | list):
                        continue
                    changed = _changed(fields, path, odd)
                    try:
                        came = read(gateway, changed)
                    except InvalidInputError:
                        continue
                    assert all(event.key for event in came.events)

    @pytest.mark.parametrize("body", [b"{", b"[" * 5000, b"%", b"&&&", b"\x00\xff", b"null", b"7", b'"a"'])
    def test_bodies_that_are_no_call(self, gateway: Gateway, body: bytes) -> None:
        try:
            came = called(gateway.config, body)
        except InvalidInputError:
            return
        assert set(notes(came)) <= {"sms.unknown", "sms.unreadable"}

    def test_what_is_neither_message_nor_report_is_noted(self, gateway: Gateway) -> None:
        assert notes(read(gateway, {"hello": "world"})) == ["sms.unknown"]


class TestProof:
    def test_a_signed_call_is_taken(self, gateway: Gateway) -> None:
        check = verifier(gateway.config)

        check(gateway.request(gateway.arrived()), NOW)
        check(gateway.request(gateway.happened(gateway.delivered), gateway.query()), NOW)

    def test_a_call_without_a_signature_is_refused(self, gateway: Gateway) -> None:
        signed = gateway.request(gateway.arrived())
        plain = replace(signed, headers=Headers({}), body=signed.body.replace(b"sig", b"gis"))

        with pytest.raises(SignatureError):
            verifier(gateway.config)(plain, NOW)

    def test_a_call_that_was_changed_is_refused(self, gateway: Gateway) -> None:
        if gateway.name == "infobip":
            pytest.skip("a password covers nothing")
        signed = gateway.request(gateway.arrived())
        changed = replace(signed, body=signed.body.replace(b"there", b"where"))

        with pytest.raises(SignatureError):
            verifier(gateway.config)(changed, NOW)

    def test_another_secret_is_refused_and_both_are_taken_while_it_is_replaced(self, gateway: Gateway) -> None:
        other = "KuoQ1YlZcH4G1nCqqyJRPYJNKtR7vbXBz0Fz0sXCUUg=" if gateway.name == "telnyx" else "another-secret"
        right = gateway.account[gateway.secret]
        request: Request = gateway.request(gateway.arrived())

        with pytest.raises(SignatureError):
            verifier(channel(gateway.name, {**gateway.account, gateway.secret: other}))(request, NOW)
        verifier(channel(gateway.name, {**gateway.account, gateway.secret: [other, right]}))(request, NOW)

    def test_what_somebody_has_recorded_is_refused_some_days_later(self, gateway: Gateway) -> None:
        if gateway.name in ("twilio", "plivo", "infobip"):
            pytest.skip("what it signs has no time")

        with pytest.raises(SignatureError):
            verifier(gateway.config)(gateway.request(gateway.arrived()), NOW + timedelta(days=3))

    def test_the_url_is_that_of_the_settings_whatever_a_proxy_says(self, gateway: Gateway) -> None:
        signed = gateway.request(gateway.arrived())
        behind = replace(signed, url="http://10.0.0.7:8080/elsewhere")

        verifier(gateway.config)(behind, NOW)


_GONE = object()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for name, each in value.items() for place in _places(each, (*path, name))]
    elif isinstance(value, list):
        found += [place for index, each in enumerate(value) for place in _places(each, (*path, index))]
    return found


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(each, texts) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, texts) for each in value]
    return texts.get(value, value) if isinstance(value, str) else value


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    if new is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return copy
