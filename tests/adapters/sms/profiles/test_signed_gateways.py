"""What is promised of the gateways that sign, or carry more than SMS, asked of each in its own words."""

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
    DeliveryError,
    RejectedError,
    SignatureError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
    NOW,
    REFERENCE,
    THEM,
    answered,
    called,
    channel,
    consents,
    message,
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
    def test_our_reference_or_the_url_of_reports_goes_with_it(self, gateway: Gateway) -> None:
        said = json.dumps(sent(gateway.config).fields)

        assert "https://example.org/hooks/alerts" in said
        assert (REFERENCE in said) is gateway.ours

    def test_without_a_callback_url_what_the_account_says_counts(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, callback_url=None)

        assert "example.org" not in json.dumps(sent(config).fields)

    def test_a_token_stands_in_the_callbacks_path(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, callback_token="t0ken-t0ken-t0ken-1")

        assert "/hooks/alerts/t0ken-t0ken-t0ken-1" in json.dumps(sent(config).fields)

    def test_a_file_goes_as_mms_or_is_refused(self, gateway: Gateway) -> None:
        file = Attachment(url="https://example.org/cat.jpg", media_type="image/jpeg")
        if "mms" not in gateway.config.loaded.media:
            with pytest.raises(UnsupportedContentError):
                sent(gateway.config, out(files=(file,)))
            return
        said = json.dumps(sent(gateway.config, out("Look", files=(file,))).fields)

        assert "https://example.org/cat.jpg" in said
        assert '"Look"' in said

    def test_the_account_is_asked_about_with_its_credentials(self, gateway: Gateway) -> None:
        request = Requests(gateway.config).check()

        assert request is not None
        assert request.method == "GET"
        assert "authorization" in request.headers
        assert not any(secret in request.url for secret in gateway.account.values() if "secret" in secret)


class TestAnswers:
    def test_a_bad_number_is_refused_for_good(self, gateway: Gateway) -> None:
        status, body = gateway.bad_number
        with pytest.raises(RejectedError) as caught:
            answered(gateway.config, body, status)

        expected = FailureKind.INVALID_MESSAGE if gateway.name == "plivo" else FailureKind.INVALID_ADDRESS
        assert caught.value.kind is expected

    def test_an_error_has_the_gateways_own_code(self, gateway: Gateway) -> None:
        status, body = gateway.bad_number
        with pytest.raises(DeliveryError) as caught:
            answered(gateway.config, body, status)

        listed = {*gateway.config.loaded.reply.codes, *gateway.config.loaded.codes, str(status)}
        assert caught.value.code in listed


class TestMessages:
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

        assert (receipt.delivery, receipt.part) == (("d41", 0) if gateway.ours else (None, None))

    def test_it_has_the_time_that_the_gateway_tells(self, gateway: Gateway) -> None:
        at = only(read(gateway, gateway.happened(gateway.delivered), gateway.query()), ReceiptReceived).at

        assert (at.replace(microsecond=0) if at else None) == (None if gateway.name == "twilio" else NOW)

    def test_without_the_gateways_id_our_reference_is_enough(self, gateway: Gateway) -> None:
        if not gateway.ours:
            pytest.skip("it has no reference")
        receipt = report(read(gateway, _replaced(gateway.happened(gateway.delivered), {"out-1": ""}), gateway.query()))

        assert (receipt.ids, receipt.delivery, receipt.part) == ((), "d41", 0)

    def test_a_report_about_nothing_that_is_ours_is_noted(self, gateway: Gateway) -> None:
        """No id, no reference: whatever it is about, it changes nothing of ours by mistake."""
        lost = _replaced(gateway.happened(gateway.delivered), {"out-1": "", REFERENCE: ""})

        for event in read(gateway, lost).events:
            receipt = getattr(event, "receipt", None)
            assert receipt is None or (receipt.ids, receipt.delivery) == ((), None)

    def test_a_refusal_by_opt_out_takes_consent_back(self, gateway: Gateway) -> None:
        if gateway.opt_out is None:
            pytest.skip("this gateway does not tell it apart")
        word, code = gateway.opt_out
        came = read(gateway, gateway.happened(word, code), gateway.query())
        (receipt,) = [event.receipt for event in came.events if isinstance(event, ReceiptReceived)]

        assert receipt.failure is not None
        assert (receipt.failure.kind, receipt.failure.code) == (FailureKind.OPTED_OUT, code)
        assert consents(came) == [(THEM, False)]


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


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(each, texts) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, texts) for each in value]
    return texts.get(value, value) if isinstance(value, str) else value
